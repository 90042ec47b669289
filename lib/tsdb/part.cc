#include "tsdb/part.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>
#include <unordered_map>

#include "base/hash.h"
#include "base/mutex.h"
#include "base/time.h"

namespace prom::tsdb {
namespace {

// Takes samples in `deleted` out of those from `from` (floats) and `h_from` (histograms) on.
void HideDeleted(const Intervals& deleted, std::size_t from, std::size_t h_from, SeriesColumns* out) {
  const auto hidden = [&](std::int64_t t) {
    const auto it = std::lower_bound(deleted.begin(), deleted.end(), t, [](const auto& d, std::int64_t v) { return d.second < v; });
    return it != deleted.end() && it->first <= t;
  };
  std::size_t kept = from;
  for (std::size_t i = from; i < out->t_buffer.size(); ++i) {
    if (hidden(out->t_buffer[i])) continue;
    out->t_buffer[kept] = out->t_buffer[i];
    out->v_buffer[kept] = out->v_buffer[i];
    if (i < out->st_buffer.size()) out->st_buffer[kept] = out->st_buffer[i];
    ++kept;
  }
  out->t_buffer.resize(kept);
  out->v_buffer.resize(kept);
  if (out->st_buffer.size() > kept) out->st_buffer.resize(kept);
  kept = h_from;
  for (std::size_t i = h_from; i < out->histograms.size(); ++i) {
    if (hidden(out->histograms[i].t_ms)) continue;
    if (kept != i) out->histograms[kept] = std::move(out->histograms[i]);
    if (i < out->histogram_st.size()) out->histogram_st[kept] = out->histogram_st[i];
    ++kept;
  }
  out->histograms.resize(kept);
  if (out->histogram_st.size() > kept) out->histogram_st.resize(kept);
}

// Brings the buffers into the order of time, each time once. Samples read later win, and
// among those a histogram and a float of one time have no order but this: the histogram.
void SortSamples(SeriesColumns* out, std::vector<std::size_t>* float_ranks, std::vector<std::size_t>* histogram_ranks) {
  struct Row {
    std::int64_t t;
    std::size_t rank;  // of the chunk it came from
    std::uint32_t index;
    bool histogram;
  };
  std::vector<Row> rows;
  rows.reserve(out->t_buffer.size() + out->histograms.size());
  for (std::size_t i = 0; i < out->t_buffer.size(); ++i) rows.push_back({out->t_buffer[i], (*float_ranks)[i], static_cast<std::uint32_t>(i), false});
  for (std::size_t i = 0; i < out->histograms.size(); ++i) rows.push_back({out->histograms[i].t_ms, (*histogram_ranks)[i], static_cast<std::uint32_t>(i), true});
  std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.t != b.t ? a.t < b.t : a.rank < b.rank; });
  std::vector<std::int64_t> t, st, h_st;
  std::vector<double> v;
  std::vector<HistogramSample> h;
  for (std::size_t n = 0; n < rows.size(); ++n) {
    const Row& row = rows[n];
    if (n + 1 < rows.size() && rows[n + 1].t == row.t) continue;
    if (row.histogram) {
      h.push_back(std::move(out->histograms[row.index]));
      if (!out->histogram_st.empty()) h_st.push_back(row.index < out->histogram_st.size() ? out->histogram_st[row.index] : 0);
    } else {
      t.push_back(row.t);
      v.push_back(out->v_buffer[row.index]);
      if (!out->st_buffer.empty()) st.push_back(row.index < out->st_buffer.size() ? out->st_buffer[row.index] : 0);
    }
  }
  out->t_buffer = std::move(t);
  out->v_buffer = std::move(v);
  out->st_buffer = std::move(st);
  out->histograms = std::move(h);
  out->histogram_st = std::move(h_st);
}

