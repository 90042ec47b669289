// Writes prom-stream(5), section "Binary form".
#include "base/bytes.h"
#include "base/crc32c.h"
#include "exposition/stream_binary.h"
#include "exposition/stream_wire.h"

namespace prom {
namespace {

// A frame that gathers small things ends about here, so that it is sent and checked in time.
constexpr std::size_t kGatherBytes = 64u << 10;
constexpr std::size_t kMaxFrame = StreamLimits().max_frame_bytes;

Error Invalid(std::string message) { return {Errc::kInvalid, std::move(message)}; }

void AppendSpans(std::string* out, const std::vector<Histogram::Span>& spans) {
  AppendVarint(out, spans.size());
  for (const auto& span : spans) {
    AppendSignedVarint(out, span.offset);
    AppendVarint(out, span.length);
  }
}

void AppendDoubles(std::string* out, const std::vector<double>& values) {
  AppendVarint(out, values.size());
  out->append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(double));
}

std::size_t OpenFrame(std::string* out, std::uint8_t type) {
  const std::size_t begin = out->size();
  AppendLe<std::uint32_t>(out, 0);
  AppendLe<std::uint32_t>(out, type);
  AppendLe<std::uint32_t>(out, 0);
  return begin;
}

void CloseFrame(std::string* out, std::size_t begin) {
  char* const frame = out->data() + begin;
  const std::size_t size = out->size() - begin - wire::kFrameHeaderBytes;
  StoreLe<std::uint32_t>(frame, static_cast<std::uint32_t>(size));
  StoreLe<std::uint32_t>(frame + 8, Crc32c(frame + wire::kFrameHeaderBytes, size, Crc32c(frame, 8)));
}

}  // namespace

StreamForm DetectStream(std::string_view first_bytes) {
  if (first_bytes.empty()) return StreamForm::kUnknown;
  return first_bytes[0] == wire::kMagic[0] ? StreamForm::kBinary : StreamForm::kText;
}

void AppendStreamHeader(std::string* out) {
  out->append(wire::kMagic);
  AppendLe<std::uint16_t>(out, wire::kVersion);
}

void AppendAck(std::string* out, const StreamAck& ack) {
  const std::size_t begin = OpenFrame(out, wire::kAck);
  AppendLe<std::uint64_t>(out, ack.sequence);
  out->push_back(static_cast<char>(ack.durability));
  AppendVarint(out, ack.accepted);
  AppendVarint(out, ack.refused);
  if (ack.refused != 0) {
    for (const std::uint64_t n : {ack.out_of_order, ack.duplicates, ack.too_old, ack.over_limit}) AppendVarint(out, n);
  }
  CloseFrame(out, begin);
}

std::string_view DurabilityName(Durability durability) { return durability == Durability::kDisk ? "disk" : "process"; }

void AppendFailure(std::string* out, const StreamFailure& failure) {
  const std::size_t begin = OpenFrame(out, wire::kFailure);
  AppendLe<std::uint64_t>(out, failure.sequence);
  out->push_back(static_cast<char>(failure.code));
  AppendLengthPrefixed(out, std::string_view(failure.message).substr(0, 64u << 10));
  CloseFrame(out, begin);
}

StreamEncoder::StreamEncoder(StreamWriteFn write, std::size_t flush_bytes) : write_(std::move(write)), flush_bytes_(flush_bytes) {
  AppendStreamHeader(&out_);
}

Result<void> StreamEncoder::Flush() {
  PROM_TRY(EndOpenFrame());
  if (out_.empty()) return {};
  auto done = write_(out_);
  out_.clear();
  return done;
}

// Ends the frame that gathers, if there is one.
Result<void> StreamEncoder::EndOpenFrame() {
  if (open_type_ == 0) return {};
  open_type_ = 0;
  CloseFrame(&out_, open_begin_);
  return {};
}

std::size_t StreamEncoder::BeginFrame(std::uint8_t type) { return OpenFrame(&out_, type); }

