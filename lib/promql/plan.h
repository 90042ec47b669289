// From syntax tree to operators. One switch over the kinds of nodes decides how
// each is run (plan.cc); the tree must outlive the plan.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <unordered_set>

#include "promql/ast.h"
#include "promql/engine.h"
#include "promql/exec/common.h"
#include "promql/exec/operator.h"
#include "promql/exec/series_source.h"

namespace prom::promql {

class Planner {
 public:
  // start == end and step 0: an instant query.
  Planner(const EngineOptions& options, std::int64_t start_ms, std::int64_t end_ms, std::int64_t step_ms)
      : options_(options), start_ms_(start_ms), end_ms_(end_ms), step_ms_(step_ms) {}

  // The plan of the whole query, names removed where that was delayed. kInvalid, kLimit.
  Result<OperatorPtr> Plan(const Expr& expr);
  // For an instant query on a range vector: its samples. Null when `expr` is none.
  Result<std::unique_ptr<SeriesSource>> PlanMatrix(const Expr& expr, TimeShift* shift, std::int64_t* range_ms);
  Grid QueryGrid() const;
  // From now on operators are built with a profile around each (exec/profile.h).
  void EnableProfile() { profile_ = true; }
  // Working space of the plan, of one thread.
  std::size_t bytes() const { return bytes_; }

 private:
  Result<OperatorPtr> Build(const Expr& expr, const Grid& grid);
  Result<OperatorPtr> BuildDistinct(const Expr& expr, const Grid& grid);  // without looking whether it is there already
  Result<OperatorPtr> BuildOnce(const Expr& expr, const Grid& grid);  // without looking whether it is the same at every step
  Result<OperatorPtr> BuildNode(const Expr& expr, const Grid& grid);  // without a profile
  Result<OperatorPtr> BuildSelector(const VectorSelector& selector, const Grid& grid, bool timestamp, bool start_timestamp);
  Result<OperatorPtr> BuildAggregate(const AggregateExpr& expr, const Grid& grid);
  Result<OperatorPtr> BuildBinary(const BinaryExpr& expr, const Grid& grid);
  Result<OperatorPtr> BuildCall(const CallExpr& call, const Grid& grid);
  Result<OperatorPtr> BuildInfo(const CallExpr& call, OperatorPtr base, const Expr& arg);  // exec/info.cc
  Result<OperatorPtr> BuildRangeCall(const CallExpr& call, std::size_t matrix_arg, const Grid& grid);
  Result<std::unique_ptr<SeriesSource>> BuildSource(const Expr& range, const Grid& grid, TimeShift* shift, std::int64_t* range_ms);
  Result<std::vector<OperatorPtr>> BuildScalars(const CallExpr& call, std::size_t from, std::size_t to, const Grid& grid);

  Result<TimeShift> Shift(const TimeModifiers& time) const;
  Result<std::int64_t> Duration(const DurationExpr& expr, bool may_be_negative) const;
  Result<double> DurationValue(const DurationExpr& expr) const;

  // Whether a node gives the same at every step, and whether it is worth evaluating once (a literal is not).
  struct Invariance {
    bool same = false, wrap = false;
  };
  Invariance InvarianceOf(const Expr& expr);
  // Finds the selectors of which only the counts and sums of histograms are used. Their reset
  // hints are then made exact while reading, as upstream does when it leaves out the buckets.
  void FindHistogramStats(const Expr& expr, bool wanted, bool needs_buckets);

  // Counts working space: so many bytes a step. kLimit before any of it is allocated.
  Result<void> Reserve(const Grid& grid, std::size_t bytes_per_step);

  // Parts of the query that occur more than once and are worth evaluating once: aggregations
  // and what reads range vectors. The last of equal ones is what is run, because annotations name its place.
  void FindCommon(const Expr& expr);
  std::string CommonKey(const Expr& expr) const;

  const EngineOptions& options_;
  std::size_t bytes_ = 0;
  std::int64_t start_ms_, end_ms_, step_ms_;
  bool profile_ = false;
  std::unordered_map<const Expr*, Invariance> invariance_;
  std::unordered_set<const Expr*> histogram_stats_;
  struct Common {
    std::size_t uses = 0;
    const Expr* last = nullptr;
    std::vector<std::pair<Grid, std::shared_ptr<CommonOperator::Shared>>> built;  // by grid: within a subquery it is another
  };
  std::unordered_map<std::string, Common> common_;
};

// The expression without parentheses around it.
const Expr& Unwrap(const Expr& expr);

}  // namespace prom::promql
