// Reads prom-stream(5), section "Binary form". Memory grows with bytes received, never
// with a number read: lengths are compared to what is there before anything is made.
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/strings.h"
#include "exposition/stream_binary.h"
#include "exposition/stream_wire.h"

namespace prom {
namespace {

Error Corrupt(std::string message) { return {Errc::kCorrupt, std::move(message)}; }

bool TakeSpans(ByteReader* in, std::vector<Histogram::Span>* out) {
  const std::uint64_t count = in->Varint();
  if (count > in->remaining() / 2) return false;  // two bytes each at least
  out->reserve(static_cast<std::size_t>(count));
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::int64_t offset = in->SignedVarint();
    const std::uint64_t length = in->Varint();
    if (offset < INT32_MIN || offset > INT32_MAX || length > UINT32_MAX) return false;
    out->push_back({static_cast<std::int32_t>(offset), static_cast<std::uint32_t>(length)});
  }
  return in->ok();
}

bool TakeDoubles(ByteReader* in, std::vector<double>* out) {
  const std::uint64_t count = in->Varint();
  if (count > in->remaining() / sizeof(double)) return false;
  const auto bytes = in->Bytes(static_cast<std::size_t>(count) * sizeof(double));
  out->resize(static_cast<std::size_t>(count));
  if (count != 0) std::memcpy(out->data(), bytes.data(), bytes.size());
  return in->ok();
}

// The frame was read to its end and no further.
bool Complete(const ByteReader& in) { return in.ok() && in.remaining() == 0; }

}  // namespace

Result<void> FrameReader::Fail(Error error) {
  failed_ = true;
  // Errors of the sink pass as they are; ours say where.
  if (error.code == Errc::kCorrupt || error.code == Errc::kUnsupported) error.message += " at byte " + std::to_string(offset_);
  error_ = std::move(error);
  partial_ = std::string();
  return error_;
}

// Takes the header or one frame off the front: its size, or 0 when there is not enough.
Result<std::size_t> FrameReader::TakeOne(std::string_view bytes, const FrameFn& frame) {
  if (!header_seen_) {
    const auto magic = bytes.substr(0, wire::kMagic.size());
    if (!wire::kMagic.starts_with(magic)) return Corrupt("not a binary stream: bad magic");
    if (bytes.size() < wire::kHeaderBytes) return std::size_t{0};
    const auto version = LoadLe<std::uint16_t>(bytes.data() + wire::kMagic.size());
    if (version == 0) return Corrupt("stream version 0");
    if (version > wire::kVersion) {
      return Error{Errc::kUnsupported, "stream version " + std::to_string(version) + " is newer than version " + std::to_string(wire::kVersion) +
                                           ", the newest this program reads,"};
    }
    header_seen_ = true;
    return wire::kHeaderBytes;
  }
  if (bytes.size() < wire::kFrameHeaderBytes) return std::size_t{0};
  const std::size_t size = LoadLe<std::uint32_t>(bytes.data());
  const auto type = LoadLe<std::uint32_t>(bytes.data() + 4);
  if (size > max_frame_bytes_) return Corrupt("frame of " + std::to_string(size) + " bytes is over the limit of " + std::to_string(max_frame_bytes_));
  if (type > 0xff) return Corrupt("frame with reserved bits set");
  if (bytes.size() - wire::kFrameHeaderBytes < size) return std::size_t{0};
  const auto payload = bytes.substr(wire::kFrameHeaderBytes, size);
  if (Crc32c(payload, Crc32c(bytes.substr(0, 8))) != LoadLe<std::uint32_t>(bytes.data() + 8)) return Corrupt("frame with a wrong checksum");
  PROM_TRY(frame(static_cast<std::uint8_t>(type), payload));
  return wire::kFrameHeaderBytes + size;
}

