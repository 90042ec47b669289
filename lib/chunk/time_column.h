// Time columns: the timestamps that many series share, and start timestamps.
// The layout is in prom-chunk(5), section "Time column".
//
// Times are int64 milliseconds. A column with a regular interval takes about 12
// bytes, whatever its length. All functions are thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace prom::chunk {

// Appends 1..kMaxValues strictly ascending times.
void EncodeTimes(std::span<const std::int64_t> t_ms, std::string* out);
// The number of times in a column. kCorrupt: no header.
Result<std::size_t> CountTimes(std::string_view column);
// Into `out`, whose size must be the column's count; allocates nothing. kCorrupt:
// not a column of that many times, or not strictly ascending; `out` is then unspecified.
Result<void> DecodeTimes(std::string_view column, std::span<std::int64_t> out);

// XXH3 of the raw times: equal columns have equal hashes on every machine, so that
// a store finds those to share. Compare the times too before sharing.
std::uint64_t HashTimes(std::span<const std::int64_t> t_ms);

// Start timestamps of samples, 0 = unknown: the same layout, in any order.
void EncodeStartTimes(std::span<const std::int64_t> st_ms, std::string* out);
Result<void> DecodeStartTimes(std::string_view column, std::span<std::int64_t> out);

}  // namespace prom::chunk
