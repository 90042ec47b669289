// AVX2 kernels. Compiled with a target attribute per function, so that no inline
// function of a header is ever built with AVX2 and then shared with other files.
#include "chunk/kernels.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <bit>
#include <cstring>
#include <utility>

#include "chunk/decimal.h"

#define PROM_AVX2 __attribute__((target("avx2,popcnt")))

namespace prom::chunk {
namespace {

// Where in a 16-byte load, made at the byte the pair starts in, the 8 bytes of
// each of the pair's two values begin.
template <unsigned W, unsigned Pair>
struct PairLayout {
  static constexpr unsigned kBit0 = 2 * Pair * W, kBit1 = kBit0 + W;
  static constexpr unsigned kByte = kBit0 / 8;
  static constexpr unsigned kShift0 = kBit0 % 8, kShift1 = kBit1 % 8;
  static constexpr unsigned kSkip1 = kBit1 / 8 - kByte;  // at most 8: W <= 57
};

template <unsigned W, unsigned Pair>
PROM_AVX2 inline __m256i UnpackFour(const std::uint8_t* in) {
  using A = PairLayout<W, Pair>;
  using B = PairLayout<W, Pair + 1>;
  const __m128i lo = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in + A::kByte));
  const __m128i hi = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in + B::kByte));
  __m256i v = _mm256_inserti128_si256(_mm256_castsi128_si256(lo), hi, 1);
  constexpr auto c = [](unsigned skip, unsigned k) { return static_cast<char>(skip + k); };
  const __m256i control = _mm256_setr_epi8(
      0, 1, 2, 3, 4, 5, 6, 7, c(A::kSkip1, 0), c(A::kSkip1, 1), c(A::kSkip1, 2), c(A::kSkip1, 3), c(A::kSkip1, 4), c(A::kSkip1, 5), c(A::kSkip1, 6),
      c(A::kSkip1, 7), 0, 1, 2, 3, 4, 5, 6, 7, c(B::kSkip1, 0), c(B::kSkip1, 1), c(B::kSkip1, 2), c(B::kSkip1, 3), c(B::kSkip1, 4), c(B::kSkip1, 5),
      c(B::kSkip1, 6), c(B::kSkip1, 7));
  v = _mm256_shuffle_epi8(v, control);
  v = _mm256_srlv_epi64(v, _mm256_setr_epi64x(A::kShift0, A::kShift1, B::kShift0, B::kShift1));
  return _mm256_and_si256(v, _mm256_set1_epi64x(static_cast<long long>((1ull << W) - 1)));
}

// Up to 57 bits a value and its shift lie within 8 bytes.
template <unsigned W>
PROM_AVX2 void UnpackAvx2(const std::uint8_t* in, std::size_t groups, std::uint64_t* out) {
  for (; groups > 0; --groups, in += W, out += 8) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), UnpackFour<W, 0>(in));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 4), UnpackFour<W, 2>(in));
  }
}

template <unsigned W>
constexpr Kernels::Unpack ChooseUnpack() {
  if constexpr (W >= 1 && W <= 57) return UnpackAvx2<W>;
  return nullptr;  // the portable one is as good
}

PROM_AVX2 void UnZigZagAvx2(std::uint64_t* u, std::size_t n) {
  const __m256i one = _mm256_set1_epi64x(1), zero = _mm256_setzero_si256();
  std::size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    auto* p = reinterpret_cast<__m256i*>(u + i);
    const __m256i v = _mm256_loadu_si256(p);
    _mm256_storeu_si256(p, _mm256_xor_si256(_mm256_srli_epi64(v, 1), _mm256_sub_epi64(zero, _mm256_and_si256(v, one))));
  }
  for (; i < n; ++i) u[i] = (u[i] >> 1) ^ (0 - (u[i] & 1));
}

