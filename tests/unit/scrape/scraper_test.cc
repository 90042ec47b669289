#include "scrape/scraper.h"

#include <boost/test/unit_test.hpp>

#include <array>

#include "collect_sink.h"

using namespace prom;
using namespace prom::scrape;

namespace {

constexpr const char* kText = "text/plain; version=0.0.4";
using Samples = std::map<std::string, std::string>;

struct Fixture {
  explicit Fixture(const std::string& yaml = "") : metrics(registry) {
    auto c = config::ParseConfig("scrape_configs:\n- job_name: j\n" + yaml, "test.yml");
    BOOST_TEST_REQUIRE(bool(c), (c ? "" : c.error().message));
    auto shared = std::make_shared<const config::ScrapeConfig>(c->scrape_configs.at(0));
    auto target = MakeTarget(*shared, Labels{{"__address__", "h:1"}}, {}, nullptr);
    scraper = std::make_unique<Scraper>(shared, **target, output, metrics);
  }
  ScrapeReport Page(std::string text, const char* type = kText) {
    t += 1000;
    const std::size_t size = text.size();
    return scraper->Scrape(t, 0.5, {}, type, &text, size);
  }
  ScrapeReport Broken() {
    t += 1000;
    std::string none;
    return scraper->Scrape(t, 0.5, Error{Errc::kUnavailable, "refused"}, "", &none, 0);
  }
  Metrics registry;
  ScrapeMetrics metrics;
  testing::CollectSink sink;
  SinkOutput output{sink};
  std::unique_ptr<Scraper> scraper;
  std::int64_t t = 0;
};

const std::string kTail = "{instance=\"h:1\", job=\"j\"}";

}  // namespace

BOOST_AUTO_TEST_CASE(rows_and_report) {
  Fixture f;
  const ScrapeReport report = f.Page("# HELP a A metric.\n# TYPE a counter\na 1\nb{x=\"1\"} 2\n");
  BOOST_TEST(report.error == "");
  BOOST_TEST(report.samples == 2u);
  BOOST_TEST(report.added == 2u);
  BOOST_TEST((f.sink.metadata["a"] == Metadata{MetricType::kCounter, "A metric.", ""}));
  const Samples all = f.sink.Take(true);
  BOOST_TEST(all.at("a" + kTail) == "1");
  BOOST_TEST(all.at("b{instance=\"h:1\", job=\"j\", x=\"1\"}") == "2");
  BOOST_TEST(all.at("up" + kTail) == "1");
  BOOST_TEST(all.at("scrape_duration_seconds" + kTail) == "0.5");
  BOOST_TEST(all.at("scrape_samples_scraped" + kTail) == "2");
  BOOST_TEST(all.at("scrape_samples_post_metric_relabeling" + kTail) == "2");
  BOOST_TEST(all.at("scrape_series_added" + kTail) == "2");
  BOOST_TEST(f.Page("a 1\nb{x=\"1\"} 3\nc 4\n").added == 1u);
  BOOST_TEST(f.sink.commits == 2);
  BOOST_TEST(f.sink.last_t == 2000);
}

BOOST_AUTO_TEST_CASE(stale_markers) {
  Fixture f;
  f.Page("a 1\nb 2\n");
  f.sink.Take();
  f.Page("b 2\n");
  BOOST_TEST((f.sink.Take() == Samples{{"a" + kTail, "stale"}, {"b" + kTail, "2"}}));
  f.Page("b 2\n");
  BOOST_TEST((f.sink.Take() == Samples{{"b" + kTail, "2"}}));  // one marker is enough
  f.Broken();
  BOOST_TEST((f.sink.Take() == Samples{{"b" + kTail, "stale"}}));
  f.Broken();
  Samples report = f.sink.Take(true);
  BOOST_TEST(report.at("up" + kTail) == "0");
  BOOST_TEST(report.size() == 5u);
  const ScrapeReport back = f.Page("a 1\nb 2\n");
  BOOST_TEST(back.added == 1u);  // b was on the last page that worked
  f.sink.Take();
  BOOST_TEST(bool(f.scraper->End(9000)));
  Samples ended = f.sink.Take(true);
  BOOST_TEST(ended.size() == 7u);
  for (const auto& [series, value] : ended) BOOST_TEST(value == "stale");
}

BOOST_AUTO_TEST_CASE(a_bad_page_fails_whole) {
  Fixture f;
  f.Page("a 1\n");
  f.sink.Take();
  const ScrapeReport report = f.Page("a 2\nb{ 3\n");
  BOOST_TEST(report.error.starts_with("line 2, column 4: "));
  BOOST_TEST((f.sink.Take() == Samples{{"a" + kTail, "stale"}}));
  BOOST_TEST(f.Page("a 3\n", "application/x-unknown").error != "");
  BOOST_TEST(f.Page("a 3\n").error == "");
}

