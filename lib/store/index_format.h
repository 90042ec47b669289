// The parts of an index file that its writer and its reader share; prom-block(5)
// "Index" has the layout. Internal to lib/store.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace prom::store {

inline constexpr std::string_view kIndexMagic = "PKINDX";
inline constexpr std::size_t kIndexPageBytes = 64 << 10;

enum class IndexSection : std::uint32_t {
  kSymbolOffsets,  // u32 x (symbols + 1) into kSymbolBytes
  kSymbolBytes,    // distinct label names and values, sorted, back to back
  kNames,          // {u32 symbol, first value, number of values, postings of all series that have it}, by name
  kValueSymbols,   // u32 symbol, by name, then value
  kValuePostings,  // u32 reference to postings, likewise
  kPostings,       // lists of ranks
  kShapeOffsets,   // u32 x (shapes + 1) into kShapes
  kShapes,         // varints: the label names a series has, as indexes of kNames
  kSeriesOffsets,  // u32 x (series + 1) into kSeries
  kSeries,         // varints: payload, shape, for each label of the shape its value's index within the name
  kExtra,          // the owner's
};
inline constexpr std::size_t kIndexSections = 11;

struct SectionRange {
  std::uint64_t offset = 0, size = 0;  // bytes in the file
};

// The trailer at the end of the file: sections as {u64 offset, u64 size}, the page
// checksums' u64 offset, u32 series, u32 crc32c of all from the page checksums to here.
inline constexpr std::size_t kIndexTrailerBytes = kIndexSections * 16 + 8 + 4 + 4;

// A reference to postings: with this bit a single rank, else an offset in units of 8.
inline constexpr std::uint32_t kSinglePosting = 0x80000000u;
inline constexpr std::uint32_t kMaxIndexSeries = 0x7fffffffu;

}  // namespace prom::store
