// Names for the bits of an integer column's first byte, shared by its encoder and
// decoder; see prom-chunk(5), section "Integer column".
#pragma once

#include <cstdint>

namespace prom::chunk {

inline constexpr std::uint8_t kColumnModeMask = 0x03;
inline constexpr int kColumnFormShift = 2;
inline constexpr std::uint8_t kColumnFormMask = 0x03;
inline constexpr std::uint8_t kColumnFactorBit = 0x10;
inline constexpr std::uint8_t kColumnReserved = 0xe0;

// How a residual r is made from a stored number u.
enum ColumnForm : std::uint8_t {
  kFormPlain,   // r = factor * u
  kFormZigZag,  // r = factor * unzigzag(u)
  kFormBased,   // r = base + factor * u
  kFormList,    // r = factor * unzigzag(u), each u a varint instead of packed
};

inline constexpr std::uint8_t kBlockPatched = 0x80;

}  // namespace prom::chunk
