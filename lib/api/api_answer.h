// Answers of the HTTP API v1, as any Prometheus-compatible server gives them, read
// back into results. Strict about what is used, indifferent to what is not.
//
// Errors: kCorrupt: not JSON, or not of that shape, with where; an answer that says
// "error" becomes the error it tells: bad_data and execution kInvalid, timeout kTimeout,
// canceled kCanceled, unavailable kUnavailable, else kInternal. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "model/labels.h"
#include "model/sample.h"
#include "promql/engine.h"

namespace prom::api {

Result<promql::QueryResult> ReadQueryAnswer(std::string_view json);
// With the answer's warnings appended to *warnings, when it is not null.
Result<std::vector<std::string>> ReadStringsAnswer(std::string_view json, std::vector<std::string>* warnings = nullptr);  // labels, values
Result<std::vector<Labels>> ReadSeriesAnswer(std::string_view json, std::vector<std::string>* warnings = nullptr);
Result<std::vector<std::pair<std::string, Metadata>>> ReadMetadataAnswer(std::string_view json);  // sorted by name

}  // namespace prom::api
