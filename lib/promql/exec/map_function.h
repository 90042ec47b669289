// Functions that turn each sample into one sample: abs(), clamp(), hour(), the
// arithmetic and comparison of a vector with a scalar, unary minus. Series by series.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "promql/ast.h"
#include "promql/exec/operator.h"

namespace prom::promql {

// A pure function of one float: abs, ceil, sin, hour ... Null when `name` is none.
using FloatFunction = double (*)(double);
FloatFunction FindFloatFunction(std::string_view name);
// hour() and its like without an argument: of the evaluation time.
bool IsDateFunction(std::string_view name);

double ScalarBinary(BinaryOp op, double a, double b);  // comparisons give 0 or 1

// Base of those below: drops names as the query's mode wants.
class MapOperator : public Operator {
 public:
  MapOperator(OperatorPtr child, bool drop_name) : Operator(child->grid()), child_(std::move(child)), drop_name_(drop_name) {}
  Result<void> DoPrepare(QueryContext& context) override;
  std::vector<const Operator*> Children() const override { return {child_.get()}; }

 protected:
  OperatorPtr child_;
  bool drop_name_;
};

class FloatFunctionOperator : public MapOperator {
 public:
  FloatFunctionOperator(std::string name, FloatFunction function, OperatorPtr child)
      : MapOperator(std::move(child), true), name_(std::move(name)), function_(function) {}
  Result<void> Read(QueryContext& context, std::size_t i, std::size_t worker, StepColumn* out) override;
  std::string Explain() const override { return name_; }

 private:
  std::string name_;
  FloatFunction function_;
};

// clamp, clamp_min, clamp_max, round: scalar arguments beside the vector.
class ClampOperator : public MapOperator {
 public:
  enum class Kind { kClamp, kClampMin, kClampMax, kRound };
  ClampOperator(Kind kind, OperatorPtr child, std::vector<OperatorPtr> scalars)
      : MapOperator(std::move(child), true), kind_(kind), scalars_(std::move(scalars)) {}
  Result<void> DoPrepare(QueryContext& context) override;
  Result<void> Read(QueryContext& context, std::size_t i, std::size_t worker, StepColumn* out) override;
  std::string Explain() const override;
  std::vector<const Operator*> Children() const override;

 private:
  Kind kind_;
  std::vector<OperatorPtr> scalars_;
  std::vector<StepColumn> columns_;
};

// vector op scalar; `swapped`: scalar op vector.
class VectorScalarOperator : public MapOperator {
 public:
  VectorScalarOperator(const BinaryExpr& expr, OperatorPtr vector, OperatorPtr scalar, bool swapped);
  Result<void> DoPrepare(QueryContext& context) override;
  Result<void> Read(QueryContext& context, std::size_t i, std::size_t worker, StepColumn* out) override;
  std::string Explain() const override;
  std::vector<const Operator*> Children() const override { return {child_.get(), scalar_.get()}; }

 private:
  BinaryOp op_;
  bool return_bool_, swapped_;
  PosRange pos_;
  OperatorPtr scalar_;
  StepColumn scalar_column_;
};

class NegateOperator : public MapOperator {
 public:
  explicit NegateOperator(OperatorPtr child) : MapOperator(std::move(child), true) {}
  Result<void> Read(QueryContext& context, std::size_t i, std::size_t worker, StepColumn* out) override;
  std::string Explain() const override { return "negate"; }
};

// timestamp() of anything but a selector: the evaluation time.
class EvaluationTimeOperator : public MapOperator {
 public:
  explicit EvaluationTimeOperator(OperatorPtr child) : MapOperator(std::move(child), true) {}
  Result<void> Read(QueryContext& context, std::size_t i, std::size_t worker, StepColumn* out) override;
  std::string Explain() const override { return "evaluation time"; }
};

// histogram_count, _sum, _avg, _stddev, _stdvar: a float of each native histogram.
using HistogramFunction = double (*)(const Histogram&);
HistogramFunction FindHistogramFunction(std::string_view name);
class HistogramFunctionOperator : public MapOperator {
 public:
  HistogramFunctionOperator(std::string name, HistogramFunction function, OperatorPtr child)
      : MapOperator(std::move(child), true), name_(std::move(name)), function_(function) {}
  Result<void> Read(QueryContext& context, std::size_t i, std::size_t worker, StepColumn* out) override;
  std::string Explain() const override { return name_; }

 private:
  std::string name_;
  HistogramFunction function_;
};

}  // namespace prom::promql
