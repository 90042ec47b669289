#include "store/postings.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <iterator>
#include <random>
#include <set>

#include "../../testing.h"

namespace prom::store {
namespace {

std::vector<std::uint32_t> RandomList(std::mt19937& random, std::uint32_t limit, std::uint32_t gap) {
  std::vector<std::uint32_t> out;
  for (std::uint64_t r = random() % gap; r < limit; r += 1 + random() % gap) out.push_back(static_cast<std::uint32_t>(r));
  if (out.empty()) out.push_back(limit - 1);
  return out;
}

Postings Parse(std::string* bytes, std::uint32_t limit) {
  Postings p;
  BOOST_REQUIRE(Postings::SizeOf(bytes->data()) == bytes->size());
  const std::size_t size = bytes->size();
  bytes->append(8, '\x55');  // what lies behind must not matter
  BOOST_REQUIRE(p.Parse(std::string_view(*bytes).substr(0, size), limit));
  return p;
}

BOOST_AUTO_TEST_SUITE(postings)

// All kinds of list against plain set operations.
BOOST_AUTO_TEST_CASE(against_plain_sets) {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    const std::uint32_t limit = 1 + random() % 20000;
    const std::uint32_t gaps[] = {1, 2, 20, 60, 100, 1000, 5000};
    const auto list = RandomList(random, limit, gaps[random() % 7]);
    const auto other = RandomList(random, limit, gaps[random() % 7]);
    std::string bytes;
    AppendPostings(list, &bytes);
    const Postings p = Parse(&bytes, limit);
    BOOST_REQUIRE(p.count() == list.size());
    std::vector<std::uint32_t> got, want;
    BOOST_REQUIRE(p.AppendTo(&got));
    BOOST_REQUIRE((got == list));
    for (const bool keep : {true, false}) {
      got = other;
      BOOST_REQUIRE(p.Filter(&got, keep));
      want.clear();
      if (keep) {
        std::set_intersection(other.begin(), other.end(), list.begin(), list.end(), std::back_inserter(want));
      } else {
        std::set_difference(other.begin(), other.end(), list.begin(), list.end(), std::back_inserter(want));
      }
      BOOST_REQUIRE((got == want));
    }
    std::vector<std::uint64_t> bitmap(limit / 64 + 1);
    BOOST_REQUIRE(p.SetIn(bitmap.data()));
    got.clear();
    for (std::uint32_t i = 0; i < limit; ++i) {
      if ((bitmap[i / 64] >> (i % 64) & 1) != 0) got.push_back(i);
    }
    BOOST_REQUIRE((got == list));
  }
}

// Sizes follow from the layout: a run is its head, a bitmap 1 bit a rank of its
// span, packed blocks the bits of the largest difference.
BOOST_AUTO_TEST_CASE(sizes) {
  std::vector<std::uint32_t> list(1000);
  const auto size = [&](std::uint32_t first, std::uint32_t step) {
    for (std::uint32_t i = 0; i < list.size(); ++i) list[i] = first + i * step;
    std::string bytes;
    AppendPostings(list, &bytes);
    return bytes.size();
  };
  BOOST_TEST(size(7, 1) == 16u);
  BOOST_TEST(size(0, 2) == 16u + 1999 / 64 * 8 + 8);
  // 8 blocks of 8 bytes directory and 1 byte width; 127 * 6 bits, the last block 103 * 6 bits.
  BOOST_TEST(size(0, 64) == 16u + 8 * 9 + 7 * ((127 * 6 + 7) / 8) + (103 * 6 + 7) / 8);
}

BOOST_AUTO_TEST_CASE(forged_bytes) {
  std::mt19937 random(2);
  for (int round = 0; round < prom::testing::Rounds(5000); ++round) {
    const std::uint32_t limit = 5000;
    const auto list = RandomList(random, limit, round % 2 == 0 ? 10 : 200);
    std::string bytes;
    AppendPostings(list, &bytes);
    for (unsigned n = 1 + random() % 3; n > 0; --n) bytes[random() % std::min<std::size_t>(bytes.size(), 64)] = static_cast<char>(random());
    if (Postings::SizeOf(bytes.data()) == 0 || Postings::SizeOf(bytes.data()) > bytes.size()) continue;
    const std::size_t size = Postings::SizeOf(bytes.data());
    bytes.append(8, '\0');
    Postings p;
    if (!p.Parse(std::string_view(bytes).substr(0, size), limit)) continue;
    std::vector<std::uint32_t> got;
    if (p.AppendTo(&got)) {
      for (const auto r : got) BOOST_REQUIRE(r < limit);
    }
    std::vector<std::uint64_t> bitmap(limit / 64 + 1);
    (void)p.SetIn(bitmap.data());
    auto ranks = RandomList(random, limit, 20);
    (void)p.Filter(&ranks, round % 3 == 0);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace prom::store
