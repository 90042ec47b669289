// The quick way from text to double for what exporters print: up to 19 digits, a
// point, a small exponent. Exact whenever it says yes: the digits fit in 53 bits and
// the power of ten is one a double holds (up to 10^22), so that one multiplication or
// division rounds once, as the long way would (Clinger 1990).
#pragma once

#include <cstddef>
#include <cstdint>

namespace prom {

inline bool ParseFloatFast(const char* p, const char* end, double* out) {
  static constexpr double kPowers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                       1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  if (p == end) return false;
  const bool negative = *p == '-';
  if (negative) ++p;
  std::uint64_t digits = 0;
  const char* const begin = p;
  for (; p != end && static_cast<unsigned char>(*p - '0') < 10; ++p) digits = digits * 10 + static_cast<unsigned char>(*p - '0');
  std::ptrdiff_t count = p - begin;
  if (count == 0) return false;
  std::ptrdiff_t exponent = 0;
  if (p != end && *p == '.') {
    const char* const fraction = ++p;
    for (; p != end && static_cast<unsigned char>(*p - '0') < 10; ++p) digits = digits * 10 + static_cast<unsigned char>(*p - '0');
    exponent = fraction - p;
    count -= exponent;
  }
  if (count > 19 || digits > (std::uint64_t{1} << 53)) return false;
  if (p != end && (*p == 'e' || *p == 'E')) {
    if (++p == end) return false;
    const bool down = *p == '-';
    if (*p == '-' || *p == '+') ++p;
    if (p == end || end - p > 3) return false;
    int e = 0;
    for (; p != end && static_cast<unsigned char>(*p - '0') < 10; ++p) e = e * 10 + (*p - '0');
    exponent += down ? -e : e;
  }
  if (p != end || exponent < -22 || exponent > 22) return false;
  double v = static_cast<double>(digits);
  if (exponent < 0) {
    v /= kPowers[-exponent];
  } else {
    v *= kPowers[exponent];
  }
  *out = negative ? -v : v;
  return true;
}

}  // namespace prom
