// Aggregation. Sums, averages, extremes, counts and deviations take their input
// series by series into groups x steps accumulators; quantile, topk and their
// like, and count_values, need all series of a step and hold their input.
#pragma once

#include <string>
#include <vector>

#include "promql/ast.h"
#include "promql/exec/operator.h"

namespace prom::promql {

// Which output group each series belongs to; groups in order of first appearance.
struct Grouping {
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  std::vector<std::uint32_t> group_of;
  std::vector<Labels> labels;
  // With `columns`, series without samples are in no group (kNone).
  static Result<Grouping> Of(QueryContext& context, const std::vector<SeriesMeta>& series, const AggregateExpr& expr,
                             const std::vector<StepColumn>* columns = nullptr);
};

class AggregateOperator : public MaterializedOperator {
 public:
  AggregateOperator(const AggregateExpr& expr, OperatorPtr child) : MaterializedOperator(child->grid()), expr_(expr), child_(std::move(child)) {}
  std::string Explain() const override;
  std::vector<const Operator*> Children() const override { return {child_.get()}; }

 protected:
  Result<void> Compute(QueryContext& context) override;

 private:
  const AggregateExpr& expr_;  // outlives the plan
  OperatorPtr child_;
};

class QuantileOperator : public MaterializedOperator {
 public:
  QuantileOperator(const AggregateExpr& expr, OperatorPtr child, OperatorPtr param)
      : MaterializedOperator(child->grid()), expr_(expr), child_(std::move(child)), param_(std::move(param)) {}
  std::string Explain() const override { return "quantile"; }
  std::vector<const Operator*> Children() const override { return {child_.get(), param_.get()}; }

 protected:
  Result<void> Compute(QueryContext& context) override;

 private:
  const AggregateExpr& expr_;
  OperatorPtr child_, param_;
};

// topk, bottomk, limitk, limit_ratio: some of the input series, at some of their steps.
class SelectKOperator : public MaterializedOperator {
 public:
  SelectKOperator(const AggregateExpr& expr, OperatorPtr child, OperatorPtr param)
      : MaterializedOperator(child->grid()), expr_(expr), child_(std::move(child)), param_(std::move(param)) {}
  std::string Explain() const override { return std::string(AggregateOpName(expr_.op)); }
  std::vector<const Operator*> Children() const override { return {child_.get(), param_.get()}; }

 protected:
  Result<void> Compute(QueryContext& context) override;

 private:
  const AggregateExpr& expr_;
  OperatorPtr child_, param_;
};

class CountValuesOperator : public MaterializedOperator {
 public:
  CountValuesOperator(const AggregateExpr& expr, std::string label, OperatorPtr child)
      : MaterializedOperator(child->grid()), expr_(expr), label_(std::move(label)), child_(std::move(child)) {}
  std::string Explain() const override { return "count_values"; }
  std::vector<const Operator*> Children() const override { return {child_.get()}; }

 protected:
  Result<void> Compute(QueryContext& context) override;

 private:
  const AggregateExpr& expr_;
  std::string label_;
  OperatorPtr child_;
};

}  // namespace prom::promql
