#include "exposition/series_table.h"

#include <boost/test/unit_test.hpp>

#include <set>
#include <string>

using prom::SeriesTable;

BOOST_AUTO_TEST_CASE(ids_are_dense_and_kept) {
  SeriesTable table;
  for (int i = 0; i < 1000; ++i) {
    const auto key = SeriesTable::MakeKey("series{i=\"" + std::to_string(i) + "\"}");
    BOOST_TEST_REQUIRE(table.Find(key) == SeriesTable::kNone);
    BOOST_TEST_REQUIRE(table.Add(key) == static_cast<std::uint32_t>(i));
    BOOST_TEST_REQUIRE(table.Find(key) == static_cast<std::uint32_t>(i));
  }
  const auto key = [](int i) { return SeriesTable::MakeKey("series{i=\"" + std::to_string(i) + "\"}"); };
  table.Truncate(500);
  BOOST_TEST(table.size() == 500u);
  BOOST_TEST(table.Find(key(499)) == 499u);
  BOOST_TEST(table.Find(key(500)) == SeriesTable::kNone);
  table.Keep({7, 3, 499});
  BOOST_TEST(table.Find(key(7)) == 0u);
  BOOST_TEST(table.Find(key(3)) == 1u);
  BOOST_TEST(table.Find(key(499)) == 2u);
  BOOST_TEST(table.Find(key(4)) == SeriesTable::kNone);
  table.Clear();
  BOOST_TEST(table.Find(key(7)) == SeriesTable::kNone);
}

BOOST_AUTO_TEST_CASE(keys_differ_in_both_halves) {
  // Texts that differ in one byte, in length only, in zero bytes, in kind.
  std::set<std::uint64_t> first, second;
  std::size_t count = 0;
  const auto add = [&](const std::string& text, std::uint64_t kind) {
    const auto key = SeriesTable::MakeKey(text, kind);
    if (kind == 0) first.insert(key[0]);
    second.insert(key[1]);
    ++count;
  };
  for (std::size_t size = 0; size < 70; ++size) {
    add(std::string(size, '\0'), 0);
    if (size != 0) add(std::string(size, 'x'), 0);
    for (std::size_t at = 0; at < size; ++at) {
      for (int bit = 0; bit < 8; ++bit) {
        std::string text(size, 'y');
        text[at] = static_cast<char>(text[at] ^ (1 << bit));
        add(text, 0);
      }
    }
  }
  // 'y' with its lowest bit flipped is 'x': of one byte that is the text above.
  BOOST_TEST(first.size() == count - 1);
  BOOST_TEST(second.size() == count - 1);
  for (std::uint64_t kind = 1; kind < 8; ++kind) add("y", kind);
  BOOST_TEST(second.size() == count - 1);
}
