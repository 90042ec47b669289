#include "chunk/block_compress.h"

#include <boost/test/unit_test.hpp>

#include <memory>
#include <random>

using namespace prom;
using namespace prom::chunk;

namespace {

std::string Random(std::size_t n, unsigned seed) {
  std::mt19937_64 rng(seed);
  std::string s(n, '\0');
  for (char& c : s) c = static_cast<char>(rng());
  return s;
}

std::string Repeating(std::size_t n) {
  std::string s;
  for (std::size_t i = 0; s.size() < n; ++i) s += "bucket " + std::to_string(i % 50) + ";";
  return s;
}

}  // namespace

BOOST_AUTO_TEST_CASE(groups_round_trip) {
  std::string buffer;
  for (const auto level : {CompressLevel::kFast, CompressLevel::kBest}) {
    for (const std::string& raw : {std::string(), std::string("x"), Repeating(100), Repeating(70000), Random(70000, 1), std::string(1 << 20, 'z')}) {
      std::string group;
      const bool compressed = AppendGroup(raw, &group, level);
      auto got = ReadGroup(group, raw.size(), &buffer);
      BOOST_TEST_REQUIRE(bool(got));
      BOOST_TEST((*got == raw));
      // Only where it gains 5 %; one byte more otherwise.
      if (compressed) BOOST_TEST(group.size() <= raw.size() - raw.size() / 20);
      else BOOST_TEST(group.size() == raw.size() + 1);
    }
    std::string group;
    BOOST_TEST(AppendGroup(Repeating(70000), &group, level));
    BOOST_TEST(!AppendGroup(Random(70000, 2), &group, level));
  }
}

BOOST_AUTO_TEST_CASE(limits_and_damage) {
  const std::string raw = Repeating(5000);
  std::string group, buffer;
  BOOST_TEST_REQUIRE(AppendGroup(raw, &group));
  auto over = ReadGroup(group, raw.size() - 1, &buffer);
  BOOST_TEST_REQUIRE(!over);
  BOOST_TEST((over.error().code == Errc::kLimit));
  const std::string stored = std::string(1, '\0') + raw;
  BOOST_TEST((ReadGroup(stored, raw.size() - 1, &buffer).error().code == Errc::kLimit));
  BOOST_TEST((ReadGroup("", 100, &buffer).error().code == Errc::kCorrupt));
  BOOST_TEST((ReadGroup("\x07" "abc", 100, &buffer).error().code == Errc::kUnsupported));
  for (std::size_t n = 0; n < group.size(); ++n) {
    const std::unique_ptr<char[]> copy(new char[n + 1]);
    std::copy_n(group.data(), n, copy.get());
    BOOST_TEST(!ReadGroup({copy.get(), n}, 1 << 20, &buffer), "cut at " << n);
  }
  for (std::size_t bit = 0; bit < group.size() * 8; bit += 3) {
    std::string damaged = group;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    if (auto got = ReadGroup(damaged, 1 << 20, &buffer)) BOOST_TEST(got->size() <= std::size_t{1} << 20);
  }
  // A gigabyte claimed by ten bytes: refused before it is allocated.
  std::string fresh;
  BOOST_TEST(!ReadGroup(std::string_view("\x01\x80\x80\x80\x80\x04\x00\x00\x00\x00", 10), std::size_t{2} << 30, &fresh));
  BOOST_TEST(fresh.capacity() < 1000u);
}
