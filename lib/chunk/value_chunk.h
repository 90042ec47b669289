// Value chunks: 1..65535 doubles of one series in few bytes, lossless to the bit
// (NaN payloads, stale markers, -0, infinities, denormals). The layout is in
// prom-chunk(5), section "Value chunk".
//
// A chunk holds one of: a constant; decimals (integers over a power of ten);
// decimals plus a distance in ulps, for sums that have drifted off the decimal
// grid; or the ordered bits of the doubles. Equal neighbours may be stored as runs,
// and single misfits (a stale marker at the end, a NaN in between) as patches.
//
// Chunks carry no checksum: the store has one CRC32C per group of chunks. Damaged
// bytes are kCorrupt where they break the layout and wrong values where they do
// not, never a read or write out of bounds. All functions are thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace prom::chunk {

inline constexpr std::size_t kMaxValues = 65535;

enum class ValueKind : std::uint8_t { kConstant, kDecimal, kDecimalUlp, kOrdered };

// What the encoder chose for a series' last chunk, for the caller to keep beside
// the series. With it the encoder mostly skips trying the alternatives, which it
// still does every eighth chunk, and every 32nd once that changes nothing. A hint never changes what is decoded, so losing
// or mixing up hints only costs time or bytes.
struct EncoderHint {
  std::uint8_t choice = 0;
  std::uint8_t state = 0;  // all zero: nothing known
};

// Appends one chunk. `values` must hold 1..kMaxValues. At most 11 bytes a value + 16.
void EncodeValues(std::span<const double> values, std::string* out, EncoderHint* hint = nullptr);

// What the header says, without decoding.
struct ValueChunkInfo {
  std::size_t count = 0;
  ValueKind kind = ValueKind::kConstant;
  // v[i] >= v[i-1] for all i, and no NaN: a counter without resets.
  bool no_resets = false;
  // All values have the bits of constant_value. (A constant that ends in a stale
  // marker is kConstant, but not this.)
  bool all_equal = false;
  double constant_value = 0;
};
// kCorrupt: no header. Says nothing about the rest of the bytes.
Result<ValueChunkInfo> PeekValues(std::string_view chunk);

// Decodes a chunk, which must be exactly `chunk`, into `out`, whose size must be
// the chunk's count. Allocates nothing. kCorrupt: not a chunk of that many values;
// `out` is then unspecified.
Result<void> DecodeValues(std::string_view chunk, std::span<double> out);

// Values [first, first + out.size()) only; kInvalid when the chunk has fewer. Costs
// up to the decoding of integers in front of `first`, but no conversions of them:
// chunks are short, and starting points inside them would cost 3-6 % of a varying chunk.
Result<void> DecodeValueRange(std::string_view chunk, std::size_t first, std::span<double> out);

// The same of a chunk without its count, for who knows it from elsewhere: 1..kMaxValues,
// any other is kCorrupt.
void EncodeValueBody(std::span<const double> values, std::string* out, EncoderHint* hint = nullptr);
Result<ValueChunkInfo> PeekValueBody(std::string_view body, std::size_t count);
Result<void> DecodeValueBody(std::string_view body, std::size_t count, std::size_t first, std::span<double> out);

}  // namespace prom::chunk
