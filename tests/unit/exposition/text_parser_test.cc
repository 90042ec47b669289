#include "exposition/text_parser.h"

#include <boost/test/unit_test.hpp>

#include <bit>
#include <cstdio>
#include <cstdlib>
#include <random>

#include "base/number.h"
#include "exposition/content_type.h"
#include "exposition/write_text.h"

using namespace prom;
using Entry = TextParser::Entry;

BOOST_AUTO_TEST_CASE(sample_values_equal_strtod) {
  // strtod rounds correctly in glibc; every spelling that exporters print must agree with it.
  std::mt19937_64 random(1);
  char text[64];
  for (int i = 0; i < 20000; ++i) {
    const auto digits = random() >> (random() % 64);
    switch (i % 5) {
      case 0: std::snprintf(text, sizeof text, "%llu", static_cast<unsigned long long>(digits)); break;
      case 1: std::snprintf(text, sizeof text, "%llu.%llu", static_cast<unsigned long long>(digits % 100000), static_cast<unsigned long long>(random() % 10000000)); break;
      case 2: std::snprintf(text, sizeof text, "%.*e", static_cast<int>(random() % 17), static_cast<double>(digits)); break;
      case 3: std::snprintf(text, sizeof text, "-%.17g", std::bit_cast<double>((digits & 0x000fffffffffffffull) | 0x3ff0000000000000ull)); break;
      default: std::snprintf(text, sizeof text, "%llue%d", static_cast<unsigned long long>(digits), static_cast<int>(random() % 60) - 30);
    }
    BOOST_TEST_CONTEXT(text) {
      const auto got = ParseSampleValue(text);
      BOOST_TEST_REQUIRE(got.has_value());
      BOOST_TEST(std::bit_cast<std::uint64_t>(*got) == std::bit_cast<std::uint64_t>(std::strtod(text, nullptr)));
    }
  }
  for (const char* bad : {"", "-", "+", ".", "1.2.3", "1e", "1e+", "0x1p3", "1_0", " 1", "1 ", "one", "1e400", "--1", "1e5000"}) {
    BOOST_TEST_CONTEXT(bad) { BOOST_TEST(!ParseSampleValue(bad)); }
  }
  BOOST_TEST(*ParseSampleValue("1.") == 1.0);
  BOOST_TEST(*ParseSampleValue(".5") == 0.5);
  BOOST_TEST(std::signbit(*ParseSampleValue("-0")));
}

BOOST_AUTO_TEST_CASE(float_labels_as_openmetrics_spells_them) {
  // model/textparse: formatOpenMetricsFloat.
  struct Row {
    double v;
    const char* want;
  };
  static const Row kRows[] = {{0, "0.0"}, {1, "1.0"}, {-1, "-1.0"}, {0.5, "0.5"}, {10, "10.0"}, {1e6, "1e+06"}, {123456, "123456.0"}, {1234567, "1.234567e+06"}, {0.00001, "1e-05"}, {INFINITY, "+Inf"}, {-INFINITY, "-Inf"}};
  for (const auto& row : kRows) BOOST_TEST(FormatOpenMetricsFloat(row.v) == row.want);
  BOOST_TEST(FormatOpenMetricsFloat(NormalNan()) == "NaN");
}

