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

  // out[i] = double(int64(x[i])) / 10^exponent, both steps correctly rounded.
  void (*to_decimal)(const std::uint64_t* x, std::size_t n, int exponent, double* out);
  // The same, moved by ulps[i] in the order of doubles.
  void (*to_decimal_ulp)(const std::uint64_t* x, const std::uint64_t* ulps, std::size_t n, int exponent, double* out);
};

const Kernels& PortableKernels();
// Null when the CPU lacks AVX2.
const Kernels* Avx2Kernels();
// The fastest set of this machine.
const Kernels& BestKernels();

// Writes `groups` groups of 8 values below 2^width; writes up to 8 bytes behind the last group.
void PackBits(const std::uint64_t* in, std::size_t groups, unsigned width, std::uint8_t* out);

}  // namespace prom::chunk
