// MD5 (RFC 1321) by hand: hashmod of relabelling needs it and nothing else of a
// cryptographic library. libcrypto costs each start of a program 2 ms and 2 MB, and
// refuses MD5 altogether where it is set to FIPS.
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <string>

#include "base/bytes.h"
#include "base/hash.h"

namespace prom {
namespace {

constexpr std::size_t kBlock = 64;
constexpr int kShifts[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

// floor(2^32 x abs(sin(i + 1))), as the RFC has it.
const std::array<std::uint32_t, 64>& Sines() {
  static const std::array<std::uint32_t, 64> kSines = [] {
    std::array<std::uint32_t, 64> out{};
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::uint32_t>(std::floor(std::abs(std::sin(static_cast<double>(i + 1))) * 4294967296.0));
    return out;
  }();
  return kSines;
}

void Step(std::array<std::uint32_t, 4>* state, const char* block) {
  const auto& sines = Sines();
  auto [a, b, c, d] = *state;
  for (std::uint32_t i = 0; i < 64; ++i) {
    std::uint32_t f = 0, word = 0;
    switch (i / 16) {
      case 0: f = (b & c) | (~b & d), word = i; break;
      case 1: f = (d & b) | (~d & c), word = (5 * i + 1) % 16; break;
      case 2: f = b ^ c ^ d, word = (3 * i + 5) % 16; break;
      default: f = c ^ (b | ~d), word = 7 * i % 16; break;
    }
    const std::uint32_t sum = a + f + sines[i] + LoadLe<std::uint32_t>(block + 4 * word);
    a = d;
    d = c;
    c = b;
    b += std::rotl(sum, kShifts[i / 16][i % 4]);
  }
  *state = {(*state)[0] + a, (*state)[1] + b, (*state)[2] + c, (*state)[3] + d};
}

}  // namespace

std::uint64_t Md5Tail64(std::string_view bytes) {
  std::array<std::uint32_t, 4> state{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
  const std::size_t whole = bytes.size() / kBlock * kBlock;
  for (std::size_t at = 0; at < whole; at += kBlock) Step(&state, bytes.data() + at);
  std::string tail(bytes.substr(whole));
  tail.push_back(static_cast<char>(0x80));
  tail.resize((tail.size() + 8 + kBlock - 1) / kBlock * kBlock - 8, '\0');
  AppendLe<std::uint64_t>(&tail, std::uint64_t{bytes.size()} * 8);
  for (std::size_t at = 0; at < tail.size(); at += kBlock) Step(&state, tail.data() + at);
  // The digest is the four words, little-endian; its last eight bytes as a big-endian number.
  return std::uint64_t{__builtin_bswap32(state[2])} << 32 | __builtin_bswap32(state[3]);
}

}  // namespace prom
