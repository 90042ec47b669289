// Entries stand as columns, one field of all of them after the other: under churn each
// has fields of its own, and LZ4 finds more in numbers of one kind that follow each
// other. Chunks of at most two bytes, which are constants, stand before the others for
// the same reason.
#include "store/block_entries.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/number.h"
#include "chunk/value_chunk.h"

namespace prom::store {
namespace {

constexpr std::uint8_t kHistogram = 1, kStart = 2, kSameColumn = 4, kWhole = 8, kNextSeries = 16, kStale = 32;
constexpr std::uint8_t kReserved1 = 0xe0, kReserved = 0xc0;  // of kValues1, of kValues
constexpr std::size_t kShortChunk = 2;
constexpr std::uint32_t kMaxRow = 0x7fffffff;

}  // namespace

void BlockValuesWriter::Add(const BlockEntry& e, std::string_view chunk, std::string_view starts) {
  if (flags_.empty()) first_series_ = series_ = e.series;
  const bool next = e.series == series_ + 1, same = e.column == column_ && !flags_.empty(), whole = e.count == 0;
  flags_.push_back(static_cast<char>((e.histogram ? kHistogram : 0) | (starts.empty() ? 0 : kStart) | (same ? kSameColumn : 0) | (whole ? kWhole : 0) |
                                     (next ? kNextSeries : 0) | (e.stale ? kStale : 0)));
  if (!next) AppendVarint(&series_steps_, e.series - series_);
  if (!same) AppendSignedVarint(&columns_, std::int64_t{e.column} - column_);
  if (!whole) {
    AppendSignedVarint(&firsts_, std::int64_t{e.first} - first_);
    AppendVarint(&counts_, e.count);
    first_ = e.first;
  }
  AppendVarint(&sizes_, chunk.size());
  if (!starts.empty()) AppendVarint(&start_sizes_, starts.size());
  (chunk.size() <= kShortChunk ? short_chunks_ : chunks_).append(chunk).append(starts);
  series_ = e.series;
  column_ = e.column;
}

std::size_t BlockValuesWriter::bytes() const {
  return flags_.size() + series_steps_.size() + columns_.size() + firsts_.size() + counts_.size() + sizes_.size() + start_sizes_.size() + short_chunks_.size() + chunks_.size();
}

void BlockValuesWriter::AppendTo(std::string* out) const {
  AppendLe<std::uint32_t>(out, count());
  AppendLe<std::uint32_t>(out, static_cast<std::uint32_t>(bytes() - short_chunks_.size() - chunks_.size()));
  AppendLe<std::uint32_t>(out, static_cast<std::uint32_t>(short_chunks_.size()));
  for (const std::string* part : {&flags_, &series_steps_, &columns_, &firsts_, &counts_, &sizes_, &start_sizes_, &short_chunks_, &chunks_}) *out += *part;
}

void BlockValuesWriter::Clear() {
  for (std::string* part : {&flags_, &series_steps_, &columns_, &firsts_, &counts_, &sizes_, &start_sizes_, &short_chunks_, &chunks_}) part->clear();
  column_ = first_ = 0;
}

namespace {

// Numbers that may leave [0, max] only in damaged bytes.
bool Step(std::uint32_t* value, std::int64_t change, std::uint32_t max) {
  if (change > max || change < -std::int64_t{max}) return false;
  const std::int64_t sum = std::int64_t{*value} + change;
  if (sum < 0 || sum > max) return false;
  *value = static_cast<std::uint32_t>(sum);
  return true;
}

// Places `bytes` of a chunk and `starts` behind it at *offset, which must not pass `end`.
bool Place(BlockEntry* e, std::uint64_t bytes, std::uint64_t starts, std::size_t* offset, std::size_t end) {
  if (bytes > end - *offset || starts > end - *offset - bytes) return false;
  e->offset = static_cast<std::uint32_t>(*offset);
  e->size = static_cast<std::uint32_t>(bytes);
  e->start_size = static_cast<std::uint32_t>(starts);
  *offset += bytes + starts;
  return true;
}

bool ParseEntries1(std::string_view raw, std::uint32_t first_series, std::vector<BlockEntry>* out) {
  ByteReader head(raw);
  const std::uint32_t count = head.U32(), size = head.U32();
  ByteReader r(head.Bytes(size));
  if (!head.ok() || count > size) return false;  // an entry has two bytes or more
  out->assign(count, {});
  std::size_t offset = head.offset();
  std::uint32_t series = first_series, column = 0;
  for (BlockEntry& e : *out) {
    const std::uint8_t flags = r.U8();
    if ((flags & kReserved1) != 0) return false;
    e.histogram = (flags & kHistogram) != 0;
    e.counted = !e.histogram;
    const std::uint64_t step = (flags & kNextSeries) != 0 ? 1 : r.Varint();
    if (step > 0xffffffffu || !Step(&series, static_cast<std::int64_t>(step), 0xffffffffu)) return false;
    if ((flags & kSameColumn) == 0 && !Step(&column, r.SignedVarint(), 0xffffffffu)) return false;
    if ((flags & kWhole) == 0) {
      const std::uint64_t first = r.Varint(), rows = r.Varint();
      if (first > kMaxRow || rows > kMaxRow || rows == 0) return false;
      e.first = static_cast<std::uint32_t>(first);
      e.count = static_cast<std::uint32_t>(rows);
    }
    const std::uint64_t bytes = r.Varint(), starts = (flags & kStart) != 0 ? r.Varint() : 0;
    if (!r.ok() || !Place(&e, bytes, starts, &offset, raw.size())) return false;
    e.series = series;
    e.column = column;
  }
  return r.remaining() == 0 && offset == raw.size();
}

}  // namespace

bool ParseEntries(BlockGroupKind kind, std::string_view raw, std::uint32_t first_series, std::vector<BlockEntry>* out) {
  if (kind == BlockGroupKind::kValues1) return ParseEntries1(raw, first_series, out);
  if (kind != BlockGroupKind::kValues) return false;
  ByteReader head(raw);
  const std::uint32_t count = head.U32(), size = head.U32(), short_bytes = head.U32();
  ByteReader r(head.Bytes(size));
  if (!head.ok() || count > size || short_bytes > head.remaining()) return false;
  const std::string_view flags = r.Bytes(count);
  out->assign(count, {});
  std::uint32_t series = first_series, column = 0, first = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto f = static_cast<std::uint8_t>(flags[i]);
    if ((f & kReserved) != 0 || (f & (kHistogram | kStale)) == (kHistogram | kStale)) return false;
    const std::uint64_t step = (f & kNextSeries) != 0 ? 1 : r.Varint();
    if (step > 0xffffffffu || !Step(&series, static_cast<std::int64_t>(step), 0xffffffffu)) return false;
    BlockEntry& e = (*out)[i];
    e.series = series;
    e.histogram = (f & kHistogram) != 0;
    e.stale = (f & kStale) != 0;
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    if ((static_cast<std::uint8_t>(flags[i]) & kSameColumn) == 0 && !Step(&column, r.SignedVarint(), 0xffffffffu)) return false;
    (*out)[i].column = column;
  }
  const auto whole = [&](std::uint32_t i) { return (static_cast<std::uint8_t>(flags[i]) & kWhole) != 0; };
  for (std::uint32_t i = 0; i < count; ++i) {
    if (whole(i)) continue;
    if (!Step(&first, r.SignedVarint(), kMaxRow)) return false;
    (*out)[i].first = first;
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    if (whole(i)) continue;
    const std::uint64_t rows = r.Varint();
    if (rows > kMaxRow || rows == 0) return false;
    (*out)[i].count = static_cast<std::uint32_t>(rows);
  }
  std::size_t offset = head.offset() + short_bytes, short_offset = head.offset();
  const std::size_t short_end = offset;
  ByteReader start_sizes = r;  // behind the sizes
  for (std::uint32_t i = 0; i < count; ++i) (void)start_sizes.Varint();
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint64_t bytes = r.Varint();
    const std::uint64_t starts = (static_cast<std::uint8_t>(flags[i]) & kStart) != 0 ? start_sizes.Varint() : 0;
    const bool placed = bytes <= kShortChunk ? Place(&(*out)[i], bytes, starts, &short_offset, short_end) : Place(&(*out)[i], bytes, starts, &offset, raw.size());
    if (!r.ok() || !start_sizes.ok() || !placed) return false;
  }
  return start_sizes.remaining() == 0 && short_offset == short_end && offset == raw.size();
}

Result<bool> DecodeEntry(const BlockEntry& e, std::string_view raw, std::size_t begin, std::span<double> out) {
  std::string_view body = raw.substr(e.offset, e.size);
  if (e.counted) {
    ByteReader r(body);
    const std::uint64_t count = r.Varint();
    if (!r.ok() || count != e.count) return Error{Errc::kCorrupt, "chunk of " + std::to_string(count) + " values for " + std::to_string(e.count) + " times"};
    body.remove_prefix(r.offset());
  }
  const std::size_t values = e.count - (e.stale ? 1 : 0);
  if (e.stale && begin + out.size() == e.count && !out.empty()) {
    out.back() = StaleNan();
    out = out.first(out.size() - 1);
  }
  if (values == 0) {
    if (!body.empty()) return Error{Errc::kCorrupt, "chunk of values where there is only the stale marker"};
    return false;
  }
  PROM_ASSIGN(const auto info, chunk::PeekValueBody(body, values));
  PROM_TRY(chunk::DecodeValueBody(body, values, begin, out));
  return info.no_resets && !e.stale;
}

}  // namespace prom::store
