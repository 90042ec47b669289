// The fast ways over columns against plain restatements of upstream's functions,
// bit for bit, on random columns with gaps, falls, NaN and infinities.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <vector>

#include "base/number.h"
#include "promql/engine.h"
#include "promql/exec/kernels.h"
#include "promql/memory_store.h"

namespace prom::promql {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

struct Column {
  std::vector<std::int64_t> t;
  std::vector<double> v;
};

Column RandomColumn(std::mt19937_64& random, bool odd_values) {
  Column out;
  std::int64_t t = static_cast<std::int64_t>(random() % 10'000);
  double value = static_cast<double>(random() % 1000);
  const std::size_t n = random() % 400;
  for (std::size_t i = 0; i < n; ++i) {
    t += random() % 10 == 0 ? 200'000 : 5'000 + static_cast<std::int64_t>(random() % 3);
    value += static_cast<double>(random() % 1000) / 7;
    if (random() % 20 == 0) value = static_cast<double>(random() % 5);
    double v = value;
    if (odd_values) {
      switch (random() % 30) {
        case 0: v = NormalNan(); break;
        case 1: v = kInf; break;
        case 2: v = -kInf; break;
        case 3: v = 1e308 * (random() % 2 == 0 ? 1 : -1); break;
        case 4: v = -0.0; break;
        case 5: v = -value; break;
        default: break;
      }
    }
    out.t.push_back(t);
    out.v.push_back(v);
  }
  return out;
}

void KahanInc(double inc, double& sum, double& c) {
  const double t = sum + inc;
  if (std::isinf(t)) {
    c = 0;
  } else if (std::fabs(sum) >= std::fabs(inc)) {
    c += (sum - t) + inc;
  } else {
    c += (inc - t) + sum;
  }
  sum = t;
}

double NaiveSum(const std::vector<double>& v) {
  double sum = 0, c = 0;
  for (double x : v) KahanInc(x, sum, c);
  return std::isinf(sum) ? sum : sum + c;
}

double NaiveAvg(const std::vector<double>& v) {
  double sum = v[0], count = 1, mean = 0, c = 0;
  bool incremental = false;
  for (std::size_t i = 1; i < v.size(); ++i) {
    count = static_cast<double>(i + 1);
    if (!incremental) {
      double new_sum = sum, new_c = c;
      KahanInc(v[i], new_sum, new_c);
      if (!std::isinf(new_sum)) {
        sum = new_sum;
        c = new_c;
        continue;
      }
      incremental = true;
      mean = sum / (count - 1);
      c /= count - 1;
    }
    const double q = (count - 1) / count;
    mean = q * mean;
    c = q * c;
    KahanInc(v[i] / count, mean, c);
  }
  return incremental ? mean + c : sum / count + c / count;
}

double NaiveExtreme(const std::vector<double>& v, bool max) {
  double best = v[0];
  for (double x : v) {
    if ((max ? x > best : x < best) || std::isnan(best)) best = x;
  }
  return best;
}

double NaiveQuantile(double q, std::vector<double> v) {
  std::sort(v.begin(), v.end(), [](double a, double b) { return std::isnan(a) ? !std::isnan(b) : a < b; });
  const double rank = q * (static_cast<double>(v.size()) - 1), low = std::floor(rank);
  const std::size_t i = static_cast<std::size_t>(low), j = std::min(v.size() - 1, i + 1);
  return v[i] * (1 - (rank - low)) + v[j] * (rank - low);
}

double NaivePairs(const std::vector<double>& v, bool resets) {
  double n = 0;
  for (std::size_t i = 1; i < v.size(); ++i) {
    n += resets ? v[i] < v[i - 1] : v[i] != v[i - 1] && !(std::isnan(v[i]) && std::isnan(v[i - 1]));
  }
  return n;
}

double NaiveVariance(const std::vector<double>& v) {
  double count = 0, mean = 0, c_mean = 0, aux = 0, c_aux = 0;
  for (double x : v) {
    count++;
    const double delta = x - (mean + c_mean);
    KahanInc(delta / count, mean, c_mean);
    KahanInc(delta * (x - (mean + c_mean)), aux, c_aux);
  }
  return (aux + c_aux) / count;
}

// Upstream's extrapolatedRate for floats, as it stands there.
double NaiveRate(const std::vector<std::int64_t>& t, const std::vector<double>& v, std::int64_t end, std::int64_t range, bool counter, bool rate) {
  double rise = v.back() - v.front();
  if (counter) {
    for (std::size_t i = 1; i < v.size(); ++i) {
      if (v[i] < v[i - 1]) rise += v[i - 1];
    }
  }
  double to_start = static_cast<double>(t.front() - (end - range)) / 1000, to_end = static_cast<double>(end - t.back()) / 1000;
  const double sampled = static_cast<double>(t.back() - t.front()) / 1000;
  const double average = sampled / static_cast<double>(t.size() - 1);
  if (to_start >= average * 1.1) to_start = average / 2;
  if (counter) {
    double to_zero = to_start;
    if (rise > 0 && v.front() >= 0) to_zero = sampled * (v.front() / rise);
    if (to_zero < to_start) to_start = to_zero;
  }
  if (to_end >= average * 1.1) to_end = average / 2;
  double factor = (sampled + to_start + to_end) / sampled;
  if (rate) factor /= static_cast<double>(range) / 1000;
  return rise * factor;
}

bool SameBits(double a, double b) { return (std::isnan(a) && std::isnan(b)) || std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b); }

using Naive = std::function<double(const std::vector<std::int64_t>&, const std::vector<double>&, std::int64_t)>;

void Compare(const char* what, const Column& column, const Grid& grid, std::int64_t range, std::size_t least, const StepColumn& got, const Naive& naive) {
  for (std::size_t k = 0; k < grid.steps; ++k) {
    std::vector<std::int64_t> t;
    std::vector<double> v;
    for (std::size_t i = 0; i < column.t.size(); ++i) {
      if (column.t[i] > grid.At(k) - range && column.t[i] <= grid.At(k)) {
        t.push_back(column.t[i]);
        v.push_back(column.v[i]);
      }
    }
    BOOST_TEST_CONTEXT(what << " step " << k << " of " << v.size() << " samples") {
      BOOST_TEST_REQUIRE(got.Has(k) == (v.size() >= least));
      if (v.size() < least) continue;
      const double want = naive(t, v, grid.At(k));
      BOOST_TEST_REQUIRE(SameBits(want, got.values[k]), want << " but got " << got.values[k]);
    }
  }
}

BOOST_AUTO_TEST_SUITE(kernels)

BOOST_AUTO_TEST_CASE(equal_to_plain_functions_bit_for_bit) {
  const EngineOptions options;
  const MemoryStore nothing;
  QueryControl control;
  QueryContext context(options, nothing, control, std::chrono::steady_clock::time_point::max());
  Pacer pacer(context);
  std::mt19937_64 random(7);
  for (int round = 0; round < 150; ++round) {
    const Column column = RandomColumn(random, round % 2 == 1);
    const std::int64_t range = 1'000 + static_cast<std::int64_t>(random() % 300'000);
    const Grid grid{static_cast<std::int64_t>(random() % 100'000), 1'000 + static_cast<std::int64_t>(random() % 60'000), random() % 90};
    if (grid.steps == 0) continue;
    Windows w;
    w.Compute(column.t, grid, {}, range);
    StepColumn out;
    SumOverTime(w, column.v, &pacer, &out);
    Compare("sum", column, grid, range, 1, out, [](auto&, auto& v, auto) { return NaiveSum(v); });
    AvgOverTime(w, column.v, &pacer, &out);
    Compare("avg", column, grid, range, 1, out, [](auto&, auto& v, auto) { return NaiveAvg(v); });
    for (bool max : {false, true}) {
      MinMaxOverTime(w, column.v, max, &out);
      Compare(max ? "max" : "min", column, grid, range, 1, out, [max](auto&, auto& v, auto) { return NaiveExtreme(v, max); });
    }
    VarianceOverTime(w, column.v, false, &pacer, &out);
    Compare("stdvar", column, grid, range, 1, out, [](auto&, auto& v, auto) { return NaiveVariance(v); });
    VarianceOverTime(w, column.v, true, &pacer, &out);
    Compare("stddev", column, grid, range, 1, out, [](auto&, auto& v, auto) { return std::sqrt(NaiveVariance(v)); });
    ChangesOverTime(w, column.v, &out);
    Compare("changes", column, grid, range, 1, out, [](auto&, auto& v, auto) { return NaivePairs(v, false); });
    ResetsOverTime(w, column.v, &out);
    Compare("resets", column, grid, range, 1, out, [](auto&, auto& v, auto) { return NaivePairs(v, true); });

    StepColumn q;
    q.Reset(grid.steps);
    for (double& x : q.values) x = static_cast<double>(random() % 101) / 100;
    std::vector<double> scratch;
    QuantileOverTime(w, column.v, q, &scratch, &pacer, &out);
    std::size_t k = 0;
    Compare("quantile", column, grid, range, 1, out, [&](auto&, auto& v, auto end) {
      k = static_cast<std::size_t>((end - grid.start_ms) / grid.interval_ms);
      const double want = NaiveQuantile(q.values[k], v);
      return want == 0 && out.values[k] == 0 ? out.values[k] : want;  // which of 0 and -0 is not defined
    });

    for (int kind = 0; kind < 3; ++kind) {
      const bool counter = kind != 2, rate = kind == 0;
      RatePlan plan;
      plan.Compute(column.t, grid, {}, range, rate);
      std::vector<std::uint32_t> resets;
      if (counter) {
        const bool nan = FindResets(column.v, &resets);
        BOOST_TEST(nan == std::any_of(column.v.begin(), column.v.end(), [](double x) { return std::isnan(x); }));
      }
      RateKernel(plan, column.v, counter, rate, range, resets, &out);
      Compare(kind == 0 ? "rate" : kind == 1 ? "increase" : "delta", column, grid, range, 2, out, [&](auto& t, auto& v, auto end) {
        return NaiveRate(t, v, end, range, counter, rate);
      });
    }
  }
}

BOOST_AUTO_TEST_CASE(shared_time_columns_change_nothing) {
  // The same samples once with a column of times of their own, once shared; stale markers included.
  std::mt19937_64 random(11);
  MemoryStore own, shared;
  for (int target = 0; target < 3; ++target) {
    Column base = RandomColumn(random, false);
    auto times = std::make_shared<const std::vector<std::int64_t>>(base.t);
    for (int series = 0; series < 5; ++series) {
      const Labels labels{{"__name__", "m_total"}, {"target", std::to_string(target)}, {"series", std::to_string(series)}};
      std::vector<double> v = base.v;
      for (double& x : v) {
        if (random() % 40 == 0) x = StaleNan();
      }
      for (std::size_t i = 0; i < v.size(); ++i) own.Append(labels, base.t[i], v[i]);
      shared.SetColumn(labels, times, v);
    }
  }
  const Engine engine;
  for (const char* expr : {"m_total", "rate(m_total[1m])", "sum(increase(m_total[3m]))", "avg_over_time(m_total[2m])", "max_over_time(m_total[5m])",
                           "count_over_time(m_total[1m])", "sum by (target) (rate(m_total[90s]))", "max_over_time(rate(m_total[1m])[5m:10s])"}) {
    QueryControl control;
    auto a = engine.Range(own, expr, 0, 3'000'000, 7'000, control);
    auto b = engine.Range(shared, expr, 0, 3'000'000, 7'000, control);
    BOOST_TEST_REQUIRE(a.has_value());
    BOOST_TEST_REQUIRE(b.has_value());
    BOOST_TEST_CONTEXT(expr) {
      BOOST_TEST_REQUIRE(a->series.size() == b->series.size());
      for (std::size_t i = 0; i < a->series.size(); ++i) {
        BOOST_TEST_REQUIRE(a->series[i].floats.size() == b->series[i].floats.size());
        for (std::size_t k = 0; k < a->series[i].floats.size(); ++k) {
          BOOST_TEST_REQUIRE(a->series[i].floats[k].t_ms == b->series[i].floats[k].t_ms);
          BOOST_TEST_REQUIRE(SameBits(a->series[i].floats[k].v, b->series[i].floats[k].v));
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(sums_start_without_a_trace) {
  // Adding to the empty state gives the first sample exactly. (Upstream, too, adds the compensation of 0 in the end: -0 becomes 0.)
  for (double first : {0.0, -0.0, 1.5, -kInf, 5e-324}) {
    SumState state;
    state.Reset(1);
    StepColumn in;
    in.Reset(1);
    in.Set(0, first);
    state.Add(in);
    BOOST_TEST(SameBits(state.sum[0], first));
    BOOST_TEST(SameBits(state.sum[0] + state.c[0], first + 0.0));
  }
}

BOOST_AUTO_TEST_CASE(nearly_equal) {
  struct Row {
    double a, b;
    bool want;
  };
  for (const Row& row : {Row{1, 1, true}, {1, 1 + 1e-7, true}, {1, 1.0001, false}, {0, 1e-300, false}, {kInf, kInf, true}, {kInf, -kInf, false},
                         {NormalNan(), NormalNan(), true}, {NormalNan(), 0, false}, {1e308, -1e308, false}}) {
    BOOST_TEST_CONTEXT(row.a << " and " << row.b) BOOST_TEST(AlmostEqual(row.a, row.b, 1e-6) == row.want);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace prom::promql
