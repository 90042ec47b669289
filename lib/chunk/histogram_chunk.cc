#include "chunk/histogram_chunk.h"

#include <bit>
#include <cstring>
#include <limits>

#include "base/bytes.h"
#include "chunk/int_column.h"
#include "chunk/scratch.h"
#include "chunk/value_body.h"

namespace prom::chunk {
namespace {

constexpr std::uint8_t kFloatBit = 0x01;
constexpr std::uint8_t kThresholdBit = 0x02;  // a zero threshold other than the usual one follows
constexpr double kUsualZeroThreshold = 0x1p-128;

bool SameBits(double a, double b) { return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b); }
bool SameBits(const std::vector<double>& a, const std::vector<double>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof a[0]) == 0);
}

std::uint64_t BucketsOf(const std::vector<Histogram::Span>& spans) {
  std::uint64_t n = 0;
  for (const auto& span : spans) n += span.length;
  return n;
}

std::uint64_t Cells(const Histogram& h) {
  return h.positive_buckets.size() + h.negative_buckets.size() + h.positive_spans.size() + h.negative_spans.size() + h.custom_values.size();
}

bool SameLayout(const Histogram& a, const Histogram& b) {
  return a.schema == b.schema && a.is_float == b.is_float && SameBits(a.zero_threshold, b.zero_threshold) && a.positive_spans == b.positive_spans &&
         a.negative_spans == b.negative_spans && SameBits(a.custom_values, b.custom_values);
}

void AppendSpans(const std::vector<Histogram::Span>& spans, std::string* out) {
  AppendVarint(out, spans.size());
  for (const auto& span : spans) {
    AppendSignedVarint(out, span.offset);
    AppendVarint(out, span.length);
  }
}

void AppendRun(std::span<const Histogram* const> run, std::string* out) {
  const Histogram& layout = *run[0];
  const std::size_t n = run.size();
  AppendVarint(out, n);
  const bool threshold = !SameBits(layout.zero_threshold, kUsualZeroThreshold);
  out->push_back(static_cast<char>((layout.is_float ? kFloatBit : 0) | (threshold ? kThresholdBit : 0)));
  AppendSignedVarint(out, layout.schema);
  if (threshold) AppendLe(out, layout.zero_threshold);
  AppendSpans(layout.positive_spans, out);
  AppendSpans(layout.negative_spans, out);
  AppendVarint(out, layout.custom_values.size());
  if (!layout.custom_values.empty()) {
    // Bounds are few; longer lists than a body can hold are refused before.
    AppendValueBody(layout.custom_values, out, nullptr);
  }

  Scratch<std::uint64_t> hints(n);
  for (std::size_t i = 0; i < n; ++i) hints[i] = static_cast<std::uint64_t>(run[i]->reset_hint);
  AppendIntColumn({hints.data(), n}, out);
  Scratch<double> column(n);
  EncoderHint hint;  // buckets of one histogram are alike
  const auto append = [&](auto&& value_of) {
    for (std::size_t i = 0; i < n; ++i) {
      const double v = value_of(*run[i]);
      std::memcpy(&column[i], &v, sizeof v);
    }
    AppendValueBody({column.data(), n}, out, &hint);
  };
  append([](const Histogram& h) { return h.count; });
  append([](const Histogram& h) { return h.zero_count; });
  for (std::size_t b = 0; b < layout.positive_buckets.size(); ++b) append([b](const Histogram& h) { return h.positive_buckets[b]; });
  for (std::size_t b = 0; b < layout.negative_buckets.size(); ++b) append([b](const Histogram& h) { return h.negative_buckets[b]; });
  hint = {};
  append([](const Histogram& h) { return h.sum; });
}

// ---- decoding ----
const std::uint8_t* Bytes(const char* p) { return reinterpret_cast<const std::uint8_t*>(p); }
Error Corrupt(const char* what) { return {Errc::kCorrupt, std::string("histogram chunk: ") + what}; }

bool ReadSpans(ByteReader* r, std::vector<Histogram::Span>* spans) {
  const std::uint64_t n = r->Varint();
  if (!r->ok() || n > r->remaining() / 2) return false;  // each takes two bytes or more
  spans->resize(static_cast<std::size_t>(n));
  for (auto& span : *spans) {
    const std::int64_t offset = r->SignedVarint();
    const std::uint64_t length = r->Varint();
    if (!r->ok() || offset < std::numeric_limits<std::int32_t>::min() || offset > std::numeric_limits<std::int32_t>::max() ||
        length > std::numeric_limits<std::uint32_t>::max())
      return false;
    span = {static_cast<std::int32_t>(offset), static_cast<std::uint32_t>(length)};
  }
  return true;
}

// The rest of a chunk, read by bodies and columns that move a pointer.
struct Cursor {
  const std::uint8_t* p;
  const std::uint8_t* end;
  bool Column(std::size_t n, double* out) {
    ValueBodyReader body;
    return body.Open(&p, end, n) && body.Read(0, n, out);
  }
};