Result<void> FrameReader::Feed(std::string_view bytes, const FrameFn& frame) {
  if (failed_) return error_;
  while (!bytes.empty()) {
    if (partial_.empty()) {  // straight from the input, without a copy
      auto taken = TakeOne(bytes, frame);
      if (!taken) return Fail(std::move(taken.error()));
      if (*taken != 0) {
        offset_ += *taken;
        bytes.remove_prefix(*taken);
        continue;
      }
      partial_.assign(bytes);
      return {};
    }
    // Only as much as the frame that has begun may need: at most its header, then its length.
    std::size_t want = wire::kHeaderBytes;
    if (header_seen_) {
      want = wire::kFrameHeaderBytes;
      if (partial_.size() >= want) want += LoadLe<std::uint32_t>(partial_.data());
    }
    const std::size_t more = std::min(bytes.size(), want > partial_.size() ? want - partial_.size() : 0);
    partial_.append(bytes.substr(0, more));
    bytes.remove_prefix(more);
    auto taken = TakeOne(partial_, frame);
    if (!taken) return Fail(std::move(taken.error()));
    if (*taken == 0) continue;
    offset_ += *taken;
    partial_.clear();
    if (partial_.capacity() > (1u << 20)) partial_ = std::string();
  }
  return {};
}

Result<void> FrameReader::Finish() {
  if (failed_) return error_;
  if (!partial_.empty()) return Fail(Corrupt("the stream ends inside a frame"));
  return {};
}

Result<void> StreamDecoder::Feed(std::string_view bytes) {
  return frames_.Feed(bytes, [this](std::uint8_t type, std::string_view payload) { return TakeFrame(type, payload); });
}

Result<void> StreamDecoder::TakeFrame(std::uint8_t type, std::string_view payload) {
  switch (type) {
    case wire::kSeries: return TakeSeries(payload);
    case wire::kLayout: return TakeLayout(payload);
    case wire::kRow: return TakeRow(payload);
    case wire::kSamples: return TakeSamples(payload);
    case wire::kHistogram: return TakeHistogram(payload);
    case wire::kExemplar: return TakeExemplar(payload);
    case wire::kMetadata: return TakeMetadata(payload);
    case wire::kCommit:
      if (payload.size() != 8) return Corrupt("bad commit frame");
      return sink_->Commit(LoadLe<std::uint64_t>(payload.data()));
    case wire::kReset:
      if (!payload.empty()) return Corrupt("bad reset frame");
      series_.clear();
      columns_.clear();
      total_columns_ = 0;
      return sink_->Reset();
    default: return Corrupt("frame of unknown type " + std::to_string(type));
  }
}

Result<void> StreamDecoder::TakeSeries(std::string_view payload) {
  ByteReader in(payload);
  while (in.remaining() > 0) {
    const std::uint64_t id = in.Varint();
    const auto bytes = in.LengthPrefixed();
    if (!in.ok()) return Corrupt("bad series frame");
    if (id >= limits_.max_series || id > series_.size() + wire::kIdSlack) return Corrupt("series id " + std::to_string(id) + " is out of order or over the limit");
    if (Known(id)) return Corrupt("series " + std::to_string(id) + " is defined twice");
    auto labels = Labels::FromBytes(bytes);
    if (!labels) return Corrupt("series " + std::to_string(id) + ": " + labels.error().message);
    if (id >= series_.size()) series_.resize(static_cast<std::size_t>(id) + 1);
    series_[static_cast<std::size_t>(id)] = true;
    PROM_TRY(sink_->DefineSeries(static_cast<std::uint32_t>(id), *labels));
  }
  return {};
}

