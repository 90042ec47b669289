#include "promql/plan.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numbers>

#include "base/strings.h"
#include "promql/ast_walk.h"
#include "promql/exec/aggregate.h"
#include "promql/exec/binary_vector.h"
#include "promql/exec/histogram_quantile.h"
#include "promql/exec/kernels.h"
#include "promql/exec/label_function.h"
#include "promql/exec/map_function.h"
#include "promql/exec/profile.h"
#include "promql/exec/range_function.h"
#include "promql/exec/scalar.h"
#include "promql/exec/select.h"
#include "promql/print.h"
#include "promql/query_context.h"

namespace prom::promql {

namespace {

// Takes the names off series that are marked; the last step under delayed name removal.
class DropNamesOperator : public MapOperator {
 public:
  explicit DropNamesOperator(OperatorPtr child) : MapOperator(std::move(child), false) {}
  Result<void> DoPrepare(QueryContext& context) override {
    PROM_TRY(MapOperator::DoPrepare(context));
    for (SeriesMeta& meta : series_) {
      if (meta.drop_name) meta.labels = DropMetadataLabels(meta.labels);
    }
    return {};
  }
  Result<void> Read(QueryContext& context, std::size_t i, std::size_t worker, StepColumn* out) override { return child_->Read(context, i, worker, out); }
  std::string Explain() const override { return "drop names"; }
};

OperatorPtr Merge(OperatorPtr child, MergeOperator::Rule rule = MergeOperator::Rule::kMergeSteps) {
  return std::make_unique<MergeOperator>(std::move(child), rule);
}

// Results of these depend on the evaluation time even when their arguments do not.
bool DependsOnTime(std::string_view function) {
  static constexpr std::array<std::string_view, 15> kNames = {"days_in_month", "day_of_month", "day_of_week", "day_of_year", "end",
                                                              "hour", "minute", "month", "year", "predict_linear",
                                                              "range", "start", "step", "time", "timestamp"};
  return std::find(kNames.begin(), kNames.end(), function) != kNames.end();
}

Error DurationError(const DurationExpr& expr, const char* what) {
  return Error{Errc::kInvalid, std::to_string(expr.pos.start) + ":" + std::to_string(expr.pos.end) + ": " + what};
}

}  // namespace

const Expr& Unwrap(const Expr& expr) {
  const Expr* e = &expr;
  while (e->kind == NodeKind::kParen) e = As<ParenExpr>(*e).expr.get();
  return *e;
}

Grid Planner::QueryGrid() const {
  if (step_ms_ == 0) return {start_ms_, 1, 1};
  return {start_ms_, step_ms_, static_cast<std::size_t>((end_ms_ - start_ms_) / step_ms_) + 1};
}

Result<double> Planner::DurationValue(const DurationExpr& expr) const {
  double lhs = 0, rhs = 0;
  if (expr.lhs) {
    PROM_ASSIGN(lhs, DurationValue(*expr.lhs));
  }
  if (expr.rhs) {
    PROM_ASSIGN(rhs, DurationValue(*expr.rhs));
  }
  using Op = DurationExpr::Op;
  switch (expr.op) {
    case Op::kNumber: return expr.seconds;
    case Op::kAdd: return lhs + rhs;
    case Op::kSub: return lhs - rhs;
    case Op::kMul: return lhs * rhs;
    case Op::kDiv:
      if (rhs == 0) return DurationError(expr, "division by zero");
      return lhs / rhs;
    case Op::kMod:
      if (rhs == 0) return DurationError(expr, "modulo by zero");
      return std::fmod(lhs, rhs);
    case Op::kPow: return std::pow(lhs, rhs);
    case Op::kNeg: return -(expr.rhs ? rhs : lhs);
    case Op::kPos: return expr.rhs ? rhs : lhs;
    case Op::kStep: return DurationSeconds(step_ms_);
    case Op::kRange: return DurationSeconds(end_ms_ - start_ms_);
    case Op::kMinOf: return MinOf(lhs, rhs);
    case Op::kMaxOf: return MaxOf(lhs, rhs);
  }
  return expr.seconds;
}

Result<std::int64_t> Planner::Duration(const DurationExpr& expr, bool may_be_negative) const {
  PROM_ASSIGN(const double seconds, DurationValue(expr));
  if (std::isnan(seconds) || IsInf(seconds)) return DurationError(expr, "duration is NaN or infinite");
  if (seconds <= 0 && !may_be_negative) return DurationError(expr, "duration must be greater than 0");
  // Upstream's durations are int64 nanoseconds.
  constexpr double kMostSeconds = 9223372036854775808.0 / 1e9;
  if (seconds > kMostSeconds || seconds < -kMostSeconds) return DurationError(expr, "duration is out of range");
  return static_cast<std::int64_t>(seconds * 1000);
}

Result<TimeShift> Planner::Shift(const TimeModifiers& time) const {
  TimeShift shift;
  shift.offset_ms = time.offset_ms;
  if (time.offset_expr) {
    PROM_ASSIGN(shift.offset_ms, Duration(*time.offset_expr, true));
  }
  switch (time.at) {
    case AtModifier::kNone: break;
    case AtModifier::kTimestamp: shift.fixed_ms = time.at_ms; break;
    case AtModifier::kStart: shift.fixed_ms = start_ms_; break;
    case AtModifier::kEnd: shift.fixed_ms = end_ms_; break;
  }
  return shift;
}

Planner::Invariance Planner::InvarianceOf(const Expr& expr) {
  if (auto it = invariance_.find(&expr); it != invariance_.end()) return it->second;
  Invariance out;
  switch (expr.kind) {
    case NodeKind::kSelector: {
      const bool fixed = As<VectorSelector>(expr).time.at != AtModifier::kNone;
      out = {fixed, fixed};
      break;
    }
    case NodeKind::kMatrix: out = {InvarianceOf(*As<MatrixSelector>(expr).selector).same, false}; break;
    case NodeKind::kSubquery: out = {As<SubqueryExpr>(expr).time.at != AtModifier::kNone, false}; break;
    case NodeKind::kAggregate: out = InvarianceOf(*As<AggregateExpr>(expr).expr); break;  // the parameter does not count
    case NodeKind::kParen: out = InvarianceOf(*As<ParenExpr>(expr).expr); break;
    case NodeKind::kUnary: out = InvarianceOf(*As<UnaryExpr>(expr).expr); break;
    case NodeKind::kBinary: {
      const auto& binary = As<BinaryExpr>(expr);
      const bool same = InvarianceOf(*binary.lhs).same && InvarianceOf(*binary.rhs).same;
      out = {same, same};
      break;
    }
    case NodeKind::kCall: {
      const auto& call = As<CallExpr>(expr);
      const std::string_view name = call.function->name;
      if (name == "start" || name == "end" || name == "step" || name == "range") {
        out = {true, false};  // numbers once the query is known
        break;
      }
      bool args = true, timestamp = name == "timestamp";
      for (const ExprPtr& arg : call.args) {
        const bool same = InvarianceOf(Unwrap(*arg)).same;
        args &= same;
        timestamp &= same && Unwrap(*arg).kind == NodeKind::kSelector;
      }
      const bool same = (args && !DependsOnTime(name)) || timestamp;
      out = {same, same};
      break;
    }
    case NodeKind::kNumber:
    case NodeKind::kString:
    case NodeKind::kDuration: out = {true, false}; break;
  }
  invariance_.emplace(&expr, out);
  return out;
}

void Planner::FindHistogramStats(const Expr& expr, bool wanted, bool needs_buckets) {
  if (expr.kind == NodeKind::kSelector && wanted && !needs_buckets) histogram_stats_.insert(&expr);
  if (expr.kind == NodeKind::kSubquery) needs_buckets = true;
  if (expr.kind == NodeKind::kBinary) {
    const BinaryOp op = As<BinaryExpr>(expr).op;
    needs_buckets |= op == BinaryOp::kTrimLower || op == BinaryOp::kTrimUpper;
  }
  if (expr.kind == NodeKind::kCall) {
    const std::string_view name = As<CallExpr>(expr).function->name;
    wanted |= name == "histogram_count" || name == "histogram_sum" || name == "histogram_avg";
    needs_buckets |= name == "histogram_quantile" || name == "histogram_quantiles" || name == "histogram_fraction";
  }
  ForEachChild(expr, [&](const Expr& child) { FindHistogramStats(child, wanted, needs_buckets); });
}

std::string Planner::CommonKey(const Expr& expr) const {
  bool worth = expr.kind == NodeKind::kAggregate;
  if (expr.kind == NodeKind::kCall) {
    for (const ExprPtr& arg : As<CallExpr>(expr).args) worth |= arg->type() == ValueType::kMatrix;
  }
  if (!worth) return {};
  std::string key = ToString(expr);
  // Whether reset hints are worked out while reading is a matter of what stands around it.
  const std::function<void(const Expr&)> add = [&](const Expr& e) {
    if (e.kind == NodeKind::kSelector) key += histogram_stats_.contains(&e) ? '+' : '-';
    ForEachChild(e, add);
  };
  add(expr);
  return key;
}

void Planner::FindCommon(const Expr& expr) {
  if (std::string key = CommonKey(expr); !key.empty()) {
    Common& common = common_[std::move(key)];
    ++common.uses;
    common.last = &expr;
  }
  ForEachChild(expr, [&](const Expr& child) { FindCommon(child); });
}

Result<OperatorPtr> Planner::Plan(const Expr& expr) {
  FindHistogramStats(expr, false, false);
  // A query as long as this is no dashboard's; the texts of all its parts would add up to its square.
  constexpr std::int32_t kMaxText = 20'000;
  if (expr.pos.end - expr.pos.start <= kMaxText) FindCommon(expr);
  const Grid grid = QueryGrid();
  PROM_ASSIGN(OperatorPtr op, Build(expr, grid));
  if (options_.delayed_name_removal) op = Merge(std::make_unique<DropNamesOperator>(std::move(op)));
  return op;
}

Result<void> Planner::Reserve(const Grid& grid, std::size_t bytes_per_step) {
  // Steps are at most max_samples here; a product that does not fit is too much as well.
  std::size_t bytes = 0;
  if (__builtin_mul_overflow(grid.steps, bytes_per_step, &bytes) || __builtin_add_overflow(bytes_, bytes, &bytes_) ||
      bytes_ > static_cast<std::size_t>(std::max<std::int64_t>(options_.max_memory_bytes, 0))) {
    return TooMuchMemory(options_);
  }
  return {};
}

Result<OperatorPtr> Planner::Build(const Expr& expr, const Grid& grid) {
  // Every column is this long: refuse before the first is allocated.
  if (static_cast<std::int64_t>(grid.steps) > options_.max_samples) {
    return Error{Errc::kLimit, "query processing would load too many samples into memory in query execution"};
  }
  PROM_TRY(Reserve(grid, 2 * sizeof(double)));  // a column, and one on its way up
  if (grid.steps == 0) return OperatorPtr(std::make_unique<EmptyOperator>(grid));
  if (const std::string key = common_.empty() ? std::string() : CommonKey(expr); !key.empty()) {
    auto it = common_.find(key);
    if (it != common_.end() && it->second.uses > 1) {
      for (const auto& [on, op] : it->second.built) {
        if (on == grid) return OperatorPtr(std::make_unique<CommonOperator>(op));
      }
      PROM_ASSIGN(OperatorPtr op, BuildDistinct(*it->second.last, grid));
      auto shared = std::make_shared<CommonOperator::Shared>();
      shared->op = std::move(op);
      it->second.built.emplace_back(grid, std::move(shared));
      return OperatorPtr(std::make_unique<CommonOperator>(it->second.built.back().second));
    }
  }
  return BuildDistinct(expr, grid);
}

Result<OperatorPtr> Planner::BuildDistinct(const Expr& expr, const Grid& grid) {
  if (grid.steps > 1 && InvarianceOf(expr).wrap) {
    PROM_ASSIGN(OperatorPtr once, BuildOnce(expr, grid.FirstStep()));
    return OperatorPtr(std::make_unique<StepInvariantOperator>(grid, std::move(once)));
  }
  return BuildOnce(expr, grid);
}

Result<OperatorPtr> Planner::BuildOnce(const Expr& expr, const Grid& grid) {
  PROM_ASSIGN(OperatorPtr op, BuildNode(expr, grid));
  // Parentheses and a plus sign are no operators of their own.
  const bool own = expr.kind != NodeKind::kParen && (expr.kind != NodeKind::kUnary || As<UnaryExpr>(expr).negative);
  if (profile_ && own) op = std::make_unique<ProfileOperator>(std::move(op));
  return op;
}

Result<OperatorPtr> Planner::BuildNode(const Expr& expr, const Grid& grid) {
  switch (expr.kind) {
    case NodeKind::kNumber: return OperatorPtr(std::make_unique<NumberOperator>(grid, As<NumberLiteral>(expr).value));
    case NodeKind::kParen: return Build(*As<ParenExpr>(expr).expr, grid);
    case NodeKind::kSelector: return BuildSelector(As<VectorSelector>(expr), grid, false, false);
    case NodeKind::kAggregate: return BuildAggregate(As<AggregateExpr>(expr), grid);
    case NodeKind::kBinary: return BuildBinary(As<BinaryExpr>(expr), grid);
    case NodeKind::kCall: return BuildCall(As<CallExpr>(expr), grid);
    case NodeKind::kUnary: {
      const auto& unary = As<UnaryExpr>(expr);
      PROM_ASSIGN(OperatorPtr child, Build(*unary.expr, grid));
      if (!unary.negative) return child;
      if (const std::optional<double> v = child->Constant()) return OperatorPtr(std::make_unique<NumberOperator>(grid, -*v));
      return Merge(std::make_unique<NegateOperator>(std::move(child)));
    }
    case NodeKind::kMatrix:
    case NodeKind::kSubquery:
    case NodeKind::kString:
    case NodeKind::kDuration: break;
  }
  return Error{Errc::kInternal, "no plan for an expression of type " + std::string(DocumentedType(expr.type()))};
}

Result<OperatorPtr> Planner::BuildSelector(const VectorSelector& selector, const Grid& grid, bool timestamp, bool start_timestamp) {
  PROM_TRY(Reserve(grid, sizeof(double)));  // positions
  SelectOperator::Spec spec;
  PROM_ASSIGN(spec.shift, Shift(selector.time));
  spec.lookback_ms = options_.lookback_ms;
  spec.take = start_timestamp ? SelectOperator::Take::kStartTimestamp : timestamp ? SelectOperator::Take::kTimestamp : SelectOperator::Take::kValue;
  spec.smoothed = selector.smoothed && spec.take == SelectOperator::Take::kValue;
  spec.pos = selector.pos;
  const std::int64_t first = spec.shift.At(grid, 0), last = spec.shift.At(grid, grid.steps - 1);
  auto source = std::make_unique<StorageSource>(selector, first - options_.lookback_ms + 1, last + (spec.smoothed ? options_.lookback_ms : 0),
                                                histogram_stats_.contains(&selector));
  OperatorPtr op = std::make_unique<SelectOperator>(grid, spec, std::move(source));
  return timestamp || start_timestamp ? Merge(std::move(op)) : std::move(op);
}

Result<OperatorPtr> Planner::BuildAggregate(const AggregateExpr& expr, const Grid& grid) {
  PROM_ASSIGN(OperatorPtr child, Build(Unwrap(*expr.expr), grid));
  if (expr.op == AggregateOp::kCountValues) {
    const std::string& label = As<StringLiteral>(Unwrap(*expr.param)).value;
    if (!IsValidLabelName(label)) return Error{Errc::kInvalid, "invalid label name " + Quote(label)};
    return OperatorPtr(std::make_unique<CountValuesOperator>(expr, label, std::move(child)));
  }
  if (!expr.param) return OperatorPtr(std::make_unique<AggregateOperator>(expr, std::move(child)));
  PROM_ASSIGN(OperatorPtr param, Build(Unwrap(*expr.param), grid));
  if (expr.op == AggregateOp::kQuantile) return OperatorPtr(std::make_unique<QuantileOperator>(expr, std::move(child), std::move(param)));
  return OperatorPtr(std::make_unique<SelectKOperator>(expr, std::move(child), std::move(param)));
}

Result<OperatorPtr> Planner::BuildBinary(const BinaryExpr& expr, const Grid& grid) {
  PROM_ASSIGN(OperatorPtr lhs, Build(*expr.lhs, grid));
  PROM_ASSIGN(OperatorPtr rhs, Build(*expr.rhs, grid));
  const bool left_scalar = expr.lhs->type() == ValueType::kScalar, right_scalar = expr.rhs->type() == ValueType::kScalar;
  if (left_scalar && right_scalar) {
    const BinaryOp op = expr.op;
    const std::optional<double> a = lhs->Constant(), b = rhs->Constant();
    if (a && b) return OperatorPtr(std::make_unique<NumberOperator>(grid, ScalarBinary(op, *a, *b)));
    return OperatorPtr(std::make_unique<ScalarPairOperator>(
        "scalar " + std::string(BinaryOpText(op)) + " scalar", [op](double x, double y) { return ScalarBinary(op, x, y); }, std::move(lhs), std::move(rhs)));
  }
  if (right_scalar) return Merge(std::make_unique<VectorScalarOperator>(expr, std::move(lhs), std::move(rhs), false));
  if (left_scalar) return Merge(std::make_unique<VectorScalarOperator>(expr, std::move(rhs), std::move(lhs), true));
  if (IsSetOperator(expr.op)) return OperatorPtr(std::make_unique<SetOperator>(expr, std::move(lhs), std::move(rhs)));
  return OperatorPtr(std::make_unique<VectorBinaryOperator>(expr, std::move(lhs), std::move(rhs)));
}

Result<std::vector<OperatorPtr>> Planner::BuildScalars(const CallExpr& call, std::size_t from, std::size_t to, const Grid& grid) {
  std::vector<OperatorPtr> out;
  for (std::size_t i = from; i < to; ++i) {
    PROM_ASSIGN(OperatorPtr op, Build(Unwrap(*call.args[i]), grid));
    out.push_back(std::move(op));
  }
  return out;
}

Result<OperatorPtr> Planner::BuildCall(const CallExpr& call, const Grid& grid) {
  const std::string_view name = call.function->name;
  const std::vector<ExprPtr>& args = call.args;
  auto number = [&](double v) { return OperatorPtr(std::make_unique<NumberOperator>(grid, v)); };
  if (name == "start") return number(static_cast<double>(start_ms_) / 1000);
  if (name == "end") return number(static_cast<double>(end_ms_) / 1000);
  if (name == "range") return number(DurationSeconds(end_ms_ - start_ms_));
  if (name == "step") return number(start_ms_ == end_ms_ ? 0 : DurationSeconds(step_ms_));
  if (name == "pi") return number(std::numbers::pi);
  if (name == "time") return OperatorPtr(std::make_unique<TimeOperator>(grid));

  for (std::size_t i = 0; i < args.size(); ++i) {
    if (Unwrap(*args[i]).type() == ValueType::kMatrix) return BuildRangeCall(call, i, grid);
  }
  if (args.empty() && IsDateFunction(name)) {
    return OperatorPtr(std::make_unique<FloatFunctionOperator>(std::string(name), FindFloatFunction(name), std::make_unique<TimeOperator>(grid)));
  }
  const Expr* first = args.empty() ? nullptr : &Unwrap(*args[0]);
  if (first != nullptr && first->kind == NodeKind::kSelector) {
    if (name == "timestamp") return BuildSelector(As<VectorSelector>(*first), grid, true, false);
    if (name == "start_timestamp" && options_.use_start_timestamps) return BuildSelector(As<VectorSelector>(*first), grid, false, true);
  }
  if (name == "start_timestamp") return OperatorPtr(std::make_unique<EmptyOperator>(grid));

  if (name == "min_of" || name == "max_of") {
    PROM_ASSIGN(std::vector<OperatorPtr> both, BuildScalars(call, 0, 2, grid));
    const std::optional<double> a = both[0]->Constant(), b = both[1]->Constant();
    if (a && b) return number(name == "min_of" ? MinOf(*a, *b) : MaxOf(*a, *b));
    return OperatorPtr(std::make_unique<ScalarPairOperator>(std::string(name), name == "min_of" ? MinOf : MaxOf, std::move(both[0]), std::move(both[1])));
  }
  if (name == "histogram_quantile" || name == "histogram_fraction" || name == "histogram_quantiles") {
    const std::size_t vector_arg = name == "histogram_quantile" ? 1 : name == "histogram_fraction" ? 2 : 0;
    PROM_ASSIGN(OperatorPtr child, Build(Unwrap(*args[vector_arg]), grid));
    PROM_ASSIGN(std::vector<OperatorPtr> scalars, vector_arg == 0 ? BuildScalars(call, 2, args.size(), grid) : BuildScalars(call, 0, vector_arg, grid));
    return OperatorPtr(std::make_unique<HistogramQuantileOperator>(call, std::move(child), std::move(scalars)));
  }
  if (first == nullptr) return Error{Errc::kInternal, "no plan for function " + std::string(name)};

  PROM_ASSIGN(OperatorPtr child, Build(*first, grid));
  if (FloatFunction function = FindFloatFunction(name)) {
    return Merge(std::make_unique<FloatFunctionOperator>(std::string(name), function, std::move(child)));
  }
  if (HistogramFunction function = FindHistogramFunction(name)) {
    return Merge(std::make_unique<HistogramFunctionOperator>(std::string(name), function, std::move(child)));
  }
  if (name == "timestamp") return Merge(std::make_unique<EvaluationTimeOperator>(std::move(child)));
  if (name == "vector") return child;  // one series without labels either way
  if (name == "scalar") return OperatorPtr(std::make_unique<ToScalarOperator>(std::move(child)));
  if (name == "absent") return OperatorPtr(std::make_unique<AbsentOperator>(std::move(child), AbsentLabels(*first), false));
  if (name == "label_replace" || name == "label_join") return Merge(std::make_unique<LabelOperator>(call, std::move(child)));
  if (name.starts_with("sort")) return OperatorPtr(std::make_unique<SortOperator>(call, std::move(child)));
  if (name == "info") return BuildInfo(call, std::move(child), *first);
  struct Clamp {
    std::string_view name;
    ClampOperator::Kind kind;
  };
  static constexpr Clamp kClamps[] = {{"clamp", ClampOperator::Kind::kClamp},
                                      {"clamp_min", ClampOperator::Kind::kClampMin},
                                      {"clamp_max", ClampOperator::Kind::kClampMax},
                                      {"round", ClampOperator::Kind::kRound}};
  for (const Clamp& row : kClamps) {
    if (row.name != name) continue;
    PROM_ASSIGN(std::vector<OperatorPtr> scalars, BuildScalars(call, 1, args.size(), grid));
    return Merge(std::make_unique<ClampOperator>(row.kind, std::move(child), std::move(scalars)));
  }
  return Error{Errc::kInternal, "no plan for function " + std::string(name)};
}

Result<std::unique_ptr<SeriesSource>> Planner::BuildSource(const Expr& range, const Grid& grid, TimeShift* shift, std::int64_t* range_ms) {
  if (range.kind == NodeKind::kMatrix) {
    const auto& matrix = As<MatrixSelector>(range);
    PROM_ASSIGN(*shift, Shift(matrix.selector->time));
    *range_ms = matrix.range_ms;
    if (matrix.range_expr) {
      PROM_ASSIGN(*range_ms, Duration(*matrix.range_expr, false));
    }
    const bool around = matrix.selector->anchored || matrix.selector->smoothed;
    const std::int64_t min = shift->At(grid, 0) - *range_ms + 1 - (around ? options_.lookback_ms : 0);
    const std::int64_t max = shift->At(grid, grid.steps - 1) + (matrix.selector->smoothed ? options_.lookback_ms : 0);
    return std::unique_ptr<SeriesSource>(std::make_unique<StorageSource>(*matrix.selector, min, max, histogram_stats_.contains(matrix.selector.get())));
  }
  const auto& subquery = As<SubqueryExpr>(range);
  PROM_ASSIGN(*shift, Shift(subquery.time));
  *range_ms = subquery.range_ms;
  if (subquery.range_expr) {
    PROM_ASSIGN(*range_ms, Duration(*subquery.range_expr, false));
  }
  std::int64_t step = subquery.step_ms;
  if (subquery.step_expr) {
    PROM_ASSIGN(step, Duration(*subquery.step_expr, false));
  }
  if (step <= 0) step = options_.subquery_step_ms;
  // Steps are multiples of the step, whatever the query's start; the first lies after the range's (open) left end.
  const std::int64_t before = shift->At(grid, 0) - *range_ms, end = shift->At(grid, grid.steps - 1);
  Grid inner{step * (before / step), step, 0};
  if (inner.start_ms <= before) inner.start_ms += step;
  if (end >= inner.start_ms) inner.steps = static_cast<std::size_t>((end - inner.start_ms) / step) + 1;
  PROM_ASSIGN(OperatorPtr child, Build(*subquery.expr, inner));
  PROM_TRY(Reserve(inner, 3 * sizeof(double)));  // as samples, and their times
  return std::unique_ptr<SeriesSource>(std::make_unique<SubquerySource>(std::move(child)));
}

Result<OperatorPtr> Planner::BuildRangeCall(const CallExpr& call, std::size_t matrix_arg, const Grid& grid) {
  const std::string_view name = call.function->name;
  const Expr& range = Unwrap(*call.args[matrix_arg]);
  const bool absent = name == "absent_over_time";
  const std::optional<RangeFunction> function = absent ? RangeFunction::kPresent : FindRangeFunction(name);
  if (!function) return Error{Errc::kInternal, "no plan for function " + std::string(name)};

  PROM_TRY(Reserve(grid, 6 * sizeof(double)));  // RatePlan, the largest of what is worked out a step
  RangeSpec spec;
  spec.function = *function;
  spec.name = absent ? "present_over_time" : std::string(name);
  spec.arg_pos = range.pos;
  spec.first_arg_pos = Unwrap(*call.args[0]).pos;
  if (range.kind == NodeKind::kMatrix) {
    const VectorSelector& selector = *As<MatrixSelector>(range).selector;
    spec.anchored = selector.anchored;
    spec.smoothed = selector.smoothed;
    const bool extrapolates = *function == RangeFunction::kRate || *function == RangeFunction::kIncrease || *function == RangeFunction::kDelta;
    const bool counts = *function == RangeFunction::kChanges || *function == RangeFunction::kResets;
    if (spec.anchored && !extrapolates && !counts) {
      return Error{Errc::kInvalid, "anchored modifier can only be used with: changes, delta, increase, rate, resets - not with " + std::string(name)};
    }
    if (spec.smoothed && !extrapolates) {
      return Error{Errc::kInvalid, "smoothed modifier can only be used with: delta, increase, rate - not with " + std::string(name)};
    }
  }
  PROM_ASSIGN(std::unique_ptr<SeriesSource> source, BuildSource(range, grid, &spec.shift, &spec.range_ms));
  std::vector<OperatorPtr> scalars;
  for (std::size_t i = 0; i < call.args.size(); ++i) {
    if (i == matrix_arg) continue;
    PROM_ASSIGN(OperatorPtr op, Build(Unwrap(*call.args[i]), grid));
    scalars.push_back(std::move(op));
  }
  OperatorPtr op = std::make_unique<RangeFunctionOperator>(grid, std::move(spec), std::move(source), std::move(scalars));
  if (absent) return OperatorPtr(std::make_unique<AbsentOperator>(std::move(op), AbsentLabels(range), true));
  // Upstream refuses equal labels here even at different steps, unless names are removed at the end.
  return options_.delayed_name_removal ? std::move(op) : Merge(std::move(op), MergeOperator::Rule::kNever);
}

Result<std::unique_ptr<SeriesSource>> Planner::PlanMatrix(const Expr& expr, TimeShift* shift, std::int64_t* range_ms) {
  const Expr& range = Unwrap(expr);
  if (range.kind != NodeKind::kMatrix && range.kind != NodeKind::kSubquery) return std::unique_ptr<SeriesSource>();
  return BuildSource(range, QueryGrid(), shift, range_ms);
}

}  // namespace prom::promql
