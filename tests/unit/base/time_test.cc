#include "base/time.h"

#include <boost/test/unit_test.hpp>

using namespace prom;

BOOST_AUTO_TEST_CASE(parse_duration) {
  struct Row { const char* in; std::int64_t want_ms; };
  static const Row kOk[] = {{"0", 0}, {"0s", 0}, {"15s", 15'000}, {"1h30m", 5'400'000}, {"250ms", 250}, {"4d1h", 349'200'000}, {"14d", 1'209'600'000},
                            {"3w", 1'814'400'000}, {"3w2d1h", 1'990'800'000}, {"10y", 315'360'000'000}};
  for (const auto& row : kOk) BOOST_TEST_CONTEXT("in=" << row.in) {
      auto got = ParseDuration(row.in);
      BOOST_TEST_REQUIRE(bool(got));
      BOOST_TEST(*got == row.want_ms);
    }
  for (const char* in : {"", "5", "1x", "m5", "1.5d", "1h1h", "1s1h", "-1h", "1m 5s", "294y"}) BOOST_TEST_CONTEXT("in=" << in) BOOST_TEST(!ParseDuration(in));
  BOOST_TEST(ParseDuration("1.5d").error().message == "unknown unit \".\" in duration \"1.5d\"");
  BOOST_TEST(ParseDuration("d").error().message == "not a valid duration string: \"d\"");
  BOOST_TEST(ParseDuration("").error().message == "empty duration string");
  BOOST_TEST(ParseDuration("294y").error().message == "duration out of range");
}

BOOST_AUTO_TEST_CASE(format_duration) {
  struct Row { std::int64_t ms; const char* want; };
  static const Row kRows[] = {{0, "0s"}, {90'000, "1m30s"}, {86'400'000, "1d"}, {90'000'000, "1d1h"}, {604'800'000, "1w"}, {691'200'000, "8d"},
                              {31'536'000'000, "1y"}, {100, "100ms"}, {-60'000, "-1m"}};
  for (const auto& row : kRows) BOOST_TEST(FormatDuration(row.ms) == row.want);
}

BOOST_AUTO_TEST_CASE(parse_time) {
  struct Row { const char* in; std::int64_t want_ms; };
  static const Row kOk[] = {{"0", 0}, {"123.5", 123'500}, {"-1.25", -1250}, {"2015-06-03T13:21:58.555Z", 1433337718555}, {"2015-06-03T14:21:58.555+01:00", 1433337718555},
                            {"1970-01-01T00:00:00Z", 0}, {"1969-12-31T23:59:59Z", -1000}};
  for (const auto& row : kOk) BOOST_TEST_CONTEXT("in=" << row.in) {
      auto got = ParseTime(row.in);
      BOOST_TEST_REQUIRE(bool(got));
      BOOST_TEST(*got == row.want_ms);
    }
  for (const char* in : {"", "abc", "2015-06-03", "30s", "2015-13-01T00:00:00Z", "2015-02-30T00:00:00Z", "1e300", "NaN"})
    BOOST_TEST_CONTEXT("in=" << in) BOOST_TEST(!ParseTime(in));
  BOOST_TEST(*ParseTimeRelative("now", 1000) == 1000);
  BOOST_TEST(*ParseTimeRelative("-1h", 3'600'000) == 0);
  BOOST_TEST(*ParseTimeRelative("now-30m", 3'600'000) == 1'800'000);
  BOOST_TEST(*ParseTimeRelative("-1.5", 0) == -1500);
  BOOST_TEST(FormatTimeRfc3339(1433337718555) == "2015-06-03T13:21:58.555Z");
  BOOST_TEST(FormatTimeRfc3339(-1000) == "1969-12-31T23:59:59Z");
}
