#include "promql/memory_store.h"

#include <algorithm>
#include <set>

#include "base/time.h"

namespace prom::promql {

namespace {

bool MatchesAll(const Labels& labels, const Matchers& matchers) {
  return std::all_of(matchers.begin(), matchers.end(), [&](const Matcher& m) { return m.Matches(labels.Get(m.name())); });
}

class MemorySelection : public Selection {
 public:
  std::size_t size() const override { return items_.size(); }
  const Labels& labels(std::size_t i) const override { return *items_[i].first; }
  Result<void> Read(std::size_t i, std::int64_t min_ms, std::int64_t max_ms, SeriesColumns* out) const override {
    out->Clear();
    const MemoryStore::Series& s = *items_[i].second;
    const std::vector<std::int64_t>& t = s.times();
    const auto from = std::lower_bound(t.begin(), t.end(), min_ms), to = std::upper_bound(from, t.end(), max_ms);
    const std::size_t first = static_cast<std::size_t>(from - t.begin()), count = static_cast<std::size_t>(to - from);
    out->t = std::span(t).subspan(first, count);
    out->v = std::span(s.v).subspan(first, count);
    if (!s.st.empty()) out->st = std::span(s.st).subspan(first, count);
    if (s.shared_t) out->time_column = reinterpret_cast<std::uintptr_t>(s.shared_t.get());
    out->no_resets = s.no_resets;
    for (std::size_t k = 0; k < s.histograms.size(); ++k) {
      if (s.histograms[k].t_ms < min_ms || s.histograms[k].t_ms > max_ms) continue;
      out->histograms.push_back(s.histograms[k]);
      if (!s.histogram_st.empty()) out->histogram_st.push_back(s.histogram_st[k]);
    }
    return {};
  }
  void Add(const Labels& labels, const MemoryStore::Series& series) { items_.emplace_back(&labels, &series); }

 private:
  std::vector<std::pair<const Labels*, const MemoryStore::Series*>> items_;
};

// Sets the start time of sample `at`, filling up with "unknown" when it is the first that is known.
void SetStart(std::vector<std::int64_t>* st, std::size_t size, std::size_t at, bool inserted, std::int64_t st_ms) {
  if (st->empty() && st_ms == 0) return;
  if (st->empty()) {
    st->assign(size, 0);
  } else if (inserted) {
    st->insert(st->begin() + static_cast<std::ptrdiff_t>(at), 0);
  }
  (*st)[at] = st_ms;
}

}  // namespace

void MemoryStore::Append(const Labels& labels, std::int64_t t_ms, double v, std::int64_t st_ms) {
  Series& s = series_[labels];
  if (s.shared_t) {
    s.t = *s.shared_t;
    s.shared_t.reset();
  }
  s.no_resets = false;
  const auto it = std::lower_bound(s.t.begin(), s.t.end(), t_ms);
  const std::size_t at = static_cast<std::size_t>(it - s.t.begin());
  const bool inserted = it == s.t.end() || *it != t_ms;
  if (inserted) {
    s.t.insert(it, t_ms);
    s.v.insert(s.v.begin() + static_cast<std::ptrdiff_t>(at), v);
  } else {
    s.v[at] = v;
  }
  SetStart(&s.st, s.t.size(), at, inserted, st_ms);
}

void MemoryStore::Append(const Labels& labels, std::int64_t t_ms, std::shared_ptr<const Histogram> h, std::int64_t st_ms) {
  Series& s = series_[labels];
  const auto it = std::lower_bound(s.histograms.begin(), s.histograms.end(), t_ms, [](const HistogramSample& a, std::int64_t t) { return a.t_ms < t; });
  const std::size_t at = static_cast<std::size_t>(it - s.histograms.begin());
  const bool inserted = it == s.histograms.end() || it->t_ms != t_ms;
  if (inserted) {
    s.histograms.insert(it, {t_ms, std::move(h)});
  } else {
    it->h = std::move(h);
  }
  SetStart(&s.histogram_st, s.histograms.size(), at, inserted, st_ms);
}

void MemoryStore::SetColumn(const Labels& labels, std::shared_ptr<const std::vector<std::int64_t>> t, std::vector<double> v, bool no_resets) {
  Series s;
  s.shared_t = std::move(t);
  s.v = std::move(v);
  s.v.resize(s.shared_t->size());
  s.no_resets = no_resets;
  series_[labels] = std::move(s);
}

Result<std::unique_ptr<Selection>> MemoryStore::Select(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const {
  auto out = std::make_unique<MemorySelection>();
  for (const auto& [labels, series] : series_) {
    const std::vector<std::int64_t>& t = series.times();
    const bool floats = !t.empty() && t.front() <= max_ms && t.back() >= min_ms;
    const bool histograms = !series.histograms.empty() && series.histograms.front().t_ms <= max_ms && series.histograms.back().t_ms >= min_ms;
    if ((floats || histograms) && MatchesAll(labels, matchers)) out->Add(labels, series);
  }
  return std::unique_ptr<Selection>(std::move(out));
}

Result<std::vector<std::string>> MemoryStore::LabelNames(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const {
  PROM_ASSIGN(const std::unique_ptr<Selection> selection, Select(matchers, min_ms, max_ms));
  std::set<std::string, std::less<>> names;
  for (std::size_t i = 0; i < selection->size(); ++i) {
    for (const Label label : selection->labels(i)) names.emplace(label.name);
  }
  return std::vector<std::string>(names.begin(), names.end());
}

Result<std::vector<std::string>> MemoryStore::LabelValues(std::string_view name, const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const {
  PROM_ASSIGN(const std::unique_ptr<Selection> selection, Select(matchers, min_ms, max_ms));
  std::set<std::string, std::less<>> values;
  for (std::size_t i = 0; i < selection->size(); ++i) {
    if (const std::string_view value = selection->labels(i).Get(name); !value.empty()) values.emplace(value);
  }
  return std::vector<std::string>(values.begin(), values.end());
}

std::pair<std::int64_t, std::int64_t> MemoryStore::TimeRange() const {
  std::int64_t min = kMaxTimeMs, max = kMinTimeMs;
  for (const auto& [labels, series] : series_) {
    if (!series.times().empty()) {
      min = std::min(min, series.times().front());
      max = std::max(max, series.times().back());
    }
    if (!series.histograms.empty()) {
      min = std::min(min, series.histograms.front().t_ms);
      max = std::max(max, series.histograms.back().t_ms);
    }
  }
  return {min, max};
}

}  // namespace prom::promql
