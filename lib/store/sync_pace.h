// When the next fsync begins, so that what was acknowledged is on disk within the interval, however long an fsync takes.
#pragma once

#include <algorithm>
#include <cstdint>

namespace prom::store {

// A sample that comes just after an fsync has begun is safe when the next one ends: after the time between the two
// beginnings and the length of the second. So the next begins earlier by twice the length of the longest of late.
// An fsync that takes more than a third of the interval is followed by the next almost at once. Not thread-safe.
class SyncPace {
 public:
  explicit SyncPace(std::int64_t interval_ms) : interval_ms_(interval_ms) {}

  // Milliseconds to wait after an fsync that took `took_ms`.
  std::int64_t Pause(std::int64_t took_ms) {
    longest_ms_ = std::max(took_ms, longest_ms_ - longest_ms_ / 8);
    return std::max(interval_ms_ - took_ms - 2 * longest_ms_, interval_ms_ / 20 + 1);
  }

 private:
  std::int64_t interval_ms_, longest_ms_ = 0;
};

}  // namespace prom::store
