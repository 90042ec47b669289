#include "model/label_numbers.h"

#include <boost/test/unit_test.hpp>
#include <random>
#include <unordered_map>

namespace prom {
namespace {

using Names = LabelSubset::Names;

// The same by the builder, which goes name by name.
Labels Expected(const Labels& labels, const std::vector<std::string>& names, Names what) {
  LabelsBuilder builder(labels);
  if (what == Names::kKept) {
    builder.Keep(names);
  } else {
    for (const std::string& name : names) builder.Del(name);
  }
  return builder.Build();
}

BOOST_AUTO_TEST_SUITE(label_numbers)

BOOST_AUTO_TEST_CASE(subsets) {
  const Labels sets[] = {{}, {{"a", "1"}}, {{"__name__", "m"}, {"a", "1"}, {"b", "2"}, {"job", "node"}}, {{"b", std::string(300, 'x')}, {"c", "3"}, {"zone", "z"}}};
  const std::vector<std::string> lists[] = {{}, {"a"}, {"zone", "a"}, {"b", "c"}, {"__name__"}, {"job", "__name__", "b", "b"}, {"aa"}};
  for (const Labels& labels : sets) {
    for (const auto& names : lists) {
      for (const Names what : {Names::kKept, Names::kRemoved}) {
        LabelSubset subset(names, what);
        BOOST_TEST(subset.Of(labels) == Expected(labels, names, what).bytes());
        BOOST_TEST(subset.Of(labels) == Expected(labels, names, what).bytes());  // once more: nothing is left over
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(numbers) {
  std::mt19937 random(1);
  LabelNumbers copied, stable;
  std::unordered_map<std::string, std::uint32_t> want;
  std::vector<std::unique_ptr<Labels>> all;
  for (int i = 0; i < 20'000; ++i) {
    all.push_back(std::make_unique<Labels>(Labels{{"a", std::to_string(random() % 5000)}, {"long", std::string(random() % 3 == 0 ? 0 : 90'000 * (random() % 500 == 0) + 1, 'x')}}));
    const std::string& bytes = all.back()->bytes();
    const auto [it, fresh] = want.try_emplace(bytes, static_cast<std::uint32_t>(want.size()));
    const auto a = copied.Add(std::string(bytes)), b = stable.AddStable(bytes);
    BOOST_TEST_REQUIRE((a.number == it->second && b.number == it->second));
    BOOST_TEST_REQUIRE((a.fresh == fresh && b.fresh == fresh));
  }
  BOOST_TEST(copied.size() == want.size());
  for (const auto& [bytes, number] : want) {
    BOOST_TEST_REQUIRE(copied.bytes(number) == bytes);
    BOOST_TEST_REQUIRE(stable.labels(number).bytes() == bytes);
  }
  BOOST_TEST(LabelNumbers().Add("").fresh);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace prom
