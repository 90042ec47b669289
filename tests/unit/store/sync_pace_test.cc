#include "store/sync_pace.h"

#include <boost/test/unit_test.hpp>
#include <random>
#include <vector>

using prom::store::SyncPace;

namespace {

// The greatest age that a sample reaches before it is on disk, when an fsync takes took[i] ms.
std::int64_t OldestMs(std::int64_t interval_ms, const std::vector<std::int64_t>& took) {
  SyncPace pace(interval_ms);
  std::int64_t oldest = 0;
  for (std::size_t i = 0; i + 1 < took.size(); ++i) oldest = std::max(oldest, took[i] + pace.Pause(took[i]) + took[i + 1]);
  return oldest;
}

}  // namespace

BOOST_AUTO_TEST_CASE(sync_pace_keeps_samples_younger_than_the_interval) {
  BOOST_TEST(OldestMs(1000, std::vector<std::int64_t>(50, 2)) <= 1000);
  BOOST_TEST(OldestMs(1000, std::vector<std::int64_t>(50, 310)) <= 1000);
  std::mt19937 random(7);
  std::vector<std::int64_t> took(1000);
  for (auto& t : took) t = 100 + static_cast<std::int64_t>(random() % 100);  // doubles at most from one to the next
  BOOST_TEST(OldestMs(1000, took) <= 1000);
}

BOOST_AUTO_TEST_CASE(sync_pace_is_the_interval_on_a_fast_disk_and_never_a_busy_loop) {
  SyncPace fast(1000);
  BOOST_TEST(fast.Pause(0) == 1000);
  SyncPace slow(1000);
  BOOST_TEST(slow.Pause(5000) == 51);
  for (int i = 0; i < 60; ++i) slow.Pause(1);  // one slow fsync is forgotten in time
  BOOST_TEST(slow.Pause(1) > 900);
}
