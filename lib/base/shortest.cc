// Schubfach (Raffaele Giulietti, "The Schubfach way to render doubles", 2020): v and
// the ends of the interval that rounds to v are multiplied by a power of ten that
// brings them to integers of 16 or 17 digits; of the candidates next to v, with one
// digit less if possible, the one inside the interval is taken. Three products of
// 64 x 128 bits and no loop. The powers are worked out once (20 us) rather than kept
// as 617 constants in the source. Nearly always one product is enough: FromOneProduct.
#include "base/shortest.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace prom {

namespace {

__extension__ using Uint128 = unsigned __int128;

constexpr int kMinPower = -292, kMaxPower = 324;

// 10^k * 2^-r with the r that gives 128 bits, rounded up.
struct Power {
  std::uint64_t hi, lo;
};

// Numbers of up to 1216 bits, lowest limb first.
using Big = std::array<std::uint64_t, 19>;

// The highest 128 bits of n, one added when bits below are cut off or `inexact`.
Power Top(const Big& n, bool inexact) {
  std::size_t high = n.size() - 1;
  while (n[high] == 0) --high;
  const int shift = std::countl_zero(n[high]);
  auto limb = [&](std::size_t back) { return high >= back ? n[high - back] : 0; };
  auto shifted = [&](std::size_t back) { return shift == 0 ? limb(back) : (limb(back) << shift) | (limb(back + 1) >> (64 - shift)); };
  Power out{shifted(0), shifted(1)};
  bool rest = inexact || (limb(2) << shift) != 0;
  for (std::size_t back = 3; back <= high; ++back) rest = rest || limb(back) != 0;
  if (rest && ++out.lo == 0) ++out.hi;
  return out;
}

std::array<Power, kMaxPower - kMinPower + 1> MakePowers() {
  std::array<Power, kMaxPower - kMinPower + 1> out{};
  // Powers of two are only shifts: 10^k has the bits of 5^k, 10^-k those of 2^1215 / 5^k.
  Big n{};
  n[0] = 1;
  for (int k = 0; k <= kMaxPower; ++k) {
    out[static_cast<std::size_t>(k - kMinPower)] = Top(n, false);
    std::uint64_t carry = 0;
    for (std::uint64_t& limb : n) {
      const Uint128 product = Uint128{limb} * 5 + carry;
      limb = static_cast<std::uint64_t>(product);
      carry = static_cast<std::uint64_t>(product >> 64);
    }
  }
  n = {};
  n.back() = std::uint64_t{1} << 63;
  for (int k = -1; k >= kMinPower; --k) {
    std::uint64_t rest = 0;
    for (std::size_t i = n.size(); i-- > 0;) {
      const Uint128 part = (Uint128{rest} << 64) | n[i];
      n[i] = static_cast<std::uint64_t>(part / 5);
      rest = static_cast<std::uint64_t>(part % 5);
    }
    out[static_cast<std::size_t>(k - kMinPower)] = Top(n, true);
  }
  return out;
}

// Logarithms by multiplication, exact over the exponents of doubles.
int FloorLog2Pow10(int e) { return (e * 1741647) >> 19; }
int FloorLog10Pow2(int e) { return (e * 1262611) >> 22; }
int FloorLog10ThreeQuartersPow2(int e) { return (e * 1262611 - 524031) >> 22; }

// The product's highest 64 bits, the lowest of them set when bits below are: enough to compare with.
std::uint64_t RoundToOdd(const Power& p, std::uint64_t x) {
  const Uint128 low = Uint128{p.lo} * x, high = Uint128{p.hi} * x + static_cast<std::uint64_t>(low >> 64);
  return static_cast<std::uint64_t>(high >> 64) | static_cast<std::uint64_t>(static_cast<std::uint64_t>(high) > 1);
}

// The answer by one product, v as whole units of 10^k and a fraction: half the distance to a neighbour is a shift of the
// power. All of it is exact to some 2^-60 units, so where a comparison is closer than that there is no answer here; else
// it is the same as below: nothing is rounded the other way by less than a comparison's margin. Not below a power of two.
inline std::optional<ShortestDecimal> FromOneProduct(const Power& p, std::uint64_t x, int h, int k) {
  constexpr std::uint64_t kUnit = std::uint64_t{1} << 60, kMargin = 8;
  const Uint128 low = Uint128{p.lo} * x, high = Uint128{p.hi} * x + static_cast<std::uint64_t>(low >> 64);
  const auto s = static_cast<std::uint64_t>(high >> 64), fraction = static_cast<std::uint64_t>(high) >> 4;
  const std::uint64_t half = p.hi >> (5 - h), tenth = s / 10;  // 1/2 to 5 units
  const std::uint64_t above = (s - 10 * tenth) * kUnit + fraction, below = 10 * kUnit - above;  // to the tens around v
  const auto near = [](std::uint64_t a, std::uint64_t b) { return a - b + kMargin <= 2 * kMargin; };
  if (near(above, half) || near(below, half) || near(fraction, kUnit / 2)) return std::nullopt;
  const std::uint64_t down = above < half, up = below < half, shorter = 0 - (down ^ up);
  const std::uint64_t full = s + (fraction >> 59);
  return ShortestDecimal{full ^ ((full ^ (tenth + up)) & shorter), k + static_cast<int>(shorter & 1)};
}

ShortestDecimal WithoutZeros(ShortestDecimal d) {
  while (d.digits % 10 == 0) {
    d.digits /= 10;
    ++d.exponent;
  }
  return d;
}

}  // namespace

