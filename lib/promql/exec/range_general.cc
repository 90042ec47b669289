// Range functions over windows that hold histograms, start timestamps or an
// extended range: step by step, as upstream's functions.go states them.
#include <algorithm>
#include <cmath>

#include "base/strings.h"
#include "promql/exec/range_function.h"
#include "promql/exec/smooth.h"
#include "promql/histogram_math.h"

namespace prom::promql {

namespace {

using Hint = Histogram::ResetHint;

// The samples of one step.
struct Window {
  std::span<const std::int64_t> t;
  std::span<const double> v;
  std::span<const std::int64_t> st;  // empty: not looked at
  std::span<const HistogramSample> h;
  std::span<const std::int64_t> h_st;
  std::int64_t start_ms, end_ms;  // of the range itself, without what is looked at around it
};

// Whether a start timestamp says that counting began anew between two samples.
bool StartReset(std::int64_t prev_st, std::int64_t prev_t, std::int64_t st, std::int64_t t) {
  if (st == 0 || st >= t) return false;  // unknown, or not to be believed
  if (st != prev_t) return st > prev_t;
  // Points at the sample before: a delta series, unless that one's start is unknown or invalid.
  return prev_st <= prev_t && prev_st != 0 && prev_st != prev_t;
}

bool StartOverlap(std::int64_t prev_st, std::int64_t prev_t, std::int64_t st) { return st != 0 && st < prev_t && st != prev_st; }

class Evaluator {
 public:
  Evaluator(QueryContext& context, const RangeInput& in) : context_(context), in_(in), pos_(in.spec.first_arg_pos), name_(in.labels.metric_name()) {}

  void Step(const Window& w, std::size_t k, StepColumn* out) {
    const RangeFunction f = in_.spec.function;
    switch (f) {
      case RangeFunction::kRate: return Rate(w, k, true, true, out);
      case RangeFunction::kIncrease: return Rate(w, k, true, false, out);
      case RangeFunction::kDelta: return Rate(w, k, false, false, out);
      case RangeFunction::kIrate: return Instant(w, k, true, out);
      case RangeFunction::kIdelta: return Instant(w, k, false, out);
      case RangeFunction::kSum:
      case RangeFunction::kAvg: return Add(w, k, f == RangeFunction::kAvg, out);
      case RangeFunction::kCount: return out->Set(k, static_cast<double>(w.t.size() + w.h.size()));
      case RangeFunction::kPresent: return out->Set(k, 1);
      case RangeFunction::kFirst:
        if (w.h.empty() || (!w.t.empty() && w.t.front() < w.h.front().t_ms)) return out->Set(k, w.v.front());
        return Put(k, w.h.front().h, out);
      case RangeFunction::kLast:
        if (w.h.empty() || (!w.t.empty() && w.h.back().t_ms < w.t.back())) return out->Set(k, w.v.back());
        return Put(k, w.h.back().h, out);
      case RangeFunction::kTsOfFirst: {
        const std::int64_t t = w.t.empty() ? w.h.front().t_ms : w.h.empty() ? w.t.front() : std::min(w.t.front(), w.h.front().t_ms);
        return out->Set(k, static_cast<double>(t) / 1000);
      }
      case RangeFunction::kTsOfLast: {
        const std::int64_t t = w.t.empty() ? w.h.back().t_ms : w.h.empty() ? w.t.back() : std::max(w.t.back(), w.h.back().t_ms);
        return out->Set(k, static_cast<double>(t) / 1000);
      }
      case RangeFunction::kChanges: return Changes(w, k, false, out);
      case RangeFunction::kResets: return Changes(w, k, true, out);
      default: return;  // the others work on floats alone
    }
  }

 private:
  void Put(std::size_t k, HistogramPtr h, StepColumn* out) { out->histograms.push_back({static_cast<std::uint32_t>(k), std::move(h)}); }
  void WarnMixed() { context_.annotations().Warn("encountered a mix of histograms and floats for metric name " + Quote(name_), pos_); }
  void WarnIncompatible() {
    context_.annotations().Warn("vector contains a mix of histograms with exponential and custom buckets schemas for metric name " + Quote(name_), pos_);
  }
  void WarnNotCounter() { context_.annotations().Warn("this native histogram metric is not a counter: " + Quote(name_), pos_); }
  void WarnNotGauge() { context_.annotations().Warn("this native histogram metric is not a gauge: " + Quote(name_), pos_); }
  void InfoReconciled(const char* verb) { context_.annotations().Info(std::string("mismatched custom buckets were reconciled during ") + verb, pos_); }

