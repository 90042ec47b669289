// Query results as exposition text with times in ms: what `promstore append` takes back.
#pragma once

#include <string>

#include "promql/engine.h"

namespace prom::promql {

// kInvalid: a series without a metric name, or a string: the text has no place for it.
// Native histograms are written as prom-stream(5) has them.
Result<std::string> RenderExposition(const QueryResult& result);

}  // namespace prom::promql
