// Functions of windows and of single values.
#include <algorithm>
#include <cmath>
#include <ctime>
#include <limits>
#include <numbers>

#include "promql/histogram_math.h"
#include "reference_eval.h"

namespace prom::promql::reference {

namespace {
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();
using Hint = Histogram::ResetHint;
using HistogramPtr = std::shared_ptr<const Histogram>;

double Seconds(std::int64_t ms) { return static_cast<double>(ms) / 1000; }
// Whole seconds and the rest, added: how Go turns a duration into seconds.
double DurationSeconds(std::int64_t ms) { return static_cast<double>(ms / 1000) + static_cast<double>((ms % 1000) * 1'000'000) / 1e9; }
}  // namespace

void Kahan::Add(double x) {
  const double t = sum + x;
  if (std::isinf(t)) {
    c = 0;
  } else if (std::fabs(sum) >= std::fabs(x)) {
    c += (sum - t) + x;
  } else {
    c += (x - t) + sum;
  }
  sum = t;
}

double Quantile(double q, std::vector<double> values) {
  if (values.empty() || std::isnan(q)) return kNaN;
  if (q < 0) return -kInf;
  if (q > 1) return kInf;
  std::stable_sort(values.begin(), values.end(), [](double a, double b) { return std::isnan(a) ? !std::isnan(b) : a < b; });
  const double n = static_cast<double>(values.size()), rank = q * (n - 1);
  const double lower = std::max(0.0, std::floor(rank)), upper = std::min(n - 1, lower + 1), weight = rank - std::floor(rank);
  return values[static_cast<std::size_t>(lower)] * (1 - weight) + values[static_cast<std::size_t>(upper)] * weight;
}

namespace {

std::vector<double> Values(const Window& w) {
  std::vector<double> out;
  for (const auto& [t, v] : w.floats) out.push_back(v);
  return out;
}

double Average(const std::vector<double>& values) {
  Kahan sum{values[0], 0};
  for (std::size_t i = 1; i < values.size(); ++i) {
    Kahan next = sum;
    next.Add(values[i]);
    if (std::isinf(next.sum)) {
      // From here on a running mean.
      double count = static_cast<double>(i);
      Kahan mean{sum.sum / count, sum.c / count};
      for (; i < values.size(); ++i) {
        count = static_cast<double>(i + 1);
        const double q = (count - 1) / count;
        mean = {q * mean.sum, q * mean.c};
        mean.Add(values[i] / count);
      }
      return mean.sum + mean.c;
    }
    sum = next;
  }
  const double n = static_cast<double>(values.size());
  return sum.sum / n + sum.c / n;
}

double Variance(const std::vector<double>& values) {
  double count = 0;
  Kahan mean, aux;
  for (double v : values) {
    ++count;
    const double delta = v - (mean.sum + mean.c);
    mean.Add(delta / count);
    aux.Add(delta * (v - (mean.sum + mean.c)));
  }
  return (aux.sum + aux.c) / count;
}

// The smallest or largest; a NaN only when there is nothing else. Position of the first such, or with `last` of the last.
std::size_t Extreme(const std::vector<double>& v, bool max, bool last) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < v.size(); ++i) {
    const bool beyond = max ? v[i] > v[best] : v[i] < v[best];
    if (beyond || (last && v[i] == v[best]) || std::isnan(v[best])) best = i;
  }
  return best;
}

// Slope and value at `origin_ms` of the line of least squares.
std::pair<double, double> Line(const Window& w, std::int64_t origin_ms) {
  bool constant = true;
  double n = 0;
  Kahan x, y, xy, xx;
  for (const auto& [t, v] : w.floats) {
    constant = constant && v == w.floats[0].second;
    n += 1;
    const double dx = static_cast<double>(t - origin_ms) / 1e3;
    x.Add(dx);
    y.Add(v);
    xy.Add(dx * v);
    xx.Add(dx * dx);
  }
  const double first = w.floats[0].second;
  if (std::isnan(first)) constant = w.floats.size() == 1;
  if (constant) return std::isinf(first) ? std::pair{kNaN, kNaN} : std::pair{0.0, first};
  const double sx = x.sum + x.c, sy = y.sum + y.c, sxy = xy.sum + xy.c, sxx = xx.sum + xx.c;
  const double slope = (sxy - sx * sy / n) / (sxx - sx * sx / n);
  return {slope, sy / n - slope * sx / n};
}