// What upstream's scrape loop reports: it counts line by line and stops at the first that fails the scrape.
BOOST_AUTO_TEST_CASE(counts_of_scrapes) {
  struct Row {
    const char* what;
    const char* yaml;
    std::vector<std::pair<std::string, std::array<std::size_t, 3>>> pages;  // samples, after relabelling, added
    const char* error = "";  // of the last page
  };
  const std::string drop = "  metric_relabel_configs: [{source_labels: [__name__], regex: 'drop.*', action: drop}]\n";
  const Row rows[] = {
      {"read before a parse error", drop.c_str(), {{"a 1\ndrop_me 1\nb 2\nc{ 3\nd 4\n", {3, 2, 2}}}, "line 4"},
      {"the same when lines are predicted", drop.c_str(), {{"a 1\ndrop_me 1\nb 2\n", {3, 2, 2}}, {"a 1\ndrop_me 2\nb 2\nc{ 3\n", {3, 2, 0}}}, "line 4"},
      {"what a bad page showed is no longer new", "", {{"a 1\nb 2\nc{ 3\n", {2, 2, 2}}, {"a 1\nb 2\nc{ 3\n", {2, 2, 0}}, {"a 1\nb 2\nc 3\n", {3, 3, 1}}}},
      {"an empty page forgets nothing", "", {{"a 1\n", {1, 1, 1}}, {"", {0, 0, 0}}, {"a 1\n", {1, 1, 0}}}},
      {"a page without samples does", "", {{"a 1\n", {1, 1, 1}}, {"# nothing\n", {0, 0, 0}}, {"a 1\n", {1, 1, 1}}}},
      {"times of their own", "", {{"a 1 5000\nb 2\n", {2, 2, 2}}, {"a 1 6000\nb 2\n", {2, 2, 0}}, {"b 2\n", {1, 1, 0}}, {"a 1 7000\nb 2\n", {2, 2, 1}}}},
      {"twice on a page", "", {{"a 1\na 2\n", {2, 2, 1}}}},
      {"over the sample limit", "  sample_limit: 2\n", {{"a 1\nb 1\nc 1\nd 1\n", {4, 4, 2}}, {"a 1\nb 1\n", {2, 2, 0}}, {"a 1\nb 1\nc 1\n", {3, 3, 0}}}, "sample limit exceeded"},
      {"up to a label limit", "  label_value_length_limit: 10\n", {{"a 1\nb{x=\"vvvvvvvvvvvvvvvvvvvv\"} 1\nc 1\n", {2, 1, 1}}}, "label_value_length_limit exceeded"},
      {"a label limit before a parse error", "  label_value_length_limit: 10\n", {{"a 1\nb{x=\"vvvvvvvvvvvvvvvvvvvv\"} 1\nc{ 1\n", {2, 1, 1}}}, "label_value_length_limit exceeded"},
  };
  for (const Row& row : rows) BOOST_TEST_CONTEXT(row.what) {
      Fixture f(row.yaml);
      ScrapeReport report;
      for (std::size_t i = 0; i < row.pages.size(); ++i) BOOST_TEST_CONTEXT("page " << i) {
          report = f.Page(row.pages[i].first);
          BOOST_TEST(report.samples == row.pages[i].second[0]);
          BOOST_TEST(report.post_relabel == row.pages[i].second[1]);
          BOOST_TEST(report.added == row.pages[i].second[2]);
        }
      if (*row.error == '\0') {
        BOOST_TEST(report.error == "");
      } else {
        BOOST_TEST(report.error.starts_with(row.error), report.error);
      }
    }
}

BOOST_AUTO_TEST_CASE(samples_of_the_future_are_dropped_and_counted) {
  Fixture f;  // the scrape is at 1 s
  const ScrapeReport report = f.Page("a 1 601000\nb 1 601001\nc 1\n");
  BOOST_TEST(report.error == "");
  BOOST_TEST((f.sink.Take() == Samples{{"a" + kTail, "1"}, {"c" + kTail, "1"}}));
  BOOST_TEST(f.metrics.out_of_bounds.value() == 1);
}

BOOST_AUTO_TEST_CASE(clashing_labels) {
  const std::string page = "a{job=\"x\",exported_job=\"y\",instance=\"\"} 1\n";
  Fixture plain;
  plain.Page(page);
  BOOST_TEST((plain.sink.Take() == Samples{{"a{exported_exported_job=\"x\", exported_job=\"y\", instance=\"h:1\", job=\"j\"}", "1"}}));
  Fixture honor("  honor_labels: true\n");
  honor.Page(page);
  BOOST_TEST((honor.sink.Take() == Samples{{"a{exported_job=\"y\", instance=\"h:1\", job=\"x\"}", "1"}}));
}

