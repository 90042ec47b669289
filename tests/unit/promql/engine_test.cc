// Queries whose answers were worked out by hand, and the rules that upstream's
// suite does not reach: limits, both modes of name removal, errors by step.
#include <boost/test/unit_test.hpp>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "base/number.h"
#include "base/strings.h"
#include "promql/engine.h"
#include "promql/memory_store.h"
#include "promql/script_load.h"

namespace prom::promql {
namespace {

MemoryStore Load(const std::string& script) {
  MemoryStore store;
  std::vector<std::string> block;
  auto flush = [&] {
    if (block.empty()) return;
    auto done = LoadScriptBlock(block, &store);
    BOOST_TEST_REQUIRE(done.has_value(), (done ? std::string() : done.error().message));
    block.clear();
  };
  for (std::string_view line : Split(script, '\n')) {
    line = TrimSpace(line);
    if (line.starts_with("load")) flush();
    if (!line.empty()) block.emplace_back(line);
  }
  flush();
  return store;
}

EngineOptions Options(bool delayed = false) {
  EngineOptions options;
  options.delayed_name_removal = delayed;
  options.parse.experimental_functions = true;
  return options;
}

// {a="1"} 2 @5000 3 @6000; {a="2"} ...: series in the order of the result.
std::string Text(const Result<QueryResult>& result) {
  if (!result) return "error: " + result.error().message;
  if (result->type == ValueType::kString) return Quote(result->text);
  std::string out;
  for (const ResultSeries& s : result->series) {
    if (!out.empty()) out += "; ";
    if (result->type != ValueType::kScalar) out += s.labels.ToSeries() + " ";
    bool first = true;
    for (const FloatSample& f : s.floats) {
      if (!first) out += " ";
      first = false;
      out += FormatFloatG(f.v);
      if (result->type == ValueType::kMatrix) out += "@" + std::to_string(f.t_ms / 1000);
    }
  }
  return out;
}

std::string Instant(const MemoryStore& store, const std::string& expr, std::int64_t t_s, const EngineOptions& options = Options()) {
  QueryControl control;
  return Text(Engine(options).Instant(store, expr, t_s * 1000, control));
}

std::string Range(const MemoryStore& store, const std::string& expr, std::int64_t start_s, std::int64_t end_s, std::int64_t step_s,
                  const EngineOptions& options = Options()) {
  QueryControl control;
  return Text(Engine(options).Range(store, expr, start_s * 1000, end_s * 1000, step_s * 1000, control));
}

struct Row {
  const char* expr;
  std::int64_t t_s;
  const char* want;
};

void Check(const MemoryStore& store, const std::vector<Row>& rows, const EngineOptions& options = Options()) {
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.expr << " at " << row.t_s) { BOOST_TEST(Instant(store, row.expr, row.t_s, options) == row.want); }
  }
}

BOOST_AUTO_TEST_SUITE(engine)

