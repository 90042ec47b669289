// QueryApi: the read side of Prometheus's HTTP API v1, with upstream's parameter
// rules, JSON and error shapes (reference: docs/querying/api.md of 3.x):
//   /api/v1/query  query_range  labels  label/<name>/values  series  metadata
//   /api/v1/format_query  status/buildinfo
// Each request answers from one snapshot. Thread-safe.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "api/query_log.h"
#include "base/metrics.h"
#include "base/time.h"
#include "model/queryable.h"
#include "net/http_server.h"
#include "promql/engine.h"

namespace prom::api {

struct QueryApiOptions {
  promql::EngineOptions engine;
  std::int64_t max_concurrency = 20;
  QueryLog* log = nullptr;  // must outlive the QueryApi
  // When given, takes the place of engine.subquery_step_ms, now and after it changes. Must outlive the QueryApi.
  const std::atomic<std::int64_t>* subquery_step_ms = nullptr;
};

class QueryApi {
 public:
  // `source`, `clock` and `metrics` must outlive the QueryApi.
  QueryApi(QueryableSource& source, QueryApiOptions options, Clock& clock, Metrics& metrics);
  ~QueryApi();
  // Answers anything below /api/v1/; 404 for what it does not know.
  net::HttpResponse Handle(const net::HttpRequest& request);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace prom::api
