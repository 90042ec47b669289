#include <algorithm>

#include "base/strings.h"
#include "config/sections.h"

namespace prom::config {

namespace {

struct ProtocolText {
  ScrapeProtocol protocol;
  std::string_view name, media_type;
};
// Sorted by name, as the error text lists them.
constexpr ProtocolText kProtocols[] = {
    {ScrapeProtocol::kOpenMetricsText001, "OpenMetricsText0.0.1", "application/openmetrics-text;version=0.0.1"},
    {ScrapeProtocol::kOpenMetricsText100, "OpenMetricsText1.0.0", "application/openmetrics-text;version=1.0.0"},
    {ScrapeProtocol::kPrometheusProto, "PrometheusProto",
     "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"},
    {ScrapeProtocol::kPrometheusText004, "PrometheusText0.0.4", "text/plain;version=0.0.4"},
    {ScrapeProtocol::kPrometheusText100, "PrometheusText1.0.0", "text/plain;version=1.0.0"},
};

constexpr std::pair<NameEscaping, std::string_view> kEscapings[] = {
    {NameEscaping::kUnset, ""},
    {NameEscaping::kAllowUtf8, "allow-utf-8"},
    {NameEscaping::kUnderscores, "underscores"},
    {NameEscaping::kDots, "dots"},
    {NameEscaping::kValues, "values"},
};

const ProtocolText& Text(ScrapeProtocol protocol) {
  return *std::find_if(std::begin(kProtocols), std::end(kProtocols), [&](const ProtocolText& p) { return p.protocol == protocol; });
}

}  // namespace

std::string_view ScrapeProtocolName(ScrapeProtocol protocol) { return Text(protocol).name; }
std::string_view ScrapeProtocolMediaType(ScrapeProtocol protocol) { return Text(protocol).media_type; }

std::optional<ScrapeProtocol> ParseScrapeProtocol(std::string_view name) {
  for (const auto& p : kProtocols)
    if (p.name == name) return p.protocol;
  return std::nullopt;
}

std::string_view NameEscapingName(NameEscaping escaping) {
  for (const auto& [value, name] : kEscapings)
    if (value == escaping) return name;
  return {};
}

std::optional<NameEscaping> ParseNameEscaping(std::string_view name) {
  for (const auto& [value, known] : kEscapings)
    if (known == name) return value;
  return std::nullopt;
}

Error UnknownScrapeProtocol(std::string_view name) {
  std::string supported;
  for (const auto& p : kProtocols) {
    if (!supported.empty()) supported += ' ';
    supported += p.name;
  }
  return {Errc::kInvalid, "unknown scrape protocol " + std::string(name) + ", supported: [" + supported + "]"};
}

Result<std::vector<ScrapeProtocol>> CheckScrapeProtocols(const std::vector<std::string>& names, const std::string& owner) {
  const std::string suffix = " for " + owner;
  if (names.empty()) return Error{Errc::kInvalid, "scrape_protocols cannot be empty" + suffix};
  std::vector<ScrapeProtocol> out;
  std::vector<std::string> seen;
  for (const auto& name : names) {
    if (std::find(seen.begin(), seen.end(), ToLower(name)) != seen.end())
      return Error{Errc::kInvalid, "duplicated protocol in scrape_protocols, got [" + Join(names, " ") + "]" + suffix};
    const auto protocol = ParseScrapeProtocol(name);
    if (!protocol) return Error{Errc::kInvalid, "scrape_protocols: " + UnknownScrapeProtocol(name).message + suffix};
    seen.push_back(ToLower(name));
    out.push_back(*protocol);
  }
  return out;
}

Result<void> Decode(const yaml::Node& node, GlobalConfig* out) {
  *out = GlobalConfig();
  if (node.is_null()) return {};
  GlobalConfig& g = *out;
  g.scrape_interval_ms = g.scrape_timeout_ms = g.evaluation_interval_ms = 0;  // 0 in the file is the default, too
  g.name_scheme = NameScheme::kUnset;
  g.name_escaping = NameEscaping::kUnset;
  yaml::Mapping m(node, "config.plain");
  m.Duration("scrape_interval", &g.scrape_interval_ms);
  m.Duration("scrape_timeout", &g.scrape_timeout_ms);
  std::optional<std::vector<std::string>> protocols;
  m.Field("scrape_protocols", &protocols);
  m.Duration("evaluation_interval", &g.evaluation_interval_ms);
  m.Duration("rule_query_offset", &g.rule_query_offset_ms);
  m.Field("query_log_file", &g.query_log_file);
  m.Field("scrape_failure_log_file", &g.scrape_failure_log_file);
  std::map<std::string, std::string> external_labels;
  m.Field("external_labels", &external_labels);
  m.Size("body_size_limit", &g.body_size_limit_bytes);
  m.Field("sample_limit", &g.sample_limit);
  m.Field("target_limit", &g.target_limit);
  m.Field("label_limit", &g.label_limit);
  m.Field("label_name_length_limit", &g.label_name_length_limit);
  m.Field("label_value_length_limit", &g.label_value_length_limit);
  m.Field("keep_dropped_targets", &g.keep_dropped_targets);
  m.Field("metric_name_validation_scheme", &g.name_scheme);
  std::string escaping;
  m.Field("metric_name_escaping_scheme", &escaping);
  m.Field("scrape_native_histograms", &g.scrape_native_histograms);
  m.Field("convert_classic_histograms_to_nhcb", &g.convert_classic_histograms_to_nhcb);
  m.Field("always_scrape_classic_histograms", &g.always_scrape_classic_histograms);
  m.Field("extra_scrape_metrics", &g.extra_scrape_metrics);
  PROM_TRY(m.Finish());

  if (g.name_scheme == NameScheme::kUnset) g.name_scheme = NameScheme::kUtf8;
  const auto known_escaping = ParseNameEscaping(escaping);
  if (!known_escaping)
    return m.At("metric_name_escaping_scheme",
                "unknown global name escaping method specified, must be one of 'allow-utf-8', 'underscores', 'dots', or 'values', got " + Quote(escaping));
  g.name_escaping = *known_escaping;
  std::vector<std::pair<std::string, std::string>> labels;
  for (const auto& [name, value] : external_labels) {
    if (!relabel::IsValidLabelName(g.name_scheme, name)) return m.At("external_labels", Quote(name) + " is not a valid label name");
    if (!IsValidUtf8(value)) return m.At("external_labels", Quote(value) + " is not a valid label value");
    labels.emplace_back(name, value);
  }
  g.external_labels = Labels::FromPairs(std::move(labels));

  const GlobalConfig defaults;
  if (g.scrape_interval_ms == 0) g.scrape_interval_ms = defaults.scrape_interval_ms;
  if (g.scrape_timeout_ms > g.scrape_interval_ms) return m.At("scrape_timeout", "global scrape timeout greater than scrape interval");
  if (g.scrape_timeout_ms == 0) g.scrape_timeout_ms = std::min(defaults.scrape_timeout_ms, g.scrape_interval_ms);
  if (g.evaluation_interval_ms == 0) g.evaluation_interval_ms = defaults.evaluation_interval_ms;
  if (protocols) {
    auto checked = CheckScrapeProtocols(*protocols, "global config");
    if (!checked) return m.At("scrape_protocols", checked.error().message);
    g.scrape_protocols = std::move(*checked);
  }
  return {};
}

void WriteScrapeProtocols(yaml::Writer* out, const std::vector<ScrapeProtocol>& protocols) {
  out->Key("scrape_protocols").BeginList();
  for (const auto protocol : protocols) out->String(ScrapeProtocolName(protocol));
  out->EndList();
}

void Write(yaml::Writer* out, const GlobalConfig& g) {
  out->BeginMap();
  out->Duration("scrape_interval", g.scrape_interval_ms);
  out->Duration("scrape_timeout", g.scrape_timeout_ms);
  if (g.scrape_protocols) WriteScrapeProtocols(out, *g.scrape_protocols);
  out->Duration("evaluation_interval", g.evaluation_interval_ms);
  out->OptDuration("rule_query_offset", g.rule_query_offset_ms);
  out->Opt("query_log_file", g.query_log_file);
  out->Opt("scrape_failure_log_file", g.scrape_failure_log_file);
  if (!g.external_labels.empty()) {
    out->Key("external_labels").BeginMap();
    for (const Label l : g.external_labels) out->Field(l.name, l.value);
    out->EndMap();
  }
  WriteSize(out, "body_size_limit", g.body_size_limit_bytes);
  WriteUint(out, "sample_limit", g.sample_limit);
  WriteUint(out, "target_limit", g.target_limit);
  WriteUint(out, "label_limit", g.label_limit);
  WriteUint(out, "label_name_length_limit", g.label_name_length_limit);
  WriteUint(out, "label_value_length_limit", g.label_value_length_limit);
  WriteUint(out, "keep_dropped_targets", g.keep_dropped_targets);
  out->Field("metric_name_validation_scheme", g.name_scheme == NameScheme::kLegacy ? "legacy" : "utf8");
  out->Opt("metric_name_escaping_scheme", NameEscapingName(g.name_escaping));
  out->Key("scrape_native_histograms").Bool(g.scrape_native_histograms);
  out->OptBool("convert_classic_histograms_to_nhcb", g.convert_classic_histograms_to_nhcb);
  out->OptBool("always_scrape_classic_histograms", g.always_scrape_classic_histograms);
  out->Key("extra_scrape_metrics").Bool(g.extra_scrape_metrics);
  out->EndMap();
}

}  // namespace prom::config
