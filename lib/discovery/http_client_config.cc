#include "discovery/http_client_config.h"

#include <algorithm>
#include <filesystem>

#include "base/io.h"
#include "base/json.h"
#include "base/strings.h"
#include "yaml/writer.h"
#include "yaml/yaml.h"

namespace prom::discovery {

namespace {

constexpr std::string_view kJwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer";

int Count(std::initializer_list<bool> set) { return static_cast<int>(std::count(set.begin(), set.end(), true)); }

// http.CanonicalHeaderKey: a capital at the start and after each dash.
std::string CanonicalHeader(std::string_view name) {
  std::string out;
  bool upper = true;
  for (char c : name) {
    if (upper && c >= 'a' && c <= 'z') c = static_cast<char>(c - 0x20);
    else if (!upper && c >= 'A' && c <= 'Z') c = static_cast<char>(c + 0x20);
    upper = c == '-';
    out += c;
  }
  return out;
}

constexpr std::string_view kReservedHeaders[] = {
    "Authorization", "Host", "Content-Encoding", "Content-Length", "Content-Type", "User-Agent", "Connection", "Keep-Alive", "Proxy-Authenticate",
    "Proxy-Authorization", "Www-Authenticate", "Accept-Encoding", "X-Prometheus-Remote-Write-Version", "X-Prometheus-Remote-Read-Version",
    "X-Prometheus-Scrape-Timeout-Seconds", "X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Content-Sha256",
};

Result<void> DecodeTlsVersion(const yaml::Node& node, std::string* out) {
  PROM_TRY(yaml::Decode(node, out));
  if (node.is_null()) return {};
  if (*out != "TLS10" && *out != "TLS11" && *out != "TLS12" && *out != "TLS13") return node.At("unknown TLS version: " + *out);
  return {};
}

void TakeProxyFields(yaml::Mapping* m, ProxyConfig* out) {
  m->Field("proxy_url", &out->proxy_url);
  m->Field("no_proxy", &out->no_proxy);
  m->Field("proxy_from_environment", &out->from_environment);
  m->Field("proxy_connect_header", &out->connect_header);
}

Result<void> ValidateProxy(const yaml::Mapping& m, const ProxyConfig& proxy) {
  const bool url = !proxy.proxy_url.empty();
  if (!proxy.connect_header.empty() && !proxy.from_environment && !url)
    return m.At("proxy_connect_header", "if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be configured");
  if (proxy.from_environment && url)
    return m.At("proxy_from_environment", "if proxy_from_environment is configured, proxy_url must not be configured");
  if (proxy.from_environment && !proxy.no_proxy.empty())
    return m.At("proxy_from_environment", "if proxy_from_environment is configured, no_proxy must not be configured");
  if (!url && !proxy.no_proxy.empty()) return m.At("no_proxy", "if no_proxy is configured, proxy_url must also be configured");
  return {};
}

// Any YAML value as JSON: the claims of a token.
Result<void> ToJson(const yaml::Node& node, JsonWriter* out) {
  switch (node.kind()) {
    case yaml::Node::Kind::kNull: out->Null(); return {};
    case yaml::Node::Kind::kSequence:
      out->BeginArray();
      for (const auto& item : node.items()) PROM_TRY(ToJson(item, out));
      out->EndArray();
      return {};
    case yaml::Node::Kind::kMapping: {
      PROM_ASSIGN(const auto entries, yaml::MapEntries(node, "map[string]interface {}"));
      out->BeginObject();
      for (const auto& [key, value] : entries) {
        out->Key(key);
        PROM_TRY(ToJson(value, out));
      }
      out->EndObject();
      return {};
    }
    case yaml::Node::Kind::kScalar: break;
  }
  PROM_ASSIGN(const yaml::Scalar s, node.Resolve());
  switch (s.type) {
    case yaml::Scalar::Type::kNull: out->Null(); break;
    case yaml::Scalar::Type::kBool: out->Bool(s.boolean); break;
    case yaml::Scalar::Type::kInt: out->Int(s.integer); break;
    case yaml::Scalar::Type::kUint: out->Uint(s.unsigned_int); break;
    case yaml::Scalar::Type::kFloat: out->Float(s.number); break;
    default: out->String(s.text); break;
  }
  return {};
}

void WriteProxyFields(yaml::Writer* out, const ProxyConfig& proxy) {
  out->Opt("proxy_url", proxy.proxy_url.Redacted());
  out->Opt("no_proxy", proxy.no_proxy);
  out->OptBool("proxy_from_environment", proxy.from_environment);
  if (!proxy.connect_header.empty()) {
    out->Key("proxy_connect_header").BeginMap();
    for (const auto& [name, values] : proxy.connect_header) {
      out->Key(name).BeginList();
      for (const auto& value : values) out->Secret(value);
      out->EndList();
    }
    out->EndMap();
  }
}

}  // namespace

Result<void> Decode(const yaml::Node& node, TlsConfig* out) {
  yaml::Mapping m(node, "config.plain");
  m.Field("ca", &out->ca);
  m.Field("cert", &out->cert);
  m.Field("key", &out->key);
  m.Field("ca_file", &out->ca_file);
  m.Field("cert_file", &out->cert_file);
  m.Field("key_file", &out->key_file);
  m.Field("ca_ref", &out->ca_ref);
  m.Field("cert_ref", &out->cert_ref);
  m.Field("key_ref", &out->key_ref);
  m.Field("server_name", &out->server_name);
  m.Field("insecure_skip_verify", &out->insecure_skip_verify);
  if (const auto* v = m.Take("min_version")) m.Keep(DecodeTlsVersion(*v, &out->min_version));
  if (const auto* v = m.Take("max_version")) m.Keep(DecodeTlsVersion(*v, &out->max_version));
  PROM_TRY(m.Finish());
  if (Count({!out->ca.empty(), !out->ca_file.empty(), !out->ca_ref.empty()}) > 1) return m.At("ca", "at most one of ca, ca_file & ca_ref must be configured");
  const int certs = Count({!out->cert.empty(), !out->cert_file.empty(), !out->cert_ref.empty()});
  const int keys = Count({!out->key.empty(), !out->key_file.empty(), !out->key_ref.empty()});
  if (certs > 1) return m.At("cert", "at most one of cert, cert_file & cert_ref must be configured");
  if (keys > 1) return m.At("key", "at most one of key and key_file must be configured");
  if (certs > 0 && keys == 0) return m.At("cert_file", "exactly one of key or key_file must be configured when a client certificate is configured");
  if (keys > 0 && certs == 0) return m.At("key_file", "exactly one of cert or cert_file must be configured when a client key is configured");
  return {};
}

Result<void> Decode(const yaml::Node& node, BasicAuth* out) {
  yaml::Mapping m(node, "config.BasicAuth");
  m.Field("username", &out->username);
  m.Field("username_file", &out->username_file);
  m.Field("username_ref", &out->username_ref);
  m.Field("password", &out->password);
  m.Field("password_file", &out->password_file);
  m.Field("password_ref", &out->password_ref);
  return m.Finish();
}

Result<void> Decode(const yaml::Node& node, Authorization* out) {
  yaml::Mapping m(node, "config.Authorization");
  m.Field("type", &out->type);
  m.Field("credentials", &out->credentials);
  m.Field("credentials_file", &out->credentials_file);
  m.Field("credentials_ref", &out->credentials_ref);
  return m.Finish();
}

Result<void> Decode(const yaml::Node& node, OAuth2* out) {
  yaml::Mapping m(node, "config.plain");
  m.Field("client_id", &out->client_id);
  m.Field("client_secret", &out->client_secret);
  m.Field("client_secret_file", &out->client_secret_file);
  m.Field("client_secret_ref", &out->client_secret_ref);
  m.Field("client_certificate_key_id", &out->client_certificate_key_id);
  m.Field("client_certificate_key", &out->client_certificate_key);
  m.Field("client_certificate_key_file", &out->client_certificate_key_file);
  m.Field("client_certificate_key_ref", &out->client_certificate_key_ref);
  m.Field("grant_type", &out->grant_type);
  m.Field("signature_algorithm", &out->signature_algorithm);
  m.Field("iss", &out->iss);
  m.Field("audience", &out->audience);
  if (const auto* claims = m.Take("claims")) {
    auto entries = yaml::MapEntries(*claims, "map[string]interface {}");
    if (!entries) {
      m.Keep(std::move(entries.error()));
    } else {
      for (const auto& [key, value] : *entries) {
        std::string json;
        JsonWriter writer(&json);
        m.Keep(ToJson(value, &writer));
        out->claims[key] = std::move(json);
      }
    }
  }
  m.Field("scopes", &out->scopes);
  m.Field("token_url", &out->token_url);
  m.Field("endpoint_params", &out->endpoint_params);
  m.Field("tls_config", &out->tls);
  TakeProxyFields(&m, &out->proxy);
  PROM_TRY(m.Finish());
  return ValidateProxy(m, out->proxy);
}

Result<void> Decode(const yaml::Node& node, HttpHeader* out) {
  yaml::Mapping m(node, "config.Header");
  m.Field("values", &out->values);
  m.Field("secrets", &out->secrets);
  m.Field("files", &out->files);
  return m.Finish();
}

void TakeHttpClientFields(yaml::Mapping* m, HttpClientConfig* out, BearerToken* bearer) {
  m->Field("basic_auth", &out->basic_auth);
  m->Field("authorization", &out->authorization);
  m->Field("oauth2", &out->oauth2);
  m->Field("bearer_token", &bearer->token);
  m->Field("bearer_token_file", &bearer->file);
  m->Field("tls_config", &out->tls);
  m->Field("follow_redirects", &out->follow_redirects);
  m->Field("enable_http2", &out->enable_http2);
  TakeProxyFields(m, &out->proxy);
  m->Field("http_headers", &out->http_headers);
}

Result<void> FinishHttpClient(const yaml::Mapping& m, HttpClientConfig* out, const BearerToken& bearer) {
  const bool has_token = !bearer.token.empty(), has_token_file = !bearer.file.empty();
  if (has_token && has_token_file) return m.At("bearer_token", "at most one of bearer_token & bearer_token_file must be configured");
  if ((out->basic_auth || out->oauth2) && (has_token || has_token_file))
    return m.At(has_token ? "bearer_token" : "bearer_token_file", "at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured");
  if (out->basic_auth) {
    const BasicAuth& b = *out->basic_auth;
    if (Count({!b.username.empty(), !b.username_file.empty(), !b.username_ref.empty()}) > 1)
      return m.At("basic_auth", "at most one of basic_auth username, username_file & username_ref must be configured");
    if (Count({!b.password.empty(), !b.password_file.empty(), !b.password_ref.empty()}) > 1)
      return m.At("basic_auth", "at most one of basic_auth password, password_file & password_ref must be configured");
  }
  if (out->authorization) {
    Authorization& a = *out->authorization;
    if (has_token || has_token_file) return m.At("authorization", "authorization is not compatible with bearer_token & bearer_token_file");
    if (Count({!a.credentials.empty(), !a.credentials_file.empty(), !a.credentials_ref.empty()}) > 1)
      return m.At("authorization", "at most one of authorization credentials & credentials_file must be configured");
    a.type = TrimSpace(a.type);
    if (a.type.empty()) a.type = "Bearer";
    if (EqualIgnoreCase(a.type, "basic"))
      return m.At("authorization", "authorization type cannot be set to \"basic\", use \"basic_auth\" instead");
    if (out->basic_auth || out->oauth2) return m.At("authorization", "at most one of basic_auth, oauth2 & authorization must be configured");
  } else if (has_token || has_token_file) {
    out->authorization.emplace();
    out->authorization->credentials = bearer.token;
    out->authorization->credentials_file = bearer.file;
  }
  if (out->oauth2) {
    const OAuth2& o = *out->oauth2;
    if (out->basic_auth) return m.At("oauth2", "at most one of basic_auth, oauth2 & authorization must be configured");
    if (o.client_id.empty()) return m.At("oauth2", "oauth2 client_id must be configured");
    if (o.token_url.empty()) return m.At("oauth2", "oauth2 token_url must be configured");
    if (o.grant_type == kJwtBearer) {
      if (Count({!o.client_certificate_key.empty(), !o.client_certificate_key_file.empty(), !o.client_certificate_key_ref.empty()}) > 1)
        return m.At("oauth2",
                    "at most one of oauth2 client_certificate_key, client_certificate_key_file & client_certificate_key_ref must be configured "
                    "using grant-type=urn:ietf:params:oauth:grant-type:jwt-bearer");
      if (!o.signature_algorithm.empty() && o.signature_algorithm != "RS256" && o.signature_algorithm != "RS384" && o.signature_algorithm != "RS512")
        return m.At("oauth2", "valid signature algorithms are RS256, RS384 and RS512");
    } else if (Count({!o.client_secret.empty(), !o.client_secret_file.empty(), !o.client_secret_ref.empty()}) > 1) {
      return m.At("oauth2",
                  "at most one of oauth2 client_secret, client_secret_file & client_secret_ref must be configured using grant-type=client_credentials");
    }
  }
  PROM_TRY(ValidateProxy(m, out->proxy));
  for (const auto& [name, header] : out->http_headers) {
    const std::string canonical = CanonicalHeader(name);
    if (std::find(std::begin(kReservedHeaders), std::end(kReservedHeaders), canonical) != std::end(kReservedHeaders))
      return m.At("http_headers", "setting header " + Quote(canonical) + " is not allowed");
  }
  return {};
}

Result<void> Decode(const yaml::Node& node, HttpClientConfig* out) {
  yaml::Mapping m(node, "config.plain");
  BearerToken bearer;
  TakeHttpClientFields(&m, out, &bearer);
  PROM_TRY(m.Finish());
  return FinishHttpClient(m, out, bearer);
}

void Write(yaml::Writer* out, const TlsConfig& tls) {
  out->BeginMap();
  out->Opt("ca", tls.ca);
  out->Opt("cert", tls.cert);
  out->Opt("key", tls.key);
  out->Opt("ca_file", tls.ca_file);
  out->Opt("cert_file", tls.cert_file);
  out->Opt("key_file", tls.key_file);
  out->Opt("ca_ref", tls.ca_ref);
  out->Opt("cert_ref", tls.cert_ref);
  out->Opt("key_ref", tls.key_ref);
  out->Opt("server_name", tls.server_name);
  out->Key("insecure_skip_verify").Bool(tls.insecure_skip_verify);
  out->Opt("min_version", tls.min_version);
  out->Opt("max_version", tls.max_version);
  out->EndMap();
}

namespace {

void Write(yaml::Writer* out, const BasicAuth& b) {
  out->BeginMap();
  out->Opt("username", b.username).Opt("username_file", b.username_file).Opt("username_ref", b.username_ref);
  out->Opt("password", b.password).Opt("password_file", b.password_file).Opt("password_ref", b.password_ref);
  out->EndMap();
}

void Write(yaml::Writer* out, const Authorization& a) {
  out->BeginMap();
  out->Opt("type", a.type).Opt("credentials", a.credentials).Opt("credentials_file", a.credentials_file).Opt("credentials_ref", a.credentials_ref);
  out->EndMap();
}

void Write(yaml::Writer* out, const OAuth2& o) {
  out->BeginMap();
  out->Opt("client_id", o.client_id);
  out->Opt("client_secret", o.client_secret);
  out->Opt("client_secret_file", o.client_secret_file);
  out->Opt("client_secret_ref", o.client_secret_ref);
  out->Opt("client_certificate_key_id", o.client_certificate_key_id);
  out->Opt("client_certificate_key", o.client_certificate_key);
  out->Opt("client_certificate_key_file", o.client_certificate_key_file);
  out->Opt("client_certificate_key_ref", o.client_certificate_key_ref);
  out->Opt("grant_type", o.grant_type);
  out->Opt("signature_algorithm", o.signature_algorithm);
  out->Opt("iss", o.iss);
  out->Opt("audience", o.audience);
  if (!o.claims.empty()) {
    out->Key("claims").BeginMap();
    for (const auto& [name, json] : o.claims) out->Key(name).Raw(json);  // JSON is YAML
    out->EndMap();
  }
  out->OptStrings("scopes", o.scopes);
  out->Opt("token_url", o.token_url);
  if (!o.endpoint_params.empty()) {
    out->Key("endpoint_params").BeginMap();
    for (const auto& [name, value] : o.endpoint_params) out->Field(name, value);
    out->EndMap();
  }
  if (o.tls != TlsConfig()) {
    out->Key("tls_config");
    Write(out, o.tls);
  }
  WriteProxyFields(out, o.proxy);
  out->EndMap();
}

}  // namespace

void WriteFields(yaml::Writer* out, const HttpClientConfig& config) {
  if (config.basic_auth) {
    out->Key("basic_auth");
    Write(out, *config.basic_auth);
  }
  if (config.authorization) {
    out->Key("authorization");
    Write(out, *config.authorization);
  }
  if (config.oauth2) {
    out->Key("oauth2");
    Write(out, *config.oauth2);
  }
  if (config.tls != TlsConfig()) {
    out->Key("tls_config");
    Write(out, config.tls);
  }
  out->Key("follow_redirects").Bool(config.follow_redirects);
  out->Key("enable_http2").Bool(config.enable_http2);
  WriteProxyFields(out, config.proxy);
  if (!config.http_headers.empty()) {
    out->Key("http_headers").BeginMap();
    for (const auto& [name, header] : config.http_headers) {
      out->Key(name).BeginMap();
      out->OptStrings("values", header.values);
      if (!header.secrets.empty()) {
        out->Key("secrets").BeginList();
        for (const auto& secret : header.secrets) out->Secret(secret);
        out->EndList();
      }
      out->OptStrings("files", header.files);
      out->EndMap();
    }
    out->EndMap();
  }
}

// Go's filepath.Join: the result is cleaned of "." and "..".
void JoinDir(const std::string& dir, std::string* path) {
  if (path->empty() || path->front() == '/') return;
  *path = std::filesystem::path(JoinPath(dir, *path)).lexically_normal().string();
  if (path->size() > 1 && path->back() == '/') path->pop_back();
}

void SetDirectory(const std::string& dir, TlsConfig* tls) {
  JoinDir(dir, &tls->ca_file);
  JoinDir(dir, &tls->cert_file);
  JoinDir(dir, &tls->key_file);
}

void SetDirectory(const std::string& dir, HttpClientConfig* config) {
  SetDirectory(dir, &config->tls);
  if (config->basic_auth) {
    JoinDir(dir, &config->basic_auth->username_file);
    JoinDir(dir, &config->basic_auth->password_file);
  }
  if (config->authorization) JoinDir(dir, &config->authorization->credentials_file);
  if (config->oauth2) {
    JoinDir(dir, &config->oauth2->client_secret_file);
    JoinDir(dir, &config->oauth2->client_certificate_key_file);
    SetDirectory(dir, &config->oauth2->tls);
  }
  for (auto& [name, header] : config->http_headers)
    for (auto& file : header.files) JoinDir(dir, &file);
}

}  // namespace prom::discovery
