#include "store/merged.h"

#include <algorithm>
#include <bit>
#include <map>
#include <unordered_map>

#include "base/bytes.h"
#include "base/mutex.h"
#include "base/time.h"

namespace prom::store {
namespace {

// Ids of the sources' time columns, made unique over the sources: small ones get the
// source's number in front; joined columns are counted from 1 and stay below these.
constexpr int kSourceShift = 48;

class MergedSelection : public Selection {
 public:
  MergedSelection(std::vector<std::unique_ptr<Selection>> selections, std::vector<MissingPart> missing)
      : selections_(std::move(selections)), missing_(std::move(missing)) {
    Merge();
  }

  std::size_t size() const override { return labels_.size(); }
  const Labels& labels(std::size_t i) const override { return *labels_[i]; }
  Result<void> Read(std::size_t i, std::int64_t min_ms, std::int64_t max_ms, SeriesColumns* out) const override { return Read(i, min_ms, max_ms, false, out); }
  Result<void> ReadLatest(std::size_t i, std::int64_t min_ms, std::int64_t max_ms, SeriesColumns* out) const override { return Read(i, min_ms, max_ms, true, out); }
  std::vector<std::string> warnings() const override {
    std::vector<std::string> out;
    for (const MissingPart& m : missing_) out.push_back(m.what);
    return out;
  }

 private:
  struct Source {
    std::uint32_t selection = 0, index = 0;
  };
  using Times = std::vector<std::int64_t>;
  struct Joined {
    std::uint64_t id = 0;
    std::shared_ptr<const Times> times;
  };

  void Merge();
  Result<void> Read(std::size_t i, std::int64_t min_ms, std::int64_t max_ms, bool latest, SeriesColumns* out) const;
  std::uint64_t IdOf(std::uint32_t selection, std::uint64_t id) const;
  Joined& Intern(const std::string& key) const REQUIRES(mutex_);
  void Concatenate(std::vector<std::pair<std::uint32_t, SeriesColumns*>>* parts, std::int64_t min_ms, std::int64_t max_ms, SeriesColumns* out) const;
  static void Interleave(const std::vector<std::pair<std::uint32_t, SeriesColumns*>>& parts, SeriesColumns* out);

  std::vector<std::unique_ptr<Selection>> selections_;
  std::vector<MissingPart> missing_;
  std::vector<const Labels*> labels_;
  std::vector<std::size_t> starts_;  // of the series' sources; one more at the end
  std::vector<Source> sources_;

