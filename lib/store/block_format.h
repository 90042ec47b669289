// The parts of a block's files that writer and reader share; prom-block(5) has the
// layout. Internal to lib/store.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/crc32c.h"

namespace prom::store {

inline constexpr std::string_view kBlockChunksMagic = "PKBLCK";
inline constexpr std::string_view kBlockIndexFile = "index", kBlockChunksFile = "chunks", kBlockMetaFile = "meta.json";

enum class BlockGroupKind : std::uint32_t { kValues = 1, kTimes = 2, kExemplars = 3, kMetadata = 4 };

// A group in the chunks file: u32 magic, u32 crc32c of what follows, u32 size of the
// payload, u32 kind; the payload, as chunk::AppendGroup makes it.
inline constexpr std::uint32_t kBlockGroupMagic = 0x47424b50;  // "PKBG"
inline constexpr std::size_t kBlockGroupHead = 16;
inline constexpr std::size_t kMaxGroupRawBytes = 1u << 30;

// The directory, which is the index's extra section: this head, slices, groups.
struct BlockHead {
  std::uint32_t slices = 0, groups = 0, columns = 0, level = 1;
  std::int64_t min_ms = 0, max_ms = 0;
  std::uint64_t samples = 0, histogram_samples = 0, chunks = 0;
  // Groups are numbered: of values, by slice; then of times, exemplars, metadata.
  std::uint32_t first_times = 0, first_exemplars = 0, first_metadata = 0;
  std::string ulid;