PROM_AVX2 void ScaleAvx2(std::uint64_t* u, std::size_t n, std::uint64_t factor) {
  std::size_t i = 0;
  if (std::has_single_bit(factor)) {
    const __m128i shift = _mm_cvtsi32_si128(std::countr_zero(factor));
    for (; i + 4 <= n; i += 4) {
      auto* p = reinterpret_cast<__m256i*>(u + i);
      _mm256_storeu_si256(p, _mm256_sll_epi64(_mm256_loadu_si256(p), shift));
    }
  } else {
    const __m256i lo = _mm256_set1_epi64x(static_cast<long long>(factor)), hi = _mm256_srli_epi64(lo, 32);
    for (; i + 4 <= n; i += 4) {
      auto* p = reinterpret_cast<__m256i*>(u + i);
      const __m256i v = _mm256_loadu_si256(p);
      const __m256i cross = _mm256_add_epi64(_mm256_mul_epu32(_mm256_srli_epi64(v, 32), lo), _mm256_mul_epu32(v, hi));
      _mm256_storeu_si256(p, _mm256_add_epi64(_mm256_mul_epu32(v, lo), _mm256_slli_epi64(cross, 32)));
    }
  }
  for (; i < n; ++i) u[i] *= factor;
}

PROM_AVX2 void AddAvx2(std::uint64_t* u, std::size_t n, std::uint64_t base) {
  const __m256i b = _mm256_set1_epi64x(static_cast<long long>(base));
  std::size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    auto* p = reinterpret_cast<__m256i*>(u + i);
    _mm256_storeu_si256(p, _mm256_add_epi64(_mm256_loadu_si256(p), b));
  }
  for (; i < n; ++i) u[i] += base;
}

// Of four values a b c d: a, a+b, a+b+c, a+b+c+d.
PROM_AVX2 inline __m256i SumsOfFour(__m256i v) {
  v = _mm256_add_epi64(v, _mm256_slli_si256(v, 8));                                                                     // a ab c cd
  return _mm256_add_epi64(v, _mm256_blend_epi32(_mm256_setzero_si256(), _mm256_permute4x64_epi64(v, 0x55), 0xf0));      // + 0 0 ab ab
}

PROM_AVX2 std::uint64_t PrefixSumAvx2(std::uint64_t* u, std::size_t n, std::uint64_t base, std::uint64_t sum) {
  // Lanes of the running sum before this step, with the base's share of each lane.
  const __m256i bases = _mm256_setr_epi64x(static_cast<long long>(base), static_cast<long long>(2 * base), static_cast<long long>(3 * base),
                                           static_cast<long long>(4 * base));
  __m256i carry = _mm256_set1_epi64x(static_cast<long long>(sum));
  std::size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    auto* p = reinterpret_cast<__m256i*>(u + i);
    const __m256i v = _mm256_add_epi64(SumsOfFour(_mm256_loadu_si256(p)), bases);
    _mm256_storeu_si256(p, _mm256_add_epi64(v, carry));
    // One addition from step to step: the permutation is of the step's own sum.
    carry = _mm256_add_epi64(carry, _mm256_permute4x64_epi64(v, 0xff));
  }
  sum = static_cast<std::uint64_t>(_mm256_extract_epi64(carry, 0));
  for (; i < n; ++i) {
    sum += u[i] + base;
    u[i] = sum;
  }
  return sum;
}

// One pass instead of two over the block.
PROM_AVX2 std::uint64_t PrefixSumZigZagAvx2(std::uint64_t* u, std::size_t n, std::uint64_t sum) {
  const __m256i one = _mm256_set1_epi64x(1), zero = _mm256_setzero_si256();
  __m256i carry = _mm256_set1_epi64x(static_cast<long long>(sum));
  std::size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    auto* p = reinterpret_cast<__m256i*>(u + i);
    const __m256i z = _mm256_loadu_si256(p);
    const __m256i v = SumsOfFour(_mm256_xor_si256(_mm256_srli_epi64(z, 1), _mm256_sub_epi64(zero, _mm256_and_si256(z, one))));
    _mm256_storeu_si256(p, _mm256_add_epi64(v, carry));
    carry = _mm256_add_epi64(carry, _mm256_permute4x64_epi64(v, 0xff));
  }
  sum = static_cast<std::uint64_t>(_mm256_extract_epi64(carry, 0));
  return i < n ? PortableKernels().prefix_sum_zigzag(u + i, n - i, sum) : sum;
}

// int64 -> double, correctly rounded over the whole range: the high half around
// 2^84 and the low half around 2^52, joined by one rounded addition.
PROM_AVX2 inline __m256d ToDouble(__m256i v) {
  const __m256i magic_low = _mm256_set1_epi64x(0x4330000000000000);
  const __m256i magic_high = _mm256_set1_epi64x(0x4530000080000000);
  const __m256d magic_all = _mm256_castsi256_pd(_mm256_set1_epi64x(0x4530000080100000));
  const __m256i low = _mm256_blend_epi32(magic_low, v, 0x55);
  const __m256i high = _mm256_xor_si256(_mm256_srli_epi64(v, 32), magic_high);
  return _mm256_add_pd(_mm256_sub_pd(_mm256_castsi256_pd(high), magic_all), _mm256_castsi256_pd(low));
}

