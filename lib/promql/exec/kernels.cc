#include "promql/exec/kernels.h"

#include <algorithm>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace prom::promql {

namespace {

// Compensated sums, four side by side: each is a chain of dependent additions, and a vector
// runs four of them in the time of one, with the same operations in the same order.
#if defined(__x86_64__)
#define PROM_AVX2 __attribute__((target("avx2")))

const bool kHasAvx2 = __builtin_cpu_supports("avx2") != 0;

PROM_AVX2 inline void KahanAddFour(__m256d x, __m256d* sum, __m256d* c) {
  const __m256d sign = _mm256_set1_pd(-0.0), s = *sum, t = _mm256_add_pd(s, x);
  const __m256d sum_larger = _mm256_cmp_pd(_mm256_andnot_pd(sign, s), _mm256_andnot_pd(sign, x), _CMP_GE_OQ);
  const __m256d larger = _mm256_blendv_pd(x, s, sum_larger), smaller = _mm256_blendv_pd(s, x, sum_larger);
  const __m256d lost = _mm256_add_pd(_mm256_sub_pd(larger, t), smaller);
  const __m256d infinite = _mm256_cmp_pd(_mm256_andnot_pd(sign, t), _mm256_set1_pd(std::numeric_limits<double>::max()), _CMP_GT_OQ);
  *c = _mm256_andnot_pd(infinite, _mm256_add_pd(*c, lost));
  *sum = t;
}

PROM_AVX2 void KahanSumFourAvx2(const double* const p[4], std::uint32_t n, double sum[4], double c[4]) {
  __m256d s = _mm256_loadu_pd(sum), comp = _mm256_loadu_pd(c);
  for (std::uint32_t i = 0; i < n; ++i) KahanAddFour(_mm256_setr_pd(p[0][i], p[1][i], p[2][i], p[3][i]), &s, &comp);
  _mm256_storeu_pd(sum, s);
  _mm256_storeu_pd(c, comp);
}

// sum[k] += x[k] for so many k, a multiple of four.
PROM_AVX2 void KahanAddColumnAvx2(const double* x, std::size_t n, double* sum, double* c) {
  for (std::size_t k = 0; k < n; k += 4) {
    __m256d s = _mm256_loadu_pd(sum + k), comp = _mm256_loadu_pd(c + k);
    KahanAddFour(_mm256_loadu_pd(x + k), &s, &comp);
    _mm256_storeu_pd(sum + k, s);
    _mm256_storeu_pd(c + k, comp);
  }
}
#endif

// Sums of four windows of equal length.
void KahanSumFour(const double* const p[4], std::uint32_t n, double sum[4], double c[4]) {
#if defined(__x86_64__)
  if (kHasAvx2) return KahanSumFourAvx2(p, n, sum, c);
#endif
  for (std::uint32_t i = 0; i < n; ++i) {
    for (int j = 0; j < 4; ++j) KahanAdd(p[j][i], &sum[j], &c[j]);
  }
}

void KahanAddColumn(const double* __restrict x, std::size_t n, double* __restrict sum, double* __restrict c) {
#if defined(__x86_64__)
  if (kHasAvx2) return KahanAddColumnAvx2(x, n, sum, c);
#endif
  for (std::size_t k = 0; k < n; ++k) KahanAdd(x[k], &sum[k], &c[k]);
}

}  // namespace

double MaxOf(double a, double b) {
  if (a == std::numeric_limits<double>::infinity() || b == std::numeric_limits<double>::infinity()) return std::numeric_limits<double>::infinity();
  if (std::isnan(a) || std::isnan(b)) return std::numeric_limits<double>::quiet_NaN();
  if (a == 0 && b == 0) return std::signbit(a) ? b : a;
  return a > b ? a : b;
}

double MinOf(double a, double b) {
  if (a == -std::numeric_limits<double>::infinity() || b == -std::numeric_limits<double>::infinity()) return -std::numeric_limits<double>::infinity();
  if (std::isnan(a) || std::isnan(b)) return std::numeric_limits<double>::quiet_NaN();
  if (a == 0 && b == 0) return std::signbit(a) ? a : b;
  return a < b ? a : b;
}