ShortestDecimal ToShortest(double v) {
  static const auto powers = MakePowers();
  const std::uint64_t bits = std::bit_cast<std::uint64_t>(v);
  const std::uint64_t fraction = bits & ((std::uint64_t{1} << 52) - 1);
  const int biased = static_cast<int>(bits >> 52);
  const std::uint64_t c = biased != 0 ? fraction | (std::uint64_t{1} << 52) : fraction;
  const int q = (biased != 0 ? biased : 1) - 1075;  // v = c * 2^q
  if (q <= 0 && q > -53 && (c & ((std::uint64_t{1} << -q) - 1)) == 0) return WithoutZeros({c >> -q, 0});

  // The neighbour below a power of two is only half as far away.
  const bool closer = fraction == 0 && biased > 1;
  const std::uint64_t ends_excluded = c & 1;  // a tie is read as the even one
  const int k = closer ? FloorLog10ThreeQuartersPow2(q) : FloorLog10Pow2(q);
  const int h = q + FloorLog2Pow10(-k) + 1;
  const Power& power = powers[static_cast<std::size_t>(-k - kMinPower)];
  if (!closer)
    if (const auto quick = FromOneProduct(power, c << h, h, k)) return WithoutZeros(*quick);
  const std::uint64_t lower = RoundToOdd(power, (4 * c - 2 + closer) << h) + ends_excluded;
  const std::uint64_t value = RoundToOdd(power, (4 * c) << h);
  const std::uint64_t upper = RoundToOdd(power, (4 * c + 2) << h) - ends_excluded;

  // Which of the candidates it will be is as good as random: no branch, which would be guessed wrong half the time.
  const std::uint64_t s = value / 4, tenth = s / 10, middle = 4 * s + 2;
  const std::uint64_t tenth_down = lower <= 40 * tenth, tenth_up = 40 * tenth + 40 <= upper;
  const std::uint64_t down = lower <= 4 * s, up = 4 * s + 4 <= upper;
  const std::uint64_t nearest_up = static_cast<std::uint64_t>(value > middle) | (static_cast<std::uint64_t>(value == middle) & s & 1);
  const std::uint64_t one = down ^ up, shorter = static_cast<std::uint64_t>(s >= 10) & (tenth_down ^ tenth_up);
  const std::uint64_t full = s + ((one & up) | (~one & nearest_up));
  return WithoutZeros({full ^ ((full ^ (tenth + tenth_up)) & (0 - shorter)), k + static_cast<int>(shorter)});
}

