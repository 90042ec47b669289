// When a query is evaluated: the flags --time, --start, --end and --step of the
// command line, resolved against the clock.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace prom::promql {

struct TimeFlags {
  std::string time, start, end, step;  // as given; empty: not given
};

// Times are ms. Of an instant query start == end and step is 0.
struct QueryTimes {
  bool range = false;
  std::int64_t start_ms = 0, end_ms = 0, step_ms = 0;
};

// Instant unless one of --start, --end and --step is given, or `want_range`: then
// the last hour when nothing says otherwise. Times are Unix seconds, RFC 3339, now,
// now-5m or -1h; a step is a duration or seconds, by default DefaultStep.
// kInvalid: the flag, what is wrong with it, and what to write instead.
Result<QueryTimes> ResolveTimes(const TimeFlags& flags, std::int64_t now_ms, bool want_range);

// One such time; the error names the flag.
Result<std::int64_t> ResolveTime(const std::string& flag, const std::string& text, std::int64_t now_ms);

// The shortest round step (1s, 2s, 5s ... 1m ... 1h ... 1d) that makes at most 250 steps.
std::int64_t DefaultStep(std::int64_t range_ms);

}  // namespace prom::promql
