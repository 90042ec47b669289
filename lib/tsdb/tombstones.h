// The file `tombstones` of a block: deleted times by series.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.h"
#include "tsdb/part.h"

namespace prom::tsdb {

using TombstoneMap = std::unordered_map<std::uint64_t, Intervals>;  // by series id; normalized

// kCorrupt with the offset; `path` is for messages.
Result<TombstoneMap> ParseTombstones(std::string_view bytes, const std::string& path);
// A file without any.
std::string EmptyTombstones();

}  // namespace prom::tsdb