PROM_AVX2 inline __m256i Ordered(__m256i bits) {
  const __m256i sign = _mm256_cmpgt_epi64(_mm256_setzero_si256(), bits);
  return _mm256_xor_si256(bits, _mm256_srli_epi64(sign, 1));
}

PROM_AVX2 void ToDecimalAvx2(const std::uint64_t* x, std::size_t n, int exponent, double* out) {
  std::size_t i = 0;
  if (exponent == 0) {
    for (; i + 4 <= n; i += 4) _mm256_storeu_pd(out + i, ToDouble(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + i))));
  } else {
    const __m256d divisor = _mm256_set1_pd(kPow10[exponent]);
    for (; i + 4 <= n; i += 4)
      _mm256_storeu_pd(out + i, _mm256_div_pd(ToDouble(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + i))), divisor));
  }
  if (i < n) PortableKernels().to_decimal(x + i, n - i, exponent, out + i);
}

PROM_AVX2 void ToDecimalUlpAvx2(const std::uint64_t* x, const std::uint64_t* ulps, std::size_t n, int exponent, double* out) {
  const __m256d divisor = _mm256_set1_pd(kPow10[exponent]);
  std::size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    const __m256d near = _mm256_div_pd(ToDouble(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + i))), divisor);
    const __m256i ulp = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(ulps + i));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i), Ordered(_mm256_add_epi64(Ordered(_mm256_castpd_si256(near)), ulp)));
  }
  if (i < n) PortableKernels().to_decimal_ulp(x + i, ulps + i, n - i, exponent, out + i);
}

PROM_AVX2 inline __m256i Max(__m256i a, __m256i b) { return _mm256_blendv_epi8(b, a, _mm256_cmpgt_epi64(a, b)); }
PROM_AVX2 inline __m256i Min(__m256i a, __m256i b) { return _mm256_blendv_epi8(a, b, _mm256_cmpgt_epi64(a, b)); }

PROM_AVX2 ValueSurvey SurveyAvx2(const double* v, std::size_t n) {
  if (n < 8) return PortableKernels().survey(v, n);
  const __m256i exponent = _mm256_set1_epi64x(0x7ff0000000000000);
  // Starting at 1, each step looks at four values and the ones before them.
  __m256i specials = _mm256_setzero_si256(), equal = specials;
  __m256d rising = _mm256_castsi256_pd(_mm256_cmpeq_epi64(specials, specials));
  std::size_t i = 1;
  for (; i + 4 <= n; i += 4) {
    const __m256d now = _mm256_loadu_pd(v + i), before = _mm256_loadu_pd(v + i - 1);
    const __m256i bits = _mm256_castpd_si256(now);
    specials = _mm256_sub_epi64(specials, _mm256_cmpeq_epi64(_mm256_and_si256(bits, exponent), exponent));
    equal = _mm256_sub_epi64(equal, _mm256_cmpeq_epi64(bits, _mm256_castpd_si256(before)));
    rising = _mm256_and_pd(rising, _mm256_cmp_pd(now, before, _CMP_GE_OQ));
  }
  alignas(32) std::uint64_t special[4], same[4];
  _mm256_store_si256(reinterpret_cast<__m256i*>(special), specials);
  _mm256_store_si256(reinterpret_cast<__m256i*>(same), equal);
  // The rest, and the first value, which the loop saw only as the one before.
  ValueSurvey s = PortableKernels().survey(v + i - 1, n - i + 1);
  const ValueSurvey first = PortableKernels().survey(v, 1), last = PortableKernels().survey(v + i - 1, 1);
  s.specials += special[0] + special[1] + special[2] + special[3] + first.specials - last.specials;
  s.changes += i - 1 - (same[0] + same[1] + same[2] + same[3]);
  s.no_resets = s.no_resets && first.no_resets && _mm256_movemask_pd(rising) == 15;
  return s;
}

