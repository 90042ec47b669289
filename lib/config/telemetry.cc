// otlp and tracing: read and checked in full, so that files which have them load.
#include <set>

#include "base/strings.h"
#include "config/sections.h"

namespace prom::config {

namespace {

// Trims, and names every empty and duplicated attribute, one a line.
std::string SanitizeAttributes(std::vector<std::string>* attributes, const std::string& adjective) {
  std::set<std::string> seen;
  std::string errors;
  const auto add = [&](const std::string& text) { errors += (errors.empty() ? "" : "\n") + text; };
  for (auto& attribute : *attributes) {
    attribute = TrimSpace(attribute);
    if (attribute.empty()) add("empty " + adjective + " OTel resource attribute");
    else if (!seen.insert(attribute).second) add("duplicated " + adjective + " OTel resource attribute " + Quote(attribute));
  }
  return errors;
}

}  // namespace

Result<void> Decode(const yaml::Node& node, OtlpConfig* out) {
  *out = OtlpConfig();
  OtlpConfig& o = *out;
  yaml::Mapping m(node, "config.plain");
  m.Field("promote_all_resource_attributes", &o.promote_all_resource_attributes);
  m.Field("promote_resource_attributes", &o.promote_resource_attributes);
  m.Field("ignore_resource_attributes", &o.ignore_resource_attributes);
  m.Field("translation_strategy", &o.translation_strategy);
  m.Field("keep_identifying_resource_attributes", &o.keep_identifying_resource_attributes);
  m.Field("convert_histograms_to_nhcb", &o.convert_histograms_to_nhcb);
  m.Field("promote_scope_metadata", &o.promote_scope_metadata);
  m.Field("label_name_underscore_sanitization", &o.label_name_underscore_sanitization);
  m.Field("label_name_preserve_multiple_underscores", &o.label_name_preserve_multiple_underscores);
  PROM_TRY(m.Finish());
  if (o.promote_all_resource_attributes) {
    if (!o.promote_resource_attributes.empty())
      return m.At("promote_resource_attributes", "'promote_all_resource_attributes' and 'promote_resource_attributes' cannot be configured simultaneously");
    if (const std::string bad = SanitizeAttributes(&o.ignore_resource_attributes, "ignored"); !bad.empty())
      return m.At("ignore_resource_attributes", "invalid 'ignore_resource_attributes': " + bad);
    return {};
  }
  if (!o.ignore_resource_attributes.empty())
    return m.At("ignore_resource_attributes", "'ignore_resource_attributes' cannot be configured unless 'promote_all_resource_attributes' is true");
  if (const std::string bad = SanitizeAttributes(&o.promote_resource_attributes, "promoted"); !bad.empty())
    return m.At("promote_resource_attributes", "invalid 'promote_resource_attributes': " + bad);
  return {};
}

Result<void> Decode(const yaml::Node& node, TracingConfig* out) {
  *out = TracingConfig();
  TracingConfig& t = *out;
  yaml::Mapping m(node, "config.plain");
  m.Field("client_type", &t.client_type);
  if (m.Has("client_type") && t.client_type != "http" && t.client_type != "grpc")
    m.Keep(m.At("client_type", "expected tracing client type to be to be http or grpc, but got " + t.client_type));
  m.Field("endpoint", &t.endpoint);
  m.Field("sampling_fraction", &t.sampling_fraction);
  m.Field("insecure", &t.insecure);
  m.Field("tls_config", &t.tls);
  m.Field("headers", &t.headers);
  m.Field("compression", &t.compression);
  m.Duration("timeout", &t.timeout_ms);
  PROM_TRY(m.Finish());
  for (const auto& [name, value] : t.headers) {
    if (EqualIgnoreCase(name, "authorization")) return m.At("headers", "custom authorization header configuration is not yet supported");
    if (IsReservedHeader(name)) return m.At("headers", name + " is a reserved header. It must not be changed");
  }
  if (t.endpoint.empty()) return m.At("endpoint", "tracing endpoint must be set");
  if (!t.compression.empty() && t.compression != "gzip")
    return m.At("compression", "invalid compression type " + t.compression + " provided, valid options: gzip");
  return {};
}

void Write(yaml::Writer* out, const OtlpConfig& o) {
  out->BeginMap();
  out->OptBool("promote_all_resource_attributes", o.promote_all_resource_attributes);
  out->OptStrings("promote_resource_attributes", o.promote_resource_attributes);
  out->OptStrings("ignore_resource_attributes", o.ignore_resource_attributes);
  out->Field("translation_strategy", o.translation_strategy);
  out->OptBool("keep_identifying_resource_attributes", o.keep_identifying_resource_attributes);
  out->OptBool("convert_histograms_to_nhcb", o.convert_histograms_to_nhcb);
  out->OptBool("promote_scope_metadata", o.promote_scope_metadata);
  out->Key("label_name_underscore_sanitization").Bool(o.label_name_underscore_sanitization);
  out->Key("label_name_preserve_multiple_underscores").Bool(o.label_name_preserve_multiple_underscores);
  out->EndMap();
}

void Write(yaml::Writer* out, const TracingConfig& t) {
  out->BeginMap();
  out->Opt("client_type", t.client_type);
  out->Opt("endpoint", t.endpoint);
  out->OptFloat("sampling_fraction", t.sampling_fraction);
  out->OptBool("insecure", t.insecure);
  if (t.tls != TlsConfig()) {
    out->Key("tls_config");
    discovery::Write(out, t.tls);
  }
  WriteMap(out, "headers", t.headers);
  out->Opt("compression", t.compression);
  out->OptDuration("timeout", t.timeout_ms);
  out->EndMap();
}

}  // namespace prom::config
