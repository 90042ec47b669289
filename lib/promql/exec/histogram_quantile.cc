#include "promql/exec/histogram_quantile.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <unordered_map>

#include "base/number.h"
#include "base/strings.h"
#include "promql/exec/kernels.h"
#include "promql/histogram_math.h"

namespace prom::promql {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();
// Relative difference below which a falling bucket is a rounding error, not a fault of the data.
constexpr double kSmallDelta = 1e-12;

// A float as OpenMetrics label values have it: a whole number gets ".0".
std::string FormatFloatOpenMetrics(double v) {
  std::string out = FormatFloatG(v);
  if (std::isfinite(v) && out.find_first_of("e.") == std::string::npos) out += ".0";
  return out;
}

// Sorted by bound, equal bounds summed. False when the last bound is not +Inf.
bool Order(std::vector<Bucket>* buckets) {
  std::stable_sort(buckets->begin(), buckets->end(), [](const Bucket& a, const Bucket& b) { return a.upper_bound < b.upper_bound; });
  if (buckets->back().upper_bound != kInf) return false;
  std::size_t last = 0;
  for (std::size_t i = 1; i < buckets->size(); ++i) {
    if ((*buckets)[i].upper_bound == (*buckets)[last].upper_bound) {
      (*buckets)[last].count += (*buckets)[i].count;
    } else {
      (*buckets)[++last] = (*buckets)[i];
    }
  }
  buckets->resize(last + 1);
  return true;
}

void Level(std::vector<Bucket>* buckets, MonotonicityFix* fix) {
  fix->min_bucket = kInf;
  fix->max_bucket = -kInf;
  double previous = (*buckets)[0].count;
  for (std::size_t i = 1; i < buckets->size(); ++i) {
    Bucket& b = (*buckets)[i];
    if (b.count == previous) continue;
    if (AlmostEqual(previous, b.count, kSmallDelta)) {
      b.count = previous;
    } else if (b.count < previous) {
      fix->forced = true;
      fix->min_bucket = std::min(fix->min_bucket, b.upper_bound);
      fix->max_bucket = std::max(fix->max_bucket, b.upper_bound);
      fix->max_diff = std::max(fix->max_diff, previous - b.count);
      b.count = previous;
    } else {
      previous = b.count;
    }
  }
}

}  // namespace

double BucketQuantile(double q, std::vector<Bucket>* buckets, MonotonicityFix* fix) {
  if (std::isnan(q)) return kNaN;
  if (q < 0) return -kInf;
  if (q > 1) return kInf;
  if (!Order(buckets)) return kNaN;
  Level(buckets, fix);
  const std::vector<Bucket>& b = *buckets;
  if (b.size() < 2) return kNaN;
  const double observations = b.back().count;
  if (observations == 0) return kNaN;
  double rank = q * observations;
  // First bucket that reaches the rank, by bisection over all but the last.
  std::size_t low = 0, high = b.size() - 1;
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (!(b[middle].count >= rank)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == b.size() - 1) return b[b.size() - 2].upper_bound;
  if (low == 0 && b[0].upper_bound <= 0) return b[0].upper_bound;
  double start = 0, count = b[low].count;
  if (low > 0) {
    start = b[low - 1].upper_bound;
    count -= b[low - 1].count;
    rank -= b[low - 1].count;
  }
  return start + (b[low].upper_bound - start) * (rank / count);
}

