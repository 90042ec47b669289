#include "promql/exec/aggregate.h"

#include <algorithm>
#include <map>
#include <memory>

#include "base/strings.h"
#include "model/label_numbers.h"
#include "promql/exec/kernels.h"
#include "promql/exec/parallel.h"
#include "promql/histogram_math.h"

namespace prom::promql {

Result<Grouping> Grouping::Of(QueryContext& context, const std::vector<SeriesMeta>& series, const AggregateExpr& expr,
                              const std::vector<StepColumn>* columns) {
  const bool without = expr.without;
  std::vector<std::string> names = expr.grouping;
  if (without) names.emplace_back(kMetricName);
  LabelSubset subset(std::move(names), without ? LabelSubset::Names::kRemoved : LabelSubset::Names::kKept);
  Grouping out;
  out.group_of.reserve(series.size());
  LabelNumbers numbers;
  Pacer pacer(context);
  for (std::size_t i = 0; i < series.size(); ++i) {
    if (!pacer.Spend(200)) return pacer.status().error();
    if (columns != nullptr && (*columns)[i].empty()) {
      out.group_of.push_back(kNone);
      continue;
    }
    const auto [number, fresh] = numbers.Add(subset.Of(series[i].labels));
    if (fresh) out.labels.push_back(numbers.labels(number));
    out.group_of.push_back(number);
  }
  return out;
}

namespace {

// Floats of one group over all steps.
class GroupState {
 public:
  virtual ~GroupState() = default;
  virtual void Add(const StepColumn& in) = 0;
  virtual void Finish(StepColumn* out) = 0;
};

class SumGroup : public GroupState {
 public:
  explicit SumGroup(std::size_t steps) { state_.Reset(steps); }
  void Add(const StepColumn& in) override { state_.Add(in); }
  void Finish(StepColumn* out) override {
    out->Reset(state_.sum.size());
    out->present = state_.seen;
    for (std::size_t k = 0; k < out->values.size(); ++k) out->values[k] = state_.sum[k] + state_.c[k];
  }

 private:
  SumState state_;
};

class AvgGroup : public GroupState {
 public:
  explicit AvgGroup(std::size_t steps) : value_(steps, 0), c_(steps, 0), count_(steps, 0) {}
  void Add(const StepColumn& in) override {
    ForEachBit(in.present, [&](std::size_t k) {
      const double f = in.values[k];
      const double count = ++count_[k];
      if (count == 1) {
        value_[k] = f;
        return;
      }
      if (mean_.empty() || !incremental_[k]) {
        double sum = value_[k], c = c_[k];
        KahanAdd(f, &sum, &c);
        if (!IsInf(sum)) {
          value_[k] = sum;
          c_[k] = c;
          return;
        }
        // The sum overflows: from here on a running mean.
        if (mean_.empty()) {
          mean_.assign(value_.size(), 0);
          incremental_.assign(value_.size(), false);
        }
        incremental_[k] = true;
        mean_[k] = value_[k] / (count - 1);
        c_[k] /= count - 1;
      }
      const double q = (count - 1) / count;
      mean_[k] = q * mean_[k];
      c_[k] = q * c_[k];
      KahanAdd(f / count, &mean_[k], &c_[k]);
    });
  }
  void Finish(StepColumn* out) override {
    out->Reset(value_.size());
    for (std::size_t k = 0; k < value_.size(); ++k) {
      if (count_[k] == 0) continue;
      out->Set(k, !mean_.empty() && incremental_[k] ? mean_[k] + c_[k] : value_[k] / count_[k] + c_[k] / count_[k]);
    }
  }

 private:
  std::vector<double> value_, c_, count_, mean_;
  std::vector<bool> incremental_;
};

class MinMaxGroup : public GroupState {
 public:
  MinMaxGroup(std::size_t steps, bool is_max) : is_max_(is_max) { out_.Reset(steps); }
  void Add(const StepColumn& in) override {
    ForEachBit(in.present, [&](std::size_t k) {
      const double f = in.values[k], best = out_.values[k];
      if (!out_.Has(k) || (is_max_ ? best < f : best > f) || std::isnan(best)) out_.Set(k, f);
    });
  }
  void Finish(StepColumn* out) override { *out = std::move(out_); }

 private:
  bool is_max_;
  StepColumn out_;
};

// count and group; histograms count too.
class CountGroup : public GroupState {
 public:
  CountGroup(std::size_t steps, bool count) : count_(count) { out_.Reset(steps); }
  void Add(const StepColumn& in) override {
    ForEachBit(in.present, [&](std::size_t k) { Add(k); });
    for (const HistogramAt& at : in.histograms) Add(at.step);
  }
  void Finish(StepColumn* out) override { *out = std::move(out_); }

 private:
  void Add(std::size_t k) { out_.Set(k, count_ && out_.Has(k) ? out_.values[k] + 1 : 1); }
  bool count_;
  StepColumn out_;
};

class DeviationGroup : public GroupState {
 public:
  DeviationGroup(std::size_t steps, bool root) : root_(root), count_(steps, 0), mean_(steps, 0), value_(steps, 0) {}
  void Add(const StepColumn& in) override {
    ForEachBit(in.present, [&](std::size_t k) {
      const double f = in.values[k];
      if (++count_[k] == 1) {
        mean_[k] = f;
        value_[k] = std::isnan(f) || IsInf(f) ? std::numeric_limits<double>::quiet_NaN() : 0;
        return;
      }
      const double delta = f - mean_[k];
      mean_[k] += delta / count_[k];
      value_[k] += delta * (f - mean_[k]);
    });
  }
  void Finish(StepColumn* out) override {
    out->Reset(value_.size());
    for (std::size_t k = 0; k < value_.size(); ++k) {
      if (count_[k] == 0) continue;
      const double variance = value_[k] / count_[k];
      out->Set(k, root_ ? std::sqrt(variance) : variance);
    }
  }

