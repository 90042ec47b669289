#include "promql/exec/range_function.h"

#include <algorithm>
#include <optional>

#include "base/number.h"
#include "base/strings.h"

namespace prom::promql {

std::optional<RangeFunction> FindRangeFunction(std::string_view name) {
  struct Row {
    std::string_view name;
    RangeFunction function;
  };
  static constexpr Row kRows[] = {
      {"rate", RangeFunction::kRate},
      {"increase", RangeFunction::kIncrease},
      {"delta", RangeFunction::kDelta},
      {"irate", RangeFunction::kIrate},
      {"idelta", RangeFunction::kIdelta},
      {"sum_over_time", RangeFunction::kSum},
      {"avg_over_time", RangeFunction::kAvg},
      {"min_over_time", RangeFunction::kMin},
      {"max_over_time", RangeFunction::kMax},
      {"count_over_time", RangeFunction::kCount},
      {"stddev_over_time", RangeFunction::kStddev},
      {"stdvar_over_time", RangeFunction::kStdvar},
      {"quantile_over_time", RangeFunction::kQuantile},
      {"last_over_time", RangeFunction::kLast},
      {"first_over_time", RangeFunction::kFirst},
      {"present_over_time", RangeFunction::kPresent},
      {"mad_over_time", RangeFunction::kMad},
      {"ts_of_min_over_time", RangeFunction::kTsOfMin},
      {"ts_of_max_over_time", RangeFunction::kTsOfMax},
      {"ts_of_first_over_time", RangeFunction::kTsOfFirst},
      {"ts_of_last_over_time", RangeFunction::kTsOfLast},
      {"changes", RangeFunction::kChanges},
      {"resets", RangeFunction::kResets},
      {"deriv", RangeFunction::kDeriv},
      {"predict_linear", RangeFunction::kPredictLinear},
      {"double_exponential_smoothing", RangeFunction::kDoubleExponentialSmoothing},
  };
  for (const Row& row : kRows) {
    if (row.name == name) return row.function;
  }
  return std::nullopt;
}

Result<void> RangeFunctionOperator::DoPrepare(QueryContext& context) {
  for (OperatorPtr& scalar : scalars_) {
    PROM_TRY(scalar->Prepare(context));
    PROM_TRY(scalar->Read(context, 0, 0, &scalar_columns_.emplace_back()));
  }
  PROM_TRY(source_->Prepare(context));
  use_start_timestamps_ = context.options().use_start_timestamps &&
                          (spec_.function == RangeFunction::kRate || spec_.function == RangeFunction::kIrate ||
                           spec_.function == RangeFunction::kIncrease || spec_.function == RangeFunction::kResets);

  if (spec_.function == RangeFunction::kDoubleExponentialSmoothing && !source_->series().empty()) {
    static constexpr const char* kNames[] = {"smoothing", "trend"};
    static constexpr const char* kShort[] = {"sf", "tf"};
    for (int arg = 0; arg < 2; ++arg) {
      for (double f : scalar_columns_[static_cast<std::size_t>(arg)].values) {
        if (f <= 0 || f >= 1) {
          return Error{Errc::kInvalid, StringPrintf("invalid %s factor. Expected: 0 < %s < 1, got: %f", kNames[arg], kShort[arg], f)};
        }
      }
    }
  }

  // last_ and first_over_time are like offset: the series stays what it is.
  const bool keeps_name = spec_.function == RangeFunction::kLast || spec_.function == RangeFunction::kFirst;
  series_ = source_->series();
  return keeps_name ? Result<void>() : DropNames(context, &series_);
}

bool RangeFunctionOperator::NeedsGeneralWay(const SeriesColumns& samples) const {
  if (spec_.anchored || spec_.smoothed || !samples.histograms.empty()) return true;
  return use_start_timestamps_ && !samples.st.empty();
}

Result<void> RangeFunctionOperator::Read(QueryContext& context, std::size_t i, std::size_t worker, StepColumn* out) {
  Scratch& scratch = scratch_[worker];
  SeriesColumns& samples = scratch.samples;
  PROM_TRY(source_->Read(context, i, worker, &samples));
  scratch.resets.clear();
  if (spec_.function == RangeFunction::kRate || spec_.function == RangeFunction::kIncrease) {
    // One pass finds resets and whether there may be stale markers; only these are worth a second.
    if (!samples.histograms.empty() || (!samples.no_resets && FindResets(samples.v, &scratch.resets))) {
      RemoveStale(&samples);
      FindResets(samples.v, &scratch.resets);
    }
  } else {
    RemoveStale(&samples);
  }
  const Labels& labels = source_->series()[i].labels;

  if (NeedsGeneralWay(samples)) {
    scratch.histogram_times.clear();
    for (const HistogramSample& h : samples.histograms) scratch.histogram_times.push_back(h.t_ms);
    const std::int64_t lookback = context.options().lookback_ms;
    const std::int64_t before = spec_.range_ms + (spec_.anchored || spec_.smoothed ? lookback : 0);
    const std::int64_t after = spec_.smoothed ? lookback : 0;
    Windows floats;
    floats.Compute(samples.t, grid_, spec_.shift, before, after);
    scratch.histogram_windows.Compute(scratch.histogram_times, grid_, spec_.shift, before, after);
    RangeInput in{spec_, grid_, samples, labels, floats, scratch.histogram_windows, use_start_timestamps_};
    switch (spec_.function) {
      case RangeFunction::kMin:
      case RangeFunction::kMax:
      case RangeFunction::kStddev:
      case RangeFunction::kStdvar:
      case RangeFunction::kQuantile:
      case RangeFunction::kMad:
      case RangeFunction::kTsOfMin:
      case RangeFunction::kTsOfMax:
      case RangeFunction::kDeriv:
      case RangeFunction::kPredictLinear:
      case RangeFunction::kDoubleExponentialSmoothing: {
        // These use the floats of a window and mention histograms they left out.
        PROM_TRY(Floats(context, floats, scratch, out));
        for (std::size_t k = 0; k < grid_.steps; ++k) {
          if (floats.lo[k] != floats.hi[k] && scratch.histogram_windows.lo[k] != scratch.histogram_windows.hi[k]) {
            context.annotations().Info("ignored histograms in a range containing both floats and histograms for metric name " +
                                           Quote(labels.metric_name()), spec_.first_arg_pos);
            break;
          }
        }
        break;
      }
      default: PROM_TRY(GeneralRangeFunction(context, in, out));
    }
  } else {
    PROM_TRY(Floats(context, scratch, out));
  }

  if ((spec_.function == RangeFunction::kRate || spec_.function == RangeFunction::kIncrease) && out->HasFloats()) {
    const std::string_view name = labels.metric_name();
    if (!name.empty()) {
      if (context.options().type_and_unit_labels) {
        const std::string_view type = labels.Get("__type__");
        if (type != "counter" && type != "histogram") {
          context.annotations().Info("metric might not be a counter, __type__ label is not set to \"counter\" or \"histogram\", got " +
                                         Quote(type) + ": " + Quote(name), spec_.first_arg_pos);
        }
      } else if (!name.ends_with("_total") && !name.ends_with("_sum") && !name.ends_with("_count") && !name.ends_with("_bucket")) {
        context.annotations().Info("metric might not be a counter, name does not end in _total/_sum/_count/_bucket: " + Quote(name),
                                   spec_.first_arg_pos);
      }
    }
  }
  if (spec_.function == RangeFunction::kQuantile && !out->empty()) {
    ForEachBit(out->present, [&](std::size_t k) {
      const double q = scalar_columns_[0].values[k];
      if (std::isnan(q) || q < 0 || q > 1) {
        context.annotations().Warn("quantile value should be between 0 and 1, got " + FormatFloatG(q), spec_.first_arg_pos);
      }
    });
  }
  return {};
}

Result<void> RangeFunctionOperator::Floats(QueryContext& context, Scratch& scratch, StepColumn* out) {
  const SeriesColumns& s = scratch.samples;
  const bool extrapolated =
      spec_.function == RangeFunction::kRate || spec_.function == RangeFunction::kIncrease || spec_.function == RangeFunction::kDelta;
  if (extrapolated) {
    const bool is_rate = spec_.function == RangeFunction::kRate;
    const RatePlan& plan =
        scratch.rates.Get(s, grid_.steps, [&](RatePlan* p) { p->Compute(s.t, grid_, spec_.shift, spec_.range_ms, is_rate); });
    RateKernel(plan, s.v, spec_.function != RangeFunction::kDelta, is_rate, spec_.range_ms, scratch.resets, out);
    return {};
  }
  const Windows& w = scratch.windows.Get(s, grid_.steps, [&](Windows* made) { made->Compute(s.t, grid_, spec_.shift, spec_.range_ms); });
  return Floats(context, w, scratch, out);
}

namespace {

// Calls fn(k, lo, hi) -> value for steps with at least `least` samples. With a pacer
// when fn looks at the whole window, at so many ns a sample.
template <typename Fn>
void EachWindow(const Windows& w, std::uint32_t least, StepColumn* out, Fn&& fn, Pacer* pacer = nullptr, std::size_t cost = 16) {
  const std::size_t steps = w.lo.size();
  out->Reset(steps);
  for (std::size_t k = 0; k < steps; ++k) {
    if (w.hi[k] - w.lo[k] < least) continue;
    if (pacer != nullptr && !pacer->Spend(cost * (w.hi[k] - w.lo[k]))) return;
    out->Set(k, fn(k, w.lo[k], w.hi[k]));
  }
}

double Smooth(std::span<const double> v, std::uint32_t lo, std::uint32_t hi, double sf, double tf) {
  double before = 0, now = v[lo], trend = v[lo + 1] - v[lo];
  for (std::uint32_t i = lo + 1; i < hi; ++i) {
    const double x = sf * v[i];
    if (i != lo + 1) {
      const double a = tf * (now - before), b = (1 - tf) * trend;
      trend = a + b;
    }
    const double y = (1 - sf) * (now + trend);
    before = now;
    now = x + y;
  }
  return now;
}

// The median of the distances from the median; NaN as soon as one value is.
double MedianDeviation(std::span<const double> v, std::vector<double>* scratch) {
  scratch->assign(v.begin(), v.end());
  for (double x : v) {
    if (std::isnan(x)) return std::numeric_limits<double>::quiet_NaN();
  }
  SortNanFirst(scratch);
  const double median = SortedQuantile(0.5, *scratch);
  for (double& x : *scratch) x = std::fabs(x - median);
  SortNanFirst(scratch);
  return SortedQuantile(0.5, *scratch);
}

}  // namespace

Result<void> RangeFunctionOperator::Floats(QueryContext& context, const Windows& w, Scratch& scratch, StepColumn* out) {
  Pacer pacer(context);
  const std::span<const double> v = scratch.samples.v;
  const std::span<const std::int64_t> t = scratch.samples.t;
  auto seconds = [](std::int64_t ms) { return static_cast<double>(ms) / 1000; };
  switch (spec_.function) {
    case RangeFunction::kRate:
    case RangeFunction::kIncrease:
    case RangeFunction::kDelta: break;  // above
    case RangeFunction::kIrate:
    case RangeFunction::kIdelta: {
      const bool is_rate = spec_.function == RangeFunction::kIrate;
      EachWindow(w, 2, out, [&](std::size_t, std::uint32_t, std::uint32_t hi) {
        const double last = v[hi - 1], before = v[hi - 2];
        const double result = !is_rate || !(last < before) ? last - before : last;
        return is_rate ? result / seconds(t[hi - 1] - t[hi - 2]) : result;
      });
      break;
    }
    case RangeFunction::kSum: SumOverTime(w, v, &pacer, out); break;
    case RangeFunction::kAvg: AvgOverTime(w, v, &pacer, out); break;
    case RangeFunction::kMin: MinMaxOverTime(w, v, false, out); break;
    case RangeFunction::kMax: MinMaxOverTime(w, v, true, out); break;
    case RangeFunction::kCount:
      EachWindow(w, 1, out, [](std::size_t, std::uint32_t lo, std::uint32_t hi) { return static_cast<double>(hi - lo); });
      break;
    case RangeFunction::kStddev: VarianceOverTime(w, v, true, &pacer, out); break;
    case RangeFunction::kStdvar: VarianceOverTime(w, v, false, &pacer, out); break;
    case RangeFunction::kQuantile: QuantileOverTime(w, v, scalar_columns_[0], &scratch.values, &pacer, out); break;
    case RangeFunction::kLast: EachWindow(w, 1, out, [&](std::size_t, std::uint32_t, std::uint32_t hi) { return v[hi - 1]; }); break;
    case RangeFunction::kFirst: EachWindow(w, 1, out, [&](std::size_t, std::uint32_t lo, std::uint32_t) { return v[lo]; }); break;
    case RangeFunction::kPresent: EachWindow(w, 1, out, [](std::size_t, std::uint32_t, std::uint32_t) { return 1.0; }); break;
    case RangeFunction::kMad:
      EachWindow(w, 1, out, [&](std::size_t, std::uint32_t lo, std::uint32_t hi) { return MedianDeviation(v.subspan(lo, hi - lo), &scratch.values); }, &pacer, 100);
      break;
    case RangeFunction::kTsOfMin:
    case RangeFunction::kTsOfMax: {
      LastExtremeOverTime(w, v, spec_.function == RangeFunction::kTsOfMax, &scratch.positions);
      EachWindow(w, 1, out, [&](std::size_t k, std::uint32_t, std::uint32_t) { return seconds(t[scratch.positions[k]]); });
      break;
    }
    case RangeFunction::kTsOfFirst: EachWindow(w, 1, out, [&](std::size_t, std::uint32_t lo, std::uint32_t) { return seconds(t[lo]); }); break;
    case RangeFunction::kTsOfLast: EachWindow(w, 1, out, [&](std::size_t, std::uint32_t, std::uint32_t hi) { return seconds(t[hi - 1]); }); break;
    case RangeFunction::kChanges: ChangesOverTime(w, v, out); break;
    case RangeFunction::kResets: ResetsOverTime(w, v, out); break;
    case RangeFunction::kDeriv:
      EachWindow(w, 2, out, [&](std::size_t, std::uint32_t lo, std::uint32_t hi) {
        return LinearRegression(t.subspan(lo, hi - lo), v.subspan(lo, hi - lo), t[lo]).first;
      }, &pacer);
      break;
    case RangeFunction::kPredictLinear:
      EachWindow(w, 2, out, [&](std::size_t k, std::uint32_t lo, std::uint32_t hi) {
        const auto [slope, intercept] = LinearRegression(t.subspan(lo, hi - lo), v.subspan(lo, hi - lo), grid_.At(k));
        return slope * scalar_columns_[0].values[k] + intercept;
      }, &pacer);
      break;
    case RangeFunction::kDoubleExponentialSmoothing:
      EachWindow(w, 2, out, [&](std::size_t k, std::uint32_t lo, std::uint32_t hi) {
        return Smooth(v, lo, hi, scalar_columns_[0].values[k], scalar_columns_[1].values[k]);
      }, &pacer);
      break;
  }
  return pacer.status();
}

std::string RangeFunctionOperator::Explain() const {
  std::string out = spec_.name + " over " + std::to_string(spec_.range_ms) + " ms";
  if (spec_.shift.offset_ms != 0) out += " offset " + std::to_string(spec_.shift.offset_ms) + " ms";
  if (spec_.shift.fixed_ms) out += " @ " + std::to_string(*spec_.shift.fixed_ms) + " ms";
  return out + ", " + source_->Explain();
}

std::vector<const Operator*> RangeFunctionOperator::Children() const {
  std::vector<const Operator*> out = source_->Children();
  for (const OperatorPtr& scalar : scalars_) out.push_back(scalar.get());
  return out;
}

}  // namespace prom::promql
