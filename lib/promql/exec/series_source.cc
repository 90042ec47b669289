#include "promql/exec/series_source.h"

#include <algorithm>
#include <bit>

#include "base/number.h"
#include "promql/exec/kernels.h"
#include "promql/histogram_math.h"

namespace prom::promql {

namespace {

void DetectResets(std::vector<HistogramSample>* histograms) {
  HistogramPtr before;  // as stored; a stale marker does not count
  for (HistogramSample& sample : *histograms) {
    if (IsStaleNan(sample.h->sum)) continue;
    const HistogramPtr stored = sample.h;
    if (stored->reset_hint == Histogram::ResetHint::kUnknown && before) {
      auto copy = std::make_shared<Histogram>(*stored);
      copy->reset_hint = DetectReset(*stored, *before) ? Histogram::ResetHint::kReset : Histogram::ResetHint::kNotReset;
      sample.h = std::move(copy);
    }
    before = stored;
  }
}

}  // namespace

Result<void> StorageSource::Prepare(QueryContext& context) {
  PROM_ASSIGN(selection_, context.Select(matchers_, min_ms_, max_ms_));
  series_.reserve(selection_->size());
  Pacer pacer(context);
  for (std::size_t i = 0; i < selection_->size(); ++i) {
    const Labels& labels = selection_->labels(i);
    PROM_TRY(held_.AddMemory(context, sizeof(SeriesMeta) + labels.bytes().size()));
    if (!pacer.Spend(100)) return pacer.status();
    series_.push_back({labels, false});
  }
  return {};
}

Result<void> StorageSource::Read(QueryContext& context, std::size_t i, std::size_t, SeriesColumns* out) {
  PROM_TRY(context.Check());
  if (auto read = latest_ ? selection_->ReadLatest(i, min_ms_, max_ms_, out) : selection_->Read(i, min_ms_, max_ms_, out); !read) return read.error().Wrap("expanding series: ");
  if (detect_resets_) DetectResets(&out->histograms);
  std::size_t samples = out->t.size();
  for (const HistogramSample& h : out->histograms) samples += HistogramHeldSize(*h.h);
  context.CountRead(samples);
  // One column is held at a time; the check is what stops a single huge series.
  PROM_TRY(context.Hold(samples));
  context.Release(samples);
  for (std::string& warning : out->warnings) context.annotations().StorageWarning(std::move(warning));
  return {};
}

std::string StorageSource::Explain() const {
  std::string out = "{";
  for (const Matcher& m : matchers_) {
    if (out.size() > 1) out += ", ";
    out += m.ToString();
  }
  return out + "} from " + std::to_string(min_ms_) + " to " + std::to_string(max_ms_) + " ms";
}

Result<void> SubquerySource::Prepare(QueryContext& context) {
  PROM_TRY(child_->Prepare(context));
  series_ = child_->series();
  const Grid& grid = child_->grid();
  PROM_TRY(context.Hold(grid.steps));
  context.Release(grid.steps);
  times_.resize(grid.steps);
  for (std::size_t k = 0; k < grid.steps; ++k) times_[k] = grid.At(k);
  return {};
}

Result<void> SubquerySource::Read(QueryContext& context, std::size_t i, std::size_t worker, SeriesColumns* out) {
  PROM_TRY(context.Check());
  StepColumn& column = scratch_[worker];
  PROM_TRY(child_->Read(context, i, worker, &column));
  out->Clear();
  const std::size_t floats = column.CountFloats();
  if (floats == times_.size()) {
    out->t = times_;
    out->v_buffer.assign(column.values.begin(), column.values.end());
    out->time_column = 1;
  } else {
    out->t_buffer.clear();
    out->v_buffer.clear();
    ForEachBit(column.present, [&](std::size_t k) {
      out->t_buffer.push_back(times_[k]);
      out->v_buffer.push_back(column.values[k]);
    });
    out->t = out->t_buffer;
  }
  out->v = out->v_buffer;
  for (const HistogramAt& at : column.histograms) {
    HistogramPtr h = at.h;
    // A known reset may have happened at a sample between two steps, or be seen twice: forget it.
    if (h->reset_hint == Histogram::ResetHint::kReset || h->reset_hint == Histogram::ResetHint::kNotReset) {
      auto copy = std::make_shared<Histogram>(*h);
      copy->reset_hint = Histogram::ResetHint::kUnknown;
      h = std::move(copy);
    }
    out->histograms.push_back({times_[at.step], std::move(h)});
  }
  return {};
}

std::string SubquerySource::Explain() const {
  const Grid& g = child_->grid();
  return "subquery of " + std::to_string(g.steps) + " steps from " + std::to_string(g.start_ms) + " by " + std::to_string(g.interval_ms) + " ms";
}

void Windows::Compute(std::span<const std::int64_t> t, const Grid& grid, const TimeShift& shift, std::int64_t range_ms, std::int64_t after_ms) {
  lo.resize(grid.steps);
  hi.resize(grid.steps);
  std::uint32_t from = 0, to = 0;
  const std::uint32_t n = static_cast<std::uint32_t>(t.size());
  for (std::size_t k = 0; k < grid.steps; ++k) {
    const std::int64_t at = shift.At(grid, k);
    const std::int64_t end = at + after_ms, begin = at - range_ms;
    while (to < n && t[to] <= end) ++to;
    while (from < to && t[from] <= begin) ++from;
    lo[k] = from;
    hi[k] = to;
  }
}

void RemoveStale(SeriesColumns* s) {
  for (std::size_t i = 0; i < s->histograms.size();) {
    if (IsStaleNan(s->histograms[i].h->sum)) {
      s->histograms.erase(s->histograms.begin() + static_cast<std::ptrdiff_t>(i));
      if (i < s->histogram_st.size()) s->histogram_st.erase(s->histogram_st.begin() + static_cast<std::ptrdiff_t>(i));
    } else {
      ++i;
    }
  }
  if (s->no_resets || !HasNan(s->v)) return;
  std::size_t first = 0;
  while (first < s->v.size() && !IsStaleNan(s->v[first])) ++first;
  if (first == s->v.size()) return;
  // The spans may be the buffers themselves: compact through fresh ones.
  std::vector<std::int64_t> t, st;
  std::vector<double> v;
  t.reserve(s->t.size());
  v.reserve(s->v.size());
  for (std::size_t i = 0; i < s->v.size(); ++i) {
    if (IsStaleNan(s->v[i])) continue;
    t.push_back(s->t[i]);
    v.push_back(s->v[i]);
    if (!s->st.empty()) st.push_back(s->st[i]);
  }
  s->t_buffer = std::move(t);
  s->v_buffer = std::move(v);
  s->st_buffer = std::move(st);
  s->t = s->t_buffer;
  s->v = s->v_buffer;
  s->st = s->st_buffer;
  s->time_column = 0;
}

}  // namespace prom::promql