std::optional<Value> HistogramResult(std::shared_ptr<Histogram> h) { return Value{0, std::move(h)}; }

// The increase of histograms from first to last; null when their buckets do not go together.
std::shared_ptr<Histogram> HistogramRise(const Window& w, bool counter) {
  std::vector<HistogramPtr> h;
  for (const auto& [t, one] : w.histograms) h.push_back(one);
  if (counter && DetectReset(*h[1], *h[0])) {
    // The first sample does not count: something empty of the second's layout takes its place.
    auto nothing = std::make_shared<Histogram>();
    nothing->schema = h[1]->schema;
    nothing->custom_values = h[1]->custom_values;
    h[0] = nothing;
  }
  std::int32_t schema = std::min(h.front()->schema, h.back()->schema);
  if (h.back()->uses_custom_buckets() != h.front()->uses_custom_buckets()) return nullptr;
  if (counter) {
    for (std::size_t i = 1; i + 1 < h.size(); ++i) {
      if (h[i]->uses_custom_buckets() != h.front()->uses_custom_buckets()) return nullptr;
      schema = std::min(schema, h[i]->schema);
    }
  }
  auto result = std::make_shared<Histogram>(ReduceSchema(*h.back(), schema));
  if (SubtractHistogram(result.get(), *h.front()).incompatible) return nullptr;
  for (std::size_t i = 1; counter && i < h.size(); ++i) {
    if (DetectReset(*h[i], *h[i - 1]) && AddHistogram(result.get(), *h[i - 1]).incompatible) return nullptr;
  }
  result->reset_hint = Hint::kGauge;
  CompactInPlace(result.get());
  return result;
}

std::optional<Value> Extrapolated(const Window& w, bool counter, bool rate) {
  const bool histograms = !w.histograms.empty();
  if (histograms && !w.floats.empty()) return {};
  const std::size_t n = histograms ? w.histograms.size() : w.floats.size();
  if (n < 2) return {};
  const std::int64_t first_t = histograms ? w.histograms.front().first : w.floats.front().first;
  const std::int64_t last_t = histograms ? w.histograms.back().first : w.floats.back().first;
  std::shared_ptr<Histogram> h;
  double rise = 0;
  if (histograms) {
    h = HistogramRise(w, counter);
    if (!h) return {};
  } else {
    rise = w.floats.back().second - w.floats.front().second;
    for (std::size_t i = 1; counter && i < n; ++i) {
      if (w.floats[i].second < w.floats[i - 1].second) rise += w.floats[i - 1].second;
    }
  }
  double to_start = Seconds(first_t - w.start_ms), to_end = Seconds(w.end_ms - last_t);
  const double sampled = Seconds(last_t - first_t), average = sampled / static_cast<double>(n - 1), threshold = average * 1.1;
  if (to_start >= threshold) to_start = average / 2;
  if (counter) {
    // A counter cannot have been below zero.
    double to_zero = to_start;
    if (!histograms && rise > 0 && w.floats.front().second >= 0) to_zero = sampled * (w.floats.front().second / rise);
    if (histograms && h->count > 0 && w.histograms.front().second->count >= 0) to_zero = sampled * (w.histograms.front().second->count / h->count);
    if (to_zero < to_start) to_start = to_zero;
  }
  if (to_end >= threshold) to_end = average / 2;
  double factor = (sampled + to_start + to_end) / sampled;
  if (rate) factor /= DurationSeconds(w.range_ms);
  if (histograms) return HistogramResult(MultiplyHistogram(*h, factor));
  return Value{rise * factor, nullptr};
}

std::optional<Value> LastTwo(const Window& w, bool rate) {
  struct Sample {
    std::int64_t t;
    Value v;
  };
  std::vector<Sample> all;
  for (const auto& [t, v] : w.floats) all.push_back({t, {v, nullptr}});
  for (const auto& [t, h] : w.histograms) all.push_back({t, {0, h}});
  std::sort(all.begin(), all.end(), [](const Sample& a, const Sample& b) { return a.t < b.t; });
  if (all.size() < 2) return {};
  const Sample &a = all[all.size() - 2], &b = all.back();
  const double seconds = Seconds(b.t - a.t);
  if ((a.v.h == nullptr) != (b.v.h == nullptr)) return {};
  if (b.v.h == nullptr) {
    double d = rate && b.v.f < a.v.f ? b.v.f : b.v.f - a.v.f;
    return Value{rate ? d / seconds : d, nullptr};
  }
  auto result = std::make_shared<Histogram>(*b.v.h);
  if (!rate || !DetectReset(*b.v.h, *a.v.h)) {
    if (SubtractHistogram(result.get(), *a.v.h).incompatible) return {};
  }
  result->reset_hint = Hint::kGauge;
  CompactInPlace(result.get());
  return HistogramResult(rate ? DivideHistogram(*result, seconds) : result);
}

