#include "promql/time_range.h"

#include <algorithm>

#include "base/number.h"
#include "base/strings.h"
#include "base/time.h"

namespace prom::promql {
namespace {

constexpr std::int64_t kMostSteps = 250;
constexpr std::int64_t kDefaultRangeMs = 3'600'000;

Result<std::int64_t> ResolveStep(const std::string& text) {
  if (const auto seconds = ParseFloat(text)) {
    if (!(*seconds > 0 && *seconds < 9e15)) return Error{Errc::kInvalid, "--step must be positive: " + Quote(text)};
    return std::max<std::int64_t>(static_cast<std::int64_t>(*seconds * 1000), 1);
  }
  auto d = ParseDuration(text);
  if (!d) return Error{Errc::kInvalid, "--step " + Quote(text) + ": want a duration such as 30s or 5m, or seconds"};
  if (*d <= 0) return Error{Errc::kInvalid, "--step must be positive: " + Quote(text)};
  return *d;
}

}  // namespace

Result<std::int64_t> ResolveTime(const std::string& flag, const std::string& text, std::int64_t now_ms) {
  auto t = ParseTimeRelative(text, now_ms);
  if (!t) return Error{Errc::kInvalid, flag + " " + Quote(text) + ": want a time such as -1h, now-5m, 2026-01-02T15:04:05Z or Unix seconds"};
  return t;
}

std::int64_t DefaultStep(std::int64_t range_ms) {
  static constexpr std::int64_t kSteps[] = {1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400};
  for (const std::int64_t seconds : kSteps)
    if (range_ms / (seconds * 1000) <= kMostSteps) return seconds * 1000;
  const std::int64_t day = 86'400'000;
  return (range_ms / kMostSteps / day + 1) * day;
}

Result<QueryTimes> ResolveTimes(const TimeFlags& flags, std::int64_t now_ms, bool want_range) {
  QueryTimes out;
  out.range = !flags.start.empty() || !flags.end.empty() || !flags.step.empty() || (want_range && flags.time.empty());
  if (!out.range) {
    PROM_ASSIGN(out.start_ms, ResolveTime("--time", flags.time.empty() ? "now" : flags.time, now_ms));
    out.end_ms = out.start_ms;
    return out;
  }
  if (!flags.time.empty()) return Error{Errc::kInvalid, "--time is for one point in time and does not go with --start, --end and --step; leave it out"};
  PROM_ASSIGN(out.end_ms, ResolveTime("--end", flags.end.empty() ? "now" : flags.end, now_ms));
  if (flags.start.empty()) {
    if (!want_range) return Error{Errc::kInvalid, "a range query needs --start (for example --start=-1h)"};
    if (__builtin_sub_overflow(out.end_ms, kDefaultRangeMs, &out.start_ms)) out.start_ms = out.end_ms;
  } else {
    PROM_ASSIGN(out.start_ms, ResolveTime("--start", flags.start, now_ms));
  }
  if (out.end_ms < out.start_ms) {
    return Error{Errc::kInvalid, "--end (" + FormatTimeRfc3339(out.end_ms) + ") lies before --start (" + FormatTimeRfc3339(out.start_ms) + ")"};
  }
  std::int64_t range_ms = 0;
  if (__builtin_sub_overflow(out.end_ms, out.start_ms, &range_ms)) return Error{Errc::kInvalid, "the time between --start and --end is too long"};
  out.step_ms = DefaultStep(range_ms);
  if (!flags.step.empty()) {
    PROM_ASSIGN(out.step_ms, ResolveStep(flags.step));
  }
  return out;
}

}  // namespace prom::promql
