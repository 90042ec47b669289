// A histogram taken apart: buckets as (index, count, rounding error), which makes
// addition a merge. Shared by the .cc files of histogram_math.h and result_json.cc only.
#pragma once

#include <cstdint>
#include <vector>

#include "model/histogram.h"
#include "promql/histogram_math.h"

namespace prom::promql {

struct WideBucket {
  std::int32_t index = 0;
  double v = 0, c = 0;
};

struct WideHistogram {
  std::int32_t schema = 0;
  Histogram::ResetHint hint = Histogram::ResetHint::kUnknown;
  double zero_threshold = 0;
  double zero_count = 0, zero_c = 0, count = 0, count_c = 0, sum = 0, sum_c = 0;
  std::vector<WideBucket> positive, negative;  // ascending index
  std::vector<double> bounds;

  explicit WideHistogram(const Histogram& h);
  bool custom() const { return schema == Histogram::kCustomSchema; }
  // this += sign * other; compensated or plain. `other` may be changed: pass a copy.
  HistogramNotes Add(WideHistogram other, double sign, bool compensated);
  void Scale(double factor);   // counts and their errors
  void Divide(double divisor);
  void ReduceTo(std::int32_t target, bool compensated);
  bool HasOverflow() const;
  Histogram Build(bool with_errors) const;
};

// Upper bound of bucket i on the positive side.
double ExponentialBound(std::int32_t index, std::int32_t schema);
double BucketBound(std::int32_t index, std::int32_t schema, const std::vector<double>& custom);
// Bucket number -> bucket number in a coarser schema.
std::int32_t TargetIndex(std::int32_t index, std::int32_t from, std::int32_t to);
std::vector<WideBucket> ExpandBuckets(const std::vector<Histogram::Span>& spans, const std::vector<double>& buckets);
void CollapseBuckets(const std::vector<WideBucket>& in, std::vector<Histogram::Span>* spans, std::vector<double>* buckets);

}  // namespace prom::promql