namespace {

// Eight digits of n < 10^8, the first in the lowest byte: halves, quarters and eighths side by side in one word.
inline std::uint64_t EightDigits(std::uint32_t n) {
  std::uint64_t v = n / 10'000 | static_cast<std::uint64_t>(n % 10'000) << 32;
  std::uint64_t high = (v * 10'486 >> 20) & 0x0000007f0000007f;  // by 100
  v = high | (v - 100 * high) << 16;
  high = (v * 103 >> 10) & 0x000f000f000f000f;  // by 10
  return high | (v - 10 * high) << 8;
}

constexpr std::uint64_t kZeros = 0x3030303030303030;

constexpr std::uint64_t kEight = 100'000'000;  // what has one digit more than eight

char* WriteEight(char* out, std::uint32_t n) {
  const std::uint64_t text = EightDigits(n) | kZeros;
  std::memcpy(out, &text, 8);
  return out + 8;
}

#ifdef __SSE2__
// n < 10^16, all sixteen digits side by side: eights, fours, twos and ones.
char* WriteSixteen(char* out, std::uint64_t n) {
  const __m128i eights = _mm_set_epi64x(static_cast<std::int64_t>(n % kEight), static_cast<std::int64_t>(n / kEight));
  __m128i high = _mm_srli_epi64(_mm_mul_epu32(eights, _mm_set1_epi32(static_cast<int>(0xd1b71759))), 45);  // by 10,000
  const __m128i fours = _mm_or_si128(high, _mm_slli_epi64(_mm_sub_epi32(eights, _mm_mul_epu32(high, _mm_set1_epi32(10'000))), 32));
  high = _mm_srli_epi16(_mm_mulhi_epu16(fours, _mm_set1_epi16(5243)), 3);  // by 100
  const __m128i twos = _mm_or_si128(high, _mm_slli_epi32(_mm_sub_epi16(fours, _mm_mullo_epi16(high, _mm_set1_epi16(100))), 16));
  high = _mm_mulhi_epu16(twos, _mm_set1_epi16(6554));  // by 10
  const __m128i ones = _mm_or_si128(high, _mm_slli_epi16(_mm_sub_epi16(twos, _mm_mullo_epi16(high, _mm_set1_epi16(10))), 8));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm_or_si128(ones, _mm_set1_epi8('0')));
  return out + 16;
}
#else
char* WriteSixteen(char* out, std::uint64_t n) {
  return WriteEight(WriteEight(out, static_cast<std::uint32_t>(n / kEight)), static_cast<std::uint32_t>(n % kEight));
}
#endif

// Without leading zeros; n < 10^8. Eight bytes are written whatever n is.
char* WriteShort(char* out, std::uint32_t n) {
  if (n < 10) {
    *out = static_cast<char>('0' + n);
    return out + 1;
  }
  const std::uint64_t digits = EightDigits(n);
  const int zeros = std::countr_zero(digits) / 8;
  const std::uint64_t text = (digits | kZeros) >> (8 * zeros);
  std::memcpy(out, &text, 8);
  return out + 8 - zeros;
}

}  // namespace

char* WriteDigits(char* out, std::uint64_t n) {
  static_assert(std::endian::native == std::endian::little);
  if (n < kEight) return WriteShort(out, static_cast<std::uint32_t>(n));
  if (n < kEight * kEight) return WriteEight(WriteShort(out, static_cast<std::uint32_t>(n / kEight)), static_cast<std::uint32_t>(n % kEight));
  return WriteSixteen(WriteShort(out, static_cast<std::uint32_t>(n / (kEight * kEight))), n % (kEight * kEight));
}

char* WritePadded(char* out, std::uint64_t n, int digits) {
  // As 17 digits or more, of which the last ones may be too many.
  n *= PowerOfTen(std::max(17 - digits, 0));
  char* p = out;
  if (digits > 17) {
    std::memcpy(out, &kZeros, 8);
    p += digits - 17;
  }
  *p++ = static_cast<char>('0' + n / (kEight * kEight));
  WriteSixteen(p, n % (kEight * kEight));
  return out + digits;
}

char* WriteTrimmed(char* out, std::uint32_t n, int digits) {
  const std::uint64_t values = EightDigits(n * static_cast<std::uint32_t>(PowerOfTen(8 - digits))), text = values | kZeros;
  std::memcpy(out, &text, 8);
  return out + 8 - std::countl_zero(values) / 8;
}

std::uint64_t PowerOfTen(int k) {
  static constexpr auto kPowers = [] {
    std::array<std::uint64_t, 20> out{};
    std::uint64_t power = 1;
    for (std::uint64_t& p : out) {
      p = power;
      power *= 10;
    }
    return out;
  }();
  return kPowers[static_cast<std::size_t>(k)];
}

}  // namespace prom