BOOST_AUTO_TEST_CASE(values_worked_out_by_hand) {
  // c_total: 0 10 20 ... every 15 s. r_total: 100 110 5 15: a restart at 30 s. g: 4 1 NaN 9.
  const MemoryStore store = Load(R"(
    load 15s
      c_total{i="a"} 0+10x40
      c_total{i="b"} 1000+20x40
      r_total 100 110 5 15
      g{k="x"} 4 1 NaN 9
      one 1x40
  )");
  Check(store, {
      {"1 + 2 * 3 ^ 2", 0, "19"},
      {"-2 ^ 2", 0, "-4"},
      {"7 % -3", 0, "1"},
      {"\"text\"", 0, "\"text\""},
      {"c_total", 30, "c_total{i=\"a\"} 20; c_total{i=\"b\"} 1040"},
      {"c_total offset 15s", 30, "c_total{i=\"a\"} 10; c_total{i=\"b\"} 1020"},
      {"c_total @ 45", 7, "c_total{i=\"a\"} 30; c_total{i=\"b\"} 1060"},
      {"c_total[30s]", 30, "c_total{i=\"a\"} 10@15 20@30; c_total{i=\"b\"} 1020@15 1040@30"},
      // 4 samples in (240, 300], 45 s apart in all; the gap of 15 s to the left is filled: 30 * 60/45 / 60.
      {"rate(c_total{i=\"b\"}[1m])", 300, "{i=\"b\"} 1.3333333333333333"},
      {"increase(c_total{i=\"b\"}[1m])", 300, "{i=\"b\"} 80"},
      // 100 110 | 5 15: rise -85 + 110 = 25 over 45 s; left gap 15 s, but zero would be 45*100/25 = 180 s away. 25*60/45.
      {"increase(r_total[1m])", 45, "{} 33.33333333333333"},
      {"delta(r_total[1m])", 45, "{} -113.33333333333333"},
      // A counter that starts at 0 in the window is not extrapolated below it: 30 over 45 s, nothing to the left.
      {"increase(c_total{i=\"a\"}[1m])", 45, "{i=\"a\"} 30"},
      {"irate(r_total[1m])", 30, "{} 0.3333333333333333"},
      {"idelta(r_total[1m])", 30, "{} -105"},
      {"resets(r_total[1m])", 45, "{} 1"},
      {"changes(g[1m])", 45, "{k=\"x\"} 3"},
      {"min_over_time(g[1m])", 45, "{k=\"x\"} 1"},
      {"max_over_time(g[1m])", 45, "{k=\"x\"} 9"},
      {"count_over_time(g[1m])", 45, "{k=\"x\"} 4"},
      {"last_over_time(g[1m])", 45, "g{k=\"x\"} 9"},
      {"sum_over_time(c_total{i=\"a\"}[1m])", 45, "{i=\"a\"} 60"},
      {"avg_over_time(c_total{i=\"a\"}[1m])", 45, "{i=\"a\"} 15"},
      {"stddev_over_time(r_total[30s])", 45, "{} 5"},
      {"quantile_over_time(0.5, c_total{i=\"a\"}[1m])", 45, "{i=\"a\"} 15"},
      {"deriv(c_total{i=\"a\"}[1m])", 45, "{i=\"a\"} 0.6666666666666666"},
      {"sum(c_total)", 30, "{} 1060"},
      {"avg(c_total)", 30, "{} 530"},
      {"max by (i) (c_total)", 30, "{i=\"a\"} 20; {i=\"b\"} 1040"},
      {"count without (i) (c_total)", 30, "{} 2"},
      {"stdvar(c_total)", 30, "{} 260100"},
      {"quantile(0.25, c_total)", 30, "{} 275"},
      {"topk(1, c_total)", 30, "c_total{i=\"b\"} 1040"},
      {"bottomk(1, c_total)", 30, "c_total{i=\"a\"} 20"},
      {"count_values(\"v\", one)", 30, "{v=\"1\"} 1"},
      {"c_total / on (i) c_total", 30, "{i=\"a\"} 1; {i=\"b\"} 1"},
      {"c_total / on () group_left () one", 30, "{i=\"a\"} 20; {i=\"b\"} 1040"},
      {"c_total > 100", 30, "c_total{i=\"b\"} 1040"},
      {"100 < bool c_total", 30, "{i=\"a\"} 0; {i=\"b\"} 1"},
      {"c_total and on () one", 30, "c_total{i=\"a\"} 20; c_total{i=\"b\"} 1040"},
      {"c_total unless on (i) c_total{i=\"a\"}", 30, "c_total{i=\"b\"} 1040"},
      {"c_total{i=\"a\"} or one", 30, "c_total{i=\"a\"} 20; one 1"},
      {"scalar(one) + 1", 30, "2"},
      {"scalar(c_total)", 30, "NaN"},
      {"absent(nothing{a=\"b\", c=~\"d\"})", 30, "{a=\"b\"} 1"},
      {"absent(one)", 30, ""},
      {"label_replace(one, \"to\", \"<$1>\", \"__name__\", \"o(.*)\")", 30, "one{to=\"<ne>\"} 1"},
      {"label_join(c_total{i=\"a\"}, \"to\", \"-\", \"i\", \"i\")", 30, "c_total{i=\"a\", to=\"a-a\"} 20"},
      {"sort_desc(c_total)", 30, "c_total{i=\"b\"} 1040; c_total{i=\"a\"} 20"},
      {"clamp(c_total, 30, 500)", 30, "{i=\"a\"} 30; {i=\"b\"} 500"},
      {"round(vector(2.5)) + round(vector(-2.5))", 0, "{} 1"},
      {"timestamp(one)", 37, "{} 30"},
      {"timestamp(one + 0)", 37, "{} 37"},
      {"hour(vector(1500000000))", 0, "{} 2"},
      {"day_of_week(vector(-86400))", 0, "{} 3"},  // 1969-12-31 was a Wednesday
      {"days_in_month(vector(951782400))", 0, "{} 29"},  // February 2000
      {"year(vector(-62135596801))", 0, "{} 0"},
      // No int64 of seconds: -2^63 on amd64, which upstream's unsigned calendar takes for 2^63, 15:30:08 on Sunday, 4 December.
      {"year(vector(NaN))", 0, "{} 2.92277026596e+11"},
      {"month(vector(Inf))", 0, "{} 12"},
      {"day_of_month(vector(1e300))", 0, "{} 4"},
      {"day_of_week(vector(NaN))", 0, "{} 0"},
      {"hour(vector(-Inf))", 0, "{} 15"},
      {"minute(vector(NaN))", 0, "{} 30"},
      {"max_over_time(c_total{i=\"a\"}[1m:30s])", 45, "{i=\"a\"} 20"},
      {"sum_over_time(vector(1)[1m:10s])", 60, "{} 6"},
  });
}

