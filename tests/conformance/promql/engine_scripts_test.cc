// Upstream's acceptance suite of the query engine, all files. Each must have as
// many cases as it has evaluations, so that nothing is skipped unnoticed.
#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <string>

#include "base/strings.h"
#include "promql/script_runner.h"
#include "../../testing.h"

namespace {

std::size_t CountEvaluations(const std::string& text) {
  std::size_t n = 0;
  for (std::string_view line : prom::Split(text, '\n')) n += prom::TrimSpace(line).starts_with("eval");
  return n;
}

void Run(const std::string& name) {
  const std::string path = prom::testing::ConformanceDir() + "/promql/" + name + ".test";
  auto result = prom::promql::RunScriptFile(path);
  BOOST_TEST_REQUIRE(result.has_value(), path);
  for (const auto& c : result->cases) BOOST_TEST(c.passed, c.message);
  BOOST_TEST(result->passed == CountEvaluations(prom::testing::ReadFile(path)));
}

}  // namespace

#define SCRIPT_CASE(id, file) \
  BOOST_AUTO_TEST_CASE(id) { Run(file); }

BOOST_AUTO_TEST_SUITE(engine_scripts)
SCRIPT_CASE(aggregators, "aggregators")
SCRIPT_CASE(at_modifier, "at_modifier")
SCRIPT_CASE(collision, "collision")
SCRIPT_CASE(duration_expression, "duration_expression")
SCRIPT_CASE(extended_vectors, "extended_vectors")
SCRIPT_CASE(fill_modifier, "fill-modifier")
SCRIPT_CASE(functions, "functions")
SCRIPT_CASE(histograms, "histograms")
SCRIPT_CASE(info, "info")
SCRIPT_CASE(limit, "limit")
SCRIPT_CASE(literals, "literals")
SCRIPT_CASE(name_label_dropping, "name_label_dropping")
SCRIPT_CASE(native_histograms, "native_histograms")
SCRIPT_CASE(operators, "operators")
SCRIPT_CASE(range_queries, "range_queries")
SCRIPT_CASE(selectors, "selectors")
SCRIPT_CASE(staleness, "staleness")
SCRIPT_CASE(start_timestamps, "start_timestamps")
SCRIPT_CASE(subquery, "subquery")
SCRIPT_CASE(trig_functions, "trig_functions")
SCRIPT_CASE(type_and_unit, "type_and_unit")

// A file that a newer suite brings along is not passed over.
BOOST_AUTO_TEST_CASE(all_files_are_listed) {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(prom::testing::ConformanceDir() + "/promql")) {
    files += entry.path().extension() == ".test";
  }
  BOOST_TEST(files == 21u);
}
BOOST_AUTO_TEST_SUITE_END()