double BucketFraction(double lower, double upper, std::vector<Bucket>* buckets) {
  if (!Order(buckets)) return kNaN;
  const std::vector<Bucket>& b = *buckets;
  const double count = b.back().count;
  if (count == 0 || std::isnan(lower) || std::isnan(upper)) return kNaN;
  if (lower >= upper) return 0;
  double rank = 0, lower_rank = 0, upper_rank = 0;
  bool lower_set = false, upper_set = false;
  double low = b[0].upper_bound <= 0 ? -kInf : 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    if (i > 0) low = b[i - 1].upper_bound;
    const double high = b[i].upper_bound;
    // Inside a bucket without an end there is nothing to interpolate over.
    auto interpolate = [&](double v) { return low == -kInf ? b[i].count : rank + (b[i].count - rank) * (v - low) / (high - low); };
    if (!lower_set && low >= lower) {
      lower_rank = rank;
      lower_set = true;
    }
    if (!upper_set && low >= upper) {
      upper_rank = rank;
      upper_set = true;
    }
    if (lower_set && upper_set) break;
    if (!lower_set && low < lower && high > lower) {
      lower_rank = interpolate(lower);
      lower_set = true;
    }
    if (!upper_set && low < upper && high > upper) {
      upper_rank = interpolate(upper);
      upper_set = true;
    }
    if (lower_set && upper_set) break;
    rank = b[i].count;
  }
  if (!lower_set || lower_rank > count) lower_rank = count;
  if (!upper_set || upper_rank > count) upper_rank = count;
  return (upper_rank - lower_rank) / count;
}

std::vector<const Operator*> HistogramQuantileOperator::Children() const {
  std::vector<const Operator*> out = {child_.get()};
  for (const OperatorPtr& scalar : scalars_) out.push_back(scalar.get());
  return out;
}