Result<void> StreamDecoder::TakeLayout(std::string_view payload) {
  ByteReader in(payload);
  const std::uint64_t id = in.Varint();
  const std::uint64_t count = in.Varint();
  if (!in.ok() || count > in.remaining()) return Corrupt("bad layout frame");
  if (id >= limits_.max_layouts || id > columns_.size() + wire::kIdSlack) return Corrupt("layout id " + std::to_string(id) + " is out of order or over the limit");
  if (count > limits_.max_columns - total_columns_) return Corrupt("layouts with more columns than the limit of " + std::to_string(limits_.max_columns));
  ids_.clear();
  std::uint64_t before = ~std::uint64_t{0};  // -1
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t series = before + 1 + static_cast<std::uint64_t>(in.SignedVarint());
    if (!in.ok() || !Known(series)) return Corrupt("layout " + std::to_string(id) + " names a series that is not defined");
    ids_.push_back(static_cast<std::uint32_t>(series));
    before = series;
  }
  if (!Complete(in)) return Corrupt("bad layout frame");
  if (id >= columns_.size()) columns_.resize(static_cast<std::size_t>(id) + 1, wire::kNoColumns);
  auto& columns = columns_[static_cast<std::size_t>(id)];
  if (columns == wire::kNoColumns) columns = 0;
  columns += static_cast<std::uint32_t>(count);
  total_columns_ += static_cast<std::size_t>(count);
  return sink_->DefineLayout(static_cast<std::uint32_t>(id), ids_);
}

Result<void> StreamDecoder::TakeRow(std::string_view payload) {
  constexpr std::size_t kFixed = 20;
  if (payload.size() < kFixed) return Corrupt("bad row frame");
  const auto layout = LoadLe<std::uint32_t>(payload.data());
  const std::size_t count = LoadLe<std::uint32_t>(payload.data() + 4);
  const auto t_ms = LoadLe<std::int64_t>(payload.data() + 8);
  const auto flags = LoadLe<std::uint32_t>(payload.data() + 16);
  if (flags > 1) return Corrupt("row frame with reserved bits set");
  const std::size_t words = flags == 0 ? 0 : (count + 63) / 64;
  if (payload.size() != kFixed + (words + count) * 8) return Corrupt("bad row frame");
  if (layout >= columns_.size() || columns_[layout] != count) return Corrupt("row does not fit layout " + std::to_string(layout));
  present_.resize(words);
  values_.resize(count);
  // Copied, since the payload lies at any address and doubles do not.
  if (words != 0) std::memcpy(present_.data(), payload.data() + kFixed, words * 8);
  if (count != 0) std::memcpy(values_.data(), payload.data() + kFixed + words * 8, count * 8);
  if (words != 0 && count % 64 != 0) present_.back() &= (std::uint64_t{1} << (count % 64)) - 1;
  return sink_->Row(layout, t_ms, values_, present_);
}

Result<void> StreamDecoder::TakeSamples(std::string_view payload) {
  ByteReader in(payload);
  std::uint64_t t_ms = 0;
  while (in.remaining() > 0) {
    const std::uint64_t head = in.Varint();
    t_ms += static_cast<std::uint64_t>(in.SignedVarint());
    const std::uint64_t st_ms = (head & 1) != 0 ? t_ms - static_cast<std::uint64_t>(in.SignedVarint()) : 0;
    const double v = in.F64();
    if (!in.ok()) return Corrupt("bad samples frame");
    if (!Known(head >> 1)) return Corrupt("sample of series " + std::to_string(head >> 1) + ", which is not defined");
    PROM_TRY(sink_->Sample(static_cast<std::uint32_t>(head >> 1), static_cast<std::int64_t>(t_ms), v, static_cast<std::int64_t>(st_ms)));
  }
  return {};
}

