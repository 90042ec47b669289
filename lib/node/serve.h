// promnode as a daemon: the page over HTTP until SIGTERM or SIGINT.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "node/exporter.h"
#include "node/http_responder.h"

namespace prom::node {

struct ServeOptions {
  std::vector<std::string> listen_addresses;
  std::string telemetry_path = "/metrics";
  int max_requests = 40;  // 0: no limit
  bool exporter_metrics = true;
};

// The time a scrape may take in ns, from X-Prometheus-Scrape-Timeout-Seconds:
// a little less than the scraper gives, for the way back. No or a bad header: `fallback_ns`.
std::int64_t ScrapeBudgetNs(std::string_view header, std::int64_t fallback_ns);

// Answers the telemetry path and the landing page. Signals must be blocked already (base/signals.h); `stop_fd` is readable when it is time to end.
// kInvalid or kIo: cannot listen. A scrape that waits for a dead device is not
// waited for: end the process with _Exit, the exporter may still be in use.
Result<void> Serve(NodeExporter& exporter, const ServeOptions& options, int stop_fd);

}  // namespace prom::node
