#include "model/sort_labels.h"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

using prom::Labels;

namespace {

void Check(std::vector<std::pair<Labels, std::uint32_t>> series) {
  auto want = series;
  std::stable_sort(want.begin(), want.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  prom::SortByLabels(&series);
  BOOST_TEST_REQUIRE(series.size() == want.size());
  for (std::size_t i = 0; i < want.size(); ++i) BOOST_TEST_REQUIRE((series[i].first == want[i].first), i << ": " << series[i].first.ToString());
  // Each with the number it came with.
  auto pairs = [](auto v) {
    std::sort(v.begin(), v.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    return v;
  };
  BOOST_TEST((pairs(series) == pairs(want)));
}

}  // namespace

BOOST_AUTO_TEST_CASE(label_sets_in_order) {
  Check({});
  Check({{Labels{{"b", "1"}}, 0}, {Labels{{"a", "2"}}, 1}, {Labels{{"a", "1"}, {"b", "1"}}, 2}, {Labels{{"a", "1"}}, 3}, {Labels(), 4}});
  // A value that goes on where another ends; zero bytes and what they are written as.
  const std::string zero("x\0y", 3), one("x\1y", 3), end("x\0", 2);
  Check({{Labels{{"a", one}}, 0}, {Labels{{"a", zero}}, 1}, {Labels{{"a", end}}, 2}, {Labels{{"a", "x"}, {"b", "1"}}, 3}, {Labels{{"a", "x"}}, 4}, {Labels{{"a", "x!"}}, 5}});
  // Long common beginnings, equal sets.
  const std::string page(5'000, 'p');
  Check({{Labels{{"a", page + "2"}}, 0}, {Labels{{"a", page}}, 1}, {Labels{{"a", page + "1"}}, 2}, {Labels{{"a", page}}, 3}, {Labels{{"a", page + "1"}, {"b", "c"}}, 4}});
}

BOOST_AUTO_TEST_CASE(random_label_sets_in_order) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::pair<Labels, std::uint32_t>> series;
    const std::size_t n = random() % 300;
    for (std::uint32_t i = 0; i < n; ++i) {
      std::vector<std::pair<std::string, std::string>> pairs;
      for (std::size_t l = random() % 4; l > 0; --l) {
        std::string value;
        for (std::size_t c = random() % 12; c > 0; --c) value += static_cast<char>(random() % (round % 2 == 0 ? 3 : 256));
        pairs.emplace_back(std::string(1 + random() % 2, static_cast<char>('a' + random() % 2)), value);
      }
      series.emplace_back(Labels::FromPairs(std::move(pairs)), i);
    }
    Check(std::move(series));
  }
}
