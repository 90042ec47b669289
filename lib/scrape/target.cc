#include "scrape/target.h"

#include <unordered_set>

#include "base/hash.h"
#include "base/strings.h"
#include "base/time.h"
#include "net/http_server.h"
#include "relabel/relabel.h"

namespace prom::scrape {
namespace {

constexpr std::string_view kAddress = "__address__";
constexpr std::string_view kParam = "__param_";

// Upstream's CheckTargetAddress: an address must not look like a URL.
Result<void> CheckAddress(std::string_view address) {
  if (address.find('/') != std::string_view::npos) return Error{Errc::kInvalid, Quote(address) + " is not a valid hostname"};
  return {};
}

Result<std::int64_t> LabelDuration(const LabelsBuilder& labels, std::string_view name, std::string_view what) {
  const std::string_view text = labels.Get(name);
  auto d = ParseDuration(text);
  if (!d) return Error{Errc::kInvalid, "error parsing " + std::string(what) + ": " + d.error().message};
  if (*d == 0) return Error{Errc::kInvalid, std::string(what) + " cannot be 0"};
  return *d;
}

std::string BuildUrl(const config::ScrapeConfig& config, const LabelsBuilder& labels) {
  std::string url = std::string(labels.Get("__scheme__")) + "://" + std::string(labels.Get(kAddress));
  const std::string_view path = labels.Get("__metrics_path__");
  if (!path.starts_with('/')) url += '/';
  url += path;
  // The first value of a parameter may have been relabelled; further values are those of the configuration.
  net::Params params;
  for (const auto& [name, value] : labels.pairs()) {
    if (!name.starts_with(kParam)) continue;
    const std::string key = name.substr(kParam.size());
    params.emplace_back(key, value);
    if (const auto it = config.params.find(key); it != config.params.end())
      for (std::size_t i = 1; i < it->second.size(); ++i) params.emplace_back(key, it->second[i]);
  }
  // A path of the configuration may bring a query of its own.
  char separator = path.find('?') == std::string_view::npos ? '?' : '&';
  for (const auto& [key, value] : params) {
    url += separator + net::PercentEncode(key) + '=' + net::PercentEncode(value);
    separator = '&';
  }
  return url;
}

}  // namespace

std::uint64_t Target::Hash() const { return Fnv1a64(url, Fnv1a64(unix_socket, labels.Hash())); }

Result<std::optional<Target>> MakeTarget(const config::ScrapeConfig& config, const Labels& target, const Labels& group, Labels* discovered) {
  LabelsBuilder labels(group);
  for (const Label l : target) labels.Set(l.name, l.value);
  const auto set_default = [&](std::string_view name, std::string_view value) {
    if (labels.Get(name).empty()) labels.Set(name, value);
  };
  set_default("job", config.job_name);
  set_default("__scrape_interval__", FormatDuration(config.scrape_interval_ms));
  set_default("__scrape_timeout__", FormatDuration(config.scrape_timeout_ms));
  set_default("__metrics_path__", config.metrics_path);
  set_default("__scheme__", config.scheme);
  for (const auto& [name, values] : config.params)
    if (!values.empty()) labels.Set(std::string(kParam) + name, values[0]);

  Target out;
  out.discovered = labels.Build();
  if (discovered != nullptr) *discovered = out.discovered;
  if (!relabel::Process(config.relabel_rules, &labels)) return std::optional<Target>();

  if (labels.Get(kAddress).empty()) return Error{Errc::kInvalid, "no address"};
  PROM_TRY(CheckAddress(labels.Get(kAddress)));
  PROM_ASSIGN(out.interval_ms, LabelDuration(labels, "__scrape_interval__", "scrape interval"));
  PROM_ASSIGN(out.timeout_ms, LabelDuration(labels, "__scrape_timeout__", "scrape timeout"));
  if (out.timeout_ms > out.interval_ms)
    return Error{Errc::kInvalid, "scrape timeout cannot be greater than scrape interval (" + Quote(labels.Get("__scrape_timeout__")) + " > " + Quote(labels.Get("__scrape_interval__")) + ")"};
  out.url = BuildUrl(config, labels);
  out.unix_socket = labels.Get("__unix_socket__");
  if (labels.Get("instance").empty()) labels.Set("instance", std::string(labels.Get(kAddress)));

  std::vector<Label> exported;
  for (const auto& [name, value] : labels.pairs()) {
    if (name.starts_with("__")) continue;
    if (!IsValidUtf8(value)) return Error{Errc::kInvalid, "invalid label value for " + Quote(name) + ": " + Quote(value)};
    exported.push_back({name, value});
  }
  out.labels = Labels::FromSorted(exported);
  return std::optional<Target>(std::move(out));
}

TargetSet MakeTargets(const config::ScrapeConfig& config, const std::vector<discovery::TargetGroup>& groups) {
  TargetSet out;
  std::unordered_set<std::uint64_t> seen;
  for (const discovery::TargetGroup& group : groups) {
    for (std::size_t i = 0; i < group.targets.size(); ++i) {
      Labels discovered;
      auto target = MakeTarget(config, group.targets[i], group.labels, &discovered);
      if (!target) {
        out.errors.push_back("instance " + std::to_string(i) + " in group " + group.source + ": " + target.error().message);
      } else if (!*target) {
        out.dropped.push_back(std::move(discovered));
      } else if (seen.insert((*target)->Hash()).second) {
        out.active.push_back(std::move(**target));
      }
    }
  }
  return out;
}

}  // namespace prom::scrape