// Samples of both kinds in order of time, whether each is another than, or less than, the one before.
double CountChanges(const Window& w, bool resets) {
  std::size_t f = 0, h = 0;
  bool have = false, was_float = false;
  double count = 0, last_f = 0;
  HistogramPtr last_h;
  while (f < w.floats.size() || h < w.histograms.size()) {
    const bool is_float = h == w.histograms.size() || (f < w.floats.size() && w.floats[f].first < w.histograms[h].first);
    bool differs = false;
    if (have && is_float != was_float) {
      differs = true;
    } else if (have && is_float) {
      const double v = w.floats[f].second;
      differs = resets ? v < last_f : v != last_f && !(std::isnan(v) && std::isnan(last_f));
    } else if (have) {
      differs = resets ? DetectReset(*w.histograms[h].second, *last_h) : !EqualHistograms(*w.histograms[h].second, *last_h);
    }
    count += differs;
    have = true;
    was_float = is_float;
    if (is_float) {
      last_f = w.floats[f++].second;
    } else {
      last_h = w.histograms[h++].second;
    }
  }
  return count;
}

std::optional<Value> SumOrAverage(const Window& w, bool average) {
  if (!w.floats.empty() && !w.histograms.empty()) return {};
  if (w.histograms.empty()) {
    const std::vector<double> v = Values(w);
    if (average) return Value{Average(v), nullptr};
    Kahan sum;
    for (double x : v) sum.Add(x);
    return Value{std::isinf(sum.sum) ? sum.sum : sum.sum + sum.c, nullptr};
  }
  HistogramAverage sum;
  for (const auto& [t, h] : w.histograms) {
    if (sum.Add(*h, average).incompatible) return {};
  }
  return Value{0, average ? sum.Average() : sum.Sum()};
}

std::optional<Value> OfFloats(std::string_view name, const Window& w, const std::vector<double>& scalars) {
  const std::vector<double> v = Values(w);
  if (v.empty()) return {};
  auto number = [](double f) { return std::optional<Value>(Value{f, nullptr}); };
  if (name == "min_over_time") return number(v[Extreme(v, false, false)]);
  if (name == "max_over_time") return number(v[Extreme(v, true, false)]);
  if (name == "ts_of_min_over_time") return number(Seconds(w.floats[Extreme(v, false, true)].first));
  if (name == "ts_of_max_over_time") return number(Seconds(w.floats[Extreme(v, true, true)].first));
  if (name == "stdvar_over_time") return number(Variance(v));
  if (name == "stddev_over_time") return number(std::sqrt(Variance(v)));
  if (name == "quantile_over_time") return number(Quantile(scalars[0], v));
  if (name == "mad_over_time") {
    if (std::any_of(v.begin(), v.end(), [](double x) { return std::isnan(x); })) return number(kNaN);
    const double median = Quantile(0.5, v);
    std::vector<double> distance;
    for (double x : v) distance.push_back(std::fabs(x - median));
    return number(Quantile(0.5, distance));
  }
  if (v.size() < 2) return {};
  if (name == "deriv") return number(Line(w, w.floats[0].first).first);
  if (name == "predict_linear") {
    const auto [slope, intercept] = Line(w, w.eval_ms);
    return number(slope * scalars[0] + intercept);
  }
  if (name == "double_exponential_smoothing") {
    double s0 = 0, s1 = v[0], b = v[1] - v[0];
    for (std::size_t i = 1; i < v.size(); ++i) {
      const double x = scalars[0] * v[i];
      if (i > 1) {
        const double p = scalars[1] * (s1 - s0), q = (1 - scalars[1]) * b;
        b = p + q;
      }
      const double y = (1 - scalars[0]) * (s1 + b);
      s0 = s1;
      s1 = x + y;
    }
    return number(s1);
  }
  return {};
}

}  // namespace

