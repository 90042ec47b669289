#include "promql/output/render.h"

#include <boost/test/unit_test.hpp>

#include <cmath>

#include "../../testing.h"
#include "base/number.h"
#include "base/strings.h"
#include "promql/output/axis.h"
#include "promql/output/graph.h"

using namespace prom;
using namespace prom::promql;

namespace {

ResultSeries Series(Labels labels, std::vector<FloatSample> floats) { return {std::move(labels), std::move(floats), {}}; }

QueryResult Vector(std::vector<ResultSeries> series) {
  QueryResult r;
  r.type = ValueType::kVector;
  r.t_ms = 1500;
  r.series = std::move(series);
  return r;
}

QueryResult Matrix(std::vector<ResultSeries> series) {
  QueryResult r = Vector(std::move(series));
  r.type = ValueType::kMatrix;
  return r;
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> out;
  for (std::string_view line : Split(text, '\n')) out.emplace_back(line);
  if (!out.empty() && out.back().empty()) out.pop_back();
  return out;
}

std::size_t Widest(const std::string& text) {
  std::size_t out = 0;
  for (const std::string& line : Lines(text)) out = std::max(out, DisplayWidth(line));
  return out;
}

const RenderOptions kPlain;

std::string Rendered(const QueryResult& r, OutputForm form, const RenderOptions& options) {
  auto text = RenderResult(r, form, options);
  return text ? *text : "error: " + text.error().message;
}

}  // namespace

BOOST_AUTO_TEST_CASE(forms) {
  for (const char* name : {"table", "json", "jsonl", "csv", "tsv", "prom", "graph"}) BOOST_TEST_CONTEXT(name) BOOST_TEST(bool(ParseOutputForm(name)));
  BOOST_TEST(ParseOutputForm("xml").error().message == "unknown output form \"xml\": want table, json, jsonl, csv, tsv, prom or graph");
}

BOOST_AUTO_TEST_CASE(vector_table) {
  const auto r = Vector({Series({{"__name__", "up"}, {"instance", "caf\xc3\xa9:9100"}}, {{1500, 1}}), Series({{"__name__", "up"}, {"instance", "b"}, {"job", "x"}}, {{1500, 0.25}})});
  BOOST_TEST(Rendered(r, OutputForm::kTable, kPlain) ==
             "METRIC  instance   job  VALUE\n"
             "up      caf\xc3\xa9:9100           1\n"
             "up      b          x     0.25\n");
}

BOOST_AUTO_TEST_CASE(values_of_tables) {
  struct Row { double v; const char* want; };
  static const Row kRows[] = {{1e6, "1000000"}, {123456789012, "123456789012"}, {0.1 + 0.2, "0.3"}, {1e300, "1e+300"}, {-0.5, "-0.5"}, {NAN, "NaN"}, {INFINITY, "+Inf"}, {-INFINITY, "-Inf"}, {1e-9, "1e-09"}};
  for (const Row& row : kRows) {
    QueryResult r = Vector({Series({}, {{0, row.v}})});
    r.type = ValueType::kScalar;
    BOOST_TEST_CONTEXT(row.want) BOOST_TEST(Rendered(r, OutputForm::kTable, kPlain) == std::string(row.want) + "\n");
  }
}

BOOST_AUTO_TEST_CASE(empty_results) {
  for (OutputForm form : {OutputForm::kTable, OutputForm::kGraph}) {
    BOOST_TEST(Rendered(Vector({}), form, kPlain) == "");
    BOOST_TEST(Rendered(Matrix({}), form, kPlain) == "");
  }
  BOOST_TEST(Rendered(Vector({}), OutputForm::kCsv, kPlain) == "timestamp,value\n");
  BOOST_TEST(Rendered(Vector({}), OutputForm::kJson, kPlain) == "{\"resultType\":\"vector\",\"result\":[]}\n");
}

BOOST_AUTO_TEST_CASE(string_results) {
  QueryResult r;
  r.type = ValueType::kString;
  r.t_ms = 1500;
  r.text = "a,\"b\"\tc";
  BOOST_TEST(Rendered(r, OutputForm::kTable, kPlain) == "a,\"b\"\tc\n");
  BOOST_TEST(Rendered(r, OutputForm::kJson, kPlain) == "{\"resultType\":\"string\",\"result\":[1.500,\"a,\\\"b\\\"\\tc\"]}\n");
  BOOST_TEST(Rendered(r, OutputForm::kCsv, kPlain) == "timestamp,value\n1500,\"a,\"\"b\"\"\tc\"\n");
  BOOST_TEST(Rendered(r, OutputForm::kTsv, kPlain) == "timestamp\tvalue\n1500\ta,\"b\"\\tc\n");
}

