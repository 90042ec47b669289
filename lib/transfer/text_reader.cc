#include "transfer/text_reader.h"

#include <optional>

#include "base/time.h"
#include "exposition/stream_text.h"

namespace prom::transfer {
namespace {

// A time that no text can give: the mark of samples that came without one.
constexpr std::int64_t kNoTimeMs = kMinTimeMs;

class NoClock : public Clock {
 public:
  std::int64_t NowMs() override { return kNoTimeMs; }
  std::int64_t MonotonicNs() override { return 0; }
};

class TextReader : public RecordReader, private StreamSink {
 public:
  TextReader(StreamSink* sink, TextFormat format, RefusedFn refused) : sink_(sink), on_refused_(std::move(refused)) {
    StreamTextReader::Options options;
    options.format = format;
    options.max_series = 2u << 20;
    reader_.emplace(static_cast<StreamSink*>(this), &clock_, options, on_refused_);
  }
  Result<void> Feed(std::string_view bytes) override { return reader_->Feed(bytes); }
  Result<void> Finish() override { return reader_->Finish(); }
  std::uint64_t lines() const override { return reader_->lines(); }
  std::uint64_t refused() const override { return reader_->refused() + timeless_; }

 private:
  Result<void> Sample(std::uint32_t series, std::int64_t t_ms, double v, std::int64_t st_ms) override {
    if (t_ms == kNoTimeMs) {
      ++timeless_;
      if (on_refused_) on_refused_(reader_->lines(), "a sample without a timestamp");
      return {};
    }
    return sink_->Sample(series, t_ms, v, st_ms);
  }
  Result<void> DefineSeries(std::uint32_t id, const Labels& labels) override { return sink_->DefineSeries(id, labels); }
  Result<void> DefineLayout(std::uint32_t id, std::span<const std::uint32_t> series) override { return sink_->DefineLayout(id, series); }
  Result<void> Reset() override { return sink_->Reset(); }
  Result<void> Row(std::uint32_t layout, std::int64_t t_ms, std::span<const double> values, std::span<const std::uint64_t> present) override {
    if (t_ms != kNoTimeMs) return sink_->Row(layout, t_ms, values, present);
    std::uint64_t n = present.empty() ? values.size() : 0;
    for (const std::uint64_t word : present) n += static_cast<std::uint64_t>(__builtin_popcountll(word));
    timeless_ += n;
    if (on_refused_) on_refused_(reader_->lines(), "samples without timestamps up to here: " + std::to_string(n));
    return {};
  }
  Result<void> HistogramAt(std::uint32_t series, std::int64_t t_ms, const Histogram& h, std::int64_t st_ms) override { return sink_->HistogramAt(series, t_ms, h, st_ms); }
  Result<void> ExemplarOf(std::uint32_t series, const Exemplar& exemplar) override { return sink_->ExemplarOf(series, exemplar); }
  Result<void> MetadataOf(std::string_view metric, const Metadata& metadata) override { return sink_->MetadataOf(metric, metadata); }
  Result<void> Commit(std::uint64_t sequence) override { return sink_->Commit(sequence); }

  StreamSink* sink_;
  RefusedFn on_refused_;
  NoClock clock_;
  std::optional<StreamTextReader> reader_;
  std::uint64_t timeless_ = 0;
};

}  // namespace

std::unique_ptr<RecordReader> NewTextReader(StreamSink* sink, TextFormat format, RefusedFn refused) { return std::make_unique<TextReader>(sink, format, std::move(refused)); }

}  // namespace prom::transfer
