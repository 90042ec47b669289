// The `load` command of test scripts: series in series notation into a store.
#pragma once

#include <span>
#include <string>

#include "base/result.h"
#include "promql/memory_store.h"

namespace prom::promql {

// lines[0] is "load 1m" or "load_with_nhcb 1m", the rest are series, and start
// times ("metric@st -1m ...") ahead of the series they belong to. Times begin at
// start_ms. load_with_nhcb adds, for classic histograms, a native one with custom
// buckets under the base name. kInvalid names the line within the block.
Result<void> LoadScriptBlock(std::span<const std::string> lines, MemoryStore* store, std::int64_t start_ms = 0);

}  // namespace prom::promql