// CSV as RFC 4180; TSV as its reader must undo it.
BOOST_AUTO_TEST_CASE(delimited) {
  const auto r = Matrix({Series({{"__name__", "m"}, {"path", "a,b\n\"c\""}}, {{1000, 0.1}, {2000, NAN}}), Series({{"path", "t\tab\\"}, {"zone", "x"}}, {{1000, 1e30}})});
  BOOST_TEST(Rendered(r, OutputForm::kCsv, kPlain) ==
             "__name__,path,zone,timestamp,value\n"
             "m,\"a,b\n\"\"c\"\"\",,1000,0.1\n"
             "m,\"a,b\n\"\"c\"\"\",,2000,NaN\n"
             ",t\tab\\,x,1000,1e+30\n");
  BOOST_TEST(Rendered(r, OutputForm::kTsv, kPlain) ==
             "__name__\tpath\tzone\ttimestamp\tvalue\n"
             "m\ta,b\\n\"c\"\t\t1000\t0.1\n"
             "m\ta,b\\n\"c\"\t\t2000\tNaN\n"
             "\tt\\tab\\\\\tx\t1000\t1e+30\n");
}

BOOST_AUTO_TEST_CASE(histograms) {
  auto h = std::make_shared<Histogram>();
  h->count = 3;
  h->sum = 2.5;
  h->positive_spans = {{1, 1}};
  h->positive_buckets = {3};
  QueryResult r = Vector({{Labels{{"__name__", "h"}}, {}, {{1500, h}}}});
  const std::string text = "{\"count\":\"3\",\"sum\":\"2.5\",\"buckets\":[[0,\"1\",\"2\",\"3\"]]}";
  BOOST_TEST(Rendered(r, OutputForm::kTsv, kPlain) == "__name__\ttimestamp\tvalue\nh\t1500\t" + text + "\n");
  BOOST_TEST(Rendered(r, OutputForm::kJson, kPlain) == "{\"resultType\":\"vector\",\"result\":[{\"metric\":{\"__name__\":\"h\"},\"histogram\":[1.500," + text + "]}]}\n");
  BOOST_TEST(Rendered(r, OutputForm::kTable, kPlain).find("h") != std::string::npos);
}

// A table fits its terminal whatever the labels are; what is cut ends in an ellipsis.
BOOST_AUTO_TEST_CASE(tables_fit_the_terminal) {
  std::vector<ResultSeries> series;
  for (int i = 0; i < 3; ++i)
    series.push_back(Series(Labels{{"__name__", "node_filesystem_avail_bytes"}, {"device", "/dev/mapper/volume-group-with-a-long-name"}, {"fstype", "ext4"}, {"instance", "host-with-a-long-name.example.com:9100"},
                                   {"job", "node"}, {"mountpoint", "/var/lib/containers/" + std::to_string(i)}},
                            {{0, 1e10}, {15000, 2e10}}));
  for (int width : {60, 80, 120}) {
    RenderOptions options;
    options.width = width;
    options.fit = true;
    BOOST_TEST_CONTEXT("width=" << width) {
      const std::string instant = Rendered(Vector(series), OutputForm::kTable, options), range = Rendered(Matrix(series), OutputForm::kTable, options);
      BOOST_TEST(Widest(instant) <= static_cast<std::size_t>(width), instant);
      BOOST_TEST(Widest(range) <= static_cast<std::size_t>(width), range);
      BOOST_TEST(instant.find("\xe2\x80\xa6") != std::string::npos, instant);
      BOOST_TEST(instant.find("10000000000") != std::string::npos);  // values are never cut
    }
  }
  // In a pipe nothing is cut.
  BOOST_TEST(Rendered(Vector(series), OutputForm::kTable, kPlain).find("\xe2\x80\xa6") == std::string::npos);
}

