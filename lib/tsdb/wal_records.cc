// Layouts: tsdb/docs/format/wal.md of upstream, corrected by its tsdb/record/record.go:
// deltas of samples are signed varints against the first sample of the record; version 2
// has the first sample's fields as varints, then reference deltas against the sample
// before, times against the first, and a byte that says how the start timestamp goes.
#include "tsdb/wal_records.h"

#include "base/number.h"
#include "tsdb/big_endian.h"

namespace prom::tsdb {
namespace {

Error Damaged(const char* what) { return {Errc::kCorrupt, std::string("damaged record of ") + what}; }

// Behind the byte of the type.
ByteReader Body(std::string_view record) { return ByteReader(record.substr(record.empty() ? 0 : 1)); }

Result<Labels> ReadLabels(ByteReader& r) {
  const std::uint64_t n = r.Varint();
  if (n > r.remaining() / 2) {
    r.Fail();
    return Labels();
  }
  std::vector<Label> pairs;
  pairs.reserve(static_cast<std::size_t>(n));
  bool sorted = true;
  for (std::uint64_t i = 0; i < n; ++i) {
    const std::string_view name = r.LengthPrefixed(), value = r.LengthPrefixed();
    sorted = sorted && (pairs.empty() || pairs.back().name < name);
    if (!value.empty()) pairs.push_back({name, value});
  }
  if (!r.ok()) return Labels();
  if (sorted) return Labels::FromSorted(pairs);
  std::vector<std::pair<std::string, std::string>> copies;
  for (const Label& l : pairs) copies.emplace_back(l.name, l.value);
  return Labels::FromPairs(std::move(copies));
}

// References and times of the samples of a record, one after the other.
class Columns {
 public:
  Columns(ByteReader& r, bool v2) : r_(r), v2_(v2) {
    if (r.remaining() == 0) return;
    first_ref_ = ref_ = v2 ? static_cast<std::uint64_t>(r.SignedVarint()) : Be64(r);
    first_t_ = static_cast<std::uint64_t>(v2 ? r.SignedVarint() : static_cast<std::int64_t>(Be64(r)));
    if (v2) first_st_ = st_ = static_cast<std::uint64_t>(r.SignedVarint());
  }
  void Next() {
    if (!v2_) {
      ref_ = first_ref_ + static_cast<std::uint64_t>(r_.SignedVarint());
      t_ = first_t_ + static_cast<std::uint64_t>(r_.SignedVarint());
      return;
    }
    if (fresh_) {
      fresh_ = false;
      t_ = first_t_;
      return;
    }
    ref_ += static_cast<std::uint64_t>(r_.SignedVarint());
    t_ = first_t_ + static_cast<std::uint64_t>(r_.SignedVarint());
    switch (r_.U8()) {
      case 0: st_ = 0; break;
      case 1: break;  // as the sample before
      default: st_ = first_st_ + static_cast<std::uint64_t>(r_.SignedVarint());
    }
  }
  std::uint64_t ref() const { return ref_; }
  std::int64_t t() const { return static_cast<std::int64_t>(t_); }
  std::int64_t st() const { return static_cast<std::int64_t>(st_); }

