// The runner must find what is wrong: every script here but the first has a fault.
#include <boost/test/unit_test.hpp>

#include <string>

#include "promql/script_runner.h"

namespace prom::promql {
namespace {

BOOST_AUTO_TEST_SUITE(script_runner)

const char* const kLoad = "load 1m\n  m{a=\"1\"} 1 2 3\n  m{a=\"2\"} 10 20 30\n  h {{schema:0 sum:3 count:3 buckets:[1 2]}}\n\n";

BOOST_AUTO_TEST_CASE(passes) {
  const ScriptResult result = RunScript(std::string(kLoad) + R"(
# a comment
eval instant at 1m m
  m{a="1"} 2
  m{a="2"} 20

eval instant at 1m sum(m)
  expect no_warn
  {} 22.0000001

eval range from 0 to 2m step 1m m{a="1"}
  m{a="1"} 1 2 3

eval instant at 1m m[2m]
  expect range vector from 0s to 1m step 1m
  m{a="1"} 1 2
  m{a="2"} 10 20

eval instant at 1m sort_desc(m)
  expect ordered
  m{a="2"} 20
  m{a="1"} 2

eval_ordered instant at 1m sort(m)
  m{a="1"} 2
  m{a="2"} 20

eval instant at 0 h
  h {{schema:0 sum:3 count:3 buckets:[1 2]}}

eval instant at 0 "a\"b"
  expect string "a\"b"

eval instant at 0 2 + 3
  5

eval_fail instant at 1m m + on () m

eval instant at 1m m + on () m
  expect fail regex: found duplicate .*

clear
eval instant at 1m m
)",
                                        "good.test");
  for (const auto& c : result.cases) BOOST_TEST(c.passed, c.message);
  BOOST_TEST(result.passed == 12u);
  BOOST_TEST(result.failed == 0u);
}

BOOST_AUTO_TEST_CASE(faults_are_found) {
  struct Row {
    const char* what;
    const char* script;
    const char* message;  // a part of it
  };
  static const Row kRows[] = {
      {"value", "eval instant at 1m m{a=\"1\"}\n m{a=\"1\"} 3", "expected 3 for"},
      {"value out of tolerance", "eval instant at 1m sum(m)\n {} 22.0001", "expected 22.0001 for {} but got"},
      {"series missing", "eval instant at 1m m{a=\"1\"}\n m{a=\"1\"} 2\n m{a=\"3\"} 2", "not found"},
      {"series too many", "eval instant at 1m m\n m{a=\"1\"} 2", "unexpected metric"},
      {"order", "eval instant at 1m sort(m)\n expect ordered\n m{a=\"2\"} 20\n m{a=\"1\"} 2", "at position"},
      {"range value", "eval range from 0 to 2m step 1m m{a=\"1\"}\n m{a=\"1\"} 1 2 4", "expected 4 at t=120000"},
      {"range value missing", "eval range from 0 to 2m step 1m m{a=\"1\"}\n m{a=\"1\"} 1 2", "expected 2 floats"},
      {"range value too many", "eval range from 0 to 1m step 1m m{a=\"1\"}\n m{a=\"1\"} 1 2 3", "fewer"},
      {"scalar", "eval instant at 0 1\n 2", "expected scalar 2 but got 1"},
      {"scalar instead of vector", "eval instant at 0 1\n {} 1", "expected a vector"},
      {"string", "eval instant at 0 \"a\"\n expect string \"b\"", "expected string"},
      {"histogram", "eval instant at 0 h\n h {{schema:0 sum:3 count:3 buckets:[2 1]}}", "expected {{"},
      {"histogram instead of float", "eval instant at 0 h\n h 3", "but got"},
      {"no error", "eval instant at 0 m\n expect fail", "expected an error"},
      {"error", "eval instant at 0 m + on () m", "error: "},
      {"other error", "eval instant at 0 m + on () m\n expect fail msg: nothing", "expected error"},
      {"no warning", "eval instant at 0 m\n expect warn\n m{a=\"1\"} 1\n m{a=\"2\"} 10", "expected warn"},
      {"warning", "eval instant at 0 quantile(2, m)\n expect no_warn\n {} Inf", "unexpected warn"},
      {"other warning", "eval instant at 0 quantile(2, m)\n expect warn msg: no\n {} Inf", "expected warn"},
      {"info", "eval instant at 1m rate(m[5m])\n expect no_info", "unexpected info"},
      {"depends on the evaluation time", "eval instant at 1m absent(m offset 1m)\n {} 1", ""},
      {"no expression", "eval instant at 1m", "invalid evaluation command"},
      {"syntax", "eval instant at 1m sum(", "parse error"},
      {"command", "evaluate m", "invalid"},
      {"load", "load x\n m 1", "invalid step definition"},
      {"load series", "load 1m\n m{ 1", "line 2"},
      {"expect", "eval instant at 0 m\n expect nonsense", "invalid expect"},
      {"expect both", "eval instant at 0 m\n expect warn\n expect no_warn", "invalid expect"},
      {"start times alone", "load 1m\n m@st -1m", "no following sample line"},
  };
  for (const Row& row : kRows) {
    BOOST_TEST_CONTEXT(row.what) {
      const ScriptResult result = RunScript(std::string(kLoad) + row.script, "bad.test");
      BOOST_TEST(result.failed == 1u);
      BOOST_TEST_REQUIRE(!result.cases.empty());
      BOOST_TEST(!result.cases.back().passed);
      BOOST_TEST(result.cases.back().message.find(row.message) != std::string::npos, result.cases.back().message);
      BOOST_TEST(result.cases.back().message.starts_with("bad.test:6: "), result.cases.back().message);
    }
  }
}

BOOST_AUTO_TEST_CASE(goes_on_after_a_fault) {
  const ScriptResult result = RunScript("eval nonsense\n {} 1\n\neval instant at 0 1\n 1\n", "x");
  BOOST_TEST(result.failed == 1u);
  BOOST_TEST(result.passed == 1u);
  BOOST_TEST(!RunScriptFile("/nonexistent/file.test").has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace prom::promql
