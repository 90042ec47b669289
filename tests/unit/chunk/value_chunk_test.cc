#include "chunk/value_chunk.h"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <memory>

#include "chunk/value_body.h"
#include "columns.h"

using namespace prom;
using namespace prom::chunk;
using chunk::testing::EdgeColumns;
using chunk::testing::FromBits;
using chunk::testing::RandomColumn;
using chunk::testing::SameBits;

namespace {

std::string Encode(const std::vector<double>& v, EncoderHint* hint = nullptr) {
  std::string out;
  EncodeValues(v, &out, hint);
  return out;
}

// Decodes from a heap copy of exactly the chunk's size, so that a sanitizer sees any read behind it.
bool Decode(std::string_view chunk, std::vector<double>* out) {
  std::unique_ptr<char[]> copy(new char[chunk.size()]);
  std::copy(chunk.begin(), chunk.end(), copy.get());
  return bool(DecodeValues({copy.get(), chunk.size()}, *out));
}

bool RoundTrips(const std::vector<double>& v, EncoderHint* hint = nullptr) {
  std::vector<double> got(v.size(), 12345);
  return Decode(Encode(v, hint), &got) && SameBits(v, got);
}

// What no_resets promises, said the slow way.
bool NeverFalls(const std::vector<double>& v) {
  for (std::size_t i = 0; i < v.size(); ++i)
    if (std::isnan(v[i]) || (i > 0 && v[i] < v[i - 1])) return false;
  return true;
}

}  // namespace

BOOST_AUTO_TEST_CASE(edge_columns_round_trip) {
  for (const auto& [name, v] : EdgeColumns()) {
    BOOST_TEST_CONTEXT(name) {
      BOOST_TEST(RoundTrips(v));
      auto info = PeekValues(Encode(v));
      BOOST_TEST_REQUIRE(bool(info));
      BOOST_TEST(info->count == v.size());
      BOOST_TEST(info->no_resets == NeverFalls(v));
      bool all_equal = true;
      for (double x : v) all_equal &= std::bit_cast<std::uint64_t>(x) == std::bit_cast<std::uint64_t>(v[0]);
      BOOST_TEST(info->all_equal == all_equal);
      if (all_equal) BOOST_TEST(std::bit_cast<std::uint64_t>(info->constant_value) == std::bit_cast<std::uint64_t>(v[0]));
    }
  }
}

BOOST_AUTO_TEST_CASE(kinds_are_chosen_as_meant) {
  const auto kind = [](const std::vector<double>& v) { return PeekValues(Encode(v))->kind; };
  std::vector<double> ints, decimals, sums, noise;
  std::mt19937_64 rng(1);
  double sum = 0;
  for (int i = 0; i < 120; ++i) {
    ints.push_back(static_cast<double>(1000 + rng() % 1000));
    decimals.push_back(static_cast<double>(rng() % 100000) / 100);
    sums.push_back(sum += static_cast<double>(rng() % 1000000000) * 1e-9);
    noise.push_back(std::sqrt(static_cast<double>(rng())));
  }
  BOOST_TEST((kind(std::vector<double>(50, 3.25)) == ValueKind::kConstant));
  BOOST_TEST((kind(ints) == ValueKind::kDecimal));
  BOOST_TEST((kind(decimals) == ValueKind::kDecimal));
  BOOST_TEST((kind(sums) == ValueKind::kDecimalUlp));
  BOOST_TEST((kind(noise) == ValueKind::kOrdered));
}

// Sizes that follow from the layout: constants do not grow with their length, a
// stale end costs 3 bytes (count of patches, position in two).
BOOST_AUTO_TEST_CASE(common_shapes_are_small) {
  BOOST_TEST(Encode(std::vector<double>(120, 0)).size() == 3u);
  BOOST_TEST(Encode(std::vector<double>(480, 17)).size() == 4u);
  std::vector<double> v(120, 17);
  v.back() = FromBits(kStaleNanBits);
  BOOST_TEST(Encode(v).size() == 6u);
  // 0, 1, 2, ...: one difference, repeated.
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = static_cast<double>(i);
  BOOST_TEST(Encode(v).size() <= 6u);
  // Random 10-bit multiples of 4096 need 10 bits each, not 22.
  std::mt19937_64 rng(2);
  for (auto& x : v) x = static_cast<double>(4096 * (rng() % 1024));
  BOOST_TEST(Encode(v).size() <= 120 * 10 / 8 + 10u);
  // Likewise for a factor that is not a power of two.
  for (auto& x : v) x = static_cast<double>(15000 * (rng() % 1024));
  BOOST_TEST(Encode(v).size() <= 120 * 10 / 8 + 10u);
}

BOOST_AUTO_TEST_CASE(ranges_equal_the_whole) {
  for (const auto& [name, v] : EdgeColumns()) {
    if (v.size() > 2000) continue;
    const std::string chunk = Encode(v);
    const std::size_t step = std::max<std::size_t>(1, v.size() / 23);
    for (std::size_t first = 0; first <= v.size(); first += step) {
      for (std::size_t n = 0; first + n <= v.size(); n += step) {
        std::vector<double> got(n);
        BOOST_TEST_CONTEXT(name << " [" << first << ", +" << n << ")") {
          BOOST_TEST_REQUIRE(bool(DecodeValueRange(chunk, first, got)));
          BOOST_TEST_REQUIRE(SameBits(got, {v.begin() + static_cast<std::ptrdiff_t>(first), v.begin() + static_cast<std::ptrdiff_t>(first + n)}));
        }
      }
    }
    std::vector<double> too_many(v.size() + 1);
    auto past = DecodeValueRange(chunk, 0, too_many);
    BOOST_TEST_REQUIRE(!past);
    BOOST_TEST((past.error().code == Errc::kInvalid));
  }
}

