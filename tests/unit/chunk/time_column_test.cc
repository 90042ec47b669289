#include "chunk/time_column.h"

#include <boost/test/unit_test.hpp>

#include <limits>
#include <memory>
#include <random>
#include <vector>

#include "base/hash.h"
#include "chunk/int_column.h"

using namespace prom;
using namespace prom::chunk;

namespace {

using Times = std::vector<std::int64_t>;

std::string Encode(const Times& t) {
  std::string out;
  EncodeTimes(t, &out);
  return out;
}

bool Decode(std::string_view column, Times* out) {
  std::unique_ptr<char[]> copy(new char[column.size()]);
  std::copy(column.begin(), column.end(), copy.get());
  return bool(DecodeTimes({copy.get(), column.size()}, *out));
}

constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min(), kMax = std::numeric_limits<std::int64_t>::max();

Times Regular(std::size_t n, std::int64_t step) {
  Times t;
  for (std::size_t i = 0; i < n; ++i) t.push_back(1'700'000'000'123 + static_cast<std::int64_t>(i) * step);
  return t;
}

std::vector<Times> Edges() {
  std::mt19937_64 rng(1);
  std::vector<Times> out = {{0}, {kMin}, {kMax}, {kMin, kMax}, {kMin, -1, 0, kMax}, {-5, 3}, {1, 2, 3}, Regular(480, 15000), Regular(65535, 1000)};
  Times jitter = Regular(480, 15000);
  for (auto& t : jitter) t += static_cast<std::int64_t>(rng() % 5);
  out.push_back(jitter);
  Times gaps = Regular(300, 1000);
  for (std::size_t i = 100; i < gaps.size(); ++i) gaps[i] += 8000;
  out.push_back(gaps);
  return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(times_round_trip) {
  for (const Times& t : Edges()) {
    Times got(t.size());
    BOOST_TEST_REQUIRE(Decode(Encode(t), &got));
    BOOST_TEST(got == t);
    BOOST_TEST(*CountTimes(Encode(t)) == t.size());
  }
}

BOOST_AUTO_TEST_CASE(regular_times_are_tiny) {
  BOOST_TEST(Encode(Regular(480, 15000)).size() <= 16u);
  BOOST_TEST(Encode(Regular(120, 1000)).size() <= 15u);
  // Jitter of 0..4 ms is 9 differences: 4 bits each.
  BOOST_TEST(Encode(Edges()[9]).size() <= 480 / 2 + 20u);
}

BOOST_AUTO_TEST_CASE(damaged_times_are_corrupt) {
  for (const Times& t : Edges()) {
    std::string column = Encode(t);
    Times got(t.size());
    for (std::size_t n = 0; n < column.size(); ++n) BOOST_TEST(!Decode(column.substr(0, n), &got));
    BOOST_TEST(!Decode(column + 'x', &got));
    for (std::size_t bit = 0; bit < column.size() * 8; ++bit) {
      column[bit / 8] = static_cast<char>(column[bit / 8] ^ (1 << bit % 8));
      (void)Decode(column, &got);
      column[bit / 8] = static_cast<char>(column[bit / 8] ^ (1 << bit % 8));
    }
  }
  std::string same;
  EncodeTimes(Times{5, 5}, &same);
  Times two(2);
  BOOST_TEST(!Decode(same, &two));  // not ascending
}

BOOST_AUTO_TEST_CASE(start_times_in_any_order) {
  for (const Times& st : {Times(480, 0), Times(480, 1'700'000'000'000), Times{0, 5, 5, 0, 1'700'000'000'000, -3}}) {
    std::string column;
    EncodeStartTimes(st, &column);
    Times got(st.size());
    BOOST_TEST_REQUIRE(bool(DecodeStartTimes(column, got)));
    BOOST_TEST(got == st);
  }
  std::string constant;
  EncodeStartTimes(Times(480, 0), &constant);
  BOOST_TEST(constant.size() == 4u);
}

BOOST_AUTO_TEST_CASE(equal_times_have_equal_hashes) {
  const Times a = Regular(100, 15000), b = a;
  BOOST_TEST(HashTimes(a) == HashTimes(b));
  BOOST_TEST(HashTimes(a) != HashTimes(Regular(100, 15001)));
  // XXH3 of eight zero bytes, as the library prints it for a file of eight zero bytes.
  BOOST_TEST(HashTimes(Times{0}) == Xxh3(std::string_view("\0\0\0\0\0\0\0\0", 8)));
}

// Integer columns under it all: each mode, any numbers, both kernel sets, skipping.
BOOST_AUTO_TEST_CASE(int_columns_round_trip_in_each_mode) {
  std::mt19937_64 rng(2);
  for (int round = 0; round < 20000; ++round) {
    const std::size_t n = 1 + rng() % (round % 50 == 0 ? 700 : 30);
    std::vector<std::uint64_t> x(n);
    const std::uint64_t factor = rng() % 3 ? 1 : 1 + rng() % 10000, start = rng();
    const auto bits = static_cast<int>(rng() % 64);
    for (std::size_t i = 0; i < n; ++i) {
      x[i] = (rng() >> bits) * factor;
      if (round % 3 == 1) x[i] = start + i * factor + (rng() >> bits) % 16;
      if (round % 3 == 2 && i > 0) x[i] += x[i - 1];
      if (rng() % 40 == 0) x[i] = rng();
    }
    const auto mode = static_cast<ColumnMode>(round % 4);
    std::string bytes;
    AppendIntColumn(x, &bytes, mode);
    for (const Kernels* kernels : {&PortableKernels(), &BestKernels()}) {
      const auto* p = reinterpret_cast<const std::uint8_t*>(bytes.data());
      const auto* end = p + bytes.size();
      IntColumnReader reader, skipping;
      const auto* q = p;
      BOOST_TEST_REQUIRE(skipping.Open(&q, end, n, *kernels));
      BOOST_TEST_REQUIRE(reader.Open(&p, end, n, *kernels));
      BOOST_TEST_REQUIRE((p == end));
      std::uint64_t block[kBlockValues];
      std::size_t at = 0;
      while (const std::size_t got = reader.Next(block)) {
        BOOST_TEST_REQUIRE(std::equal(block, block + got, x.begin() + static_cast<std::ptrdiff_t>(at)));
        at += got;
      }
      BOOST_TEST_REQUIRE(at == n);
      // The last block again, having skipped those before it.
      const std::size_t last = (n - 1) / kBlockValues * kBlockValues;
      for (std::size_t i = 0; i < last; i += kBlockValues) skipping.Skip();
      BOOST_TEST_REQUIRE(skipping.Next(block) == n - last);
      BOOST_TEST_REQUIRE(std::equal(block, block + (n - last), x.begin() + static_cast<std::ptrdiff_t>(last)));
    }
  }
}