Result<void> HistogramQuantileOperator::Compute(QueryContext& context) {
  const bool fraction = call_.function->name == "histogram_fraction";
  const bool many = call_.function->name == "histogram_quantiles";
  const bool delayed = context.options().delayed_name_removal;
  const Expr& vector_arg = *call_.args[fraction ? 2 : many ? 0 : 1];
  std::vector<StepColumn> scalars;
  for (OperatorPtr& scalar : scalars_) {
    PROM_TRY(scalar->Prepare(context));
    PROM_TRY(scalar->Read(context, 0, 0, &scalars.emplace_back()));
  }
  PROM_TRY(child_->Prepare(context));
  HeldSamples input_held;
  PROM_ASSIGN(const std::vector<StepColumn> input, ReadAll(context, *child_, &input_held));
  const std::vector<SeriesMeta>& series = child_->series();

  // The histogram a series is a part of: its labels without le. Labels work is done here, once.
  LabelNumbers numbers;
  LabelSubset without_le({"le"}, LabelSubset::Names::kRemoved);
  struct Part {
    std::uint32_t classic = 0, native = 0;
    std::optional<double> bound;
    std::vector<std::uint64_t> any;
  };
  std::vector<Part> parts(series.size());
  Pacer pacer(context);
  for (std::size_t i = 0; i < series.size(); ++i) {
    if (!pacer.Spend(500)) return pacer.status();
    parts[i].bound = ParseFloat(series[i].labels.Get("le"));
    if (parts[i].bound) parts[i].classic = numbers.Add(without_le.Of(series[i].labels)).number;
    if (!input[i].histograms.empty()) parts[i].native = numbers.Add(series[i].labels.bytes()).number;
    parts[i].any = input[i].AnyPresent();
  }
  std::vector<Labels> group_labels;
  for (std::uint32_t g = 0; g < numbers.size(); ++g) group_labels.push_back(numbers.labels(g));

  OutputTable table(grid_.steps);
  // Output series of a group, for each quantile.
  const std::size_t outputs = many ? scalars.size() : 1;
  std::unordered_map<std::string, std::size_t> output_of;
  auto output = [&](std::uint32_t group, double q) {
    const std::string text = many ? FormatFloatOpenMetrics(q) : std::string();
    auto [it, fresh] = output_of.try_emplace(std::to_string(group) + ' ' + text, 0);
    if (fresh) {
      Labels labels = delayed ? group_labels[group] : DropMetadataLabels(group_labels[group]);
      if (many) {
        LabelsBuilder builder(labels);
        const Expr* label = call_.args[1].get();
        while (label->kind == NodeKind::kParen) label = As<ParenExpr>(*label).expr.get();
        builder.Set(As<StringLiteral>(*label).value, text);
        labels = builder.Build();
      }
      it->second = table.Find(labels, true);
    }
    return it->second;
  };
  auto name_of = [&](const Labels& labels) { return delayed ? labels.metric_name() : std::string_view(); };

  std::vector<std::vector<Bucket>> buckets(group_labels.size());
  std::vector<std::uint32_t> touched;
  std::vector<std::pair<std::uint32_t, const Histogram*>> natives;
  std::vector<Bucket> work;
  for (std::size_t k = 0; k < grid_.steps; ++k) {
    PROM_TRY(context.Check());
    touched.clear();
    natives.clear();
    if (!fraction) {
      for (std::size_t n = 0; n < scalars.size(); ++n) {
        const double q = scalars[n].values[k];
        if (std::isnan(q) || q < 0 || q > 1) {
          context.annotations().Warn("quantile value should be between 0 and 1, got " + FormatFloatG(q), call_.args[many ? n + 2 : 0]->pos);
        }
      }
    }
    for (std::size_t i = 0; i < series.size(); ++i) {
      if ((parts[i].any[k / 64] >> (k % 64) & 1) == 0) continue;
      if (!input[i].Has(k)) {
        natives.emplace_back(parts[i].native, input[i].HistogramAtStep(k)->get());
        continue;
      }
      if (!parts[i].bound) {
        std::string text = "bucket label \"le\" is missing or has a malformed value of " + Quote(series[i].labels.Get("le"));
        if (const std::string_view name = name_of(series[i].labels); !name.empty()) text += " for metric name " + Quote(name);
        context.annotations().Warn(std::move(text), vector_arg.pos);
        continue;
      }
      std::vector<Bucket>& group = buckets[parts[i].classic];
      if (group.empty()) touched.push_back(parts[i].classic);
      group.push_back({*parts[i].bound, input[i].values[k]});
    }
    for (auto& [group, h] : natives) {
      if (buckets[group].empty()) continue;
      // The same histogram in both forms: neither is trusted.
      std::string text = "vector contains a mix of classic and native histograms";
      if (const std::string_view name = name_of(group_labels[group]); !name.empty()) text += " for metric name " + Quote(name);
      context.annotations().Warn(std::move(text), vector_arg.pos);
      buckets[group].clear();
      h = nullptr;
    }
    for (std::size_t n = 0; n < outputs; ++n) {
      const double q = scalars[n].values[k];
      for (const auto& [group, h] : natives) {
        if (h == nullptr) continue;
        const std::string_view name = name_of(group_labels[group]);
        HistogramNanNote note = HistogramNanNote::kNone;
        const double v = fraction ? HistogramFraction(scalars[0].values[k], scalars[1].values[k], *h, &note) : HistogramQuantile(q, *h, &note);
        if (note != HistogramNanNote::kNone) {
          std::string text = note == HistogramNanNote::kFraction ? "input to histogram_fraction has NaN observations, which are excluded from all fractions"
                             : note == HistogramNanNote::kResult ? "input to histogram_quantile has NaN observations, result is NaN"
                                                                 : "input to histogram_quantile has NaN observations, result is skewed higher";
          if (!name.empty()) text += " for metric name " + Quote(name);
          context.annotations().Info(std::move(text), vector_arg.pos);
        }
        PROM_TRY(table.Add(context, output(group, q), k, v));
      }
      for (std::uint32_t group : touched) {
        if (buckets[group].empty()) continue;
        work = buckets[group];
        double v = 0;
        if (fraction) {
          v = BucketFraction(scalars[0].values[k], scalars[1].values[k], &work);
        } else {
          MonotonicityFix fix;
          v = BucketQuantile(q, &work, &fix);
          if (fix.forced) {
            context.annotations().ForcedMonotonicity(name_of(group_labels[group]), vector_arg.pos, grid_.At(k), fix.min_bucket, fix.max_bucket, fix.max_diff);
          }
        }
        PROM_TRY(table.Add(context, output(group, q), k, v));
      }
    }
    for (std::uint32_t group : touched) buckets[group].clear();
  }
  table.MoveTo(&series_, &columns_);
  held_.Take(table.held());
  return {};
}

}  // namespace prom::promql