double SortedQuantile(double q, std::span<const double> sorted) {
  if (sorted.empty() || std::isnan(q)) return std::numeric_limits<double>::quiet_NaN();
  if (q < 0) return -std::numeric_limits<double>::infinity();
  if (q > 1) return std::numeric_limits<double>::infinity();
  const double n = static_cast<double>(sorted.size());
  const double rank = q * (n - 1);
  const double lower = std::max(0.0, std::floor(rank));
  const double upper = std::min(n - 1, lower + 1);
  const double weight = rank - std::floor(rank);
  return sorted[static_cast<std::size_t>(lower)] * (1 - weight) + sorted[static_cast<std::size_t>(upper)] * weight;
}

void SortNanFirst(std::vector<double>* values) { std::sort(values->begin(), values->end(), LessNanFirst); }

bool AlmostEqual(double a, double b, double epsilon) {
  if (std::isnan(a) && std::isnan(b)) return true;
  if (a == b) return true;
  const double abs_sum = std::fabs(a) + std::fabs(b);
  const double diff = std::fabs(a - b);
  constexpr double kMinNormal = 2.2250738585072014e-308;
  if (a == 0 || b == 0 || abs_sum < kMinNormal) return diff < epsilon * kMinNormal;
  return diff / std::min(abs_sum, std::numeric_limits<double>::max()) < epsilon;
}

// Loops that run over every sample use plain pointers: the checked operator[] of
// span and vector would keep the compiler from using vectors.
bool HasNan(std::span<const double> column) {
  const double* v = column.data();
  std::size_t i = 0;
  const std::size_t n = column.size();
  for (; i + 512 <= n; i += 512) {  // in blocks, to stop early
    std::uint64_t bad = 0;
    for (std::size_t j = i; j < i + 512; ++j) bad += static_cast<std::uint64_t>(v[j] != v[j]);
    if (bad != 0) return true;
  }
  for (; i < n; ++i) {
    if (v[i] != v[i]) return true;
  }
  return false;
}

bool FindResets(std::span<const double> column, std::vector<std::uint32_t>* resets) {
  resets->clear();
  const double* v = column.data();
  const std::size_t n = column.size();
  if (n == 0) return false;
  std::uint64_t nan = static_cast<std::uint64_t>(v[0] != v[0]);
  std::size_t i = 1;
  for (; i + 256 <= n; i += 256) {
    // "Not at least the one before" is either a fall or a NaN; most blocks have neither.
    std::uint64_t odd = 0;
    for (std::size_t j = i; j < i + 256; ++j) odd += static_cast<std::uint64_t>(!(v[j] >= v[j - 1]));
    if (odd == 0) continue;
    for (std::size_t j = i; j < i + 256; ++j) {
      if (v[j] < v[j - 1]) resets->push_back(static_cast<std::uint32_t>(j));
      nan |= static_cast<std::uint64_t>(v[j] != v[j]);
    }
  }
  for (; i < n; ++i) {
    if (v[i] < v[i - 1]) resets->push_back(static_cast<std::uint32_t>(i));
    nan |= static_cast<std::uint64_t>(v[i] != v[i]);
  }
  return nan != 0;
}

std::pair<double, double> LinearRegression(std::span<const std::int64_t> t, std::span<const double> v, std::int64_t intercept_ms) {
  double n = 0, sum_x = 0, c_x = 0, sum_y = 0, c_y = 0, sum_xy = 0, c_xy = 0, sum_x2 = 0, c_x2 = 0;
  const double first = v[0];
  bool constant = true;
  for (std::size_t i = 0; i < v.size(); ++i) {
    if (constant && i > 0 && v[i] != first) constant = false;
    n += 1;
    const double x = static_cast<double>(t[i] - intercept_ms) / 1e3;
    KahanAdd(x, &sum_x, &c_x);
    KahanAdd(v[i], &sum_y, &c_y);
    KahanAdd(x * v[i], &sum_xy, &c_xy);
    KahanAdd(x * x, &sum_x2, &c_x2);
  }
  if (constant) {
    if (IsInf(first)) return {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::quiet_NaN()};
    return {0, first};
  }
  sum_x += c_x;
  sum_y += c_y;
  sum_xy += c_xy;
  sum_x2 += c_x2;
  const double cov = sum_xy - sum_x * sum_y / n;
  const double var = sum_x2 - sum_x * sum_x / n;
  const double slope = cov / var;
  return {slope, sum_y / n - slope * sum_x / n};
}