std::optional<Value> RangeFunction(std::string_view name, const Window& w, const std::vector<double>& scalars) {
  if (w.floats.empty() && w.histograms.empty()) return {};
  auto number = [](double f) { return std::optional<Value>(Value{f, nullptr}); };
  if (name == "rate") return Extrapolated(w, true, true);
  if (name == "increase") return Extrapolated(w, true, false);
  if (name == "delta") return Extrapolated(w, false, false);
  if (name == "irate") return LastTwo(w, true);
  if (name == "idelta") return LastTwo(w, false);
  if (name == "sum_over_time") return SumOrAverage(w, false);
  if (name == "avg_over_time") return SumOrAverage(w, true);
  if (name == "count_over_time") return number(static_cast<double>(w.floats.size() + w.histograms.size()));
  if (name == "present_over_time") return number(1);
  if (name == "changes") return number(CountChanges(w, false));
  if (name == "resets") return number(CountChanges(w, true));
  const bool f = !w.floats.empty(), h = !w.histograms.empty();
  if (name == "last_over_time" || name == "ts_of_last_over_time") {
    const bool is_float = f && (!h || w.floats.back().first > w.histograms.back().first);
    if (name[0] == 't') return number(Seconds(is_float ? w.floats.back().first : w.histograms.back().first));
    return is_float ? Value{w.floats.back().second, nullptr} : Value{0, w.histograms.back().second};
  }
  if (name == "first_over_time" || name == "ts_of_first_over_time") {
    const bool is_float = f && (!h || w.floats.front().first < w.histograms.front().first);
    if (name[0] == 't') return number(Seconds(is_float ? w.floats.front().first : w.histograms.front().first));
    return is_float ? Value{w.floats.front().second, nullptr} : Value{0, w.histograms.front().second};
  }
  return OfFloats(name, w, scalars);
}

bool MathFunction(std::string_view name, double in, double* out) {
  using Function = double (*)(double);
  struct Row {
    std::string_view name;
    Function function;
  };
  static const Row kRows[] = {
      {"abs", std::fabs}, {"ceil", std::ceil}, {"floor", std::floor}, {"exp", std::exp}, {"sqrt", std::sqrt}, {"ln", std::log},
      {"log2", std::log2}, {"log10", std::log10}, {"sin", std::sin}, {"cos", std::cos}, {"tan", std::tan}, {"asin", std::asin},
      {"acos", std::acos}, {"atan", std::atan}, {"sinh", std::sinh}, {"cosh", std::cosh}, {"tanh", std::tanh}, {"asinh", std::asinh},
      {"acosh", std::acosh}, {"atanh", std::atanh},
      {"rad", [](double v) { return v * std::numbers::pi / 180; }},
      {"deg", [](double v) { return v * 180 / std::numbers::pi; }},
      {"sgn", [](double v) { return v < 0 ? -1.0 : v > 0 ? 1.0 : v; }},
  };
  for (const Row& row : kRows) {
    if (row.name != name) continue;
    *out = row.function(in);
    return true;
  }
  // The calendar of the C library; only for times it can tell.
  if (name != "minute" && name != "hour" && name != "day_of_week" && name != "day_of_month" && name != "day_of_year" && name != "days_in_month" &&
      name != "month" && name != "year") {
    return false;
  }
  std::time_t seconds = in >= -9.2e18 && in <= 9.2e18 ? static_cast<std::time_t>(in) : 0;
  std::int64_t cycles = 0;
  if (!(in >= -9.2e18 && in <= 9.2e18)) {
    // What is no int64 becomes -2^63 upstream, which its calendar takes for 2^63. It repeats every 400 years.
    constexpr std::uint64_t kSecond = std::uint64_t{1} << 63, kCycle = 146097ull * 86400;
    seconds = static_cast<std::time_t>(kSecond % kCycle);
    cycles = static_cast<std::int64_t>(kSecond / kCycle);
  }
  std::tm tm{};
  gmtime_r(&seconds, &tm);
  const std::int64_t year = tm.tm_year + 1900 + 400 * cycles;
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  static constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  *out = name == "minute"          ? tm.tm_min
         : name == "hour"          ? tm.tm_hour
         : name == "day_of_week"   ? tm.tm_wday
         : name == "day_of_month"  ? tm.tm_mday
         : name == "day_of_year"   ? tm.tm_yday + 1
         : name == "month"         ? tm.tm_mon + 1
         : name == "days_in_month" ? kDays[tm.tm_mon] + (leap && tm.tm_mon == 1)
                                   : static_cast<double>(year);
  return true;
}

}  // namespace prom::promql::reference