  // *h += other or -=; false and a warning when their buckets do not go together.
  bool AddTo(Histogram* h, const Histogram& other, bool subtract) {
    const HistogramNotes notes = subtract ? SubtractHistogram(h, other) : AddHistogram(h, other);
    if (notes.incompatible) {
      WarnIncompatible();
      return false;
    }
    if (notes.bounds_reconciled) InfoReconciled(subtract ? "subtraction" : "addition");
    return true;
  }

  void Add(const Window& w, std::size_t k, bool average, StepColumn* out) {
    if (!w.t.empty() && !w.h.empty()) return WarnMixed();
    if (w.h.empty()) {
      Windows one;
      one.lo = {0};
      one.hi = {static_cast<std::uint32_t>(w.v.size())};
      StepColumn result;
      Pacer pacer(context_);
      average ? AvgOverTime(one, w.v, &pacer, &result) : SumOverTime(one, w.v, &pacer, &result);
      return out->Set(k, result.values[0]);
    }
    HistogramAverage sum;
    bool reconciled = false;
    for (const HistogramSample& s : w.h) {
      const HistogramNotes notes = sum.Add(*s.h, average);
      reconciled |= notes.bounds_reconciled;
      if (notes.incompatible) return WarnIncompatible();
    }
    if (sum.reset_collision()) context_.annotations().Warn("conflicting counter resets during histogram aggregation", pos_);
    if (reconciled) InfoReconciled("aggregation");
    Put(k, average ? sum.Average() : sum.Sum(), out);
  }

  void Instant(const Window& w, std::size_t k, bool is_rate, StepColumn* out) {
    struct Sample {
      std::int64_t t, st;
      double v;
      HistogramPtr h;
    };
    if (w.t.size() + w.h.size() < 2) return;
    std::vector<Sample> last;  // the newest two of either kind
    for (std::size_t i = w.t.size() < 2 ? 0 : w.t.size() - 2; i < w.t.size(); ++i) last.push_back({w.t[i], i < w.st.size() ? w.st[i] : 0, w.v[i], nullptr});
    for (std::size_t i = w.h.size() < 2 ? 0 : w.h.size() - 2; i < w.h.size(); ++i) {
      last.push_back({w.h[i].t_ms, i < w.h_st.size() ? w.h_st[i] : 0, 0, w.h[i].h});
    }
    std::stable_sort(last.begin(), last.end(), [](const Sample& a, const Sample& b) { return a.t < b.t; });
    const Sample &a = last[last.size() - 2], &b = last.back();
    if (a.t == b.t) return;
    const double seconds = static_cast<double>(b.t - a.t) / 1000;
    const bool start_reset = is_rate && StartReset(a.st, a.t, b.st, b.t);
    if (!a.h && !b.h) {
      const double v = is_rate && (b.v < a.v || start_reset) ? b.v : b.v - a.v;
      return out->Set(k, is_rate ? v / seconds : v);
    }
    if (!a.h || !b.h) return WarnMixed();
    const bool gauges = a.h->reset_hint == Hint::kGauge && b.h->reset_hint == Hint::kGauge;
    if (is_rate && (a.h->reset_hint == Hint::kGauge || b.h->reset_hint == Hint::kGauge)) WarnNotCounter();
    if (!is_rate && !gauges) WarnNotGauge();
    auto result = std::make_shared<Histogram>(*b.h);
    if (!is_rate || (!start_reset && !DetectReset(*b.h, *a.h))) {
      if (!AddTo(result.get(), *a.h, true)) return;
    }
    result->reset_hint = Hint::kGauge;
    CompactInPlace(result.get());
    Put(k, is_rate ? DivideHistogram(*result, seconds) : result, out);
  }