  static constexpr std::size_t kMaxJoined = 1 << 16;
  static constexpr std::size_t kMaxJoinedRows = 4u << 20;
  mutable Mutex mutex_;
  mutable std::vector<std::unique_ptr<SeriesColumns>> spare_ GUARDED_BY(mutex_);
  mutable std::unordered_map<std::string, Joined> joined_ GUARDED_BY(mutex_);
  mutable std::uint64_t next_id_ GUARDED_BY(mutex_) = 0;
  mutable std::size_t joined_rows_ GUARDED_BY(mutex_) = 0;
};

void MergedSelection::Merge() {
  constexpr std::size_t kRun = 64;
  std::vector<std::size_t> next(selections_.size(), 0);
  std::vector<std::uint32_t> left;  // selections with series left
  std::size_t most = 0, all = 0;
  for (std::uint32_t s = 0; s < selections_.size(); ++s) {
    if (selections_[s]->size() > 0) left.push_back(s);
    most = std::max(most, selections_[s]->size());
    all += selections_[s]->size();
  }
  sources_.reserve(all);
  labels_.reserve(most);
  starts_.reserve(most + 1);
  const auto head = [&](std::uint32_t s) -> const Labels& { return selections_[s]->labels(next[s]); };
  const auto begin_series = [&](const Labels& series) {
    if (!labels_.empty() && *labels_.back() == series) return;
    labels_.push_back(&series);
    starts_.push_back(sources_.size());
  };
  const auto take = [&](std::uint32_t s) {
    sources_.push_back({s, static_cast<std::uint32_t>(next[s])});
    return ++next[s] < selections_[s]->size();
  };
  // Selections with series left, as a heap by their next labels; of equal ones the earlier source first.
  const auto after = [&](std::uint32_t a, std::uint32_t b) {
    const auto order = head(a) <=> head(b);
    return order != 0 ? order > 0 : a > b;
  };
  while (!left.empty()) {
    // Most series are in all sources: as long as that holds, equality is all that has to be looked at, source by source
    // for some series at a time.
    for (std::size_t same = kRun; same == kRun;) {
      for (const std::uint32_t s : left) same = std::min(same, selections_[s]->size() - next[s]);
      const Selection& first = *selections_[left[0]];
      for (auto s = left.begin() + 1; s != left.end(); ++s) {
        const Selection& other = *selections_[*s];
        std::size_t n = 0;
        while (n < same && first.labels(next[left[0]] + n) == other.labels(next[*s] + n)) ++n;
        same = n;
      }
      for (std::size_t n = 0; n < same; ++n) {
        begin_series(head(left[0]));
        for (const std::uint32_t s : left) sources_.push_back({s, static_cast<std::uint32_t>(next[s]++)});
      }
      std::erase_if(left, [&](std::uint32_t s) { return next[s] == selections_[s]->size(); });
      if (left.empty()) break;
    }
    std::make_heap(left.begin(), left.end(), after);
    for (int rounds = 1024; rounds > 0 && !left.empty(); --rounds) {
      std::pop_heap(left.begin(), left.end(), after);
      const std::uint32_t s = left.back();
      begin_series(head(s));
      if (take(s)) {
        std::push_heap(left.begin(), left.end(), after);
      } else {
        left.pop_back();
      }
    }
    std::sort(left.begin(), left.end());
  }
  starts_.push_back(sources_.size());
}

MergedSelection::Joined& MergedSelection::Intern(const std::string& key) const {
  if (joined_.size() >= kMaxJoined || joined_rows_ > kMaxJoinedRows) {
    // Ids go on counting: forgetting only costs sharing.
    joined_.clear();
    joined_rows_ = 0;
  }
  Joined& joined = joined_[key];
  if (joined.id == 0) joined.id = ++next_id_;
  return joined;
}

std::uint64_t MergedSelection::IdOf(std::uint32_t selection, std::uint64_t id) const {
  if (id == 0) return 0;
  if (id >> kSourceShift == 0 && selection < 0xffff) return (std::uint64_t{selection} + 1) << kSourceShift | id;
  std::string key(1, 'i');
  AppendLe(&key, selection);
  AppendLe(&key, id);
  MutexLock lock(mutex_);
  return Intern(key).id;
}

void MergedSelection::Concatenate(std::vector<std::pair<std::uint32_t, SeriesColumns*>>* parts, std::int64_t min_ms, std::int64_t max_ms,
                                  SeriesColumns* out) const {
  std::size_t total = 0, histograms = 0;
  bool starts = false, histogram_starts = false, same = true;
  for (const auto& [source, c] : *parts) {
    total += c->t.size();
    histograms += c->histograms.size();
    starts = starts || !c->st.empty();
    histogram_starts = histogram_starts || !c->histogram_st.empty();
    same = same && (c->t.empty() || c->time_column != 0);
  }
  // Times: joined once for all series whose parts have the same columns.
  std::string key;
  bool joined_before = false;
  if (same && total > 0) {
    key.push_back('j');
    AppendLe(&key, min_ms);
    AppendLe(&key, max_ms);
    for (const auto& [source, c] : *parts) {
      if (c->t.empty()) continue;
      AppendLe(&key, source);
      AppendLe(&key, c->time_column);
    }
    MutexLock lock(mutex_);
    const Joined& joined = Intern(key);
    out->time_column = joined.id;
    if (joined.times != nullptr && joined.times->size() == total) {
      out->t = *joined.times;
      out->pin = joined.times;
      joined_before = true;
    }
  }
  if (!joined_before && total > 0) {
    auto times = std::make_shared<Times>();
    times->reserve(total);
    for (const auto& [source, c] : *parts) times->insert(times->end(), c->t.begin(), c->t.end());
    out->t = *times;
    out->pin = times;
    if (same) {
      MutexLock lock(mutex_);
      joined_rows_ += total;
      Intern(key).times = std::move(times);
    }
  }

  if (out->v_buffer.size() < total) out->v_buffer.resize(total);
  if (starts) out->st_buffer.assign(total, 0);
  out->histograms.reserve(histograms);
  std::size_t at = 0;
  bool no_resets = total > 0;
  for (const auto& [source, c] : *parts) {
    if (!c->t.empty()) {
      no_resets = no_resets && c->no_resets && (at == 0 || c->v[0] >= out->v_buffer[at - 1]);
      std::copy(c->v.begin(), c->v.end(), out->v_buffer.begin() + static_cast<std::ptrdiff_t>(at));
      if (!c->st.empty()) std::copy(c->st.begin(), c->st.end(), out->st_buffer.begin() + static_cast<std::ptrdiff_t>(at));
      at += c->t.size();
    }
    for (std::size_t n = 0; n < c->histograms.size(); ++n) {
      out->histograms.push_back(std::move(c->histograms[n]));
      if (histogram_starts) out->histogram_st.push_back(c->histogram_st.empty() ? 0 : c->histogram_st[n]);
    }
  }
  out->v = {out->v_buffer.data(), total};
  if (starts) out->st = {out->st_buffer.data(), total};
  out->no_resets = no_resets;
}

void MergedSelection::Interleave(const std::vector<std::pair<std::uint32_t, SeriesColumns*>>& parts, SeriesColumns* out) {
  struct Row {
    std::int64_t t;
    std::uint32_t part;
    std::uint32_t index;
    bool histogram;
  };
  std::vector<Row> rows;
  bool starts = false, histogram_starts = false;
  for (std::uint32_t p = 0; p < parts.size(); ++p) {
    const SeriesColumns& c = *parts[p].second;
    starts = starts || !c.st.empty();
    histogram_starts = histogram_starts || !c.histogram_st.empty();
    for (std::uint32_t i = 0; i < c.t.size(); ++i) rows.push_back({c.t[i], p, i, false});
    for (std::uint32_t i = 0; i < c.histograms.size(); ++i) rows.push_back({c.histograms[i].t_ms, p, i, true});
  }
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.t != b.t ? a.t < b.t : a.part < b.part; });
  out->t_buffer.clear();
  out->v_buffer.clear();
  out->st_buffer.clear();
  for (std::size_t n = 0; n < rows.size(); ++n) {
    const Row& row = rows[n];
    if (n + 1 < rows.size() && rows[n + 1].t == row.t) continue;  // a later source has it
    SeriesColumns& c = *parts[row.part].second;
    if (row.histogram) {
      out->histograms.push_back(c.histograms[row.index]);
      if (histogram_starts) out->histogram_st.push_back(c.histogram_st.empty() ? 0 : c.histogram_st[row.index]);
    } else {
      out->t_buffer.push_back(row.t);
      out->v_buffer.push_back(c.v[row.index]);
      if (starts) out->st_buffer.push_back(c.st.empty() ? 0 : c.st[row.index]);
    }
  }
  out->t = out->t_buffer;
  out->v = out->v_buffer;
  if (starts) out->st = out->st_buffer;
}