// Values below 2^51, four at once: 2 v + 1 as a double has the length of v in its
// exponent. Lengths are bytes, so that a width is tried with four comparisons.
PROM_AVX2 BlockWidth ChooseWidthAvx2(const std::uint64_t* u, std::size_t n) {
  const __m256i one = _mm256_set1_epi64x(1), magic = _mm256_set1_epi64x(0x4330000000000000), bias = _mm256_set1_epi64x(1023);
  const __m256i nearly = _mm256_castpd_si256(_mm256_set1_pd(0x1p52));
  __m256i any = _mm256_setzero_si256();
  alignas(32) std::uint8_t lengths[kBlockValues];
  std::size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(u + i));
    any = _mm256_or_si256(any, v);
    const __m256i odd = _mm256_or_si256(_mm256_or_si256(_mm256_add_epi64(v, v), one), magic);
    const __m256d d = _mm256_sub_pd(_mm256_castsi256_pd(odd), _mm256_castsi256_pd(nearly));
    const __m256i length = _mm256_sub_epi64(_mm256_srli_epi64(_mm256_castpd_si256(d), 52), bias);
    // One byte of each lane: lanes 0 and 1 of the low half, 2 and 3 of the high half.
    const __m256i bytes = _mm256_shuffle_epi8(length, _mm256_setr_epi8(0, 8, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,  //
                                                                       -1, -1, 0, 8, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1));
    const __m128i four = _mm_or_si128(_mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1));
    const int word = _mm_cvtsi128_si32(four);
    std::memcpy(lengths + i, &word, sizeof word);
  }
  const __m128i half = _mm_or_si128(_mm256_castsi256_si128(any), _mm256_extracti128_si256(any, 1));
  auto all = static_cast<std::uint64_t>(_mm_extract_epi64(half, 0) | _mm_extract_epi64(half, 1));
  for (; i < n; ++i) {
    all |= u[i];
    lengths[i] = static_cast<std::uint8_t>(std::bit_width(u[i]));
  }
  if (all >> 51 != 0) return PortableKernels().choose_width(u, n);
  const std::size_t vectors = (n + 31) / 32;
  for (; i < vectors * 32; ++i) lengths[i] = 0;
  const auto longest = static_cast<unsigned>(std::bit_width(all));
  BlockWidth best{longest, 0, 0, n * longest};
  for (unsigned width = longest; width-- > 0;) {
    const __m256i limit = _mm256_set1_epi8(static_cast<char>(width));
    std::size_t patches = 0;
    for (std::size_t k = 0; k < vectors; ++k) {
      const __m256i v = _mm256_load_si256(reinterpret_cast<const __m256i*>(lengths + 32 * k));
      patches += static_cast<std::size_t>(__builtin_popcount(static_cast<unsigned>(_mm256_movemask_epi8(_mm256_cmpgt_epi8(v, limit)))));
    }
    if (!ConsiderWidth(n, longest, width, patches, &best)) break;
  }
  return best;
}

PROM_AVX2 IntSummary SummarizeAvx2(const std::uint64_t* x, std::size_t n) {
  if (n < 8) return PortableKernels().summarize(x, n);
  const __m256i zero = _mm256_setzero_si256(), cap = _mm256_set1_epi64x(1ll << 47);
  __m256i min = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x)), max = min, negative = zero, magnitude = zero, any = zero;
  std::size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + i));
    min = Min(min, v);
    max = Max(max, v);
    const __m256i sign = _mm256_cmpgt_epi64(zero, v);
    negative = _mm256_sub_epi64(negative, sign);
    magnitude = _mm256_add_epi64(magnitude, Min(_mm256_xor_si256(v, sign), cap));  // v ^ sign is not negative
    any = _mm256_or_si256(any, v);
  }
  alignas(32) std::int64_t mins[4], maxs[4];
  alignas(32) std::uint64_t negatives[4], magnitudes[4], anys[4];
  _mm256_store_si256(reinterpret_cast<__m256i*>(mins), min);
  _mm256_store_si256(reinterpret_cast<__m256i*>(maxs), max);
  _mm256_store_si256(reinterpret_cast<__m256i*>(negatives), negative);
  _mm256_store_si256(reinterpret_cast<__m256i*>(magnitudes), magnitude);
  _mm256_store_si256(reinterpret_cast<__m256i*>(anys), any);
  IntSummary s = i < n ? PortableKernels().summarize(x + i, n - i) : IntSummary{mins[0], maxs[0], 0, 0, 0};
  for (int k = 0; k < 4; ++k) {
    s.min = mins[k] < s.min ? mins[k] : s.min;
    s.max = maxs[k] > s.max ? maxs[k] : s.max;
    s.negative += negatives[k];
    s.magnitude += magnitudes[k];
    s.any |= anys[k];
  }
  return s;
}

