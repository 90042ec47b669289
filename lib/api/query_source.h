// QuerySource: where the answers of the command line come from: a data directory
// that is read here, or a Prometheus-compatible server that is asked (remote_source.h).
//
// Times are ms. Not thread-safe, but a running query may be canceled from anywhere
// through its QueryControl.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/labels.h"
#include "model/queryable.h"
#include "model/sample.h"
#include "promql/engine.h"
#include "promql/time_range.h"

namespace prom::api {

struct LookupRequest {
  std::vector<std::string> selectors;  // series that match any; none: all series
  std::int64_t min_ms = kMinTimeMs, max_ms = kMaxTimeMs;
  // Where it is told what cannot be read; null: that is an error.
  std::vector<std::string>* warnings = nullptr;
};

struct MetricInfo {
  std::string name;
  Metadata metadata;
  std::size_t series = 0;
};

class QuerySource {
 public:
  virtual ~QuerySource() = default;
  // kInvalid: the expression; otherwise the errors of Engine or of the server.
  virtual Result<promql::QueryResult> Query(std::string_view expr, const promql::QueryTimes& times, promql::QueryControl& control) = 0;
  // Sorted, unique.
  virtual Result<std::vector<std::string>> LabelNames(const LookupRequest& request) = 0;
  virtual Result<std::vector<std::string>> LabelValues(std::string_view name, const LookupRequest& request) = 0;
  virtual Result<std::vector<Labels>> Series(const LookupRequest& request) = 0;
  // The metrics of the series, with what is known about them.
  virtual Result<std::vector<MetricInfo>> Metrics(const LookupRequest& request) = 0;
  // Type, help, unit by metric name, sorted.
  virtual Result<std::vector<std::pair<std::string, Metadata>>> ListMetadata() = 0;
  // What to say when a query finds nothing; may be empty.
  virtual std::string EmptyHint() = 0;
  // The next query sees what has been written since. Part of --watch.
  virtual Result<void> Refresh() = 0;
  // The data itself, or null when it is not here.
  virtual const Queryable* local() const = 0;
};

// kNotFound: no data directory at `dir`, with what to do; other errors as DataDir::Open.
Result<std::unique_ptr<QuerySource>> OpenLocalSource(const std::string& dir, const promql::EngineOptions& options);

// The metrics of these series, sorted by name.
std::vector<MetricInfo> CountMetrics(const std::vector<Labels>& series, const std::vector<std::pair<std::string, Metadata>>& metadata);

// Metadata of the metric that a series name belongs to: the name itself, or without
// _total, _bucket, _sum, _count, _info, _created. Null when unknown. `all` is sorted.
const Metadata* FindMetadata(const std::vector<std::pair<std::string, Metadata>>& all, std::string_view series_name);

}  // namespace prom::api
