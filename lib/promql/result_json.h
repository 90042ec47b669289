// A query's result as the HTTP API has it: {"resultType":...,"result":...}.
// The CLI's -o json prints the same.
#pragma once

#include <string>

#include "promql/engine.h"

namespace prom::promql {

// {"name":"value",...}
void AppendLabelsJson(std::string* out, const Labels& labels);
// One element of "result": {"metric":{...},"values":[[t,"v"],...]} of a matrix, else with its first sample as "value".
void AppendSeriesJson(std::string* out, const ResultSeries& series, bool matrix);
// The object of the "data" field, without stats.
void AppendResultJson(std::string* out, const QueryResult& result);

// Upstream's "stats" object: timings in seconds, samples. queue: the wait for a free place to run.
void AppendStatsJson(std::string* out, const QueryStats& stats, double queue_seconds, double total_seconds);

}  // namespace prom::promql