Result<void> MergedSelection::Read(std::size_t i, std::int64_t min_ms, std::int64_t max_ms, bool latest, SeriesColumns* out) const {
  const std::size_t begin = starts_[i], count = starts_[i + 1] - begin;
  const auto warn_missing = [&] {
    for (const MissingPart& m : missing_) {
      if (Overlaps({m.min_ms, m.max_ms}, min_ms, max_ms)) out->warnings.push_back(m.what);
    }
  };
  if (count == 1) {
    const Source& s = sources_[begin];
    const Selection& source = *selections_[s.selection];
    PROM_TRY(latest ? source.ReadLatest(s.index, min_ms, max_ms, out) : source.Read(s.index, min_ms, max_ms, out));
    out->time_column = IdOf(s.selection, out->time_column);
    warn_missing();
    return {};
  }
  out->Clear();
  std::vector<std::unique_ptr<SeriesColumns>> columns(count);
  {
    MutexLock lock(mutex_);
    for (auto& c : columns) {
      if (spare_.empty()) break;
      c = std::move(spare_.back());
      spare_.pop_back();
    }
  }
  std::vector<std::pair<std::uint32_t, SeriesColumns*>> parts;  // in the order of the sources
  std::vector<std::string> warnings;
  const auto range = [](const SeriesColumns& c) {
    std::pair<std::int64_t, std::int64_t> r{kMaxTimeMs, kMinTimeMs};
    if (!c.t.empty()) r = {c.t.front(), c.t.back()};
    if (!c.histograms.empty()) r = {std::min(r.first, c.histograms.front().t_ms), std::max(r.second, c.histograms.back().t_ms)};
    return r;
  };
  for (std::size_t n = 0; n < count; ++n) {
    if (columns[n] == nullptr) columns[n] = std::make_unique<SeriesColumns>();
    const Source& s = sources_[begin + n];
    const Selection& source = *selections_[s.selection];
    PROM_TRY(latest ? source.ReadLatest(s.index, min_ms, max_ms, columns[n].get()) : source.Read(s.index, min_ms, max_ms, columns[n].get()));
    for (auto& w : columns[n]->warnings) warnings.push_back(std::move(w));
    if (!columns[n]->t.empty() || !columns[n]->histograms.empty()) parts.emplace_back(s.selection, columns[n].get());
  }
  if (parts.size() == 1) {
    std::swap(*out, *parts[0].second);  // spans follow their vectors
    out->time_column = IdOf(parts[0].first, out->time_column);
  } else if (parts.size() > 1) {
    auto ordered = parts;
    std::sort(ordered.begin(), ordered.end(), [&](const auto& a, const auto& b) { return range(*a.second).first < range(*b.second).first; });
    bool disjoint = true;
    for (std::size_t n = 1; disjoint && n < ordered.size(); ++n) disjoint = range(*ordered[n - 1].second).second < range(*ordered[n].second).first;
    if (disjoint) {
      Concatenate(&ordered, min_ms, max_ms, out);
    } else {
      Interleave(parts, out);
    }
  }
  out->warnings = std::move(warnings);
  warn_missing();
  MutexLock lock(mutex_);
  for (auto& c : columns) {
    if (spare_.size() >= 64) break;
    c->Clear();
    spare_.push_back(std::move(c));
  }
  return {};
}

}  // namespace