class PartsSelection : public Selection {
 public:
  PartsSelection(std::vector<std::shared_ptr<const Part>> parts, std::vector<std::vector<PartSeries>> series, std::vector<MissingPart> missing)
      : parts_(std::move(parts)), series_(std::move(series)), missing_(std::move(missing)) {
    Merge();
  }
  std::size_t size() const override { return starts_.size() - 1; }
  const Labels& labels(std::size_t i) const override { return Of(sources_[starts_[i]]).labels; }
  Result<void> Read(std::size_t i, std::int64_t min_ms, std::int64_t max_ms, SeriesColumns* out) const override;
  std::vector<std::string> warnings() const override {
    std::vector<std::string> out;
    for (const MissingPart& m : missing_) out.push_back(m.what);
    return out;
  }

 private:
  struct Source {
    std::uint32_t part = 0, index = 0;
  };
  const PartSeries& Of(const Source& s) const { return series_[s.part][s.index]; }
  void Merge();
  std::uint64_t ColumnId(std::span<const std::int64_t> t) const;

  std::vector<std::shared_ptr<const Part>> parts_;
  std::vector<std::vector<PartSeries>> series_;  // by part
  std::vector<MissingPart> missing_;
  std::vector<std::uint32_t> starts_;  // in sources_, by series; one more at the end
  std::vector<Source> sources_;

  // Time columns seen so far, so that equal ones get equal numbers.
  static constexpr std::size_t kMaxColumnRows = 4u << 20;
  struct Column {
    std::uint64_t id = 0;
    std::vector<std::int64_t> t;
  };
  mutable Mutex mutex_;
  mutable std::unordered_map<std::uint64_t, std::shared_ptr<const Column>> columns_ GUARDED_BY(mutex_);
  mutable std::size_t column_rows_ GUARDED_BY(mutex_) = 0;
  mutable std::uint64_t next_id_ GUARDED_BY(mutex_) = 0;
};

void PartsSelection::Merge() {
  std::vector<std::uint32_t> next(series_.size(), 0), heap;
  const auto after = [&](std::uint32_t a, std::uint32_t b) {
    const auto order = series_[a][next[a]].labels <=> series_[b][next[b]].labels;
    return order != 0 ? order > 0 : a > b;
  };
  for (std::uint32_t p = 0; p < series_.size(); ++p)
    if (!series_[p].empty()) heap.push_back(p);
  std::make_heap(heap.begin(), heap.end(), after);
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), after);
    const std::uint32_t p = heap.back();
    const Source s{p, next[p]};
    if (sources_.empty() || !(Of(sources_.back()).labels == Of(s).labels)) starts_.push_back(static_cast<std::uint32_t>(sources_.size()));
    sources_.push_back(s);
    if (++next[p] < series_[p].size()) {
      std::push_heap(heap.begin(), heap.end(), after);
    } else {
      heap.pop_back();
    }
  }
  starts_.push_back(static_cast<std::uint32_t>(sources_.size()));
}

std::uint64_t PartsSelection::ColumnId(std::span<const std::int64_t> t) const {
  if (t.size() < 2) return 0;
  const std::uint64_t hash = Xxh3({reinterpret_cast<const char*>(t.data()), t.size_bytes()});
  std::shared_ptr<const Column> known;
  {
    MutexLock lock(mutex_);
    if (const auto it = columns_.find(hash); it != columns_.end()) known = it->second;
  }
  if (known != nullptr) return known->t.size() == t.size() && std::memcmp(known->t.data(), t.data(), t.size_bytes()) == 0 ? known->id : 0;
  auto column = std::make_shared<Column>();
  column->t.assign(t.begin(), t.end());
  MutexLock lock(mutex_);
  if (column_rows_ > kMaxColumnRows) {
    // Ids go on counting: forgetting only costs sharing.
    columns_.clear();
    column_rows_ = 0;
  }
  column->id = ++next_id_;
  column_rows_ += t.size();
  const auto [it, added] = columns_.try_emplace(hash, column);
  if (!added && it->second->t != column->t) return 0;
  return it->second->id;
}