BOOST_AUTO_TEST_CASE(windows_are_open_on_the_left) {
  const MemoryStore store = Load("load 1m\n m 0+1x10");
  Check(store, {
      {"m", 600 + 299, "m 10"},
      {"m", 600 + 300, ""},  // exactly the lookback away
      {"count_over_time(m[1m])", 120, "{} 1"},
      {"count_over_time(m[1m])", 121, "{} 1"},
      {"count_over_time(m[59s])", 119, ""},
      {"rate(m[1m])", 120, ""},  // one sample is not enough
  });
}

BOOST_AUTO_TEST_CASE(stale_markers) {
  const MemoryStore store = Load("load 1m\n m_total 0 1 stale 3 4\n n 1 stale");
  Check(store, {
      {"m_total", 60, "m_total 1"},
      {"m_total", 120, ""},   // hides the older sample
      {"m_total", 180, "m_total 3"},
      {"count_over_time(m_total[5m])", 240, "{} 4"},  // skipped, not an end
      {"increase(m_total[4m])", 240, "{} 4"},         // 1 to 4 over 180 s, 60 s more to the left
      {"n", 100, ""},
  });
}

BOOST_AUTO_TEST_CASE(range_queries) {
  const MemoryStore store = Load("load 10s\n m{a=\"1\"} 0 1 2 _ _ 5\n m{a=\"0\"} 0x2");
  BOOST_TEST(Range(store, "m", 0, 30, 10) == "m{a=\"0\"} 0@0 0@10 0@20 0@30; m{a=\"1\"} 0@0 1@10 2@20 2@30");
  BOOST_TEST(Range(store, "m @ 10", 0, 20, 10) == "m{a=\"0\"} 0@0 0@10 0@20; m{a=\"1\"} 1@0 1@10 1@20");
  BOOST_TEST(Range(store, "m @ end()", 0, 20, 10) == "m{a=\"0\"} 0@0 0@10 0@20; m{a=\"1\"} 2@0 2@10 2@20");
  BOOST_TEST(Range(store, "time() + 1", 0, 20, 10) == "{} 1@0 11@10 21@20");
  BOOST_TEST(Range(store, "m > 1", 0, 50, 10) == "m{a=\"1\"} 2@20 2@30 2@40 5@50");
  BOOST_TEST(Range(store, "topk(1, m)", 0, 20, 20) == "m{a=\"0\"} 0@0; m{a=\"1\"} 2@20");  // of equal values the first series
  BOOST_TEST(Range(store, "topk(scalar(m{a=\"1\"}), m)", 0, 20, 10) == "m{a=\"0\"} 0@20; m{a=\"1\"} 1@10 2@20");  // k by step
  BOOST_TEST(Range(store, "absent(m{a=\"1\"} > 1)", 0, 20, 10) == "{} 1@0 1@10");
  BOOST_TEST(Range(store, "absent_over_time(m{a=\"1\"}[5s])", 0, 40, 10) == "{a=\"1\"} 1@30 1@40");
  // The last step is the last that fits.
  BOOST_TEST(Range(store, "m{a=\"1\"}", 0, 19, 10) == "m{a=\"1\"} 0@0 1@10");
  BOOST_TEST(Range(store, "m[1m]", 0, 10, 10) ==
             "error: invalid expression type \"range vector\" for range query, must be Scalar or instant Vector");
  BOOST_TEST(Range(store, "\"a\"", 0, 10, 10) == "error: invalid expression type \"string\" for range query, must be Scalar or instant Vector");
}