void RatePlan::Compute(std::span<const std::int64_t> t, const Grid& grid, const TimeShift& shift, std::int64_t range_ms, bool is_rate) {
  Windows w;
  w.Compute(t, grid, shift, range_ms);
  lo = std::move(w.lo);
  hi = std::move(w.hi);
  sampled.assign(grid.steps, 0);
  to_start.assign(grid.steps, 0);
  to_end.assign(grid.steps, 0);
  factor.assign(grid.steps, 0);
  present.assign((grid.steps + 63) / 64, 0);
  const double range_s = DurationSeconds(range_ms);
  for (std::size_t k = 0; k < grid.steps; ++k) {
    if (hi[k] - lo[k] < 2) continue;
    present[k / 64] |= std::uint64_t{1} << (k % 64);
    const std::int64_t end = shift.At(grid, k), start = end - range_ms;
    const std::int64_t first = t[lo[k]], last = t[hi[k] - 1];
    double before = static_cast<double>(first - start) / 1000;
    double after = static_cast<double>(end - last) / 1000;
    sampled[k] = static_cast<double>(last - first) / 1000;
    const double average = sampled[k] / static_cast<double>(hi[k] - lo[k] - 1);
    // A sample missing at an edge is one not further away than 1.1 intervals; else the series starts or ends in the window.
    const double threshold = average * 1.1;
    if (before >= threshold) before = average / 2;
    if (after >= threshold) after = average / 2;
    to_start[k] = before;
    to_end[k] = after;
    factor[k] = (sampled[k] + before + after) / sampled[k];
    if (is_rate) factor[k] /= range_s;
  }
}

void RateKernel(const RatePlan& plan, std::span<const double> column, bool is_counter, bool is_rate, std::int64_t range_ms,
                std::span<const std::uint32_t> resets, StepColumn* out) {
  const std::size_t steps = plan.lo.size();
  out->Reset(steps);
  out->present = plan.present;
  if (steps == 0 || column.empty()) return;
  double* result = out->values.data();
  const double* v = column.data();
  const std::uint32_t *lo = plan.lo.data(), *hi = plan.hi.data();
  const double *sampled = plan.sampled.data(), *to_start = plan.to_start.data(), *to_end = plan.to_end.data(), *factor = plan.factor.data();
  if (!is_counter) {
    ForEachBit(plan.present, [&](std::size_t k) { result[k] = (v[hi[k] - 1] - v[lo[k]]) * factor[k]; });
    return;
  }
  const double range_s = DurationSeconds(range_ms);
  // Exact, with the division: needed only where a counter that began in the window would be extrapolated below zero.
  auto clamped = [&](std::size_t k, double first, double rise) {
    double before = to_start[k];
    if (rise > 0 && first >= 0) {
      const double to_zero = sampled[k] * (first / rise);
      if (to_zero < before) before = to_zero;
    }
    double f = (sampled[k] + before + to_end[k]) / sampled[k];
    if (is_rate) f /= range_s;
    return rise * f;
  };
  // to_zero < to_start without the division, with room for rounding.
  auto near_zero = [&](std::size_t k, double first, double rise) { return first * sampled[k] < to_start[k] * rise * 1.0001; };
  if (resets.empty()) {
    const std::size_t last = column.size() - 1;
    std::uint64_t near = 0;
    for (std::size_t k = 0; k < steps; ++k) {
      // Absent steps may point past the end: read something harmless, their bit is not set.
      const double first = v[std::min<std::size_t>(lo[k], last)], rise = v[std::min<std::size_t>(hi[k] - (hi[k] != 0), last)] - first;
      result[k] = rise * factor[k];
      near += static_cast<std::uint64_t>(near_zero(k, first, rise));
    }
    if (near == 0) return;
    ForEachBit(plan.present, [&](std::size_t k) {
      const double first = v[lo[k]], rise = v[hi[k] - 1] - first;
      if (near_zero(k, first, rise)) result[k] = clamped(k, first, rise);
    });
    return;
  }
  const std::uint32_t *next = resets.data(), *end = next + resets.size();  // first that may lie in the window: both ends only move forward
  ForEachBit(plan.present, [&](std::size_t k) {
    while (next != end && *next <= lo[k]) ++next;
    const double first = v[lo[k]];
    double rise = v[hi[k] - 1] - first;
    for (const std::uint32_t* r = next; r != end && *r < hi[k]; ++r) rise += v[*r - 1];
    result[k] = near_zero(k, first, rise) ? clamped(k, first, rise) : rise * factor[k];
  });
}

