// What implementations of PromQL get wrong: tests/data/promql/traps.test, and here what its
// language cannot say. The numbers are those of that file. Elsewhere: 25 (bounds of buckets as
// text) in text_parser_test.cc, 33 (at most ten annotations) in unit_api, 35 (numbers in JSON) in
// output_json_test.cc.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <string>
#include <vector>

#include "../../testing.h"
#include "base/hash.h"
#include "base/strings.h"
#include "promql/engine.h"
#include "promql/memory_store.h"
#include "promql/script_load.h"
#include "promql/script_runner.h"

namespace prom::promql {
namespace {

MemoryStore Load(std::initializer_list<std::string> lines) {
  MemoryStore store;
  BOOST_TEST_REQUIRE(LoadScriptBlock(std::vector<std::string>(lines), &store).has_value());
  return store;
}

Result<QueryResult> Range(const MemoryStore& store, const std::string& expr, std::int64_t end_s, EngineOptions options = {}) {
  options.parse.experimental_functions = true;
  QueryControl control;
  return Engine(options).Range(store, expr, 0, end_s * 1000, 60'000, control);
}

BOOST_AUTO_TEST_SUITE(traps)

BOOST_AUTO_TEST_CASE(script) {
  const std::string path = prom::testing::DataDir() + "/promql/traps.test";
  auto result = RunScriptFile(path);
  BOOST_TEST_REQUIRE(result.has_value(), (result ? std::string() : result.error().message));
  for (const auto& c : result->cases) BOOST_TEST(c.passed, c.message);
  std::size_t evaluations = 0;
  for (std::string_view line : Split(prom::testing::ReadFile(path), '\n')) evaluations += line.starts_with("eval");
  BOOST_TEST(result->passed == evaluations);
  BOOST_TEST(evaluations > 140u);
}

// 12. The hash is XXH64 of the label bytes: length and text of each name and value.
BOOST_AUTO_TEST_CASE(limit_ratio_hash) {
  const MemoryStore store = Load({"load 1m", "a{n=\"1\"} 1", "a{n=\"2\"} 1", "a{n=\"3\"} 1", "a{n=\"4\"} 1", "a{n=\"5\"} 1", "a{n=\"6\"} 1"});
  for (const double ratio : {0.2, 0.5, 0.8}) {
    std::vector<std::string> want;
    for (char n = '1'; n <= '6'; ++n) {
      const std::string bytes = std::string("\x08__name__\x01" "a\x01n\x01") + n;
      if (static_cast<double>(XxHash64(bytes)) / 18446744073709551615.0 < ratio) want.push_back(std::string("a{n=\"") + n + "\"}");
    }
    auto got = Range(store, "limit_ratio(" + std::to_string(ratio) + ", a)", 0);
    BOOST_TEST_REQUIRE(got.has_value());
    std::vector<std::string> names;
    for (const auto& s : got->series) names.push_back(s.labels.ToSeries());
    std::sort(names.begin(), names.end());
    BOOST_TEST(names == want, boost::test_tools::per_element());
  }
}

// 13, 14. Names go at each operation; equal labels of range functions clash anywhere in the
// range, those of other operations only at one step, and delayed removal only at one step too.
BOOST_AUTO_TEST_CASE(names_removed_at_once) {
  const MemoryStore store = Load({"load 1m", "a{n=\"1\"} 1 1 _ _ _ _ _ _ _ _", "b{n=\"1\"} _ _ _ _ _ _ _ _ 2 2"});
  EngineOptions delayed;
  delayed.delayed_name_removal = true;
  const std::string ranges = "last_over_time({__name__=~\"a|b\"}[30s])", sums = "sum_over_time({__name__=~\"a|b\"}[30s])", sum = "{__name__=~\"a|b\"} + 0";
  auto kept = Range(store, ranges, 540);
  BOOST_TEST_REQUIRE(kept.has_value());
  BOOST_TEST(kept->series.size() == 2u);  // last_over_time keeps names
  auto clash = Range(store, sums, 540);
  BOOST_TEST_REQUIRE(!clash.has_value());
  BOOST_TEST(clash.error().message == "vector cannot contain metrics with the same labelset");
  auto merged = Range(store, sums, 540, delayed);
  BOOST_TEST_REQUIRE(merged.has_value());
  BOOST_TEST(merged->series.size() == 1u);
  auto arithmetic = Range(store, "(" + ranges + ") + 0", 540);
  BOOST_TEST_REQUIRE(arithmetic.has_value());
  BOOST_TEST_REQUIRE(arithmetic->series.size() == 1u);
  BOOST_TEST(arithmetic->series[0].labels.ToSeries() == "{n=\"1\"}");
  // The lookback of a ends before b begins.
  BOOST_TEST(bool(Range(store, sum, 540)));
  const MemoryStore both = Load({"load 1m", "a{n=\"1\"} 1 1", "b{n=\"1\"} 2 2"});
  BOOST_TEST(!Range(both, sum, 60));
  BOOST_TEST(!Range(both, sum, 60, delayed));
  // A name set from a label after rate() went with it.
  auto named = Range(both, "label_replace(rate(a[2m]), \"__name__\", \"r\", \"\", \"\")", 60, delayed);
  BOOST_TEST_REQUIRE(named.has_value());
  BOOST_TEST_REQUIRE(named->series.size() == 1u);
  BOOST_TEST(named->series[0].labels.ToSeries() == "r{n=\"1\"}");
}

// 37. Samples of subqueries count, and the most held at once is what counts.
BOOST_AUTO_TEST_CASE(max_samples_counts_subqueries) {
  const MemoryStore store = Load({"load 1m", "a 0+1x20"});
  EngineOptions options;
  options.max_samples = 15;
  BOOST_TEST(bool(Range(store, "sum_over_time(a[5m:1m])", 0, options)));
  auto over = Range(store, "sum_over_time(a[20m:1m] @ 1200)", 0, options);
  BOOST_TEST_REQUIRE(!over.has_value());
  BOOST_TEST(over.error().message == "query processing would load too many samples into memory in query execution");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace prom::promql
