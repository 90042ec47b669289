#include "promql/ast_walk.h"

namespace prom::promql {
namespace {

template <typename Node>
std::unique_ptr<Node> Start(const Node& from) {
  auto to = std::make_unique<Node>();
  to->pos = from.pos;
  return to;
}

TimeModifiers CloneTime(const TimeModifiers& from) {
  return {from.offset_ms, CloneDuration(from.offset_expr.get()), from.at, from.at_ms};
}

std::unique_ptr<VectorSelector> CloneSelector(const VectorSelector& from) {
  auto to = Start(from);
  to->name = from.name;
  to->matchers = from.matchers;
  to->time = CloneTime(from.time);
  to->anchored = from.anchored;
  to->smoothed = from.smoothed;
  to->bypass_empty_check = from.bypass_empty_check;
  return to;
}

// A chain of operators leans left, so its left sides are a loop, not levels of recursion.
ExprPtr CloneChain(const BinaryExpr& top) {
  std::vector<const BinaryExpr*> chain = {&top};
  while (chain.back()->lhs->kind == NodeKind::kBinary) chain.push_back(&As<BinaryExpr>(*chain.back()->lhs));
  ExprPtr left = Clone(*chain.back()->lhs);
  for (; !chain.empty(); chain.pop_back()) {
    const BinaryExpr& from = *chain.back();
    auto to = Start(from);
    to->op = from.op;
    to->lhs = std::move(left);
    to->rhs = Clone(*from.rhs);
    to->matching = from.matching;
    to->return_bool = from.return_bool;
    to->result_type = from.result_type;
    left = std::move(to);
  }
  return left;
}

ExprPtr CloneOrNull(const ExprPtr& e) { return e ? Clone(*e) : nullptr; }

}  // namespace

std::unique_ptr<DurationExpr> CloneDuration(const DurationExpr* e) {
  if (e == nullptr) return nullptr;
  auto to = Start(*e);
  to->op = e->op;
  to->seconds = e->seconds;
  to->is_duration = e->is_duration;
  to->wrapped = e->wrapped;
  to->lhs = CloneDuration(e->lhs.get());
  to->rhs = CloneDuration(e->rhs.get());
  return to;
}

ExprPtr Clone(const Expr& e) {
  switch (e.kind) {
    case NodeKind::kNumber: return std::make_unique<NumberLiteral>(As<NumberLiteral>(e));
    case NodeKind::kString: return std::make_unique<StringLiteral>(As<StringLiteral>(e));
    case NodeKind::kDuration: return CloneDuration(&As<DurationExpr>(e));
    case NodeKind::kSelector: return CloneSelector(As<VectorSelector>(e));
    case NodeKind::kMatrix: {
      const auto& from = As<MatrixSelector>(e);
      auto to = Start(from);
      to->selector = CloneSelector(*from.selector);
      to->range_ms = from.range_ms;
      to->range_expr = CloneDuration(from.range_expr.get());
      return to;
    }
    case NodeKind::kSubquery: {
      const auto& from = As<SubqueryExpr>(e);
      auto to = Start(from);
      to->expr = Clone(*from.expr);
      to->range_ms = from.range_ms;
      to->step_ms = from.step_ms;
      to->range_expr = CloneDuration(from.range_expr.get());
      to->step_expr = CloneDuration(from.step_expr.get());
      to->time = CloneTime(from.time);
      return to;
    }
    case NodeKind::kAggregate: {
      const auto& from = As<AggregateExpr>(e);
      auto to = Start(from);
      to->op = from.op;
      to->expr = Clone(*from.expr);
      to->param = CloneOrNull(from.param);
      to->grouping = from.grouping;
      to->without = from.without;
      return to;
    }
    case NodeKind::kBinary: return CloneChain(As<BinaryExpr>(e));
    case NodeKind::kUnary: {
      const auto& from = As<UnaryExpr>(e);
      auto to = Start(from);
      to->negative = from.negative;
      to->expr = Clone(*from.expr);
      return to;
    }
    case NodeKind::kCall: {
      const auto& from = As<CallExpr>(e);
      auto to = Start(from);
      to->function = from.function;
      to->args.reserve(from.args.size());
      for (const auto& arg : from.args) to->args.push_back(Clone(*arg));
      return to;
    }
    case NodeKind::kParen: {
      const auto& from = As<ParenExpr>(e);
      auto to = Start(from);
      to->expr = Clone(*from.expr);
      return to;
    }
  }
  return nullptr;
}

std::vector<const Matchers*> SelectorsOf(const Expr& e) {
  std::vector<const Matchers*> out;
  Walk(e, [&](const Expr& node) {
    if (node.kind == NodeKind::kSelector) out.push_back(&As<VectorSelector>(node).matchers);
  });
  return out;
}

}  // namespace prom::promql
