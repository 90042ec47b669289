// Where an axis has its ticks: numbers 1, 2 or 5 times a power of ten apart, times
// that people count in.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace prom::promql {

struct ValueAxis {
  double low = 0, high = 0, step = 0;  // low and high are ticks
  std::vector<double> ticks;           // ascending
  std::vector<std::string> labels;     // of ticks: "0.25", "1.5k", "2G"
};
// At most `max_ticks` (>= 2) ticks that enclose [low, high], both finite, low < high.
ValueAxis MakeValueAxis(double low, double high, int max_ticks);

struct TimeTick {
  std::int64_t t_ms = 0;
  std::string label;  // UTC: "15:04", "15:04:05", "01-02"
};
// Ticks in [start, end], few enough that labels stay apart though the ones at the ends are pushed inwards.
std::vector<TimeTick> MakeTimeAxis(std::int64_t start_ms, std::int64_t end_ms, int columns);

}  // namespace prom::promql
