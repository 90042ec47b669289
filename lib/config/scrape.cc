#include <algorithm>

#include "base/strings.h"
#include "config/sections.h"

namespace prom::config {

Result<void> Decode(const yaml::Node& node, ScrapeConfig* out) {
  *out = ScrapeConfig();
  ScrapeConfig& s = *out;
  s.where = node.Where();
  yaml::Mapping m(node, "config.ScrapeConfig");
  m.Field("job_name", &s.job_name);
  m.Field("honor_labels", &s.honor_labels);
  m.Field("honor_timestamps", &s.honor_timestamps);
  m.Field("track_timestamps_staleness", &s.track_timestamps_staleness);
  m.Field("params", &s.params);
  m.Duration("scrape_interval", &s.scrape_interval_ms);
  m.Duration("scrape_timeout", &s.scrape_timeout_ms);
  std::optional<std::vector<std::string>> protocols;
  m.Field("scrape_protocols", &protocols);
  std::string fallback;
  m.Field("fallback_scrape_protocol", &fallback);
  m.Field("scrape_native_histograms", &s.scrape_native_histograms);
  m.Field("always_scrape_classic_histograms", &s.always_scrape_classic_histograms);
  m.Field("convert_classic_histograms_to_nhcb", &s.convert_classic_histograms_to_nhcb);
  m.Field("scrape_failure_log_file", &s.scrape_failure_log_file);
  m.Field("metrics_path", &s.metrics_path);
  m.Field("scheme", &s.scheme);
  m.Field("enable_compression", &s.enable_compression);
  m.Size("body_size_limit", &s.body_size_limit_bytes);
  m.Field("sample_limit", &s.sample_limit);
  m.Field("target_limit", &s.target_limit);
  m.Field("label_limit", &s.label_limit);
  m.Field("label_name_length_limit", &s.label_name_length_limit);
  m.Field("label_value_length_limit", &s.label_value_length_limit);
  m.Field("native_histogram_bucket_limit", &s.native_histogram_bucket_limit);
  m.Field("native_histogram_min_bucket_factor", &s.native_histogram_min_bucket_factor);
  m.Field("keep_dropped_targets", &s.keep_dropped_targets);
  m.Field("metric_name_validation_scheme", &s.name_scheme);
  std::string escaping;
  m.Field("metric_name_escaping_scheme", &escaping);
  m.Field("extra_scrape_metrics", &s.extra_scrape_metrics);
  discovery::TakeSdFields(&m, &s.sd);
  discovery::BearerToken bearer;
  discovery::TakeHttpClientFields(&m, &s.http, &bearer);
  m.List("relabel_configs", &s.relabel_configs, "empty or null target relabeling rule in scrape config", "[]*relabel.Config");
  m.List("metric_relabel_configs", &s.metric_relabel_configs, "empty or null metric relabeling rule in scrape config", "[]*relabel.Config");
  PROM_TRY(m.Finish());

  if (s.job_name.empty()) return m.At("job_name", "job_name is empty");
  PROM_TRY(discovery::FinishHttpClient(m, &s.http, bearer));
  if (s.relabel_configs.empty()) {
    if (auto checked = discovery::CheckStaticTargets(s.sd); !checked) return m.At("static_configs", checked.error().message);
  }
  if (protocols) {
    auto checked = CheckScrapeProtocols(*protocols, "scrape config with job name " + Quote(s.job_name));
    if (!checked) return m.At("scrape_protocols", checked.error().message);
    s.scrape_protocols = std::move(*checked);
  }
  if (!fallback.empty()) {
    s.fallback_scrape_protocol = ParseScrapeProtocol(fallback);
    if (!s.fallback_scrape_protocol)
      return m.At("fallback_scrape_protocol", "invalid fallback_scrape_protocol for scrape config with job name " + Quote(s.job_name) + ": " +
                                                  UnknownScrapeProtocol(fallback).message);
  }
  const auto known_escaping = ParseNameEscaping(escaping);
  if (!known_escaping)
    return m.At("metric_name_escaping_scheme",
                "unknown scrape config name escaping method specified, must be one of 'allow-utf-8', 'underscores', 'dots', or 'values', got " + Quote(escaping));
  s.name_escaping = *known_escaping;
  return {};
}

namespace {

template <typename T>
void Inherit(T* own, const T& global) {
  if (*own == T{}) *own = global;
}

std::vector<ScrapeProtocol> DefaultProtocols(bool proto_first) {
  std::vector<ScrapeProtocol> out = {ScrapeProtocol::kOpenMetricsText100, ScrapeProtocol::kOpenMetricsText001, ScrapeProtocol::kPrometheusText100,
                                     ScrapeProtocol::kPrometheusText004};
  if (proto_first) out.insert(out.begin(), ScrapeProtocol::kPrometheusProto);
  return out;
}

}  // namespace

Result<void> Finish(const GlobalConfig& global, ScrapeConfig* out) {
  ScrapeConfig& s = *out;
  const auto fail = [&](const std::string& message) { return Error{Errc::kInvalid, s.where + ": " + message}; };
  Inherit(&s.scrape_interval_ms, global.scrape_interval_ms);
  if (s.scrape_timeout_ms > s.scrape_interval_ms)
    return fail("scrape timeout greater than scrape interval for scrape config with job name " + Quote(s.job_name));
  if (s.scrape_timeout_ms == 0) s.scrape_timeout_ms = std::min(global.scrape_timeout_ms, s.scrape_interval_ms);
  Inherit(&s.body_size_limit_bytes, global.body_size_limit_bytes);
  Inherit(&s.sample_limit, global.sample_limit);
  Inherit(&s.target_limit, global.target_limit);
  Inherit(&s.label_limit, global.label_limit);
  Inherit(&s.label_name_length_limit, global.label_name_length_limit);
  Inherit(&s.label_value_length_limit, global.label_value_length_limit);
  Inherit(&s.keep_dropped_targets, global.keep_dropped_targets);
  Inherit(&s.scrape_failure_log_file, global.scrape_failure_log_file);
  if (!s.scrape_native_histograms) s.scrape_native_histograms = global.scrape_native_histograms;
  if (!s.extra_scrape_metrics) s.extra_scrape_metrics = global.extra_scrape_metrics;
  if (!s.convert_classic_histograms_to_nhcb) s.convert_classic_histograms_to_nhcb = global.convert_classic_histograms_to_nhcb;
  if (!s.always_scrape_classic_histograms) s.always_scrape_classic_histograms = global.always_scrape_classic_histograms;
  if (s.scrape_protocols.empty()) {
    // The global list wins over what native histograms would choose here.
    s.scrape_protocols = global.scrape_protocols ? *global.scrape_protocols : DefaultProtocols(*s.scrape_native_histograms);
  }

  const bool own_scheme = s.name_scheme != NameScheme::kUnset;
  if (!own_scheme) s.name_scheme = global.name_scheme;
  const auto inferred = [](NameScheme scheme) { return scheme == NameScheme::kLegacy ? NameEscaping::kUnderscores : NameEscaping::kAllowUtf8; };
  if (s.name_escaping == NameEscaping::kUnset) {
    // A section that only asks for legacy names must not inherit allow-utf-8.
    if (own_scheme) s.name_escaping = inferred(s.name_scheme);
    else s.name_escaping = global.name_escaping != NameEscaping::kUnset ? global.name_escaping : inferred(global.name_scheme);
  }
  if (s.name_escaping == NameEscaping::kAllowUtf8 && s.name_scheme != NameScheme::kUtf8)
    return fail("utf8 metric names requested but validation scheme is not set to UTF8");

  PROM_ASSIGN(s.relabel_rules, relabel::CompileAll(s.relabel_configs, s.name_scheme));
  PROM_ASSIGN(s.metric_relabel_rules, relabel::CompileAll(s.metric_relabel_configs, s.name_scheme));
  return {};
}

void SetDirectory(const std::string& dir, ScrapeConfig* scrape) {
  discovery::SetDirectory(dir, &scrape->sd);
  discovery::SetDirectory(dir, &scrape->http);
  discovery::JoinDir(dir, &scrape->scrape_failure_log_file);
}

void Write(yaml::Writer* out, const ScrapeConfig& s) {
  out->BeginMap();
  out->Field("job_name", s.job_name);
  out->OptBool("honor_labels", s.honor_labels);
  out->Key("honor_timestamps").Bool(s.honor_timestamps);
  out->Key("track_timestamps_staleness").Bool(s.track_timestamps_staleness);
  if (!s.params.empty()) {
    out->Key("params").BeginMap();
    for (const auto& [name, values] : s.params) out->Strings(name, values);
    out->EndMap();
  }
  out->OptDuration("scrape_interval", s.scrape_interval_ms);
  out->OptDuration("scrape_timeout", s.scrape_timeout_ms);
  if (!s.scrape_protocols.empty()) WriteScrapeProtocols(out, s.scrape_protocols);
  if (s.fallback_scrape_protocol) out->Field("fallback_scrape_protocol", ScrapeProtocolName(*s.fallback_scrape_protocol));
  if (s.scrape_native_histograms) out->Key("scrape_native_histograms").Bool(*s.scrape_native_histograms);
  if (s.always_scrape_classic_histograms) out->Key("always_scrape_classic_histograms").Bool(*s.always_scrape_classic_histograms);
  if (s.convert_classic_histograms_to_nhcb) out->Key("convert_classic_histograms_to_nhcb").Bool(*s.convert_classic_histograms_to_nhcb);
  out->Opt("scrape_failure_log_file", s.scrape_failure_log_file);
  // An empty value stays one when read back, so it is not left out where the default is another.
  out->Field("metrics_path", s.metrics_path);
  out->Field("scheme", s.scheme);
  out->Key("enable_compression").Bool(s.enable_compression);
  WriteSize(out, "body_size_limit", s.body_size_limit_bytes);
  WriteUint(out, "sample_limit", s.sample_limit);
  WriteUint(out, "target_limit", s.target_limit);
  WriteUint(out, "label_limit", s.label_limit);
  WriteUint(out, "label_name_length_limit", s.label_name_length_limit);
  WriteUint(out, "label_value_length_limit", s.label_value_length_limit);
  WriteUint(out, "native_histogram_bucket_limit", s.native_histogram_bucket_limit);
  out->OptFloat("native_histogram_min_bucket_factor", s.native_histogram_min_bucket_factor);
  WriteUint(out, "keep_dropped_targets", s.keep_dropped_targets);
  if (s.name_scheme != NameScheme::kUnset) out->Field("metric_name_validation_scheme", s.name_scheme == NameScheme::kLegacy ? "legacy" : "utf8");
  out->Opt("metric_name_escaping_scheme", NameEscapingName(s.name_escaping));
  if (s.extra_scrape_metrics) out->Key("extra_scrape_metrics").Bool(*s.extra_scrape_metrics);
  discovery::WriteFields(out, s.http);
  WriteRules(out, "relabel_configs", s.relabel_configs);
  WriteRules(out, "metric_relabel_configs", s.metric_relabel_configs);
  discovery::WriteFields(out, s.sd);
  out->EndMap();
}

}  // namespace prom::config
