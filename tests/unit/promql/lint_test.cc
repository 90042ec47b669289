#include "promql/lint.h"

#include <boost/test/unit_test.hpp>

#include "../../testing.h"
#include "base/strings.h"
#include "promql/edit.h"
#include "promql/parse.h"
#include "promql/print.h"

using namespace prom;
using namespace prom::promql;

namespace {

ExprPtr Parse(std::string_view text) {
  ParseOptions all;
  all.experimental_functions = all.extended_ranges = all.fill_modifiers = true;
  auto e = ParseExpr(text, all);
  BOOST_TEST_REQUIRE(bool(e), text);
  return std::move(*e);
}

// "name@offset name@offset"
std::string Found(std::string_view text, const LintOptions& options = {}) {
  std::vector<std::string> out;
  for (const LintFinding& f : Lint(*Parse(text), options)) {
    BOOST_TEST(!f.message.empty());
    BOOST_TEST(!f.mend.empty());
    out.push_back(std::string(f.name) + "@" + std::to_string(f.pos.start));
  }
  return Join(out, " ");
}

}  // namespace

BOOST_AUTO_TEST_CASE(lint_findings) {
  struct Row { const char* expr; const char* want; };
  static const Row kRows[] = {
      // Counters and gauges, by name.
      {"rate(http_requests_total[5m])", ""},
      {"sum by (job) (increase(http_requests_total[1h]))", ""},
      {"rate(node_memory_free_bytes[5m])", "rate-of-gauge@0"},
      {"1 + increase(up[5m])", "rate-of-gauge@4"},
      {"rate(things[5m])", "counter-not-total@0"},
      {"rate(job:things:sum[5m])", ""},
      {"http_requests_total", "counter-without-rate@0"},
      {"sum(http_requests_total) > 5", "counter-without-rate@4"},
      {"count(http_requests_total)", ""},
      {"up unless http_requests_total", ""},
      {"resets(http_requests_total[1h])", ""},
      {"max_over_time(http_requests_total[1h])", ""},
      {"delta(http_requests_total[1h])", "gauge-function-of-counter@0"},
      {"deriv(node_memory_free_bytes[1h])", ""},
      {"rate(sum(http_requests_total)[5m:])", "rate-after-aggregation@0"},
      {"max_over_time(sum(rate(x_total[5m]))[1h:])", ""},
      // Quantiles.
      {"histogram_quantile(0.9, sum by (le) (rate(d_bucket[5m])))", ""},
      {"histogram_quantile(0.9, sum by (job) (rate(d_bucket[5m])))", "quantile-without-le@24"},
      {"histogram_quantile(0.9, sum(rate(d_bucket[5m])))", "quantile-without-le@24"},
      {"histogram_quantile(0.9, sum without (le) (rate(d_bucket[5m])))", "quantile-without-le@24"},
      {"histogram_quantile(0.9, sum without (pod) (rate(d_bucket[5m])))", ""},
      {"histogram_quantile(0.9, rate(d_bucket[5m]))", ""},
      {"histogram_quantile(0.9, sum(rate(native[5m])))", "counter-not-total@28"},
      {"avg(rpc_seconds{quantile=\"0.99\"})", "aggregated-quantile@0"},
      // Matching.
      {"sum by (job) (up) / sum by (job) (up)", ""},
      {"sum by (job) (up) / sum(up)", "missing-by@0"},
      {"sum by (job, mode) (up) / on (job) sum by (job) (up)", "many-to-one@0"},
      {"sum by (job, mode) (up) / on (job) group_left sum by (job) (up)", ""},
      {"sum by (mode) (up) / on (job) sum by (job) (up)", "missing-by@0"},
      {"up / sum(up)", "missing-by@0"},
      {"up / scalar(sum(up))", ""},
      {"up * on (job) sum by (job) (up)", "many-to-one@0"},
      {"up * on (instance, job) sum by (instance, job) (up)", ""},
      {"up or vector(0)", ""},
      {"up and on () vector(1)", ""},
      {"sum by (job) (up) > 0.5", ""},
      // Comparisons.
      {"up == 2", "comparison-never-matches@0"},
      {"up == 0.5", "comparison-never-matches@0"},
      {"up == 1", ""},
      {"1 < up", "comparison-never-matches@0"},
      {"count(up) == 0", "comparison-never-matches@0"},
      {"count(up == 1) < 3", ""},
      {"rate(x_total[5m]) < 0", "comparison-never-matches@0"},
      {"sum(rate(x_total[5m])) >= 0", ""},
      {"absent(up) == 0", "comparison-never-matches@0"},
      {"x == NaN", "comparison-never-matches@0"},
      {"x > 5 and x < 3", "comparison-never-matches@0"},
      {"x > 3 and x < 5", ""},
      {"x > 5 or x < 3", ""},
      // Matchers.
      {"up{job=~\"node\"}", "regex-without-pattern@0"},
      {"up{job=~\"node|api\"}", ""},
      {"up{job=~\"^node.*\"}", "regex-anchored@0"},
      {"up{job=~\".*\"}", "matcher-without-effect@0"},
      {"up{job=\"a\",job=\"b\"}", "selector-never-matches@0"},
      {"up{job=~\"a|b\",job=\"c\"}", "selector-never-matches@0"},
      {"up{job=~\"a|b\",job=\"b\"}", ""},
      // Experimental.
      {"sort_by_label(up, \"job\")", "experimental-function@0"},
      {"limitk(3, up)", "experimental-function@0"},
      {"1 > bool 2", ""}, {"\"text\"", ""}, {"vector(1)", ""},
  };
  for (const Row& row : kRows) BOOST_TEST_CONTEXT(row.expr) BOOST_TEST(Found(row.expr) == row.want);
}

