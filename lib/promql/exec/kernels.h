// Loops over columns, and the arithmetic they share. Everything here rounds
// exactly as upstream does: compensated sums are Neumaier's, in upstream's order
// of samples, and nothing may be fused or reordered.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "promql/exec/series_source.h"

namespace prom::promql {

inline bool IsInf(double f) { return f > std::numeric_limits<double>::max() || f < std::numeric_limits<double>::lowest(); }

// sum += inc with the rounding error gathered in *c (Kahan-Neumaier). Once the sum is infinite the error is dropped.
inline void KahanAdd(double inc, double* sum, double* c) {
  const double s = *sum, t = s + inc;
  const double lost = std::fabs(s) >= std::fabs(inc) ? (s - t) + inc : (inc - t) + s;
  *c = IsInf(t) ? 0 : *c + lost;
  *sum = t;
}

// A duration as upstream's Duration.Seconds() rounds it.
inline double DurationSeconds(std::int64_t ms) {
  return static_cast<double>(ms / 1000) + static_cast<double>(ms % 1000 * 1'000'000) / 1e9;
}

// math.Max and math.Min of upstream's language: NaN wins except over the infinity asked for.
double MaxOf(double a, double b);
double MinOf(double a, double b);

// The q-quantile of values sorted with NaN first; by linear interpolation. q outside [0, 1] gives an infinity, NaN gives NaN.
double SortedQuantile(double q, std::span<const double> sorted);
void SortNanFirst(std::vector<double>* values);
inline bool LessNanFirst(double a, double b) { return std::isnan(a) ? !std::isnan(b) : a < b; }

// Equal within a relative error; NaN equals NaN. Upstream's almost.Equal.
bool AlmostEqual(double a, double b, double epsilon);

bool HasNan(std::span<const double> v);

// Slope and value at `intercept_ms` of the least squares line.
std::pair<double, double> LinearRegression(std::span<const std::int64_t> t, std::span<const double> v, std::int64_t intercept_ms);

// --- rate, increase, delta -------------------------------------------------

// All that extrapolation needs and that follows from the times alone.
struct RatePlan {
  std::vector<std::uint32_t> lo, hi;     // samples [lo, hi) of each step
  std::vector<double> sampled;           // seconds from first to last sample
  std::vector<double> to_start, to_end;  // seconds extrapolated on either side, before the counter's zero point
  std::vector<double> factor;            // what the difference is multiplied with when the zero point is far
  std::vector<std::uint64_t> present;    // steps with two samples or more
  void Compute(std::span<const std::int64_t> t, const Grid& grid, const TimeShift& shift, std::int64_t range_ms, bool is_rate);
};

// Positions i with v[i] < v[i-1], into *resets. True when there is a NaN, which may be a stale marker; one pass for both.
bool FindResets(std::span<const double> v, std::vector<std::uint32_t>* resets);
// Values for all steps of the plan. `resets` as above; empty for what is no counter.
void RateKernel(const RatePlan& plan, std::span<const double> v, bool is_counter, bool is_rate, std::int64_t range_ms,
                std::span<const std::uint32_t> resets, StepColumn* out);

// --- windows ---------------------------------------------------------------
// Those that look at every sample of every window take a pacer; when it says stop,
// what they leave in *out is worth nothing.

void SumOverTime(const Windows& w, std::span<const double> v, Pacer* pacer, StepColumn* out);
void AvgOverTime(const Windows& w, std::span<const double> v, Pacer* pacer, StepColumn* out);
void MinMaxOverTime(const Windows& w, std::span<const double> v, bool is_max, StepColumn* out);
// Where the extreme of each window lies: of equal values the last; a NaN only where there is nothing else.
void LastExtremeOverTime(const Windows& w, std::span<const double> v, bool is_max, std::vector<std::uint32_t>* at);
void ChangesOverTime(const Windows& w, std::span<const double> v, StepColumn* out);
void ResetsOverTime(const Windows& w, std::span<const double> v, StepColumn* out);
void VarianceOverTime(const Windows& w, std::span<const double> v, bool root, Pacer* pacer, StepColumn* out);
// q[k] is the quantile of step k.
void QuantileOverTime(const Windows& w, std::span<const double> v, const StepColumn& q, std::vector<double>* scratch, Pacer* pacer, StepColumn* out);

// --- aggregation -----------------------------------------------------------

// One group's sums over all steps. Start values are such that adding the first
// sample gives it exactly: sum -0, compensation 0.
struct SumState {
  std::vector<double> sum, c;
  std::vector<std::uint64_t> seen;
  void Reset(std::size_t steps);
  void Add(const StepColumn& in);
};

}  // namespace prom::promql
