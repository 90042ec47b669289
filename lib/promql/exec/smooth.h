// Interpolation between samples, for selectors with `smoothed`.
#pragma once

#include <span>

#include "model/sample.h"
#include "promql/exec/operator.h"

namespace prom::promql {

// The line through two samples at `t`. A counter that fell starts from 0.
double Interpolate(std::int64_t t1, double v1, std::int64_t t2, double v2, std::int64_t t, bool is_counter);

// The samples of (start, end] with one at either edge, as `anchored` and `smoothed` have it; empty when none lies after the start.
void ExtendToEdges(std::span<const std::int64_t> t, std::span<const double> v, std::int64_t start, std::int64_t end, bool smoothed,
                   std::vector<FloatSample>* out);

struct InterpolatedHistogram {
  HistogramPtr h;  // null: incompatible buckets
  bool bounds_reconciled_sub = false, bounds_reconciled_add = false;
};
InterpolatedHistogram InterpolateHistogram(const HistogramSample& a, const HistogramSample& b, std::int64_t t, bool is_counter);

// The histogram of a window at `t`: exact, interpolated or the last one; null when there is none before.
HistogramPtr SmoothedHistogram(QueryContext& context, std::span<const HistogramSample> window, std::int64_t t, const Labels& labels, PosRange pos);

}  // namespace prom::promql