BOOST_AUTO_TEST_CASE(subquery_steps_are_multiples_of_the_step) {
  const MemoryStore store;
  // Steps of [30s:10s] at 55: 30 40 50; at -55: -80 -70 -60.
  BOOST_TEST(Instant(store, "min_over_time(vector(time())[30s:10s])", 55) == "{} 30");
  BOOST_TEST(Instant(store, "max_over_time(vector(time())[30s:10s])", 55) == "{} 50");
  BOOST_TEST(Instant(store, "min_over_time(vector(time())[30s:10s])", -55) == "{} -80");
  BOOST_TEST(Instant(store, "max_over_time(vector(time())[30s:10s])", -55) == "{} -60");
  BOOST_TEST(Instant(store, "max_over_time(vector(time())[30s:10s] @ 100 offset 3s)", 5) == "{} 90");
  // A step that lies exactly on the open left end does not count.
  BOOST_TEST(Instant(store, "min_over_time(vector(time())[30s:10s])", 60) == "{} 40");
}

BOOST_AUTO_TEST_CASE(equal_labels) {
  // a and b become one label set without their names; they overlap at 0 s only.
  const MemoryStore store = Load("load 10m\n a 1 _ 3\n b 2 4\n c 7");
  const std::string duplicate = "error: vector cannot contain metrics with the same labelset";
  const std::string both = "{__name__=~\"a|b\"}";
  BOOST_TEST(Instant(store, "abs(" + both + ")", 0) == duplicate);
  // Functions of instant vectors look step by step ...
  BOOST_TEST(Range(store, "abs(" + both + ")", 600, 1200, 600) == "{} 4@600 3@1200");
  BOOST_TEST(Range(store, both + " * 2", 600, 1200, 600) == "{} 8@600 6@1200");
  BOOST_TEST(Range(store, "-" + both, 600, 1200, 600) == "{} -4@600 -3@1200");
  BOOST_TEST(Range(store, "label_replace(" + both + ", \"__name__\", \"x\", \"\", \"\")", 600, 1200, 600) == "x 4@600 3@1200");
  // ... those of range vectors at the whole query, unless names go at the end.
  BOOST_TEST(Range(store, "max_over_time(" + both + "[5m])", 600, 1200, 600) == duplicate);
  BOOST_TEST(Range(store, "max_over_time(" + both + "[5m])", 600, 1200, 600, Options(true)) == "{} 4@600 3@1200");
  BOOST_TEST(Range(store, "abs(" + both + ")", 0, 1200, 600, Options(true)) == duplicate);
  // Under delayed removal the name is still there to group by.
  BOOST_TEST(Instant(store, "sum by (__name__) (abs(c))", 0) == "{} 7");
  BOOST_TEST(Instant(store, "sum by (__name__) (abs(c))", 0, Options(true)) == "{} 7");
  BOOST_TEST(Instant(store, "count(abs(" + both + "))", 0, Options(true)) == "{} 2");
  BOOST_TEST(Instant(store, "label_replace(abs(c), \"__name__\", \"d\", \"__name__\", \"c\")", 0, Options(true)) == "d 7");
}

