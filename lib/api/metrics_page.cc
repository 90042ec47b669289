#include "api/metrics_page.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "base/number.h"
#include "base/strings.h"

namespace prom::api {
namespace {

struct Family {
  std::string head;  // HELP and TYPE lines
  std::vector<std::pair<std::string, std::string>> samples;  // series text and value, in order
  std::unordered_map<std::string, std::size_t> by_series;
};

enum class Rule { kFirst, kSum, kMax, kMin };
Rule RuleOf(std::string_view family) {
  if (!family.starts_with("process_")) return Rule::kFirst;
  if (family == "process_start_time_seconds") return Rule::kMax;
  if (family == "process_max_fds") return Rule::kMin;
  return Rule::kSum;
}

// Histograms and summaries have samples named after their family.
bool IsOf(std::string_view metric, std::string_view family) {
  if (!metric.starts_with(family)) return false;
  metric.remove_prefix(family.size());
  return metric.empty() || metric == "_bucket" || metric == "_sum" || metric == "_count";
}

void AddSample(Family* family, Rule rule, std::string_view series, std::string_view value) {
  const auto [it, fresh] = family->by_series.emplace(series, family->samples.size());
  if (fresh) {
    family->samples.emplace_back(series, value);
    return;
  }
  if (rule == Rule::kFirst) return;
  std::string& old = family->samples[it->second].second;
  const double a = ParseFloat(old).value_or(0), b = ParseFloat(value).value_or(0);
  old = FormatFloatG(rule == Rule::kSum ? a + b : rule == Rule::kMax ? std::max(a, b) : std::min(a, b));
}

}  // namespace

std::string MergeMetricPages(const std::vector<std::string>& pages) {
  std::map<std::string, Family, std::less<>> families;
  for (const std::string& page : pages) {
    Family* family = nullptr;
    std::string name;
    bool keep_head = false;
    for (std::string_view line : Split(page, '\n')) {
      if (line.empty()) continue;
      if (line[0] == '#') {
        // "# HELP name text" or "# TYPE name type"
        const auto words = Split(line, ' ');
        if (words.size() < 3 || (words[1] != "HELP" && words[1] != "TYPE")) continue;
        if (family == nullptr || name != words[2]) {
          name = words[2];
          family = &families[name];
          keep_head = family->head.empty();
        }
        if (keep_head) {
          family->head += line;
          family->head += '\n';
        }
        continue;
      }
      const std::size_t space = line.rfind(' ');
      if (space == std::string_view::npos) continue;
      // A sample without HELP and TYPE of its own must not land in the family before it.
      const std::string_view metric = line.substr(0, line.find_first_of("{ "));
      if (family == nullptr || !IsOf(metric, name)) {
        name = metric;
        family = &families[name];
        keep_head = false;
      }
      AddSample(family, RuleOf(name), line.substr(0, space), line.substr(space + 1));
    }
  }
  std::string out;
  for (const auto& [name, family] : families) {
    out += family.head;
    for (const auto& [series, value] : family.samples) out += series + ' ' + value + '\n';
  }
  return out;
}

}  // namespace prom::api