BOOST_AUTO_TEST_CASE(normalization_follows_the_type) {
  const char* page =
      "m{le=\"1\"} 1\n# TYPE m histogram\nm_bucket{le=\"1\",quantile=\"1\"} 1\nm_bucket{le=\"+Inf\"} 1\nm_bucket{le=\"x\"} 1\n"
      "# TYPE s summary\ns{le=\"1\",quantile=\"0.50\"} 1\n# TYPE u untyped\nu{le=\"1\",quantile=\"1\"} 1\n";
  static const char* kWant[] = {"{__name__=\"m\", le=\"1\"}", "{__name__=\"m_bucket\", le=\"1.0\", quantile=\"1\"}", "{__name__=\"m_bucket\", le=\"+Inf\"}",
                                "{__name__=\"m_bucket\", le=\"x\"}", "{__name__=\"s\", le=\"1\", quantile=\"0.5\"}", "{__name__=\"u\", le=\"1\", quantile=\"1\"}"};
  TextParser parser(page, TextFormat::kPrometheus);
  std::size_t i = 0;
  for (auto e = parser.Next(); e != Entry::kEnd; e = parser.Next()) {
    BOOST_TEST_REQUIRE((e != Entry::kError));
    if (e == Entry::kSeries) BOOST_TEST(parser.labels()->ToString() == kWant[i++]);
  }
  BOOST_TEST(i == std::size(kWant));
  // Spellings near the border of what is left as it is; want from Go's strconv and upstream's rule.
  struct Row {
    const char* raw;
    const char* want;
  };
  static const Row kRows[] = {{"0.5", "0.5"}, {"0.50", "0.5"}, {"00.5", "0.5"}, {"10.0", "10.0"}, {"10.00", "10.0"}, {"1.", "1.0"}, {".5", "0.5"},
                              {"0.0001", "0.0001"}, {"0.00001", "1e-05"}, {"0.00", "0.0"}, {"0.0", "0.0"}, {"123456.5", "123456.5"}, {"1234567.5", "1.2345675e+06"},
                              {"0.1234567890123456789", "0.12345678901234568"}, {"1e-3", "0.001"}, {"Inf", "+Inf"}, {"+Inf", "+Inf"}, {"nan", "NaN"},
                              {"1.5.2", "1.5.2"}, {"0.30000000000001", "0.30000000000001"}, {"-1", "-1.0"}, {"0000010.5", "10.5"}};
  for (const auto& row : kRows) {
    const std::string text = "# TYPE m histogram\nm_bucket{le=\"" + std::string(row.raw) + "\"} 1\n";
    TextParser one(text, TextFormat::kPrometheus);
    one.Next();
    BOOST_TEST_REQUIRE((one.Next() == Entry::kSeries));
    BOOST_TEST(one.labels()->Get("le") == row.want);
    BOOST_TEST(one.normalization_applies() == (std::string_view(row.raw) != row.want));
  }
  TextParser off("# TYPE m histogram\nm_bucket{le=\"1\"} 1\n", TextFormat::kPrometheus, {.normalize_float_labels = false});
  off.Next();
  off.Next();
  BOOST_TEST(off.labels()->Get("le") == "1");
}

BOOST_AUTO_TEST_CASE(names_must_be_utf8) {
  for (const char* page : {"{\"a\xff\"} 1\n", "{\"a\",\"b\xff\"=\"c\"} 1\n"}) {
    TextParser parser(page, TextFormat::kPrometheus);
    BOOST_TEST_REQUIRE((parser.Next() == Entry::kSeries));
    const auto labels = parser.labels();
    BOOST_TEST_REQUIRE(!labels);
    BOOST_TEST(labels.error().message.starts_with("invalid metric name or label names: {"));
  }
}

BOOST_AUTO_TEST_CASE(escapes) {
  BOOST_TEST([] { std::string s; AppendUnescaped(&s, "a\\\\b\\nc\\\"d\\x\\", true); return s; }() == "a\\b\nc\"d\\x\\");
  BOOST_TEST([] { std::string s; AppendUnescaped(&s, "a\\\"b\\\\n", false); return s; }() == "a\\\"b\\n");
}

