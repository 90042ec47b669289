#include "promql/series_notation.h"

#include <boost/test/unit_test.hpp>

#include "base/number.h"

namespace prom::promql {
namespace {

std::string Values(const std::vector<SeriesValue>& values) {
  std::string out;
  for (const auto& v : values) {
    if (!out.empty()) out += ' ';
    out += v.omitted ? "_" : v.histogram ? HistogramNotation(*v.histogram) : IsStaleNan(v.value) ? "stale" : FormatFloatG(v.value);
  }
  return out;
}

BOOST_AUTO_TEST_CASE(series_values) {
  struct Row { const char* in; const char* want; };
  static const Row kRows[] = {
      {"m 0+10x3 _ stale", "0 10 20 30 _ stale"},
      {"m 1-0.5x2", "1 0.5 0"},
      {"m _x3", "_ _ _"},
      {"m _x0", ""},
      {"m Inf -Inf NaN 1e3", "+Inf -Inf NaN 1000"},
      {"m", ""},
      {"m  \t 1\t 2 ", "1 2"},
      {"m {{sum:1}}x1 {{}}", "{{sum:1}} {{sum:1}} {{}}"},
      {"m {{schema:-53 custom_values:[1 2.5] buckets:[3 4]}}", "{{schema:-53 custom_values:[1 2.5] buckets:[3 4]}}"},
  };
  for (const auto& row : kRows) BOOST_TEST_CONTEXT("in=" << row.in) {
      const auto got = ParseSeriesDescription(row.in);
      BOOST_TEST_REQUIRE(bool(got), (got ? "" : got.error().message));
      BOOST_TEST(got->labels.metric_name() == "m");
      BOOST_TEST(Values(got->values) == row.want);
    }
}

BOOST_AUTO_TEST_CASE(series_reset_hint_is_noted) {
  const auto got = ParseSeriesDescription("m {{sum:1}} {{sum:1 counter_reset_hint:unknown}}");
  BOOST_TEST_REQUIRE(bool(got));
  BOOST_TEST(!got->values[0].reset_hint_set);
  BOOST_TEST(got->values[1].reset_hint_set);
}

BOOST_AUTO_TEST_CASE(series_errors) {
  struct Row { const char* in; const char* want; };
  static const Row kRows[] = {  // upstream's texts, but for those marked
      {"m 1+1", "1:6: parse error: unexpected end of input in series values"},
      {"m fresh", "1:3: parse error: unexpected identifier \"fresh\" in series values, expected number or \"stale\""},
      {"m 1x1.5", "1:5: parse error: invalid repetition in series values: strconv.ParseUint: parsing \"1.5\": invalid syntax"},
      {"m{a=} 1", "1:5: parse error: unexpected \"}\" in label set, expected string"},
      {"{}1", "1:3: parse error: unexpected number \"1\" in series values"},
      {"m {{sum:1 sum:2}}", "1:1: parse error: duplicate key \"sum\" in histogram"},
      {"m {{schema:1", "1:13: parse error: histogram description incomplete unexpected: '\xef\xbf\xbd'"},
      {"m 1x1000000", "1:5: parse error: more than 1000000 values in a series"},                  // ours
      {"m _x999999 {{}}x999999", "1:17: parse error: more than 1000000 values in a series"},      // ours
      {"m {{schema:99999999999}}", "1:12: parse error: number in histogram description out of range"},  // ours
      {"m {{schema:81}}", "1:1: parse error: unknown histogram schema 81"},  // ours
      {"m {{schema:-10}}", "1:1: parse error: unknown histogram schema -10"},  // ours
  };
  for (const auto& row : kRows) BOOST_TEST_CONTEXT("in=" << row.in) {
      const auto got = ParseSeriesDescription(row.in);
      BOOST_TEST_REQUIRE(!got);
      BOOST_TEST(got.error().message == row.want);
    }
  // Forty thousand sums are too much; as many copies of one histogram are not.
  BOOST_TEST((ParseSeriesDescription("m {{buckets:[5]}}+{{buckets:[1 2] offset:3}}x206666").error().code == Errc::kLimit));
  BOOST_TEST(bool(ParseSeriesDescription("m {{buckets:[5]}}+{{buckets:[1 2] offset:3}}x10000")));
  BOOST_TEST(bool(ParseSeriesDescription("m {{buckets:[5]}}x206666")));
  BOOST_TEST((ParseSeriesDescription("m 1x18446744073709551615").error().code == Errc::kLimit));
}

BOOST_AUTO_TEST_CASE(series_start_times) {
  // From upstream's start_timestamps.test; offsets in milliseconds.
  const auto got = ParseStartTimes("_ _ -30s-1mx2 -59999msx1 -0ms 1s+1sx1 _x2");
  BOOST_TEST_REQUIRE(bool(got));
  BOOST_TEST(Values(*got) == "_ _ -30000 -90000 -150000 -59999 -59999 0 1000 2000 _ _");
  for (const char* in : {"x2", "-30", "1m-1m", "_x0", "_x", "1mx", "1m+x2", "1m*2", "_y", "1mx99999999"})
    BOOST_TEST_CONTEXT("in=" << in) BOOST_TEST(!ParseStartTimes(in));
}

}  // namespace
}  // namespace prom::promql
