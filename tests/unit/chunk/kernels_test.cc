#include "chunk/kernels.h"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "base/bytes.h"
#include "columns.h"

using namespace prom::chunk;

namespace {

std::vector<const Kernels*> AllKernels() {
  std::vector<const Kernels*> all = {&PortableKernels()};
  if (Avx2Kernels() != nullptr) all.push_back(Avx2Kernels());
  return all;
}

// Bit i of the packed form, by the definition: value i / width, low bits first.
bool PackedBit(const std::vector<std::uint8_t>& bytes, std::size_t bit) { return bytes[bit / 8] >> (bit % 8) & 1; }

}  // namespace

BOOST_AUTO_TEST_CASE(packing_follows_the_layout) {
  std::mt19937_64 rng(1);
  for (unsigned width = 0; width <= 64; ++width) {
    std::vector<std::uint64_t> in(kBlockValues);
    for (auto& v : in) v = width == 0 ? 0 : rng() >> (64 - width);
    for (std::size_t groups : {1u, 3u, 16u}) {
      std::vector<std::uint8_t> bytes(groups * width + kUnpackSlack, 0);
      PackBits(in.data(), groups, width, bytes.data());
      std::size_t wrong = 0;
      for (std::size_t bit = 0; bit < groups * 8 * width; ++bit) wrong += PackedBit(bytes, bit) != (in[bit / width] >> (bit % width) & 1);
      BOOST_TEST(wrong == 0u, "width " << width);
      for (std::size_t i = groups * width; i < bytes.size(); ++i) bytes[i] = 0xff;  // what lies behind must not matter
      for (const Kernels* kernels : AllKernels()) {
        std::vector<std::uint64_t> out(groups * 8, ~0ull);
        kernels->unpack[width](bytes.data(), groups, out.data());
        BOOST_TEST(std::equal(out.begin(), out.end(), in.begin()), "width " << width << " groups " << groups);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(sums_and_maps) {
  std::mt19937_64 rng(2);
  for (std::size_t n = 0; n <= kBlockValues; ++n) {
    std::vector<std::uint64_t> in(n);
    for (auto& v : in) v = rng() >> (rng() % 64);
    const std::uint64_t base = rng(), sum = rng();
    for (const std::uint64_t factor : {std::uint64_t{2}, std::uint64_t{4096}, std::uint64_t{15}, rng()}) {
      for (const Kernels* kernels : AllKernels()) {
        std::vector<std::uint64_t> u = in;
        kernels->scale(u.data(), n, factor);
        for (std::size_t i = 0; i < n; ++i) BOOST_TEST_REQUIRE(u[i] == in[i] * factor);
      }
    }
    for (const Kernels* kernels : AllKernels()) {
      std::vector<std::uint64_t> u = in;
      kernels->unzigzag(u.data(), n);
      for (std::size_t i = 0; i < n; ++i) BOOST_TEST_REQUIRE(u[i] == static_cast<std::uint64_t>(prom::UnZigZag(in[i])));
      u = in;
      kernels->add(u.data(), n, base);
      for (std::size_t i = 0; i < n; ++i) BOOST_TEST_REQUIRE(u[i] == in[i] + base);
      u = in;
      std::uint64_t want = sum;
      const std::uint64_t last = kernels->prefix_sum(u.data(), n, base, sum);
      for (std::size_t i = 0; i < n; ++i) {
        want += in[i] + base;
        BOOST_TEST_REQUIRE(u[i] == want);
      }
      BOOST_TEST_REQUIRE(last == want);
      u = in;
      want = sum;
      const std::uint64_t zigzag_last = kernels->prefix_sum_zigzag(u.data(), n, sum);
      for (std::size_t i = 0; i < n; ++i) {
        want += static_cast<std::uint64_t>(prom::UnZigZag(in[i]));
        BOOST_TEST_REQUIRE(u[i] == want);
      }
      BOOST_TEST_REQUIRE(zigzag_last == want);
    }
  }
}

// The conversion must round as the CPU's own does, over all of int64.
BOOST_AUTO_TEST_CASE(decimals_are_correctly_rounded) {
  std::mt19937_64 rng(3);
  std::vector<std::uint64_t> x = {0, 1, ~0ull, 1ull << 63, (1ull << 63) - 1, (1ull << 53) + 1, 0 - (1ull << 53) - 1, (1ull << 62) + 255, 1ull << 32, 0xffffffff};
  while (x.size() < 127) x.push_back(rng() >> (rng() % 64));
  for (std::size_t i = 64; i < 96; ++i) x[i] = 0 - x[i];
  std::vector<std::uint64_t> ulps(x.size());
  for (auto& u : ulps) u = rng() % 200 - 100;
  double power = 1;
  for (int exponent = 0; exponent <= 15; ++exponent, power *= 10) {
    for (const Kernels* kernels : AllKernels()) {
      std::vector<double> out(x.size()), moved(x.size());
      kernels->to_decimal(x.data(), x.size(), exponent, out.data());
      kernels->to_decimal_ulp(x.data(), ulps.data(), x.size(), exponent, moved.data());
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double want = static_cast<double>(static_cast<std::int64_t>(x[i])) / power;
        BOOST_TEST_REQUIRE(std::bit_cast<std::uint64_t>(out[i]) == std::bit_cast<std::uint64_t>(want));
        if (want == 0 || std::abs(want) < 1e-300) continue;
        // Away from zero an ulp up is one more in the bits of a positive number, one less of a negative.
        const auto step = static_cast<std::int64_t>(ulps[i]);
        const std::uint64_t bits = std::bit_cast<std::uint64_t>(want) + static_cast<std::uint64_t>(want > 0 ? step : -step);
        BOOST_TEST_REQUIRE(std::bit_cast<std::uint64_t>(moved[i]) == bits);
      }
    }
  }
}

// What the encoder asks: both sets must give the same answers, so that a chunk's
// bytes do not depend on the machine, and the answers must be true.
BOOST_AUTO_TEST_CASE(encoder_kernels) {
  std::mt19937_64 rng(4);
  for (int round = 0; round < 20000; ++round) {
    const std::vector<double> y = testing::RandomColumn(rng, 40);
    const auto n = y.size();
    const int exponent = static_cast<int>(rng() % 16), ulp_exponent = 3 * (1 + static_cast<int>(rng() % 3));
    std::vector<std::uint64_t> x(n), want_m, want_ulp_m, want_ulps;
    for (std::size_t i = 0; i < n; ++i) x[i] = std::bit_cast<std::uint64_t>(y[i]);
    std::int64_t min = INT64_MAX, max = INT64_MIN;
    std::size_t negative = 0;
    std::uint64_t magnitude = 0, any = 0;
    for (std::uint64_t u : x) {
      any |= u;
      const auto v = static_cast<std::int64_t>(u);
      min = std::min(min, v);
      max = std::max(max, v);
      negative += v < 0;
      magnitude += std::min(v < 0 ? ~u : u, std::uint64_t{1} << 47);
    }
    std::size_t specials = 0, changes = 0;
    bool no_resets = true;
    for (std::size_t i = 0; i < n; ++i) {
      specials += !std::isfinite(y[i]);
      changes += i > 0 && x[i] != x[i - 1];
      no_resets = no_resets && !std::isnan(y[i]) && (i == 0 || y[i] >= y[i - 1]);
    }
    bool first = true;
    for (const Kernels* kernels : AllKernels()) {
      const IntSummary s = kernels->summarize(x.data(), n);
      BOOST_TEST_REQUIRE((s.min == min && s.max == max && s.negative == negative && s.magnitude == magnitude && s.any == any));
      const ValueSurvey survey = kernels->survey(y.data(), n);
      BOOST_TEST_REQUIRE((survey.specials == specials && survey.changes == changes && survey.no_resets == no_resets));

      std::vector<std::uint64_t> m(n), ulp_m(n), ulps(n);
      m.resize(kernels->fit_decimal(y.data(), n, exponent, m.data()));
      std::vector<double> back(n);
      kernels->to_decimal(m.data(), m.size(), exponent, back.data());
      BOOST_TEST_REQUIRE(std::memcmp(back.data(), y.data(), m.size() * sizeof(double)) == 0);
      if (kernels->fit_decimal_ulp(y.data(), n, ulp_exponent, ulp_m.data(), ulps.data())) {
        kernels->to_decimal_ulp(ulp_m.data(), ulps.data(), n, ulp_exponent, back.data());
        BOOST_TEST_REQUIRE(std::memcmp(back.data(), y.data(), n * sizeof(double)) == 0);
      } else {
        ulp_m.clear();
        ulps.clear();
      }
      if (first) want_m = m, want_ulp_m = ulp_m, want_ulps = ulps;
      first = false;
      BOOST_TEST_REQUIRE((m == want_m && ulp_m == want_ulp_m && ulps == want_ulps));
    }
  }
}

// The width is the cheapest one there is, found by trying all of them: n values of
// `width` bits, and for each longer one a position of 8 bits and the bits above.
BOOST_AUTO_TEST_CASE(the_cheapest_width_is_chosen) {
  std::mt19937_64 rng(5);
  for (int round = 0; round < 20000; ++round) {
    const std::size_t n = 1 + rng() % kBlockValues;
    const unsigned common = static_cast<unsigned>(rng() % 65), outlier = static_cast<unsigned>(rng() % 65), one_in = 1 + static_cast<unsigned>(rng() % 40);
    std::vector<std::uint64_t> u(n);
    for (auto& v : u) {
      const unsigned bits = rng() % one_in == 0 ? outlier : common;
      v = bits == 0 ? 0 : rng() >> (64 - bits);
    }
    unsigned longest = 0;
    for (const std::uint64_t v : u) longest = std::max(longest, static_cast<unsigned>(std::bit_width(v)));
    std::size_t cheapest = n * longest;
    for (unsigned width = 0; width < longest; ++width) {
      const auto longer = static_cast<std::size_t>(std::count_if(u.begin(), u.end(), [&](std::uint64_t v) { return static_cast<unsigned>(std::bit_width(v)) > width; }));
      cheapest = std::min(cheapest, n * width + 16 + longer * (8 + longest - width));
    }
    const BlockWidth want = PortableKernels().choose_width(u.data(), n);
    BOOST_TEST_REQUIRE(want.bits == cheapest);
    for (const Kernels* kernels : AllKernels()) {
      const BlockWidth got = kernels->choose_width(u.data(), n);
      BOOST_TEST_REQUIRE((got.width == want.width && got.high == want.high && got.patches == want.patches && got.bits == want.bits));
    }
  }
}