Result<void> StreamEncoder::EndFrame(std::size_t begin) {
  if (out_.size() - begin - wire::kFrameHeaderBytes > kMaxFrame) {
    out_.resize(begin);
    return Error{Errc::kLimit, "more than a frame of " + std::to_string(kMaxFrame) + " bytes can hold"};
  }
  CloseFrame(&out_, begin);
  return out_.size() >= flush_bytes_ ? Flush() : Result<void>();
}

Result<void> StreamEncoder::CheckSeries(std::uint32_t id) const {
  if (id < series_.size() && series_[id]) return {};
  return Invalid("series " + std::to_string(id) + " is not defined");
}

Result<void> StreamEncoder::DefineSeries(std::uint32_t id, const Labels& labels) {
  if (id > series_.size() + wire::kIdSlack) return Invalid("series id " + std::to_string(id) + " is far ahead of the others");
  if (id >= StreamLimits().max_series) return Error{Errc::kLimit, "series id " + std::to_string(id) + " is over the limit"};
  if (labels.bytes().size() > kMaxFrame / 2) return Error{Errc::kLimit, "label set too large"};
  if (id < series_.size() && series_[id]) return Invalid("series " + std::to_string(id) + " is defined twice");
  if (open_type_ != wire::kSeries) {
    PROM_TRY(EndOpenFrame());
    open_type_ = wire::kSeries;
    open_begin_ = BeginFrame(wire::kSeries);
  }
  if (id >= series_.size()) series_.resize(id + 1);
  series_[id] = true;
  AppendVarint(&out_, id);
  AppendLengthPrefixed(&out_, labels.bytes());
  if (out_.size() - open_begin_ < kGatherBytes) return {};
  PROM_TRY(EndOpenFrame());
  return out_.size() >= flush_bytes_ ? Flush() : Result<void>();
}

Result<void> StreamEncoder::DefineLayout(std::uint32_t id, std::span<const std::uint32_t> series) {
  for (const std::uint32_t one : series) PROM_TRY(CheckSeries(one));
  if (id > columns_.size() + wire::kIdSlack) return Invalid("layout id " + std::to_string(id) + " is far ahead of the others");
  if (id >= StreamLimits().max_layouts) return Error{Errc::kLimit, "layout id " + std::to_string(id) + " is over the limit"};
  PROM_TRY(EndOpenFrame());
  const std::size_t begin = BeginFrame(wire::kLayout);
  AppendVarint(&out_, id);
  AppendVarint(&out_, series.size());
  std::int64_t before = -1;
  for (const std::uint32_t one : series) {
    AppendSignedVarint(&out_, static_cast<std::int64_t>(one) - before - 1);  // 0 for the next id
    before = one;
  }
  PROM_TRY(EndFrame(begin));
  if (id >= columns_.size()) columns_.resize(id + 1, wire::kNoColumns);
  if (columns_[id] == wire::kNoColumns) columns_[id] = 0;
  columns_[id] += static_cast<std::uint32_t>(series.size());
  return {};
}

Result<void> StreamEncoder::Reset() {
  PROM_TRY(EndOpenFrame());
  series_.clear();
  columns_.clear();
  return EndFrame(BeginFrame(wire::kReset));
}

Result<void> StreamEncoder::Row(std::uint32_t layout, std::int64_t t_ms, std::span<const double> values, std::span<const std::uint64_t> present) {
  if (layout >= columns_.size() || columns_[layout] != values.size()) {
    return Invalid("row of " + std::to_string(values.size()) + " values does not fit layout " + std::to_string(layout));
  }
  const std::size_t words = (values.size() + 63) / 64;
  if (!present.empty() && present.size() < words) return Invalid("row with too few presence bits");
  PROM_TRY(EndOpenFrame());
  const std::size_t begin = BeginFrame(wire::kRow);
  AppendLe<std::uint32_t>(&out_, layout);
  AppendLe<std::uint32_t>(&out_, static_cast<std::uint32_t>(values.size()));
  AppendLe<std::int64_t>(&out_, t_ms);
  AppendLe<std::uint32_t>(&out_, present.empty() ? 0 : 1);
  if (!present.empty()) out_.append(reinterpret_cast<const char*>(present.data()), words * sizeof(std::uint64_t));
  out_.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  return EndFrame(begin);
}

