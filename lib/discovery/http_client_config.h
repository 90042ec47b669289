// How an HTTP client authenticates and connects: the keys that upstream inlines
// into scrape, Alertmanager, remote write and most discovery sections.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "discovery/url.h"

namespace prom::yaml {
class Mapping;
class Node;
class Writer;
}  // namespace prom::yaml

namespace prom::discovery {

// Of each X, X_file and X_ref at most one is set. *_ref names a secret in a secret
// manager, which Prometheus accepts and cannot resolve either.
struct TlsConfig {
  std::string ca, cert;
  Secret key;
  std::string ca_file, cert_file, key_file;
  std::string ca_ref, cert_ref, key_ref;
  std::string server_name;
  bool insecure_skip_verify = false;
  std::string min_version, max_version;  // "TLS10".."TLS13", empty: the library's default
  friend bool operator==(const TlsConfig&, const TlsConfig&) = default;
};

struct ProxyConfig {
  Url proxy_url;  // empty: none
  std::string no_proxy;
  bool from_environment = false;
  std::map<std::string, std::vector<Secret>> connect_header;
  friend bool operator==(const ProxyConfig&, const ProxyConfig&) = default;
};

struct BasicAuth {
  std::string username, username_file, username_ref;
  Secret password;
  std::string password_file, password_ref;
  friend bool operator==(const BasicAuth&, const BasicAuth&) = default;
};

struct Authorization {
  std::string type = "Bearer";
  Secret credentials;
  std::string credentials_file, credentials_ref;
  friend bool operator==(const Authorization&, const Authorization&) = default;
};

struct OAuth2 {
  std::string client_id;
  Secret client_secret;
  std::string client_secret_file, client_secret_ref;
  std::string client_certificate_key_id;
  Secret client_certificate_key;
  std::string client_certificate_key_file, client_certificate_key_ref;
  std::string grant_type, signature_algorithm, iss, audience;
  std::map<std::string, std::string> claims;  // values as JSON text
  std::vector<std::string> scopes;
  std::string token_url;
  std::map<std::string, std::string> endpoint_params;
  TlsConfig tls;
  ProxyConfig proxy;
  friend bool operator==(const OAuth2&, const OAuth2&) = default;
};

struct HttpHeader {
  std::vector<std::string> values;
  std::vector<Secret> secrets;
  std::vector<std::string> files;
  friend bool operator==(const HttpHeader&, const HttpHeader&) = default;
};

struct HttpClientConfig {
  // At most one of these three. bearer_token and bearer_token_file of the file become `authorization`.
  std::optional<BasicAuth> basic_auth;
  std::optional<Authorization> authorization;
  std::optional<OAuth2> oauth2;
  TlsConfig tls;
  bool follow_redirects = true;
  bool enable_http2 = true;
  ProxyConfig proxy;
  std::map<std::string, HttpHeader> http_headers;
  friend bool operator==(const HttpClientConfig&, const HttpClientConfig&) = default;
};

Result<void> Decode(const yaml::Node& node, TlsConfig* out);
void Write(yaml::Writer* out, const TlsConfig& tls);

// The deprecated keys, seen while decoding only.
struct BearerToken {
  Secret token;
  std::string file;
};
// Takes the inlined keys out of a larger mapping. Call FinishHttpClient after m->Finish().
void TakeHttpClientFields(yaml::Mapping* m, HttpClientConfig* out, BearerToken* bearer);
// Upstream's Validate; errors at the key they are about.
Result<void> FinishHttpClient(const yaml::Mapping& m, HttpClientConfig* out, const BearerToken& bearer);
// A mapping of its own (promtool --http.config.file).
Result<void> Decode(const yaml::Node& node, HttpClientConfig* out);
// The inlined keys, into a mapping that is open.
void WriteFields(yaml::Writer* out, const HttpClientConfig& config);

// Joins relative file names to `dir`.
void SetDirectory(const std::string& dir, TlsConfig* tls);
void SetDirectory(const std::string& dir, HttpClientConfig* config);
// Empty and absolute paths stay.
void JoinDir(const std::string& dir, std::string* path);

}  // namespace prom::discovery
