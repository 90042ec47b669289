// ULIDs: the names of blocks. 26 characters of Crockford's base 32: 48 bits of
// milliseconds, 80 random bits; their text sorts by time of making.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace prom {

// Thread-safe; random bits come from the kernel, so two processes never make the same.
std::string NewUlid(std::int64_t now_ms);
// 26 characters of the alphabet, not beyond 128 bits: safe as a file name.
bool IsUlid(std::string_view s);
// The next one: in order right behind `ulid`, and before all others that sort behind it.
// For a block that takes the place of another, and is to win and lose against the same ones.
std::string UlidAfter(std::string_view ulid);
// The time in it, ms; 0 when it is not a ULID.
std::int64_t UlidTimeMs(std::string_view s);

}  // namespace prom