Result<void> StreamEncoder::Sample(std::uint32_t series, std::int64_t t_ms, double v, std::int64_t st_ms) {
  PROM_TRY(CheckSeries(series));
  if (open_type_ != wire::kSamples) {
    PROM_TRY(EndOpenFrame());
    open_type_ = wire::kSamples;
    open_begin_ = BeginFrame(wire::kSamples);
    last_t_ms_ = 0;
  }
  // The lowest bit of the series tells whether a start timestamp follows. Differences
  // wrap, so that any two times have one.
  AppendVarint(&out_, static_cast<std::uint64_t>(series) << 1 | (st_ms != 0));
  AppendSignedVarint(&out_, static_cast<std::int64_t>(static_cast<std::uint64_t>(t_ms) - static_cast<std::uint64_t>(last_t_ms_)));
  if (st_ms != 0) AppendSignedVarint(&out_, static_cast<std::int64_t>(static_cast<std::uint64_t>(t_ms) - static_cast<std::uint64_t>(st_ms)));
  AppendLe<double>(&out_, v);
  last_t_ms_ = t_ms;
  if (out_.size() - open_begin_ < kGatherBytes) return {};
  PROM_TRY(EndOpenFrame());
  return out_.size() >= flush_bytes_ ? Flush() : Result<void>();
}

Result<void> StreamEncoder::HistogramAt(std::uint32_t series, std::int64_t t_ms, const Histogram& h, std::int64_t st_ms) {
  PROM_TRY(CheckSeries(series));
  PROM_TRY(h.Validate());
  PROM_TRY(EndOpenFrame());
  const std::size_t begin = BeginFrame(wire::kHistogram);
  AppendVarint(&out_, series);
  AppendLe<std::int64_t>(&out_, t_ms);
  AppendLe<std::int64_t>(&out_, st_ms);
  out_.push_back(static_cast<char>(h.is_float ? 1 : 0));
  out_.push_back(static_cast<char>(h.reset_hint));
  AppendSignedVarint(&out_, h.schema);
  AppendLe<double>(&out_, h.zero_threshold);
  AppendLe<double>(&out_, h.zero_count);
  AppendLe<double>(&out_, h.count);
  AppendLe<double>(&out_, h.sum);
  AppendSpans(&out_, h.positive_spans);
  AppendDoubles(&out_, h.positive_buckets);
  AppendSpans(&out_, h.negative_spans);
  AppendDoubles(&out_, h.negative_buckets);
  AppendDoubles(&out_, h.custom_values);
  return EndFrame(begin);
}

Result<void> StreamEncoder::ExemplarOf(std::uint32_t series, const Exemplar& exemplar) {
  PROM_TRY(CheckSeries(series));
  PROM_TRY(EndOpenFrame());
  const std::size_t begin = BeginFrame(wire::kExemplar);
  AppendVarint(&out_, series);
  AppendLengthPrefixed(&out_, exemplar.labels.bytes());
  AppendLe<double>(&out_, exemplar.value);
  out_.push_back(static_cast<char>(exemplar.has_time ? 1 : 0));
  AppendLe<std::int64_t>(&out_, exemplar.has_time ? exemplar.t_ms : 0);
  return EndFrame(begin);
}

Result<void> StreamEncoder::MetadataOf(std::string_view metric, const Metadata& metadata) {
  PROM_TRY(EndOpenFrame());
  const std::size_t begin = BeginFrame(wire::kMetadata);
  AppendLengthPrefixed(&out_, metric);
  out_.push_back(static_cast<char>(metadata.type));
  AppendLengthPrefixed(&out_, metadata.help);
  AppendLengthPrefixed(&out_, metadata.unit);
  return EndFrame(begin);
}

Result<void> StreamEncoder::Commit(std::uint64_t sequence) {
  PROM_TRY(EndOpenFrame());
  const std::size_t begin = BeginFrame(wire::kCommit);
  AppendLe<std::uint64_t>(&out_, sequence);
  PROM_TRY(EndFrame(begin));
  return Flush();
}

}  // namespace prom
