// Durations and points in time. All times are milliseconds since the Unix
// epoch (UTC) in an int64 unless a name says otherwise.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace prom {

inline constexpr std::int64_t kMinTimeMs = std::numeric_limits<std::int64_t>::min();
inline constexpr std::int64_t kMaxTimeMs = std::numeric_limits<std::int64_t>::max();

// A Prometheus duration: units y w d h m s ms, descending, each once ("1h30m"),
// or "0". Result in milliseconds; overflow of int64 nanoseconds is an error,
// with upstream's texts ("not a valid duration string: \"x\"",
// "unknown unit \"q\" in duration \"5q\"", "empty duration string", "duration out of range").
Result<std::int64_t> ParseDuration(std::string_view s);
// As upstream prints it: 90000 -> "1m30s", 0 -> "0s".
std::string FormatDuration(std::int64_t ms);

// Seconds as a float ("1700000000.123"), or RFC 3339 with up to nanoseconds; rounded to ms.
Result<std::int64_t> ParseTime(std::string_view s);
// The same, and also "now", "now-1h", "-1h" (before now).
Result<std::int64_t> ParseTimeRelative(std::string_view s, std::int64_t now_ms);
// "2026-01-02T15:04:05.123Z"; the fraction is left out when zero.
std::string FormatTimeRfc3339(std::int64_t ms);

// The clock, passed in so that tests neither sleep nor depend on the day.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::int64_t NowMs() = 0;           // wall clock
  virtual std::int64_t MonotonicNs() = 0;     // never goes back
};
Clock& SystemClock();

}  // namespace prom