  void Rate(const Window& w, std::size_t k, bool is_counter, bool is_rate, StepColumn* out) {
    if (!w.t.empty() && !w.h.empty()) return WarnMixed();
    const bool extended = in_.spec.anchored || in_.spec.smoothed;
    if (extended) return w.h.empty() ? ExtendedFloats(w, k, is_counter, is_rate, out) : ExtendedHistograms(w, k, is_counter, is_rate, out);

    double rise = 0;
    std::shared_ptr<Histogram> h;
    std::int64_t first_t = 0, last_t = 0;
    std::size_t intervals = 0;
    std::span<const std::int64_t> st;
    if (!w.h.empty()) {
      st = w.h_st;
      intervals = w.h.size() - 1;
      first_t = w.h.front().t_ms;
      last_t = w.h.back().t_ms;
      if (intervals > 0) {
        h = HistogramRise(w, is_counter);
        if (!h) return;
      }
    } else {
      intervals = w.t.size() - 1;
      first_t = w.t.front();
      last_t = w.t.back();
      rise = w.v.back() - w.v.front();
      if (is_counter) {
        st = w.st;
        bool overlap = false;
        for (std::size_t i = 1; i < w.t.size(); ++i) {
          if (!overlap && i < st.size() && StartOverlap(st[i - 1], w.t[i - 1], st[i])) {
            context_.annotations().StartTimeOverlap(name_, pos_);
            overlap = true;
          }
          if (w.v[i] < w.v[i - 1] || (i < st.size() && StartReset(st[i - 1], w.t[i - 1], st[i], w.t[i]))) rise += w.v[i - 1];
        }
      }
    }

    double to_start = static_cast<double>(first_t - w.start_ms) / 1000;
    double to_end = static_cast<double>(w.end_ms - last_t) / 1000;
    double sampled = static_cast<double>(last_t - first_t) / 1000;
    const double average = intervals > 0 ? sampled / static_cast<double>(intervals) : 0;
    const double threshold = average * 1.1;
    if (is_counter && !st.empty() && st[0] != 0 && st[0] > w.start_ms && st[0] < first_t) {
      // The counter is known to have begun at zero inside the range: no guess to the left.
      to_start = 0;
      sampled = static_cast<double>(last_t - st[0]) / 1000;
      if (w.h.empty()) {
        rise += w.v.front();
      } else if (!h) {
        h = std::make_shared<Histogram>(*w.h.front().h);
      } else if (!AddTo(h.get(), *w.h.front().h, false)) {
        return;
      }
    } else if (intervals == 0) {
      return;
    } else {
      if (to_start >= threshold) to_start = average / 2;
      if (is_counter) {
        double to_zero = to_start;
        if (w.h.empty()) {
          if (rise > 0 && w.v.front() >= 0) to_zero = sampled * (w.v.front() / rise);
        } else if (h->count > 0 && w.h.front().h->count >= 0) {
          to_zero = sampled * (w.h.front().h->count / h->count);
        }
        to_start = std::min(to_start, to_zero);
      }
    }
    if (to_end >= threshold) to_end = average / 2;
    double factor = sampled != 0 ? (sampled + to_start + to_end) / sampled : 1;
    if (is_rate) factor /= DurationSeconds(in_.spec.range_ms);
    if (w.h.empty()) return out->Set(k, rise * factor);
    Put(k, MultiplyHistogram(*h, factor), out);
  }

  // Last minus first, with resets in between added; null after a warning.
  std::shared_ptr<Histogram> HistogramRise(const Window& w, bool is_counter) {
    const Histogram *first = w.h.front().h.get(), *last = w.h.back().h.get();
    const std::span<const std::int64_t> st = w.h_st;
    auto start_reset = [&](std::size_t i) { return i < st.size() && StartReset(st[i - 1], w.h[i - 1].t_ms, st[i], w.h[i].t_ms); };
    if (is_counter && (first->reset_hint == Hint::kGauge || last->reset_hint == Hint::kGauge)) WarnNotCounter();
    Histogram nothing;
    const Histogram* base = first;
    bool custom = first->uses_custom_buckets();
    if (is_counter && (start_reset(1) || DetectReset(*w.h[1].h, *first))) {
      // The first sample plays no part then, nor does its bucket layout.
      nothing.schema = w.h[1].h->schema;
      nothing.custom_values = w.h[1].h->custom_values;
      custom = w.h[1].h->uses_custom_buckets();
      base = &nothing;
    }
    auto incompatible = [&]() -> std::shared_ptr<Histogram> {
      WarnIncompatible();
      return nullptr;
    };
    if (last->uses_custom_buckets() != custom) return incompatible();
    std::int32_t schema = std::min(last->schema, base->schema);
    for (std::size_t i = 1; is_counter && i + 1 < w.h.size(); ++i) {
      const Histogram& h = *w.h[i].h;
      if (h.reset_hint == Hint::kGauge) WarnNotCounter();
      schema = std::min(schema, h.schema);
      if (h.uses_custom_buckets() != custom) return incompatible();
    }
    auto result = std::make_shared<Histogram>(ReduceSchema(*last, schema));
    if (!AddTo(result.get(), *base, true)) return nullptr;
    if (is_counter) {
      bool overlap = false;
      const Histogram* before = base;
      for (std::size_t i = 1; i < w.h.size(); ++i) {
        if (!overlap && i < st.size() && StartOverlap(st[i - 1], w.h[i - 1].t_ms, st[i])) {
          context_.annotations().StartTimeOverlap(name_, pos_);
          overlap = true;
        }
        const Histogram& now = *w.h[i].h;
        if (start_reset(i) || DetectReset(now, *before)) {
          if (!AddTo(result.get(), *before, false)) return nullptr;
        }
        before = &now;
      }
    } else if (first->reset_hint != Hint::kGauge || last->reset_hint != Hint::kGauge) {
      WarnNotGauge();
    }
    result->reset_hint = Hint::kGauge;
    CompactInPlace(result.get());
    return result;
  }