// Where the data says what a metric is, its name does not matter.
BOOST_AUTO_TEST_CASE(lint_with_types) {
  LintOptions options;
  options.type_of = [](std::string_view m) -> std::optional<MetricType> {
    if (m == "requests") return MetricType::kCounter;
    if (m == "size_total") return MetricType::kGauge;
    if (m == "mystery_bytes") return MetricType::kUnknown;
    return std::nullopt;
  };
  struct Row { const char* expr; const char* want; };
  static const Row kRows[] = {{"rate(requests[5m])", "counter-not-total@5"}, {"requests", "counter-without-rate@0 counter-not-total@0"}, {"rate(size_total[5m])", "rate-of-gauge@0"},
                              {"size_total", ""}, {"rate(mystery_bytes[5m])", "rate-of-gauge@0"}};
  for (const Row& row : kRows) BOOST_TEST_CONTEXT(row.expr) BOOST_TEST(Found(row.expr, options) == row.want);
}

BOOST_AUTO_TEST_CASE(line_and_column) {
  BOOST_TEST(LineColumnOf("ab\ncd", 0).line == 1u);
  BOOST_TEST(LineColumnOf("ab\ncd", 4).line == 2u);
  BOOST_TEST(LineColumnOf("ab\ncd", 4).column == 2u);
}

BOOST_AUTO_TEST_CASE(edit_matchers) {
  struct Row { const char* in; const char* set; const char* del; const char* want; };
  static const Row kRows[] = {{"rate(a{x=\"1\"}[5m]) / b", "job=\"n\"", "", "rate(a{job=\"n\",x=\"1\"}[5m]) / b{job=\"n\"}"},
                              {"a{job=~\"x.*\"}", "job=\"n\"", "", "a{job=\"n\"}"},
                              {"sum(a{x=\"1\",y=\"2\"})", "", "x", "sum(a{y=\"2\"})"},
                              {"max_over_time(a{x=\"1\"}[1h:1m])", "", "x", "max_over_time(a[1h:1m])"}};
  for (const Row& row : kRows) {
    BOOST_TEST_CONTEXT(row.in) {
      auto e = Parse(row.in);
      if (*row.set != 0) SetMatcher(e.get(), (*ParseMetricSelector("{" + std::string(row.set) + "}"))[0]);
      if (*row.del != 0) DeleteMatchers(e.get(), row.del);
      BOOST_TEST(ToString(*Parse(ToString(*e))) == ToString(*Parse(row.want)));
    }
  }
}