// Where room is short, labels that all series share are said once.
BOOST_AUTO_TEST_CASE(narrow_tables_keep_what_differs) {
  std::vector<ResultSeries> series;
  for (int i = 0; i < 2; ++i)
    series.push_back(Series(Labels{{"__name__", "requests_total"}, {"instance", "h" + std::to_string(i) + ":9100"}, {"job", "node"}}, {{0, 1}, {15000, 2}}));
  RenderOptions options;
  options.width = 40;
  options.fit = true;
  const auto lines = Lines(Rendered(Vector(series), OutputForm::kTable, options));
  BOOST_TEST(lines[0] == "METRIC          instance  job   VALUE");  // 37 columns fit
  options.width = 30;  // 31 do not, however short the columns are cut
  const std::string got = Rendered(Vector(series), OutputForm::kTable, options);
  BOOST_TEST(got == "instance  VALUE\nh0:9100       1\nh1:9100       1\n(all: requests_\xe2\x80\xa6l{job=\"node\"})\n", got);
  options.rows = 12;
  options.width = 40;
  const std::string graph = Rendered(Matrix(series), OutputForm::kGraph, options);
  BOOST_TEST(graph.find("{instance=\"h1:9100\"}  last 2") != std::string::npos, graph);
}

BOOST_AUTO_TEST_CASE(control_characters_do_not_reach_the_terminal) {
  const auto r = Vector({Series({{"a", "x\x1b[31mred\ny"}}, {{0, 1}})});
  const std::string got = Rendered(r, OutputForm::kTable, kPlain);
  BOOST_TEST(got.find('\x1b') == std::string::npos);
  BOOST_TEST(Lines(got).size() == 2u, got);
  RenderOptions options;
  const std::string graph = Rendered(Matrix({Series({{"a", "x\x1b[31mred\ny"}}, {{0, 1}, {1000, 2}})}), OutputForm::kGraph, options);
  BOOST_TEST(graph.find('\x1b') == std::string::npos);
}

BOOST_AUTO_TEST_CASE(range_table) {
  const auto r = Matrix({Series({{"__name__", "up"}}, {{0, 1}, {1000, 3}, {2000, 2}})});
  const auto lines = Lines(Rendered(r, OutputForm::kTable, kPlain));
  BOOST_TEST_REQUIRE(lines.size() == 2u);
  BOOST_TEST(lines[0] == "METRIC  SAMPLES  MIN  MAX  LAST");
  BOOST_TEST(lines[1] == "up            3    1    3     2  \xe2\x96\x81\xe2\x96\x88\xe2\x96\x84");  // 1 3 2: lowest, highest, middle
}

BOOST_AUTO_TEST_CASE(sparklines) {
  BOOST_TEST(Sparkline({}, 8) == "");
  BOOST_TEST(Sparkline({{0, 5}, {1, 5}}, 8) == "\xe2\x96\x81\xe2\x96\x81");
  BOOST_TEST(Sparkline({{0, 0}, {1, NAN}, {2, 1}}, 8) == "\xe2\x96\x81 \xe2\x96\x88");
  std::vector<FloatSample> many;
  for (int i = 0; i < 1000; ++i) many.push_back({i, static_cast<double>(i)});
  BOOST_TEST(DisplayWidth(Sparkline(many, 20)) == 20u);
}

