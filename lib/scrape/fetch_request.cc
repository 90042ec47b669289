#include "scrape/fetch_request.h"

#include "base/metrics.h"
#include "base/number.h"
#include "discovery/http_fetch.h"

namespace prom::scrape {
namespace {

constexpr std::uint64_t kDefaultBodyLimit = 256u << 20;

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
  PROM_TRY(discovery::ApplyHttpClient(config.http, &r));
  return r;
}

}  // namespace prom::scrape
