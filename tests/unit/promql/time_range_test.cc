#include "promql/time_range.h"

#include <boost/test/unit_test.hpp>

#include "../../testing.h"

using namespace prom;
using namespace prom::promql;

namespace {
constexpr std::int64_t kNow = 1767225600000;  // 2026-01-01T00:00:00Z
}

BOOST_AUTO_TEST_CASE(resolve_times) {
  struct Row { TimeFlags flags; bool want_range; bool range; std::int64_t start, end, step; };
  static const Row kRows[] = {
      {{}, false, false, kNow, kNow, 0},
      {{"-5m", "", "", ""}, false, false, kNow - 300'000, kNow - 300'000, 0},
      {{"now+1s", "", "", ""}, false, false, kNow + 1000, kNow + 1000, 0},
      {{"12.5", "", "", ""}, true, false, 12'500, 12'500, 0},
      {{"", "-1h", "", ""}, false, true, kNow - 3'600'000, kNow, 15'000},  // 240 steps
      {{"", "-1h", "now-30m", "60"}, false, true, kNow - 3'600'000, kNow - 1'800'000, 60'000},
      {{"", "2025-12-31T00:00:00Z", "2026-01-01T00:00:00+00:00", "1h30m"}, false, true, kNow - 86'400'000, kNow, 5'400'000},
      {{}, true, true, kNow - 3'600'000, kNow, 15'000},
      {{"", "", "-1d", ""}, true, true, kNow - 90'000'000, kNow - 86'400'000, 15'000},
      {{"", "now", "now", "0.5"}, false, true, kNow, kNow, 500},
  };
  for (const Row& row : kRows) {
    BOOST_TEST_CONTEXT("row " << &row - kRows) {
      auto got = ResolveTimes(row.flags, kNow, row.want_range);
      BOOST_TEST_REQUIRE(bool(got));
      BOOST_TEST(got->range == row.range);
      BOOST_TEST(got->start_ms == row.start);
      BOOST_TEST(got->end_ms == row.end);
      BOOST_TEST(got->step_ms == row.step);
    }
  }
}

// Every error names its flag and says what to write.
BOOST_AUTO_TEST_CASE(bad_times) {
  struct Row { TimeFlags flags; const char* want; };
  static const Row kRows[] = {
      {{"yesterday", "", "", ""}, "--time \"yesterday\": want a time such as -1h, now-5m, 2026-01-02T15:04:05Z or Unix seconds"},
      {{"now", "-1h", "", ""}, "--time is for one point in time and does not go with --start, --end and --step; leave it out"},
      {{"", "", "now", ""}, "a range query needs --start (for example --start=-1h)"},
      {{"", "", "", "5m"}, "a range query needs --start (for example --start=-1h)"},
      {{"", "now", "-1h", ""}, "--end (2025-12-31T23:00:00Z) lies before --start (2026-01-01T00:00:00Z)"},
      {{"", "-1h", "", "0"}, "--step must be positive: \"0\""},
      {{"", "-1h", "", "-5m"}, "--step \"-5m\": want a duration such as 30s or 5m, or seconds"},
      {{"", "-1h", "", "nan"}, "--step must be positive: \"nan\""},
  };
  for (const Row& row : kRows) BOOST_TEST_CONTEXT(row.want) BOOST_TEST(ResolveTimes(row.flags, kNow, false).error().message == row.want);
}

BOOST_AUTO_TEST_CASE(default_steps) {
  BOOST_TEST(DefaultStep(0) == 1000);
  BOOST_TEST(DefaultStep(900'000) == 5'000);            // 15 m: 180 steps
  BOOST_TEST(DefaultStep(86'400'000) == 600'000);       // a day: 144
  BOOST_TEST(DefaultStep(30 * 86'400'000ll) == 10'800'000);
  for (std::int64_t range = 1; range < (std::int64_t{1} << 50); range *= 3) BOOST_TEST(range / DefaultStep(range) <= 250);
}
