// Label matchers against upstream's table, relabel/matchers.yaml.
#include <boost/test/unit_test.hpp>
#include <re2/re2.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>

#include "../../testing.h"
#include "base/strings.h"
#include "model/matcher.h"

using namespace prom;

namespace {
YAML::Node Cases() { return YAML::LoadFile(testing::ConformanceDir() + "/relabel/matchers.yaml"); }

Matcher::Type TypeOf(const std::string& op) {
  return op == "=" ? Matcher::Type::kEqual : op == "!=" ? Matcher::Type::kNotEqual : op == "=~" ? Matcher::Type::kRegex : Matcher::Type::kNotRegex;
}

std::string Text(const YAML::Node& n) {
  if (!n.IsMap()) return n.as<std::string>();
  std::string out;
  const auto hex = n["hex"].as<std::string>();
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) out.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return out;
}
}  // namespace

BOOST_AUTO_TEST_CASE(match_table) {
  std::size_t rows = 0;
  for (const auto& row : Cases()["match"]) {
    const auto op = row["matcher"]["op"].as<std::string>(), pattern = row["matcher"]["value"].as<std::string>();
    auto m = Matcher::Make(TypeOf(op), "l", pattern);
    BOOST_TEST_CONTEXT(op << pattern) {
      BOOST_TEST_REQUIRE(bool(m));
      BOOST_TEST(m->Matches(Text(row["value"])) == row["match"].as<bool>());
    }
    ++rows;
  }
  BOOST_TEST(rows > 10u);
}

BOOST_AUTO_TEST_CASE(regexes_equal_plain_re2) {
  const YAML::Node cases = Cases();
  std::size_t compared = 0;
  for (const auto& regex : cases["regexes"]) {
    const std::string pattern = Text(regex["re"]);
    auto m = Matcher::Make(Matcher::Type::kRegex, "l", pattern);
    re2::RE2::Options options;
    options.set_dot_nl(true);
    options.set_log_errors(false);
    const re2::RE2 oracle("^(?:" + pattern + ")$", options);
    BOOST_TEST_REQUIRE(bool(m) == oracle.ok());
    if (!m) continue;
    for (const auto& value : cases["values"]) {
      const std::string text = Text(value["v"]);
      // Go's regexp takes a byte that is not UTF-8 as U+FFFD; RE2 would match nothing.
      BOOST_TEST_CONTEXT(pattern << " on " << text) BOOST_TEST(m->Matches(text) == re2::RE2::FullMatch(ToValidUtf8(text), oracle));
      ++compared;
    }
  }
  BOOST_TEST(compared > 1000u);
}

BOOST_AUTO_TEST_CASE(finite_sets_are_right) {
  std::size_t found = 0;
  for (const auto& row : Cases()["set_matches"]) {
    auto m = Matcher::Make(Matcher::Type::kRegex, "l", row["pattern"].as<std::string>());
    if (!m || m->set_matches().empty()) continue;  // not recognised: RE2 answers
    BOOST_TEST_CONTEXT(row["pattern"].as<std::string>()) {
      BOOST_TEST_REQUIRE((row["matches"] && !row["matches"].IsNull()));
      auto want = row["matches"].as<std::vector<std::string>>();
      std::sort(want.begin(), want.end());
      want.erase(std::unique(want.begin(), want.end()), want.end());
      BOOST_TEST(m->set_matches() == want, boost::test_tools::per_element());
    }
    ++found;
  }
  BOOST_TEST(found >= 10u);
}