  // First sample that serves as left edge: the last at or before the start of the range, else the first.
  template <typename Time>
  std::pair<std::size_t, std::size_t> Edges(const Window& w, std::size_t n, Time&& time) const {
    const std::size_t last = n - 1;
    std::size_t first = 0;
    while (first < last && time(first) <= w.start_ms) ++first;  // first after the start, at most `last`
    first = first == 0 ? 0 : first - 1;
    std::size_t right = last;
    if (in_.spec.smoothed) {
      right = 0;
      while (right < last && time(right) < w.end_ms) ++right;
    }
    return {first, right};
  }

  void ExtendedFloats(const Window& w, std::size_t k, bool is_counter, bool is_rate, StepColumn* out) {
    auto [first, last] = Edges(w, w.t.size(), [&](std::size_t i) { return w.t[i]; });
    const bool smoothed = in_.spec.smoothed;
    if (w.t[last] <= w.start_ms) return;
    if (smoothed && w.t[first] > w.end_ms) return;
    const double left = smoothed && w.t[first] < w.start_ms ? Interpolate(w.t[first], w.v[first], w.t[first + 1], w.v[first + 1], w.start_ms, is_counter) : w.v[first];
    const double right = smoothed && last > 0 && w.t[last] > w.end_ms
                             ? Interpolate(w.t[last - 1], w.v[last - 1], w.t[last], w.v[last], w.end_ms, is_counter)
                             : w.v[last];
    double rise = right - left;
    if (is_counter) {
      // Resets strictly inside; those across an edge are dealt with by interpolation.
      std::size_t from = first + (w.t[first] <= w.start_ms ? 1 : 0);
      std::size_t to = last + (w.t[last] >= w.end_ms ? 0 : 1);
      double correction = 0, before = left;
      for (std::size_t i = from; i < to; ++i) {
        if (w.v[i] < before) correction += before;
        before = w.v[i];
      }
      if (right < before) correction += before;
      rise += correction;
    }
    out->Set(k, is_rate ? rise / DurationSeconds(in_.spec.range_ms) : rise);
  }

  void ExtendedHistograms(const Window& w, std::size_t k, bool is_counter, bool is_rate, StepColumn* out) {
    auto [first, last] = Edges(w, w.h.size(), [&](std::size_t i) { return w.h[i].t_ms; });
    const bool smoothed = in_.spec.smoothed;
    if (w.h[last].t_ms <= w.start_ms) return;
    if (smoothed && w.h[first].t_ms > w.end_ms) return;
    const bool custom = w.h[first].h->uses_custom_buckets();
    for (std::size_t i = first; i <= last; ++i) {
      if (w.h[i].h->uses_custom_buckets() != custom) return WarnIncompatible();
      if (is_counter && w.h[i].h->reset_hint == Hint::kGauge) WarnNotCounter();
    }
    auto interpolate = [&](const HistogramSample& a, const HistogramSample& b, std::int64_t t) -> HistogramPtr {
      InterpolatedHistogram r = InterpolateHistogram(a, b, t, is_counter);
      if (!r.h) WarnIncompatible();
      if (r.bounds_reconciled_sub) InfoReconciled("subtraction");
      if (r.bounds_reconciled_add) InfoReconciled("addition");
      return r.h;
    };
    const HistogramPtr left = smoothed && w.h[first].t_ms < w.start_ms ? interpolate(w.h[first], w.h[first + 1], w.start_ms) : w.h[first].h;
    if (!left) return;
    const HistogramPtr right = smoothed && last > 0 && w.h[last].t_ms > w.end_ms ? interpolate(w.h[last - 1], w.h[last], w.end_ms) : w.h[last].h;
    if (!right) return;
    if (!is_counter && (left->reset_hint != Hint::kGauge || right->reset_hint != Hint::kGauge)) WarnNotGauge();
    auto result = std::make_shared<Histogram>(*right);
    if (!AddTo(result.get(), *left, true)) return;
    if (is_counter) {
      std::size_t from = first + 1;
      const Histogram* before = left.get();
      if (smoothed && w.h[first].t_ms < w.start_ms && DetectReset(*w.h[first + 1].h, *w.h[first].h)) {
        // The reset the left edge was interpolated across is accounted for.
        before = w.h[first + 1].h.get();
        ++from;
      }
      if (from <= last) {
        for (std::size_t i = from; i < last; ++i) {
          const Histogram& now = *w.h[i].h;
          if (DetectReset(now, *before) && !AddTo(result.get(), *before, false)) return;
          before = &now;
        }
        if (DetectReset(*right, *before) && !AddTo(result.get(), *before, false)) return;
      }
    }
    if (is_rate) result = DivideHistogram(*result, DurationSeconds(in_.spec.range_ms));
    result->reset_hint = Hint::kGauge;
    Put(k, CompactHistogram(std::move(result)), out);
  }