namespace {

// Calls fn(k, lo, hi) for steps whose window holds a sample, and marks them present.
template <typename Fn>
void ForEachWindow(const Windows& w, StepColumn* out, Fn&& fn) {
  const std::size_t steps = w.lo.size();
  out->Reset(steps);
  const std::uint32_t *lo = w.lo.data(), *hi = w.hi.data();
  double* values = out->values.data();
  std::uint64_t* present = out->present.data();
  for (std::size_t k = 0; k < steps; ++k) {
    if (lo[k] == hi[k]) continue;
    values[k] = fn(lo[k], hi[k]);
    present[k / 64] |= std::uint64_t{1} << (k % 64);
  }
}

double Average(const double* v, std::uint32_t lo, std::uint32_t hi) {
  double sum = v[lo], c = 0, count = 1, mean = 0;
  bool incremental = false;
  for (std::uint32_t i = lo + 1; i < hi; ++i) {
    count = static_cast<double>(i - lo + 1);
    if (!incremental) {
      double new_sum = sum, new_c = c;
      KahanAdd(v[i], &new_sum, &new_c);
      if (!IsInf(new_sum)) {
        sum = new_sum;
        c = new_c;
        continue;
      }
      // The sum overflows: go on with a running mean.
      incremental = true;
      mean = sum / (count - 1);
      c /= count - 1;
    }
    const double q = (count - 1) / count;
    mean = q * mean;
    c = q * c;
    KahanAdd(v[i] / count, &mean, &c);
  }
  return incremental ? mean + c : sum / count + c / count;
}

// Runs fn4 on four neighbouring windows of one length where it can, fn1 elsewhere.
template <typename Fn4, typename Fn1>
void ForWindowsByFour(const Windows& w, Pacer* pacer, StepColumn* out, Fn4&& fn4, Fn1&& fn1) {
  const std::size_t steps = w.lo.size();
  out->Reset(steps);
  const std::uint32_t *lo = w.lo.data(), *hi = w.hi.data();
  std::size_t k = 0;
  while (k < steps) {
    const std::uint32_t n = hi[k] - lo[k];
    if (!pacer->Spend(4 * (n + 1))) return;
    if (n > 1 && k + 4 <= steps && hi[k + 1] - lo[k + 1] == n && hi[k + 2] - lo[k + 2] == n && hi[k + 3] - lo[k + 3] == n) {
      double four[4];
      if (fn4(k, n, four)) {
        for (std::size_t j = 0; j < 4; ++j) out->Set(k + j, four[j]);
        k += 4;
        continue;
      }
    }
    if (n != 0) out->Set(k, fn1(lo[k], hi[k]));
    ++k;
  }
}

}  // namespace

void SumOverTime(const Windows& w, std::span<const double> v, Pacer* pacer, StepColumn* out) {
  ForWindowsByFour(
      w, pacer, out,
      [&](std::size_t k, std::uint32_t n, double* four) {
        const double* p[4] = {&v[w.lo[k]], &v[w.lo[k + 1]], &v[w.lo[k + 2]], &v[w.lo[k + 3]]};
        double sum[4] = {}, c[4] = {};
        KahanSumFour(p, n, sum, c);
        for (int j = 0; j < 4; ++j) four[j] = IsInf(sum[j]) ? sum[j] : sum[j] + c[j];
        return true;
      },
      [&](std::uint32_t lo, std::uint32_t hi) {
        double sum = 0, c = 0;
        for (std::uint32_t i = lo; i < hi; ++i) KahanAdd(v[i], &sum, &c);
        return IsInf(sum) ? sum : sum + c;
      });
}

