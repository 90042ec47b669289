#include "store/hidden.h"

#include <algorithm>

namespace prom::store {

HiddenRanges HiddenOf(const Labels& labels, const Tombstones& tombstones) {
  HiddenRanges out;
  for (const Tombstone& t : tombstones) {
    if (std::all_of(t.matchers.begin(), t.matchers.end(), [&](const Matcher& m) { return m.Matches(labels.Get(m.name())); })) out.emplace_back(t.min_ms, t.max_ms);
  }
  std::sort(out.begin(), out.end());
  std::size_t n = 0;
  for (const auto& range : out) {
    if (n > 0 && range.first <= out[n - 1].second) {
      out[n - 1].second = std::max(out[n - 1].second, range.second);
    } else {
      out[n++] = range;
    }
  }
  out.resize(n);
  return out;
}

bool Hides(const HiddenRanges& hidden, std::int64_t t_ms) {
  return std::any_of(hidden.begin(), hidden.end(), [&](const auto& range) { return t_ms >= range.first && t_ms <= range.second; });
}

bool HidesAll(const HiddenRanges& hidden, std::int64_t min_ms, std::int64_t max_ms) {
  return std::any_of(hidden.begin(), hidden.end(), [&](const auto& range) { return min_ms >= range.first && max_ms <= range.second; });
}

void RemoveHidden(const HiddenRanges& hidden, SeriesColumns* columns) {
  if (hidden.empty()) return;
  // Filtered into new vectors: the spans may look into memory that others share.
  std::vector<std::int64_t> t, st;
  std::vector<double> v;
  for (std::size_t n = 0; n < columns->t.size(); ++n) {
    if (Hides(hidden, columns->t[n])) continue;
    t.push_back(columns->t[n]);
    v.push_back(columns->v[n]);
    if (!columns->st.empty()) st.push_back(columns->st[n]);
  }
  columns->time_column = 0;
  columns->t_buffer = std::move(t);
  columns->v_buffer = std::move(v);
  columns->st_buffer = std::move(st);
  columns->t = columns->t_buffer;
  columns->v = columns->v_buffer;
  columns->st = columns->st_buffer;
  std::size_t kept = 0;
  for (std::size_t n = 0; n < columns->histograms.size(); ++n) {
    if (Hides(hidden, columns->histograms[n].t_ms)) continue;
    if (kept != n) {
      columns->histograms[kept] = std::move(columns->histograms[n]);
      if (!columns->histogram_st.empty()) columns->histogram_st[kept] = columns->histogram_st[n];
    }
    ++kept;
  }
  columns->histograms.resize(kept);
  if (!columns->histogram_st.empty()) columns->histogram_st.resize(kept);
}

}  // namespace prom::store
