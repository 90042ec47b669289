// A part of the query that stands in it more than once and is evaluated once.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "promql/exec/operator.h"

namespace prom::promql {

// One of several places that read the same operator. The first to be prepared prepares
// it, and keeps its samples when they are not in memory anyhow and fit into the limits;
// when they do not, each place has them computed again.
class CommonOperator : public Operator {
 public:
  // What the places share.
  struct Shared {
    OperatorPtr op;
    std::optional<std::vector<StepColumn>> columns;
    HeldSamples held;
    bool prepared = false;
  };
  explicit CommonOperator(std::shared_ptr<Shared> shared) : Operator(shared->op->grid()), shared_(std::move(shared)) {}
  Result<void> Read(QueryContext& context, std::size_t i, std::size_t worker, StepColumn* out) override;
  bool InMemory() const override { return shared_->columns || shared_->op->InMemory(); }
  std::string Explain() const override { return "once for all places"; }
  std::vector<const Operator*> Children() const override { return {shared_->op.get()}; }

 protected:
  Result<void> DoPrepare(QueryContext& context) override;

 private:
  std::shared_ptr<Shared> shared_;
};

}  // namespace prom::promql
