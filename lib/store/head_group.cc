// A row group's payload: the time column; u32 start of every 32nd column's chunk;
// u16 start of each column's chunk from there; when flagged, a bit per column that
// misses some rows; the chunks. A column without a sample has an empty chunk: two
// bytes. A partial column's chunk has a row mask in front.
//
// A loose group's payload: a directory of 16-byte entries by series id, then for
// each series its floats (times, start times when any, values) and histograms.
#include "store/head_group.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>

#include "chunk/time_column.h"

namespace prom::store {

namespace {

constexpr std::size_t kHeaderCrcAt = 4, kKindAt = 12, kFlagsAt = 13, kPayloadCrcAt = 28;
constexpr std::uint8_t kFlagPartial = 1;
constexpr std::size_t kLooseEntryBytes = 16;

void WriteGroupHeader(const GroupHeader& h, char* p) {
  std::memset(p, 0, kGroupHeaderBytes);
  StoreLe<std::uint32_t>(p, kGroupMagic);
  StoreLe<std::uint32_t>(p + 8, h.size);
  p[kKindAt] = static_cast<char>(h.kind);
  p[kFlagsAt] = static_cast<char>(h.partial ? kFlagPartial : 0);
  StoreLe<std::uint32_t>(p + 16, h.layout);
  StoreLe<std::uint32_t>(p + 20, h.rows);
  StoreLe<std::uint32_t>(p + 24, h.columns);
  StoreLe<std::uint32_t>(p + kPayloadCrcAt, h.payload_crc);
  StoreLe<std::int64_t>(p + 32, h.min_t);
  StoreLe<std::int64_t>(p + 40, h.max_t);
  StoreLe<std::uint64_t>(p + 48, h.prev.offset);
  StoreLe<std::uint32_t>(p + 56, h.prev.file);
  StoreLe<std::uint32_t>(p + 60, h.time_bytes);
  StoreLe<std::uint64_t>(p + 64, h.seq);
  StoreLe<std::uint32_t>(p + kHeaderCrcAt, Crc32c(p + 8, kGroupHeaderBytes - 8));
}

// Ends the group that begins at `at`: padding, checksums, header.
void FinishGroup(GroupHeader* h, std::size_t at, std::string* out) {
  out->resize(at + Pad8(out->size() - at), '\0');
  h->size = static_cast<std::uint32_t>(out->size() - at);
  h->payload_crc = Crc32c(out->data() + at + kGroupHeaderBytes, h->size - kGroupHeaderBytes);
  WriteGroupHeader(*h, out->data() + at);
}

// Bits of the first `rows` rows.
std::uint32_t CountRows(const std::uint8_t* mask, std::uint32_t rows) {
  std::uint64_t words[kMaxTileRows / 64] = {};
  std::memcpy(words, mask, (rows + 7) / 8);
  words[rows / 64 % std::size(words)] &= rows % 64 == 0 ? ~std::uint64_t{0} : (std::uint64_t{1} << (rows % 64)) - 1;
  return static_cast<std::uint32_t>(std::popcount(words[0]) + std::popcount(words[1]));
}

// Which of the columns [first, first + 8) a row has; first is a multiple of 8.
unsigned PresentByte(const RowView& row, std::uint32_t first) {
  if (first >= row.columns) return 0;
  const unsigned mask = row.columns - first >= 8 ? 0xff : (1u << (row.columns - first)) - 1;
  return row.bitmap == nullptr ? mask : static_cast<std::uint8_t>(row.bitmap[first / 8]) & mask;
}

}  // namespace

std::optional<GroupHeader> ParseGroupHeader(std::string_view bytes) {
  if (bytes.size() < kGroupHeaderBytes) return std::nullopt;
  const char* p = bytes.data();
  if (LoadLe<std::uint32_t>(p) != kGroupMagic || LoadLe<std::uint32_t>(p + kHeaderCrcAt) != Crc32c(p + 8, kGroupHeaderBytes - 8)) return std::nullopt;
  GroupHeader h;
  h.size = LoadLe<std::uint32_t>(p + 8);
  h.kind = static_cast<GroupKind>(p[kKindAt]);
  h.partial = (p[kFlagsAt] & kFlagPartial) != 0;
  h.layout = LoadLe<std::uint32_t>(p + 16);
  h.rows = LoadLe<std::uint32_t>(p + 20);
  h.columns = LoadLe<std::uint32_t>(p + 24);
  h.payload_crc = LoadLe<std::uint32_t>(p + kPayloadCrcAt);
  h.min_t = LoadLe<std::int64_t>(p + 32);
  h.max_t = LoadLe<std::int64_t>(p + 40);
  h.prev = {LoadLe<std::uint64_t>(p + 48), LoadLe<std::uint32_t>(p + 56)};
  h.time_bytes = LoadLe<std::uint32_t>(p + 60);
  h.seq = LoadLe<std::uint64_t>(p + 64);
  if (h.size < kGroupHeaderBytes || (h.kind != GroupKind::kRows && h.kind != GroupKind::kLoose)) return std::nullopt;
  return h;
}

void AppendRowGroup(std::span<const RowView> rows, std::uint32_t layout, std::uint32_t columns, Position prev, std::uint64_t seq,
                    std::span<const std::uint32_t> series, std::vector<chunk::EncoderHint>* hints, std::string* out) {
  const auto n = static_cast<std::uint32_t>(rows.size());
  GroupHeader h;
  h.layout = layout;
  h.rows = n;
  h.columns = columns;
  h.prev = prev;
  h.seq = seq;
  h.min_t = rows.front().t;
  h.max_t = rows.back().t;

  const std::size_t at = out->size();
  out->resize(at + kGroupHeaderBytes);
  std::array<std::int64_t, kMaxTileRows> times;
  for (std::uint32_t r = 0; r < n; ++r) times[r] = rows[r].t;
  chunk::EncodeTimes({times.data(), n}, out);
  h.time_bytes = static_cast<std::uint32_t>(out->size() - at - kGroupHeaderBytes);

  for (const RowView& row : rows) h.partial |= row.bitmap != nullptr || row.columns != columns;
  const std::size_t blocks = (columns + kChunkBlock - 1) / kChunkBlock;
  const std::size_t bases = out->size(), starts = bases + 4 * blocks, partial = starts + std::size_t{2} * columns;
  out->resize(partial + (h.partial ? (columns + 7) / 8 : 0) + 4);
  StoreLe<std::uint32_t>(out->data() + out->size() - 4, 0);  // where all chunks end; filled in below
  const std::size_t end_at = out->size() - 4;
  const std::size_t chunks = out->size();

  // Transposes 8 columns at a time: one cache line of each row.
  std::array<std::uint32_t, kMaxTileRows> cursor{};  // next stored value of rows with a bitmap
  std::array<std::array<double, kMaxTileRows>, 8> tile;
  std::array<std::array<std::uint8_t, kMaxTileRows / 8>, 8> mask;
  std::array<std::uint32_t, 8> count;
  const std::size_t mask_bytes = (n + 7) / 8;
  for (std::uint32_t first = 0; first < columns; first += 8) {
    const std::uint32_t width = std::min<std::uint32_t>(8, columns - first);
    count.fill(0);
    if (!h.partial) {
      for (std::uint32_t r = 0; r < n; ++r) {
        const char* p = rows[r].values + std::size_t{8} * first;
        for (std::uint32_t c = 0; c < width; ++c) tile[c][r] = LoadLe<double>(p + 8 * c);
      }
      count.fill(n);
    } else {
      for (auto& m : mask) m.fill(0);
      for (std::uint32_t r = 0; r < n; ++r) {
        for (unsigned bits = PresentByte(rows[r], first); bits != 0; bits &= bits - 1) {
          const auto c = static_cast<unsigned>(std::countr_zero(bits));
          mask[c][r / 8] |= static_cast<std::uint8_t>(1u << (r % 8));
          tile[c][count[c]++] = LoadLe<double>(rows[r].values + std::size_t{8} * cursor[r]++);
        }
      }
    }
    for (std::uint32_t c = 0; c < width; ++c) {
      const std::uint32_t slot = first + c;
      const auto here = static_cast<std::uint32_t>(out->size() - chunks);
      if (slot % kChunkBlock == 0) StoreLe<std::uint32_t>(out->data() + bases + slot / kChunkBlock * 4, here);
      const auto base = LoadLe<std::uint32_t>(out->data() + bases + slot / kChunkBlock * 4);
      StoreLe<std::uint16_t>(out->data() + starts + std::size_t{2} * slot, static_cast<std::uint16_t>(here - base));
      if (count[c] == 0) continue;
      if (count[c] < n) {
        (*out)[partial + slot / 8] = static_cast<char>((*out)[partial + slot / 8] | (1 << (slot % 8)));
        out->append(reinterpret_cast<const char*>(mask[c].data()), mask_bytes);
      }
      chunk::EncodeValues({tile[c].data(), count[c]}, out, hints != nullptr ? hints->data() + series[slot] : nullptr);
    }
  }
  StoreLe<std::uint32_t>(out->data() + end_at, static_cast<std::uint32_t>(out->size() - chunks));
  FinishGroup(&h, at, out);
}

Result<RowGroup> RowGroup::Parse(std::string_view bytes) {
  const auto h = ParseGroupHeader(bytes);
  if (!h || h->kind != GroupKind::kRows || h->size != bytes.size()) return Error{Errc::kCorrupt, "no header of a row group"};
  if (Crc32c(bytes.substr(kGroupHeaderBytes)) != h->payload_crc) return Error{Errc::kCorrupt, "checksum of a row group does not match"};
  // Behind a good checksum these only fail for a file that another program wrote.
  const std::uint64_t blocks = (std::uint64_t{h->columns} + kChunkBlock - 1) / kChunkBlock;
  const std::uint64_t head = kGroupHeaderBytes + h->time_bytes + 4 * blocks + std::uint64_t{2} * h->columns +
                             (h->partial ? (std::uint64_t{h->columns} + 7) / 8 : 0) + 4;
  if (h->rows == 0 || h->rows > kMaxTileRows || h->columns == 0 || h->columns > kMaxColumns || head > bytes.size())
    return Error{Errc::kCorrupt, "lengths in a row group do not fit"};
  RowGroup g;
  g.header_ = *h;
  g.bytes_ = bytes;
  g.times_ = bytes.substr(kGroupHeaderBytes, h->time_bytes);
  g.bases_ = bytes.data() + kGroupHeaderBytes + h->time_bytes;
  g.starts_ = g.bases_ + 4 * blocks;
  g.partial_ = h->partial ? g.starts_ + std::size_t{2} * h->columns : nullptr;
  const auto end = LoadLe<std::uint32_t>(bytes.data() + head - 4);
  if (head + end > bytes.size()) return Error{Errc::kCorrupt, "lengths in a row group do not fit"};
  g.chunks_ = bytes.substr(head, end);
  return g;
}

Result<void> RowGroup::Times(std::vector<std::int64_t>* out) const {
  const std::size_t old = out->size();
  out->resize(old + header_.rows);
  auto done = chunk::DecodeTimes(times_, {out->data() + old, header_.rows});
  if (!done) out->resize(old);
  return done;
}

std::string_view RowGroup::Chunk(std::uint32_t slot) const {
  if (slot >= header_.columns) return {};
  const auto start = [&](std::uint32_t s) -> std::size_t {
    return LoadLe<std::uint32_t>(bases_ + s / kChunkBlock * 4) + std::size_t{LoadLe<std::uint16_t>(starts_ + std::size_t{2} * s)};
  };
  const std::size_t begin = start(slot), end = slot + 1 < header_.columns ? start(slot + 1) : chunks_.size();
  if (begin >= end || end > chunks_.size()) return {};
  return chunks_.substr(begin, end - begin);
}

bool RowGroup::Partial(std::uint32_t slot) const { return partial_ != nullptr && ((partial_[slot / 8] >> (slot % 8)) & 1) != 0; }

std::uint32_t RowGroup::CountSamples(std::uint32_t slot) const {
  const std::string_view bytes = Chunk(slot);
  if (bytes.empty()) return 0;
  if (!Partial(slot)) return header_.rows;
  std::uint32_t n = 0;
  for (std::uint32_t r = 0; r < header_.rows && r / 8 < bytes.size(); ++r) n += (static_cast<std::uint8_t>(bytes[r / 8]) >> (r % 8)) & 1u;
  return n;
}

Result<void> RowGroup::Column(std::uint32_t slot, double* values, std::uint32_t* count, std::uint8_t mask[kMaxTileRows / 8], bool* no_resets) const {
  *count = 0;
  std::string_view bytes = Chunk(slot);
  if (bytes.empty()) return {};
  std::uint32_t n = header_.rows;
  if (Partial(slot)) {
    const std::size_t mask_bytes = (header_.rows + 7) / 8;
    if (bytes.size() < mask_bytes) return Error{Errc::kCorrupt, "row mask cut off"};
    std::memcpy(mask, bytes.data(), mask_bytes);
    bytes.remove_prefix(mask_bytes);
    n = CountRows(mask, header_.rows);
    if (n == 0 || n == header_.rows) return Error{Errc::kCorrupt, "row mask of no use"};
  }
  if (*no_resets) {
    PROM_ASSIGN(const auto info, chunk::PeekValues(bytes));
    *no_resets = info.no_resets;
  }
  PROM_TRY(chunk::DecodeValues(bytes, {values, n}));
  *count = n;
  return {};
}

Result<bool> RowGroup::FullColumn(std::uint32_t slot, std::uint32_t first, std::uint32_t n, double* values, bool* no_resets) const {
  const std::string_view bytes = Chunk(slot);
  if (bytes.empty() || Partial(slot)) return false;
  if (*no_resets) {
    PROM_ASSIGN(const auto info, chunk::PeekValues(bytes));
    *no_resets = info.no_resets;
  }
  if (n == header_.rows) {
    PROM_TRY(chunk::DecodeValues(bytes, {values, n}));
  } else {
    PROM_TRY(chunk::DecodeValueRange(bytes, first, {values, n}));
  }
  return true;
}

void AppendLooseGroup(std::vector<LooseSample>* samples, Position prev, std::uint64_t seq, std::string* out) {
  std::stable_sort(samples->begin(), samples->end(), [](const LooseSample& a, const LooseSample& b) { return a.series != b.series ? a.series < b.series : a.t < b.t; });
  GroupHeader h;
  h.kind = GroupKind::kLoose;
  h.rows = static_cast<std::uint32_t>(samples->size());
  h.prev = prev;
  h.seq = seq;
  h.min_t = std::numeric_limits<std::int64_t>::max();
  h.max_t = std::numeric_limits<std::int64_t>::min();
  std::string directory, data;
  std::vector<std::int64_t> t, st;
  std::vector<double> v;
  for (std::size_t i = 0; i < samples->size();) {
    const std::uint32_t series = (*samples)[i].series;
    const auto start = static_cast<std::uint32_t>(data.size());
    t.clear();
    st.clear();
    v.clear();
    bool any_start = false;
    std::uint32_t histograms = 0;
    std::string encoded;
    std::int64_t last = 0;
    for (; i < samples->size() && (*samples)[i].series == series; ++i) {
      const LooseSample& s = (*samples)[i];
      h.min_t = std::min(h.min_t, s.t);
      h.max_t = std::max(h.max_t, s.t);
      if (s.histogram.empty()) {
        if (!t.empty() && t.back() == s.t) {  // the later one counts
          v.back() = s.v;
          st.back() = s.st;
          continue;
        }
        t.push_back(s.t);
        v.push_back(s.v);
        st.push_back(s.st);
        any_start |= s.st != 0;
        continue;
      }
      AppendSignedVarint(&encoded, static_cast<std::int64_t>(static_cast<std::uint64_t>(s.t) - static_cast<std::uint64_t>(last)));
      last = s.t;
      AppendSignedVarint(&encoded, s.st);
      AppendLengthPrefixed(&encoded, s.histogram);
      ++histograms;
    }
    if (!t.empty()) {
      std::string column;
      chunk::EncodeTimes(t, &column);
      AppendLengthPrefixed(&data, column);
      column.clear();
      if (any_start) chunk::EncodeStartTimes(st, &column);
      AppendLengthPrefixed(&data, column);
      column.clear();
      chunk::EncodeValues(v, &column);
      AppendLengthPrefixed(&data, column);
    }
    data += encoded;
    AppendLe<std::uint32_t>(&directory, series);
    AppendLe<std::uint32_t>(&directory, start);
    AppendLe<std::uint32_t>(&directory, static_cast<std::uint32_t>(t.size()));
    AppendLe<std::uint32_t>(&directory, histograms);
    ++h.columns;
  }
  const std::size_t at = out->size();
  out->resize(at + kGroupHeaderBytes);
  *out += directory;
  *out += data;
  FinishGroup(&h, at, out);
}

Result<LooseGroup> LooseGroup::Parse(std::string_view bytes) {
  const auto h = ParseGroupHeader(bytes);
  if (!h || h->kind != GroupKind::kLoose || h->size != bytes.size()) return Error{Errc::kCorrupt, "no header of a loose group"};
  if (Crc32c(bytes.substr(kGroupHeaderBytes)) != h->payload_crc) return Error{Errc::kCorrupt, "checksum of a loose group does not match"};
  const std::uint64_t directory = std::uint64_t{h->columns} * kLooseEntryBytes;
  if (kGroupHeaderBytes + directory > bytes.size()) return Error{Errc::kCorrupt, "lengths in a loose group do not fit"};
  LooseGroup g;
  g.header_ = *h;
  g.bytes_ = bytes;
  g.directory_ = bytes.data() + kGroupHeaderBytes;
  g.data_ = bytes.substr(kGroupHeaderBytes + directory);
  return g;
}

std::uint32_t LooseGroup::series(std::uint32_t i) const { return LoadLe<std::uint32_t>(directory_ + std::size_t{i} * kLooseEntryBytes); }

std::uint64_t LooseGroup::CountSamples() const {
  std::uint64_t n = 0;
  for (std::uint32_t i = 0; i < header_.columns; ++i) {
    const char* entry = directory_ + std::size_t{i} * kLooseEntryBytes;
    n += std::uint64_t{LoadLe<std::uint32_t>(entry + 8)} + LoadLe<std::uint32_t>(entry + 12);
  }
  return n;
}

Result<void> LooseGroup::Read(std::uint32_t wanted, std::vector<LooseSample>* out) const {
  std::uint32_t low = 0, high = header_.columns;
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    if (series(middle) < wanted) low = middle + 1;
    else high = middle;
  }
  if (low == header_.columns || series(low) != wanted) return {};
  const char* entry = directory_ + std::size_t{low} * kLooseEntryBytes;
  const auto start = LoadLe<std::uint32_t>(entry + 4), floats = LoadLe<std::uint32_t>(entry + 8), histograms = LoadLe<std::uint32_t>(entry + 12);
  const Error bad{Errc::kCorrupt, "samples of a loose group do not fit"};
  if (start > data_.size() || floats > chunk::kMaxValues || histograms > chunk::kMaxValues) return bad;
  ByteReader in(data_.substr(start));
  std::vector<LooseSample> samples;
  if (floats != 0) {
    std::vector<std::int64_t> t(floats), st(floats);
    std::vector<double> v(floats);
    PROM_TRY(chunk::DecodeTimes(in.LengthPrefixed(), t));
    if (const std::string_view column = in.LengthPrefixed(); !column.empty()) PROM_TRY(chunk::DecodeStartTimes(column, st));
    PROM_TRY(chunk::DecodeValues(in.LengthPrefixed(), v));
    samples.reserve(floats + histograms);
    for (std::uint32_t i = 0; i < floats; ++i) samples.push_back({wanted, t[i], st[i], v[i], {}});
  }
  std::int64_t last = 0;
  for (std::uint32_t i = 0; i < histograms; ++i) {
    LooseSample s;
    s.series = wanted;
    s.t = last = static_cast<std::int64_t>(static_cast<std::uint64_t>(last) + static_cast<std::uint64_t>(in.SignedVarint()));
    s.st = in.SignedVarint();
    s.histogram = in.LengthPrefixed();
    if (!in.ok() || s.histogram.empty()) return bad;
    samples.push_back(std::move(s));
  }
  if (!in.ok()) return bad;
  std::stable_sort(samples.begin(), samples.end(), [](const LooseSample& a, const LooseSample& b) { return a.t < b.t; });
  for (LooseSample& s : samples) out->push_back(std::move(s));
  return {};
}

}  // namespace prom::store
