// Sealed groups: the chunks of a full tile, or of a lot of loose samples, in one
// checked piece of a chunks-<n> file. prom-data(5) "Groups". Internal to lib/store.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "chunk/value_chunk.h"
#include "store/head_format.h"

namespace prom::store {

inline constexpr std::uint32_t kGroupMagic = 0x52474b50;  // "PKGR"
inline constexpr std::size_t kGroupHeaderBytes = 80;
inline constexpr std::uint32_t kMaxTileRows = 128;
inline constexpr std::uint32_t kChunkBlock = 32;  // columns that share one absolute offset

enum class GroupKind : std::uint8_t { kRows = 1, kLoose = 2 };

struct GroupHeader {
  GroupKind kind = GroupKind::kRows;
  bool partial = false;        // rows: some columns miss some rows
  std::uint32_t size = 0;      // whole group, bytes
  std::uint32_t layout = 0;
  std::uint32_t rows = 0;      // loose: samples
  std::uint32_t columns = 0;   // loose: series
  std::uint32_t payload_crc = 0;
  std::int64_t min_t = 0, max_t = 0;
  Position prev;
  std::uint32_t time_bytes = 0;
  std::uint64_t seq = 0;
};
// The header at the front of `bytes`, its checksum checked; empty when there is none.
std::optional<GroupHeader> ParseGroupHeader(std::string_view bytes);

// How many rows a tile of that many columns takes before it is sealed: few columns
// take more, so that a group's head is shared by a worthwhile number of samples.
inline std::uint32_t TileRows(std::uint32_t columns) { return columns >= 32 ? 32 : kMaxTileRows; }

// Appends a group of 1..kMaxTileRows rows, oldest first. `columns` is at least each
// row's. `hints` (by series; `series`: of each column) may be null.
void AppendRowGroup(std::span<const RowView> rows, std::uint32_t layout, std::uint32_t columns, Position prev, std::uint64_t seq,
                    std::span<const std::uint32_t> series, std::vector<chunk::EncoderHint>* hints, std::string* out);
// Appends a loose group of at most 65,535 samples, which it sorts by series and time.
void AppendLooseGroup(std::vector<LooseSample>* samples, Position prev, std::uint64_t seq, std::string* out);

// A group whose checksums have been verified. Borrows the bytes.
class RowGroup {
 public:
  // kCorrupt with what is wrong; `bytes` is exactly the group.
  static Result<RowGroup> Parse(std::string_view bytes);
  const GroupHeader& header() const { return header_; }
  std::string_view bytes() const { return bytes_; }
  Result<void> Times(std::vector<std::int64_t>* out) const;  // appends `rows` times
  // Column of slot; *count values are written to values (room for header().rows).
  // When *count < rows, mask (room for rows bits) says which rows; when all rows are
  // there, mask is not touched. *no_resets is cleared unless the chunk says so.
  Result<void> Column(std::uint32_t slot, double* values, std::uint32_t* count, std::uint8_t mask[kMaxTileRows / 8], bool* no_resets) const;
  // Only the rows [first, first + n) of a column that has all rows; false: it does not (use Column).
  Result<bool> FullColumn(std::uint32_t slot, std::uint32_t first, std::uint32_t n, double* values, bool* no_resets) const;
  // Samples of the column, without decoding them.
  std::uint32_t CountSamples(std::uint32_t slot) const;
  bool HasColumn(std::uint32_t slot) const { return !Chunk(slot).empty(); }

 private:
  std::string_view Chunk(std::uint32_t slot) const;
  bool Partial(std::uint32_t slot) const;

  GroupHeader header_;
  std::string_view bytes_;
  std::string_view times_;
  const char* bases_ = nullptr;
  const char* starts_ = nullptr;
  const char* partial_ = nullptr;
  std::string_view chunks_;
};

class LooseGroup {
 public:
  static Result<LooseGroup> Parse(std::string_view bytes);
  const GroupHeader& header() const { return header_; }
  std::string_view bytes() const { return bytes_; }
  std::uint32_t size() const { return header_.columns; }
  std::uint32_t series(std::uint32_t i) const;  // ascending
  std::uint64_t CountSamples() const;
  // Appends the samples of a series, ascending; nothing when it is not in the group.
  Result<void> Read(std::uint32_t series, std::vector<LooseSample>* out) const;

 private:
  GroupHeader header_;
  std::string_view bytes_;
  const char* directory_ = nullptr;
  std::string_view data_;
};

}  // namespace prom::store
