#include "config/store_policies.h"

#include <boost/test/unit_test.hpp>

namespace prom::config {
namespace {

// Stands in for PromQL's parser: name=value.
Result<Matchers> Selector(std::string_view text) {
  const std::size_t eq = text.find('=');
  if (eq == std::string_view::npos) return Error{Errc::kInvalid, "no selector"};
  return Matchers{Matcher::Equal(text.substr(0, eq), text.substr(eq + 1))};
}

BOOST_AUTO_TEST_SUITE(store_policies)

BOOST_AUTO_TEST_CASE(reads) {
  auto p = ParseStorePolicies("retention_policies:\n- matchers: [a=b, 'c=d']\n  keep: 2d\n- {matchers: [x=y], keep: 90m}\n", "p.yml", Selector);
  BOOST_REQUIRE_MESSAGE(bool(p), (p ? "" : p.error().message));
  BOOST_REQUIRE(p->size() == 2u);
  BOOST_TEST((*p)[0].keep_ms == 2 * 86'400'000);
  BOOST_TEST((*p)[0].any_of.size() == 2u);
  BOOST_TEST((*p)[0].any_of[1][0].ToString() == "c=\"d\"");
  BOOST_TEST((*p)[1].keep_ms == 90 * 60'000);
  for (const char* none : {"", "retention_policies:\n", "retention_policies: []\n"}) {
    auto empty = ParseStorePolicies(none, "p.yml", Selector);
    BOOST_TEST_CONTEXT(none) BOOST_TEST((empty && empty->empty()));
  }
}

BOOST_AUTO_TEST_CASE(refuses_with_the_place) {
  struct Row {
    const char *in, *want;
  };
  static const Row kRows[] = {
      {"retention_policies: 1\n", "p.yml:1:21: "},
      {"retention_policies:\n- keep: 1d\n", "a retention policy needs matchers"},
      {"retention_policies:\n- matchers: []\n  keep: 1d\n", "p.yml:2:13: "},
      {"retention_policies:\n- matchers: a=b\n  keep: 1d\n", "p.yml:2:13: "},
      {"retention_policies:\n- matchers: [a=b, nonsense]\n  keep: 1d\n", "p.yml:2:19: no selector"},
      {"retention_policies:\n- matchers: [a=b]\n", "needs a duration above 0"},
      {"retention_policies:\n- matchers: [a=b]\n  keep: 0s\n", "p.yml:3:9: "},
      {"retention_policies:\n- matchers: [a=b]\n  keep: long\n", "p.yml:3:9: "},
      {"retention_policies:\n- matchers: [a=b]\n  keep: 1d\n  drop: true\n", "field drop not found"},
      {"retention_policies:\n- up\n", "p.yml:2:3: "},
      {"policies: []\n", "field policies not found"},
  };
  for (const Row& row : kRows) {
    BOOST_TEST_CONTEXT("in=" << row.in) {
      auto p = ParseStorePolicies(row.in, "p.yml", Selector);
      BOOST_TEST_REQUIRE(!p);
      BOOST_TEST((p.error().code == Errc::kInvalid));
      BOOST_TEST_MESSAGE(p.error().message);
      BOOST_TEST((p.error().message.find(row.want) != std::string::npos), p.error().message);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace prom::config
