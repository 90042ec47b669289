// A query's result as the HTTP API has it: {"resultType":...,"result":...}.
// The CLI's -o json prints the same.
#pragma once

#include <memory>
#include <string>

#include "promql/engine.h"

namespace prom::promql {

// {"name":"value",...}
void AppendLabelsJson(std::string* out, const Labels& labels);
// One element of "result": {"metric":{...},"values":[[t,"v"],...]} of a matrix, else with its first sample as "value".
void AppendSeriesJson(std::string* out, const ResultSeries& series, bool matrix);
// The object of the "data" field, without stats.
void AppendResultJson(std::string* out, const QueryResult& result);

class TimeTexts;

// The same a piece at a time, so that a large answer is never in memory as text. Not thread-safe.
class ResultJsonPieces {
 public:
  // `fields` go behind "result", each with a comma in front of it.
  explicit ResultJsonPieces(QueryResult result, std::string fields = {});
  ResultJsonPieces(ResultJsonPieces&&) noexcept;
  ~ResultJsonPieces();
  // Appends whole series, 256 KiB of text or little more if there are so many, and lets go of them; false: that was the last.
  bool Append(std::string* out);

 private:
  QueryResult result_;
  std::string fields_;
  std::size_t next_ = 0;  // series
  std::unique_ptr<TimeTexts> times_;
};

// Upstream's "stats" object: timings in seconds, samples. queue: the wait for a free place to run.
void AppendStatsJson(std::string* out, const QueryStats& stats, double queue_seconds, double total_seconds);

}  // namespace prom::promql
