// Arithmetic that the value encoder and its kernels share. Internal to lib/chunk.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace prom::chunk {

inline constexpr int kMaxExponent = 15;
// All exact as doubles.
inline constexpr double kPow10[kMaxExponent + 1] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

// Adding and taking away this rounds a double below kRoundLimit to an integer.
inline constexpr double kRound = 0x1.8p52, kRoundLimit = 0x1p51;

// Of the bits of a double: a NaN or an infinity.
inline bool IsSpecial(std::uint64_t bits) { return (bits & 0x7ff0000000000000ull) == 0x7ff0000000000000ull; }

// The bits of a double as an integer that sorts as the doubles do (-0 just below
// +0, NaNs outermost), and back: the map is its own inverse.
inline std::uint64_t OrderedBits(std::uint64_t bits) {
  return bits ^ (static_cast<std::uint64_t>(static_cast<std::int64_t>(bits) >> 63) >> 1);
}

// The integer nearest to v * 10^exponent. False when it is out of reach:
// 2^53, up to which every integer is a double, or 2^63 for exponent 0.
inline bool RoundDecimal(double v, int exponent, std::int64_t* m) {
  if (exponent == 0) {
    if (!(std::fabs(v) < 0x1p63)) return false;
    *m = static_cast<std::int64_t>(v);  // a fraction is found out by the caller's comparison
    return true;
  }
  const double scaled = v * kPow10[exponent];
  if (std::fabs(scaled) < kRoundLimit) {
    *m = static_cast<std::int64_t>((scaled + kRound) - kRound);
    return true;
  }
  if (!(std::fabs(scaled) < 0x1p53)) return false;
  *m = static_cast<std::int64_t>(scaled + std::copysign(0.5, scaled));
  return true;
}

inline double DecimalValue(std::int64_t m, int exponent) {
  const auto d = static_cast<double>(m);
  return exponent == 0 ? d : d / kPow10[exponent];
}

// v == m / 10^exponent, bit for bit (so not for -0 and NaN).
inline bool FitDecimal(double v, int exponent, std::int64_t* m) {
  return RoundDecimal(v, exponent, m) && std::bit_cast<std::uint64_t>(DecimalValue(*m, exponent)) == std::bit_cast<std::uint64_t>(v);
}

}  // namespace prom::chunk
