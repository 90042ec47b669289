// Arithmetic and comparison between two instant vectors, with on, ignoring,
// group_left, group_right and fill. Series are matched once, by their labels.
//
// The common case, where no match group has two series on the "one" side and no
// two results share labels, runs series by series and holds nothing (of the
// "one" side only if it is used more than once). All else goes step by step over
// both sides in memory, because the rules upstream checks then are per step.
//
// Series that find no partner are not read, but for one of each metric name, whose
// annotations stand for all: a join with a few series costs what these cost.
#pragma once

#include <string>
#include <vector>

#include "model/label_numbers.h"
#include "promql/ast.h"
#include "promql/exec/binary_value.h"
#include "promql/exec/operator.h"

namespace prom::promql {

// Numbers the match groups of both sides; equal labels have equal numbers.
class MatchGroups {
 public:
  explicit MatchGroups(const VectorMatching& matching);
  Result<std::vector<std::uint32_t>> Number(QueryContext& context, const std::vector<SeriesMeta>& series);
  std::size_t size() const { return numbers_.size(); }
  Labels GroupLabels(std::uint32_t group) const { return numbers_.labels(group); }  // what on() or ignoring() leaves of its series

 private:
  LabelSubset subset_;
  LabelNumbers numbers_;
};

class VectorBinaryOperator : public Operator {
 public:
  VectorBinaryOperator(const BinaryExpr& expr, OperatorPtr lhs, OperatorPtr rhs);
  Result<void> DoPrepare(QueryContext& context) override;
  Result<void> Read(QueryContext& context, std::size_t i, std::size_t worker, StepColumn* out) override;
  std::string Explain() const override;
  std::vector<const Operator*> Children() const override { return {lhs_.get(), rhs_.get()}; }

 private:
  struct Pair {
    std::uint32_t many, one;
  };
  Labels ResultLabels(const Labels& many, const Labels& one, bool delayed) const;
  Result<bool> FindPairs(QueryContext& context, const std::vector<std::uint32_t>& many_groups, const std::vector<std::uint32_t>& one_groups,
                         std::size_t groups);
  Result<void> ByStep(QueryContext& context, const MatchGroups& groups, const std::vector<std::uint32_t>& many_groups,
                      const std::vector<std::uint32_t>& one_groups);
  BinaryOutcome Element(double many_f, double one_f, const HistogramPtr& many_h, const HistogramPtr& one_h) const;

  const BinaryOp op_;
  const bool return_bool_;
  const VectorMatching& matching_;  // of the expression, which outlives the plan
  const PosRange pos_;
  OperatorPtr lhs_, rhs_;
  Operator* many_;  // lhs, or rhs for group_right
  Operator* one_;

  bool paired_ = false;
  std::vector<Pair> pairs_;
  std::vector<StepColumn> one_columns_;  // when paired and a series of the one side has several partners
  std::vector<StepColumn> columns_;      // when by step
  HeldSamples held_;
  PerWorker<StepColumn> scratch_;
};

class SetOperator : public Operator {
 public:
  SetOperator(const BinaryExpr& expr, OperatorPtr lhs, OperatorPtr rhs)
      : Operator(lhs->grid()), op_(expr.op), matching_(*expr.matching), lhs_(std::move(lhs)), rhs_(std::move(rhs)) {}
  Result<void> DoPrepare(QueryContext& context) override;
  Result<void> Read(QueryContext& context, std::size_t i, std::size_t worker, StepColumn* out) override;
  std::string Explain() const override { return std::string(BinaryOpText(op_)); }
  std::vector<const Operator*> Children() const override { return {lhs_.get(), rhs_.get()}; }

 private:
  const BinaryOp op_;
  const VectorMatching& matching_;
  OperatorPtr lhs_, rhs_;
  std::vector<std::uint32_t> lhs_groups_;
  std::vector<std::uint32_t> kept_;                  // and, unless: series of the left of which something may be left
  std::vector<std::vector<std::uint64_t>> present_;  // and, unless: steps at which a group has a series on the right
  std::vector<StepColumn> columns_;                  // or
  HeldSamples held_;
};

}  // namespace prom::promql
