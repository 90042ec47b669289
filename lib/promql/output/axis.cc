#include "promql/output/axis.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/strings.h"
#include "base/time.h"

namespace prom::promql {
namespace {

// The smallest of 1, 2, 5, 10 times a power of ten that is not below `least`.
double NiceStep(double least) {
  const double power = std::pow(10, std::floor(std::log10(least)));
  for (const double m : {1.0, 2.0, 5.0})
    if (m * power >= least * (1 - 1e-9)) return m * power;
  return 10 * power;
}

std::string TickText(double v, double step, double largest) {
  struct Unit {
    double size;
    const char* name;
  };
  static constexpr Unit kUnits[] = {{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}};
  if (v == 0 || std::fabs(v) < step * 1e-6) return "0";
  if (largest >= 1e15 || largest < 1e-4) return StringPrintf("%.3g", v);
  Unit unit{1, ""};
  for (const Unit& u : kUnits) {
    if (largest >= u.size * (u.size == 1e3 ? 10 : 1)) {  // four digits read well without a unit
      unit = u;
      break;
    }
  }
  const int digits = std::clamp(static_cast<int>(std::ceil(-std::log10(step / unit.size) - 1e-9)), 0, 9);
  return StringPrintf("%.*f%s", digits, v / unit.size, unit.name);
}

constexpr std::int64_t kSecond = 1000, kMinute = 60 * kSecond, kHour = 60 * kMinute, kDay = 24 * kHour;
constexpr std::array<std::int64_t, 27> kTimeSteps = {kSecond,      2 * kSecond,  5 * kSecond,  10 * kSecond, 15 * kSecond, 30 * kSecond, kMinute,
                                                     2 * kMinute,  5 * kMinute,  10 * kMinute, 15 * kMinute, 30 * kMinute, kHour,        2 * kHour,
                                                     3 * kHour,    6 * kHour,    12 * kHour,   kDay,         2 * kDay,     7 * kDay,     14 * kDay,
                                                     28 * kDay,    56 * kDay,    91 * kDay,    182 * kDay,   365 * kDay,   730 * kDay};

std::string TimeText(std::int64_t t, std::int64_t step, std::int64_t span) {
  const std::string full = FormatTimeRfc3339(t);
  if (step >= 300 * kDay || span >= 300 * kDay) return full.substr(0, 10);
  if (step >= kDay) return full.substr(5, 5);
  const std::int64_t in_day = (t % kDay + kDay) % kDay;
  if (in_day == 0 && span > kHour * 12) return full.substr(5, 5);  // a day begins
  return full.substr(11, step < kMinute ? 8 : 5);
}

}  // namespace

ValueAxis MakeValueAxis(double low, double high, int max_ticks) {
  ValueAxis out;
  // Halved, so that the span of the largest doubles is finite.
  const double half_span = high / 2 - low / 2;
  double step = NiceStep(half_span / std::max(max_ticks - 1, 1) * 2);
  const auto bound = [](double v, double s, bool up) { return (up ? std::ceil(v / s - 1e-9) : std::floor(v / s + 1e-9)) * s; };
  for (int i = 0; i < 4; ++i) {  // widening to ticks at both ends may want a wider step
    out.low = bound(low, step, false);
    out.high = bound(high, step, true);
    if (!std::isfinite(step) || (out.high / step - out.low / step) + 1 <= max_ticks + 1e-9) break;
    step = NiceStep(step * 1.01);
  }
  if (!std::isfinite(out.low) || !std::isfinite(out.high) || !std::isfinite(step) || step <= 0 || !(out.low < out.high)) {
    out.low = low;  // at the edges of what a double can hold: no ticks but the ends
    out.high = high;
    out.step = half_span;
    out.ticks = {low, high};
  } else {
    out.step = step;
    const auto n = static_cast<int>(std::llround(out.high / step - out.low / step));
    for (int i = 0; i <= std::min(n, 1000); ++i) out.ticks.push_back(out.low + i * step);
  }
  const double largest = std::max(std::fabs(out.low), std::fabs(out.high));
  for (const double t : out.ticks) out.labels.push_back(TickText(t, out.step, largest));
  return out;
}

std::vector<TimeTick> MakeTimeAxis(std::int64_t start_ms, std::int64_t end_ms, int columns) {
  std::vector<TimeTick> out;
  const std::int64_t span = end_ms - start_ms;
  for (const std::int64_t step : kTimeSteps) {
    const auto label = static_cast<std::int64_t>(TimeText(start_ms, step, span).size());
    // The labels of ticks at the ends move inwards by half of their width.
    if (span / step > columns || (span / step) * (label + label / 2 + 2) > columns) continue;
    const std::int64_t first = start_ms + ((-start_ms % step) + step) % step;
    for (std::int64_t t = first; t <= end_ms; t += step) out.push_back({t, TimeText(t, step, span)});
    break;
  }
  if (out.empty()) out.push_back({start_ms, TimeText(start_ms, kSecond, span)});
  return out;
}

}  // namespace prom::promql