 private:
  ByteReader& r_;
  const bool v2_;
  bool fresh_ = true;
  std::uint64_t first_ref_ = 0, first_t_ = 0, first_st_ = 0, ref_ = 0, t_ = 0, st_ = 0;
};

void ReadSpans(ByteReader& r, std::vector<Histogram::Span>* spans) {
  const std::uint64_t n = r.Varint();
  if (n > r.remaining() / 2) return r.Fail();
  spans->reserve(static_cast<std::size_t>(n));
  for (std::uint64_t i = 0; i < n; ++i) {
    const auto offset = static_cast<std::int32_t>(r.SignedVarint());
    spans->push_back({offset, static_cast<std::uint32_t>(r.Varint())});
  }
}

void ReadBuckets(ByteReader& r, bool is_float, std::vector<double>* buckets) {
  const std::uint64_t n = r.Varint();
  if (n > r.remaining() / (is_float ? 8 : 1)) return r.Fail();
  buckets->reserve(static_cast<std::size_t>(n));
  std::uint64_t at = 0;
  for (std::uint64_t i = 0; i < n; ++i) {
    if (is_float) {
      buckets->push_back(BeF64(r));
    } else {
      at += static_cast<std::uint64_t>(r.SignedVarint());
      buckets->push_back(static_cast<double>(static_cast<std::int64_t>(at)));
    }
  }
}

void ReadHistogram(ByteReader& r, Histogram* h) {
  h->reset_hint = static_cast<Histogram::ResetHint>(r.U8() & 3);
  h->schema = static_cast<std::int32_t>(r.SignedVarint());
  h->zero_threshold = BeF64(r);
  h->zero_count = h->is_float ? BeF64(r) : static_cast<double>(r.Varint());
  h->count = h->is_float ? BeF64(r) : static_cast<double>(r.Varint());
  h->sum = BeF64(r);
  ReadSpans(r, &h->positive_spans);
  ReadSpans(r, &h->negative_spans);
  ReadBuckets(r, h->is_float, &h->positive_buckets);
  ReadBuckets(r, h->is_float, &h->negative_buckets);
  if (h->uses_custom_buckets()) ReadBuckets(r, true, &h->custom_values);
}

}  // namespace

Result<void> DecodeSeries(std::string_view record, std::vector<RefSeries>* out) {
  ByteReader r = Body(record);
  while (r.remaining() > 0) {
    RefSeries s;
    s.ref = Be64(r);
    PROM_ASSIGN(s.labels, ReadLabels(r));
    if (!r.ok()) return Damaged("series");
    out->push_back(std::move(s));
  }
  return {};
}

Result<void> DecodeSamples(std::string_view record, std::vector<RefSample>* out) {
  ByteReader r = Body(record);
  Columns c(r, !record.empty() && static_cast<RecordType>(record[0]) == RecordType::kSamplesV2);
  while (r.remaining() > 0) {
    c.Next();
    const double v = BeF64(r);
    if (!r.ok()) break;
    out->push_back({c.ref(), c.t(), c.st(), v});
  }
  if (!r.ok()) return Damaged("samples");
  return {};
}

Result<void> DecodeHistogramRecord(std::string_view record, std::vector<RefHistogram>* out, std::uint64_t* invalid) {
  ByteReader r = Body(record);
  const auto type = static_cast<RecordType>(record.empty() ? 0 : record[0]);
  const bool v2 = type == RecordType::kHistogramsV2 || type == RecordType::kFloatHistogramsV2;
  const bool is_float = type == RecordType::kFloatHistograms || type == RecordType::kCustomFloatHistograms || type == RecordType::kFloatHistogramsV2;
  Columns c(r, v2);
  while (r.remaining() > 0) {
    c.Next();
    auto h = std::make_shared<Histogram>();
    h->is_float = is_float;
    ReadHistogram(r, h.get());
    if (!r.ok()) break;
    if (IsStaleNan(h->sum)) {
      // A stale one has nothing else.
      const double sum = h->sum;
      *h = Histogram();
      h->is_float = is_float;
      h->sum = sum;
    } else if (!h->Validate()) {
      ++*invalid;
      continue;
    }
    out->push_back({c.ref(), c.t(), c.st(), std::move(h)});
  }
  if (!r.ok()) return Damaged("histograms");
  return {};
}

Result<void> DecodeTombstoneRecord(std::string_view record, std::vector<RefTombstone>* out) {
  ByteReader r = Body(record);
  while (r.remaining() > 0) {
    RefTombstone t;
    t.ref = Be64(r);
    t.min_ms = r.SignedVarint();
    t.max_ms = r.SignedVarint();
    if (!r.ok()) return Damaged("tombstones");
    out->push_back(t);
  }
  return {};
}

Result<void> DecodeExemplars(std::string_view record, std::vector<RefExemplar>* out) {
  ByteReader r = Body(record);
  Columns c(r, false);
  while (r.remaining() > 0) {
    c.Next();
    RefExemplar e;
    e.ref = c.ref();
    e.exemplar.t_ms = c.t();
    e.exemplar.has_time = true;
    e.exemplar.value = BeF64(r);
    PROM_ASSIGN(e.exemplar.labels, ReadLabels(r));
    if (!r.ok()) break;
    out->push_back(std::move(e));
  }
  if (!r.ok()) return Damaged("exemplars");
  return {};
}

Result<void> DecodeMetadata(std::string_view record, std::vector<RefMetadata>* out) {
  // As upstream numbers them.
  static constexpr MetricType kTypes[] = {MetricType::kUnknown, MetricType::kCounter, MetricType::kGauge,    MetricType::kHistogram,
                                          MetricType::kGaugeHistogram, MetricType::kSummary, MetricType::kInfo, MetricType::kStateSet};
  ByteReader r = Body(record);
  while (r.remaining() > 0) {
    RefMetadata m;
    m.ref = r.Varint();
    const std::uint8_t type = r.U8();
    m.metadata.type = type < std::size(kTypes) ? kTypes[type] : MetricType::kUnknown;
    const std::uint64_t fields = r.Varint();
    if (fields > r.remaining() / 2) r.Fail();
    for (std::uint64_t i = 0; r.ok() && i < fields; ++i) {
      const std::string_view name = r.LengthPrefixed(), value = r.LengthPrefixed();
      if (name == "UNIT") m.metadata.unit = value;
      if (name == "HELP") m.metadata.help = value;
    }
    if (!r.ok()) return Damaged("metadata");
    out->push_back(std::move(m));
  }
  return {};
}

Result<void> DecodeMmapMarkers(std::string_view record, std::vector<RefMarker>* out) {
  ByteReader r = Body(record);
  while (r.remaining() > 0) {
    RefMarker m;
    m.ref = Be64(r);
    m.chunk = Be64(r);
    if (!r.ok()) return Damaged("m-map markers");
    out->push_back(m);
  }
  return {};
}

}  // namespace prom::tsdb