 private:
  bool root_;
  std::vector<double> count_, mean_, value_;
};

std::unique_ptr<GroupState> MakeGroup(AggregateOp op, std::size_t steps) {
  switch (op) {
    case AggregateOp::kSum: return std::make_unique<SumGroup>(steps);
    case AggregateOp::kAvg: return std::make_unique<AvgGroup>(steps);
    case AggregateOp::kMin: return std::make_unique<MinMaxGroup>(steps, false);
    case AggregateOp::kMax: return std::make_unique<MinMaxGroup>(steps, true);
    case AggregateOp::kCount: return std::make_unique<CountGroup>(steps, true);
    case AggregateOp::kGroup: return std::make_unique<CountGroup>(steps, false);
    case AggregateOp::kStddev: return std::make_unique<DeviationGroup>(steps, true);
    default: return std::make_unique<DeviationGroup>(steps, false);
  }
}

// Numbers a group holds per step, for the limit on samples.
std::size_t StateSize(AggregateOp op) {
  switch (op) {
    case AggregateOp::kSum: return 2;
    case AggregateOp::kAvg:
    case AggregateOp::kStddev:
    case AggregateOp::kStdvar: return 3;
    default: return 1;
  }
}

}  // namespace

Result<void> AggregateOperator::Compute(QueryContext& context) {
  PROM_TRY(child_->Prepare(context));
  PROM_ASSIGN(const Grouping grouping, Grouping::Of(context, child_->series(), expr_));
  const std::size_t groups = grouping.labels.size();
  PROM_TRY(held_.Add(context, groups * grid_.steps * StateSize(expr_.op)));
  std::vector<std::unique_ptr<GroupState>> states;
  states.reserve(groups);
  for (std::size_t g = 0; g < groups; ++g) states.push_back(MakeGroup(expr_.op, grid_.steps));
  std::vector<bool> drop_name(groups, false);
  // Groups in order of their first series with samples, so that series without any make no difference.
  std::vector<std::uint32_t> order;
  std::vector<bool> met(groups, false);

  const bool adds = expr_.op == AggregateOp::kSum || expr_.op == AggregateOp::kAvg;
  const bool counts = expr_.op == AggregateOp::kCount || expr_.op == AggregateOp::kGroup;
  // Histograms of sum and avg, by group and step; few queries have any.
  std::map<std::pair<std::uint32_t, std::uint32_t>, HistogramAverage> histograms;

  const auto consume = [&](std::size_t i, StepColumn* read) -> Result<void> {
    const StepColumn& column = *read;
    const std::uint32_t group = grouping.group_of[i];
    if (column.empty()) return {};
    if (!met[group]) order.push_back(group);
    met[group] = true;
    if (child_->series()[i].drop_name) drop_name[group] = true;
    states[group]->Add(column);
    if (column.histograms.empty() || counts) return {};
    if (!adds) {
      context.annotations().Info("ignored histogram in " + std::string(AggregateOpName(expr_.op)) + " aggregation", expr_.expr->pos);
      return {};
    }
    for (const HistogramAt& at : column.histograms) {
      HistogramAverage& sum = histograms[{group, at.step}];
      const HistogramNotes notes = sum.Add(*at.h, expr_.op == AggregateOp::kAvg);
      if (notes.incompatible) {
        context.annotations().Warn("vector contains a mix of histograms with exponential and custom buckets schemas for metric name " +
                                       Quote(child_->series()[i].labels.metric_name()), expr_.expr->pos);
      }
      if (notes.bounds_reconciled) context.annotations().Info("mismatched custom buckets were reconciled during aggregation", expr_.expr->pos);
    }
    return {};
  };
  PROM_TRY(ReadInOrder(context, *child_, consume));

  columns_.resize(order.size());
  std::vector<std::uint32_t> place(groups, Grouping::kNone);
  for (std::uint32_t i = 0; i < order.size(); ++i) {
    const std::uint32_t g = order[i];
    states[g]->Finish(&columns_[i]);
    states[g].reset();
    series_.push_back({grouping.labels[g], drop_name[g]});
    place[g] = i;
  }
  for (auto& [at, sum] : histograms) {
    StepColumn& out = columns_[place[at.first]];
    if (out.Has(at.second)) {
      context.annotations().Warn("encountered a mix of histograms and floats for aggregation", expr_.expr->pos);
      out.Unset(at.second);
      continue;
    }
    if (sum.reset_collision()) context.annotations().Warn("conflicting counter resets during histogram aggregation", expr_.expr->pos);
    if (HistogramPtr h = expr_.op == AggregateOp::kAvg ? sum.Average() : sum.Sum()) out.histograms.push_back({at.second, std::move(h)});
  }
  return {};
}

std::string AggregateOperator::Explain() const {
  std::string out(AggregateOpName(expr_.op));
  if (expr_.without || !expr_.grouping.empty()) out += (expr_.without ? " without (" : " by (") + Join(expr_.grouping, ", ") + ")";
  return out + ", series by series";
}

}  // namespace prom::promql