Result<void> PartsSelection::Read(std::size_t i, std::int64_t min_ms, std::int64_t max_ms, SeriesColumns* out) const {
  out->Clear();
  out->t_buffer.clear();
  out->v_buffer.clear();
  out->st_buffer.clear();
  // The chunk each sample came from, kept only once samples are out of order.
  struct Run {
    std::size_t floats, histograms;  // ends
  };
  std::vector<Run> runs;
  bool ordered = true, mixed = false;
  std::int64_t last = kMinTimeMs;
  for (std::uint32_t n = starts_[i]; n < starts_[i + 1]; ++n) {
    const Source& source = sources_[n];
    const PartSeries& s = Of(source);
    for (const ChunkMeta& c : s.chunks) {
      if (c.min_ms > max_ms || c.max_ms < min_ms) continue;
      const std::size_t from = out->t_buffer.size(), h_from = out->histograms.size();
      parts_[source.part]->ReadChunk(s, c, out);
      if (s.deleted != nullptr) HideDeleted(*s.deleted, from, h_from, out);
      const auto check = [&](std::int64_t t) {
        ordered = ordered && (t > last || (t == kMinTimeMs && from + h_from == 0));
        last = t;
      };
      for (std::size_t k = from; k < out->t_buffer.size(); ++k) check(out->t_buffer[k]);
      for (std::size_t k = h_from; k < out->histograms.size(); ++k) check(out->histograms[k].t_ms);
      mixed = mixed || (out->t_buffer.size() > from && out->histograms.size() > h_from);
      runs.push_back({out->t_buffer.size(), out->histograms.size()});
    }
  }
  if (!ordered || mixed) {
    std::vector<std::size_t> float_ranks(out->t_buffer.size()), histogram_ranks(out->histograms.size());
    std::size_t f = 0, h = 0;
    for (std::size_t r = 0; r < runs.size(); ++r) {
      while (f < runs[r].floats) float_ranks[f++] = r;
      while (h < runs[r].histograms) histogram_ranks[h++] = r;
    }
    SortSamples(out, &float_ranks, &histogram_ranks);
  }

  // To the range.
  const auto begin = std::lower_bound(out->t_buffer.begin(), out->t_buffer.end(), min_ms);
  const auto end = std::upper_bound(begin, out->t_buffer.end(), max_ms);
  const auto first = static_cast<std::size_t>(begin - out->t_buffer.begin()), count = static_cast<std::size_t>(end - begin);
  out->t = std::span<const std::int64_t>(out->t_buffer).subspan(first, count);
  out->v = std::span<const double>(out->v_buffer).subspan(first, count);
  if (!out->st_buffer.empty()) {
    out->st_buffer.resize(out->t_buffer.size(), 0);
    const auto st = std::span<const std::int64_t>(out->st_buffer).subspan(first, count);
    if (std::any_of(st.begin(), st.end(), [](std::int64_t v) { return v != 0; })) out->st = st;
  }
  if (!out->histograms.empty()) {
    const auto earlier = [](const HistogramSample& a, std::int64_t t) { return a.t_ms < t; };
    const auto later = [](std::int64_t t, const HistogramSample& a) { return t < a.t_ms; };
    const auto h_begin = std::lower_bound(out->histograms.begin(), out->histograms.end(), min_ms, earlier);
    const auto h_end = std::upper_bound(h_begin, out->histograms.end(), max_ms, later);
    const auto h_first = h_begin - out->histograms.begin(), h_last = h_end - out->histograms.begin();
    if (!out->histogram_st.empty()) {
      out->histogram_st.resize(out->histograms.size(), 0);
      out->histogram_st.erase(out->histogram_st.begin() + h_last, out->histogram_st.end());
      out->histogram_st.erase(out->histogram_st.begin(), out->histogram_st.begin() + h_first);
    }
    out->histograms.erase(h_end, out->histograms.end());
    out->histograms.erase(out->histograms.begin(), h_begin);
  }
  out->time_column = ColumnId(out->t);
  for (const MissingPart& m : missing_)
    if (Overlaps({m.min_ms, m.max_ms}, min_ms, max_ms)) out->warnings.push_back(m.what);
  return {};
}

}  // namespace

void NormalizeIntervals(Intervals* intervals) {
  std::sort(intervals->begin(), intervals->end());
  Intervals out;
  for (const auto& i : *intervals) {
    if (!out.empty() && (out.back().second == kMaxTimeMs || i.first <= out.back().second + 1)) {
      out.back().second = std::max(out.back().second, i.second);
    } else {
      out.push_back(i);
    }
  }
  *intervals = std::move(out);
}

