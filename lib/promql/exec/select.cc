#include "promql/exec/select.h"

#include <algorithm>

#include "base/number.h"
#include "base/strings.h"
#include "promql/exec/kernels.h"
#include "promql/exec/smooth.h"

namespace prom::promql {

Result<void> SelectOperator::DoPrepare(QueryContext& context) {
  if (grid_.steps == 1 && !spec_.smoothed) source_->WantLatest();
  PROM_TRY(source_->Prepare(context));
  series_ = source_->series();
  return spec_.take == Take::kValue ? Result<void>() : DropNames(context, &series_);
}

void SelectOperator::Find(std::span<const std::int64_t> t, Positions* out) const {
  out->at.assign(grid_.steps, 0);
  out->present.assign((grid_.steps + 63) / 64, 0);
  std::uint32_t next = 0;
  const std::uint32_t n = static_cast<std::uint32_t>(t.size());
  for (std::size_t k = 0; k < grid_.steps; ++k) {
    const std::int64_t at = spec_.shift.At(grid_, k);
    while (next < n && t[next] <= at) ++next;
    if (next == 0 || t[next - 1] <= at - spec_.lookback_ms) continue;
    out->at[k] = next - 1;
    out->present[k / 64] |= std::uint64_t{1} << (k % 64);
  }
}

Result<void> SelectOperator::Read(QueryContext& context, std::size_t i, std::size_t worker, StepColumn* out) {
  Scratch& scratch = scratch_[worker];
  SeriesColumns& s = scratch.samples;
  PROM_TRY(source_->Read(context, i, worker, &s));
  out->Reset(grid_.steps);
  if (spec_.smoothed) {
    Smoothed(context, source_->series()[i].labels, &s, out);
    return {};
  }
  const Positions& p = scratch.positions.Get(s, grid_.steps, [&](Positions* made) { Find(s.t, made); });
  if (!s.histograms.empty()) {
    WithHistograms(s, p, out);
    return {};
  }
  if (s.v.empty()) return {};
  out->present = p.present;
  double* values = out->values.data();
  const double* v = s.v.data();
  const std::uint32_t* at = p.at.data();
  for (std::size_t k = 0; k < grid_.steps; ++k) values[k] = v[at[k]];
  if (!s.no_resets && HasNan(out->values)) {
    for (std::size_t k = 0; k < grid_.steps; ++k) {
      if (IsStaleNan(values[k])) out->Unset(k);
    }
  }
  if (spec_.take == Take::kTimestamp) {
    for (std::size_t k = 0; k < grid_.steps; ++k) values[k] = static_cast<double>(s.t[p.at[k]]) / 1000;
  } else if (spec_.take == Take::kStartTimestamp) {
    for (std::size_t k = 0; k < grid_.steps; ++k) values[k] = s.st.empty() ? 0 : static_cast<double>(s.st[p.at[k]]) / 1000;
  }
  return {};
}

void SelectOperator::WithHistograms(const SeriesColumns& s, const Positions& floats, StepColumn* out) const {
  std::size_t next = 0;
  for (std::size_t k = 0; k < grid_.steps; ++k) {
    const std::int64_t at = spec_.shift.At(grid_, k);
    while (next < s.histograms.size() && s.histograms[next].t_ms <= at) ++next;
    const bool has_float = (floats.present[k / 64] >> (k % 64)) & 1;
    const bool has_histogram = next > 0 && s.histograms[next - 1].t_ms > at - spec_.lookback_ms;
    if (!has_float && !has_histogram) continue;
    const bool take_float = has_float && (!has_histogram || s.t[floats.at[k]] > s.histograms[next - 1].t_ms);
    if (take_float) {
      const double v = s.v[floats.at[k]];
      if (IsStaleNan(v)) continue;
      if (spec_.take == Take::kTimestamp) {
        out->Set(k, static_cast<double>(s.t[floats.at[k]]) / 1000);
      } else if (spec_.take == Take::kStartTimestamp) {
        out->Set(k, s.st.empty() ? 0 : static_cast<double>(s.st[floats.at[k]]) / 1000);
      } else {
        out->Set(k, v);
      }
      continue;
    }
    const HistogramSample& h = s.histograms[next - 1];
    if (IsStaleNan(h.h->sum)) continue;
    if (spec_.take == Take::kTimestamp) {
      out->Set(k, static_cast<double>(h.t_ms) / 1000);
    } else if (spec_.take == Take::kStartTimestamp) {
      out->Set(k, s.histogram_st.empty() ? 0 : static_cast<double>(s.histogram_st[next - 1]) / 1000);
    } else {
      out->histograms.push_back({static_cast<std::uint32_t>(k), h.h});
    }
  }
}

void SelectOperator::Smoothed(QueryContext& context, const Labels& labels, SeriesColumns* s, StepColumn* out) const {
  RemoveStale(s);
  Windows floats, histograms;
  std::vector<std::int64_t> times;
  for (const HistogramSample& h : s->histograms) times.push_back(h.t_ms);
  floats.Compute(s->t, grid_, spec_.shift, spec_.lookback_ms, spec_.lookback_ms);
  histograms.Compute(times, grid_, spec_.shift, spec_.lookback_ms, spec_.lookback_ms);
  for (std::size_t k = 0; k < grid_.steps; ++k) {
    const bool has_floats = floats.lo[k] != floats.hi[k], has_histograms = histograms.lo[k] != histograms.hi[k];
    if (!has_floats && !has_histograms) continue;
    if (has_floats && has_histograms) {
      context.annotations().Warn("encountered a mix of histograms and floats for metric name " + Quote(labels.metric_name()), spec_.pos);
      continue;
    }
    const std::int64_t at = spec_.shift.At(grid_, k);
    if (has_floats) {
      const std::span<const std::int64_t> t = s->t.subspan(floats.lo[k], floats.hi[k] - floats.lo[k]);
      const double* v = s->v.data() + floats.lo[k];
      const std::size_t i = static_cast<std::size_t>(std::lower_bound(t.begin(), t.end(), at) - t.begin());
      if (i < t.size() && t[i] == at) {
        out->Set(k, v[i]);
      } else if (i > 0 && i < t.size()) {
        out->Set(k, Interpolate(t[i - 1], v[i - 1], t[i], v[i], at, false));
      } else if (i > 0) {
        out->Set(k, v[i - 1]);
      }
      continue;
    }
    const std::span<const HistogramSample> window(s->histograms.data() + histograms.lo[k], histograms.hi[k] - histograms.lo[k]);
    if (HistogramPtr h = SmoothedHistogram(context, window, at, labels, spec_.pos)) out->histograms.push_back({static_cast<std::uint32_t>(k), std::move(h)});
  }
}

}  // namespace prom::promql
