// What a node of a plan costs, for `promql explain --analyze`: an operator around
// another one that counts and measures what goes through it.
//
// Only plans made with Planner::EnableProfile have these. Figures are of the node and all
// below it, added up over threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include "promql/exec/operator.h"

namespace prom::promql {

struct NodeProfile {
  std::atomic<std::int64_t> time_ns{0};
  std::atomic<std::int64_t> read_samples{0};  // decoded from storage
  std::atomic<std::int64_t> samples{0};       // given to the parent, floats and histograms
  std::atomic<std::int64_t> bytes{0};         // of the columns that hold them
  std::atomic<std::int64_t> series{0};        // of the node's output
};

class ProfileOperator : public Operator {
 public:
  explicit ProfileOperator(OperatorPtr child) : Operator(child->grid()), child_(std::move(child)) {}
  Result<void> Read(QueryContext& context, std::size_t i, std::size_t worker, StepColumn* out) override;
  std::string Explain() const override { return child_->Explain(); }
  std::vector<const Operator*> Children() const override { return child_->Children(); }
  const NodeProfile& profile() const { return profile_; }

 private:
  Result<void> DoPrepare(QueryContext& context) override;

  OperatorPtr child_;
  NodeProfile profile_;
};

}  // namespace prom::promql
