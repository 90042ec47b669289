// label_replace, label_join (series by series) and the sort family, which orders
// the result of an instant query and does nothing but warn in a range query.
#pragma once

#include <string>
#include <vector>

#include "promql/ast.h"
#include "promql/exec/operator.h"

namespace prom::promql {

// label_replace(v, dst, replacement, src, regex) and label_join(v, dst, separator, src...).
class LabelOperator : public Operator {
 public:
  LabelOperator(const CallExpr& call, OperatorPtr child) : Operator(child->grid()), call_(call), child_(std::move(child)) {}
  Result<void> DoPrepare(QueryContext& context) override;
  Result<void> Read(QueryContext& context, std::size_t i, std::size_t worker, StepColumn* out) override { return child_->Read(context, i, worker, out); }
  std::string Explain() const override { return std::string(call_.function->name); }
  std::vector<const Operator*> Children() const override { return {child_.get()}; }

 private:
  Result<void> Replace(QueryContext& context);
  Result<void> JoinLabels(QueryContext& context);
  const CallExpr& call_;  // outlives the plan
  OperatorPtr child_;
  HeldSamples held_;
};

class SortOperator : public MaterializedOperator {
 public:
  SortOperator(const CallExpr& call, OperatorPtr child) : MaterializedOperator(child->grid()), call_(call), child_(std::move(child)) {}
  std::string Explain() const override { return std::string(call_.function->name); }
  std::vector<const Operator*> Children() const override { return {child_.get()}; }

 protected:
  Result<void> Compute(QueryContext& context) override;

 private:
  const CallExpr& call_;
  OperatorPtr child_;
};

// "file2" before "file10": runs of digits compare as numbers.
bool NaturalLess(std::string_view a, std::string_view b);

}  // namespace prom::promql
