// Portable kernels, packing, and the choice between kernel sets.
//
// The bit layout is horizontal (value after value) rather than one of the
// interleaved SIMD layouts, because most chunks end in a partial block and
// interleaving would pad it to 128 values.
#include "chunk/kernels.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "base/bytes.h"
#include "chunk/decimal.h"

namespace prom::chunk {
namespace {

// One constant shift, mask and load per value: with the width a template
// parameter the compiler folds all offsets.
template <unsigned W>
void UnpackPortable(const std::uint8_t* in, std::size_t groups, std::uint64_t* out) {
  if constexpr (W == 0) {
    std::memset(out, 0, groups * 8 * sizeof *out);
  } else {
    constexpr std::uint64_t kMask = W == 64 ? ~0ull : (1ull << W) - 1;
    for (; groups > 0; --groups, in += W, out += 8) {
#pragma GCC unroll 8
      for (unsigned j = 0; j < 8; ++j) {
        const unsigned bit = j * W, byte = bit / 8, shift = bit % 8;
        std::uint64_t v = LoadLe<std::uint64_t>(in + byte) >> shift;
        if (shift + W > 64) v |= static_cast<std::uint64_t>(in[byte + 8]) << (64 - shift);
        out[j] = v & kMask;
      }
    }
  }
}

template <unsigned W>
void Pack(const std::uint64_t* in, std::size_t groups, std::uint8_t* out) {
  if constexpr (W > 0) {
    for (; groups > 0; --groups, in += 8, out += W) {
      std::uint64_t word = 0;
      unsigned fill = 0, at = 0;
#pragma GCC unroll 8
      for (unsigned j = 0; j < 8; ++j) {
        word |= in[j] << fill;
        fill += W;
        if (fill >= 64) {
          StoreLe(out + at, word);
          at += 8;
          fill -= 64;
          word = fill > 0 ? in[j] >> (W - fill) : 0;
        }
      }
      if (fill > 0) StoreLe(out + at, word);
    }
  }
}

void UnZigZagPortable(std::uint64_t* u, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) u[i] = (u[i] >> 1) ^ (0 - (u[i] & 1));
}

void ScalePortable(std::uint64_t* u, std::size_t n, std::uint64_t factor) {
  for (std::size_t i = 0; i < n; ++i) u[i] *= factor;
}

void AddPortable(std::uint64_t* u, std::size_t n, std::uint64_t base) {
  for (std::size_t i = 0; i < n; ++i) u[i] += base;
}

std::uint64_t PrefixSumPortable(std::uint64_t* u, std::size_t n, std::uint64_t base, std::uint64_t sum) {
  for (std::size_t i = 0; i < n; ++i) {
    sum += u[i] + base;
    u[i] = sum;
  }
  return sum;
}

std::uint64_t PrefixSumZigZagPortable(std::uint64_t* u, std::size_t n, std::uint64_t sum) {
  for (std::size_t i = 0; i < n; ++i) {
    sum += (u[i] >> 1) ^ (0 - (u[i] & 1));
    u[i] = sum;
  }
  return sum;
}

void ToDecimalPortable(const std::uint64_t* x, std::size_t n, int exponent, double* out) {
  if (exponent == 0) {
    for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<double>(static_cast<std::int64_t>(x[i]));
    return;
  }
  const double divisor = kPow10[exponent];
  for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<double>(static_cast<std::int64_t>(x[i])) / divisor;
}

void ToDecimalUlpPortable(const std::uint64_t* x, const std::uint64_t* ulps, std::size_t n, int exponent, double* out) {
  const double divisor = kPow10[exponent];
  for (std::size_t i = 0; i < n; ++i) {
    const double near = static_cast<double>(static_cast<std::int64_t>(x[i])) / divisor;
    const std::uint64_t ordered = OrderedBits(std::bit_cast<std::uint64_t>(near)) + ulps[i];
    const std::uint64_t bits = OrderedBits(ordered);
    std::memcpy(out + i, &bits, sizeof bits);  // not through a double: a signalling NaN keeps its bits
  }
}

ValueSurvey SurveyPortable(const double* v, std::size_t n) {
  auto previous = std::bit_cast<std::uint64_t>(v[0]);
  std::uint64_t specials = IsSpecial(previous), changes = 0, rising = v[0] == v[0];
  for (std::size_t i = 1; i < n; ++i) {
    const auto bits = std::bit_cast<std::uint64_t>(v[i]);
    specials += IsSpecial(bits);
    changes += bits != previous;
    rising &= static_cast<std::uint64_t>(v[i] >= v[i - 1]);
    previous = bits;
  }
  return {static_cast<std::size_t>(specials), static_cast<std::size_t>(changes), rising != 0};
}

BlockWidth ChooseWidthPortable(const std::uint64_t* u, std::size_t n) {
  // Four histograms, because neighbours mostly have the same length and counting
  // into one place would wait for the store before it. A count is at most 32.
  std::uint8_t lengths[4][72];
  std::memset(lengths, 0, sizeof lengths);
  std::uint64_t all = 0;
  for (std::size_t i = 0; i < n; ++i) all |= u[i];
  std::size_t i = 0;
  if (all >> 63 == 0) {
    // The length of v is the place of the highest bit of 2 v + 1: no special case for 0.
    const auto length = [](std::uint64_t v) { return 63 - static_cast<unsigned>(std::countl_zero(v + v + 1)); };
    for (; i + 4 <= n; i += 4) {
      ++lengths[0][length(u[i])];
      ++lengths[1][length(u[i + 1])];
      ++lengths[2][length(u[i + 2])];
      ++lengths[3][length(u[i + 3])];
    }
  }
  for (; i < n; ++i) ++lengths[i % 4][std::bit_width(u[i])];
  const auto longest = static_cast<unsigned>(std::bit_width(all));
  BlockWidth best{longest, 0, 0, n * longest};
  std::size_t patches = 0;
  for (unsigned width = longest; width-- > 0;) {
    patches += static_cast<std::size_t>(lengths[0][width + 1]) + lengths[1][width + 1] + lengths[2][width + 1] + lengths[3][width + 1];
    if (!ConsiderWidth(n, longest, width, patches, &best)) break;
  }
  return best;
}

IntSummary SummarizePortable(const std::uint64_t* x, std::size_t n) {
  IntSummary s{static_cast<std::int64_t>(x[0]), static_cast<std::int64_t>(x[0]), 0, 0, 0};
  for (std::size_t i = 0; i < n; ++i) {
    const auto v = static_cast<std::int64_t>(x[i]);
    s.min = std::min(s.min, v);
    s.max = std::max(s.max, v);
    const auto sign = static_cast<std::uint64_t>(v >> 63);
    s.negative += sign & 1;
    s.magnitude += std::min(x[i] ^ sign, std::uint64_t{1} << 47);
    s.any |= x[i];
  }
  return s;
}

std::size_t FitDecimalPortable(const double* y, std::size_t n, int exponent, std::uint64_t* m) {
  for (std::size_t i = 0; i < n; ++i) {
    std::int64_t v;
    if (!FitDecimal(y[i], exponent, &v)) return i;
    m[i] = static_cast<std::uint64_t>(v);
  }
  return n;
}

bool FitDecimalUlpPortable(const double* y, std::size_t n, int exponent, std::uint64_t* m, std::uint64_t* ulps) {
  for (std::size_t i = 0; i < n; ++i) {
    std::int64_t v;
    if (!RoundDecimal(y[i], exponent, &v)) return false;
    m[i] = static_cast<std::uint64_t>(v);
    ulps[i] = OrderedBits(std::bit_cast<std::uint64_t>(y[i])) - OrderedBits(std::bit_cast<std::uint64_t>(DecimalValue(v, exponent)));
  }
  return true;
}

template <std::size_t... W>
constexpr Kernels MakePortable(std::index_sequence<W...>) {
  return {{UnpackPortable<W>...}, UnZigZagPortable, ScalePortable, AddPortable, PrefixSumPortable, PrefixSumZigZagPortable, ToDecimalPortable, ToDecimalUlpPortable,
          SurveyPortable, SummarizePortable, ChooseWidthPortable, FitDecimalPortable, FitDecimalUlpPortable};
}

using PackFunction = void (*)(const std::uint64_t*, std::size_t, std::uint8_t*);
struct PackTable {
  PackFunction by_width[65];
};
template <std::size_t... W>
constexpr PackTable MakePack(std::index_sequence<W...>) {
  return {{Pack<W>...}};
}

constexpr Kernels kPortable = MakePortable(std::make_index_sequence<65>());
constexpr PackTable kPack = MakePack(std::make_index_sequence<65>());

}  // namespace

void PackBits(const std::uint64_t* in, std::size_t groups, unsigned width, std::uint8_t* out) { kPack.by_width[width](in, groups, out); }

const Kernels& PortableKernels() { return kPortable; }

const Kernels& BestKernels() {
  static const Kernels& kBest = Avx2Kernels() != nullptr ? *Avx2Kernels() : kPortable;
  return kBest;
}

}  // namespace prom::chunk
