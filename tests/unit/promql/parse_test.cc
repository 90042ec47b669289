#include "promql/parse.h"

#include <boost/test/unit_test.hpp>

#include <limits>

#include "../../testing.h"
#include "promql/ast_walk.h"
#include "promql/print.h"

namespace prom::promql {
namespace {

std::string Repeat(std::string_view s, std::size_t n) {
  std::string out;
  out.reserve(s.size() * n);
  for (std::size_t i = 0; i < n; ++i) out += s;
  return out;
}

std::string ErrorOf(std::string_view input, const ParseOptions& options = {}) {
  const auto e = ParseExpr(input, options);
  return e ? "parsed" : e.error().message;
}

ExprPtr Parse(std::string_view input, const ParseOptions& options = {}) {
  auto e = ParseExpr(input, options);
  BOOST_TEST_REQUIRE(bool(e), input << ": " << (e ? "" : e.error().message));
  return std::move(*e);
}

BOOST_AUTO_TEST_CASE(parse_error_positions) {
  struct Row { const char* in; const char* want; };
  // Lines and columns count from 1, columns in bytes; texts are upstream's.
  static const Row kRows[] = {
      {"", "unknown position: parse error: no expression found in input"},
      {"# nothing\n", "1:1: parse error: no expression found in input"},
      {"(1))", "1:5: parse error: unexpected right parenthesis ')'"},
      {"foo +\n  \"\xc3\xa9\" *\n  )", "3:4: parse error: unexpected right parenthesis ')'"},
      {"foo{\n  \"\xc3\xa9\"=~5}", "2:9: parse error: unexpected character inside braces: '5'"},
      {"a\n\n== =", "3:4: parse error: unexpected \"=\""},
      {"a{b=~\"c(d\"}", "1:3: parse error: error parsing regexp: missing closing ): `c(d`"},
      {"a{b!~\"*\"}", "1:3: parse error: error parsing regexp: missing argument to repetition operator: `*`"},
  };
  for (const auto& row : kRows) BOOST_TEST_CONTEXT("in=" << row.in) BOOST_TEST(ErrorOf(row.in) == row.want);
}

BOOST_AUTO_TEST_CASE(parse_features_must_be_enabled) {
  const ParseOptions none{.experimental_functions = false, .duration_expressions = false, .extended_ranges = false, .fill_modifiers = false};
  struct Row { const char* in; const char* want; };
  static const Row kRows[] = {
      {"info(x)", "1:1: parse error: function \"info\" is not enabled"},
      {"1 + step()", "1:5: parse error: function \"step\" is not enabled"},
      {"sort_by_label(x, \"a\")", "1:1: parse error: function \"sort_by_label\" is not enabled"},
      {"limitk(1, x)", "1:1: parse error: limitk() is experimental and must be enabled with --enable-feature=promql-experimental-functions"},
      {"foo[5m*2]", "1:5: parse error: experimental duration expression is not enabled"},
      {"foo offset step()", "1:12: parse error: experimental duration expression is not enabled"},
      {"foo anchored", "1:1: parse error: anchored modifier is experimental and not enabled"},
      {"rate(foo[5m] smoothed)", "1:6: parse error: smoothed modifier is experimental and not enabled"},
      {"a + fill(0) b", "1:1: parse error: binop fill modifiers are experimental and not enabled"},
  };
  constexpr ParseOptions kAll{.experimental_functions = true, .duration_expressions = true, .extended_ranges = true, .fill_modifiers = true};
  for (const auto& row : kRows) BOOST_TEST_CONTEXT("in=" << row.in) {
      BOOST_TEST(ErrorOf(row.in, none) == row.want);
      BOOST_TEST(ErrorOf(row.in, kAll) == "parsed");
    }
  // What 3.14 has on by default.
  BOOST_TEST(ErrorOf("foo[5m*2]") == "parsed");
  BOOST_TEST(ErrorOf("first_over_time(foo[5m])") == "parsed");
}

BOOST_AUTO_TEST_CASE(parse_numbers) {
  struct Row { const char* in; double want; };
  static const Row kRows[] = {{"0755", 493}, {"0x8f", 143}, {"1_000", 1000}, {"089", 89}, {"1h30m", 5400}, {"-5m", -300}, {"1ms", 0.001},
                              {"1_0.5_0", 10.5}, {"9223372036854775808", 9223372036854775808.0}, {"1e308", 1e308}, {"1e-400", 0},
                              {"inf", std::numeric_limits<double>::infinity()}, {"0", 0}, {"00", 0}};
  for (const auto& row : kRows) BOOST_TEST_CONTEXT("in=" << row.in) {
      const ExprPtr e = Parse(row.in);
      BOOST_TEST_REQUIRE((e->kind == NodeKind::kNumber));
      BOOST_TEST(As<NumberLiteral>(*e).value == row.want);
    }
  for (const char* in : {"1.5h", "0xABm", "1__0", "0x", "1e", "1m1h", "1h1h", "1e999", "0x1p4", "5mm"}) BOOST_TEST_CONTEXT("in=" << in) BOOST_TEST(!ParseExpr(in));
}

BOOST_AUTO_TEST_CASE(parse_strings) {
  struct Row { const char* in; const char* want; };
  static const Row kRows[] = {{R"("a\n\x41\101\u00e9\"")", "a\nAA\u00e9\""}, {R"('it\'s "ok"')", "it's \"ok\""}, {"`raw\\n\n`", "raw\\n\n"},
                              {"\"\xef\xbf\xbd\"", "\xef\xbf\xbd"}, {"\"\"", ""}};
  for (const auto& row : kRows) BOOST_TEST_CONTEXT("in=" << row.in) {
      const ExprPtr e = Parse(row.in);
      BOOST_TEST_REQUIRE((e->kind == NodeKind::kString));
      BOOST_TEST(As<StringLiteral>(*e).value == row.want);
      BOOST_TEST(*UnquoteString(row.in) == row.want);
    }
  BOOST_TEST(ErrorOf(R"("\ud800")") == "1:1: parse error: escape sequence is an invalid Unicode code point");
  BOOST_TEST(ErrorOf(R"("\400")") == "1:1: parse error: escape sequence is an invalid Unicode code point");
  for (const char* in : {"", "x", "\"", "\"a'", "\"a\nb\"", R"("\q")", "`a`b`"}) BOOST_TEST_CONTEXT("in=" << in) BOOST_TEST(!UnquoteString(in));
}

// The words that name metrics and labels although they mean something elsewhere.
BOOST_AUTO_TEST_CASE(parse_keywords_as_names) {
  for (const char* word : {"and", "or", "unless", "sum", "avg", "count", "min", "max", "group", "stddev", "stdvar", "topk", "bottomk", "count_values",
                           "quantile", "limitk", "limit_ratio", "offset", "smoothed", "anchored", "by", "without", "fill", "fill_left", "fill_right",
                           "start", "end", "step", "range", "max_of", "min_of"}) {
    BOOST_TEST_CONTEXT("word=" << word) {
      const ExprPtr e = Parse(std::string(word) + "{" + word + "=\"x\"}");
      BOOST_TEST_REQUIRE((e->kind == NodeKind::kSelector));
      BOOST_TEST(As<VectorSelector>(*e).name == word);
    }
  }
  for (const char* word : {"bool", "on", "ignoring", "group_left", "group_right", "atan2", "nan", "inf"})
    BOOST_TEST_CONTEXT("word=" << word) {
      const auto e = ParseExpr(word);
      BOOST_TEST((!e || (*e)->kind == NodeKind::kNumber));
      BOOST_TEST(bool(ParseExpr(std::string("{") + word + "=\"x\"}")));
    }
  BOOST_TEST(ToString(*Parse("SUM BY (Bool, AND) (x) OR y AND sum + fill")) == "sum by (Bool, AND) (x) or y and sum + fill");
}

BOOST_AUTO_TEST_CASE(parse_times) {
  const auto time = [](const char* in) { return std::move(As<VectorSelector>(*Parse(in)).time); };
  BOOST_TEST(time("foo @ 3.3335").at_ms == 3334);  // half away from zero
  BOOST_TEST(time("foo @ -1h").at_ms == -3'600'000);
  // Seconds that fit but milliseconds that do not: the end of time, never a wrapped value.
  BOOST_TEST(time("foo @ 9223372036854775000").at_ms == std::numeric_limits<std::int64_t>::max());
  BOOST_TEST(time("foo @ -9223372036854775000").at_ms == std::numeric_limits<std::int64_t>::min());
  BOOST_TEST(ErrorOf("foo @ 1e30") == "1:1: parse error: timestamp out of bounds for @ modifier: 1000000000000000019884624838656.000000");
  BOOST_TEST(time("foo offset 1.5").offset_ms == 1500);
  BOOST_TEST(time("foo offset -1m").offset_ms == -60'000);
  // Less than a millisecond of range or step must not become none: a step of zero means the default.
  const ExprPtr e = Parse("foo[1:0.0001]");
  BOOST_TEST(As<SubqueryExpr>(*e).step_ms == 1);
}

BOOST_AUTO_TEST_CASE(parse_selectors) {
  const auto matchers = ParseMetricSelector("foo{a=~\"b|c\",__name__!=\"x\"}");
  BOOST_TEST_REQUIRE(bool(matchers));
  BOOST_TEST(matchers->size() == 3u);
  BOOST_TEST(matchers->back().ToString() == "__name__=\"foo\"");
  BOOST_TEST(!MatchesOnlyEmpty(*matchers));
  BOOST_TEST(MatchesOnlyEmpty(*ParseMetricSelector("{a=~\".*\"}")));
  BOOST_TEST(MatchesOnlyEmpty(*ParseMetricSelector("{}")));
  BOOST_TEST(ParseMetricSelector("rate(foo[5m])").error().message == "1:5: parse error: unexpected \"(\"");
  BOOST_TEST(ParseMetricSelector("").error().message == "unknown position: parse error: unexpected end of input");
  BOOST_TEST(!ParseMetricSelector("{a=~\"(\"}"));

  const auto labels = ParseMetric("{\"http.requests\", 'b.c'=\"d\", a=`e`,}");
  BOOST_TEST_REQUIRE(bool(labels));
  BOOST_TEST(labels->Get("__name__") == "http.requests");
  BOOST_TEST(labels->Get("b.c") == "d");
  BOOST_TEST(labels->Get("a") == "e");
  BOOST_TEST(ParseMetric("")->empty());
  BOOST_TEST(!ParseMetric("foo{a!=\"b\"}"));
  BOOST_TEST(!ParseMetric("foo{a=\"b\"} 1"));
}

// Inputs that are long in one direction: an answer, in time that grows with the input only.
BOOST_AUTO_TEST_CASE(parse_hostile_input) {
  constexpr std::size_t kMega = 1'000'000;
  struct Row { const char* name; std::string in; bool ok; };
  const Row kRows[] = {
      {"parentheses", Repeat("(", kMega), false},
      {"closed parentheses", Repeat("(", kMega / 2) + "1" + Repeat(")", kMega / 2), false},
      {"signs", Repeat("-", 100'000) + "1", false},
      {"or", "a" + Repeat(" or a", 100'000), false},
      {"power", "2" + Repeat("^2", 100'000), false},
      {"sum(", Repeat("sum(", kMega / 4), false},
      {"calls", Repeat("abs(", kMega / 4), false},
      {"subqueries", "a" + Repeat("[1m:]", 100'000), false},
      {"offsets", "a" + Repeat(" offset 0s", 100'000), true},
      {"arguments", "label_join(x,\"a\",\"b\"" + Repeat(",\"c\"", kMega / 4) + ")", true},
      {"matchers", "a{" + Repeat("b=\"c\",", kMega / 6) + "}", true},
      {"grouping", "sum by (" + Repeat("a,", kMega / 2) + ") (x)", true},
      {"on and group", "a + on (" + Repeat("a,", kMega / 4) + ") group_left (" + Repeat("b,", kMega / 4) + ") c", true},
      {"commas", "sum(" + Repeat(",", kMega) + ")", false},
      {"bad matchers", "a{" + Repeat("b ", kMega / 2) + "}", false},
      {"bad arguments", "abs(" + Repeat("{},", kMega / 3) + "x)", false},
      {"durations", "a[1" + Repeat("+1", 300'000) + "]", false},
      {"nested durations", "a[" + Repeat("(", kMega) + "]", false},
      {"duration calls", "a[" + Repeat("min_of(1,", 100'000) + "]", false},
      {"duration signs", "a[" + Repeat("-", 100'000) + "1]", false},
      {"spaces", Repeat(" ", kMega) + "1", true},
      {"fill names", Repeat("fill ", kMega / 5), false},
      {"comments", Repeat("#\n", kMega / 2) + "1", true},
      {"string", "\"" + std::string(kMega, 'x') + "\"", true},
      {"escapes", "\"" + Repeat("\\x41", kMega / 4) + "\"", true},
      {"digits", std::string(kMega, '9'), false},
      {"identifier", std::string(kMega, 'a'), true},
      {"zero bytes", std::string(kMega, '\0'), false},
      {"invalid bytes", std::string(kMega, '\xff'), false},
      {"braces", Repeat("{", kMega), false},
      {"brackets", Repeat("[", kMega), false},
  };
  for (const auto& row : kRows) {
    BOOST_TEST_CONTEXT(row.name) {
      const double start = testing::CpuSeconds();
      {
        std::vector<ParseIssue> issues;
        const ExprPtr e = ParseExpr(row.in, {}, &issues);
        BOOST_TEST((e != nullptr) == row.ok, (issues.empty() ? "no issue" : issues.front().message));
        BOOST_TEST(issues.size() <= kMaxIssues);
        if (e) BOOST_TEST(!ToString(*e).empty());
      }
      // Quadratic would be minutes. A sanitizer must pass.
      BOOST_TEST(testing::CpuSeconds() - start < 5.0);
    }
  }
}

BOOST_AUTO_TEST_CASE(parse_depth_limits) {
  const auto nested = [](std::size_t n) { return Repeat("(", n) + "a" + Repeat(")", n); };
  Parse(nested(kMaxDepth));
  const auto too_deep = ParseExpr(nested(kMaxDepth + 1));
  BOOST_TEST_REQUIRE(!too_deep);
  BOOST_TEST(too_deep.error().message == "1:1001: parse error: expression is nested too deeply");
  BOOST_TEST((too_deep.error().code == Errc::kLimit));

  // A chain is as high as it has operands. It is copied, printed and freed recursively.
  const ExprPtr chain = Parse("a" + Repeat(" or a", kMaxHeight - 1));
  BOOST_TEST(ToString(*Clone(*chain)) == "a" + Repeat(" or a", kMaxHeight - 1));
  BOOST_TEST(PrettyPrint(*chain).size() > 10'000u);
  BOOST_TEST(ErrorOf("a" + Repeat(" or a", kMaxHeight)) == "1:7498: parse error: expression is nested too deeply");

  // Every construct that nests is bounded, and the worst mixture fits the stack.
  const std::size_t mixed = kMaxHeight / 7 - 1;  // seven levels each
  Parse(Repeat("a or b and c == d + e * -(", mixed) + "f" + Repeat(")", mixed));
  Parse(Repeat("sum(abs(", kMaxDepth / 2) + "f" + Repeat("))", kMaxDepth / 2));
  BOOST_TEST(!ParseExpr(Repeat("1^", kMaxDepth + 1) + "1"));
  Parse("a[1" + Repeat("+(1", kMaxDepth / 2 - 1) + Repeat(")", kMaxDepth / 2 - 1) + "]");
}

BOOST_AUTO_TEST_CASE(parse_function_table) {
  BOOST_TEST(AllFunctions().size() == 90u);
  const FunctionSignature* f = FindFunction("histogram_quantiles");
  BOOST_TEST_REQUIRE(f != nullptr);
  BOOST_TEST(f->experimental);
  BOOST_TEST(FindFunction("Rate") == nullptr);
  BOOST_TEST(FindFunction("holt_winters") == nullptr);

  constexpr ParseOptions kAll{.experimental_functions = true};
  struct Row { const char* in; const char* want; };
  static const Row kRows[] = {
      {"histogram_quantiles(h, \"q\", 0.1)", "parsed"},
      {"histogram_quantiles(h, \"q\", 0,1,2,3,4,5,6,7,8,9)", "parsed"},
      {"histogram_quantiles(h, \"q\", 0,1,2,3,4,5,6,7,8,9,10)",
       "1:1: parse error: expected at most 12 argument(s) in call to \"histogram_quantiles\", got 13"},
      {"histogram_quantiles(h, \"q\")", "1:1: parse error: expected at least 3 argument(s) in call to \"histogram_quantiles\", got 2"},
      {"label_join(x, \"a\", \"b\")", "parsed"},
      {"label_join(x, \"a\", \"b\", 5)", "1:25: parse error: expected type string in call to function \"label_join\", got scalar"},
      {"label_join(x)", "1:1: parse error: expected at least 3 argument(s) in call to \"label_join\", got 1"},
      {"rate(foo)", "1:6: parse error: expected type range vector in call to function \"rate\", got instant vector"},
      {"hour()", "parsed"},
      {"round(x, 5, 6)", "1:1: parse error: expected at most 2 argument(s) in call to \"round\", got 3"},
      {"START()", "1:1: parse error: unknown function with name \"START\""},
  };
  for (const auto& row : kRows) BOOST_TEST_CONTEXT("in=" << row.in) BOOST_TEST(ErrorOf(row.in, kAll) == row.want);
}

BOOST_AUTO_TEST_CASE(parse_types_of_expressions) {
  struct Row { const char* in; ValueType want; };
  static const Row kRows[] = {{"1", ValueType::kScalar}, {"\"a\"", ValueType::kString}, {"a", ValueType::kVector}, {"a[5m]", ValueType::kMatrix},
                              {"a[5m:1m]", ValueType::kMatrix}, {"-(1 + 2)", ValueType::kScalar}, {"1 + a", ValueType::kVector},
                              {"sum(a)", ValueType::kVector}, {"scalar(a) * time()", ValueType::kScalar}, {"vector(1)", ValueType::kVector},
                              {"(a[5m])", ValueType::kMatrix}};
  for (const auto& row : kRows) BOOST_TEST_CONTEXT("in=" << row.in) {
      const ExprPtr e = Parse(row.in);
      BOOST_TEST((e->type() == row.want));
      BOOST_TEST((Clone(*e)->type() == row.want));
    }
}

}  // namespace
}  // namespace prom::promql