  static constexpr std::size_t kBytes = 104;
  void AppendTo(std::string* out) const {
    for (const std::uint32_t v : {slices, groups, columns, level}) AppendLe(out, v);
    AppendLe(out, min_ms);
    AppendLe(out, max_ms);
    for (const std::uint64_t v : {samples, histogram_samples, chunks}) AppendLe(out, v);
    for (const std::uint32_t v : {first_times, first_exemplars, first_metadata, std::uint32_t{0}}) AppendLe(out, v);
    std::string name = ulid;
    name.resize(32, '\0');
    *out += name;
  }
  // From kBytes bytes. False: numbers that contradict each other.
  [[nodiscard]] bool Parse(std::string_view bytes) {
    ByteReader r(bytes);
    for (std::uint32_t* v : {&slices, &groups, &columns, &level}) *v = r.U32();
    min_ms = r.Le<std::int64_t>();
    max_ms = r.Le<std::int64_t>();
    for (std::uint64_t* v : {&samples, &histogram_samples, &chunks}) *v = r.U64();
    for (std::uint32_t* v : {&first_times, &first_exemplars, &first_metadata}) *v = r.U32();
    (void)r.U32();
    ulid = r.Bytes(26);
    return r.ok() && first_times <= first_exemplars && first_exemplars <= first_metadata && first_metadata <= groups;
  }
};

struct BlockSlice {
  std::int64_t min_ms = 0, max_ms = 0;  // of its samples
  std::uint32_t first_group = 0, groups = 0;
  static constexpr std::size_t kBytes = 24;
  void AppendTo(std::string* out) const {
    AppendLe(out, min_ms);
    AppendLe(out, max_ms);
    AppendLe(out, first_group);
    AppendLe(out, groups);
  }
  static BlockSlice Parse(const char* p) { return {LoadLe<std::int64_t>(p), LoadLe<std::int64_t>(p + 8), LoadLe<std::uint32_t>(p + 16), LoadLe<std::uint32_t>(p + 20)}; }
};

struct BlockGroup {
  std::uint64_t offset = 0;           // of its head in the chunks file
  std::uint32_t size = 0;             // of its payload
  std::uint32_t first = 0, last = 0;  // series numbers (values, exemplars) or columns (times) in it
  static constexpr std::size_t kBytes = 20;
  void AppendTo(std::string* out) const {
    AppendLe(out, offset);
    AppendLe(out, size);
    AppendLe(out, first);
    AppendLe(out, last);
  }
  static BlockGroup Parse(const char* p) { return {LoadLe<std::uint64_t>(p), LoadLe<std::uint32_t>(p + 8), LoadLe<std::uint32_t>(p + 12), LoadLe<std::uint32_t>(p + 16)}; }
};

// A value group unpacked: u32 entries, u32 bytes of directory, directory, chunks.
struct BlockEntry {
  std::uint32_t series = 0;            // number of the series
  std::uint32_t column = 0;            // its times
  std::uint32_t first = 0, count = 0;  // rows of the column; count 0: all
  std::uint32_t offset = 0;            // of the chunk in the group
  std::uint32_t size = 0;              // of the chunk
  std::uint32_t start_size = 0;        // of the start timestamps behind it
  bool histogram = false;
};

inline constexpr std::uint8_t kEntryHistogram = 1, kEntryStart = 2, kEntrySameColumn = 4, kEntryWhole = 8, kEntryNextSeries = 16, kEntryReserved = 0xe0;

// Writes entries one after the other.
class BlockEntryWriter {
 public:
  void Reset(std::uint32_t first_series) {
    bytes_.clear();
    count_ = 0;
    series_ = first_series;
    column_ = 0;
  }
  void Add(const BlockEntry& e) {
    const bool next = e.series == series_ + 1, same = e.column == column_ && count_ > 0, whole = e.count == 0;
    bytes_.push_back(static_cast<char>((e.histogram ? kEntryHistogram : 0) | (e.start_size > 0 ? kEntryStart : 0) | (same ? kEntrySameColumn : 0) |
                                       (whole ? kEntryWhole : 0) | (next ? kEntryNextSeries : 0)));
    if (!next) AppendVarint(&bytes_, e.series - series_);
    if (!same) AppendSignedVarint(&bytes_, std::int64_t{e.column} - column_);
    if (!whole) {
      AppendVarint(&bytes_, e.first);
      AppendVarint(&bytes_, e.count);
    }
    AppendVarint(&bytes_, e.size);
    if (e.start_size > 0) AppendVarint(&bytes_, e.start_size);
    series_ = e.series;
    column_ = e.column;
    ++count_;
  }
  std::uint32_t count() const { return count_; }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
  std::uint32_t count_ = 0, series_ = 0, column_ = 0;
};

// Of a raw group whose first series is known. False: not a value group.
[[nodiscard]] inline bool ParseEntries(std::string_view raw, std::uint32_t first_series, std::vector<BlockEntry>* out) {
  ByteReader head(raw);
  const std::uint32_t count = head.U32(), size = head.U32();
  ByteReader r(head.Bytes(size));
  if (!head.ok() || count > size) return false;  // an entry has two bytes or more
  out->clear();
  out->reserve(count);
  std::uint64_t offset = head.offset();
  std::uint64_t series = first_series;
  std::int64_t column = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint8_t flags = r.U8();
    if ((flags & kEntryReserved) != 0) return false;
    BlockEntry e;
    e.histogram = (flags & kEntryHistogram) != 0;
    const std::uint64_t step = (flags & kEntryNextSeries) != 0 ? 1 : r.Varint();
    if (step > 0xffffffffu || (series += step) > 0xffffffffu) return false;
    if ((flags & kEntrySameColumn) == 0) {
      const std::int64_t change = r.SignedVarint();
      if (change > 0xffffffffll || change < -0xffffffffll) return false;
      column += change;
      if (column < 0 || column > 0xffffffffll) return false;
    }
    if ((flags & kEntryWhole) == 0) {
      const std::uint64_t first = r.Varint(), rows = r.Varint();
      if (first > 0x7fffffffu || rows > 0x7fffffffu || rows == 0) return false;
      e.first = static_cast<std::uint32_t>(first);
      e.count = static_cast<std::uint32_t>(rows);
    }
    const std::uint64_t bytes = r.Varint(), start = (flags & kEntryStart) != 0 ? r.Varint() : 0;
    if (!r.ok() || offset > raw.size() || bytes > raw.size() - offset || start > raw.size() - offset - bytes) return false;
    e.series = static_cast<std::uint32_t>(series);
    e.column = static_cast<std::uint32_t>(column);
    e.offset = static_cast<std::uint32_t>(offset);
    e.size = static_cast<std::uint32_t>(bytes);
    e.start_size = static_cast<std::uint32_t>(start);
    offset += bytes + start;
    out->push_back(e);
  }
  return r.remaining() == 0 && offset == raw.size();
}

}  // namespace prom::store
