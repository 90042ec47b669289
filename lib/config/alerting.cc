#include "config/sections.h"

namespace prom::config {

Result<void> Decode(const yaml::Node& node, SigV4Config* out) {
  yaml::Mapping m(node, "sigv4.plain");
  m.Field("region", &out->region);
  m.Field("access_key", &out->access_key);
  m.Field("secret_key", &out->secret_key);
  m.Field("profile", &out->profile);
  m.Field("role_arn", &out->role_arn);
  m.Field("external_id", &out->external_id);
  m.Field("use_fips_sts_endpoint", &out->use_fips_sts_endpoint);
  m.Field("service_name", &out->service_name);
  PROM_TRY(m.Finish());
  if (out->access_key.empty() != out->secret_key.empty())
    return m.At("access_key", "must provide a AWS SigV4 Access key and Secret Key if credentials are specified in the SigV4 config");
  if (!out->external_id.empty() && out->role_arn.empty()) return m.At("external_id", "external_id can only be used with role_arn");
  return {};
}

void Write(yaml::Writer* out, const SigV4Config& c) {
  out->BeginMap();
  out->Opt("region", c.region).Opt("access_key", c.access_key).Opt("secret_key", c.secret_key).Opt("profile", c.profile);
  out->Opt("role_arn", c.role_arn).Opt("external_id", c.external_id);
  out->OptBool("use_fips_sts_endpoint", c.use_fips_sts_endpoint);
  out->Opt("service_name", c.service_name);
  out->EndMap();
}

Result<void> Decode(const yaml::Node& node, AlertmanagerConfig* out) {
  AlertmanagerConfig& a = *out;
  yaml::Mapping m(node, "config.AlertmanagerConfig");
  discovery::TakeSdFields(&m, &a.sd);
  discovery::BearerToken bearer;
  discovery::TakeHttpClientFields(&m, &a.http, &bearer);
  m.Field("sigv4", &a.sigv4);
  m.Field("scheme", &a.scheme);
  m.Field("path_prefix", &a.path_prefix);
  m.Duration("timeout", &a.timeout_ms);
  m.Field("api_version", &a.api_version);
  if (m.Has("api_version") && a.api_version != "v2")
    m.Keep(m.At("api_version", "expected Alertmanager api version to be one of [v2] but got " + a.api_version));
  m.List("relabel_configs", &a.relabel_configs, "empty or null Alertmanager target relabeling rule");
  m.List("alert_relabel_configs", &a.alert_relabel_configs, "empty or null Alertmanager alert relabeling rule");
  PROM_TRY(m.Finish());
  PROM_TRY(discovery::FinishHttpClient(m, &a.http, bearer));
  if ((a.http.basic_auth || a.http.authorization || a.http.oauth2) && a.sigv4)
    return m.At("sigv4", "at most one of basic_auth, authorization, oauth2, & sigv4 must be configured");
  if (a.relabel_configs.empty()) {
    if (auto checked = discovery::CheckStaticTargets(a.sd); !checked) return m.At("static_configs", checked.error().message);
  }
  return {};
}

Result<void> Decode(const yaml::Node& node, AlertingConfig* out) {
  *out = AlertingConfig();
  yaml::Mapping m(node, "config.plain");
  m.List("alert_relabel_configs", &out->alert_relabel_configs, "empty or null alert relabeling rule", "[]*relabel.Config");
  m.List("alertmanagers", &out->alertmanagers, "empty or null Alertmanager section", "config.AlertmanagerConfigs");
  return m.Finish();
}

Result<void> Finish(const GlobalConfig& global, AlertingConfig* out) {
  PROM_ASSIGN(out->alert_relabel_rules, relabel::CompileAll(out->alert_relabel_configs, global.name_scheme));
  for (auto& a : out->alertmanagers) {
    PROM_ASSIGN(a.alert_relabel_rules, relabel::CompileAll(a.alert_relabel_configs, global.name_scheme));
    PROM_ASSIGN(a.relabel_rules, relabel::CompileAll(a.relabel_configs, global.name_scheme));
  }
  return {};
}

void SetDirectory(const std::string& dir, AlertingConfig* alerting) {
  for (auto& a : alerting->alertmanagers) {
    discovery::SetDirectory(dir, &a.sd);
    discovery::SetDirectory(dir, &a.http);
  }
}

void Write(yaml::Writer* out, const AlertingConfig& alerting) {
  out->BeginMap();
  WriteRules(out, "alert_relabel_configs", alerting.alert_relabel_configs);
  if (!alerting.alertmanagers.empty()) {
    out->Key("alertmanagers").BeginList();
    for (const auto& a : alerting.alertmanagers) {
      out->BeginMap();
      discovery::WriteFields(out, a.http);
      if (a.sigv4) {
        out->Key("sigv4");
        Write(out, *a.sigv4);
      }
      out->Field("scheme", a.scheme);
      out->Opt("path_prefix", a.path_prefix);
      out->Duration("timeout", a.timeout_ms);
      out->Field("api_version", a.api_version);
      WriteRules(out, "relabel_configs", a.relabel_configs);
      WriteRules(out, "alert_relabel_configs", a.alert_relabel_configs);
      discovery::WriteFields(out, a.sd);
      out->EndMap();
    }
    out->EndList();
  }
  out->EndMap();
}

}  // namespace prom::config