Result<void> ReadRun(Cursor* at, std::uint64_t* cells_left, std::size_t histograms_left, std::vector<Histogram>* out) {
  ByteReader r({reinterpret_cast<const char*>(at->p), static_cast<std::size_t>(at->end - at->p)});
  const std::uint64_t n64 = r.Varint();
  const std::uint8_t flags = r.U8();
  const std::int64_t schema = r.SignedVarint();
  if (!r.ok() || n64 == 0 || n64 > histograms_left || (flags & ~(kFloatBit | kThresholdBit)) != 0) return Corrupt("bad run header");
  if (schema < std::numeric_limits<std::int32_t>::min() || schema > std::numeric_limits<std::int32_t>::max()) return Corrupt("bad schema");
  const auto n = static_cast<std::size_t>(n64);
  Histogram layout;
  layout.is_float = (flags & kFloatBit) != 0;
  layout.schema = static_cast<std::int32_t>(schema);
  layout.zero_threshold = flags & kThresholdBit ? r.F64() : kUsualZeroThreshold;
  if (!ReadSpans(&r, &layout.positive_spans) || !ReadSpans(&r, &layout.negative_spans)) return Corrupt("bad spans");
  const std::uint64_t bounds = r.Varint();
  if (!r.ok()) return Corrupt("bad bounds");
  const std::uint64_t positive = BucketsOf(layout.positive_spans), negative = BucketsOf(layout.negative_spans);
  // Each term is below 2^50 here, and none may pass the limit.
  const std::uint64_t spans = layout.positive_spans.size() + layout.negative_spans.size();
  if (bounds > kMaxValues || positive > kMaxHistogramCells || negative > kMaxHistogramCells) return Corrupt("too many buckets");
  const std::uint64_t cells = n * (positive + negative + spans + bounds);
  if (cells > *cells_left) return Corrupt("too many buckets");
  *cells_left -= cells;
  at->p = Bytes(r.cursor());
  // A column takes two bytes or more: what the bytes cannot hold is not allocated.
  if ((positive + negative) * 2 > static_cast<std::uint64_t>(at->end - at->p)) return Corrupt("cut short");
  layout.custom_values.resize(static_cast<std::size_t>(bounds));
  if (bounds > 0 && !at->Column(layout.custom_values.size(), layout.custom_values.data())) return Corrupt("bad bounds");

  IntColumnReader hints;
  if (!hints.Open(&at->p, at->end, n)) return Corrupt("bad reset hints");
  layout.positive_buckets.resize(static_cast<std::size_t>(positive));
  layout.negative_buckets.resize(static_cast<std::size_t>(negative));
  const std::size_t start = out->size();
  out->resize(start + n, layout);
  Histogram* h = out->data() + start;
  std::uint64_t block[kBlockValues];
  for (std::size_t i = 0; const std::size_t got = hints.Next(block);) {
    for (std::size_t k = 0; k < got; ++k) {
      if (block[k] > static_cast<std::uint64_t>(Histogram::ResetHint::kGauge)) return Corrupt("bad reset hint");
      h[i++].reset_hint = static_cast<Histogram::ResetHint>(block[k]);
    }
  }
  Scratch<double> column(n);
  const auto read = [&](auto&& place_of) {
    if (!at->Column(n, column.data())) return false;
    for (std::size_t i = 0; i < n; ++i) std::memcpy(place_of(h[i]), &column[i], sizeof(double));
    return true;
  };
  bool ok = read([](Histogram& x) { return &x.count; }) && read([](Histogram& x) { return &x.zero_count; });
  for (std::size_t b = 0; ok && b < positive; ++b) ok = read([b](Histogram& x) { return x.positive_buckets.data() + b; });
  for (std::size_t b = 0; ok && b < negative; ++b) ok = read([b](Histogram& x) { return x.negative_buckets.data() + b; });
  ok = ok && read([](Histogram& x) { return &x.sum; });
  if (!ok) return Corrupt("bad column");
  return {};
}

}  // namespace

Result<void> EncodeHistograms(std::span<const Histogram* const> histograms, std::string* out) {
  if (histograms.empty() || histograms.size() > kMaxValues) return Error{Errc::kInvalid, "histogram chunk: needs 1 to 65535 histograms"};
  std::uint64_t cells = 0;
  for (const Histogram* h : histograms) {
    if (BucketsOf(h->positive_spans) != h->positive_buckets.size() || BucketsOf(h->negative_spans) != h->negative_buckets.size())
      return Error{Errc::kInvalid, "histogram chunk: spans do not match buckets"};
    cells += Cells(*h);
    if (cells > kMaxHistogramCells || h->custom_values.size() > kMaxValues) return Error{Errc::kLimit, "histogram chunk: too many buckets"};
  }
  AppendVarint(out, histograms.size());
  for (std::size_t begin = 0; begin < histograms.size();) {
    std::size_t end = begin + 1;
    while (end < histograms.size() && SameLayout(*histograms[begin], *histograms[end])) ++end;
    AppendRun(histograms.subspan(begin, end - begin), out);
    begin = end;
  }
  return {};
}

Result<std::size_t> CountHistograms(std::string_view chunk) {
  ByteReader r(chunk);
  const std::uint64_t count = r.Varint();
  if (!r.ok() || count == 0 || count > kMaxValues) return Corrupt("bad count");
  return static_cast<std::size_t>(count);
}

Result<void> DecodeHistograms(std::string_view chunk, std::vector<Histogram>* out) {
  out->clear();
  ByteReader r(chunk);
  const std::uint64_t count = r.Varint();
  if (!r.ok() || count == 0 || count > kMaxValues) return Corrupt("bad count");
  Cursor at{Bytes(r.cursor()), Bytes(chunk.data() + chunk.size())};
  std::uint64_t cells = kMaxHistogramCells;
  while (out->size() < count) PROM_TRY(ReadRun(&at, &cells, static_cast<std::size_t>(count) - out->size(), out));
  if (at.p != at.end) return Corrupt("bytes behind the end");
  return {};
}

}  // namespace prom::chunk
