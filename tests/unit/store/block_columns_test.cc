#include "store/block_columns.h"

#include <boost/test/unit_test.hpp>

#include <numeric>
#include <vector>

using prom::store::ColumnTable;

BOOST_AUTO_TEST_CASE(columns_are_shared_in_whole_and_in_part) {
  std::vector<std::int64_t> day(100);
  for (std::size_t i = 0; i < day.size(); ++i) day[i] = 1'000'000 + static_cast<std::int64_t>(i) * 15'000;
  ColumnTable table(7);
  const auto part = [&](std::size_t from, std::size_t n) { return std::span<const std::int64_t>(day).subspan(from, n); };
  const auto expect = [&](std::span<const std::int64_t> t, std::uint32_t column, std::uint32_t first, std::uint32_t size) {
    const auto ref = table.Find(t);
    BOOST_TEST(ref.column == column);
    BOOST_TEST(ref.first == first);
    BOOST_TEST(ref.size == size);
  };
  expect(part(0, 100), 7, 0, 100);
  expect(part(0, 100), 7, 0, 100);
  expect(part(0, 30), 7, 0, 100);   // gone early
  expect(part(60, 40), 7, 60, 100);  // came late
  expect(part(20, 5), 7, 20, 100);  // both
  std::vector<std::int64_t> other(day.begin() + 20, day.begin() + 25);
  other[3] += 1;
  expect(other, 8, 0, 5);
  BOOST_TEST(table.columns().size() == 2u);
}

// Times with an id are looked for once.
BOOST_AUTO_TEST_CASE(ids_stand_for_times) {
  ColumnTable table(3);
  for (int round = 0; round < 2; ++round) {
    for (std::int64_t id = 1; id < 20'000; ++id) {  // more than are remembered
      const std::vector<std::int64_t> t = {id % 90, id % 90 + 100, 1000};
      const ColumnTable::Ref ref = table.Find(t, static_cast<std::uint64_t>(id));
      BOOST_REQUIRE((table.columns()[ref.column - 3] == t));
      BOOST_REQUIRE(ref.first == 0u);
    }
  }
  BOOST_TEST(table.columns().size() == 90u);
}
