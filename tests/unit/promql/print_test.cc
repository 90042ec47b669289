#include "promql/print.h"

#include <boost/test/unit_test.hpp>

#include "promql/ast_walk.h"
#include "promql/parse.h"

namespace prom::promql {
namespace {

constexpr ParseOptions kAll{.experimental_functions = true, .duration_expressions = true, .extended_ranges = true, .fill_modifiers = true};

ExprPtr Parse(std::string_view input) {
  auto e = ParseExpr(input, kAll);
  BOOST_TEST_REQUIRE(bool(e), input << ": " << (e ? "" : e.error().message));
  return std::move(*e);
}

// Forms that upstream's own printer cases leave out. Numbers are strconv's 'f' and %v.
BOOST_AUTO_TEST_CASE(print_forms) {
  struct Row { const char* in; const char* want; };
  static const Row kRows[] = {
      {"9223372036854775808", "9223372036854776000"},
      {"-Inf + NaN", "-Inf + NaN"},
      {"1e-7", "0.0000001"},
      {"57ms", "57ms"},
      {"1h30m * -5m", "1h30m * -5m"},
      {"a + fill(1000000) b", "a + fill (1e+06) b"},
      {"a + fill_right(2) fill_left(1) b", "a + fill_left (1) fill_right (2) b"},
      {"a offset 169h", "a offset 7d1h"},
      {"a[14d]", "a[2w]"},
      {"a[365d]", "a[1y]"},
      {"a[90s] offset -90s @ 1.5", "a[1m30s] @ 1.500 offset -1m30s"},
      {"a{z=\"1\",b=~\"2\",a!=\"3\"}", "a{a!=\"3\",b=~\"2\",z=\"1\"}"},
      {"h </ 5 >/ 1", "h </ 5 >/ 1"},
      {"COUNT_VALUES WITHOUT () (\"v\", a)", "count_values without () (\"v\", a)"},
      {"\"tab\\t\\x00\\u00ad\xc3\xa9\"", "\"tab\\t\\x00\\u00ad\xc3\xa9\""},
      // Upstream's text of these does not parse, or not to the same tree.
      {"Inf ^ 2", "Inf ^ 2"},
      {"info(a, {})", "info(a, {})"},
      {"a offset -+1 + 1", "a offset (-1 + 1)"},
      {"a offset -+1 ^ 2", "a offset (-1 ^ 2)"},
      {"a offset -1 + 1", "a offset -1s + 1"},
      {"a offset -(1 + 1)", "a offset -(1 + 1)"},
      {"a offset +(1 + 1) + 1", "a offset +(1 + 1) + 1"},
      {"a offset (1 + 1) == 1", "a offset (1 + 1) == 1"},
      {"(a offset +(1 + 1)) + 1", "(a offset (1 + 1)) + 1"},
      {"a offset (1) @ 3 * 2", "a @ 3.000 offset +(1) * 2"},
      {"a offset -+1 + 1 @ 3 / 2", "a @ 3.000 offset +(-1 + 1) / 2"},
      {"1 ^ a offset +(1) ^ 2", "1 ^ a offset +(1) ^ 2"},
      {"-a offset +(1) - b offset +(1) > c offset +(1)", "-a offset +(1) - b offset (1) > c offset (1)"},
      {"sum(a offset +(1)) + 1", "sum(a offset (1)) + 1"},
  };
  for (const auto& row : kRows) BOOST_TEST_CONTEXT("in=" << row.in) {
      const ExprPtr e = Parse(row.in);
      BOOST_TEST(ToString(*e) == row.want);
      BOOST_TEST(ToString(*Parse(row.want)) == row.want);
      BOOST_TEST(ToString(*Clone(*e)) == row.want);
    }
}

BOOST_AUTO_TEST_CASE(print_pretty_breaks_at_100) {
  const std::string name(40, 'm');
  const std::string fits = "sum by (job) (" + name + " / " + name + ")";  // 14 + 40 + 3 + 40 + 1 = 98
  BOOST_TEST(PrettyPrint(*Parse(fits)) == fits);
  BOOST_TEST(PrettyPrint(*Parse("sum by (job, a) (" + name + " / " + name + ")")) == "sum by (job, a) (\n  " + name + " / " + name + "\n)");
}

BOOST_AUTO_TEST_CASE(print_short_text) {
  struct Row { const char* in; const char* want; };
  static const Row kRows[] = {{"sum by (a) (x)", "sum by (a)"}, {"a / on (b) group_left (c) d", "/ on (b) group_left (c)"}, {"rate(a[5m])", "rate"},
                              {"a[1h:5m] offset 1m", "[1h:5m] offset 1m"}, {"-a", "-"}, {"a{b=\"c\"}", "a{b=\"c\"}"}};
  for (const auto& row : kRows) BOOST_TEST_CONTEXT("in=" << row.in) BOOST_TEST(ShortText(*Parse(row.in)) == row.want);
}

BOOST_AUTO_TEST_CASE(walk_visits_parents_first) {
  std::string seen;
  Walk(*Parse("topk(2, a + rate(b[5m])) + delta((-c)[1h:1m])"), [&](const Expr& e) {
    static constexpr const char* kNames[] = {"number", "string", "selector", "matrix", "subquery", "aggregate", "binary", "unary", "call", "paren"};
    seen += std::string(seen.empty() ? "" : " ") + kNames[static_cast<int>(e.kind)];
  });
  BOOST_TEST(seen == "binary aggregate binary selector call matrix selector number call subquery paren unary selector");
}

BOOST_AUTO_TEST_CASE(walk_slots_replace) {
  const ExprPtr e = Parse("abs(a) + b");
  ForEachChildSlot(*e, [](ExprPtr& child) {
    if (child->kind == NodeKind::kCall) child = std::move(As<CallExpr>(*child).args[0]);
  });
  BOOST_TEST(ToString(*e) == "a + b");
}

}  // namespace
}  // namespace prom::promql
