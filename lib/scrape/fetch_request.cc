#include "scrape/fetch_request.h"

#include "base/io.h"
#include "base/metrics.h"
#include "base/number.h"
#include "base/strings.h"

namespace prom::scrape {
namespace {

constexpr std::uint64_t kDefaultBodyLimit = 256u << 20;

Result<std::string> SecretFrom(const Secret& inline_value, const std::string& file) {
  if (file.empty()) return inline_value.value();
  PROM_ASSIGN(const std::string text, ReadFile(SystemIo(), file, 1u << 20));
  return std::string(TrimSpace(text));
}

}  // namespace

std::string AcceptHeader(const std::vector<config::ScrapeProtocol>& protocols, config::NameEscaping escaping) {
  std::vector<config::ScrapeProtocol> wanted;
  for (const auto p : protocols)
    if (p != config::ScrapeProtocol::kPrometheusProto) wanted.push_back(p);
  std::string out;
  std::size_t weight = wanted.size() + 1;
  for (const auto p : wanted) {
    out += config::ScrapeProtocolMediaType(p);
    // Only the 1.0.0 texts know how names may be escaped.
    if (p == config::ScrapeProtocol::kPrometheusText100 || p == config::ScrapeProtocol::kOpenMetricsText100) {
      const std::string_view name = config::NameEscapingName(escaping);
      out += ";escaping=" + std::string(name.empty() ? "allow-utf-8" : name);
    }
    out += ";q=0." + std::to_string(weight--) + ",";
  }
  return out + "*/*;q=0." + std::to_string(weight);
}

Result<net::FetchRequest> MakeFetchRequest(const config::ScrapeConfig& config, const Target& target) {
  net::FetchRequest r;
  r.url = target.url;
  r.unix_socket = target.unix_socket;
  r.timeout_ms = target.timeout_ms;
  r.accept_gzip = config.enable_compression;
  r.max_body_bytes = config.body_size_limit_bytes > 0 ? static_cast<std::uint64_t>(config.body_size_limit_bytes) : kDefaultBodyLimit;
  r.headers = {{"Accept", AcceptHeader(config.scrape_protocols, config.name_escaping)},
               {"User-Agent", "promkit/" + std::string(kPromkitVersion)},
               {"X-Prometheus-Scrape-Timeout-Seconds", FormatFloatF(static_cast<double>(target.timeout_ms) / 1000)}};
  const config::HttpClientConfig& http = config.http;
  r.follow_redirects = http.follow_redirects;
  r.enable_http2 = http.enable_http2;
  if (http.oauth2) return Error{Errc::kUnsupported, "oauth2 is not supported by this version of promscrape"};
  if (http.basic_auth) {
    r.username = http.basic_auth->username;
    if (!http.basic_auth->username_file.empty()) {
      PROM_ASSIGN(r.username, SecretFrom(Secret(), http.basic_auth->username_file));
    }
    PROM_ASSIGN(r.password, SecretFrom(http.basic_auth->password, http.basic_auth->password_file));
  }
  if (http.authorization) {
    PROM_ASSIGN(const std::string credentials, SecretFrom(http.authorization->credentials, http.authorization->credentials_file));
    if (!credentials.empty()) r.headers.emplace_back("Authorization", http.authorization->type + " " + credentials);
  }
  for (const auto& [name, header] : http.http_headers) {
    for (const std::string& v : header.values) r.headers.emplace_back(name, v);
    for (const Secret& v : header.secrets) r.headers.emplace_back(name, v.value());
    for (const std::string& file : header.files) {
      PROM_ASSIGN(std::string value, SecretFrom(Secret(), file));
      r.headers.emplace_back(name, std::move(value));
    }
  }
  const config::TlsConfig& tls = http.tls;
  r.ca_file = tls.ca_file;
  r.cert_file = tls.cert_file;
  r.key_file = tls.key_file;
  r.ca_pem = tls.ca;
  r.cert_pem = tls.cert;
  r.key_pem = tls.key.value();
  r.tls_server_name = tls.server_name;
  r.insecure_skip_verify = tls.insecure_skip_verify;
  r.tls_min_version = tls.min_version;
  r.tls_max_version = tls.max_version;
  r.proxy_url = http.proxy.proxy_url.text;
  r.no_proxy = http.proxy.no_proxy;
  r.proxy_from_environment = http.proxy.from_environment;
  return r;
}

}  // namespace prom::scrape
