#include "store/ingest_sink.h"

#include <algorithm>

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
  PROM_TRY(EndGathering());
  PROM_TRY(appender_->Reset());
  series_.clear();
  layouts_.clear();
  gathered_.clear();
  seen_in_.clear();
  newest_.clear();
  next_series_ = next_layout_ = 0;
  unused_ = 0;
  return {};
}

Result<void> IngestSink::Row(std::uint32_t layout, std::int64_t t_ms, std::span<const double> values, std::span<const std::uint64_t> present) {
  if (layout >= layouts_.size() || layouts_[layout] == kNone) return Error{Errc::kInvalid, "layout " + std::to_string(layout) + " is not defined"};
  if (!row_series_.empty() || !singles_.empty()) PROM_TRY(EndGathering());
  return appender_->Row(layouts_[layout], t_ms, values, present);
}

Result<void> IngestSink::Sample(std::uint32_t series, std::int64_t t_ms, double v, std::int64_t st_ms) {
  PROM_ASSIGN(const std::uint32_t id, SeriesOf(series));
  if (st_ms != 0) {  // rows have no start timestamps
    PROM_TRY(EndGathering());
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

// The number of a time. Series after series has the same times: then it is the one behind the last.
std::uint32_t IngestSink::TimeOf(std::int64_t t_ms) {
  for (const std::uint32_t guess : {last_time_ + 1, last_time_, 0u})
    if (guess < times_.size() && times_[guess] == t_ms) return last_time_ = guess;
  const auto [it, fresh] = time_numbers_.emplace(t_ms, static_cast<std::uint32_t>(times_.size()));
  if (fresh) times_.push_back(t_ms);
  return last_time_ = it->second;
}

// Keeps the row that is gathering, which is too short to be one.
Result<void> IngestSink::KeepSingles() {
  if (newest_.size() < next_series_) newest_.resize(next_series_);
  for (std::size_t i = 0; i < row_series_.size(); ++i) {
    const std::uint32_t series = row_series_[i];
    // Out of order or twice: the store must judge them in the order they came.
    const bool older = newest_[series].round == round_ && row_t_ms_ <= newest_[series].t_ms;
    if (older || singles_.size() >= kMaxSingles) PROM_TRY(FlushSingles());
    newest_[series] = {round_, row_t_ms_};
    const std::uint32_t time = TimeOf(row_t_ms_);
    singles_.push_back({series, time, row_values_[i]});
  }
  return {};
}

// By time, as rows where they are long enough.
Result<void> IngestSink::FlushSingles() {
  if (singles_.empty()) return {};
  std::vector<std::uint32_t> by_time(times_.size()), start(times_.size() + 1, 0);
  for (std::uint32_t i = 0; i < by_time.size(); ++i) by_time[i] = i;
  std::sort(by_time.begin(), by_time.end(), [this](std::uint32_t a, std::uint32_t b) { return times_[a] < times_[b]; });
  for (const Single& s : singles_) ++start[s.time + 1];
  for (std::size_t i = 1; i < start.size(); ++i) start[i] += start[i - 1];
  std::vector<std::uint32_t> order(singles_.size()), next(start.begin(), start.end() - 1);
  for (std::uint32_t i = 0; i < singles_.size(); ++i) order[next[singles_[i].time]++] = i;

  // The row that is gathering is not part of this.
  std::vector<std::uint32_t> row_series;
  std::vector<double> row_values;
  row_series.swap(row_series_);
  row_values.swap(row_values_);
  const std::int64_t row_t_ms = row_t_ms_;
  const auto send = [&]() -> Result<void> {
    for (const std::uint32_t time : by_time) {
      row_t_ms_ = times_[time];
      row_series_.clear();
      row_values_.clear();
      for (std::uint32_t k = start[time]; k < start[time + 1]; ++k) {
        row_series_.push_back(singles_[order[k]].series);
        row_values_.push_back(singles_[order[k]].v);
      }
      PROM_TRY(SendRow());
    }
    return {};
  };
  auto done = send();
  row_series_.swap(row_series);
  row_values_.swap(row_values);
  row_t_ms_ = row_t_ms;
  singles_.clear();
  times_.clear();
  time_numbers_.clear();
  last_time_ = 0;
  if (++round_ == 0) {
    newest_.assign(newest_.size(), Newest{});
    round_ = 1;
  }
  return done;
}

// The row that is gathering, as a row of a layout if it is one that pays.
Result<void> IngestSink::SendRow() {
  const auto singly = [&]() -> Result<void> {
    for (std::size_t i = 0; i < row_series_.size(); ++i) PROM_TRY(appender_->Sample(row_series_[i], row_t_ms_, row_values_[i]));
    return {};
  };
  if (row_series_.size() < kMinRow) return singly();
  const std::uint64_t hash = Xxh3({reinterpret_cast<const char*>(row_series_.data()), row_series_.size() * sizeof(std::uint32_t)});
  auto [it, end] = gathered_.equal_range(hash);
  while (it != end && it->second.series != row_series_) ++it;
  if (it == end) {
    if (unused_ >= kMaxUnused || gathered_.size() >= kMaxGathered) return singly();
    Gathered made{0, row_series_, false};
    PROM_TRY(NewLayout(row_series_, &made.layout));
    it = gathered_.emplace(hash, std::move(made));
    ++unused_;
  } else if (!it->second.again) {
    it->second.again = true;
    --unused_;
  }
  return appender_->Row(it->second.layout, row_t_ms_, row_values_, {});
}

Result<void> IngestSink::EndRow() {
  if (row_series_.empty()) return {};
  if (++row_number_ == 0) {
    seen_in_.assign(seen_in_.size(), 0);
    row_number_ = 1;
  }
  const auto send = [&]() -> Result<void> {
    if (row_series_.size() < kMinRow) return KeepSingles();
    PROM_TRY(FlushSingles());
    return SendRow();
  };
  auto done = send();
  row_series_.clear();
  row_values_.clear();
  return done;
}

// All that has gathered.
Result<void> IngestSink::EndGathering() {
  PROM_TRY(EndRow());
  return FlushSingles();
}

Result<void> IngestSink::HistogramAt(std::uint32_t series, std::int64_t t_ms, const Histogram& h, std::int64_t st_ms) {
  PROM_ASSIGN(const std::uint32_t id, SeriesOf(series));
  PROM_TRY(EndGathering());
  return appender_->HistogramAt(id, t_ms, h, st_ms);
}

Result<void> IngestSink::ExemplarOf(std::uint32_t series, const Exemplar& exemplar) {
  PROM_ASSIGN(const std::uint32_t id, SeriesOf(series));
  return appender_->ExemplarOf(id, exemplar);
}

Result<void> IngestSink::MetadataOf(std::string_view metric, const Metadata& metadata) { return appender_->MetadataOf(metric, metadata); }

std::uint64_t IngestSink::refused() const {
  return appender_->outcome().refused() + appender_->invalid_histograms() + appender_->duplicate_columns() + appender_->over_limit();
}

Result<void> IngestSink::Commit(std::uint64_t sequence) {
  PROM_TRY(EndGathering());
  PROM_TRY(appender_->Commit(sequence));
  ack_.sequence = sequence;
  ++batches_;
  return {};
}

StreamAck IngestSink::TakeAck() {
  StreamAck ack = ack_;
  if (ack.sequence == 0) return ack;
  const Appender::Outcome& o = appender_->outcome();
  ack.accepted = o.appended + o.repeated - acked_.accepted;
  ack.refused = refused() - acked_.refused;
  ack.out_of_order = o.out_of_order - acked_.out_of_order;
  ack.duplicates = o.duplicates + appender_->duplicate_columns() - acked_.duplicates;
  ack.too_old = o.too_old - acked_.too_old;
  ack.over_limit = appender_->over_limit() - acked_.over_limit;
  acked_.Add(ack);
  ack_ = {};
  return ack;
}

}  // namespace prom::store