BOOST_AUTO_TEST_CASE(metric_relabelling_and_limits) {
  Fixture f("  sample_limit: 2\n  metric_relabel_configs:\n  - {source_labels: [__name__], regex: 'drop_.*', action: drop}\n  - {regex: id, action: labeldrop}\n");
  ScrapeReport report = f.Page("drop_1 1\na{id=\"1\"} 1\na{id=\"2\"} 2\n");
  BOOST_TEST(report.error == "");
  BOOST_TEST(report.samples == 3u);
  BOOST_TEST(report.post_relabel == 2u);
  BOOST_TEST((f.sink.Take() == Samples{{"a" + kTail, "1"}}));  // equal after relabelling: the first counts
  report = f.Page("a 1\nb 2\nc 3\ndrop_2 1\n");
  BOOST_TEST(report.error == "sample limit exceeded");
  BOOST_TEST((f.sink.Take() == Samples{{"a" + kTail, "stale"}}));
  BOOST_TEST(f.Page("a 1\nb 2\n").error == "");

  Fixture limits("  label_limit: 3\n  label_value_length_limit: 5\n");
  BOOST_TEST(limits.Page("a{x=\"1\"} 1\n").error == "label_limit exceeded (metric: \"a\", number of labels: 4, limit: 3)");
  Fixture length("  label_value_length_limit: 5\n");
  BOOST_TEST(length.Page("a{x=\"123456\"} 1\n").error.starts_with("label_value_length_limit exceeded (metric: \"a\", label name: x"));
  Fixture body("  body_size_limit: 4B\n");
  BOOST_TEST(body.Page("a 1\n").error == "body size limit exceeded");
}

BOOST_AUTO_TEST_CASE(own_timestamps_and_exemplars) {
  Fixture f;
  f.Page("a 1 500\nb 2\n");
  BOOST_TEST((f.sink.Take() == Samples{{"a" + kTail, "1"}, {"b" + kTail, "2"}}));
  f.Page("b 2\n");
  BOOST_TEST((f.sink.Take() == Samples{{"b" + kTail, "2"}}));  // no marker for what carries its own time
  Fixture tracked("  track_timestamps_staleness: true\n");
  tracked.Page("a 1 500\n");
  tracked.sink.Take();
  tracked.Page("b 2\n");
  BOOST_TEST((tracked.sink.Take() == Samples{{"a" + kTail, "stale"}, {"b" + kTail, "2"}}));
  Fixture om;
  om.Page("# TYPE c counter\nc_total 1 # {id=\"7\"} 0.5\n# EOF\n", "application/openmetrics-text; version=1.0.0");
  BOOST_TEST_REQUIRE(om.sink.lines.size() == 1u);
  BOOST_TEST(om.sink.lines[0] == "exemplar c_total" + kTail + " {id=\"7\"} 0.5");
}

// Pages whose series come and go: the parser renumbers its slots, the stream starts new layouts.
BOOST_AUTO_TEST_CASE(churn_keeps_every_value_right) {
  Fixture f;
  std::map<std::string, std::string> live;
  for (int page = 0; page < 60; ++page) {
    std::string text = "steady 7\n";
    Samples want{{"steady" + kTail, "7"}};
    for (int i = 0; i < 200; ++i) {
      const int id = page / 3 * 150 + i;
      text += "c{id=\"" + std::to_string(id) + "\"} " + std::to_string(id + page) + "\n";
      want["c{id=\"" + std::to_string(id) + "\", instance=\"h:1\", job=\"j\"}"] = std::to_string(id + page);
    }
    BOOST_TEST_REQUIRE(f.Page(text).error == "");
    Samples got = f.sink.Take();
    for (const auto& [series, value] : live)
      if (want.count(series) == 0) want[series] = "stale";
    BOOST_TEST_REQUIRE((got == want));
    live.clear();
    for (const auto& [series, value] : got)
      if (value != "stale") live[series] = value;
  }
}

// A stream that breaks is begun anew; series are defined again.
BOOST_AUTO_TEST_CASE(stream_begins_anew) {
  Fixture f;
  f.Page("a 1\n");
  f.sink.fail_commit = true;
  BOOST_TEST(f.Page("a 2\n").error == "gone");
  f.sink.fail_commit = false;
  f.sink.Take();
  BOOST_TEST(f.Page("a 3\n").error == "");
  BOOST_TEST((f.sink.Take() == Samples{{"a" + kTail, "3"}}));
}