Result<void> StreamDecoder::TakeHistogram(std::string_view payload) {
  ByteReader in(payload);
  const std::uint64_t series = in.Varint();
  const auto t_ms = in.Le<std::int64_t>();
  const auto st_ms = in.Le<std::int64_t>();
  const std::uint8_t kind = in.U8();
  const std::uint8_t hint = in.U8();
  const std::int64_t schema = in.SignedVarint();
  Histogram h;
  h.zero_threshold = in.F64();
  h.zero_count = in.F64();
  h.count = in.F64();
  h.sum = in.F64();
  const bool lists = TakeSpans(&in, &h.positive_spans) && TakeDoubles(&in, &h.positive_buckets) && TakeSpans(&in, &h.negative_spans) &&
                     TakeDoubles(&in, &h.negative_buckets) && TakeDoubles(&in, &h.custom_values);
  if (!lists || !Complete(in) || kind > 1 || hint > 3 || schema < -128 || schema > 127) return Corrupt("bad histogram frame");
  if (!Known(series)) return Corrupt("histogram of series " + std::to_string(series) + ", which is not defined");
  h.is_float = kind == 1;
  h.reset_hint = static_cast<Histogram::ResetHint>(hint);
  h.schema = static_cast<std::int32_t>(schema);
  if (auto good = h.Validate(); !good) return Corrupt("bad histogram: " + good.error().message);
  return sink_->HistogramAt(static_cast<std::uint32_t>(series), t_ms, h, st_ms);
}

Result<void> StreamDecoder::TakeExemplar(std::string_view payload) {
  ByteReader in(payload);
  const std::uint64_t series = in.Varint();
  const auto bytes = in.LengthPrefixed();
  Exemplar exemplar;
  exemplar.value = in.F64();
  const std::uint8_t has_time = in.U8();
  exemplar.t_ms = in.Le<std::int64_t>();
  if (!Complete(in) || has_time > 1) return Corrupt("bad exemplar frame");
  if (!Known(series)) return Corrupt("exemplar of series " + std::to_string(series) + ", which is not defined");
  exemplar.has_time = has_time == 1;
  auto labels = Labels::FromBytes(bytes);
  if (!labels) return Corrupt("bad exemplar: " + labels.error().message);
  exemplar.labels = std::move(*labels);
  return sink_->ExemplarOf(static_cast<std::uint32_t>(series), exemplar);
}

Result<void> StreamDecoder::TakeMetadata(std::string_view payload) {
  ByteReader in(payload);
  const auto metric = in.LengthPrefixed();
  const std::uint8_t type = in.U8();
  Metadata metadata;
  metadata.help = in.LengthPrefixed();
  metadata.unit = in.LengthPrefixed();
  if (!Complete(in) || type > static_cast<std::uint8_t>(MetricType::kStateSet)) return Corrupt("bad metadata frame");
  metadata.type = static_cast<MetricType>(type);
  return sink_->MetadataOf(metric, metadata);
}

Result<void> ReplyDecoder::Feed(std::string_view bytes, const AckFn& ack, const FailureFn& failure) {
  return frames_.Feed(bytes, [&](std::uint8_t type, std::string_view payload) -> Result<void> {
    ByteReader in(payload);
    if (type == wire::kAck) {
      StreamAck one;
      one.sequence = in.U64();
      const std::uint8_t durability = in.U8();
      one.accepted = in.Varint();
      one.refused = in.Varint();
      if (one.refused != 0) {
        for (auto* const n : {&one.out_of_order, &one.duplicates, &one.too_old, &one.over_limit}) *n = in.Varint();
      }
      if (!Complete(in) || durability < 1 || durability > 2) return Corrupt("bad acknowledgement frame");
      one.durability = static_cast<Durability>(durability);
      ack(one);
      return {};
    }
    if (type == wire::kFailure) {
      StreamFailure one;
      one.sequence = in.U64();
      const std::uint8_t code = in.U8();
      one.message = in.LengthPrefixed();
      if (!Complete(in)) return Corrupt("bad error frame");
      // A code of a later version is told as what it is to us: something inside the store.
      one.code = code <= static_cast<std::uint8_t>(Errc::kInternal) ? static_cast<Errc>(code) : Errc::kInternal;
      failure(one);
      return {};
    }
    return Corrupt("frame of unknown type " + std::to_string(type));
  });
}

}  // namespace prom
