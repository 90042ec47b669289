#include "store/appender.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <unordered_map>

#include "base/hash.h"
#include "store/writer.h"

namespace prom::store {

Appender::Appender(Writer& writer) : writer_(writer) {}

Appender::~Appender() {
  MutexLock lock(writer_.mutex_);
  Release();
}

void Appender::Release() {
  if (head_ == nullptr) return;
  for (const Layout& layout : layouts_)
    if (!layout.old) head_->ReleaseLayout(layout.store);
}

Result<void> Appender::DefineSeries(std::uint32_t id, const Labels& labels) {
  if (id != series_.size()) return Error{Errc::kInvalid, "series " + std::to_string(id) + " is not the next one, which is " + std::to_string(series_.size())};
  if (labels.empty()) return Error{Errc::kInvalid, "series " + std::to_string(id) + " has no labels"};
  MutexLock lock(writer_.mutex_);
  Bind();
  is_old_.push_back(false);
  const std::uint64_t hash = labels.Hash();
  const std::uint64_t limit = writer_.options_.max_series;
  if (limit != 0 && head_->series_count() >= limit && !head_->HasSeries(labels.bytes(), hash)) {
    // Its samples are refused one by one and those of others go on, as with all that is wrong with a sample.
    series_.push_back(kNoSeries);
    ++limited_;
    return {};
  }
  series_.push_back(head_->SeriesId(labels.bytes(), hash));
  return {};
}

Result<void> Appender::DefineLayout(std::uint32_t id, std::span<const std::uint32_t> series) {
  if (id > layouts_.size()) return Error{Errc::kInvalid, "layout " + std::to_string(id) + " is not the next one, which is " + std::to_string(layouts_.size())};
  for (const std::uint32_t s : series)
    if (s >= series_.size()) return Error{Errc::kInvalid, "layout " + std::to_string(id) + " names series " + std::to_string(s) + ", which is not defined"};
  const std::size_t before = id < layouts_.size() ? layouts_[id].series.size() : 0;
  if (before + series.size() > kMaxColumns) return Error{Errc::kLimit, "layout " + std::to_string(id) + " has over " + std::to_string(kMaxColumns) + " columns"};
  MutexLock lock(writer_.mutex_);
  Bind();
  if (id == layouts_.size()) {
    layouts_.emplace_back();
    Place(&layouts_.back(), series, false);
  } else {
    CarryLayout(&layouts_[id]);
    Place(&layouts_[id], series, true);
  }
  return {};
}

void Appender::Place(Layout* layout, std::span<const std::uint32_t> series, bool extend) {
  for (const std::uint32_t s : series)
    if (s < kOverLimit) CarrySeries(s);
  // kNoSeries: of a repetition, or of what is over the limit.
  const auto store_id = [&](std::uint32_t s) { return s >= kOverLimit ? kNoSeries : series_[s]; };
  std::vector<std::uint32_t> wanted, slots;
  for (const std::uint32_t s : series)
    if (store_id(s) != kNoSeries) wanted.push_back(store_id(s));
  if (extend) head_->ExtendLayout(layout->store, wanted, &slots);
  else layout->store = head_->TakeLayout(wanted, &slots);
  layout->used.resize(std::max<std::size_t>(layout->used.size(), head_->layout_columns(layout->store)));

  const std::uint32_t first = layout->size();
  std::size_t next = 0;
  bool identity = layout->slots.empty();
  std::vector<std::uint32_t> added;
  for (const std::uint32_t s : series) {
    std::uint32_t column = s, slot = kNoSlot;
    if (store_id(s) != kNoSeries) slot = slots[next++];
    else if (s != kNoSlot) column = kOverLimit;
    // Two of the producer's series may have the same labels: the second one is a repetition.
    if (slot != kNoSlot && layout->used[slot]) column = slot = kNoSlot;
    identity &= slot == layout->size();
    layout->series.push_back(column);
    added.push_back(slot);
    if (slot == kNoSlot) continue;
    layout->used[slot] = true;
    layout->columns = std::max(layout->columns, slot + 1);
  }
  if (identity) return;
  if (layout->slots.empty())
    for (std::uint32_t i = 0; i < first; ++i) layout->slots.push_back(i);
  layout->slots.insert(layout->slots.end(), added.begin(), added.end());
}

Result<void> Appender::Reset() {
  MutexLock lock(writer_.mutex_);
  // Samples of a batch that is under way keep their meaning: they hold the store's ids.
  Bind();
  Release();
  series_.clear();
  layouts_.clear();
  is_old_.clear();
  old_series_ = 0;
  old_head_.reset();
  limited_ = 0;
  return {};
}

void Appender::AppendRow(const Layout& layout, std::int64_t t_ms, std::span<const double> values, std::span<const std::uint64_t> present) {
  std::string& out = batch_.rows;
  const auto n = static_cast<std::uint32_t>(values.size());
  char head[kRowHead] = {};
  const auto write_head = [&](std::uint32_t columns, std::uint32_t count, bool bitmap) {
    const std::size_t size = kRowHead + (bitmap ? std::size_t{8} * ((columns + 63) / 64) : 0) + std::size_t{8} * count;
    InitRecord(head, RecordType::kRow, bitmap ? kRecordBitmap : 0, static_cast<std::uint32_t>(size));
    StoreLe<std::uint32_t>(head + kRowLayoutAt, layout.store);
    StoreLe<std::uint32_t>(head + kRowColumnsAt, columns);
    StoreLe<std::int64_t>(head + kRowTimeAt, t_ms);
    StoreLe<std::uint32_t>(head + kRowValuesAt, count);
    out.append(head, kRowHead);
  };
  const std::size_t words = (n + 63) / 64;
  bool all = present.empty();
  if (!all) {
    std::uint64_t count = 0;
    for (std::size_t w = 0; w < words; ++w) count += static_cast<unsigned>(std::popcount(w + 1 == words && n % 64 != 0 ? present[w] & ((std::uint64_t{1} << (n % 64)) - 1) : present[w]));
    if (count == 0) return;  // a scrape without samples leaves no row
    all = count == n;
  }
  if (n == 0) return;
  if (layout.slots.empty() && all) {
    write_head(n, n, false);
    out.append(reinterpret_cast<const char*>(values.data()), std::size_t{8} * n);
    batch_.samples += n;
    return;
  }
  if (layout.slots.empty()) {  // the bits as they are, and the values of those that are set
    std::uint32_t count = 0, columns = 0;
    words_.assign(present.begin(), present.begin() + static_cast<std::ptrdiff_t>(words));
    if (n % 64 != 0) words_[words - 1] &= (std::uint64_t{1} << (n % 64)) - 1;
    for (std::size_t w = 0; w < words; ++w) {
      count += static_cast<unsigned>(std::popcount(words_[w]));
      if (words_[w] != 0) columns = static_cast<std::uint32_t>(w * 64 + 64 - static_cast<unsigned>(std::countl_zero(words_[w])));
    }
    words_.resize((columns + 63) / 64);
    write_head(columns, count, true);
    out.append(reinterpret_cast<const char*>(words_.data()), 8 * words_.size());
    const std::size_t at = out.size();
    out.resize(at + std::size_t{8} * count);
    char* p = out.data() + at;
    for (std::size_t w = 0; w < words_.size(); ++w) {
      const double* from = values.data() + w * 64;
      if (words_[w] == ~std::uint64_t{0}) {
        std::memcpy(p, from, 512);
        p += 512;
        continue;
      }
      for (std::uint64_t bits = words_[w]; bits != 0; bits &= bits - 1, p += 8) StoreLe<double>(p, from[std::countr_zero(bits)]);
    }
    batch_.samples += count;
    return;
  }
  // By slot, with the absent ones left out.
  const std::uint32_t columns = layout.columns;
  scatter_.resize(columns);
  words_.assign((columns + 63) / 64, 0);
  std::uint32_t count = 0;
  for (std::uint32_t i = 0; i < n; ++i) {
    if (!all && ((present[i / 64] >> (i % 64)) & 1) == 0) continue;
    const std::uint32_t slot = layout.slot(i);
    if (slot == kNoSlot) {
      ++(layout.series[i] == kOverLimit ? over_limit_ : duplicate_columns_);
      continue;
    }
    scatter_[slot] = values[i];
    words_[slot / 64] |= std::uint64_t{1} << (slot % 64);
    ++count;
  }
  if (count == 0) return;
  write_head(columns, count, true);
  out.append(reinterpret_cast<const char*>(words_.data()), 8 * words_.size());
  for (std::size_t w = 0; w < words_.size(); ++w)
    for (std::uint64_t bits = words_[w]; bits != 0; bits &= bits - 1)
      AppendLe<double>(&out, scatter_[w * 64 + static_cast<unsigned>(std::countr_zero(bits))]);
  batch_.samples += count;
}

Result<void> Appender::Row(std::uint32_t layout, std::int64_t t_ms, std::span<const double> values, std::span<const std::uint64_t> present) {
  if (layout >= layouts_.size()) return Error{Errc::kInvalid, "row of layout " + std::to_string(layout) + ", which is not defined"};
  UseLayout(layout);
  const Layout& l = layouts_[layout];
  if (values.size() > l.size())
    return Error{Errc::kInvalid, "row of " + std::to_string(values.size()) + " values in layout " + std::to_string(layout) + " of " + std::to_string(l.size())};
  if (!present.empty() && present.size() < (values.size() + 63) / 64) return Error{Errc::kInvalid, "presence bits are short of the values"};
  if (batch_.rows.size() > writer_.options_.head.max_batch_bytes) return Error{Errc::kLimit, "batch is over the limit of " + std::to_string(writer_.options_.head.max_batch_bytes) + " bytes"};
  AppendRow(l, t_ms, values, present);
  return {};
}

Result<void> Appender::Sample(std::uint32_t series, std::int64_t t_ms, double v, std::int64_t st_ms) {
  if (series >= series_.size()) return Error{Errc::kInvalid, "sample of series " + std::to_string(series) + ", which is not defined"};
  if (batch_.loose.size() > writer_.options_.head.max_batch_bytes / 32) return Error{Errc::kLimit, "batch has too many samples"};
  UseSeries(series);
  if (series_[series] == kNoSeries) {
    ++over_limit_;
    return {};
  }
  batch_.loose.push_back({series_[series], t_ms, st_ms, v, {}});
  ++batch_.samples;
  return {};
}

Result<void> Appender::HistogramAt(std::uint32_t series, std::int64_t t_ms, const Histogram& h, std::int64_t st_ms) {
  if (series >= series_.size()) return Error{Errc::kInvalid, "histogram of series " + std::to_string(series) + ", which is not defined"};
  if (batch_.loose.size() > writer_.options_.head.max_batch_bytes / 32) return Error{Errc::kLimit, "batch has too many samples"};
  if (series_[series] == kNoSeries) {
    ++over_limit_;
    return {};
  }
  if (!h.Validate()) {
    ++invalid_histograms_;
    return {};
  }
  UseSeries(series);
  LooseSample s{series_[series], t_ms, st_ms, 0, {}};
  AppendHistogram(h, &s.histogram);
  batch_.loose.push_back(std::move(s));
  ++batch_.samples;
  return {};
}

Result<void> Appender::ExemplarOf(std::uint32_t series, const Exemplar& exemplar) {
  if (series >= series_.size()) return Error{Errc::kInvalid, "exemplar of series " + std::to_string(series) + ", which is not defined"};
  UseSeries(series);
  if (series_[series] != kNoSeries) batch_.exemplars.emplace_back(series_[series], exemplar);
  return {};
}

Result<void> Appender::MetadataOf(std::string_view metric, const Metadata& metadata) {
  batch_.metadata.emplace_back(std::string(metric), metadata);
  return {};
}

// ---- Epochs ---------------------------------------------------------------

std::uint32_t Appender::Translate(const HeadWriter& from, std::uint32_t id) {
  if (id == kNoSeries) return id;
  const std::string_view labels = from.LabelBytes(id);
  return head_->SeriesId(labels, XxHash64(labels));
}

void Appender::CarrySeries(std::uint32_t series) {
  if (!is_old_[series]) return;
  series_[series] = Translate(*old_head_, series_[series]);
  is_old_[series] = false;
  if (--old_series_ == 0) old_head_.reset();
}

void Appender::CarryLayout(Layout* layout) {
  if (!layout->old) return;
  Layout fresh;
  Place(&fresh, layout->series, false);
  *layout = std::move(fresh);
}

void Appender::UseSeries(std::uint32_t series) {
  if (!is_old_[series]) return;
  MutexLock lock(writer_.mutex_);
  Bind();
  CarrySeries(series);
}

void Appender::UseLayout(std::uint32_t layout) {
  if (!layouts_[layout].old) return;
  MutexLock lock(writer_.mutex_);
  Bind();
  CarryLayout(&layouts_[layout]);
}

void Appender::Bind() {
  if (head_ != writer_.head_) {
    const std::shared_ptr<HeadWriter> before = std::move(head_);
    head_ = writer_.head_;
    if (before != nullptr) LeaveEpoch(before);
  }
  if (old_head_ == nullptr || std::find(writer_.closed_.begin(), writer_.closed_.end(), old_head_) != writer_.closed_.end()) return;
  // It has become a block, and must not be kept in memory for what is left: series of
  // targets that are gone, mostly.
  for (std::uint32_t s = 0; s < series_.size() && old_series_ != 0; ++s) CarrySeries(s);
}

void Appender::LeaveEpoch(const std::shared_ptr<HeadWriter>& before) {
  for (std::uint32_t s = 0; s < series_.size(); ++s) {
    if (is_old_[s]) series_[s] = Translate(*old_head_, series_[s]);
    is_old_[s] = !is_old_[s];
  }
  old_series_ = static_cast<std::size_t>(std::count(is_old_.begin(), is_old_.end(), true));
  old_head_ = old_series_ != 0 ? before : nullptr;
  HeadBatch old_batch = std::move(batch_);
  batch_.Clear();

  // Layouts that the batch has rows of go over at once.
  std::unordered_map<std::uint32_t, std::uint32_t> by_store;
  for (std::uint32_t i = 0; i < layouts_.size(); ++i)
    if (!layouts_[i].old) by_store[layouts_[i].store] = i;
  std::unordered_map<std::uint32_t, Layout> carried;  // as they were
  std::vector<double> values;
  std::vector<std::uint64_t> present;
  for (std::size_t at = 0; at < old_batch.rows.size();) {
    RecordView r;
    r.p = old_batch.rows.data() + at;
    r.size = LoadLe<std::uint32_t>(r.p + kRecordLenAt);
    r.type = RecordType::kRow;
    r.flags = static_cast<std::uint8_t>(r.p[kRecordFlagsAt]);
    at += r.size;
    const RowView row = ParseRow(r);
    const auto found = by_store.find(row.layout);
    if (found == by_store.end()) {  // given up by Reset since: its samples go singly
      for (std::uint32_t slot = 0; slot < row.columns; ++slot)
        if (row.Present(slot)) batch_.loose.push_back({Translate(*before, before->layout_series(row.layout, slot)), row.t, 0, row.Value(slot), {}});
      continue;
    }
    Layout& layout = layouts_[found->second];
    const auto [it, first] = carried.try_emplace(found->second);
    if (first) {
      it->second = layout;
      layout.old = true;
      CarryLayout(&layout);
    }
    const Layout& old = it->second;
    values.assign(old.size(), 0);
    present.assign((old.size() + 63) / 64, 0);
    for (std::uint32_t i = 0; i < old.size(); ++i) {
      const std::uint32_t slot = old.slot(i);
      if (slot == kNoSlot || !row.Present(slot)) continue;
      values[i] = row.Value(slot);
      present[i / 64] |= std::uint64_t{1} << (i % 64);
    }
    AppendRow(layout, row.t, values, present);
  }
  for (const auto& [store, i] : by_store)
    if (!carried.contains(i)) layouts_[i].old = true;
  for (LooseSample& s : old_batch.loose) {
    s.series = Translate(*before, s.series);
    batch_.loose.push_back(std::move(s));
  }
  for (auto& [series, exemplar] : old_batch.exemplars) batch_.exemplars.emplace_back(Translate(*before, series), std::move(exemplar));
  batch_.metadata = std::move(old_batch.metadata);
  batch_.samples = old_batch.samples;
}

Result<void> Appender::Commit(std::uint64_t sequence) {
  PROM_ASSIGN(store_sequence_, writer_.CommitBatch(this));
  sequence_ = sequence;
  return {};
}

}  // namespace prom::store
