// The syntax tree of PromQL. Built by parse.h, typed and checked; read by the
// planner and the printer. Nodes own their children. Positions are byte offsets
// into the query text, [start, end).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/labels.h"
#include "model/matcher.h"

namespace prom::promql {

enum class ValueType { kNone, kScalar, kVector, kMatrix, kString };
// "scalar", "instant vector", "range vector", "string": upstream's words in messages.
std::string_view DocumentedType(ValueType type);

struct PosRange {
  std::int32_t start = 0, end = 0;
  friend bool operator==(const PosRange&, const PosRange&) = default;
};

enum class NodeKind { kNumber, kString, kSelector, kMatrix, kSubquery, kAggregate, kBinary, kUnary, kCall, kParen, kDuration };

struct Expr {
  NodeKind kind;
  PosRange pos;
  explicit Expr(NodeKind k) : kind(k) {}
  virtual ~Expr() = default;
  ValueType type() const;  // of the value it evaluates to
};
using ExprPtr = std::unique_ptr<Expr>;

struct NumberLiteral : Expr {
  NumberLiteral() : Expr(NodeKind::kNumber) {}
  double value = 0;
  bool is_duration = false;  // written as 5m; prints that way
};

struct StringLiteral : Expr {
  StringLiteral() : Expr(NodeKind::kString) {}
  std::string value;
};

// A duration that needs the query's step or range to be known: step(), range(),
// min_of(), max_of(), arithmetic. Literal durations are folded at parse time.
struct DurationExpr : Expr {
  DurationExpr() : Expr(NodeKind::kDuration) {}
  enum class Op { kNumber, kAdd, kSub, kMul, kDiv, kMod, kPow, kNeg, kPos, kStep, kRange, kMinOf, kMaxOf } op = Op::kNumber;
  double seconds = 0;  // kNumber
  bool is_duration = false, wrapped = false;  // how it was written: 5m or 300; in parentheses
  std::unique_ptr<DurationExpr> lhs, rhs;
};

enum class AtModifier { kNone, kTimestamp, kStart, kEnd };

// offset and @, shared by selectors and subqueries.
struct TimeModifiers {
  std::int64_t offset_ms = 0;                 // as written; positive looks back
  std::unique_ptr<DurationExpr> offset_expr;  // when set, offset_ms is resolved per query
  AtModifier at = AtModifier::kNone;
  std::int64_t at_ms = 0;  // kTimestamp
};

struct VectorSelector : Expr {
  VectorSelector() : Expr(NodeKind::kSelector) {}
  std::string name;   // as written before the braces; also among the matchers
  Matchers matchers;  // name's matcher last, as upstream
  TimeModifiers time;
  bool anchored = false, smoothed = false;
  bool bypass_empty_check = false;
};

struct MatrixSelector : Expr {
  MatrixSelector() : Expr(NodeKind::kMatrix) {}
  std::unique_ptr<VectorSelector> selector;  // carries the offset, @, anchored and smoothed
  std::int64_t range_ms = 0;
  std::unique_ptr<DurationExpr> range_expr;
};

struct SubqueryExpr : Expr {
  SubqueryExpr() : Expr(NodeKind::kSubquery) {}
  ExprPtr expr;
  std::int64_t range_ms = 0, step_ms = 0;  // step 0: the default (global evaluation interval)
  std::unique_ptr<DurationExpr> range_expr, step_expr;
  TimeModifiers time;
};

enum class AggregateOp { kSum, kAvg, kMin, kMax, kCount, kGroup, kStddev, kStdvar, kTopk, kBottomk, kQuantile, kCountValues, kLimitk, kLimitRatio };
std::string_view AggregateOpName(AggregateOp op);

struct AggregateExpr : Expr {
  AggregateExpr() : Expr(NodeKind::kAggregate) {}
  AggregateOp op = AggregateOp::kSum;
  ExprPtr expr;
  ExprPtr param;  // null but for topk, bottomk, quantile, count_values, limitk, limit_ratio
  std::vector<std::string> grouping;  // in written order
  bool without = false;
};

enum class BinaryOp { kAdd, kSub, kMul, kDiv, kMod, kPow, kAtan2, kEq, kNe, kLt, kLe, kGt, kGe, kTrimUpper, kTrimLower, kAnd, kOr, kUnless };
std::string_view BinaryOpText(BinaryOp op);  // "+", "atan2", "</" ...
inline bool IsComparison(BinaryOp op) { return op >= BinaryOp::kEq && op <= BinaryOp::kGe; }
inline bool IsSetOperator(BinaryOp op) { return op >= BinaryOp::kAnd; }

enum class Cardinality { kOneToOne, kManyToOne, kOneToMany, kManyToMany };

struct VectorMatching {
  Cardinality card = Cardinality::kOneToOne;
  std::vector<std::string> labels;  // of on() or ignoring()
  bool on = false;
  std::vector<std::string> include;  // of group_left() or group_right()
  std::optional<double> fill_left, fill_right;
};

struct BinaryExpr : Expr {
  BinaryExpr() : Expr(NodeKind::kBinary) {}
  BinaryOp op = BinaryOp::kAdd;
  ExprPtr lhs, rhs;
  std::optional<VectorMatching> matching;  // set when both sides are vectors
  bool return_bool = false;
  ValueType result_type = ValueType::kNone;  // set by the parser, so that type() of a long chain is one step; kNone: worked out from the sides
};

struct UnaryExpr : Expr {
  UnaryExpr() : Expr(NodeKind::kUnary) {}
  bool negative = false;
  ExprPtr expr;
};

struct ParenExpr : Expr {
  ParenExpr() : Expr(NodeKind::kParen) {}
  ExprPtr expr;
};

// One line of the function table, function_table.cc.
struct FunctionSignature {
  std::string_view name;
  std::vector<ValueType> arg_types;
  // 0: exactly arg_types. Otherwise the last of arg_types may be left out or repeated: with n > 0
  // at most size - 1 + n arguments in all, with -1 any number.
  int variadic = 0;
  ValueType return_type = ValueType::kVector;
  bool experimental = false;
};
const FunctionSignature* FindFunction(std::string_view name);  // null when unknown
const std::vector<FunctionSignature>& AllFunctions();

struct CallExpr : Expr {
  CallExpr() : Expr(NodeKind::kCall) {}
  const FunctionSignature* function = nullptr;  // never null after parsing
  std::vector<ExprPtr> args;
};

template <typename Node>
const Node& As(const Expr& e) {
  return static_cast<const Node&>(e);
}
template <typename Node>
Node& As(Expr& e) {
  return static_cast<Node&>(e);
}

}  // namespace prom::promql
