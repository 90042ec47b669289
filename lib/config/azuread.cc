#include <algorithm>
#include <cstdlib>

#include "config/sections.h"

namespace prom::config {

namespace {

bool IsHex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// The forms that google/uuid parses: 36 characters with dashes, the same as a URN or
// in braces, or 32 hex digits.
bool IsUuid(std::string_view s) {
  if (s.size() == 45 && s.starts_with("urn:uuid:")) s.remove_prefix(9);
  else if (s.size() == 38 && s.front() == '{' && s.back() == '}') s = s.substr(1, 36);
  else if (s.size() == 32) return std::all_of(s.begin(), s.end(), IsHex);
  if (s.size() != 36) return false;
  for (std::size_t i = 0; i < s.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? s[i] != '-' : !IsHex(s[i])) return false;
  }
  return true;
}

bool IsScope(std::string_view s) {
  return std::all_of(s.begin(), s.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || std::string_view("_ \t\n\f\r:/.-").find(c) != std::string_view::npos;
  });
}

}  // namespace

Result<void> Decode(const yaml::Node& node, AzureAdConfig::ManagedIdentity* out) {
  yaml::Mapping m(node, "azuread.ManagedIdentityConfig");
  m.Field("client_id", &out->client_id);
  return m.Finish();
}
Result<void> Decode(const yaml::Node& node, AzureAdConfig::WorkloadIdentity* out) {
  yaml::Mapping m(node, "azuread.WorkloadIdentityConfig");
  m.Field("client_id", &out->client_id);
  m.Field("tenant_id", &out->tenant_id);
  m.Field("token_file_path", &out->token_file_path);
  return m.Finish();
}
Result<void> Decode(const yaml::Node& node, AzureAdConfig::OAuth* out) {
  yaml::Mapping m(node, "azuread.OAuthConfig");
  m.Field("client_id", &out->client_id);
  m.Field("client_secret", &out->client_secret);
  m.Field("tenant_id", &out->tenant_id);
  return m.Finish();
}
Result<void> Decode(const yaml::Node& node, AzureAdConfig::Sdk* out) {
  yaml::Mapping m(node, "azuread.SDKConfig");
  m.Field("tenant_id", &out->tenant_id);
  return m.Finish();
}
Result<void> Decode(const yaml::Node& node, AzureAdConfig::Certificate* out) {
  yaml::Mapping m(node, "azuread.CertificateConfig");
  m.Field("client_id", &out->client_id);
  m.Field("tenant_id", &out->tenant_id);
  m.Field("certificate_path", &out->certificate_path);
  m.Field("certificate_key_path", &out->certificate_key_path);
  m.Field("certificate_password", &out->certificate_password);
  m.Field("send_certificate_chain", &out->send_certificate_chain);
  return m.Finish();
}

