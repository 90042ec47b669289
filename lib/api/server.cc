#include "api/server.h"

#include <csignal>
#include <map>
#include <thread>
#include <unistd.h>

#include "api/metrics_page.h"
#include "base/log.h"

namespace prom::api {
namespace {

using net::HttpRequest;
using net::HttpResponse;

// The programs that SIGHUP reloads.
constexpr std::string_view kReloadable[] = {"promscrape", "promrule", "promql"};  // promql: when it has a configuration

// The handler label of upstream's HTTP metrics: the pattern, not the path.
std::string HandlerName(const std::string& path) {
  if (path.starts_with("/api/v1/label/")) return "/api/v1/label/:name/values";
  for (const char* known : {"/api/v1/query", "/api/v1/query_range", "/api/v1/labels", "/api/v1/series", "/api/v1/metadata", "/api/v1/format_query",
                            "/api/v1/status/buildinfo", "/metrics", "/-/healthy", "/-/ready", "/-/reload", "/-/quit", "/"})
    if (path == known) return path;
  return "/*";
}

constexpr std::string_view kHome =
    "promkit answers Prometheus's query API here.\n\n"
    "  /api/v1/query?query=up          instant query (also POST)\n"
    "  /api/v1/query_range             range query: query, start, end, step\n"
    "  /api/v1/labels  /api/v1/label/NAME/values  /api/v1/series  /api/v1/metadata\n"
    "  /metrics                        metrics of all programs of this data directory\n"
    "  /-/healthy  /-/ready\n";

}  // namespace

Server::Server(QueryableSource& source, RunDir& run, Metrics& metrics, Clock& clock, ServerOptions options)
    : source_(source), run_(run), metrics_(metrics), clock_(clock), options_(std::move(options)), api_(source, options_.query, clock, metrics) {}
Server::~Server() { Stop(); }

Result<void> Server::Start() {
  PROM_ASSIGN(http_, net::HttpServer::Listen(options_.listen_addresses, options_.http, [this](const HttpRequest& r) {
                HttpResponse response = Handle(r);
                metrics_.AddCounter("prometheus_http_requests_total", "Counter of HTTP requests.", {{"code", std::to_string(response.status)}, {"handler", HandlerName(r.path)}}).Add();
                return response;
              }));
  return {};
}

void Server::Stop() {
  if (http_) http_->Stop();
}

std::vector<std::string> Server::addresses() const { return http_ ? http_->addresses() : std::vector<std::string>{}; }
bool Server::quit_requested() const { return quit_; }

HttpResponse Server::Handle(const HttpRequest& r) {
  if (r.path.starts_with("/api/v1/")) {
    HttpResponse response = api_.Handle(r);
    response.headers.emplace_back("Access-Control-Allow-Origin", "*");
    response.headers.emplace_back("Access-Control-Allow-Methods", "GET, POST, OPTIONS");
    response.headers.emplace_back("Access-Control-Allow-Headers", "Accept, Authorization, Content-Type, Origin");
    return response;
  }
  const bool get = r.method == "GET" || r.method == "HEAD";
  if (r.path == "/-/healthy" && get) return HttpResponse::Text(200, "Prometheus Server is Healthy.\n");
  if (r.path == "/-/ready" && get) return Ready();
  if (r.path == "/metrics" && get) return MetricsPage();
  if (r.path == "/" && get) return HttpResponse::Text(200, std::string(kHome));
  if (r.path == "/-/reload" || r.path == "/-/quit") {
    if (r.method != "POST" && r.method != "PUT") return HttpResponse::Text(405, "Only POST or PUT requests allowed\n");
    if (!options_.enable_lifecycle) return HttpResponse::Text(403, "Lifecycle API is not enabled.\n");
    if (r.path == "/-/reload") return Reload();
    quit_ = true;
    return HttpResponse::Text(200, "Requesting termination... Goodbye!\n");
  }
  return HttpResponse::Text(404, "404 page not found\n");
}

HttpResponse Server::Ready() {
  if (auto snapshot = source_.Snapshot(); !snapshot) return HttpResponse::Text(503, "Service Unavailable: " + snapshot.error().message + "\n");
  return HttpResponse::Text(200, "Prometheus Server is Ready.\n");
}

HttpResponse Server::MetricsPage() {
  std::vector<std::string> pages{metrics_.Print()};
  for (const ToolState& state : run_.ReadStates()) {
    if (state.tool == "promql" || !RunDir::IsAlive(state)) continue;
    if (auto page = run_.Read(state.tool + ".prom")) pages.push_back(std::move(*page));
  }
  HttpResponse out = HttpResponse::Text(200, MergeMetricPages(pages));
  out.content_type = "text/plain; version=0.0.4; charset=utf-8";
  return out;
}

HttpResponse Server::Reload() {
  // Each program counts its reloads in its state file; wait until the count moves.
  std::map<std::string, std::uint64_t> waiting;
  for (const ToolState& state : run_.ReadStates()) {
    for (std::string_view name : kReloadable) {
      if (name == "promql" && state.config_file.empty()) continue;
      if (state.tool != name || !RunDir::IsAlive(state)) continue;
      if (::kill(static_cast<pid_t>(state.pid), SIGHUP) == 0) waiting[state.tool] = state.reload_count;
    }
  }
  if (waiting.empty()) return HttpResponse::Text(500, "failed to reload config: no program that reads it is running\n");
  std::string errors;
  const std::int64_t deadline = clock_.MonotonicNs() + options_.reload_wait_ms * 1'000'000;
  while (!waiting.empty() && clock_.MonotonicNs() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    for (auto it = waiting.begin(); it != waiting.end();) {
      auto state = run_.ReadState(it->first);
      const bool answered = state && state->reload_count != it->second;
      if (!answered && (!state || RunDir::IsAlive(*state))) {
        ++it;
        continue;
      }
      if (!answered) errors += "failed to reload config: " + it->first + " has ended\n";
      if (answered && !state->reload_ok) errors += "failed to reload config: " + state->reload_error + "\n";
      it = waiting.erase(it);
    }
  }
  for (const auto& [tool, count] : waiting) errors += "failed to reload config: " + tool + " did not answer\n";
  if (!errors.empty()) return HttpResponse::Text(500, errors);
  return HttpResponse::Text(200, "");
}

}  // namespace prom::api
