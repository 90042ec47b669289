#include "discovery/sd_kinds.h"

#include <algorithm>

#include "base/strings.h"
#include "discovery/kubernetes_selector.h"

namespace prom::discovery {

namespace {

using enum SdType;
using Problem = std::optional<SdProblem>;

// Shorthand for the checks below.
bool Empty(const SdConfig& c, std::string_view key) {
  const SdConfig::Value& v = *c.Find(key);
  if (const auto* text = std::get_if<std::string>(&v)) return text->empty();
  if (const auto* secret = std::get_if<Secret>(&v)) return secret->empty();
  if (const auto* list = std::get_if<std::vector<std::string>>(&v)) return list->empty();
  if (const auto* url = std::get_if<Url>(&v)) return url->empty();
  return false;
}
Problem Require(const SdConfig& c, std::string_view key, std::string_view message) {
  if (Empty(c, key)) return SdProblem{key, std::string(message)};
  return std::nullopt;
}
// Any text that Go's net/url parses.
Problem RequireUrl(const SdConfig& c, std::string_view key, std::string_view prefix = {}) {
  auto url = ParseUrl(c.Text(key));
  if (!url) return SdProblem{key, std::string(prefix) + url.error().message};
  return std::nullopt;
}
// http and puppetdb.
Problem RequireHttpUrl(const SdConfig& c) {
  if (Empty(c, "url")) return SdProblem{"url", "URL is missing"};
  auto url = ParseUrl(c.Text("url"));
  if (!url) return SdProblem{"url", url.error().message};
  if (url->scheme != "http" && url->scheme != "https") return SdProblem{"url", "URL scheme must be 'http' or 'https'"};
  if (url->host.empty()) return SdProblem{"url", "host is missing in URL"};
  return std::nullopt;
}
#define PROM_SD_CHECK(call) \
  if (auto problem = (call)) return problem

constexpr SdField kAws[] = {
    {"role", kText, "", "ec2 ecs elasticache lightsail msk rds", "unknown AWS SD role"},
    {"region", kText}, {"endpoint", kText}, {"access_key", kText}, {"secret_key", kSecret}, {"profile", kText}, {"role_arn", kText},
    {"external_id", kText}, {"refresh_interval", kDuration}, {"port", kInt}, {"filters", kFilters}, {"clusters", kTexts},
};
Problem CheckAws(SdConfig& c, const BearerToken&) { return Require(c, "role", "unknown AWS SD role \"\""); }

constexpr SdField kEc2[] = {
    {"endpoint", kText}, {"region", kText}, {"access_key", kText}, {"secret_key", kSecret}, {"profile", kText}, {"role_arn", kText},
    {"external_id", kText}, {"refresh_interval", kDuration, "1m"}, {"port", kInt, "80"}, {"filters", kFilters},
};
Problem CheckEc2(SdConfig& c, const BearerToken&) {
  for (const auto& filter : c.Get<std::vector<SdConfig::Filter>>("filters"))
    if (filter.values.empty()) return SdProblem{"filters", "EC2 SD configuration filter values cannot be empty"};
  return std::nullopt;
}

constexpr SdField kEcs[] = {
    {"region", kText}, {"endpoint", kText}, {"access_key", kText}, {"secret_key", kSecret}, {"profile", kText}, {"role_arn", kText}, {"external_id", kText},
    {"clusters", kTexts}, {"port", kInt, "80"}, {"refresh_interval", kDuration, "1m"}, {"request_concurrency", kInt, "20"},
};
constexpr SdField kElasticacheMsk[] = {
    {"region", kText}, {"endpoint", kText}, {"access_key", kText}, {"secret_key", kSecret}, {"profile", kText}, {"role_arn", kText}, {"external_id", kText},
    {"clusters", kTexts}, {"port", kInt, "80"}, {"refresh_interval", kDuration, "1m"}, {"request_concurrency", kInt, "10"},
};
constexpr SdField kRds[] = {
    {"region", kText}, {"endpoint", kText}, {"access_key", kText}, {"secret_key", kSecret}, {"profile", kText}, {"role_arn", kText}, {"external_id", kText},
    {"clusters", kTexts}, {"port", kInt, "80"}, {"refresh_interval", kDuration, "1m"}, {"filters", kFilters}, {"request_concurrency", kInt, "10"},
};
constexpr SdField kLightsail[] = {
    {"endpoint", kText}, {"region", kText}, {"access_key", kText}, {"secret_key", kSecret}, {"profile", kText}, {"role_arn", kText},
    {"external_id", kText}, {"refresh_interval", kDuration, "1m"}, {"port", kInt, "80"},
};

constexpr SdField kAzure[] = {
    {"environment", kText, "AzurePublicCloud"}, {"port", kInt, "80"}, {"subscription_id", kText}, {"tenant_id", kText}, {"client_id", kText},
    {"client_secret", kSecret}, {"refresh_interval", kDuration, "5m"}, {"authentication_method", kText, "OAuth"}, {"resource_group", kText},
};
Problem CheckAzure(SdConfig& c, const BearerToken&) {
  PROM_SD_CHECK(Require(c, "subscription_id", "azure SD configuration requires a subscription_id"));
  const std::string& method = c.Text("authentication_method");
  if (method == "OAuth") {
    PROM_SD_CHECK(Require(c, "tenant_id", "azure SD configuration requires a tenant_id"));
    PROM_SD_CHECK(Require(c, "client_id", "azure SD configuration requires a client_id"));
    PROM_SD_CHECK(Require(c, "client_secret", "azure SD configuration requires a client_secret"));
  } else if (method != "ManagedIdentity" && method != "SDK" && method != "WorkloadIdentity") {
    return SdProblem{"authentication_method",
                     "unknown authentication_type " + Quote(method) + R"(. Supported types are "OAuth", "ManagedIdentity", "SDK" or "WorkloadIdentity")"};
  }
  return std::nullopt;
}

constexpr SdField kConsul[] = {
    {"server", kText, "localhost:8500"}, {"path_prefix", kText}, {"token", kSecret}, {"datacenter", kText}, {"namespace", kText}, {"partition", kText},
    {"tag_separator", kText, ","}, {"scheme", kText, "http"}, {"username", kText}, {"password", kSecret}, {"allow_stale", kBool, "true"},
    {"refresh_interval", kDuration, "30s"}, {"services", kTexts}, {"tags", kTexts}, {"node_meta", kMap}, {"filter", kText}, {"health_filter", kText},
};
Problem CheckConsul(SdConfig& c, const BearerToken&) {
  if (TrimSpace(c.Text("server")).empty()) return SdProblem{"server", "consul SD configuration requires a server address"};
  if (!Empty(c, "username") || !Empty(c, "password")) {
    if (c.http->basic_auth) return SdProblem{"username", "at most one of consul SD configuration username and password and basic auth can be configured"};
    c.http->basic_auth.emplace();
    c.http->basic_auth->username = c.Text("username");
    c.http->basic_auth->password = c.Get<Secret>("password");
  }
  if (!Empty(c, "token") && (c.http->authorization || c.http->oauth2))
    return SdProblem{"token", "at most one of consul SD token, authorization, or oauth2 can be configured"};
  return std::nullopt;
}

constexpr SdField kDigitalocean[] = {
    {"refresh_interval", kDuration, "1m"}, {"port", kInt, "80"}, {"role", kText, "droplets", "droplets databases", "unknown DigitalOcean SD role"},
};
Problem CheckDigitalocean(SdConfig& c, const BearerToken&) { return Require(c, "role", "role missing (one of: droplets, databases)"); }

constexpr SdField kDns[] = {{"names", kTexts}, {"refresh_interval", kDuration, "30s"}, {"type", kText, "SRV"}, {"port", kInt}};
Problem CheckDns(SdConfig& c, const BearerToken&) {
  PROM_SD_CHECK(Require(c, "names", "DNS-SD config must contain at least one SRV record name"));
  const std::string& type = c.Text("type");
  if (EqualIgnoreCase(type, "SRV")) return std::nullopt;
  for (const std::string_view known : {"A", "AAAA", "MX", "NS"}) {
    if (!EqualIgnoreCase(type, known)) continue;
    if (c.Get<std::int64_t>("port") == 0) return SdProblem{"port", "a port is required in DNS-SD configs for all record types except SRV"};
    return std::nullopt;
  }
  return SdProblem{"type", "invalid DNS-SD records type " + type};
}

constexpr SdField kDocker[] = {
    {"host", kText}, {"port", kInt, "80"}, {"filters", kFilters}, {"host_networking_host", kText, "localhost"},
    {"refresh_interval", kDuration, "1m"}, {"match_first_network", kBool, "true"},
};
Problem CheckDocker(SdConfig& c, const BearerToken&) {
  PROM_SD_CHECK(Require(c, "host", "host missing"));
  return RequireUrl(c, "host");
}
constexpr SdField kDockerswarm[] = {{"host", kText}, {"role", kText}, {"port", kInt, "80"}, {"filters", kFilters}, {"refresh_interval", kDuration, "1m"}};
Problem CheckDockerswarm(SdConfig& c, const BearerToken& bearer) {
  PROM_SD_CHECK(CheckDocker(c, bearer));
  const std::string& role = c.Text("role");
  if (role == "services" || role == "nodes" || role == "tasks") return std::nullopt;
  if (role.empty()) return SdProblem{"role", "role missing (one of: tasks, services, nodes)"};
  return SdProblem{"role", "invalid role " + role + ", expected tasks, services, or nodes"};
}

constexpr SdField kEureka[] = {{"server", kText}, {"refresh_interval", kDuration, "30s"}};
Problem CheckEureka(SdConfig& c, const BearerToken&) {
  PROM_SD_CHECK(Require(c, "server", "eureka_sd: empty or null eureka server"));
  PROM_SD_CHECK(RequireUrl(c, "server"));
  const auto url = ParseUrl(c.Text("server"));
  if (url->scheme.empty() || url->host.empty()) return SdProblem{"server", "eureka_sd: invalid eureka server URL"};
  return std::nullopt;
}

constexpr SdField kGce[] = {{"project", kText}, {"zone", kText}, {"filter", kText}, {"refresh_interval", kDuration, "1m"}, {"port", kInt, "80"}, {"tag_separator", kText, ","}};
Problem CheckGce(SdConfig& c, const BearerToken&) {
  PROM_SD_CHECK(Require(c, "project", "GCE SD configuration requires a project"));
  return Require(c, "zone", "GCE SD configuration requires a zone");
}

constexpr SdField kHetzner[] = {{"refresh_interval", kDuration, "1m"}, {"port", kInt, "80"}, {"role", kText, "", "robot hcloud", "unknown role"}, {"label_selector", kText}};
Problem CheckHetzner(SdConfig& c, const BearerToken&) { return Require(c, "role", "role missing (one of: robot, hcloud)"); }

constexpr SdField kHttp[] = {{"refresh_interval", kDuration, "1m"}, {"url", kText}};
Problem CheckHttp(SdConfig& c, const BearerToken&) { return RequireHttpUrl(c); }

constexpr SdField kIonos[] = {{"datacenter_id", kText}, {"refresh_interval", kDuration, "1m"}, {"port", kInt, "80"}};
Problem CheckIonos(SdConfig& c, const BearerToken&) { return Require(c, "datacenter_id", "datacenter id can't be empty"); }

constexpr SdField kKubernetes[] = {
    {"api_server", kUrl}, {"role", kText, "", "node pod service endpoints endpointslice ingress", "unknown Kubernetes SD role"}, {"kubeconfig_file", kFile},
    {"namespaces", kNamespaces}, {"selectors", kSelectors}, {"attach_metadata", kAttachMetadata},
};
Problem CheckKubernetesRole(SdConfig& c, const BearerToken&) {
  return Require(c, "role", "role missing (one of: pod, service, endpoints, endpointslice, node, ingress)");
}
Problem CheckKubernetes(SdConfig& c, const BearerToken&) {
  const bool api_server = !Empty(c, "api_server"), kubeconfig = !Empty(c, "kubeconfig_file");
  const bool own_namespace = c.Get<SdConfig::Namespaces>("namespaces").own_namespace;
  const bool custom_http = *c.http != HttpClientConfig();
  if (api_server && kubeconfig) return SdProblem{"kubeconfig_file", "cannot use 'kubeconfig_file' and 'api_server' simultaneously"};
  if (kubeconfig && custom_http) return SdProblem{"kubeconfig_file", "cannot use a custom HTTP client configuration together with 'kubeconfig_file'"};
  if (!api_server && custom_http)
    return SdProblem{"api_server", "to use custom HTTP client configuration please provide the 'api_server' URL explicitly"};
  if (api_server && own_namespace) return SdProblem{"namespaces", "cannot use 'api_server' and 'namespaces.own_namespace' simultaneously"};
  if (kubeconfig && own_namespace) return SdProblem{"namespaces", "cannot use 'kubeconfig_file' and 'namespaces.own_namespace' simultaneously"};
  struct Allowed {
    std::string_view role, roles;
  };
  static constexpr Allowed kAllowed[] = {{"pod", "pod, node"},   {"service", "service"}, {"endpointslice", "pod, service, endpointslice"},
                                         {"endpoints", "pod, service, endpoints"}, {"node", "node"}, {"ingress", "ingress"}};
  const std::string& role = c.Text("role");
  std::string_view allowed;
  for (const auto& a : kAllowed)
    if (a.role == role) allowed = a.roles;
  std::vector<std::string> seen;
  for (const auto& selector : c.Get<std::vector<SdConfig::Selector>>("selectors")) {
    if (std::find(seen.begin(), seen.end(), selector.role) != seen.end()) return SdProblem{"selectors", "duplicated selector role: " + selector.role};
    seen.push_back(selector.role);
    bool known = false;
    for (const std::string_view one : Split(allowed, ',')) known |= TrimSpace(one) == selector.role;
    if (!known) return SdProblem{"selectors", role + " role supports only " + std::string(allowed) + " selectors"};
    if (auto field = CheckFieldSelector(selector.field); !field) return SdProblem{"selectors", field.error().message};
    if (auto label = CheckLabelSelector(selector.label); !label) return SdProblem{"selectors", label.error().message};
  }
  return std::nullopt;
}

constexpr SdField kKuma[] = {{"refresh_interval", kDuration, "15s"}, {"fetch_timeout", kDuration, "2m"}, {"server", kText}, {"client_id", kText}};
Problem CheckKuma(SdConfig& c, const BearerToken&) {
  PROM_SD_CHECK(Require(c, "server", "kuma SD server must not be empty: "));
  PROM_SD_CHECK(RequireUrl(c, "server"));
  const auto url = ParseUrl(c.Text("server"));
  if (url->scheme.empty() || url->host.empty()) return SdProblem{"server", "kuma SD server must not be empty and have a scheme: " + c.Text("server")};
  return std::nullopt;
}

constexpr SdField kLinode[] = {{"refresh_interval", kDuration, "1m"}, {"port", kInt, "80"}, {"tag_separator", kText, ","}, {"region", kText}};

constexpr SdField kMarathon[] = {{"servers", kTexts}, {"refresh_interval", kDuration, "30s"}, {"auth_token", kSecret}, {"auth_token_file", kFile}};
Problem CheckMarathon(SdConfig& c, const BearerToken& bearer) {
  PROM_SD_CHECK(Require(c, "servers", "marathon_sd: must contain at least one Marathon server"));
  const bool token = !Empty(c, "auth_token"), file = !Empty(c, "auth_token_file");
  if (token && file) return SdProblem{"auth_token", "marathon_sd: at most one of auth_token & auth_token_file must be configured"};
  if (!token && !file) return std::nullopt;
  const std::string_view key = token ? "auth_token" : "auth_token_file";
  if (c.http->basic_auth) return SdProblem{key, "marathon_sd: at most one of basic_auth, auth_token & auth_token_file must be configured"};
  if (!bearer.token.empty() || !bearer.file.empty())
    return SdProblem{key, "marathon_sd: at most one of bearer_token, bearer_token_file, auth_token & auth_token_file must be configured"};
  if (c.http->authorization) return SdProblem{key, "marathon_sd: at most one of auth_token, auth_token_file & authorization must be configured"};
  return std::nullopt;
}

constexpr SdField kZookeeper[] = {{"servers", kTexts}, {"paths", kTexts}, {"timeout", kDuration, "10s"}};
Problem CheckZookeeper(SdConfig& c, const BearerToken&) {
  PROM_SD_CHECK(Require(c, "servers", c.kind + " SD config must contain at least one Zookeeper server"));
  PROM_SD_CHECK(Require(c, "paths", c.kind + " SD config must contain at least one path"));
  for (const auto& path : c.Get<std::vector<std::string>>("paths"))
    if (!path.starts_with('/')) return SdProblem{"paths", c.kind + " SD config paths must begin with '/': " + path};
  return std::nullopt;
}

constexpr SdField kNomad[] = {
    {"allow_stale", kBool, "true"}, {"namespace", kText, "default"}, {"refresh_interval", kDuration, "1m"}, {"region", kText, "global"},
    {"server", kText, "http://localhost:4646"}, {"tag_separator", kText, ","},
};
Problem CheckNomad(SdConfig& c, const BearerToken&) {
  if (TrimSpace(c.Text("server")).empty()) return SdProblem{"server", "nomad SD configuration requires a server address"};
  return std::nullopt;
}

constexpr SdField kOci[] = {
    {"auth", kText, "api_key"}, {"tenancy", kText}, {"user", kText}, {"fingerprint", kText}, {"key_file", kFile}, {"key_passphrase", kSecret},
    {"key_passphrase_file", kFile}, {"region", kText}, {"compartments", kTexts}, {"port", kInt, "80"}, {"refresh_interval", kDuration, "1m"},
};
Problem CheckOci(SdConfig& c, const BearerToken&) {
  PROM_SD_CHECK(Require(c, "region", "oci_sd: region is required"));
  const std::string& auth = c.Text("auth");
  if (auth == "api_key") {
    for (const std::string_view key : {"tenancy", "user", "fingerprint", "key_file"})
      PROM_SD_CHECK(Require(c, key, "oci_sd: api_key auth requires " + std::string(key)));
    if (!Empty(c, "key_passphrase") && !Empty(c, "key_passphrase_file"))
      return SdProblem{"key_passphrase", "oci_sd: at most one of key_passphrase and key_passphrase_file must be configured"};
  } else if (auth == "instance_principal") {
    for (const std::string_view key : {"tenancy", "user", "fingerprint", "key_file", "key_passphrase", "key_passphrase_file"})
      if (!Empty(c, key))
        return SdProblem{key, "oci_sd: instance_principal auth must not have tenancy, user, fingerprint, key_file, key_passphrase, or key_passphrase_file set"};
  } else {
    return SdProblem{"auth", "oci_sd: unknown auth method " + Quote(auth) + R"(, expected "api_key" or "instance_principal")"};
  }
  const auto& compartments = c.Get<std::vector<std::string>>("compartments");
  for (std::size_t i = 0; i < compartments.size(); ++i)
    if (compartments[i].empty()) return SdProblem{"compartments", "oci_sd: compartments[" + std::to_string(i) + "] must not be empty"};
  if (c.Get<SdConfig::Duration>("refresh_interval").ms <= 0) return SdProblem{"refresh_interval", "oci_sd: refresh_interval must be positive, got 0s"};
  return std::nullopt;
}

constexpr SdField kOpenstack[] = {
    {"identity_endpoint", kText}, {"username", kText}, {"userid", kText}, {"password", kSecret}, {"project_name", kText}, {"project_id", kText},
    {"domain_name", kText}, {"domain_id", kText}, {"application_credential_name", kText}, {"application_credential_id", kText},
    {"application_credential_secret", kSecret}, {"role", kText, "", "hypervisor instance loadbalancer", "unknown OpenStack SD role"}, {"region", kText},
    {"refresh_interval", kDuration, "1m"}, {"port", kInt, "80"}, {"all_tenants", kBool}, {"tls_config", kTls}, {"availability", kText, "public"},
};
Problem CheckOpenstack(SdConfig& c, const BearerToken&) {
  const std::string& availability = c.Text("availability");
  if (availability != "public" && availability != "internal" && availability != "admin")
    return SdProblem{"availability", "unknown availability " + availability + ", must be one of admin, internal or public"};
  PROM_SD_CHECK(Require(c, "role", "role missing (one of: instance, hypervisor, loadbalancer)"));
  return Require(c, "region", "openstack SD configuration requires a region");
}

constexpr SdField kOutscale[] = {
    {"endpoint", kText}, {"region", kText, "eu-west-2"}, {"access_key", kText}, {"secret_key", kSecret}, {"secret_key_file", kFile},
    {"refresh_interval", kDuration, "1m"}, {"port", kInt, "80"},
};
// outscale and scaleway.
Problem RequireOneSecretKey(const SdConfig& c) {
  const bool key = !Empty(c, "secret_key"), file = !Empty(c, "secret_key_file");
  if (!key && !file) return SdProblem{"secret_key", "one of secret_key & secret_key_file must be configured"};
  if (key && file) return SdProblem{"secret_key", "at most one of secret_key & secret_key_file must be configured"};
  return std::nullopt;
}
Problem CheckOutscale(SdConfig& c, const BearerToken&) {
  PROM_SD_CHECK(Require(c, "region", "outscale SD configuration requires a region"));
  PROM_SD_CHECK(Require(c, "access_key", "outscale SD configuration requires access_key"));
  PROM_SD_CHECK(RequireOneSecretKey(c));
  if (Empty(c, "endpoint")) *c.Find("endpoint") = "https://api." + c.Text("region") + ".outscale.com/api/v1";
  return std::nullopt;
}

constexpr SdField kOvhcloud[] = {
    {"endpoint", kText, "ovh-eu"}, {"application_key", kText}, {"application_secret", kSecret}, {"consumer_key", kSecret},
    {"refresh_interval", kDuration, "1m"}, {"service", kText},
};
Problem CheckOvhcloud(SdConfig& c, const BearerToken&) {
  PROM_SD_CHECK(Require(c, "endpoint", "endpoint can not be empty"));
  PROM_SD_CHECK(Require(c, "application_key", "application key can not be empty"));
  PROM_SD_CHECK(Require(c, "application_secret", "application secret can not be empty"));
  PROM_SD_CHECK(Require(c, "consumer_key", "consumer key can not be empty"));
  const std::string& service = c.Text("service");
  if (service != "dedicated_server" && service != "vps") return SdProblem{"service", "unknown service: " + service};
  return std::nullopt;
}

constexpr SdField kPuppetdb[] = {{"refresh_interval", kDuration, "1m"}, {"url", kText}, {"query", kText}, {"include_parameters", kBool}, {"port", kInt, "80"}};
Problem CheckPuppetdb(SdConfig& c, const BearerToken&) {
  PROM_SD_CHECK(RequireHttpUrl(c));
  return Require(c, "query", "query missing");
}

constexpr SdField kScaleway[] = {
    {"project_id", kText}, {"api_url", kText, "https://api.scaleway.com"}, {"zone", kText, "fr-par-1"}, {"access_key", kText}, {"secret_key", kSecret},
    {"secret_key_file", kFile}, {"name_filter", kText}, {"tags_filter", kTexts}, {"refresh_interval", kDuration, "1m"}, {"port", kInt, "80"},
    {"role", kText, "", "instance baremetal", "unknown role"},
};
Problem CheckScaleway(SdConfig& c, const BearerToken&) {
  PROM_SD_CHECK(Require(c, "role", "role missing (one of: instance, baremetal)"));
  PROM_SD_CHECK(Require(c, "project_id", "project_id is mandatory"));
  PROM_SD_CHECK(RequireOneSecretKey(c));
  return Require(c, "access_key", "access_key is mandatory");
}

constexpr SdField kStackit[] = {
    {"project", kText}, {"refresh_interval", kDuration, "1m"}, {"port", kInt, "80"}, {"region", kText, "eu01"}, {"endpoint", kText},
    {"service_account_key", kSecret}, {"private_key", kSecret}, {"service_account_key_path", kText}, {"private_key_path", kText}, {"credentials_file_path", kText},
};
Problem CheckStackit(SdConfig& c, const BearerToken&) {
  if (Empty(c, "endpoint") && Empty(c, "region")) return SdProblem{"endpoint", "stackit_sd: endpoint and region missing"};
  return RequireUrl(c, "endpoint", "stackit_sd: invalid endpoint " + Quote(c.Text("endpoint")) + ": ");
}

constexpr SdField kTriton[] = {
    {"account", kText}, {"role", kText, "container"}, {"dns_suffix", kText}, {"endpoint", kText}, {"groups", kTexts}, {"port", kInt, "9163"},
    {"refresh_interval", kDuration, "1m"}, {"tls_config", kTls}, {"version", kInt, "1"},
};
Problem CheckTriton(SdConfig& c, const BearerToken&) {
  const std::string& role = c.Text("role");
  if (role != "container" && role != "cn") return SdProblem{"role", "triton SD configuration requires role to be 'container' or 'cn'"};
  PROM_SD_CHECK(Require(c, "account", "triton SD configuration requires an account"));
  PROM_SD_CHECK(Require(c, "dns_suffix", "triton SD configuration requires a dns_suffix"));
  PROM_SD_CHECK(Require(c, "endpoint", "triton SD configuration requires an endpoint"));
  if (c.Get<SdConfig::Duration>("refresh_interval").ms <= 0)
    return SdProblem{"refresh_interval", "triton SD configuration requires RefreshInterval to be a positive integer"};
  return std::nullopt;
}

constexpr SdField kUyuni[] = {
    {"server", kText}, {"username", kText}, {"password", kSecret}, {"entitlement", kText, "monitoring_entitled"}, {"separator", kText, ","},
    {"refresh_interval", kDuration, "1m"},
};
Problem CheckUyuni(SdConfig& c, const BearerToken&) {
  PROM_SD_CHECK(Require(c, "server", "Uyuni SD configuration requires server host"));
  PROM_SD_CHECK(RequireUrl(c, "server", "Uyuni Server URL is not valid: "));
  PROM_SD_CHECK(Require(c, "username", "Uyuni SD configuration requires a username"));
  return Require(c, "password", "Uyuni SD configuration requires a password");
}

constexpr SdField kVultr[] = {{"refresh_interval", kDuration, "1m"}, {"port", kInt, "80"}};

#undef PROM_SD_CHECK

constexpr SdKind kKinds[] = {
    {"aws", "aws.plain", true, kAws, CheckAws, nullptr},
    {"azure", "azure.plain", true, kAzure, CheckAzure, nullptr},
    {"consul", "consul.plain", true, kConsul, CheckConsul, nullptr},
    {"digitalocean", "digitalocean.plain", true, kDigitalocean, CheckDigitalocean, nullptr},
    {"dns", "dns.plain", false, kDns, CheckDns, nullptr},
    {"docker", "moby.plain", true, kDocker, CheckDocker, nullptr},
    {"dockerswarm", "moby.plain", true, kDockerswarm, CheckDockerswarm, nullptr},
    {"ec2", "aws.plain", true, kEc2, CheckEc2, nullptr},
    {"ecs", "aws.plain", true, kEcs, nullptr, nullptr},
    {"elasticache", "aws.plain", true, kElasticacheMsk, nullptr, nullptr},
    {"eureka", "eureka.plain", true, kEureka, CheckEureka, nullptr},
    {"gce", "gce.plain", false, kGce, CheckGce, nullptr},
    {"hetzner", "hetzner.plain", true, kHetzner, CheckHetzner, nullptr},
    {"http", "http.plain", true, kHttp, CheckHttp, nullptr},
    {"ionos", "ionos.plain", true, kIonos, CheckIonos, nullptr},
    {"kubernetes", "kubernetes.plain", true, kKubernetes, CheckKubernetesRole, CheckKubernetes},
    {"kuma", "xds.plainKumaConf", true, kKuma, CheckKuma, nullptr},
    {"lightsail", "aws.plain", true, kLightsail, nullptr, nullptr},
    {"linode", "linode.plain", true, kLinode, nullptr, nullptr},
    {"marathon", "marathon.plain", true, kMarathon, CheckMarathon, nullptr},
    {"msk", "aws.plain", true, kElasticacheMsk, nullptr, nullptr},
    {"nerve", "zookeeper.plain", false, kZookeeper, CheckZookeeper, nullptr},
    {"nomad", "nomad.plain", true, kNomad, CheckNomad, nullptr},
    {"oci", "oci.plain", true, kOci, CheckOci, nullptr},
    {"openstack", "openstack.plain", false, kOpenstack, CheckOpenstack, nullptr},
    {"outscale", "outscale.plain", true, kOutscale, CheckOutscale, nullptr},
    {"ovhcloud", "ovhcloud.plain", false, kOvhcloud, CheckOvhcloud, nullptr},
    {"puppetdb", "puppetdb.plain", true, kPuppetdb, CheckPuppetdb, nullptr},
    {"rds", "aws.plain", true, kRds, nullptr, nullptr},
    {"scaleway", "scaleway.plain", true, kScaleway, CheckScaleway, nullptr},
    {"serverset", "zookeeper.plain", false, kZookeeper, CheckZookeeper, nullptr},
    {"stackit", "stackit.plain", true, kStackit, CheckStackit, nullptr},
    {"triton", "triton.plain", false, kTriton, CheckTriton, nullptr},
    {"uyuni", "uyuni.plain", true, kUyuni, CheckUyuni, nullptr},
    {"vultr", "vultr.plain", true, kVultr, nullptr, nullptr},
};

}  // namespace

std::span<const SdKind> SdKinds() { return kKinds; }

}  // namespace prom::discovery
