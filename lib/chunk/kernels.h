// Kernels: the inner loops of the encodings, over blocks of at most 128 integers.
// Two sets give equal results: portable C++, and AVX2 chosen at run time. Internal
// to lib/chunk and its tests.
//
// Integers are uint64 and wrap: the formats define all sums modulo 2^64, so a
// column may span more than 2^63 without a special case.
#pragma once

#include <cstddef>
#include <cstdint>

namespace prom::chunk {

inline constexpr std::size_t kBlockValues = 128;
// Unpacking may read this many bytes behind the groups it was asked for.
inline constexpr std::size_t kUnpackSlack = 16;

// What the encoder wants to know of signed integers.
struct IntSummary {
  std::int64_t min = 0, max = 0;
  std::size_t negative = 0;
  std::uint64_t magnitude = 0;  // sum of |v| (|v| - 1 where negative), each at most 2^47
  std::uint64_t any = 0;        // the bits that are set in any of them
};

// And of doubles.
struct ValueSurvey {
  std::size_t specials = 0;  // NaNs and infinities
  std::size_t changes = 0;   // neighbours with other bits
  bool no_resets = false;    // none is NaN or less than the one before
};

// How a block is packed in the fewest bits.
struct BlockWidth {
  unsigned width = 0;       // of the packed part
  unsigned high = 0;        // bits of the patched values above it; 0: no patches
  std::size_t patches = 0;
  std::size_t bits = 0;     // all of them, without the width byte
};

struct Kernels {
  // Reads `groups` groups of 8 values of `width` bits, little-endian, low bits
  // first (width bytes a group), into 8 * groups values.
  using Unpack = void (*)(const std::uint8_t* in, std::size_t groups, std::uint64_t* out);
  Unpack unpack[65];  // by width

  // u[i] = UnZigZag(u[i])
  void (*unzigzag)(std::uint64_t* u, std::size_t n);
  // u[i] *= factor
  void (*scale)(std::uint64_t* u, std::size_t n, std::uint64_t factor);
  // u[i] += base
  void (*add)(std::uint64_t* u, std::size_t n, std::uint64_t base);
  // Running sum: sum += u[i] + base; u[i] = sum. Returns the last sum.
  std::uint64_t (*prefix_sum)(std::uint64_t* u, std::size_t n, std::uint64_t base, std::uint64_t sum);
  // The same of UnZigZag(u[i]), base 0.
  std::uint64_t (*prefix_sum_zigzag)(std::uint64_t* u, std::size_t n, std::uint64_t sum);

  // out[i] = double(int64(x[i])) / 10^exponent, both steps correctly rounded.
  void (*to_decimal)(const std::uint64_t* x, std::size_t n, int exponent, double* out);
  // The same, moved by ulps[i] in the order of doubles.
  void (*to_decimal_ulp)(const std::uint64_t* x, const std::uint64_t* ulps, std::size_t n, int exponent, double* out);

  // For the encoder; n is not bounded by a block, but for choose_width.
  ValueSurvey (*survey)(const double* v, std::size_t n);            // n >= 1
  IntSummary (*summarize)(const std::uint64_t* x, std::size_t n);  // n >= 1
  BlockWidth (*choose_width)(const std::uint64_t* u, std::size_t n);
  // m[i] such that to_decimal gives y[i] bit for bit, from the front; returns the
  // index of the first y that has none, n when all do.
  std::size_t (*fit_decimal)(const double* y, std::size_t n, int exponent, std::uint64_t* m);
  // m[i] and ulps[i] such that to_decimal_ulp gives y[i]. False: a y is out of reach (2^53, NaN).
  bool (*fit_decimal_ulp)(const double* y, std::size_t n, int exponent, std::uint64_t* m, std::uint64_t* ulps);
};

// One step of choose_width, which tries widths downwards: `patches` of the n values
// are longer than `width`. False: no narrower one can be better than *best, because
// each bit less saves n bits at most and costs the patches more.
[[nodiscard]] inline bool ConsiderWidth(std::size_t n, unsigned longest, unsigned width, std::size_t patches, BlockWidth* best) {
  const unsigned high = longest - width;
  const std::size_t cost = n * width + 16 + patches * (8 + high);
  if (cost < best->bits) *best = {width, high, patches, cost};
  return 16 + patches * (8 + longest) < best->bits;
}

const Kernels& PortableKernels();
// Null when the CPU lacks AVX2.
const Kernels* Avx2Kernels();
// The fastest set of this machine.
const Kernels& BestKernels();

// Writes `groups` groups of 8 values below 2^width; writes up to 8 bytes behind the last group.
void PackBits(const std::uint64_t* in, std::size_t groups, unsigned width, std::uint8_t* out);

}  // namespace prom::chunk
