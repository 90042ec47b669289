#include "discovery/http_fetch.h"

#include "base/io.h"
#include "base/strings.h"
#include "yaml/yaml.h"

namespace prom::discovery {
namespace {

Result<std::string> Either(const std::string& value, const std::string& file) {
  if (file.empty()) return value;
  PROM_ASSIGN(const std::string text, ReadFile(SystemIo(), file, 1u << 20));
  return std::string(TrimSpace(text));
}

}  // namespace

Result<void> ApplyHttpClient(const HttpClientConfig& config, net::FetchRequest* request) {
  net::FetchRequest& r = *request;
  r.follow_redirects = config.follow_redirects;
  r.enable_http2 = config.enable_http2;
  if (config.oauth2) return Error{Errc::kUnsupported, "oauth2 is not supported here"};
  if (config.basic_auth) {
    PROM_ASSIGN(r.username, Either(config.basic_auth->username, config.basic_auth->username_file));
    PROM_ASSIGN(r.password, Either(config.basic_auth->password.value(), config.basic_auth->password_file));
  }
  if (config.authorization) {
    PROM_ASSIGN(const std::string credentials, Either(config.authorization->credentials.value(), config.authorization->credentials_file));
    if (!credentials.empty()) r.headers.emplace_back("Authorization", config.authorization->type + " " + credentials);
  }
  for (const auto& [name, header] : config.http_headers) {
    for (const std::string& v : header.values) r.headers.emplace_back(name, v);
    for (const Secret& v : header.secrets) r.headers.emplace_back(name, v.value());
    for (const std::string& file : header.files) {
      PROM_ASSIGN(std::string value, Either({}, file));
      r.headers.emplace_back(name, std::move(value));
    }
  }
  r.ca_file = config.tls.ca_file;
  r.cert_file = config.tls.cert_file;
  r.key_file = config.tls.key_file;
  r.ca_pem = config.tls.ca;
  r.cert_pem = config.tls.cert;
  r.key_pem = config.tls.key.value();
  r.tls_server_name = config.tls.server_name;
  r.insecure_skip_verify = config.tls.insecure_skip_verify;
  r.tls_min_version = config.tls.min_version;
  r.tls_max_version = config.tls.max_version;
  r.proxy_url = config.proxy.proxy_url.text;
  r.no_proxy = config.proxy.no_proxy;
  r.proxy_from_environment = config.proxy.from_environment;
  return {};
}

Result<HttpClientConfig> LoadHttpClient(const std::string& path) {
  PROM_ASSIGN(const auto document, yaml::Document::Load(path));
  HttpClientConfig out;
  PROM_TRY(Decode(document.root(), &out));
  SetDirectory(DirName(path), &out);
  return out;
}

}  // namespace prom::discovery