  void Changes(const Window& w, std::size_t k, bool resets, StepColumn* out) {
    std::size_t f = 0, h = 0;
    if (in_.spec.anchored) {
      // The newest sample at or before the start is the base; what is older does not count.
      std::size_t f_le = 0, h_le = 0;
      while (f_le < w.t.size() && w.t[f_le] <= w.start_ms) ++f_le;
      while (h_le < w.h.size() && w.h[h_le].t_ms <= w.start_ms) ++h_le;
      if (f_le == w.t.size() && h_le == w.h.size()) return;
      if (f_le != 0 || h_le != 0) {
        const bool float_base = h_le == 0 || (f_le != 0 && w.t[f_le - 1] >= w.h[h_le - 1].t_ms);
        f = float_base ? f_le - 1 : f_le;
        h = float_base ? h_le : h_le - 1;
      }
    }
    double count = 0;
    bool have = false;
    std::int64_t prev_t = 0, prev_st = 0;
    double prev_v = 0;
    const Histogram* prev_h = nullptr;
    while (f < w.t.size() || h < w.h.size()) {
      const bool is_float = h >= w.h.size() || (f < w.t.size() && w.t[f] < w.h[h].t_ms);
      const std::int64_t t = is_float ? w.t[f] : w.h[h].t_ms;
      const std::int64_t st = is_float ? (f < w.st.size() ? w.st[f] : 0) : (h < w.h_st.size() ? w.h_st[h] : 0);
      const double v = is_float ? w.v[f] : 0;
      const Histogram* now = is_float ? nullptr : w.h[h].h.get();
      is_float ? ++f : ++h;
      if (have) {
        bool differs = false;
        if ((now == nullptr) != (prev_h == nullptr)) {
          differs = true;
        } else if (resets) {
          differs = StartReset(prev_st, prev_t, st, t) || (now == nullptr ? v < prev_v : DetectReset(*now, *prev_h));
        } else if (now == nullptr) {
          differs = v != prev_v && !(std::isnan(v) && std::isnan(prev_v));
        } else {
          differs = !EqualHistograms(*now, *prev_h);
        }
        count += differs;
      }
      have = true;
      prev_t = t;
      prev_st = st;
      prev_v = v;
      prev_h = now;
    }
    out->Set(k, count);
  }

  QueryContext& context_;
  const RangeInput& in_;
  PosRange pos_;
  std::string_view name_;
};

}  // namespace

Result<void> GeneralRangeFunction(QueryContext& context, const RangeInput& in, StepColumn* out) {
  out->Reset(in.grid.steps);
  Evaluator evaluator(context, in);
  const SeriesColumns& s = in.samples;
  Pacer pacer(context);
  for (std::size_t k = 0; k < in.grid.steps; ++k) {
    const std::size_t lo = in.floats.lo[k], n = in.floats.hi[k] - lo;
    const std::size_t h_lo = in.histograms.lo[k], h_n = in.histograms.hi[k] - h_lo;
    if (n + h_n == 0) continue;
    if (!pacer.Spend(4 * n + 1000 * h_n)) return pacer.status();  // histograms are what costs
    Window w;
    w.t = s.t.subspan(lo, n);
    w.v = s.v.subspan(lo, n);
    w.h = std::span<const HistogramSample>(s.histograms).subspan(h_lo, h_n);
    if (in.use_start_timestamps) {
      if (!s.st.empty()) w.st = s.st.subspan(lo, n);
      if (!s.histogram_st.empty()) w.h_st = std::span<const std::int64_t>(s.histogram_st).subspan(h_lo, h_n);
    }
    w.end_ms = in.spec.shift.At(in.grid, k);
    w.start_ms = w.end_ms - in.spec.range_ms;
    evaluator.Step(w, k, out);
  }
  return {};
}

}  // namespace prom::promql