BOOST_AUTO_TEST_CASE(matching_errors) {
  const MemoryStore store = Load("load 1m\n l{a=\"1\", b=\"1\"} 1x9\n l{a=\"1\", b=\"2\"} 2x9\n r{a=\"1\", c=\"1\"} 3x9\n r{a=\"1\", c=\"2\"} _ 4x9");
  BOOST_TEST(Instant(store, "l + on (a) r", 0) ==
             "error: multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)");
  BOOST_TEST(Instant(store, "l + on (a) group_left () r", 0) == "{a=\"1\", b=\"1\"} 4; {a=\"1\", b=\"2\"} 5");
  BOOST_TEST(Instant(store, "l + on (a) group_left (c) r", 0) == "{a=\"1\", b=\"1\", c=\"1\"} 4; {a=\"1\", b=\"2\", c=\"1\"} 5");
  BOOST_TEST(Instant(store, "l + on (a) group_left () r", 60) ==
             "error: found duplicate series for the match group {a=\"1\"} on the right hand-side of the operation: "
             "[{__name__=\"r\", a=\"1\", c=\"1\"}, {__name__=\"r\", a=\"1\", c=\"2\"}];"
             "many-to-many matching not allowed: matching labels must be unique on one side");
  BOOST_TEST(Instant(store, "r - on (a) group_right () l", 60).find("on the left hand-side") != std::string::npos);
  BOOST_TEST(Instant(store, "l{b=\"1\"} == on (a) group_left (b) r{c=\"9\"}", 60) == "");  // nothing on one side: nothing is checked
  // A group label that the many side needs to stay apart is overwritten.
  BOOST_TEST(Instant(store, "l + on (a) group_left (b) r{c=\"1\"}", 0) ==
             "error: multiple matches for labels: grouping labels must ensure unique matches");
}

