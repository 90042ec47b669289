// The plan of a query as a tree, and what each node of it cost.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/queryable.h"
#include "promql/engine.h"
#include "promql/time_range.h"

namespace prom::promql {

struct PlanNode {
  std::string text;
  // When the query was run. Of the node and all below it, but self_us is the node's alone.
  struct Cost {
    double total_us = 0, self_us = 0;
    std::int64_t series = 0, samples = 0, bytes = 0;  // that it gave to its parent
    std::int64_t read_samples = 0;                    // decoded from storage
  };
  std::optional<Cost> cost;
  std::vector<PlanNode> children;
};

// Without running it. kInvalid, kLimit as Engine.
Result<PlanNode> ExplainQuery(const EngineOptions& options, std::string_view expr, const QueryTimes& times);
// Runs it, on one thread, and throws the result away. `stats` may be null.
Result<PlanNode> AnalyzeQuery(const EngineOptions& options, const Queryable& storage, std::string_view expr, const QueryTimes& times, QueryControl& control, QueryStats* stats);

// A line a node, its cost before it; `width` 0: lines as long as they get.
std::string RenderPlan(const PlanNode& plan, std::size_t width);
// {"node":...,"totalMicroseconds":...,"children":[...]}
void AppendPlanJson(std::string* out, const PlanNode& plan);

}  // namespace prom::promql