Result<void> Decode(const yaml::Node& node, AzureAdConfig* out) {
  AzureAdConfig& a = *out;
  yaml::Mapping m(node, "azuread.plain");
  m.Field("managed_identity", &a.managed_identity);
  m.Field("workload_identity", &a.workload_identity);
  m.Field("oauth", &a.oauth);
  m.Field("sdk", &a.sdk);
  m.Field("certificate", &a.certificate);
  m.Field("cloud", &a.cloud);
  m.Field("scope", &a.scope);
  PROM_TRY(m.Finish());
  if (a.cloud.empty()) a.cloud = "AzurePublic";
  if (a.cloud != "AzureChina" && a.cloud != "AzureGovernment" && a.cloud != "AzurePublic") return m.At("cloud", "must provide a cloud in the Azure AD config");
  const int methods = int{a.managed_identity.has_value()} + a.workload_identity.has_value() + a.oauth.has_value() + a.sdk.has_value() + a.certificate.has_value();
  if (methods == 0)
    return m.At("", "must provide an Azure Managed Identity, Azure Workload Identity, Azure OAuth, Azure Certificate or Azure SDK in the Azure AD config");
  if (methods > 1) return m.At("", "cannot provide multiple authentication methods in the Azure AD config");
  const auto require = [&](std::string_view section, const std::string& value, const std::string& method, std::string_view key) -> Result<void> {
    if (value.empty()) return m.At(section, "must provide an Azure " + method + " " + std::string(key) + " in the Azure AD config");
    return {};
  };
  const auto check_uuid = [&](std::string_view section, const std::string& value, const std::string& method, std::string_view key) -> Result<void> {
    if (!IsUuid(value)) return m.At(section, "the provided Azure " + method + " " + std::string(key) + " is invalid");
    return {};
  };
  if (a.managed_identity && !a.managed_identity->client_id.empty())
    PROM_TRY(check_uuid("managed_identity", a.managed_identity->client_id, "Managed Identity", "client_id"));
  if (auto& w = a.workload_identity) {
    PROM_TRY(require("workload_identity", w->client_id, "Workload Identity", "client_id"));
    PROM_TRY(require("workload_identity", w->tenant_id, "Workload Identity", "tenant_id"));
    PROM_TRY(check_uuid("workload_identity", w->client_id, "Workload Identity", "client_id"));
    PROM_TRY(check_uuid("workload_identity", w->tenant_id, "Workload Identity", "tenant_id"));
    if (w->token_file_path.empty()) {
      const char* path = std::getenv("AZURE_FEDERATED_TOKEN_FILE");
      w->token_file_path = path != nullptr && *path != '\0' ? path : "/var/run/secrets/azure/tokens/azure-identity-token";
    }
  }
  if (const auto& o = a.oauth) {
    PROM_TRY(require("oauth", o->client_id, "OAuth", "client_id"));
    if (o->client_secret.empty()) return m.At("oauth", "must provide an Azure OAuth client_secret in the Azure AD config");
    PROM_TRY(require("oauth", o->tenant_id, "OAuth", "tenant_id"));
    PROM_TRY(check_uuid("oauth", o->client_id, "OAuth", "client_id"));
  }
  if (const auto& c = a.certificate) {
    PROM_TRY(require("certificate", c->client_id, "Certificate", "client_id"));
    PROM_TRY(require("certificate", c->tenant_id, "Certificate", "tenant_id"));
    PROM_TRY(require("certificate", c->certificate_path, "Certificate", "certificate_path"));
    PROM_TRY(check_uuid("certificate", c->client_id, "Certificate", "client_id"));
  }
  if (!IsScope(a.scope)) return m.At("scope", "the provided scope contains invalid characters");
  return {};
}

void Write(yaml::Writer* out, const AzureAdConfig& a) {
  out->BeginMap();
  if (a.managed_identity) out->Key("managed_identity").BeginMap().Opt("client_id", a.managed_identity->client_id).EndMap();
  if (const auto& w = a.workload_identity) {
    out->Key("workload_identity").BeginMap();
    out->Opt("client_id", w->client_id).Opt("tenant_id", w->tenant_id).Opt("token_file_path", w->token_file_path).EndMap();
  }
  if (const auto& o = a.oauth) {
    out->Key("oauth").BeginMap().Opt("client_id", o->client_id).Opt("client_secret", o->client_secret).Opt("tenant_id", o->tenant_id).EndMap();
  }
  if (a.sdk) out->Key("sdk").BeginMap().Opt("tenant_id", a.sdk->tenant_id).EndMap();
  if (const auto& c = a.certificate) {
    out->Key("certificate").BeginMap();
    out->Opt("client_id", c->client_id).Opt("tenant_id", c->tenant_id).Opt("certificate_path", c->certificate_path);
    out->Opt("certificate_key_path", c->certificate_key_path).Opt("certificate_password", c->certificate_password);
    out->OptBool("send_certificate_chain", c->send_certificate_chain).EndMap();
  }
  out->Opt("cloud", a.cloud).Opt("scope", a.scope);
  out->EndMap();
}

}  // namespace prom::config
