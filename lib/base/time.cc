#include "base/time.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>

#include "base/number.h"
#include "base/strings.h"

namespace prom {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t ms;
};
constexpr std::int64_t kDayMs = 86'400'000;
constexpr Unit kUnits[] = {{"y", 365 * kDayMs}, {"w", 7 * kDayMs}, {"d", kDayMs}, {"h", 3'600'000},
                           {"m", 60'000},       {"s", 1000},       {"ms", 1}};
// Upstream keeps durations as int64 nanoseconds.
constexpr std::int64_t kMaxDurationMs = std::numeric_limits<std::int64_t>::max() / 1'000'000;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

Error NotADuration(std::string_view s) { return {Errc::kInvalid, "not a valid duration string: " + Quote(s)}; }

}  // namespace

Result<std::int64_t> ParseDuration(std::string_view s) {
  if (s == "0") return std::int64_t{0};
  if (s.empty()) return Error{Errc::kInvalid, "empty duration string"};
  std::int64_t total = 0;
  std::size_t i = 0, next_unit = 0;
  while (i < s.size()) {
    std::int64_t n = 0;
    const auto done = std::from_chars(s.data() + i, s.data() + s.size(), n);
    if (!IsDigit(s[i])) return NotADuration(s);
    const bool overflow = done.ec != std::errc{};
    i = static_cast<std::size_t>(done.ptr - s.data());
    std::size_t end = i;
    while (end < s.size() && !IsDigit(s[end])) ++end;
    const std::string_view name = s.substr(i, end - i);
    std::size_t u = next_unit;
    while (u < std::size(kUnits) && kUnits[u].name != name) ++u;
    if (u == std::size(kUnits)) {
      const bool known = std::any_of(std::begin(kUnits), std::end(kUnits), [&](const auto& unit) { return unit.name == name; });
      if (known || name.empty()) return NotADuration(s);
      return Error{Errc::kInvalid, "unknown unit " + Quote(name) + " in duration " + Quote(s)};
    }
    if (overflow || n > kMaxDurationMs / kUnits[u].ms || n * kUnits[u].ms > kMaxDurationMs - total)
      return Error{Errc::kInvalid, "duration out of range"};
    total += n * kUnits[u].ms;
    next_unit = u + 1;
    i = end;
  }
  return total;
}

std::string FormatDuration(std::int64_t ms) {
  if (ms == 0) return "0s";
  std::string out;
  if (ms < 0) {
    out = "-";
    ms = -ms;
  }
  // Years, weeks and days only when nothing smaller is left over, as upstream prints them.
  for (std::size_t u = 0; u < std::size(kUnits); ++u) {
    const bool exact = u < 3;
    const std::int64_t n = ms / kUnits[u].ms;
    if (n == 0 || (exact && u < 2 && ms % kUnits[u].ms != 0)) continue;
    out += std::to_string(n);
    out += kUnits[u].name;
    ms -= n * kUnits[u].ms;
  }
  return out;
}

namespace {

std::int64_t FloorDiv(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0); }

// Days since the epoch of a proleptic Gregorian date.
std::int64_t DaysFromCivil(int y, unsigned m, unsigned d) {
  return std::chrono::sys_days(std::chrono::year(y) / std::chrono::month(m) / std::chrono::day(d)).time_since_epoch().count();
}

bool TakeDigits(std::string_view* s, std::size_t n, int* out) {
  if (s->size() < n) return false;
  int v = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (!IsDigit((*s)[i])) return false;
    v = v * 10 + ((*s)[i] - '0');
  }
  *out = v;
  s->remove_prefix(n);
  return true;
}
bool TakeChar(std::string_view* s, std::string_view any_of) {
  if (s->empty() || any_of.find((*s)[0]) == std::string_view::npos) return false;
  s->remove_prefix(1);
  return true;
}

