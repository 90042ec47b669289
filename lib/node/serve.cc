#include "node/serve.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <link.h>
#include <malloc.h>
#include <memory>
#include <sys/mman.h>

#include "base/log.h"
#include "base/metrics.h"
#include "base/number.h"
#include "base/time.h"
#include "node/gzip.h"

namespace prom::node {
namespace {

constexpr std::int64_t kDefaultBudgetNs = 10'000'000'000;  // Prometheus's default scrape_timeout
constexpr std::string_view kTextFormat = "text/plain; version=0.0.4; charset=utf-8";

// What the handler counts, under the names of upstream's HTTP library.
struct Counters {
  std::atomic<std::uint64_t> ok{0}, busy{0};
  std::atomic<int> in_flight{0};
};

void WriteCounters(const Counters& c, Page* page) {
  const auto value = [](std::uint64_t v) { return static_cast<double>(v); };
  page->Family("promhttp_metric_handler_errors_total", "Total number of internal errors encountered by the promhttp metric handler.", kCounter);
  page->Sample({{"cause", "encoding"}}, 0);
  page->Sample({{"cause", "gathering"}}, 0);
  page->Single("promhttp_metric_handler_requests_in_flight", "Current number of scrapes being served.", kGauge, c.in_flight.load());
  page->Family("promhttp_metric_handler_requests_total", "Total number of scrapes by HTTP status code.", kCounter);
  page->Sample({{"code", "200"}}, value(c.ok.load()));
  page->Sample({{"code", "500"}}, 0);
  page->Sample({{"code", "503"}}, value(c.busy.load()));
}

std::string EscapeHtml(std::string_view s) {
  std::string out;
  for (char c : s) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default: out.push_back(c);
    }
  }
  return out;
}

std::string LandingPage(const std::string& telemetry_path) {
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"UTF-8\"><title>Node Exporter</title></head>\n<body>\n"
         "<h1>Node Exporter</h1>\n<p>Prometheus Node Exporter: promnode " +
         std::string(kPromkitVersion) + "</p>\n<ul><li><a href=\"" + EscapeHtml(telemetry_path) + "\">Metrics</a></li></ul>\n</body>\n</html>\n";
}

// Gives back the pages of code and constants that only the start needed: reading
// flags, compiling and first running expressions, linking. They stay in the page
// cache and come back when touched; without this a third of the resident size is
// for what never runs again.
void ForgetStartUp() {
  ::malloc_trim(0);
  ::dl_iterate_phdr(
      [](dl_phdr_info* object, std::size_t, void*) {
        for (int i = 0; i < object->dlpi_phnum; ++i) {
          const auto& segment = object->dlpi_phdr[i];
          // Only what was never written to: of a private mapping, writes would be lost.
          if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
          constexpr std::uintptr_t kPage = 4096;
          const std::uintptr_t begin = (object->dlpi_addr + segment.p_vaddr) & ~(kPage - 1);
          const std::uintptr_t end = (object->dlpi_addr + segment.p_vaddr + segment.p_memsz + kPage - 1) & ~(kPage - 1);
          ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
        }
        return 0;
      },
      nullptr);
}

// One handler for the life of a daemon.
class Handler {
 public:
  Handler(NodeExporter& exporter, const ServeOptions& options, Counters& counters) : exporter_(exporter), options_(options), counters_(counters) {}

  HttpReply operator()(const HttpRequest& request) {
    HttpReply reply;
    if (request.path == options_.telemetry_path) {
      counters_.in_flight.fetch_add(1);
      Scrape(request, &reply);
      counters_.in_flight.fetch_sub(1);
    } else if (request.path == "/") {
      reply.content_type = "text/html; charset=utf-8";
      reply.body = LandingPage(options_.telemetry_path);
    } else {
      reply.status = 404;
      reply.body = "404 page not found\n";
    }
    return reply;
  }

 private:
  void Scrape(const HttpRequest& request, HttpReply* reply) {
    const std::int64_t begin = SystemClock().MonotonicNs();
    auto selection = exporter_.Select(request.Query("collect[]"), request.Query("exclude[]"));
    if (!selection) {
      LogWarn("http", "bad filter", {{"err", selection.error().message}});
      reply->status = 400;
      reply->body = selection.error().message;
      return;
    }
    Page extra;
    if (options_.exporter_metrics) WriteCounters(counters_, &extra);
    const std::int64_t budget = ScrapeBudgetNs(request.Header("x-prometheus-scrape-timeout-seconds"), kDefaultBudgetNs);
    reply->content_type = kTextFormat;
    exporter_.Collect(*selection, begin + budget, &extra, &reply->body);
    // The first scrape opens files and asks every expression; the next ones remember.
    if (counters_.ok.fetch_add(1) == 1) ForgetStartUp();
    if (!request.AcceptsGzip()) return;
    std::string packed;
    if (!GzipPage(reply->body, &packed)) return;
    reply->body = std::move(packed);
    reply->content_encoding = "gzip";
  }

  NodeExporter& exporter_;
  const ServeOptions options_;
  Counters& counters_;
};

}  // namespace

std::int64_t ScrapeBudgetNs(std::string_view header, std::int64_t fallback_ns) {
  const auto seconds = ParseFloat(header);
  if (!seconds || !(*seconds > 0) || *seconds > 3600) return fallback_ns;
  // A tenth for the way back, at least 50 ms and at most 0.5 s, but never more than half.
  const double reserve = std::min(std::clamp(*seconds * 0.1, 0.05, 0.5), *seconds / 2);
  return static_cast<std::int64_t>((*seconds - reserve) * 1e9);
}

Result<void> Serve(NodeExporter& exporter, const ServeOptions& options, int stop_fd) {
  // One heap for all threads: a heap each would cost more than they ever hold.
  ::mallopt(M_ARENA_MAX, 1);
  // Without this the threshold grows with use, and the tables of gzip stay in the heap.
  ::mallopt(M_MMAP_THRESHOLD, 128 << 10);
  // Both outlive the responder: a worker may still be in them when it is gone.
  const auto counters = std::make_shared<Counters>();
  const auto handler = std::make_shared<Handler>(exporter, options, *counters);
  HttpLimits limits;
  limits.requests = options.max_requests;
  limits.connections = std::clamp(options.max_requests + 8, limits.connections, 1024);
  limits.on_busy = [counters] { counters->busy.fetch_add(1); };
  PROM_ASSIGN(const std::unique_ptr<HttpResponder> responder,
              HttpResponder::Listen(options.listen_addresses, [counters, handler](const HttpRequest& r) { return (*handler)(r); }, limits));
  std::string names;
  for (const std::string& name : exporter.enabled()) names += (names.empty() ? "" : " ") + name;
  LogInfo("promnode", "enabled collectors", {{"collectors", names}});
  for (const std::string& address : responder->addresses()) LogInfo("promnode", "listening", {{"address", address}});
  ForgetStartUp();
  responder->Run(stop_fd);
  LogInfo("promnode", "stopped");
  return {};
}

}  // namespace prom::node
