// The shortest decimal number that reads back as a double.
#pragma once

#include <cstdint>

namespace prom {

// digits * 10^exponent; digits has at most 17 of them and does not end in 0.
struct ShortestDecimal {
  std::uint64_t digits = 0;
  int exponent = 0;
};

// Of the decimals that read back as v those with the fewest digits, and of these
// the nearest to v: what std::to_chars writes, in about half the time. v > 0 and finite. Thread-safe.
ShortestDecimal ToShortest(double v);

// Writes the digits of n, without a sign; the end. Needs room for 24, of which it may use more than the digits.
char* WriteDigits(char* out, std::uint64_t n);

// Writes n as `digits` digits, with zeros in front; the end. n < 10^17, 0 < digits <= 24. Needs room for 32.
char* WritePadded(char* out, std::uint64_t n, int digits);
// The same without zeros at the end. 0 < n < 10^8, digits <= 8. Needs room for 8.
char* WriteTrimmed(char* out, std::uint32_t n, int digits);

// 10^k, 0 <= k <= 19.
std::uint64_t PowerOfTen(int k);

}  // namespace prom
