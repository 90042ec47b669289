#include "config/relabel_file.h"

#include <boost/test/unit_test.hpp>

namespace prom::config {
namespace {

BOOST_AUTO_TEST_SUITE(relabel_file)

BOOST_AUTO_TEST_CASE(reads) {
  auto rules = ParseRelabelFile("relabel_configs:\n- {source_labels: [a], target_label: b}\n- {action: labeldrop, regex: a}\n", "r.yml");
  BOOST_REQUIRE_MESSAGE(bool(rules), (rules ? "" : rules.error().message));
  BOOST_REQUIRE(rules->size() == 2u);
  LabelsBuilder labels(Labels{{"__name__", "x"}, {"a", "1"}});
  BOOST_TEST(relabel::Process(*rules, &labels));
  BOOST_TEST(labels.Build().ToSeries() == "x{b=\"1\"}");
}

BOOST_AUTO_TEST_CASE(refuses) {
  struct Row { const char* text; const char* want; };
  static const Row kRows[] = {
      {"", "no rules: want a list under relabel_configs"},
      {"relabel_configs: []\n", "r.yml:1:1: no rules: want a list under relabel_configs"},
      {"relabel_configs:\n-\n", "empty or null relabeling rule"},
      {"relabel_configs:\n- {action: none}\n", "r.yml:2:12: unknown relabel action \"none\""},
      {"relabel_configs:\n- {action: drop, regex: '('}\n", "r.yml:2:3: "},
      {"metric_relabel_configs: []\n", "field metric_relabel_configs not found"},
  };
  for (const Row& row : kRows) {
    BOOST_TEST_CONTEXT(row.text) {
      auto rules = ParseRelabelFile(row.text, "r.yml");
      BOOST_REQUIRE(!rules);
      BOOST_TEST((rules.error().code == Errc::kInvalid));
      BOOST_TEST_INFO(rules.error().message);
      BOOST_TEST(rules.error().message.find(row.want) != std::string::npos);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace prom::config
