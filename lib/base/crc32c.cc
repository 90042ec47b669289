#include "base/crc32c.h"

#include <array>
#include <cstring>
#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace prom {
namespace {

constexpr std::uint32_t kPolynomial = 0x82f63b78;

// tables[k][b]: CRC of byte b followed by k zero bytes ("slicing by 8").
using Tables = std::array<std::array<std::uint32_t, 256>, 8>;

constexpr Tables MakeTables() {
  Tables t{};
  for (std::uint32_t b = 0; b < 256; ++b) {
    std::uint32_t crc = b;
    for (int i = 0; i < 8; ++i) crc = (crc >> 1) ^ ((crc & 1) ? kPolynomial : 0);
    t[0][b] = crc;
  }
  for (std::size_t k = 1; k < 8; ++k)
    for (std::size_t b = 0; b < 256; ++b) t[k][b] = (t[k - 1][b] >> 8) ^ t[0][t[k - 1][b] & 0xff];
  return t;
}
constexpr Tables kTables = MakeTables();

std::uint32_t Portable(std::uint32_t crc, const unsigned char* p, std::size_t n) {
  while (n >= 8) {
    std::uint64_t word;
    std::memcpy(&word, p, 8);
    word ^= crc;
    crc = 0;
    for (int k = 0; k < 8; ++k) crc ^= kTables[static_cast<std::size_t>(7 - k)][(word >> (8 * k)) & 0xff];
    p += 8;
    n -= 8;
  }
  while (n-- > 0) crc = (crc >> 8) ^ kTables[0][(crc ^ *p++) & 0xff];
  return crc;
}

#if defined(__x86_64__)
// One run of a lane: three of these interleave, because the instruction takes
// three cycles and one can start in each.
__attribute__((target("sse4.2"))) std::uint32_t Hardware(std::uint32_t crc, const unsigned char* p, std::size_t n);

// crc advanced over kLane zero bytes, by table: how lanes are joined.
constexpr std::size_t kLane = 256;
using ShiftTable = std::array<std::array<std::uint32_t, 256>, 4>;
// A CRC over zeros is linear: 32 runs, one a bit, make all 1024 entries.
ShiftTable MakeShift() {
  const std::array<unsigned char, kLane> zeros{};
  ShiftTable t{};
  for (std::uint32_t byte = 0; byte < 4; ++byte) {
    for (std::uint32_t bit = 0; bit < 8; ++bit) {
      const std::uint32_t of_bit = Portable(1u << (8 * byte + bit), zeros.data(), kLane);
      for (std::uint32_t b = 1u << bit; b < 256; ++b)
        if ((b >> bit & 1) != 0) t[byte][b] ^= of_bit;
    }
  }
  return t;
}
std::uint32_t Shift(const ShiftTable& t, std::uint32_t crc) {
  return t[0][crc & 0xff] ^ t[1][(crc >> 8) & 0xff] ^ t[2][(crc >> 16) & 0xff] ^ t[3][crc >> 24];
}

__attribute__((target("sse4.2"))) std::uint32_t Hardware(std::uint32_t crc, const unsigned char* p, std::size_t n) {
  static const ShiftTable kShift = MakeShift();
  std::uint64_t word;
  while (n >= 3 * kLane) {
    std::uint64_t a = crc, b = 0, c = 0;
    for (std::size_t i = 0; i < kLane; i += 8) {
      std::memcpy(&word, p + i, 8);
      a = _mm_crc32_u64(a, word);
      std::memcpy(&word, p + kLane + i, 8);
      b = _mm_crc32_u64(b, word);
      std::memcpy(&word, p + 2 * kLane + i, 8);
      c = _mm_crc32_u64(c, word);
    }
    crc = Shift(kShift, Shift(kShift, static_cast<std::uint32_t>(a)) ^ static_cast<std::uint32_t>(b)) ^ static_cast<std::uint32_t>(c);
    p += 3 * kLane;
    n -= 3 * kLane;
  }
  std::uint64_t wide = crc;
  for (; n >= 8; p += 8, n -= 8) {
    std::memcpy(&word, p, 8);
    wide = _mm_crc32_u64(wide, word);
  }
  crc = static_cast<std::uint32_t>(wide);
  while (n-- > 0) crc = _mm_crc32_u8(crc, *p++);
  return crc;
}
#endif

using Function = std::uint32_t (*)(std::uint32_t, const unsigned char*, std::size_t);
Function Choose() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("sse4.2")) return Hardware;
#endif
  return Portable;
}

}  // namespace

std::uint32_t Crc32c(const void* data, std::size_t size, std::uint32_t seed) {
  static const Function kFunction = Choose();
  return ~kFunction(~seed, static_cast<const unsigned char*>(data), size);
}

}  // namespace prom
