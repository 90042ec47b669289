// The aggregations that need all series of a step at once.
#include <algorithm>
#include <cmath>

#include "base/number.h"
#include "base/strings.h"
#include "promql/exec/aggregate.h"
#include "promql/exec/kernels.h"
#include "promql/histogram_math.h"

namespace prom::promql {

namespace {

// The parameter at every step, and its extremes: a NaN makes both NaN, as upstream.
struct Param {
  StepColumn column;
  double min = std::numeric_limits<double>::max(), max = std::numeric_limits<double>::lowest();
  bool has_nan = false;

  Result<void> Read(QueryContext& context, Operator& op) {
    PROM_TRY(op.Prepare(context));
    PROM_TRY(op.Read(context, 0, 0, &column));
    for (double v : column.values) {
      has_nan |= std::isnan(v);
      min = MinOf(min, v);
      max = MaxOf(max, v);
    }
    return {};
  }
};

}  // namespace

Result<void> QuantileOperator::Compute(QueryContext& context) {
  Param q;
  PROM_TRY(q.Read(context, *param_));
  PROM_TRY(child_->Prepare(context));
  const PosRange param_pos = expr_.param->pos;
  auto warn = [&](double v) { context.annotations().Warn("quantile value should be between 0 and 1, got " + FormatFloatG(v), param_pos); };
  if (q.has_nan) warn(std::numeric_limits<double>::quiet_NaN());
  if (q.max > 1) warn(q.max);
  if (q.min < 0) warn(q.min);

  HeldSamples input_held;
  PROM_ASSIGN(const std::vector<StepColumn> input, ReadAll(context, *child_, &input_held));
  PROM_ASSIGN(const Grouping grouping, Grouping::Of(context, child_->series(), expr_, &input));
  PROM_TRY(held_.Add(context, grouping.labels.size() * grid_.steps));
  std::vector<std::vector<std::size_t>> members(grouping.labels.size());
  for (std::size_t i = 0; i < input.size(); ++i) {
    if (grouping.group_of[i] == Grouping::kNone) continue;
    members[grouping.group_of[i]].push_back(i);
    if (!input[i].histograms.empty()) context.annotations().Info("ignored histogram in quantile aggregation", expr_.expr->pos);
  }
  std::vector<double> values;
  Pacer pacer(context);
  for (std::size_t g = 0; g < members.size(); ++g) {
    PROM_TRY(context.Check());
    StepColumn& out = columns_.emplace_back();
    out.Reset(grid_.steps);
    bool drop_name = false;
    for (std::size_t k = 0; k < grid_.steps; ++k) {
      if (!pacer.Spend(100 * members[g].size())) return pacer.status();
      values.clear();
      for (std::size_t i : members[g]) {
        if (input[i].Has(k)) values.push_back(input[i].values[k]);
      }
      if (values.empty()) continue;
      SortNanFirst(&values);
      out.Set(k, SortedQuantile(q.column.values[k], values));
    }
    for (std::size_t i : members[g]) drop_name |= child_->series()[i].drop_name;
    series_.push_back({grouping.labels[g], drop_name});
  }
  return {};
}

Result<void> SelectKOperator::Compute(QueryContext& context) {
  Param param;
  PROM_TRY(param.Read(context, *param_));
  PROM_TRY(child_->Prepare(context));
  const AggregateOp op = expr_.op;
  const bool ratio = op == AggregateOp::kLimitRatio;
  if (ratio) {
    if (param.max == 0 && param.min == 0) return {};
    if (param.has_nan) return Error{Errc::kInvalid, "Ratio value is NaN"};
    const PosRange pos = expr_.param->pos;
    if (param.max > 1) context.annotations().Warn("ratio value should be between -1 and 1, got " + FormatFloatG(param.max) + ", capping to 1", pos);
    if (param.min < -1) context.annotations().Warn("ratio value should be between -1 and 1, got " + FormatFloatG(param.min) + ", capping to -1", pos);
  } else {
    if (param.max < 1) return {};  // no step wants a series
    if (param.has_nan) return Error{Errc::kInvalid, "Parameter value is NaN"};
    if (param.min <= -9223372036854775808.0) return Error{Errc::kInvalid, "Scalar value " + FormatFloatG(param.min) + " underflows int64"};
    if (param.max >= 9223372036854775808.0) return Error{Errc::kInvalid, "Scalar value " + FormatFloatG(param.max) + " overflows int64"};
  }

  HeldSamples input_held;
  PROM_ASSIGN(const std::vector<StepColumn> input, ReadAll(context, *child_, &input_held));
  PROM_ASSIGN(const Grouping grouping, Grouping::Of(context, child_->series(), expr_, &input));
  const std::size_t series_count = input.size();
  std::vector<std::vector<std::uint64_t>> any;
  for (const StepColumn& column : input) any.push_back(column.AnyPresent());

  std::vector<std::uint32_t> output_of(series_count, ~std::uint32_t{0});
  auto emit = [&](std::size_t i, std::size_t k) -> Result<void> {
    std::uint32_t& slot = output_of[i];
    if (slot == ~std::uint32_t{0}) {
      PROM_TRY(held_.Add(context, grid_.steps));
      slot = static_cast<std::uint32_t>(columns_.size());
      columns_.emplace_back().Reset(grid_.steps);
      series_.push_back(child_->series()[i]);
    }
    if (const HistogramPtr* h = input[i].HistogramAtStep(k)) {
      columns_[slot].histograms.push_back({static_cast<std::uint32_t>(k), *h});
    } else {
      columns_[slot].Set(k, input[i].values[k]);
    }
    return {};
  };

  if (ratio) {
    for (std::size_t i = 0; i < series_count; ++i) {
      PROM_TRY(context.Check());
      const double offset = static_cast<double>(child_->series()[i].labels.Hash()) / 18446744073709551616.0;
      for (std::size_t k = 0; k < grid_.steps; ++k) {
        if ((any[i][k / 64] >> (k % 64) & 1) == 0) continue;
        const double r = std::clamp(param.column.values[k], -1.0, 1.0);
        if ((r >= 0 && offset < r) || (r < 0 && offset >= 1.0 + r)) PROM_TRY(emit(i, k));
      }
    }
    return {};
  }

  std::vector<std::size_t> limits(grid_.steps, 0);
  std::size_t most = 0;
  for (std::size_t k = 0; k < grid_.steps; ++k) {
    const std::int64_t wanted = static_cast<std::int64_t>(param.column.values[k]);
    if (wanted >= 1) limits[k] = static_cast<std::size_t>(std::min<std::int64_t>(wanted, static_cast<std::int64_t>(series_count)));
    most = std::max(most, limits[k]);
  }
  std::vector<std::size_t> members(grouping.labels.size(), 0);
  for (const std::uint32_t g : grouping.group_of) {
    if (g != Grouping::kNone) ++members[g];
  }

  // For each group and step a heap of input numbers, the one to be replaced first on top; a NaN is replaced by
  // anything. Series by series, so that columns are read front to back, and what does not beat the top of a full
  // heap, which is most of it, costs one comparison.
  struct Heaps {
    std::size_t room = 0;               // of one step
    std::vector<std::uint32_t> series;  // [step * room, step * room + size)
    std::vector<std::uint32_t> size;
    std::vector<double> bar;  // values up to it (topk) or from it on (bottomk) are not taken; NaN: all are looked at
  };
  std::vector<Heaps> heaps(grouping.labels.size());
  for (std::size_t g = 0; g < heaps.size(); ++g) {
    Heaps& h = heaps[g];
    h.room = std::min(most, members[g]);
    PROM_TRY(input_held.AddMemory(context, grid_.steps * (h.room * sizeof(std::uint32_t) + sizeof(std::uint32_t) + sizeof(double))));
    h.series.resize(grid_.steps * h.room);
    h.size.resize(grid_.steps);
    h.bar.assign(grid_.steps, std::numeric_limits<double>::quiet_NaN());
  }
  const bool top = op == AggregateOp::kTopk;
  // true: a goes before b in the result. NaN last; of equal values the earlier series.
  const auto better_at = [&](std::size_t k) {
    return [&input, k, top](std::uint32_t a, std::uint32_t b) {
      const double va = input[a].values[k], vb = input[b].values[k];
      if (std::isnan(va) || std::isnan(vb)) {
        if (std::isnan(va) != std::isnan(vb)) return std::isnan(vb);
        return a < b;
      }
      if (va != vb) return top ? va > vb : va < vb;
      return a < b;
    };
  };
  for (std::uint32_t i = 0; i < series_count; ++i) {
    PROM_TRY(context.Check());
    if (grouping.group_of[i] == Grouping::kNone) continue;
    Heaps& h = heaps[grouping.group_of[i]];
    if (op == AggregateOp::kLimitk) {
      ForEachBit(any[i], [&](std::size_t k) {
        if (h.size[k] < limits[k]) h.series[k * h.room + h.size[k]++] = i;
      });
      continue;
    }
    for (const HistogramAt& at : input[i].histograms) {
      if (limits[at.step] != 0) context.annotations().Info("ignored histogram in " + std::string(AggregateOpName(op)) + " aggregation", expr_.pos);
    }
    const double* const values = input[i].values.data();
    const double* const bar = h.bar.data();
    ForEachBit(input[i].present, [&](std::size_t k) {
      if (top ? values[k] <= bar[k] : values[k] >= bar[k]) return;
      if (limits[k] == 0) return;
      const auto better = better_at(k);
      std::uint32_t* const begin = h.series.data() + k * h.room;
      std::uint32_t& size = h.size[k];
      if (size < limits[k]) {
        begin[size++] = i;
        std::push_heap(begin, begin + size, better);
      } else if (better(i, *begin)) {
        std::pop_heap(begin, begin + size, better);
        begin[size - 1] = i;
        std::push_heap(begin, begin + size, better);
      }
      if (size == limits[k]) h.bar[k] = input[*begin].values[k];
    });
  }
  for (std::size_t k = 0; k < grid_.steps; ++k) {
    PROM_TRY(context.Check());
    for (Heaps& h : heaps) {
      std::uint32_t* const begin = h.series.data() + k * h.room;
      if (op != AggregateOp::kLimitk) std::sort(begin, begin + h.size[k], better_at(k));
      for (std::uint32_t n = 0; n < h.size[k]; ++n) PROM_TRY(emit(begin[n], k));
    }
  }
  return {};
}

Result<void> CountValuesOperator::Compute(QueryContext& context) {
  PROM_TRY(child_->Prepare(context));
  HeldSamples input_held;
  PROM_ASSIGN(const std::vector<StepColumn> input, ReadAll(context, *child_, &input_held));
  std::vector<std::string> names = expr_.grouping;
  names.push_back(expr_.without ? std::string(kMetricName) : label_);
  std::sort(names.begin(), names.end());
  OutputTable table(grid_.steps);
  // The labels of a value follow from series and text; both repeat from step to step.
  std::unordered_map<std::string, std::size_t> output_of;
  std::unordered_map<std::size_t, double> counts;  // of this step
  std::vector<std::size_t> order;
  Pacer pacer(context);
  for (std::size_t k = 0; k < grid_.steps; ++k) {
    counts.clear();
    order.clear();
    for (std::size_t i = 0; i < input.size(); ++i) {
      if (!pacer.Spend(300)) return pacer.status();
      std::string text;
      if (input[i].Has(k)) {
        text = FormatFloatF(input[i].values[k]);
      } else if (const HistogramPtr* h = input[i].HistogramAtStep(k)) {
        text = HistogramText(**h);
      } else {
        continue;
      }
      auto [it, fresh] = output_of.try_emplace(std::to_string(i) + ' ' + text, 0);
      if (fresh) {
        PROM_TRY(held_.AddMemory(context, it->first.size() + child_->series()[i].labels.bytes().size() + text.size() + 128));
        LabelsBuilder builder(child_->series()[i].labels);
        builder.Set(label_, text);
        const Labels labels = builder.Build();
        it->second = table.Find(expr_.without ? RemoveLabels(labels, names) : KeepLabels(labels, names), false);
      }
      if (counts[it->second]++ == 0) order.push_back(it->second);
    }
    for (std::size_t series : order) PROM_TRY(table.Add(context, series, k, counts[series]));
  }
  table.MoveTo(&series_, &columns_);
  held_.Take(table.held());
  return {};
}

}  // namespace prom::promql
