// Columns to try encoders on: named edge cases, and a generator of adversarial ones.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/number.h"

namespace prom::chunk::testing {

inline double FromBits(std::uint64_t bits) { return std::bit_cast<double>(bits); }

inline bool SameBits(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (std::bit_cast<std::uint64_t>(a[i]) != std::bit_cast<std::uint64_t>(b[i])) return false;
  return true;
}

inline std::vector<std::pair<std::string, std::vector<double>>> EdgeColumns() {
  const double inf = std::numeric_limits<double>::infinity(), stale = FromBits(kStaleNanBits), nan = FromBits(kNormalNanBits);
  std::vector<std::pair<std::string, std::vector<double>>> out = {
      {"one zero", {0}},
      {"one negative zero", {-0.0}},
      {"one stale", {stale}},
      {"one nan", {nan}},
      {"one inf", {inf}},
      {"one denormal", {5e-324}},
      {"one tenth", {0.1}},
      {"two", {1, 2}},
      {"zero and negative zero", {0.0, -0.0, 0.0, -0.0}},
      {"ends stale", {5, 5, 5, 5, stale}},
      {"ends stale after change", {5, 6, 7, 9, stale}},
      {"stale only", {stale, stale, stale}},
      {"stale then values", {stale, stale, 3, 4, 5}},
      {"infinities", {inf, -inf, inf, 1, 2, inf}},
      {"all payloads", {FromBits(0x7ff0000000000001), FromBits(0xfff8000000000000), FromBits(0x7fffffffffffffff), FromBits(0xffffffffffffffff)}},
      {"payload among ints", {1, 2, 3, FromBits(0x7ff8dead0000beef), 5, 6}},
      {"min and max", {-std::numeric_limits<double>::max(), std::numeric_limits<double>::max(), std::numeric_limits<double>::min(), 5e-324, -5e-324}},
      {"int64 edges", {9223372036854774784.0, -9223372036854775808.0, 9223372036854775808.0, -9223372036854774784.0, 0}},
      {"2^53", {9007199254740991, 9007199254740992, 9007199254740994, -9007199254740992}},
      {"decimals", {0.1, 0.2, 0.3, 0.25, 0.125, 12.75}},
      {"decimals of 15 places", {0.123456789012345, 0.123456789012346, 0.999999999999999}},
      {"thirds", {1.0 / 3, 2.0 / 3, 4.0 / 3, 5.0 / 3}},
      {"bytes", {4096, 8192, 12288, 1048576, 4096}},
      {"reset", {100, 110, 120, 130, 5, 15, 25}},
      {"nan in a run of misfits", {1.0 / 3, 1.0 / 3, nan, 1.0 / 3, 1.0 / 3, 1.0 / 3, 1.0 / 3, 1.0 / 3}},
  };
  std::vector<double> v;
  for (int i = 0; i < 1000; ++i) v.push_back(1e9 + i * 137);
  out.emplace_back("straight line", v);
  double sum = 0;
  v.clear();
  for (int i = 0; i < 700; ++i) v.push_back(sum += 0.000123457 * (i % 7 + 1));
  out.emplace_back("drifting sum", v);
  v.assign(65535, 42);
  out.emplace_back("longest constant", v);
  v.back() = stale;
  out.emplace_back("longest constant, stale end", v);
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = static_cast<double>(i * i % 1000003);
  out.emplace_back("longest busy", v);
  v.assign(512, 7);
  for (std::size_t i = 0; i < v.size(); i += 64) v[i] = 1.0 / 3 + static_cast<double>(i);
  for (std::size_t i = 5; i < v.size(); i += 100) v[i] = nan;
  out.emplace_back("integers with misfits and nans", v);
  for (std::size_t n : {127u, 128u, 129u, 255u, 256u, 257u}) {
    v.clear();
    for (std::size_t i = 0; i < n; ++i) v.push_back(static_cast<double>(i * 1000 + i * i % 17));
    out.emplace_back("around a block, " + std::to_string(n), v);
  }
  return out;
}

// One adversarial column of 1..max values: a mix of number classes, shapes and
// outliers chosen by the generator.
inline std::vector<double> RandomColumn(std::mt19937_64& rng, std::size_t max) {
  const auto below = [&](std::uint64_t n) { return rng() % n; };
  const std::size_t n = 1 + below(max);
  std::vector<double> v(n);
  const auto scale = std::pow(10.0, static_cast<double>(below(16)));
  const auto bits = static_cast<int>(below(64));
  const std::uint64_t mask = (bits == 63 ? ~0ull : (2ull << bits) - 1);
  const auto factor = static_cast<double>(1 + below(5000));
  double sum = static_cast<double>(below(1'000'000'000)) / scale;
  std::uint64_t walk = rng();
  const std::uint64_t shape = below(12);
  const std::uint64_t hold = below(2) ? 1 : 2 + below(20);  // how long a value stays
  for (std::size_t i = 0; i < n; ++i) {
    if (i > 0 && hold > 1 && below(hold) != 0) {
      v[i] = v[i - 1];
      continue;
    }
    switch (shape) {
      case 0: v[i] = FromBits(rng()); break;
      case 1: v[i] = static_cast<double>(rng() & mask); break;
      case 2: v[i] = -static_cast<double>(rng() & mask); break;
      case 3: v[i] = static_cast<double>(static_cast<std::int64_t>(rng() & mask)) / scale; break;
      case 4: v[i] = sum += static_cast<double>(below(1000)) / scale; break;
      case 5: v[i] = sum += static_cast<double>(rng() & mask); break;
      case 6: v[i] = FromBits(walk += (rng() & mask)); break;
      case 7: v[i] = FromBits(walk -= (rng() & mask)); break;
      case 8: v[i] = factor * static_cast<double>(below(100)) - (i % 2 ? factor * 50 : 0); break;
      case 9: v[i] = static_cast<double>(static_cast<std::int64_t>(rng())); break;
      case 10: v[i] = FromBits(rng() & 0x800fffffffffffffull); break;  // denormals
      default: v[i] = static_cast<double>(below(2)); break;
    }
  }
  static const double kSpecial[] = {0.0, -0.0, 1, -1, 0.1, 1.0 / 3, 1e300, -1e300, 5e-324, 9.2233720368547758e18, -9.2233720368547758e18, 4503599627370496.5};
  static const std::uint64_t kSpecialBits[] = {kStaleNanBits, kNormalNanBits, 0x7ff0000000000000, 0xfff0000000000000, 0x7ff0000000000001,
                                               0xffffffffffffffff, 0x7fefffffffffffff, 0xffefffffffffffff};
  for (std::uint64_t outliers = below(3) == 0 ? below(n + 1) : below(3); outliers > 0; --outliers) {
    const std::size_t at = below(n);
    v[at] = below(2) ? kSpecial[below(std::size(kSpecial))] : FromBits(kSpecialBits[below(std::size(kSpecialBits))]);
  }
  if (below(4) == 0) v.back() = FromBits(kStaleNanBits);
  return v;
}

}  // namespace prom::chunk::testing
