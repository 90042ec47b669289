#include "promql/explain.h"

#include <algorithm>
#include <chrono>

#include "base/json.h"
#include "base/strings.h"
#include "promql/exec/profile.h"
#include "promql/output/render.h"
#include "promql/plan.h"
#include "promql/query_context.h"

namespace prom::promql {
namespace {

PlanNode NodeOf(const Operator& op) {
  PlanNode out;
  out.text = op.Explain();
  for (const Operator* child : op.Children()) out.children.push_back(NodeOf(*child));
  if (const auto* profiled = dynamic_cast<const ProfileOperator*>(&op)) {
    const NodeProfile& p = profiled->profile();
    PlanNode::Cost cost;
    cost.total_us = cost.self_us = static_cast<double>(p.time_ns) / 1000;
    cost.series = p.series;
    cost.samples = p.samples;
    cost.bytes = p.bytes;
    cost.read_samples = p.read_samples;
    out.cost = cost;
  }
  return out;
}

// What is measured in the children, or where they are not measured, in theirs.
double MeasuredBelow(const PlanNode& node) {
  double out = 0;
  for (const PlanNode& child : node.children) out += child.cost ? child.cost->total_us : MeasuredBelow(child);
  return out;
}

void SplitTimes(PlanNode* node) {
  if (node->cost) node->cost->self_us = std::max(node->cost->total_us - MeasuredBelow(*node), 0.0);
  for (PlanNode& child : node->children) SplitTimes(&child);
}

// Literals and range vectors of instant queries have no operators.
Result<std::optional<PlanNode>> PlanOf(const Expr& expr, const QueryTimes& times, Planner* planner) {
  const ValueType type = expr.type();
  if (type == ValueType::kVector || type == ValueType::kScalar) return std::optional<PlanNode>();
  if (times.range) return Error{Errc::kInvalid, "invalid expression type \"" + std::string(DocumentedType(type)) + "\" for range query, must be Scalar or instant Vector"};
  if (type == ValueType::kMatrix) {
    TimeShift shift;
    std::int64_t range_ms = 0;
    PROM_ASSIGN(const auto source, planner->PlanMatrix(Unwrap(expr), &shift, &range_ms));
    PlanNode out;
    out.text = source ? source->Explain() : "range vector";
    if (source)
      for (const Operator* child : source->Children()) out.children.push_back(NodeOf(*child));
    return std::optional(out);
  }
  return std::optional(PlanNode{"literal " + std::string(DocumentedType(type)), {}, {}});
}

std::string TimeText(double us) {
  if (us >= 1e6) return StringPrintf("%.2f s", us / 1e6);
  if (us >= 1000) return StringPrintf("%.2f ms", us / 1000);
  return StringPrintf("%.0f us", us);
}

std::string BytesText(std::int64_t n) {
  const auto v = static_cast<double>(n);
  if (v >= 1u << 30) return StringPrintf("%.1f GiB", v / (1u << 30));
  if (v >= 1u << 20) return StringPrintf("%.1f MiB", v / (1u << 20));
  if (v >= 10'000) return StringPrintf("%.0f KiB", v / 1024);
  return StringPrintf("%.0f B", v);
}

void AppendRows(const PlanNode& node, const std::string& lead, bool last, bool root, bool costs, std::vector<std::vector<std::string>>* rows) {
  std::vector<std::string> row;
  if (costs && node.cost) {
    const PlanNode::Cost& c = *node.cost;
    row = {TimeText(c.total_us), TimeText(c.self_us), std::to_string(c.series), std::to_string(c.samples), std::to_string(c.read_samples), BytesText(c.bytes)};
  } else if (costs) {
    row.assign(6, "");
  }
  row.push_back((root ? "" : lead + (last ? "└─ " : "├─ ")) + SafeText(node.text));
  rows->push_back(std::move(row));
  for (std::size_t i = 0; i < node.children.size(); ++i)
    AppendRows(node.children[i], root ? "" : lead + (last ? "   " : "│  "), i + 1 == node.children.size(), false, costs, rows);
}

bool HasCosts(const PlanNode& node) { return node.cost || std::any_of(node.children.begin(), node.children.end(), HasCosts); }

}  // namespace

Result<PlanNode> ExplainQuery(const EngineOptions& options, std::string_view expr, const QueryTimes& times) {
  PROM_ASSIGN(const ExprPtr tree, ParseExpr(expr, options.parse));
  Planner planner(options, times.start_ms, times.end_ms, times.step_ms);
  PROM_ASSIGN(auto plain, PlanOf(*tree, times, &planner));
  if (plain) return std::move(*plain);
  PROM_ASSIGN(const OperatorPtr op, planner.Plan(*tree));
  return NodeOf(*op);
}

Result<PlanNode> AnalyzeQuery(const EngineOptions& given, const Queryable& storage, std::string_view expr, const QueryTimes& times, QueryControl& control, QueryStats* stats) {
  EngineOptions options = given;
  options.threads = 1;  // costs are differences of counters that all threads of a query share
  PROM_ASSIGN(const ExprPtr tree, ParseExpr(expr, options.parse));
  Planner planner(options, times.start_ms, times.end_ms, times.step_ms);
  planner.EnableProfile();
  PROM_ASSIGN(auto plain, PlanOf(*tree, times, &planner));
  if (plain) return std::move(*plain);
  PROM_ASSIGN(const OperatorPtr op, planner.Plan(*tree));
  const auto start = std::chrono::steady_clock::now();
  QueryContext context(options, storage, control, start + std::chrono::milliseconds(options.timeout_ms));
  PROM_TRY(op->Prepare(context));
  StepColumn column;
  for (std::size_t i = 0; i < op->series().size(); ++i) {
    PROM_TRY(context.Check());
    PROM_TRY(op->Read(context, i, 0, &column));
  }
  if (stats != nullptr) {
    context.FillStats(stats);
    stats->eval_us = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - start).count();
  }
  PlanNode out = NodeOf(*op);
  SplitTimes(&out);
  return out;
}

std::string RenderPlan(const PlanNode& plan, std::size_t width) {
  const bool costs = HasCosts(plan);
  std::vector<std::vector<std::string>> rows;
  if (costs) rows.push_back({"TOTAL", "SELF", "SERIES", "SAMPLES", "READ", "BYTES", "NODE"});
  AppendRows(plan, "", true, true, costs, &rows);
  if (width > 0) {
    std::vector<std::size_t> widths(rows[0].size());
    for (const auto& row : rows)
      for (std::size_t i = 0; i + 1 < row.size(); ++i) widths[i] = std::max(widths[i], DisplayWidth(row[i]));
    std::size_t used = 0;
    for (std::size_t i = 0; i + 1 < widths.size(); ++i) used += widths[i] + 2;
    const std::size_t room = std::max<std::size_t>(width > used ? width - used : 0, 20);
    for (auto& row : rows) row.back() = CutText(row.back(), room);
  }
  return RenderTable(rows, 0, costs ? 6 : 0, 0);
}

void AppendPlanJson(std::string* out, const PlanNode& plan) {
  JsonWriter json(out);
  json.BeginObject().Field("node", plan.text);
  if (plan.cost) {
    json.Field("totalMicroseconds", plan.cost->total_us).Field("selfMicroseconds", plan.cost->self_us).Field("series", plan.cost->series);
    json.Field("samples", plan.cost->samples).Field("samplesRead", plan.cost->read_samples).Field("bytes", plan.cost->bytes);
  }
  json.Key("children").BeginArray();
  for (const PlanNode& child : plan.children) {
    std::string text;
    AppendPlanJson(&text, child);
    json.Raw(text);
  }
  json.EndArray().EndObject();
}

}  // namespace prom::promql