BOOST_AUTO_TEST_CASE(annotations) {
  const MemoryStore store = Load("load 1m\n gauge 1+1x9\n b{le=\"x\"} 1x9");
  QueryControl control;
  const Engine engine(Options());
  auto infos = [&](const std::string& expr) {
    auto result = engine.Instant(store, expr, 300'000, control);
    BOOST_TEST_REQUIRE(result.has_value());
    return Join(result->infos, "|") + "#" + Join(result->warnings, "|");
  };
  BOOST_TEST(infos("1 +\n rate(gauge[5m])") ==
             "PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \"gauge\" (2:7)#");
  BOOST_TEST(infos("quantile(2, gauge)") == "#PromQL warning: quantile value should be between 0 and 1, got 2 (1:10)");
  BOOST_TEST(infos("histogram_quantile(0.5, b)") == "#PromQL warning: bucket label \"le\" is missing or has a malformed value of \"x\" (1:25)");
  BOOST_TEST(infos("gauge") == "#");
}

BOOST_AUTO_TEST_CASE(limits) {
  const MemoryStore store = Load("load 1m\n m{a=\"1\"} 0+1x100\n m{a=\"2\"} 0+1x100\n m{a=\"3\"} 0+1x100");
  const std::string too_many = "error: query processing would load too many samples into memory in query execution";
  EngineOptions options = Options();
  options.max_samples = 150;
  BOOST_TEST(Range(store, "m", 0, 6000, 60, options) == too_many);                    // the result
  BOOST_TEST(Range(store, "topk(1, m)", 0, 6000, 60, options) == too_many);           // the input
  BOOST_TEST(Range(store, "sum(m)", 0, 6000, 3600, options) == "{} 0@0 180@3600");    // series by series
  BOOST_TEST(Instant(store, "max_over_time(m[2h])", 6000, options) == "{a=\"1\"} 100; {a=\"2\"} 100; {a=\"3\"} 100");
  options.max_samples = 100;
  BOOST_TEST(Instant(store, "max_over_time(m[2h])", 6000, options) == too_many);      // one series of 101 samples
  // Refused before anything is allocated: 10 years in milliseconds.
  BOOST_TEST(Instant(store, "max_over_time(m[10y:1ms])", 6000) == too_many);
  BOOST_TEST(Range(store, "1", 0, 4'000'000'000, 1) == too_many);

  options = Options();
  options.timeout_ms = 0;
  BOOST_TEST(Instant(store, "m", 0, options) == "error: query timed out in expression evaluation");
  QueryControl control;
  control.canceled = true;
  BOOST_TEST(Text(Engine(Options()).Instant(store, "m", 0, control)) == "error: query was canceled in query execution");
}

BOOST_AUTO_TEST_CASE(extreme_times_do_not_overflow) {
  const MemoryStore store = Load("load 1m\n m 1x9");
  for (const char* expr : {"m @ 9223372036854775", "m @ -9223372036854775", "rate(m[5m] @ 9223372036854775 offset -290y)",
                           "max_over_time(m[1h:1m] @ -9223372036854775 offset 290y)", "m offset -290y", "timestamp(m @ 9223372036854775)"}) {
    BOOST_TEST_CONTEXT(expr) { BOOST_TEST(Instant(store, expr, 0) == ""); }
  }
}

BOOST_AUTO_TEST_CASE(statistics_and_plan) {
  const MemoryStore store = Load("load 1m\n m_total{a=\"1\"} 0+1x10\n m_total{a=\"2\"} 0+1x10");
  QueryControl control;
  const Engine engine(Options());
  auto result = engine.Range(store, "sum(rate(m_total[5m]))", 0, 600'000, 60'000, control);
  BOOST_TEST_REQUIRE(result.has_value());
  BOOST_TEST(result->stats.samples_read == 22);
  BOOST_TEST(result->stats.series_read == 2);
  auto plan = engine.Explain("sum by (a) (rate(m_total[5m])) > 2", 0, 600'000, 60'000);
  BOOST_TEST_REQUIRE(plan.has_value());
  BOOST_TEST(*plan ==
             "unique labels\n"
             "  vector > scalar\n"
             "    sum by (a), series by series\n"
             "      unique labels\n"
             "        rate over 300000 ms, {__name__=\"m_total\"} from -299999 to 600000 ms\n"
             "    2\n");
}

// A series without a partner is not read, but for one of each metric, whose annotations are upstream's for all of them.
BOOST_AUTO_TEST_CASE(joins_read_what_has_a_partner) {
  std::string script = "load 1m\n few{a=\"7\"} 1x10\n";
  for (int i = 0; i < 50; ++i) script += " gauge{a=\"" + std::to_string(i) + "\"} 0+1x10\n";
  const MemoryStore store = Load(script);
  struct Row { const char* expr; std::int64_t series_read; std::size_t results; };
  const Row rows[] = {
      {"rate(gauge[5m]) and on (a) few", 2, 1},            // few and gauge 7
      {"rate(gauge[5m]) and on (a) (few > 1)", 2, 0},      // few and one gauge
      {"few and on (a) rate(gauge[5m])", 2, 1},
      {"few unless on (a) rate(gauge[5m])", 2, 0},         // few is taken away: it is the one read for annotations, too
      {"rate(gauge[5m]) unless on (a) few", 50, 49},
      {"rate(gauge[5m]) * on (a) few", 2, 1},
      {"few * on (a) group_right () rate(gauge[5m])", 2, 1},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.expr) {
      QueryControl control;
      const auto result = Engine(Options()).Range(store, row.expr, 300'000, 540'000, 60'000, control);
      BOOST_TEST_REQUIRE(result.has_value());
      BOOST_TEST(result->series.size() == row.results);
      BOOST_TEST(result->stats.series_read == row.series_read);
      BOOST_TEST_REQUIRE(result->infos.size() == 1u);
      BOOST_TEST(result->infos[0].find("metric might not be a counter") != std::string::npos);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace prom::promql
