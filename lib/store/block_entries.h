// Groups of values of a block, unpacked: entries and their chunks, prom-block(5)
// "Groups". Internal to lib/store. Thread-safe but for BlockValuesWriter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/block_format.h"

namespace prom::store {

// A chunk of one series.
struct BlockEntry {
  std::uint32_t series = 0;            // number of the series
  std::uint32_t column = 0;            // its times
  std::uint32_t first = 0, count = 0;  // rows of the column; count 0: all
  std::uint32_t offset = 0;            // of the chunk in the group
  std::uint32_t size = 0;              // of the chunk
  std::uint32_t start_size = 0;        // of the start timestamps behind it
  bool histogram = false;
  bool stale = false;    // floats: the last row has the stale marker, the chunk only the rows before it
  bool counted = false;  // floats, of version 1: the chunk begins with its count
};

// Makes groups of kValues.
class BlockValuesWriter {
 public:
  // `chunk`: of a histogram, a histogram chunk; else a body of values (empty: only the
  // stale marker). Series ascend; offset and sizes of `e` are not looked at.
  void Add(const BlockEntry& e, std::string_view chunk, std::string_view starts);
  std::uint32_t count() const { return static_cast<std::uint32_t>(flags_.size()); }
  std::uint32_t first_series() const { return first_series_; }
  std::uint32_t last_series() const { return series_; }
  // Of the group as it is, at least; for the caller to begin another one in time.
  std::size_t bytes() const;
  void AppendTo(std::string* out) const;
  void Clear();

 private:
  std::string flags_, series_steps_, columns_, firsts_, counts_, sizes_, start_sizes_;
  std::string short_chunks_, chunks_;
  std::uint32_t first_series_ = 0, series_ = 0, column_ = 0, first_ = 0;
};

// Of a raw group whose first series is known. False: not a group of values of that kind.
[[nodiscard]] bool ParseEntries(BlockGroupKind kind, std::string_view raw, std::uint32_t first_series, std::vector<BlockEntry>* out);

// Values of the rows [begin, begin + out.size()) of a chunk of floats of a raw group;
// e.count must have been filled in. Whether no value of the whole chunk is NaN or less than
// the one before it. kCorrupt: no chunk of that many values.
Result<bool> DecodeEntry(const BlockEntry& e, std::string_view raw, std::size_t begin, std::span<double> out);

}  // namespace prom::store
