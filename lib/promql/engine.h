// The query engine: PromQL text or tree -> plan -> columns -> result, with the
// semantics of Prometheus 3.x. How it runs a query stands in exec/operator.h.
//
// An Engine is immutable and may run many queries at once. All times are ms.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/labels.h"
#include "model/queryable.h"
#include "model/sample.h"
#include "promql/ast.h"
#include "promql/parse.h"

namespace prom::promql {

inline constexpr int kMaxThreads = 32;

struct EngineOptions {
  std::int64_t lookback_ms = 300'000;
  std::int64_t subquery_step_ms = 60'000;  // of [1h:]: the global evaluation interval
  std::int64_t max_samples = 50'000'000;   // held in memory at once; a histogram counts as its size / 16 bytes
  std::int64_t timeout_ms = 120'000;       // parsing and sorting included
  // Samples, labels and working space of one query; counted before they are allocated.
  std::int64_t max_memory_bytes = std::int64_t{2} << 30;
  int threads = 0;  // of one query, at most kMaxThreads; 0: one a processor. The result is the same for any number.
  // Keep __name__ until the end of the query, so that label_replace and `by (__name__)` can still use it.
  bool delayed_name_removal = false;
  bool type_and_unit_labels = false;   // judge counters by __type__ rather than by the end of the name
  bool use_start_timestamps = false;   // rate, irate, increase, resets, start_timestamp()
  ParseOptions parse;
};

// What a running query is told from outside and counts for outside. One a query.
struct QueryControl {
  std::atomic<bool> canceled{false};  // may be set from any thread; the query ends with kCanceled
  std::shared_ptr<const std::atomic<bool>> client_gone;  // likewise, of whoever asked; may be null
  bool stopped() const { return canceled.load(std::memory_order_relaxed) || (client_gone != nullptr && client_gone->load(std::memory_order_relaxed)); }
};

struct QueryStats {
  std::int64_t samples_read = 0;  // float samples decoded from storage, each histogram as its size / 16
  std::int64_t series_read = 0;
  std::int64_t peak_samples = 0;  // most samples held at once
  std::int64_t parse_us = 0, prepare_us = 0, eval_us = 0;
};

struct ResultSeries {
  Labels labels;
  std::vector<FloatSample> floats;          // ascending
  std::vector<HistogramSample> histograms;  // ascending; a time is in one of the two
};

// scalar: one float in series[0]. vector: one sample a series, in the order of
// the query (sort() counts). matrix: sorted by labels. string: `text` at t_ms.
struct QueryResult {
  ValueType type = ValueType::kNone;
  std::int64_t t_ms = 0;  // of a scalar, vector or string
  std::vector<ResultSeries> series;
  std::string text;
  std::vector<std::string> warnings, infos;  // finished texts, with "(line:col)"
  QueryStats stats;
};

class Engine {
 public:
  explicit Engine(EngineOptions options = {}) : options_(std::move(options)) {}

  // kInvalid: does not parse, or a rule of the language is broken at run time (many-to-many ...).
  // kLimit: too many samples. kTimeout, kCanceled. Errors of the storage: "expanding series: ...".
  Result<QueryResult> Instant(const Queryable& storage, std::string_view expr, std::int64_t t_ms, QueryControl& control) const;
  // Steps start, start + step ... <= end; step > 0, end >= start.
  Result<QueryResult> Range(const Queryable& storage, std::string_view expr, std::int64_t start_ms, std::int64_t end_ms, std::int64_t step_ms,
                            QueryControl& control) const;

  // The same with a tree parsed before, so that rules parse once. `text` is what positions in annotations refer to.
  Result<QueryResult> InstantExpr(const Queryable& storage, const Expr& expr, std::string_view text, std::int64_t t_ms,
                                  QueryControl& control) const;
  Result<QueryResult> RangeExpr(const Queryable& storage, const Expr& expr, std::string_view text, std::int64_t start_ms, std::int64_t end_ms,
                                std::int64_t step_ms, QueryControl& control) const;

  // The plan of a range query, one operator a line, children indented.
  Result<std::string> Explain(std::string_view expr, std::int64_t start_ms, std::int64_t end_ms, std::int64_t step_ms) const;

  const EngineOptions& options() const { return options_; }

 private:
  struct Request;
  Result<QueryResult> Run(const Request& request) const;

  EngineOptions options_;
};

}  // namespace prom::promql