void AvgOverTime(const Windows& w, std::span<const double> v, Pacer* pacer, StepColumn* out) {
  ForWindowsByFour(
      w, pacer, out,
      [&](std::size_t k, std::uint32_t n, double* four) {
        const double* p[4] = {&v[w.lo[k] + 1], &v[w.lo[k + 1] + 1], &v[w.lo[k + 2] + 1], &v[w.lo[k + 3] + 1]};
        double sum[4] = {p[0][-1], p[1][-1], p[2][-1], p[3][-1]}, c[4] = {};
        KahanSumFour(p, n - 1, sum, c);
        const double count = static_cast<double>(n);
        for (int j = 0; j < 4; ++j) {
          if (IsInf(sum[j]) || std::isnan(sum[j])) return false;  // may have overflowed on the way: the careful way
          four[j] = sum[j] / count + c[j] / count;
        }
        return true;
      },
      [&](std::uint32_t lo, std::uint32_t hi) { return Average(v.data(), lo, hi); });
}

void MinMaxOverTime(const Windows& w, std::span<const double> column, bool is_max, StepColumn* out) {
  const double* v = column.data();
  // A queue of positions whose values fall (max) or rise (min): its front is the answer. NaN never enters, and is
  // the answer only when nothing else is in the window. Of equal values the older stays, as upstream keeps the first.
  std::vector<std::uint32_t> room(column.size());
  std::uint32_t* queue = room.data();
  std::size_t head = 0, tail = 0;
  std::uint32_t next = 0;
  ForEachWindow(w, out, [&](std::uint32_t lo, std::uint32_t hi) {
    for (next = std::max(next, lo); next < hi; ++next) {
      const double x = v[next];
      if (x != x) continue;
      if (is_max) {
        while (tail > head && v[queue[tail - 1]] < x) --tail;
      } else {
        while (tail > head && v[queue[tail - 1]] > x) --tail;
      }
      queue[tail++] = next;
    }
    while (head < tail && queue[head] < lo) ++head;
    return head < tail ? v[queue[head]] : v[hi - 1];
  });
}

void LastExtremeOverTime(const Windows& w, std::span<const double> column, bool is_max, std::vector<std::uint32_t>* at) {
  // As MinMaxOverTime, but a newer value takes the place of an equal one.
  const double* v = column.data();
  std::vector<std::uint32_t> queue(column.size());
  std::size_t head = 0, tail = 0;
  std::uint32_t next = 0;
  at->assign(w.lo.size(), 0);
  for (std::size_t k = 0; k < w.lo.size(); ++k) {
    const std::uint32_t lo = w.lo[k], hi = w.hi[k];
    if (lo == hi) continue;
    for (next = std::max(next, lo); next < hi; ++next) {
      const double x = v[next];
      if (x != x) continue;
      while (tail > head && (is_max ? v[queue[tail - 1]] <= x : v[queue[tail - 1]] >= x)) --tail;
      queue[tail++] = next;
    }
    while (head < tail && queue[head] < lo) ++head;
    (*at)[k] = head < tail ? queue[head] : hi - 1;
  }
}

namespace {

// Counts positions i in (lo, hi) for which pred(i) holds, by running totals.
template <typename Pred>
void CountPairs(const Windows& w, std::span<const double> v, StepColumn* out, Pred&& pred) {
  std::vector<std::uint32_t> before(v.size() + 1, 0);  // pairs that end at or before i
  for (std::size_t i = 1; i < v.size(); ++i) before[i] = before[i - 1] + static_cast<std::uint32_t>(pred(v[i - 1], v[i]));
  ForEachWindow(w, out, [&](std::uint32_t lo, std::uint32_t hi) { return static_cast<double>(before[hi - 1] - before[lo]); });
}

}  // namespace

void ChangesOverTime(const Windows& w, std::span<const double> v, StepColumn* out) {
  CountPairs(w, v, out, [](double a, double b) { return a != b && !(std::isnan(a) && std::isnan(b)); });
}