PartsQueryable::PartsQueryable(std::vector<std::shared_ptr<const Part>> parts, std::vector<MissingPart> missing)
    : parts_(std::move(parts)), missing_(std::move(missing)) {}

Result<std::unique_ptr<Selection>> PartsQueryable::Select(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const {
  std::vector<std::shared_ptr<const Part>> parts;
  std::vector<std::vector<PartSeries>> series;
  std::vector<MissingPart> missing;
  for (const MissingPart& m : missing_)
    if (Overlaps({m.min_ms, m.max_ms}, min_ms, max_ms)) missing.push_back(m);
  for (const auto& part : parts_) {
    const auto range = part->TimeRange();
    if (!Overlaps(range, min_ms, max_ms)) continue;
    auto found = part->SelectSeries(matchers, min_ms, max_ms);
    if (!found) {
      if (found.error().code != Errc::kCorrupt && found.error().code != Errc::kUnsupported) return std::move(found.error());
      missing.push_back({found.error().message, range.first, range.second});
      continue;
    }
    if (found->empty()) continue;
    parts.push_back(part);
    series.push_back(std::move(*found));
  }
  if (series.empty() && !missing.empty()) return Error{Errc::kCorrupt, missing[0].what};
  return std::unique_ptr<Selection>(new PartsSelection(std::move(parts), std::move(series), std::move(missing)));
}

Result<std::vector<std::string>> PartsQueryable::LabelNames(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const {
  return ReadableLabelNames(matchers, min_ms, max_ms, nullptr);
}
Result<std::vector<std::string>> PartsQueryable::LabelValues(std::string_view name, const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const {
  return ReadableLabelValues(name, matchers, min_ms, max_ms, nullptr);
}
Result<std::vector<std::string>> PartsQueryable::ReadableLabelNames(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms, std::vector<std::string>* warnings) const {
  return UniteStrings(parts_, missing_, min_ms, max_ms, warnings, [&](const Part& part) { return part.LabelNames(matchers); });
}
Result<std::vector<std::string>> PartsQueryable::ReadableLabelValues(std::string_view name, const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms,
                                                                     std::vector<std::string>* warnings) const {
  return UniteStrings(parts_, missing_, min_ms, max_ms, warnings, [&](const Part& part) { return part.LabelValues(name, matchers); });
}

Result<std::vector<std::pair<std::string, Metadata>>> PartsQueryable::ListMetadata() const {
  std::map<std::string, Metadata> all;
  for (const auto& part : parts_)
    for (auto& [name, metadata] : part->ListMetadata()) all[name] = std::move(metadata);
  return std::vector<std::pair<std::string, Metadata>>(all.begin(), all.end());
}

Result<std::vector<Queryable::SeriesExemplars>> PartsQueryable::Exemplars(const std::vector<Matchers>& any_of, std::int64_t min_ms, std::int64_t max_ms) const {
  std::map<Labels, std::vector<Exemplar>> all;
  for (const auto& part : parts_) {
    for (auto& s : part->Exemplars(any_of, min_ms, max_ms)) {
      auto& to = all[s.series];
      to.insert(to.end(), std::make_move_iterator(s.exemplars.begin()), std::make_move_iterator(s.exemplars.end()));
    }
  }
  std::vector<SeriesExemplars> out;
  for (auto& [labels, exemplars] : all) out.push_back({labels, std::move(exemplars)});
  return out;
}

std::pair<std::int64_t, std::int64_t> PartsQueryable::TimeRange() const {
  std::pair<std::int64_t, std::int64_t> out{kMaxTimeMs, kMinTimeMs};
  for (const auto& part : parts_) {
    const auto range = part->TimeRange();
    if (range.first > range.second) continue;
    out = {std::min(out.first, range.first), std::max(out.second, range.second)};
  }
  for (const MissingPart& m : missing_) {
    if (m.min_ms != kMinTimeMs) out = {std::min(out.first, m.min_ms), std::max(out.second, m.max_ms)};
  }
  return out;
}

}  // namespace prom::tsdb
