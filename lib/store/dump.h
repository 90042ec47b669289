// Dump: a Queryable as a stream, series by series in the order of their labels, each
// with its samples in the order of time. What is dumped and appended to an empty
// store, and dumped again, is the same.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "exposition/stream_sink.h"
#include "model/queryable.h"

namespace prom::store {

struct DumpOptions {
  Matchers matchers;  // empty: all series
  std::int64_t min_ms = kMinTimeMs, max_ms = kMaxTimeMs;
  bool binary = false;
  std::function<void(std::string_view)> on_warning;  // damage: what is missing; may be empty
};

struct DumpSummary {
  std::uint64_t series = 0, samples = 0;
  std::uint64_t warnings = 0;  // non-zero: not all could be read
};

Result<void> Dump(const Queryable& source, const DumpOptions& options, const StreamWriteFn& write, DumpSummary* summary);

// The metadata of a series: by its name, or by that of the family a classic histogram,
// summary or OpenMetrics counter is written under. Null: none.
using MetadataMap = std::map<std::string, Metadata, std::less<>>;
const MetadataMap::value_type* FindMetadata(const MetadataMap& all, std::string_view series_name);

}  // namespace prom::store