BOOST_AUTO_TEST_CASE(graphs) {
  std::vector<FloatSample> up;
  for (int i = 0; i <= 60; ++i) up.push_back({i * 60'000, static_cast<double>(i)});
  RenderOptions options;
  for (int width : {40, 80, 120}) {
    options.width = width;
    const std::string graph = Rendered(Matrix({Series({{"__name__", "m"}}, up)}), OutputForm::kGraph, options);
    const auto lines = Lines(graph);
    BOOST_TEST_CONTEXT("width=" << width << "\n" << graph) {
      BOOST_TEST_REQUIRE(lines.size() == static_cast<std::size_t>(options.height) + 3);
      BOOST_TEST(Widest(graph) <= static_cast<std::size_t>(width));
      BOOST_TEST(lines[0].starts_with("60 ┤"));
      BOOST_TEST(lines[15].starts_with(" 0 ┤"));
      BOOST_TEST(lines[16].find("┬") != std::string::npos);
      BOOST_TEST(lines[17].find(" 00:00 ") != std::string::npos);
      BOOST_TEST(lines[17].ends_with("01:00"));
      BOOST_TEST(lines[18] == "  \xe2\xa3\x80\xe2\xa3\x80 m  last 60");
    }
  }
  // Nothing to draw, and what cannot be drawn.
  BOOST_TEST(RenderGraph(Matrix({Series({}, {{0, NAN}, {1, INFINITY}})}), options) == "");
  BOOST_TEST(!RenderGraph(Matrix({Series({}, {{0, 7}})}), options).empty());
  BOOST_TEST(!RenderGraph(Matrix({Series({}, {{0, -1e308}, {1000, 1e308}})}), options).empty());  // the span overflows a double
  BOOST_TEST(!RenderGraph(Matrix({Series({}, {{0, 5e-324}, {1000, 1e-323}})}), options).empty());
  BOOST_TEST(RenderGraph(Matrix({Series({}, {{0, 1}, {1000, NAN}, {2000, INFINITY}, {3000, 2}})}), options).ends_with("  (2 values are NaN or infinite)\n"));
}

// Of many series the largest are drawn, the first on top of the legend.
BOOST_AUTO_TEST_CASE(graph_of_many_series) {
  std::vector<ResultSeries> many;
  for (int i = 0; i < 25; ++i) many.push_back(Series(Labels{{"n", std::to_string(i)}}, {{0, 1}, {1000, static_cast<double>((i * 7) % 25)}}));
  RenderOptions options;
  auto lines = Lines(RenderGraph(Matrix(many), options));
  BOOST_TEST_REQUIRE(lines.size() == 16u + 2 + 10 + 1);
  BOOST_TEST(lines[18].ends_with("{n=\"7\"}  last 24"));  // 7 * 7 = 49 = 24 mod 25
  BOOST_TEST(lines[28] == "  (the 10 of 25 series with the largest last value)");
  for (int rows : {12, 24, 40}) {
    options.rows = rows;
    BOOST_TEST_CONTEXT("rows=" << rows) BOOST_TEST(Lines(RenderGraph(Matrix(many), options)).size() <= static_cast<std::size_t>(rows));
  }
}

// A graph shows all the time that was asked for, data or not.
BOOST_AUTO_TEST_CASE(graph_of_the_whole_range) {
  RenderOptions options;
  options.start_ms = 0;
  options.end_ms = 3'600'000;
  const auto lines = Lines(RenderGraph(Matrix({Series({}, {{3'540'000, 1}, {3'600'000, 2}})}), options));
  BOOST_TEST(lines[17].find(" 00:00 ") != std::string::npos);
  BOOST_TEST(Sparkline({{3'540'000, 1}, {3'600'000, 2}}, 4, 0, 3'600'000) == "   \xe2\x96\x81");  // both in the last quarter
  BOOST_TEST(Sparkline({{0, 1}, {60'000, 1}, {180'000, 2}}, 10, 0, 180'000) == "\xe2\x96\x81\xe2\x96\x81 \xe2\x96\x88");
}

BOOST_AUTO_TEST_CASE(value_axes) {
  struct Row { double low, high; int most; const char* want; };
  static const Row kRows[] = {{0, 60, 5, "0 20 40 60"},
                              {3, 97, 6, "0 20 40 60 80 100"},
                              {-1, 1, 5, "-1.0 -0.5 0 0.5 1.0"},
                              {0.101, 0.104, 5, "0.101 0.102 0.103 0.104"},
                              {0, 2.1e9, 5, "0 1G 2G 3G"},
                              {1.0e9, 1.004e9, 6, "1.000G 1.001G 1.002G 1.003G 1.004G"},
                              {0, 12000, 4, "0 5k 10k 15k"},
                              {0, 5000, 6, "0 1000 2000 3000 4000 5000"}};
  for (const Row& row : kRows) {
    const ValueAxis axis = MakeValueAxis(row.low, row.high, row.most);
    BOOST_TEST_CONTEXT(row.want) BOOST_TEST(Join(axis.labels, " ") == row.want);
    BOOST_TEST(axis.low <= row.low + 1e-9);
    BOOST_TEST(axis.high >= row.high - 1e-9);
  }
}

BOOST_AUTO_TEST_CASE(time_axes) {
  constexpr std::int64_t kT0 = 1767225600000;  // 2026-01-01T00:00:00Z
  struct Row { std::int64_t from, span; int columns; const char* want; };
  static const Row kRows[] = {{0, 600'000, 100, "00:00 00:01 00:02 00:03 00:04 00:05 00:06 00:07 00:08 00:09 00:10"},
                              {0, 600'000, 20, "00:00 00:05 00:10"},
                              {7'000, 20'000, 70, "00:00:10 00:00:15 00:00:20 00:00:25"},
                              {72'000'000, 28'800'000, 40, "20:00 22:00 00:00 02:00 04:00"},  // crosses midnight
                              {0, 5 * 86'400'000ll, 100, "01-01 12:00 01-02 12:00 01-03 12:00 01-04 12:00 01-05 12:00 01-06"},
                              {0, 60 * 86'400'000ll, 40, "01-01 01-15 01-29 02-12 02-26"}};
  for (const Row& row : kRows) {
    std::vector<std::string> labels;
    for (const TimeTick& t : MakeTimeAxis(kT0 + row.from, kT0 + row.from + row.span, row.columns)) labels.push_back(t.label);
    BOOST_TEST_CONTEXT(row.want) BOOST_TEST(Join(labels, " ") == row.want);
  }
}

// What promstore append takes back: exact values, ms, quoted names, histograms.
BOOST_AUTO_TEST_CASE(exposition_text) {
  auto h = std::make_shared<Histogram>();
  h->count = 3;
  h->sum = 2.5;
  h->positive_spans = {{1, 1}};
  h->positive_buckets = {3};
  ResultSeries s = Series({{"__name__", "m"}, {"path", "a\\b\n\"c\""}}, {{1000, 0.1}, {2000, NormalNan()}});
  s.histograms = {{1500, h}};
  const std::string got = Rendered(Matrix({s}), OutputForm::kExposition, kPlain);
  const auto lines = Lines(got);
  BOOST_TEST_REQUIRE(lines.size() == 3u, got);
  BOOST_TEST(lines[0] == "m{path=\"a\\\\b\\n\\\"c\\\"\"} 0.1 1000");
  BOOST_TEST(lines[1].starts_with("#@histogram m{path="), got);
  BOOST_TEST(lines[2].ends_with(" NaN 2000"), got);
  BOOST_TEST(Rendered(Vector({Series({{"job", "x"}}, {{0, 1}})}), OutputForm::kExposition, kPlain).starts_with("error: series {job=\"x\"} has no metric name"));
}

BOOST_AUTO_TEST_CASE(json_lines) {
  const auto r = Matrix({Series({{"a", "x\ty"}}, {{1000, 1}, {2000, NAN}}), Series({{"a", "z"}}, {{1000, 2}})});
  BOOST_TEST(Rendered(r, OutputForm::kJsonLines, kPlain) ==
             "{\"metric\":{\"a\":\"x\\ty\"},\"values\":[[1,\"1\"],[2,\"NaN\"]]}\n{\"metric\":{\"a\":\"z\"},\"values\":[[1,\"2\"]]}\n");
  BOOST_TEST(Rendered(Vector({Series({}, {{1500, 1}})}), OutputForm::kJsonLines, kPlain) == "{\"metric\":{},\"value\":[1.500,\"1\"]}\n");
}

BOOST_AUTO_TEST_CASE(safe_text) {
  struct Row { const char* in; const char* want; };
  static const Row kRows[] = {{"plain caf\xc3\xa9", "plain caf\xc3\xa9"}, {"\x1b]0;title\x07", "\\x1b]0;title\\x07"}, {"a\nb\tc\rd", "a\\nb\\tc\\rd"},
                              {"\xc2\x9b" "31m", "\\u009b31m"}, {"\xe2\x80\xae" "evil", "\\u202e" "evil"}, {"\xff\xc3", "\\xff\\xc3"}, {"\x7f", "\\x7f"}};
  for (const Row& row : kRows) BOOST_TEST_CONTEXT(row.want) BOOST_TEST(SafeText(row.in) == row.want);
  BOOST_TEST(SafeLines("a\tb\n\x1b[2J") == "a\tb\n\\x1b[2J");
}

BOOST_AUTO_TEST_CASE(display_width) {
  struct Row { const char* in; std::size_t want; };
  static const Row kRows[] = {{"abc", 3}, {"caf\xc3\xa9", 4}, {"cafe\xcc\x81", 4}, {"\xe6\xbc\xa2\xe5\xad\x97", 4}, {"\xf0\x9f\x94\xa5", 2}, {"\xff", 1}, {"\xe2\xa3\x80", 1}};
  for (const Row& row : kRows) BOOST_TEST_CONTEXT(row.in) BOOST_TEST(DisplayWidth(row.in) == row.want);
  BOOST_TEST(CutText("\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97", 5) == "\xe6\xbc\xa2\xe2\x80\xa6\xe5\xad\x97");
}

BOOST_AUTO_TEST_CASE(cut_text) {
  BOOST_TEST(CutText("abcdef", 6) == "abcdef");
  BOOST_TEST(CutText("abcdef", 5) == "ab\xe2\x80\xa6" "ef");
  BOOST_TEST(CutText("abcdef", 4) == "ab\xe2\x80\xa6" "f");
  BOOST_TEST(CutText("abcdef", 1) == "\xe2\x80\xa6");
  BOOST_TEST(CutText("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", 3) == "\xc3\xa9\xe2\x80\xa6\xc3\xa9");
  BOOST_TEST(CutText("", 3) == "");
}
