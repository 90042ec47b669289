#include "store/head_format.h"

#include <algorithm>

namespace prom::store {

namespace {
bool AllZero(const char* p, std::size_t n) {
  return std::all_of(p, p + n, [](char c) { return c == 0; });
}
}  // namespace

void EncodeTileSlot(const TileState& s, std::uint32_t entry, char out[kTileSlotBytes]) {
  StoreLe<std::uint64_t>(out, s.seq);
  StoreLe<std::uint64_t>(out + 8, s.row.offset);
  StoreLe<std::uint64_t>(out + 16, s.group.offset);
  StoreLe<std::int64_t>(out + 24, s.min_t);
  StoreLe<std::int64_t>(out + 32, s.max_t);
  StoreLe<std::uint32_t>(out + 40, s.row.file);
  StoreLe<std::uint32_t>(out + 44, s.group.file);
  StoreLe<std::uint32_t>(out + 48, s.rows);
  StoreLe<std::uint32_t>(out + 52, s.columns);
  StoreLe<std::uint32_t>(out + 56, 0);
  StoreLe<std::uint32_t>(out + 60, Crc32c(out, 60, entry));
}

std::optional<TileState> DecodeTileSlot(const char* in, std::uint32_t entry) {
  TileState s;
  if (LoadLe<std::uint32_t>(in + 60) != Crc32c(in, 60, entry)) {
    if (!AllZero(in, kTileSlotBytes)) return std::nullopt;
    s.min_t = 1;  // nothing yet: an empty range
    return s;
  }
  s.seq = LoadLe<std::uint64_t>(in);
  s.row = {LoadLe<std::uint64_t>(in + 8), LoadLe<std::uint32_t>(in + 40)};
  s.group = {LoadLe<std::uint64_t>(in + 16), LoadLe<std::uint32_t>(in + 44)};
  s.min_t = LoadLe<std::int64_t>(in + 24);
  s.max_t = LoadLe<std::int64_t>(in + 32);
  s.rows = LoadLe<std::uint32_t>(in + 48);
  s.columns = LoadLe<std::uint32_t>(in + 52);
  return s;
}

void EncodeTileSlot(const ExtentState& s, std::uint32_t entry, char out[kTileSlotBytes]) {
  StoreLe<std::uint64_t>(out, s.seq);
  StoreLe<std::uint64_t>(out + 8, s.series_bytes);
  StoreLe<std::uint64_t>(out + 16, s.layouts_bytes);
  StoreLe<std::uint64_t>(out + 24, s.extras_bytes);
  StoreLe<std::uint32_t>(out + 32, s.series);
  StoreLe<std::uint32_t>(out + 36, s.layouts);
  StoreLe<std::uint32_t>(out + 40, s.first_log);
  StoreLe<std::uint32_t>(out + 44, s.last_log);
  StoreLe<std::uint32_t>(out + 48, s.extras);
  StoreLe<std::uint32_t>(out + 52, s.homes_more);
  StoreLe<std::uint32_t>(out + 56, 0);
  StoreLe<std::uint32_t>(out + 60, Crc32c(out, 60, entry));
}

bool BlankTileEntry(const char* entry) { return AllZero(entry, kTileEntryBytes); }

std::optional<ExtentState> DecodeExtentSlot(const char* in, std::uint32_t entry) {
  ExtentState s;
  if (LoadLe<std::uint32_t>(in + 60) != Crc32c(in, 60, entry)) {
    if (!AllZero(in, kTileSlotBytes)) return std::nullopt;
    return s;
  }
  s.seq = LoadLe<std::uint64_t>(in);
  s.series_bytes = LoadLe<std::uint64_t>(in + 8);
  s.layouts_bytes = LoadLe<std::uint64_t>(in + 16);
  s.extras_bytes = LoadLe<std::uint64_t>(in + 24);
  s.series = LoadLe<std::uint32_t>(in + 32);
  s.layouts = LoadLe<std::uint32_t>(in + 36);
  s.first_log = LoadLe<std::uint32_t>(in + 40);
  s.last_log = LoadLe<std::uint32_t>(in + 44);
  s.extras = LoadLe<std::uint32_t>(in + 48);
  s.homes_more = LoadLe<std::uint32_t>(in + 52);
  return s;
}

void EncodeHome(const Home& h, std::uint32_t index, char out[kHomeBytes]) {
  StoreLe<std::uint32_t>(out, h.layout);
  StoreLe<std::uint32_t>(out + 4, h.slot);
  StoreLe<std::uint32_t>(out + 8, h.more);
  StoreLe<std::uint32_t>(out + 12, Crc32c(out, 12, ~index));
}

std::optional<Home> DecodeHome(const char* in, std::uint32_t index) {
  Home h;
  if (LoadLe<std::uint32_t>(in + 12) != Crc32c(in, 12, ~index)) {
    if (!AllZero(in, kHomeBytes)) return std::nullopt;
    return h;
  }
  h.layout = LoadLe<std::uint32_t>(in);
  h.slot = LoadLe<std::uint32_t>(in + 4);
  h.more = LoadLe<std::uint32_t>(in + 8);
  return h;
}

void AppendSeriesRecord(std::uint32_t id, std::string_view labels, std::string* out) {
  const std::size_t at = out->size();
  AppendLe<std::uint32_t>(out, 0);
  AppendLe<std::uint32_t>(out, static_cast<std::uint32_t>(labels.size()));
  AppendLe<std::uint32_t>(out, id);
  out->append(labels);
  out->resize(at + Pad4(out->size() - at), '\0');
  StoreLe<std::uint32_t>(out->data() + at, Crc32c(out->data() + at + 4, out->size() - at - 4));
}

std::optional<SeriesRecord> ParseSeriesRecord(std::string_view bytes) {
  if (bytes.size() < kSeriesHeaderBytes) return std::nullopt;
  const auto size = LoadLe<std::uint32_t>(bytes.data() + 4);
  const std::uint64_t whole = Pad4(kSeriesHeaderBytes + std::uint64_t{size});
  if (whole > bytes.size()) return std::nullopt;
  if (LoadLe<std::uint32_t>(bytes.data()) != Crc32c(bytes.data() + 4, whole - 4)) return std::nullopt;
  return SeriesRecord{LoadLe<std::uint32_t>(bytes.data() + 8), bytes.substr(kSeriesHeaderBytes, size), whole};
}

void AppendLayoutRecord(std::uint32_t layout, std::uint32_t first_slot, const std::uint32_t* series, std::uint32_t count, std::string* out) {
  const std::size_t at = out->size();
  AppendLe<std::uint32_t>(out, 0);
  AppendLe<std::uint32_t>(out, layout);
  AppendLe<std::uint32_t>(out, first_slot);
  AppendLe<std::uint32_t>(out, count);
  out->append(reinterpret_cast<const char*>(series), std::size_t{4} * count);
  StoreLe<std::uint32_t>(out->data() + at, Crc32c(out->data() + at + 4, out->size() - at - 4));
}

std::optional<LayoutRecord> ParseLayoutRecord(std::string_view bytes) {
  if (bytes.size() < kLayoutHeaderBytes) return std::nullopt;
  LayoutRecord r;
  r.layout = LoadLe<std::uint32_t>(bytes.data() + 4);
  r.first_slot = LoadLe<std::uint32_t>(bytes.data() + 8);
  r.count = LoadLe<std::uint32_t>(bytes.data() + 12);
  if (r.count == 0 || r.count > kMaxColumns || r.first_slot > kMaxColumns) return std::nullopt;
  r.size = kLayoutHeaderBytes + std::uint64_t{4} * r.count;
  if (r.size > bytes.size()) return std::nullopt;
  if (LoadLe<std::uint32_t>(bytes.data()) != Crc32c(bytes.data() + 4, r.size - 4)) return std::nullopt;
  r.series = bytes.data() + kLayoutHeaderBytes;
  return r;
}

void InitRecord(char* record, RecordType type, std::uint8_t flags, std::uint32_t size) {
  std::memset(record, 0, kRecordHead);
  StoreLe<std::uint32_t>(record, kRecordMagic);
  StoreLe<std::uint32_t>(record + kRecordLenAt, size);
  record[kRecordTypeAt] = static_cast<char>(type);
  record[kRecordFlagsAt] = static_cast<char>(flags);
}

void FinishRecord(char* record, std::uint64_t seq) {
  StoreLe<std::uint64_t>(record + kRecordSeqAt, seq);
  const auto size = LoadLe<std::uint32_t>(record + kRecordLenAt);
  StoreLe<std::uint32_t>(record + kRecordCrcAt, Crc32c(record + 8, std::size_t{size} - 8));
}

std::optional<RecordView> ParseRecord(std::string_view bytes) {
  if (bytes.size() < kRecordHead || LoadLe<std::uint32_t>(bytes.data()) != kRecordMagic) return std::nullopt;
  RecordView r;
  r.p = bytes.data();
  r.size = LoadLe<std::uint32_t>(r.p + kRecordLenAt);
  if (r.size < kRecordHead || r.size % 8 != 0 || r.size > bytes.size()) return std::nullopt;
  if (LoadLe<std::uint32_t>(r.p + kRecordCrcAt) != Crc32c(r.p + 8, std::size_t{r.size} - 8)) return std::nullopt;
  r.type = static_cast<RecordType>(r.p[kRecordTypeAt]);
  r.flags = static_cast<std::uint8_t>(r.p[kRecordFlagsAt]);
  r.seq = LoadLe<std::uint64_t>(r.p + kRecordSeqAt);
  switch (r.type) {
    case RecordType::kRow: {
      if (r.size < kRowHead) return std::nullopt;
      const auto columns = LoadLe<std::uint32_t>(r.p + kRowColumnsAt);
      const auto values = LoadLe<std::uint32_t>(r.p + kRowValuesAt);
      if (columns > kMaxColumns || values > columns) return std::nullopt;
      const bool bitmap = (r.flags & kRecordBitmap) != 0;
      const std::uint64_t words = bitmap ? (columns + 63) / 64 : 0;
      if (kRowHead + 8 * words + std::uint64_t{8} * values != r.size) return std::nullopt;
      if (!bitmap) return values == columns ? std::optional(r) : std::nullopt;
      std::uint64_t present = 0;
      for (std::uint64_t w = 0; w < words; ++w) present += static_cast<unsigned>(std::popcount(LoadLe<std::uint64_t>(r.p + kRowHead + 8 * w)));
      if (present != values) return std::nullopt;
      return r;
    }
    case RecordType::kLoose: {
      if (r.size < kLooseHead) return std::nullopt;
      const std::uint64_t each = (r.flags & kRecordStart) != 0 ? 32 : 24;
      return kLooseHead + each * LoadLe<std::uint32_t>(r.p + kLooseCountAt) == r.size ? std::optional(r) : std::nullopt;
    }
    case RecordType::kHistogram:
      if (r.size < kHistHead || Pad8(kHistHead + std::uint64_t{LoadLe<std::uint32_t>(r.p + kHistSizeAt)}) != r.size) return std::nullopt;
      return r;
    case RecordType::kSegment: return r.size == kSegmentRecordBytes ? std::optional(r) : std::nullopt;
    case RecordType::kCommit: return r.size == kCommitRecordBytes ? std::optional(r) : std::nullopt;
  }
  return std::nullopt;
}

double RowView::Value(std::uint32_t slot) const {
  std::uint32_t index = slot;
  if (bitmap != nullptr) {
    index = 0;
    for (std::uint32_t w = 0; w < slot / 64; ++w) index += static_cast<unsigned>(std::popcount(LoadLe<std::uint64_t>(bitmap + w * 8)));
    const std::uint64_t below = (std::uint64_t{1} << (slot % 64)) - 1;
    index += static_cast<unsigned>(std::popcount(LoadLe<std::uint64_t>(bitmap + slot / 64 * 8) & below));
  }
  return LoadLe<double>(values + std::size_t{8} * index);
}

RowView ParseRow(const RecordView& r) {
  RowView row;
  row.layout = LoadLe<std::uint32_t>(r.p + kRowLayoutAt);
  row.columns = LoadLe<std::uint32_t>(r.p + kRowColumnsAt);
  row.t = LoadLe<std::int64_t>(r.p + kRowTimeAt);
  row.prev = {LoadLe<std::uint64_t>(r.p + kRowPrevAt), LoadLe<std::uint32_t>(r.p + kRowPrevFileAt)};
  row.value_count = LoadLe<std::uint32_t>(r.p + kRowValuesAt);
  const bool bitmap = (r.flags & kRecordBitmap) != 0;
  row.bitmap = bitmap ? r.p + kRowHead : nullptr;
  row.values = r.p + kRowHead + (bitmap ? std::size_t{8} * ((row.columns + 63) / 64) : 0);
  return row;
}

bool ParseLoose(const RecordView& r, std::vector<LooseSample>* out, Position* prev) {
  // ParseRecord has checked the lengths of these two; other types may be shorter.
  if (r.type != RecordType::kHistogram && r.type != RecordType::kLoose) return false;
  *prev = {LoadLe<std::uint64_t>(r.p + kLoosePrevAt), LoadLe<std::uint32_t>(r.p + kLoosePrevFileAt)};
  if (r.type == RecordType::kHistogram) {
    LooseSample s;
    s.series = LoadLe<std::uint32_t>(r.p + kHistSeriesAt);
    s.t = LoadLe<std::int64_t>(r.p + kHistTimeAt);
    s.st = LoadLe<std::int64_t>(r.p + kHistStartAt);
    s.histogram.assign(r.p + kHistHead, LoadLe<std::uint32_t>(r.p + kHistSizeAt));
    out->push_back(std::move(s));
    return true;
  }
  const bool start = (r.flags & kRecordStart) != 0;
  const std::size_t each = start ? 32 : 24;
  const auto count = LoadLe<std::uint32_t>(r.p + kLooseCountAt);
  const char* p = r.p + kLooseHead;
  for (std::uint32_t i = 0; i < count; ++i, p += each) {
    LooseSample s;
    s.series = LoadLe<std::uint32_t>(p);
    s.t = LoadLe<std::int64_t>(p + 8);
    s.v = LoadLe<double>(p + 16);
    if (start) s.st = LoadLe<std::int64_t>(p + 24);
    out->push_back(std::move(s));
  }
  return true;
}

// prom-data(5) "Histogram record": varints for the small integers, doubles as they are.
void AppendHistogram(const Histogram& h, std::string* out) {
  out->push_back(static_cast<char>((h.is_float ? 1 : 0) | (static_cast<int>(h.reset_hint) << 1)));
  AppendSignedVarint(out, h.schema);
  for (const double v : {h.zero_threshold, h.zero_count, h.count, h.sum}) AppendLe<double>(out, v);
  const auto spans = [&](const std::vector<Histogram::Span>& list) {
    AppendVarint(out, list.size());
    for (const auto& s : list) {
      AppendSignedVarint(out, s.offset);
      AppendVarint(out, s.length);
    }
  };
  const auto doubles = [&](const std::vector<double>& list) {
    AppendVarint(out, list.size());
    for (const double v : list) AppendLe<double>(out, v);
  };
  spans(h.positive_spans);
  spans(h.negative_spans);
  doubles(h.positive_buckets);
  doubles(h.negative_buckets);
  doubles(h.custom_values);
}

Result<Histogram> ParseHistogram(std::string_view bytes) {
  ByteReader in(bytes);
  Histogram h;
  const std::uint8_t flags = in.U8();
  h.is_float = (flags & 1) != 0;
  h.reset_hint = static_cast<Histogram::ResetHint>((flags >> 1) & 3);
  h.schema = static_cast<std::int32_t>(in.SignedVarint());
  h.zero_threshold = in.F64();
  h.zero_count = in.F64();
  h.count = in.F64();
  h.sum = in.F64();
  const auto spans = [&](std::vector<Histogram::Span>* list) {
    const std::uint64_t n = in.Varint();
    if (n > in.remaining()) return in.Fail();
    for (std::uint64_t i = 0; i < n && in.ok(); ++i) {
      Histogram::Span s;
      s.offset = static_cast<std::int32_t>(in.SignedVarint());
      s.length = static_cast<std::uint32_t>(in.Varint());
      list->push_back(s);
    }
  };
  const auto doubles = [&](std::vector<double>* list) {
    const std::uint64_t n = in.Varint();
    if (n > in.remaining() / 8) return in.Fail();
    for (std::uint64_t i = 0; i < n; ++i) list->push_back(in.F64());
  };
  spans(&h.positive_spans);
  spans(&h.negative_spans);
  doubles(&h.positive_buckets);
  doubles(&h.negative_buckets);
  doubles(&h.custom_values);
  if (!in.ok() || in.remaining() != 0) return Error{Errc::kCorrupt, "histogram record: lengths do not fit"};
  return h;
}

}  // namespace prom::store
