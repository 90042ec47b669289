// Histogram chunks: native histograms of one series, integer or float, any schema
// or custom buckets, lossless to the bit. The layout is in prom-chunk(5), section
// "Histogram chunk". All functions are thread-safe.
//
// Neighbours with one layout (schema, spans, bounds, zero threshold, kind) form a
// run, which stores the layout once and then a value column per bucket. A layout
// change starts the next run in the same chunk, so a chunk need not be cut for it.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/histogram.h"

namespace prom::chunk {

// The most that one chunk may hold: the sum over its histograms of buckets, spans
// and custom bounds. 480 histograms of 160 buckets are 80,000. It bounds the memory
// that damaged bytes can ask for (32 MiB).
inline constexpr std::size_t kMaxHistogramCells = std::size_t{1} << 22;

// Appends one chunk of 1..kMaxValues histograms. kInvalid: none or too many, or
// the spans of one do not match its buckets. kLimit: more than kMaxHistogramCells;
// cut the chunk shorter. On error *out is as it was.
Result<void> EncodeHistograms(std::span<const Histogram* const> histograms, std::string* out);

// The number of histograms in a chunk. kCorrupt: no header.
Result<std::size_t> CountHistograms(std::string_view chunk);

// Replaces *out. kCorrupt: not a chunk; *out is then unspecified. Checks the layout,
// not the sense: Histogram::Validate says whether counts are possible ones.
Result<void> DecodeHistograms(std::string_view chunk, std::vector<Histogram>* out);

}  // namespace prom::chunk
