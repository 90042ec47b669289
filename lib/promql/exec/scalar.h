// Operators of one series without labels, present at every step: scalars.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "promql/ast.h"
#include "promql/exec/operator.h"

namespace prom::promql {

// No series at all: what an empty grid or a k below one gives.
class EmptyOperator : public Operator {
 public:
  using Operator::Operator;
  Result<void> DoPrepare(QueryContext&) override { return {}; }
  Result<void> Read(QueryContext&, std::size_t, std::size_t, StepColumn* out) override {
    out->Reset(grid_.steps);
    return {};
  }
  std::string Explain() const override { return "nothing"; }
  std::vector<const Operator*> Children() const override { return {}; }
};

class NumberOperator : public Operator {
 public:
  NumberOperator(const Grid& grid, double value) : Operator(grid), value_(value) {}
  std::optional<double> Constant() const override { return value_; }
  Result<void> DoPrepare(QueryContext&) override;
  Result<void> Read(QueryContext&, std::size_t, std::size_t, StepColumn* out) override;
  std::string Explain() const override;
  std::vector<const Operator*> Children() const override { return {}; }

 private:
  double value_;
};

class TimeOperator : public Operator {  // time()
 public:
  using Operator::Operator;
  Result<void> DoPrepare(QueryContext&) override;
  Result<void> Read(QueryContext&, std::size_t, std::size_t, StepColumn* out) override;
  std::string Explain() const override { return "time"; }
  std::vector<const Operator*> Children() const override { return {}; }
};

// A function of two scalars: arithmetic, comparison, min_of, max_of.
class ScalarPairOperator : public Operator {
 public:
  using Function = std::function<double(double, double)>;
  ScalarPairOperator(std::string name, Function function, OperatorPtr lhs, OperatorPtr rhs)
      : Operator(lhs->grid()), name_(std::move(name)), function_(std::move(function)), lhs_(std::move(lhs)), rhs_(std::move(rhs)) {}
  Result<void> DoPrepare(QueryContext& context) override;
  Result<void> Read(QueryContext& context, std::size_t i, std::size_t worker, StepColumn* out) override;
  std::string Explain() const override { return name_; }
  std::vector<const Operator*> Children() const override { return {lhs_.get(), rhs_.get()}; }

 private:
  std::string name_;
  Function function_;
  OperatorPtr lhs_, rhs_;
};

// scalar(v): the value of the only float, else NaN.
class ToScalarOperator : public MaterializedOperator {
 public:
  explicit ToScalarOperator(OperatorPtr child) : MaterializedOperator(child->grid()), child_(std::move(child)) {}
  std::string Explain() const override { return "scalar"; }
  std::vector<const Operator*> Children() const override { return {child_.get()}; }

 protected:
  Result<void> Compute(QueryContext& context) override;

 private:
  OperatorPtr child_;
};

// absent(v), and absent_over_time(m) over present_over_time(m): 1 where no series has a sample.
class AbsentOperator : public MaterializedOperator {
 public:
  AbsentOperator(OperatorPtr child, Labels labels, bool drop_name)
      : MaterializedOperator(child->grid()), child_(std::move(child)), labels_(std::move(labels)), drop_name_(drop_name) {}
  std::string Explain() const override { return "absent"; }
  std::vector<const Operator*> Children() const override { return {child_.get()}; }

 protected:
  Result<void> Compute(QueryContext& context) override;

 private:
  OperatorPtr child_;
  Labels labels_;
  bool drop_name_;
};

// The labels absent() gives: those a selector asks for by = and only once.
Labels AbsentLabels(const Expr& arg);

// A part of the query that is the same at every step: evaluated at the first and repeated.
class StepInvariantOperator : public Operator {
 public:
  StepInvariantOperator(const Grid& grid, OperatorPtr child) : Operator(grid), child_(std::move(child)) {}
  Result<void> DoPrepare(QueryContext& context) override;
  Result<void> Read(QueryContext& context, std::size_t i, std::size_t worker, StepColumn* out) override;
  std::string Explain() const override { return "same at every step"; }
  std::vector<const Operator*> Children() const override { return {child_.get()}; }

 private:
  OperatorPtr child_;
  PerWorker<StepColumn> scratch_;
};

// Series of equal labels become one when their steps do not overlap, else the query fails.
// Costs a look at the labels when there are none.
class MergeOperator : public Operator {
 public:
  // never: any two series of equal labels fail, as for range functions; series without samples do not count.
  enum class Rule { kMergeSteps, kNever };
  MergeOperator(OperatorPtr child, Rule rule) : Operator(child->grid()), child_(std::move(child)), rule_(rule) {}
  Result<void> DoPrepare(QueryContext& context) override;
  Result<void> Read(QueryContext& context, std::size_t i, std::size_t worker, StepColumn* out) override;
  std::string Explain() const override { return "unique labels"; }
  std::vector<const Operator*> Children() const override { return {child_.get()}; }

 private:
  OperatorPtr child_;
  Rule rule_;
  bool merged_ = false;
  std::vector<StepColumn> columns_;
  HeldSamples held_;
};

// Gives `from` to `into`; false when both have a sample at one step.
bool MergeColumn(const StepColumn& from, StepColumn* into);

}  // namespace prom::promql
