#include "promql/engine.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <unordered_map>

#include "base/number.h"
#include "promql/exec/operator.h"
#include "promql/exec/parallel.h"
#include "promql/exec/series_source.h"
#include "promql/exec/smooth.h"
#include "promql/plan.h"
#include "promql/query_context.h"

namespace prom::promql {

namespace {

class Stopwatch {
 public:
  std::int64_t LapUs() {
    const auto now = std::chrono::steady_clock::now();
    const std::int64_t us = std::chrono::duration_cast<std::chrono::microseconds>(now - last_).count();
    last_ = now;
    return us;
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

Result<void> SortByLabels(QueryContext& context, std::vector<ResultSeries>* series) {
  auto by_labels = [](const ResultSeries& a, const ResultSeries& b) { return a.labels < b.labels; };
  if (std::is_sorted(series->begin(), series->end(), by_labels)) return {};
  PacedLess less(context, by_labels);
  std::sort(series->begin(), series->end(), std::ref(less));
  return less.status();
}

// The samples of a range vector as the result of an instant query.
Result<void> CollectMatrix(QueryContext& context, SeriesSource& source, const Expr& range, const TimeShift& shift, const Grid& grid,
                           std::int64_t range_ms, HeldSamples* held, QueryResult* result) {
  PROM_TRY(source.Prepare(context));
  const bool subquery = range.kind == NodeKind::kSubquery;
  const VectorSelector* selector = subquery ? nullptr : As<MatrixSelector>(range).selector.get();
  const bool around = selector != nullptr && (selector->anchored || selector->smoothed);
  const std::int64_t end = shift.At(grid, 0), start = end - range_ms;
  SeriesColumns columns;
  std::unordered_map<Labels, std::size_t> by_labels;
  for (std::size_t i = 0; i < source.series().size(); ++i) {
    PROM_TRY(source.Read(context, i, 0, &columns));
    if (!subquery) RemoveStale(&columns);
    ResultSeries series;
    if (around) {
      if (!columns.histograms.empty()) {
        return Error{Errc::kInvalid, std::string(selector->anchored ? "anchored" : "smoothed") + " modifier is not supported with histograms"};
      }
      ExtendToEdges(columns.t, columns.v, start, end, selector->smoothed, &series.floats);
    } else {
      for (std::size_t k = 0; k < columns.t.size(); ++k) {
        if (columns.t[k] > start && columns.t[k] <= end) series.floats.push_back({columns.t[k], columns.v[k]});
      }
      for (HistogramSample& h : columns.histograms) {
        if (h.t_ms > start && h.t_ms <= end) series.histograms.push_back(std::move(h));
      }
    }
    if (series.floats.empty() && series.histograms.empty()) continue;
    PROM_TRY(held->Add(context, series.floats.size() + series.histograms.size()));
    const SeriesMeta& meta = source.series()[i];
    series.labels = meta.drop_name && context.options().delayed_name_removal ? DropMetadataLabels(meta.labels) : meta.labels;
    auto [it, fresh] = by_labels.try_emplace(series.labels, result->series.size());
    if (!fresh) {
      // Only names taken off at the end can make two series one.
      ResultSeries& into = result->series[it->second];
      into.floats.insert(into.floats.end(), series.floats.begin(), series.floats.end());
      into.histograms.insert(into.histograms.end(), series.histograms.begin(), series.histograms.end());
      auto by_time = [](const auto& a, const auto& b) { return a.t_ms < b.t_ms; };
      auto same_time = [](const auto& a, const auto& b) { return a.t_ms == b.t_ms; };
      std::sort(into.floats.begin(), into.floats.end(), by_time);
      std::sort(into.histograms.begin(), into.histograms.end(), by_time);
      if (std::adjacent_find(into.floats.begin(), into.floats.end(), same_time) != into.floats.end() ||
          std::adjacent_find(into.histograms.begin(), into.histograms.end(), same_time) != into.histograms.end()) {
        return DuplicateLabelset();
      }
      continue;
    }
    result->series.push_back(std::move(series));
  }
  return SortByLabels(context, &result->series);
}

Result<void> Collect(QueryContext& context, Operator& op, bool instant, HeldSamples* held, QueryResult* result) {
  PROM_TRY(op.Prepare(context));
  const Grid& grid = op.grid();
  const auto consume = [&](std::size_t i, StepColumn* read) -> Result<void> {
    StepColumn& column = *read;
    const std::size_t floats = column.CountFloats();
    if (floats + column.histograms.size() == 0) return {};
    std::size_t size = floats;
    for (const HistogramAt& at : column.histograms) size += HistogramHeldSize(*at.h);
    PROM_TRY(held->Add(context, size));
    ResultSeries series;
    series.labels = op.series()[i].labels;
    series.floats.reserve(floats);
    ForEachBit(column.present, [&](std::size_t k) { series.floats.push_back({grid.At(k), column.values[k]}); });
    series.histograms.reserve(column.histograms.size());
    for (HistogramAt& at : column.histograms) series.histograms.push_back({grid.At(at.step), std::move(at.h)});
    result->series.push_back(std::move(series));
    return {};
  };
  PROM_TRY(ReadInOrder(context, op, consume));
  return instant ? Result<void>() : SortByLabels(context, &result->series);
}

Result<void> CheckRange(const Expr& expr, std::int64_t start_ms, std::int64_t end_ms, std::int64_t step_ms) {
  const ValueType type = expr.type();
  if (type != ValueType::kVector && type != ValueType::kScalar) {
    return Error{Errc::kInvalid, "invalid expression type \"" + std::string(DocumentedType(type)) + "\" for range query, must be Scalar or instant Vector"};
  }
  if (step_ms <= 0) return Error{Errc::kInvalid, "zero or negative query resolution step widths are not accepted. Try a positive integer"};
  if (end_ms < start_ms) return Error{Errc::kInvalid, "end timestamp must not be before start time"};
  if (std::int64_t span = 0; __builtin_sub_overflow(end_ms, start_ms, &span)) return Error{Errc::kInvalid, "time range is too long"};
  return {};
}

}  // namespace

struct Engine::Request {
  const Queryable& storage;
  const Expr& expr;
  std::string_view text;
  std::int64_t start_ms = 0, end_ms = 0, step_ms = 0;  // step 0: an instant query
  QueryControl& control;
  std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();  // parsing included; what the timeout counts from
};

Result<QueryResult> Engine::Instant(const Queryable& storage, std::string_view expr, std::int64_t t_ms, QueryControl& control) const {
  const auto began = std::chrono::steady_clock::now();
  Stopwatch watch;
  PROM_ASSIGN(ExprPtr tree, ParseExpr(expr, options_.parse));
  const std::int64_t parse_us = watch.LapUs();
  PROM_ASSIGN(QueryResult result, Run({storage, *tree, expr, t_ms, t_ms, 0, control, began}));
  result.stats.parse_us = parse_us;
  return result;
}

Result<QueryResult> Engine::Range(const Queryable& storage, std::string_view expr, std::int64_t start_ms, std::int64_t end_ms, std::int64_t step_ms,
                                  QueryControl& control) const {
  const auto began = std::chrono::steady_clock::now();
  Stopwatch watch;
  PROM_ASSIGN(ExprPtr tree, ParseExpr(expr, options_.parse));
  const std::int64_t parse_us = watch.LapUs();
  PROM_TRY(CheckRange(*tree, start_ms, end_ms, step_ms));
  PROM_ASSIGN(QueryResult result, Run({storage, *tree, expr, start_ms, end_ms, step_ms, control, began}));
  result.stats.parse_us = parse_us;
  return result;
}

Result<QueryResult> Engine::InstantExpr(const Queryable& storage, const Expr& expr, std::string_view text, std::int64_t t_ms,
                                        QueryControl& control) const {
  return Run({storage, expr, text, t_ms, t_ms, 0, control});
}

Result<QueryResult> Engine::RangeExpr(const Queryable& storage, const Expr& expr, std::string_view text, std::int64_t start_ms, std::int64_t end_ms,
                                      std::int64_t step_ms, QueryControl& control) const {
  PROM_TRY(CheckRange(expr, start_ms, end_ms, step_ms));
  return Run({storage, expr, text, start_ms, end_ms, step_ms, control});
}

Result<QueryResult> Engine::Run(const Request& request) const {
  const auto& [storage, expr, text, start_ms, end_ms, step_ms, control, began] = request;
  const bool instant = step_ms == 0;
  Stopwatch watch;
  QueryResult result;
  result.type = instant ? expr.type() : ValueType::kMatrix;
  result.t_ms = start_ms;
  const Expr& inner = Unwrap(expr);
  if (inner.kind == NodeKind::kString) {
    result.text = As<StringLiteral>(inner).value;
    return result;
  }
  if (control.stopped()) return Error{Errc::kCanceled, "query was canceled in query execution"};
  QueryContext context(options_, storage, control, began + std::chrono::milliseconds(options_.timeout_ms));
  PROM_TRY(context.Check());
  Planner planner(options_, start_ms, end_ms, step_ms);
  HeldSamples held;
  if (result.type == ValueType::kMatrix && instant) {
    TimeShift shift;
    std::int64_t range_ms = 0;
    PROM_ASSIGN(std::unique_ptr<SeriesSource> source, planner.PlanMatrix(inner, &shift, &range_ms));
    if (!source) return Error{Errc::kInternal, "no plan for a range vector"};
    PROM_TRY(context.HoldWorkingSpace(planner.bytes()));
    result.stats.prepare_us = watch.LapUs();
    PROM_TRY(CollectMatrix(context, *source, inner, shift, planner.QueryGrid(), range_ms, &held, &result));
  } else {
    PROM_ASSIGN(OperatorPtr op, planner.Plan(expr));
    PROM_TRY(context.HoldWorkingSpace(planner.bytes()));
    result.stats.prepare_us = watch.LapUs();
    PROM_TRY(Collect(context, *op, instant, &held, &result));
  }
  context.annotations().Render(text, &result.warnings, &result.infos);
  context.FillStats(&result.stats);
  result.stats.eval_us = watch.LapUs();
  return result;
}

namespace {

void ExplainTree(const Operator& op, int depth, std::string* out) {
  out->append(static_cast<std::size_t>(depth) * 2, ' ');
  *out += op.Explain() + "\n";
  for (const Operator* child : op.Children()) ExplainTree(*child, depth + 1, out);
}

}  // namespace

Result<std::string> Engine::Explain(std::string_view expr, std::int64_t start_ms, std::int64_t end_ms, std::int64_t step_ms) const {
  PROM_ASSIGN(ExprPtr tree, ParseExpr(expr, options_.parse));
  const ValueType type = tree->type();
  if (type != ValueType::kVector && type != ValueType::kScalar) return "literal " + std::string(DocumentedType(type)) + "\n";
  Planner planner(options_, start_ms, end_ms, step_ms);
  PROM_ASSIGN(OperatorPtr op, planner.Plan(*tree));
  std::string out;
  ExplainTree(*op, 0, &out);
  return out;
}

}  // namespace prom::promql
