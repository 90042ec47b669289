#include "promql/ast.h"

namespace prom::promql {

std::string_view DocumentedType(ValueType type) {
  switch (type) {
    case ValueType::kNone: return "none";
    case ValueType::kScalar: return "scalar";
    case ValueType::kVector: return "instant vector";
    case ValueType::kMatrix: return "range vector";
    case ValueType::kString: return "string";
  }
  return "<unknown type>";
}

std::string_view AggregateOpName(AggregateOp op) {
  switch (op) {
    case AggregateOp::kSum: return "sum";
    case AggregateOp::kAvg: return "avg";
    case AggregateOp::kMin: return "min";
    case AggregateOp::kMax: return "max";
    case AggregateOp::kCount: return "count";
    case AggregateOp::kGroup: return "group";
    case AggregateOp::kStddev: return "stddev";
    case AggregateOp::kStdvar: return "stdvar";
    case AggregateOp::kTopk: return "topk";
    case AggregateOp::kBottomk: return "bottomk";
    case AggregateOp::kQuantile: return "quantile";
    case AggregateOp::kCountValues: return "count_values";
    case AggregateOp::kLimitk: return "limitk";
    case AggregateOp::kLimitRatio: return "limit_ratio";
  }
  return "";
}

std::string_view BinaryOpText(BinaryOp op) {
  switch (op) {
    case BinaryOp::kAdd: return "+";
    case BinaryOp::kSub: return "-";
    case BinaryOp::kMul: return "*";
    case BinaryOp::kDiv: return "/";
    case BinaryOp::kMod: return "%";
    case BinaryOp::kPow: return "^";
    case BinaryOp::kAtan2: return "atan2";
    case BinaryOp::kEq: return "==";
    case BinaryOp::kNe: return "!=";
    case BinaryOp::kLt: return "<";
    case BinaryOp::kLe: return "<=";
    case BinaryOp::kGt: return ">";
    case BinaryOp::kGe: return ">=";
    case BinaryOp::kTrimUpper: return "</";
    case BinaryOp::kTrimLower: return ">/";
    case BinaryOp::kAnd: return "and";
    case BinaryOp::kOr: return "or";
    case BinaryOp::kUnless: return "unless";
  }
  return "";
}

ValueType Expr::type() const {
  const Expr* e = this;
  for (;;) {
    switch (e->kind) {
      case NodeKind::kNumber:
      case NodeKind::kDuration: return ValueType::kScalar;
      case NodeKind::kString: return ValueType::kString;
      case NodeKind::kSelector:
      case NodeKind::kAggregate: return ValueType::kVector;
      case NodeKind::kMatrix:
      case NodeKind::kSubquery: return ValueType::kMatrix;
      case NodeKind::kCall: {
        const auto* f = As<CallExpr>(*e).function;
        return f == nullptr ? ValueType::kNone : f->return_type;
      }
      case NodeKind::kParen: e = As<ParenExpr>(*e).expr.get(); break;
      case NodeKind::kUnary: e = As<UnaryExpr>(*e).expr.get(); break;
      case NodeKind::kBinary: {
        const auto& b = As<BinaryExpr>(*e);
        if (b.result_type != ValueType::kNone) return b.result_type;
        const bool scalar = b.lhs->type() == ValueType::kScalar && b.rhs->type() == ValueType::kScalar;
        return scalar ? ValueType::kScalar : ValueType::kVector;
      }
    }
    if (e == nullptr) return ValueType::kNone;
  }
}

}  // namespace prom::promql
