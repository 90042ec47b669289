#include "scrape/target.h"

#include <boost/test/unit_test.hpp>

#include "scrape/fetch_request.h"

using namespace prom;
using namespace prom::scrape;

namespace {
config::ScrapeConfig Section(const std::string& yaml) {
  auto c = config::ParseConfig("scrape_configs:\n- job_name: j\n" + yaml, "test.yml");
  BOOST_TEST_REQUIRE(bool(c), (c ? "" : c.error().message));
  return c->scrape_configs.at(0);
}
}  // namespace

BOOST_AUTO_TEST_CASE(target_labels_and_url) {
  const auto config = Section(
      "  scrape_interval: 30s\n  metrics_path: /m\n  scheme: https\n  params: {a: [x y, z], b: ['1']}\n"
      "  relabel_configs:\n  - {source_labels: [__meta_zone], target_label: zone}\n  - {source_labels: [__address__], regex: '(.*):.*', target_label: instance}\n"
      "  - {source_labels: [__meta_zone], regex: bad, action: drop}\n");
  auto t = MakeTarget(config, Labels{{"__address__", "h:1"}}, Labels{{"__meta_zone", "eu"}, {"env", "prod"}}, nullptr);
  BOOST_TEST_REQUIRE(bool(t));
  BOOST_TEST_REQUIRE(t->has_value());
  BOOST_TEST((**t).labels.ToString() == "{env=\"prod\", instance=\"h\", job=\"j\", zone=\"eu\"}");
  BOOST_TEST((**t).url == "https://h:1/m?a=x%20y&a=z&b=1");
  BOOST_TEST((**t).interval_ms == 30'000);
  Labels discovered;
  auto dropped = MakeTarget(config, Labels{{"__address__", "h:1"}, {"__meta_zone", "bad"}}, {}, &discovered);
  BOOST_TEST((dropped && !*dropped));
  BOOST_TEST(discovered.Get("__scrape_interval__") == "30s");
}

BOOST_AUTO_TEST_CASE(unusable_targets) {
  struct Row { const char* yaml; Labels labels; const char* want; };
  const Row rows[] = {
      {"", {{"x", "y"}}, "no address"},
      {"", {{"__address__", "http://h:1/"}}, "\"http://h:1/\" is not a valid hostname"},
      {"", {{"__address__", "h"}, {"__scrape_interval__", "5"}}, "error parsing scrape interval: not a valid duration string: \"5\""},
      {"", {{"__address__", "h"}, {"__scrape_interval__", "0s"}}, "scrape interval cannot be 0"},
      {"", {{"__address__", "h"}, {"__scrape_timeout__", "2m"}}, "scrape timeout cannot be greater than scrape interval (\"2m\" > \"1m\")"},
  };
  for (const Row& row : rows) {
    auto t = MakeTarget(Section(row.yaml), row.labels, {}, nullptr);
    BOOST_TEST_REQUIRE(!t);
    BOOST_TEST(t.error().message == row.want);
  }
}

BOOST_AUTO_TEST_CASE(equal_targets_once) {
  discovery::TargetGroup a{"a", {}, {Labels{{"__address__", "h:1"}}, Labels{{"__address__", "h:2"}}}}, b{"b", {}, {Labels{{"__address__", "h:1"}}}};
  BOOST_TEST(MakeTargets(Section(""), {a, b}).active.size() == 2u);
}

// The header upstream sends for the default protocols (scrape/scrape.go, acceptHeader).
BOOST_AUTO_TEST_CASE(accept_header) {
  using P = config::ScrapeProtocol;
  BOOST_TEST(AcceptHeader({P::kOpenMetricsText100, P::kOpenMetricsText001, P::kPrometheusText100, P::kPrometheusText004}, config::NameEscaping::kAllowUtf8) ==
             "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
             "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1");
}
