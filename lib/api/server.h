// Server: what `promql serve` answers: the query API, health, the merged /metrics
// and the lifecycle endpoints, over one data directory and its run directory.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "api/query_api.h"
#include "base/run_dir.h"
#include "net/http_server.h"

namespace prom::api {

struct ServerOptions {
  std::vector<std::string> listen_addresses = {"0.0.0.0:9090"};
  net::HttpServerOptions http;
  QueryApiOptions query;
  bool enable_lifecycle = false;  // POST /-/reload and /-/quit
  std::int64_t reload_wait_ms = 30'000;
};

class Server {
 public:
  // All references must outlive the Server. `metrics` are promql's own.
  Server(QueryableSource& source, RunDir& run, Metrics& metrics, Clock& clock, ServerOptions options);
  ~Server();
  Result<void> Start();
  void Stop();
  std::vector<std::string> addresses() const;
  bool quit_requested() const;  // POST /-/quit

  net::HttpResponse Handle(const net::HttpRequest& request);  // also for tests

 private:
  net::HttpResponse Ready();
  net::HttpResponse MetricsPage();
  net::HttpResponse Reload();

  QueryableSource& source_;
  RunDir& run_;
  Metrics& metrics_;
  Clock& clock_;
  ServerOptions options_;
  QueryApi api_;
  std::atomic<bool> quit_{false};
  std::unique_ptr<net::HttpServer> http_;
};

}  // namespace prom::api
