// Groups of chunks (about 64 KiB, neighbouring series) compressed with LZ4 where
// that saves at least 5 %. The layout is in prom-chunk(5), section "Group".
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace prom::chunk {

// Groups are cut at about this size by their writers; the layout allows up to 2 GiB - 1.
inline constexpr std::size_t kGroupBytes = 64 << 10;

enum class CompressLevel { kFast, kBest };  // kBest: for files that are written once and read for months

// Appends `raw` as a group, compressed when it pays. Returns whether it was.
bool AppendGroup(std::string_view raw, std::string* out, CompressLevel level = CompressLevel::kFast);

// The bytes that went in: a view into `group` when they were stored as they are,
// else into *buffer, whose capacity is reused. Thread-safe for distinct buffers.
// kLimit: more than max_raw_bytes (checked before anything is allocated).
// kCorrupt: not a group. kUnsupported: a codec this version does not know.
Result<std::string_view> ReadGroup(std::string_view group, std::size_t max_raw_bytes, std::string* buffer);

}  // namespace prom::chunk
