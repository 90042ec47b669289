#include "promql/exec/smooth.h"

#include <algorithm>

#include "base/strings.h"
#include "promql/histogram_math.h"

namespace prom::promql {

double Interpolate(std::int64_t t1, double v1, std::int64_t t2, double v2, std::int64_t t, bool is_counter) {
  if (is_counter && v2 < v1) v1 = 0;
  return v1 + (v2 - v1) * static_cast<double>(t - t1) / static_cast<double>(t2 - t1);
}

void ExtendToEdges(std::span<const std::int64_t> t, std::span<const double> v, std::int64_t start, std::int64_t end, bool smoothed,
                   std::vector<FloatSample>* out) {
  out->clear();
  if (t.empty()) return;
  std::size_t last = t.size() - 1, first = 0;
  while (first < last && t[first] <= start) ++first;
  first = first == 0 ? 0 : first - 1;
  if (smoothed) {
    std::size_t right = 0;
    while (right < last && t[right] < end) ++right;
    last = right;
  }
  if (t[last] <= start) return;
  const double left = smoothed && t[first] < start ? Interpolate(t[first], v[first], t[first + 1], v[first + 1], start, false) : v[first];
  const double right = smoothed && last > 0 && t[last] > end ? Interpolate(t[last - 1], v[last - 1], t[last], v[last], end, false) : v[last];
  std::size_t from = first + (t[first] <= start ? 1 : 0), to = last + (t[last] >= end ? 0 : 1);
  out->push_back({start, left});
  for (std::size_t i = from; i < to; ++i) out->push_back({t[i], v[i]});
  out->push_back({end, right});
}

InterpolatedHistogram InterpolateHistogram(const HistogramSample& a, const HistogramSample& b, std::int64_t t, bool is_counter) {
  InterpolatedHistogram out;
  if (t == a.t_ms) {
    out.h = a.h;
    return out;
  }
  if (t == b.t_ms) {
    out.h = b.h;
    return out;
  }
  const double fraction = static_cast<double>(t - a.t_ms) / static_cast<double>(b.t_ms - a.t_ms);
  if (is_counter && DetectReset(*b.h, *a.h)) {
    out.h = MultiplyHistogram(*b.h, fraction);
    return out;
  }
  Histogram result = *b.h;
  HistogramNotes notes = SubtractHistogram(&result, *a.h);
  if (notes.incompatible) return out;
  out.bounds_reconciled_sub = notes.bounds_reconciled;
  auto scaled = MultiplyHistogram(result, fraction);
  notes = AddHistogram(scaled.get(), *a.h);
  if (notes.incompatible) return out;
  out.bounds_reconciled_add = notes.bounds_reconciled;
  out.h = std::move(scaled);
  return out;
}

HistogramPtr SmoothedHistogram(QueryContext& context, std::span<const HistogramSample> window, std::int64_t t, const Labels& labels, PosRange pos) {
  const std::size_t i = static_cast<std::size_t>(
      std::lower_bound(window.begin(), window.end(), t, [](const HistogramSample& s, std::int64_t at) { return s.t_ms < at; }) - window.begin());
  if (i < window.size() && window[i].t_ms == t) return window[i].h;
  if (i == 0) return nullptr;
  const HistogramSample& before = window[i - 1];
  if (i == window.size()) {
    auto copy = std::make_shared<Histogram>(*before.h);
    copy->reset_hint = Histogram::ResetHint::kUnknown;  // it speaks of the sample before, not of this value
    return copy;
  }
  const HistogramSample& after = window[i];
  auto mixed = [&] {
    context.annotations().Warn("vector contains a mix of histograms with exponential and custom buckets schemas for metric name " +
                                   Quote(labels.metric_name()), pos);
  };
  if (before.h->uses_custom_buckets() != after.h->uses_custom_buckets()) {
    mixed();
    return nullptr;
  }
  const bool is_counter = before.h->reset_hint != Histogram::ResetHint::kGauge || after.h->reset_hint != Histogram::ResetHint::kGauge;
  InterpolatedHistogram r = InterpolateHistogram(before, after, t, is_counter);
  if (!r.h) {
    mixed();
    return nullptr;
  }
  if (r.bounds_reconciled_sub) context.annotations().Info("mismatched custom buckets were reconciled during subtraction", pos);
  if (r.bounds_reconciled_add) context.annotations().Info("mismatched custom buckets were reconciled during addition", pos);
  return r.h;
}

}  // namespace prom::promql
