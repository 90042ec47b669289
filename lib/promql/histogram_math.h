// Arithmetic on native histograms, as upstream's FloatHistogram does it: the
// coarser schema and the wider zero bucket win, custom bounds are cut down to
// those both have, compensated sums are Neumaier's.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/histogram.h"

namespace prom::promql {

struct HistogramNotes {
  bool incompatible = false;       // exponential with custom buckets: nothing was done
  bool reset_collision = false;    // a reset hint met a not-reset hint
  bool bounds_reconciled = false;  // custom bounds differed
};

// *h += other, *h -= other.
HistogramNotes AddHistogram(Histogram* h, const Histogram& other);
HistogramNotes SubtractHistogram(Histogram* h, const Histogram& other);

std::shared_ptr<Histogram> MultiplyHistogram(const Histogram& h, double factor);
std::shared_ptr<Histogram> DivideHistogram(const Histogram& h, double divisor);
// Without empty buckets, and spans that touch joined.
std::shared_ptr<const Histogram> CompactHistogram(std::shared_ptr<Histogram> h);
void CompactInPlace(Histogram* h);
// Observations above (upper) or below the limit taken out; a bucket the limit lies in is split by interpolation.
std::shared_ptr<const Histogram> TrimHistogram(const Histogram& h, double limit, bool upper);
// Buckets merged to a coarser schema; the reset hint is forgotten when it changes.
Histogram ReduceSchema(const Histogram& h, std::int32_t schema);

// Same data: bit for bit, spans compared by what they describe. The reset hint does not count.
bool EqualHistograms(const Histogram& a, const Histogram& b);
// Whether counting began anew between `before` and `now`.
bool DetectReset(const Histogram& now, const Histogram& before);

double HistogramVariance(const Histogram& h);
enum class HistogramNanNote { kNone, kResult, kSkew, kFraction };
double HistogramQuantile(double q, const Histogram& h, HistogramNanNote* note);
double HistogramFraction(double lower, double upper, const Histogram& h, HistogramNanNote* note);

// {count:3, sum:1.5, (0.5,1]:1 ...}: what count_values uses as label value.
std::string HistogramText(const Histogram& h);

// A bucket with its bounds, in order of value.
struct HistogramBucket {
  double lower = 0, upper = 0, count = 0;
};
// Negative, zero and positive buckets, ascending; those that overlap the zero bucket are cut at its edge.
std::vector<HistogramBucket> AllBuckets(const Histogram& h);

// A histogram being summed, with its rounding errors beside every number.
struct WideHistogram;

// The sum or the average of histograms, added one by one.
class HistogramAverage {
 public:
  HistogramAverage();
  HistogramAverage(HistogramAverage&&) noexcept;
  HistogramAverage& operator=(HistogramAverage&&) noexcept;
  ~HistogramAverage();

  // `average`: go over to a running mean when the sum would overflow.
  HistogramNotes Add(const Histogram& h, bool average);
  bool failed() const { return failed_; }
  bool reset_collision() const { return reset_seen_ && not_reset_seen_; }
  // Null after an incompatible histogram.
  std::shared_ptr<const Histogram> Sum() const;
  std::shared_ptr<const Histogram> Average() const;

 private:
  std::unique_ptr<WideHistogram> sum_;  // or the mean, once incremental
  double count_ = 0;
  bool incremental_ = false, failed_ = false, reset_seen_ = false, not_reset_seen_ = false;
};

}  // namespace prom::promql