void ResetsOverTime(const Windows& w, std::span<const double> v, StepColumn* out) {
  CountPairs(w, v, out, [](double a, double b) { return b < a; });
}

namespace {

// Welford's running variance, both sums compensated.
struct RunningVariance {
  double count = 0, mean = 0, c_mean = 0, aux = 0, c_aux = 0;
  void Add(double x) {
    count += 1;
    const double delta = x - (mean + c_mean);
    KahanAdd(delta / count, &mean, &c_mean);
    KahanAdd(delta * (x - (mean + c_mean)), &aux, &c_aux);
  }
  double Result(bool root) const {
    const double variance = (aux + c_aux) / count;
    return root ? std::sqrt(variance) : variance;
  }
};

}  // namespace

void VarianceOverTime(const Windows& w, std::span<const double> column, bool root, Pacer* pacer, StepColumn* out) {
  const double* v = column.data();
  ForWindowsByFour(
      w, pacer, out,
      [&](std::size_t k, std::uint32_t n, double* four) {
        RunningVariance state[4];
        const double* p[4] = {v + w.lo[k], v + w.lo[k + 1], v + w.lo[k + 2], v + w.lo[k + 3]};
        for (std::uint32_t i = 0; i < n; ++i) {
          for (int j = 0; j < 4; ++j) state[j].Add(p[j][i]);
        }
        for (int j = 0; j < 4; ++j) four[j] = state[j].Result(root);
        return true;
      },
      [&](std::uint32_t lo, std::uint32_t hi) {
        RunningVariance state;
        for (std::uint32_t i = lo; i < hi; ++i) state.Add(v[i]);
        return state.Result(root);
      });
}

void QuantileOverTime(const Windows& w, std::span<const double> v, const StepColumn& q, std::vector<double>* scratch, Pacer* pacer, StepColumn* out) {
  // The window is kept sorted from step to step; when it has moved past itself it is sorted anew.
  std::vector<double>& sorted = *scratch;
  sorted.clear();
  std::uint32_t from = 0, to = 0;
  const std::size_t steps = w.lo.size();
  out->Reset(steps);
  for (std::size_t k = 0; k < steps; ++k) {
    const std::uint32_t lo = w.lo[k], hi = w.hi[k];
    if (lo == hi) continue;
    // Sorting takes a few times its number; taking in and out moves up to the whole window for each.
    if (!pacer->Spend(hi - lo + (hi - std::max(lo, to)) * ((hi - lo) / 16 + 16))) return;
    if (lo >= to || (lo - from) + (hi - to) > (hi - lo) / 2) {
      sorted.assign(v.begin() + lo, v.begin() + hi);
      SortNanFirst(&sorted);
    } else {
      for (std::uint32_t i = from; i < lo; ++i) sorted.erase(std::lower_bound(sorted.begin(), sorted.end(), v[i], LessNanFirst));
      for (std::uint32_t i = to; i < hi; ++i) sorted.insert(std::upper_bound(sorted.begin(), sorted.end(), v[i], LessNanFirst), v[i]);
    }
    from = lo;
    to = hi;
    out->Set(k, SortedQuantile(q.values[k], sorted));
  }
}

void SumState::Reset(std::size_t steps) {
  sum.assign(steps, -0.0);
  c.assign(steps, 0);
  seen.assign((steps + 63) / 64, 0);
}

void SumState::Add(const StepColumn& in) {
  double* __restrict s = sum.data();
  double* __restrict comp = c.data();
  const double* __restrict x = in.values.data();
  const std::uint64_t* present = in.present.data();
  for (std::size_t w = 0; w < seen.size(); ++w) {
    const std::uint64_t bits = present[w];
    seen[w] |= bits;
    const std::size_t base = w * 64;
    if (bits == ~std::uint64_t{0}) {
      KahanAddColumn(x + base, 64, s + base, comp + base);
      continue;
    }
    for (std::uint64_t rest = bits; rest != 0; rest &= rest - 1) {
      const std::size_t k = base + static_cast<std::size_t>(std::countr_zero(rest));
      KahanAdd(x[k], &s[k], &comp[k]);
    }
  }
}

}  // namespace prom::promql