// The prototype lost columns whose differences span more than 2^63; that and its
// kin stay found.
BOOST_AUTO_TEST_CASE(adversarial_columns_round_trip) {
  std::mt19937_64 rng(20240601);
  EncoderHint hint;
  std::size_t bad = 0, bad_flag = 0, too_large = 0;
  std::vector<double> got;
  for (int i = 0; i < 220'000; ++i) {
    const std::vector<double> v = RandomColumn(rng, i % 100 == 0 ? 400 : 24);
    if (i % 3 == 1) hint = {static_cast<std::uint8_t>(rng()), static_cast<std::uint8_t>(rng())};  // any hint is safe
    const std::string chunk = Encode(v, i % 3 == 0 ? nullptr : &hint);
    got.assign(v.size(), 1);
    bad += !DecodeValues(chunk, got) || !SameBits(v, got);
    bad_flag += PeekValues(chunk)->no_resets != NeverFalls(v);
    too_large += chunk.size() > 11 * v.size() + 16;
  }
  BOOST_TEST(bad == 0u);
  BOOST_TEST(bad_flag == 0u);
  BOOST_TEST(too_large == 0u);
}

BOOST_AUTO_TEST_CASE(hints_do_not_change_values) {
  EncoderHint hint;
  std::mt19937_64 rng(3);
  double sum = 0;
  for (int chunk = 0; chunk < 40; ++chunk) {
    std::vector<double> v;
    for (int i = 0; i < 32; ++i) v.push_back(chunk < 20 ? std::round(sum += static_cast<double>(rng() % 90)) : sum += static_cast<double>(rng() % 900) / 1e9);
    BOOST_TEST(RoundTrips(v, &hint));
  }
}

BOOST_AUTO_TEST_CASE(truncation_is_corrupt) {
  for (const auto& [name, v] : EdgeColumns()) {
    if (v.size() > 2000) continue;
    const std::string chunk = Encode(v);
    std::vector<double> got(v.size());
    for (std::size_t n = 0; n < chunk.size(); ++n) BOOST_TEST(!Decode(chunk.substr(0, n), &got), name << " cut at " << n);
    BOOST_TEST(!Decode(chunk + '\0', &got), name << " with a byte more");
    std::vector<double> fewer(v.size() - 1), more(v.size() + 1);
    BOOST_TEST(!Decode(chunk, &fewer));
    BOOST_TEST(!Decode(chunk, &more));
  }
}

BOOST_AUTO_TEST_CASE(flipped_bits_stay_in_bounds) {
  for (const auto& [name, v] : EdgeColumns()) {
    if (v.size() > 1000) continue;
    std::string chunk = Encode(v);
    std::vector<double> got(v.size());
    for (std::size_t bit = 0; bit < chunk.size() * 8; ++bit) {
      chunk[bit / 8] = static_cast<char>(chunk[bit / 8] ^ (1 << bit % 8));
      (void)Decode(chunk, &got);
      chunk[bit / 8] = static_cast<char>(chunk[bit / 8] ^ (1 << bit % 8));
    }
    BOOST_TEST(Decode(chunk, &got), name);
  }
}

BOOST_AUTO_TEST_CASE(random_bytes_stay_in_bounds) {
  std::mt19937_64 rng(4);
  std::vector<double> got;
  for (int i = 0; i < 100'000; ++i) {
    std::string bytes(1 + rng() % 60, '\0');
    for (char& c : bytes) c = static_cast<char>(rng());
    bytes[0] = static_cast<char>(1 + rng() % 127);  // a count of one byte, so that the body is reached
    bytes[1 % bytes.size()] &= i % 2 ? 0x3f : -1;
    got.resize(static_cast<std::size_t>(bytes[0]));
    (void)Decode(bytes, &got);
  }
}

BOOST_AUTO_TEST_CASE(kernel_sets_agree_on_chunks) {
  if (Avx2Kernels() == nullptr) return;
  std::mt19937_64 rng(5);
  for (int i = 0; i < 3000; ++i) {
    const std::vector<double> v = RandomColumn(rng, 300);
    std::string body, portable;
    AppendValueBody(v, &body, nullptr, *Avx2Kernels());
    AppendValueBody(v, &portable, nullptr, PortableKernels());
    BOOST_TEST_REQUIRE(body == portable);
    for (const Kernels* kernels : {&PortableKernels(), Avx2Kernels()}) {
      const auto* p = reinterpret_cast<const std::uint8_t*>(body.data());
      ValueBodyReader reader;
      std::vector<double> got(v.size());
      BOOST_TEST_REQUIRE(reader.Open(&p, p + body.size(), v.size(), *kernels));
      BOOST_TEST_REQUIRE(reader.Read(0, v.size(), got.data()));
      BOOST_TEST_REQUIRE(SameBits(v, got));
    }
  }
}
