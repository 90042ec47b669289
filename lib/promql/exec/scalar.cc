#include "promql/exec/scalar.h"

#include <algorithm>
#include <limits>

#include "base/number.h"
#include "promql/exec/parallel.h"

namespace prom::promql {

Result<void> NumberOperator::DoPrepare(QueryContext&) {
  series_.emplace_back();
  return {};
}

Result<void> NumberOperator::Read(QueryContext&, std::size_t, std::size_t, StepColumn* out) {
  out->Reset(grid_.steps);
  std::fill(out->values.begin(), out->values.end(), value_);
  out->SetAllPresent();
  return {};
}

std::string NumberOperator::Explain() const { return FormatFloatG(value_); }

Result<void> TimeOperator::DoPrepare(QueryContext&) {
  series_.emplace_back();
  return {};
}

Result<void> TimeOperator::Read(QueryContext&, std::size_t, std::size_t, StepColumn* out) {
  out->Reset(grid_.steps);
  for (std::size_t k = 0; k < grid_.steps; ++k) out->values[k] = static_cast<double>(grid_.At(k)) / 1000;
  out->SetAllPresent();
  return {};
}

Result<void> ScalarPairOperator::DoPrepare(QueryContext& context) {
  PROM_TRY(lhs_->Prepare(context));
  PROM_TRY(rhs_->Prepare(context));
  series_.emplace_back();
  return {};
}

Result<void> ScalarPairOperator::Read(QueryContext& context, std::size_t, std::size_t worker, StepColumn* out) {
  StepColumn right;
  PROM_TRY(lhs_->Read(context, 0, worker, out));
  PROM_TRY(rhs_->Read(context, 0, worker, &right));
  for (std::size_t k = 0; k < grid_.steps; ++k) out->values[k] = function_(out->values[k], right.values[k]);
  return {};
}

Result<void> ToScalarOperator::Compute(QueryContext& context) {
  PROM_TRY(child_->Prepare(context));
  PROM_TRY(held_.Add(context, grid_.steps));
  StepColumn& out = columns_.emplace_back();
  series_.emplace_back();
  out.Reset(grid_.steps);
  std::vector<std::uint8_t> count(grid_.steps, 0);
  const auto consume = [&](std::size_t, StepColumn* column) -> Result<void> {
    ForEachBit(column->present, [&](std::size_t k) {
      if (count[k] < 2) ++count[k];
      out.values[k] = column->values[k];
    });
    return {};
  };
  PROM_TRY(ReadInOrder(context, *child_, consume));
  for (std::size_t k = 0; k < grid_.steps; ++k) {
    if (count[k] != 1) out.values[k] = std::numeric_limits<double>::quiet_NaN();
  }
  out.SetAllPresent();
  return {};
}

Result<void> AbsentOperator::Compute(QueryContext& context) {
  PROM_TRY(child_->Prepare(context));
  PROM_TRY(held_.Add(context, grid_.steps));
  StepColumn out;
  out.Reset(grid_.steps);
  std::fill(out.values.begin(), out.values.end(), 1.0);
  out.SetAllPresent();
  StepColumn column;
  for (std::size_t i = 0; i < child_->series().size() && out.HasFloats(); ++i) {
    PROM_TRY(context.Check());
    PROM_TRY(child_->Read(context, i, 0, &column));
    const std::vector<std::uint64_t> any = column.AnyPresent();
    for (std::size_t w = 0; w < any.size(); ++w) out.present[w] &= ~any[w];
  }
  if (!out.HasFloats()) return {};
  columns_.push_back(std::move(out));
  series_.push_back({labels_, drop_name_});
  return {};
}

Labels AbsentLabels(const Expr& arg) {
  const Expr* selector = &arg;
  if (arg.kind == NodeKind::kMatrix) selector = As<MatrixSelector>(arg).selector.get();
  if (selector->kind != NodeKind::kSelector) return {};
  LabelsBuilder builder;
  std::vector<std::string> seen;
  for (const Matcher& m : As<VectorSelector>(*selector).matchers) {
    if (m.name() == kMetricName) continue;
    // A label mentioned again is left out, even when both ask for the same: upstream's rule.
    if (m.type() == Matcher::Type::kEqual && std::find(seen.begin(), seen.end(), m.name()) == seen.end()) {
      builder.Set(m.name(), m.value());
      seen.push_back(m.name());
    } else {
      builder.Del(m.name());
    }
  }
  return builder.Build();
}

Result<void> StepInvariantOperator::DoPrepare(QueryContext& context) {
  PROM_TRY(child_->Prepare(context));
  series_ = child_->series();
  return {};
}

Result<void> StepInvariantOperator::Read(QueryContext& context, std::size_t i, std::size_t worker, StepColumn* out) {
  StepColumn& one = scratch_[worker];
  PROM_TRY(child_->Read(context, i, worker, &one));
  out->Reset(grid_.steps);
  if (one.values.empty()) return {};
  if (one.Has(0)) {
    std::fill(out->values.begin(), out->values.end(), one.values[0]);
    out->SetAllPresent();
  } else if (!one.histograms.empty()) {
    for (std::size_t k = 0; k < grid_.steps; ++k) out->histograms.push_back({static_cast<std::uint32_t>(k), one.histograms[0].h});
  }
  return {};
}

bool MergeColumn(const StepColumn& from, StepColumn* into) {
  const std::vector<std::uint64_t> a = from.AnyPresent(), b = into->AnyPresent();
  for (std::size_t w = 0; w < a.size(); ++w) {
    if ((a[w] & b[w]) != 0) return false;
  }
  ForEachBit(from.present, [&](std::size_t k) { into->Set(k, from.values[k]); });
  into->histograms.insert(into->histograms.end(), from.histograms.begin(), from.histograms.end());
  std::sort(into->histograms.begin(), into->histograms.end(), [](const HistogramAt& x, const HistogramAt& y) { return x.step < y.step; });
  return true;
}

Result<void> MergeOperator::DoPrepare(QueryContext& context) {
  PROM_TRY(child_->Prepare(context));
  LabelNumbers known;
  for (const SeriesMeta& meta : child_->series()) known.AddStable(meta.labels.bytes());
  if (known.size() == child_->series().size()) {
    series_ = child_->series();
    return {};
  }
  merged_ = true;
  LabelNumbers output;  // places in columns_
  return ReadInOrder(context, *child_, [&](std::size_t i, StepColumn* read) -> Result<void> {
    StepColumn& column = *read;
    if (column.empty()) return {};
    const auto [place, fresh] = output.AddStable(child_->series()[i].labels.bytes());
    if (fresh) {
      PROM_TRY(held_.Add(context, column.HeldSize()));
      columns_.push_back(std::move(column));
      series_.push_back(child_->series()[i]);
      return {};
    }
    if (column.FirstStep() < columns_[place].FirstStep()) series_[place].drop_name = child_->series()[i].drop_name;
    if (rule_ == Rule::kNever || !MergeColumn(column, &columns_[place])) return DuplicateLabelset();
    return {};
  });
}

Result<void> MergeOperator::Read(QueryContext& context, std::size_t i, std::size_t worker, StepColumn* out) {
  if (!merged_) return child_->Read(context, i, worker, out);
  *out = columns_[i];
  return {};
}

}  // namespace prom::promql