// Four values at once; those out of the fast range, or with a misfit among them,
// go through the portable kernel, which decides alone what fits.
PROM_AVX2 std::size_t FitDecimalAvx2(const double* y, std::size_t n, int exponent, std::uint64_t* m) {
  const __m256d power = _mm256_set1_pd(kPow10[exponent]), round = _mm256_set1_pd(kRound), limit = _mm256_set1_pd(kRoundLimit);
  const __m256d sign = _mm256_set1_pd(-0.0);
  std::size_t i = 0;
  while (i + 4 <= n) {
    const __m256d v = _mm256_loadu_pd(y + i);
    const __m256d scaled = exponent == 0 ? v : _mm256_mul_pd(v, power);
    const __m256d raised = _mm256_add_pd(scaled, round);
    const __m256d whole = _mm256_sub_pd(raised, round);
    const __m256d back = exponent == 0 ? whole : _mm256_div_pd(whole, power);
    const __m256i same = _mm256_cmpeq_epi64(_mm256_castpd_si256(back), _mm256_castpd_si256(v));
    const __m256d small = _mm256_cmp_pd(_mm256_andnot_pd(sign, scaled), limit, _CMP_LT_OQ);
    if (_mm256_movemask_pd(_mm256_and_pd(_mm256_castsi256_pd(same), small)) == 15) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(m + i), _mm256_sub_epi64(_mm256_castpd_si256(raised), _mm256_castpd_si256(round)));
      i += 4;
      continue;
    }
    const std::size_t fit = PortableKernels().fit_decimal(y + i, 4, exponent, m + i);
    i += fit;
    if (fit < 4) return i;
  }
  return i + PortableKernels().fit_decimal(y + i, n - i, exponent, m + i);
}

PROM_AVX2 bool FitDecimalUlpAvx2(const double* y, std::size_t n, int exponent, std::uint64_t* m, std::uint64_t* ulps) {
  const __m256d power = _mm256_set1_pd(kPow10[exponent]), round = _mm256_set1_pd(kRound), limit = _mm256_set1_pd(kRoundLimit);
  const __m256d sign = _mm256_set1_pd(-0.0);
  std::size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    const __m256d v = _mm256_loadu_pd(y + i);
    const __m256d scaled = _mm256_mul_pd(v, power);
    if (_mm256_movemask_pd(_mm256_cmp_pd(_mm256_andnot_pd(sign, scaled), limit, _CMP_LT_OQ)) != 15) {
      if (!PortableKernels().fit_decimal_ulp(y + i, 4, exponent, m + i, ulps + i)) return false;
      continue;
    }
    const __m256d raised = _mm256_add_pd(scaled, round);
    const __m256i whole = _mm256_sub_epi64(_mm256_castpd_si256(raised), _mm256_castpd_si256(round));
    // From the integer, as the decoder does: the sum may be -0, which an integer is not.
    const __m256d near = _mm256_div_pd(ToDouble(whole), power);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(m + i), whole);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(ulps + i), _mm256_sub_epi64(Ordered(_mm256_castpd_si256(v)), Ordered(_mm256_castpd_si256(near))));
  }
  return PortableKernels().fit_decimal_ulp(y + i, n - i, exponent, m + i, ulps + i);
}

template <std::size_t... W>
Kernels MakeAvx2(std::index_sequence<W...>) {
  Kernels k = {{ChooseUnpack<W>()...}, UnZigZagAvx2, ScaleAvx2, AddAvx2, PrefixSumAvx2, PrefixSumZigZagAvx2, ToDecimalAvx2, ToDecimalUlpAvx2,
               SurveyAvx2, SummarizeAvx2, ChooseWidthAvx2, FitDecimalAvx2, FitDecimalUlpAvx2};
  for (int width = 0; width <= 64; ++width)
    if (k.unpack[width] == nullptr) k.unpack[width] = PortableKernels().unpack[width];
  return k;
}

}  // namespace

const Kernels* Avx2Kernels() {
  static const Kernels kAvx2 = MakeAvx2(std::make_index_sequence<65>());
  static const bool kHave = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt");
  return kHave ? &kAvx2 : nullptr;
}

}  // namespace prom::chunk

#else

namespace prom::chunk {
const Kernels* Avx2Kernels() { return nullptr; }
}  // namespace prom::chunk

#endif
