#include "base/strings.h"
#include "config/sections.h"

namespace prom::config {

bool IsReservedHeader(std::string_view name) {
  static constexpr std::string_view kReserved[] = {
      // NOTE: authorization is checked specially, see the callers.
      "host", "content-encoding", "content-length", "content-type", "user-agent", "connection", "keep-alive", "proxy-authenticate", "proxy-authorization",
      "www-authenticate", "accept-encoding", "x-prometheus-remote-write-version", "x-prometheus-remote-read-version",
      // Added by SigV4.
      "x-amz-date", "x-amz-security-token", "x-amz-content-sha256",
  };
  for (const auto reserved : kReserved)
    if (EqualIgnoreCase(name, reserved)) return true;
  return false;
}

namespace {

Result<void> CheckHeaders(const yaml::Mapping& m, const std::map<std::string, std::string>& headers) {
  for (const auto& [name, value] : headers) {
    if (EqualIgnoreCase(name, "authorization"))
      return m.At("headers",
                  "authorization header must be changed via the basic_auth, authorization, oauth2, sigv4, azuread or google_iam parameter");
    if (IsReservedHeader(name)) return m.At("headers", name + " is a reserved header. It must not be changed");
  }
  return {};
}

Result<void> Decode(const yaml::Node& node, QueueConfig* out) {
  if (node.is_null()) return {};
  yaml::Mapping m(node, "config.QueueConfig");
  m.Field("capacity", &out->capacity);
  m.Field("max_shards", &out->max_shards);
  m.Field("min_shards", &out->min_shards);
  m.Field("max_samples_per_send", &out->max_samples_per_send);
  m.Duration("batch_send_deadline", &out->batch_send_deadline_ms);
  m.Duration("min_backoff", &out->min_backoff_ms);
  m.Duration("max_backoff", &out->max_backoff_ms);
  m.Field("retry_on_http_429", &out->retry_on_http_429);
  m.Duration("sample_age_limit", &out->sample_age_limit_ms);
  PROM_TRY(m.Finish());
  if (out->max_shards <= 0) return m.At("max_shards", "remote write queue max_shards must be positive");
  if (out->min_shards <= 0) return m.At("min_shards", "remote write queue min_shards must be positive");
  if (out->min_shards > out->max_shards) return m.At("min_shards", "remote write queue min_shards must not be greater than max_shards");
  if (out->max_samples_per_send <= 0) return m.At("max_samples_per_send", "remote write queue max_samples_per_send must be positive");
  if (out->capacity <= 0) return m.At("capacity", "remote write queue capacity must be positive");
  if (out->max_backoff_ms < out->min_backoff_ms) return m.At("max_backoff", "remote write queue max_backoff must not be less than min_backoff");
  return {};
}

Result<void> Decode(const yaml::Node& node, MetadataConfig* out) {
  yaml::Mapping m(node, "config.MetadataConfig");
  m.Field("send", &out->send);
  m.Duration("send_interval", &out->send_interval_ms);
  m.Field("max_samples_per_send", &out->max_samples_per_send);
  return m.Finish();
}

}  // namespace

Result<void> Decode(const yaml::Node& node, GoogleIamConfig* out) {
  yaml::Mapping m(node, "googleiam.Config");
  m.Field("credentials_file", &out->credentials_file);
  return m.Finish();
}

Result<void> Decode(const yaml::Node& node, RemoteWriteConfig* out) {
  *out = RemoteWriteConfig();
  RemoteWriteConfig& w = *out;
  w.where = node.Where();
  w.http.enable_http2 = false;
  yaml::Mapping m(node, "config.plain");
  m.Field("url", &w.url);
  m.Duration("remote_timeout", &w.remote_timeout_ms);
  m.Field("headers", &w.headers);
  m.List("write_relabel_configs", &w.write_relabel_configs, "empty or null relabeling rule in remote write config");
  m.Field("name", &w.name);
  m.Field("send_exemplars", &w.send_exemplars);
  m.Field("send_native_histograms", &w.send_native_histograms);
  m.Field("round_robin_dns", &w.round_robin_dns);
  m.Field("protobuf_message", &w.protobuf_message);
  m.Field("failed_request_logging", &w.failed_request_logging);
  discovery::BearerToken bearer;
  discovery::TakeHttpClientFields(&m, &w.http, &bearer);
  if (const auto* queue = m.Take("queue_config")) m.Keep(Decode(*queue, &w.queue));
  if (const auto* metadata = m.Take("metadata_config")) m.Keep(Decode(*metadata, &w.metadata));
  m.Field("sigv4", &w.sigv4);
  m.Field("azuread", &w.azuread);
  m.Field("google_iam", &w.google_iam);
  PROM_TRY(m.Finish());
  if (w.url.empty()) return m.At("url", "url for remote_write is empty");
  PROM_TRY(CheckHeaders(m, w.headers));
  if (w.protobuf_message != "prometheus.WriteRequest" && w.protobuf_message != "io.prometheus.write.v2.Request")
    return m.At("protobuf_message", "invalid protobuf_message value: unknown type for remote write protobuf message " + w.protobuf_message +
                                        ", supported: prometheus.WriteRequest, io.prometheus.write.v2.Request");
  PROM_TRY(discovery::FinishHttpClient(m, &w.http, bearer));
  std::vector<std::string> auth;
  if (w.http.basic_auth) auth.emplace_back("basic_auth");
  if (w.http.authorization) auth.emplace_back("authorization");
  if (w.http.oauth2) auth.emplace_back("oauth2");
  if (w.sigv4) auth.emplace_back("sigv4");
  if (w.azuread) auth.emplace_back("azuread");
  if (w.google_iam) auth.emplace_back("google_iam");
  if (auth.size() > 1)
    return m.At(auth[1], "at most one of basic_auth, authorization, oauth2, sigv4, azuread or google_iam must be configured. Currently configured: [" +
                             Join(auth, " ") + "]");
  return {};
}

Result<void> Finish(const GlobalConfig& global, RemoteWriteConfig* out) {
  PROM_ASSIGN(out->write_relabel_rules, relabel::CompileAll(out->write_relabel_configs, global.name_scheme));
  return {};
}

Result<void> Decode(const yaml::Node& node, RemoteReadConfig* out) {
  *out = RemoteReadConfig();
  RemoteReadConfig& r = *out;
  r.where = node.Where();
  yaml::Mapping m(node, "config.plain");
  m.Field("url", &r.url);
  m.Duration("remote_timeout", &r.remote_timeout_ms);
  m.Field("chunked_read_limit", &r.chunked_read_limit);
  m.Field("headers", &r.headers);
  m.Field("read_recent", &r.read_recent);
  m.Field("name", &r.name);
  discovery::BearerToken bearer;
  discovery::TakeHttpClientFields(&m, &r.http, &bearer);
  m.Field("required_matchers", &r.required_matchers);
  m.Field("filter_external_labels", &r.filter_external_labels);
  PROM_TRY(m.Finish());
  for (const auto& [name, value] : r.required_matchers)
    if (!prom::IsValidLabelName(name)) return m.At("required_matchers", Quote(name) + " is not a valid label name");
  if (r.url.empty()) return m.At("url", "url for remote_read is empty");
  PROM_TRY(CheckHeaders(m, r.headers));
  return discovery::FinishHttpClient(m, &r.http, bearer);
}

void Write(yaml::Writer* out, const RemoteWriteConfig& w) {
  out->BeginMap();
  out->Field("url", w.url.Redacted());
  out->Duration("remote_timeout", w.remote_timeout_ms);
  WriteMap(out, "headers", w.headers);
  WriteRules(out, "write_relabel_configs", w.write_relabel_configs);
  out->Opt("name", w.name);
  out->OptBool("send_exemplars", w.send_exemplars);
  out->OptBool("send_native_histograms", w.send_native_histograms);
  out->OptBool("round_robin_dns", w.round_robin_dns);
  out->Opt("protobuf_message", w.protobuf_message);
  out->OptBool("failed_request_logging", w.failed_request_logging);
  discovery::WriteFields(out, w.http);
  out->Key("queue_config").BeginMap();
  out->OptInt("capacity", w.queue.capacity);
  out->OptInt("max_shards", w.queue.max_shards);
  out->OptInt("min_shards", w.queue.min_shards);
  out->OptInt("max_samples_per_send", w.queue.max_samples_per_send);
  out->Duration("batch_send_deadline", w.queue.batch_send_deadline_ms);
  out->Duration("min_backoff", w.queue.min_backoff_ms);
  out->Duration("max_backoff", w.queue.max_backoff_ms);
  out->OptBool("retry_on_http_429", w.queue.retry_on_http_429);
  out->OptDuration("sample_age_limit", w.queue.sample_age_limit_ms);
  out->EndMap();
  out->Key("metadata_config").BeginMap();
  out->Key("send").Bool(w.metadata.send);
  out->Duration("send_interval", w.metadata.send_interval_ms);
  out->Key("max_samples_per_send").Int(w.metadata.max_samples_per_send);
  out->EndMap();
  if (w.sigv4) {
    out->Key("sigv4");
    Write(out, *w.sigv4);
  }
  if (w.azuread) {
    out->Key("azuread");
    Write(out, *w.azuread);
  }
  if (w.google_iam) out->Key("google_iam").BeginMap().Opt("credentials_file", w.google_iam->credentials_file).EndMap();
  out->EndMap();
}

void Write(yaml::Writer* out, const RemoteReadConfig& r) {
  out->BeginMap();
  out->Field("url", r.url.Redacted());
  out->Duration("remote_timeout", r.remote_timeout_ms);
  out->Key("chunked_read_limit").Uint(r.chunked_read_limit);
  WriteMap(out, "headers", r.headers);
  out->OptBool("read_recent", r.read_recent);
  out->Opt("name", r.name);
  discovery::WriteFields(out, r.http);
  WriteMap(out, "required_matchers", r.required_matchers);
  // Upstream leaves false out and reads it back as true; not here.
  out->Key("filter_external_labels").Bool(r.filter_external_labels);
  out->EndMap();
}

}  // namespace prom::config