BOOST_AUTO_TEST_CASE(what_the_writer_prints_the_parser_reads) {
  std::string page;
  TextWriter out(&page);
  out.Family("plain", "Help with \\ and\nnewline \"quotes\".", "gauge");
  out.Sample("plain", {}, 1.5);
  out.Sample("plain", {{"a", "x\"y\\z\nw"}, {"b.c", "ü"}}, 1e21);
  out.Family("with.dot", "Quoted.", "counter");
  out.Sample("with.dot", {{"l", "v"}}, INFINITY);
  BOOST_TEST(page ==
             "# HELP plain Help with \\\\ and\\nnewline \"quotes\".\n# TYPE plain gauge\nplain 1.5\n"
             "plain{a=\"x\\\"y\\\\z\\nw\",\"b.c\"=\"ü\"} 1e+21\n"
             "# HELP \"with.dot\" Quoted.\n# TYPE \"with.dot\" counter\n{\"with.dot\",l=\"v\"} +Inf\n");
  TextParser parser(page, TextFormat::kPrometheus);
  BOOST_TEST((parser.Next() == Entry::kHelp));
  BOOST_TEST(parser.text() == "Help with \\ and\nnewline \"quotes\".");
  BOOST_TEST((parser.Next() == Entry::kType));
  BOOST_TEST((parser.Next() == Entry::kSeries));
  BOOST_TEST((parser.Next() == Entry::kSeries));
  BOOST_TEST(parser.labels()->Get("a") == "x\"y\\z\nw");
  BOOST_TEST(parser.labels()->Get("b.c") == "ü");
  BOOST_TEST((parser.Next() == Entry::kHelp));
  BOOST_TEST(parser.metric() == "with.dot");
  BOOST_TEST((parser.Next() == Entry::kType));
  BOOST_TEST((parser.Next() == Entry::kSeries));
  BOOST_TEST(parser.labels()->metric_name() == "with.dot");
  BOOST_TEST((parser.Next() == Entry::kEnd));
}

BOOST_AUTO_TEST_CASE(content_types) {
  struct Row {
    const char* header;
    const char* fallback;
    const char* want;  // format, or error; a bar separates a warning
  };
  // model/textparse/interface_test.go and, for the texts behind the newline, Go's mime package.
  static const Row kRows[] = {
      {"text/plain", "", "text"},
      {"text/plain; version=0.0.4; charset=utf-8", "", "text"},
      {"Text/Plain;version=1.0.0;escaping=allow-utf-8", "", "text"},
      {"application/openmetrics-text; version=1.0.0; charset=utf-8", "", "om"},
      {"application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited", "", "proto"},
      {"application/openmetrics-text;", "", "om"},
      {"", "", "non-compliant scrape target sending blank Content-Type and no fallback_scrape_protocol specified for target"},
      {"", "text/plain", "text|non-compliant scrape target sending blank Content-Type, using fallback_scrape_protocol \"text/plain\""},
      {"text/html", "", "received unsupported Content-Type \"text/html\" and no fallback_scrape_protocol specified for target"},
      {"text/html", "application/openmetrics-text", "om|received unsupported Content-Type \"text/html\", using fallback_scrape_protocol \"application/openmetrics-text\""},
      {"text/html; charset=", "", "cannot parse Content-Type \"text/html; charset=\" and no fallback_scrape_protocol for target\nmime: invalid media parameter"},
      {"text plain", "", "cannot parse Content-Type \"text plain\" and no fallback_scrape_protocol for target\nmime: expected slash after first token"},
      {"; a=b", "text/plain", "text|could not parse received Content-Type \"; a=b\", using fallback_scrape_protocol \"text/plain\"\nmime: no media type"},
      {"text/plain; a=1; a=2", "", "cannot parse Content-Type \"text/plain; a=1; a=2\" and no fallback_scrape_protocol for target\nmime: duplicate parameter name"},
      {"text/plain; a=\"x;y\"", "", "text"},
  };
  for (const auto& row : kRows) {
    BOOST_TEST_CONTEXT("header=" << row.header) {
      const auto got = ChooseFormat(row.header, row.fallback);
      std::string text;
      if (!got) {
        text = got.error().message;
      } else {
        text = got->format == ScrapeFormat::kPrometheusText ? "text" : got->format == ScrapeFormat::kOpenMetricsText ? "om" : "proto";
        if (!got->warning.empty()) text += "|" + got->warning;
      }
      BOOST_TEST(text == row.want);
    }
  }
}