std::optional<std::int64_t> ParseRfc3339(std::string_view s) {
  int year, month, day, hour, minute, second;
  if (!TakeDigits(&s, 4, &year) || !TakeChar(&s, "-") || !TakeDigits(&s, 2, &month) || !TakeChar(&s, "-") || !TakeDigits(&s, 2, &day) ||
      !TakeChar(&s, "T") || !TakeDigits(&s, 2, &hour) || !TakeChar(&s, ":") || !TakeDigits(&s, 2, &minute) || !TakeChar(&s, ":") ||
      !TakeDigits(&s, 2, &second))
    return std::nullopt;
  if (hour > 23 || minute > 59 || second > 59) return std::nullopt;
  const auto date = std::chrono::year(year) / std::chrono::month(static_cast<unsigned>(month)) / std::chrono::day(static_cast<unsigned>(day));
  if (!date.ok()) return std::nullopt;
  std::int64_t ns = 0;
  if (TakeChar(&s, ".,")) {
    std::int64_t scale = 100'000'000;
    if (s.empty() || !IsDigit(s[0])) return std::nullopt;
    while (!s.empty() && IsDigit(s[0])) {
      ns += (s[0] - '0') * scale;
      scale /= 10;
      s.remove_prefix(1);
    }
  }
  int offset_minutes = 0;
  if (!TakeChar(&s, "Z")) {
    const bool negative = !s.empty() && s[0] == '-';
    int oh, om;
    if (!TakeChar(&s, "+-") || !TakeDigits(&s, 2, &oh) || !TakeChar(&s, ":") || !TakeDigits(&s, 2, &om) || oh > 23 || om > 59) return std::nullopt;
    offset_minutes = (negative ? -1 : 1) * (oh * 60 + om);
  }
  if (!s.empty()) return std::nullopt;
  const std::int64_t seconds = DaysFromCivil(year, static_cast<unsigned>(month), static_cast<unsigned>(day)) * 86400 + hour * 3600 + minute * 60 + second - offset_minutes * 60;
  return seconds * 1000 + ns / 1'000'000;
}

}  // namespace

Result<std::int64_t> ParseTime(std::string_view s) {
  if (const auto seconds = ParseFloat(s)) {
    const double ms = std::round(*seconds * 1000);
    if (!(ms >= -9.2e18 && ms <= 9.2e18)) return Error{Errc::kInvalid, "cannot parse " + Quote(s) + " to a valid timestamp"};
    return static_cast<std::int64_t>(ms);
  }
  if (const auto ms = ParseRfc3339(s)) return *ms;
  return Error{Errc::kInvalid, "cannot parse " + Quote(s) + " to a valid timestamp"};
}

Result<std::int64_t> ParseTimeRelative(std::string_view s, std::int64_t now_ms) {
  std::string_view rest = s;
  const bool from_now = rest.starts_with("now");
  if (from_now) rest.remove_prefix(3);
  if (from_now && rest.empty()) return now_ms;
  if (!rest.empty() && (rest[0] == '-' || (from_now && rest[0] == '+'))) {
    if (auto d = ParseDuration(rest.substr(1)); d && (from_now || rest.find_first_not_of("-0123456789.") != std::string_view::npos))
      return rest[0] == '-' ? now_ms - *d : now_ms + *d;
  }
  return ParseTime(s);
}

std::string FormatTimeRfc3339(std::int64_t ms) {
  const std::int64_t days = FloorDiv(ms, kDayMs);
  const std::int64_t in_day = ms - days * kDayMs;
  const std::chrono::year_month_day date{std::chrono::sys_days(std::chrono::days(days))};
  std::string out = StringPrintf("%04d-%02u-%02uT%02d:%02d:%02d", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                                 static_cast<unsigned>(date.day()), static_cast<int>(in_day / 3'600'000), static_cast<int>(in_day / 60'000 % 60),
                                 static_cast<int>(in_day / 1000 % 60));
  if (in_day % 1000 != 0) out += StringPrintf(".%03d", static_cast<int>(in_day % 1000));
  return out + "Z";
}

namespace {
class RealClock : public Clock {
 public:
  std::int64_t NowMs() override {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  }
  std::int64_t MonotonicNs() override {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
  }
};
}  // namespace

Clock& SystemClock() {
  static RealClock clock;
  return clock;
}

}  // namespace prom