MergedQueryable::MergedQueryable(std::vector<std::shared_ptr<const Queryable>> sources, std::vector<MissingPart> missing)
    : sources_(std::move(sources)), missing_(std::move(missing)) {}

Result<std::unique_ptr<Selection>> MergedQueryable::Select(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const {
  std::vector<std::unique_ptr<Selection>> selections;
  std::vector<MissingPart> missing;
  for (const MissingPart& m : missing_) {
    if (Overlaps({m.min_ms, m.max_ms}, min_ms, max_ms)) missing.push_back(m);
  }
  std::size_t series = 0;
  for (const auto& source : sources_) {
    const auto range = source->TimeRange();
    if (!Overlaps(range, min_ms, max_ms)) continue;
    auto selection = source->Select(matchers, min_ms, max_ms);
    if (!selection) {
      if (selection.error().code != Errc::kCorrupt) return std::move(selection.error());
      missing.push_back({selection.error().message, range.first, range.second});
      continue;
    }
    if ((*selection)->size() == 0) continue;
    series += (*selection)->size();
    selections.push_back(std::move(*selection));
  }
  if (series == 0 && !missing.empty()) return Error{Errc::kCorrupt, missing[0].what};
  if (selections.size() == 1 && missing.empty()) return std::move(selections[0]);
  return std::unique_ptr<Selection>(new MergedSelection(std::move(selections), std::move(missing)));
}

Result<std::vector<std::string>> MergedQueryable::LabelNames(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const {
  return ReadableLabelNames(matchers, min_ms, max_ms, nullptr);
}
Result<std::vector<std::string>> MergedQueryable::LabelValues(std::string_view name, const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const {
  return ReadableLabelValues(name, matchers, min_ms, max_ms, nullptr);
}
Result<std::vector<std::string>> MergedQueryable::ReadableLabelNames(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms, std::vector<std::string>* warnings) const {
  return UniteStrings(sources_, missing_, min_ms, max_ms, warnings, [&](const Queryable& q) { return q.LabelNames(matchers, min_ms, max_ms); });
}
Result<std::vector<std::string>> MergedQueryable::ReadableLabelValues(std::string_view name, const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms,
                                                                      std::vector<std::string>* warnings) const {
  return UniteStrings(sources_, missing_, min_ms, max_ms, warnings, [&](const Queryable& q) { return q.LabelValues(name, matchers, min_ms, max_ms); });
}

Result<std::vector<std::pair<std::string, Metadata>>> MergedQueryable::ListMetadata() const {
  std::map<std::string, Metadata> all;
  for (const auto& source : sources_) {
    PROM_ASSIGN(auto list, source->ListMetadata());
    for (auto& [name, metadata] : list) all[std::move(name)] = std::move(metadata);
  }
  return std::vector<std::pair<std::string, Metadata>>(all.begin(), all.end());
}

void SortExemplars(std::vector<Exemplar>* exemplars) {
  std::stable_sort(exemplars->begin(), exemplars->end(), [](const Exemplar& a, const Exemplar& b) { return a.t_ms < b.t_ms; });
  const auto same = [](const Exemplar& a, const Exemplar& b) {
    return a.t_ms == b.t_ms && a.labels == b.labels && std::bit_cast<std::uint64_t>(a.value) == std::bit_cast<std::uint64_t>(b.value);
  };
  exemplars->erase(std::unique(exemplars->begin(), exemplars->end(), same), exemplars->end());
}

Result<std::vector<Queryable::SeriesExemplars>> MergedQueryable::Exemplars(const std::vector<Matchers>& any_of, std::int64_t min_ms, std::int64_t max_ms) const {
  PROM_TRY(RefuseMissing(missing_, min_ms, max_ms));
  std::map<Labels, std::vector<Exemplar>> all;
  for (const auto& source : sources_) {
    PROM_ASSIGN(auto list, source->Exemplars(any_of, min_ms, max_ms));
    for (auto& s : list) {
      auto& to = all[s.series];
      for (auto& e : s.exemplars) to.push_back(std::move(e));
    }
  }
  std::vector<SeriesExemplars> out;
  for (auto& [labels, exemplars] : all) {
    SortExemplars(&exemplars);
    out.push_back({labels, std::move(exemplars)});
  }
  return out;
}

std::pair<std::int64_t, std::int64_t> MergedQueryable::TimeRange() const {
  std::pair<std::int64_t, std::int64_t> out{kMaxTimeMs, kMinTimeMs};
  for (const auto& source : sources_) {
    const auto range = source->TimeRange();
    out = {std::min(out.first, range.first), std::max(out.second, range.second)};
  }
  for (const MissingPart& m : missing_) out = {std::min(out.first, m.min_ms), std::max(out.second, m.max_ms)};
  return out;
}

}  // namespace prom::store
