#include "store/ingest_sink.h"

#include "base/hash.h"

namespace prom::store {
namespace {

constexpr std::uint32_t kMaxAhead = 4096;

// Room for id, which may run ahead.
Result<void> Claim(std::vector<std::uint32_t>* ids, std::uint32_t id, std::uint32_t none, const char* what) {
  if (id >= ids->size() + kMaxAhead) return Error{Errc::kInvalid, std::string(what) + " " + std::to_string(id) + " is far ahead of the others"};
  if (id >= ids->size()) ids->resize(id + 1, none);
  return {};
}

}  // namespace

Result<std::uint32_t> IngestSink::SeriesOf(std::uint32_t id) const {
  if (id >= series_.size() || series_[id] == kNone) return Error{Errc::kInvalid, "series " + std::to_string(id) + " is not defined"};
  return series_[id];
}

Result<void> IngestSink::DefineSeries(std::uint32_t id, const Labels& labels) {
  PROM_TRY(Claim(&series_, id, kNone, "series"));
  if (series_[id] != kNone) return Error{Errc::kInvalid, "series " + std::to_string(id) + " is defined twice"};
  PROM_TRY(appender_->DefineSeries(next_series_, labels));
  series_[id] = next_series_++;
  return {};
}

Result<void> IngestSink::NewLayout(std::span<const std::uint32_t> series, std::uint32_t* id) {
  PROM_TRY(appender_->DefineLayout(next_layout_, series));
  *id = next_layout_++;
  return {};
}

Result<void> IngestSink::DefineLayout(std::uint32_t id, std::span<const std::uint32_t> series) {
  PROM_TRY(Claim(&layouts_, id, kNone, "layout"));
  std::vector<std::uint32_t> mapped;
  mapped.reserve(series.size());
  for (const std::uint32_t s : series) {
    PROM_ASSIGN(const std::uint32_t known, SeriesOf(s));
    mapped.push_back(known);
  }
  if (layouts_[id] != kNone) return appender_->DefineLayout(layouts_[id], mapped);
  return NewLayout(mapped, &layouts_[id]);
}

Result<void> IngestSink::Reset() {
  PROM_TRY(EndRow());
  PROM_TRY(appender_->Reset());
  series_.clear();
  layouts_.clear();
  gathered_.clear();
  seen_in_.clear();
  next_series_ = next_layout_ = 0;
  unused_ = 0;
  return {};
}

Result<void> IngestSink::Row(std::uint32_t layout, std::int64_t t_ms, std::span<const double> values, std::span<const std::uint64_t> present) {
  if (layout >= layouts_.size() || layouts_[layout] == kNone) return Error{Errc::kInvalid, "layout " + std::to_string(layout) + " is not defined"};
  if (!row_series_.empty()) PROM_TRY(EndRow());
  return appender_->Row(layouts_[layout], t_ms, values, present);
}

Result<void> IngestSink::Sample(std::uint32_t series, std::int64_t t_ms, double v, std::int64_t st_ms) {
  PROM_ASSIGN(const std::uint32_t id, SeriesOf(series));
  if (st_ms != 0) {  // rows have no start timestamps
    PROM_TRY(EndRow());
    return appender_->Sample(id, t_ms, v, st_ms);
  }
  if (id >= seen_in_.size()) seen_in_.resize(next_series_, 0);
  if (!row_series_.empty() && (t_ms != row_t_ms_ || seen_in_[id] == row_number_ || row_series_.size() == kMaxRow)) PROM_TRY(EndRow());
  row_t_ms_ = t_ms;
  seen_in_[id] = row_number_;
  row_series_.push_back(id);
  row_values_.push_back(v);
  return {};
}

Result<void> IngestSink::SendSingly() {
  for (std::size_t i = 0; i < row_series_.size(); ++i) PROM_TRY(appender_->Sample(row_series_[i], row_t_ms_, row_values_[i]));
  return {};
}

Result<void> IngestSink::EndRow() {
  if (row_series_.empty()) return {};
  if (++row_number_ == 0) {
    seen_in_.assign(seen_in_.size(), 0);
    row_number_ = 1;
  }
  auto send = [&]() -> Result<void> {
    if (row_series_.size() < kMinRow) return SendSingly();
    const std::uint64_t hash = Xxh3({reinterpret_cast<const char*>(row_series_.data()), row_series_.size() * sizeof(std::uint32_t)});
    auto [it, end] = gathered_.equal_range(hash);
    while (it != end && it->second.series != row_series_) ++it;
    if (it == end) {
      if (unused_ >= kMaxUnused || gathered_.size() >= kMaxGathered) return SendSingly();
      Gathered made{0, row_series_, false};
      PROM_TRY(NewLayout(row_series_, &made.layout));
      it = gathered_.emplace(hash, std::move(made));
      ++unused_;
    } else if (!it->second.again) {
      it->second.again = true;
      --unused_;
    }
    return appender_->Row(it->second.layout, row_t_ms_, row_values_, {});
  };
  auto done = send();
  row_series_.clear();
  row_values_.clear();
  return done;
}

Result<void> IngestSink::HistogramAt(std::uint32_t series, std::int64_t t_ms, const Histogram& h, std::int64_t st_ms) {
  PROM_ASSIGN(const std::uint32_t id, SeriesOf(series));
  PROM_TRY(EndRow());
  return appender_->HistogramAt(id, t_ms, h, st_ms);
}

Result<void> IngestSink::ExemplarOf(std::uint32_t series, const Exemplar& exemplar) {
  PROM_ASSIGN(const std::uint32_t id, SeriesOf(series));
  return appender_->ExemplarOf(id, exemplar);
}

Result<void> IngestSink::MetadataOf(std::string_view metric, const Metadata& metadata) { return appender_->MetadataOf(metric, metadata); }

std::uint64_t IngestSink::refused() const {
  return appender_->outcome().refused() + appender_->invalid_histograms() + appender_->duplicate_columns();
}

Result<void> IngestSink::Commit(std::uint64_t sequence) {
  PROM_TRY(EndRow());
  PROM_TRY(appender_->Commit(sequence));
  ack_.sequence = sequence;
  ++batches_;
  return {};
}

StreamAck IngestSink::TakeAck() {
  StreamAck ack = ack_;
  if (ack.sequence == 0) return ack;
  const Appender::Outcome& o = appender_->outcome();
  const std::uint64_t taken = o.appended + o.repeated;
  ack.accepted = taken - acked_taken_;
  ack.refused = refused() - acked_refused_;
  acked_taken_ = taken;
  acked_refused_ = refused();
  ack_ = {};
  return ack;
}

}  // namespace prom::store
