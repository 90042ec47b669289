// Ways through a syntax tree. Trees are at most kMaxHeight (parse.h) deep, so
// recursion is safe.
#pragma once

#include "promql/ast.h"

namespace prom::promql {

// Calls visit(const Expr&) for each child in upstream's order: the aggregated
// expression before its parameter, left before right. Durations are no children.
template <typename Visit>
void ForEachChild(const Expr& e, Visit&& visit) {
  switch (e.kind) {
    case NodeKind::kAggregate:
      if (As<AggregateExpr>(e).expr) visit(*As<AggregateExpr>(e).expr);
      if (As<AggregateExpr>(e).param) visit(*As<AggregateExpr>(e).param);
      break;
    case NodeKind::kBinary:
      visit(*As<BinaryExpr>(e).lhs);
      visit(*As<BinaryExpr>(e).rhs);
      break;
    case NodeKind::kCall:
      for (const auto& arg : As<CallExpr>(e).args) visit(*arg);
      break;
    case NodeKind::kMatrix: visit(static_cast<const Expr&>(*As<MatrixSelector>(e).selector)); break;
    case NodeKind::kSubquery: visit(*As<SubqueryExpr>(e).expr); break;
    case NodeKind::kParen: visit(*As<ParenExpr>(e).expr); break;
    case NodeKind::kUnary: visit(*As<UnaryExpr>(e).expr); break;
    case NodeKind::kNumber:
    case NodeKind::kString:
    case NodeKind::kSelector:
    case NodeKind::kDuration: break;
  }
}

// visit(const Expr&) for the node and all below it, parents first.
template <typename Visit>
void Walk(const Expr& e, Visit&& visit) {
  visit(e);
  ForEachChild(e, [&](const Expr& child) { Walk(child, visit); });
}

// The same for trees that are changed on the way: visit(ExprPtr&) owns the slot,
// so that a child may be replaced. The selector of a range has no such slot.
template <typename Visit>
void ForEachChildSlot(Expr& e, Visit&& visit) {
  switch (e.kind) {
    case NodeKind::kAggregate:
      if (As<AggregateExpr>(e).expr) visit(As<AggregateExpr>(e).expr);
      if (As<AggregateExpr>(e).param) visit(As<AggregateExpr>(e).param);
      break;
    case NodeKind::kBinary:
      visit(As<BinaryExpr>(e).lhs);
      visit(As<BinaryExpr>(e).rhs);
      break;
    case NodeKind::kCall:
      for (auto& arg : As<CallExpr>(e).args) visit(arg);
      break;
    case NodeKind::kSubquery: visit(As<SubqueryExpr>(e).expr); break;
    case NodeKind::kParen: visit(As<ParenExpr>(e).expr); break;
    case NodeKind::kUnary: visit(As<UnaryExpr>(e).expr); break;
    default: break;
  }
}

ExprPtr Clone(const Expr& e);
std::unique_ptr<DurationExpr> CloneDuration(const DurationExpr* e);  // null for null

// The matchers of every selector, left to right.
std::vector<const Matchers*> SelectorsOf(const Expr& e);

}  // namespace prom::promql
