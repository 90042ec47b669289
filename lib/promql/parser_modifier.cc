// What follows an operand: [range], [range:step], offset, @, anchored, smoothed;
// and the duration expressions inside.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/strings.h"
#include "promql/parse_literal.h"
#include "promql/parser.h"

namespace prom::promql {
namespace {

constexpr std::string_view kDurationStart = "number, duration, step(), or range()";
constexpr int kDurationMul = 2, kDurationPow = 3;

// Beyond int64 nanoseconds.
bool OutOfRange(double seconds) { return !(seconds <= 9223372036.854775808 && seconds >= -9223372036.854775808); }

std::unique_ptr<DurationExpr> MakeNumber(double seconds, PosRange pos) {
  auto node = std::make_unique<DurationExpr>();
  node->seconds = seconds;
  node->pos = pos;
  return node;
}

// A number as it was written; in parentheses it no longer counts as a literal.
bool IsLiteral(const DurationExpr& e) { return e.op == DurationExpr::Op::kNumber && !e.wrapped; }

// A range or step that is not zero does not become zero: less than a millisecond counts as one.
std::int64_t PositiveMillis(const DurationExpr& e) { return e.seconds > 0 ? std::max<std::int64_t>(1, SecondsToMillis(e.seconds)) : 0; }

// Upstream's position of a node in messages: from its first to its last operand,
// without parentheses and the name of a call.
PosRange Span(const DurationExpr& e) {
  if (!e.rhs) return e.pos;
  return {e.lhs ? Span(*e.lhs).start : e.pos.start, Span(*e.rhs).end};
}

int DurationPrecedence(TokenType t) {
  switch (t) {
    case TokenType::kAdd:
    case TokenType::kSub: return 1;
    case TokenType::kMul:
    case TokenType::kDiv:
    case TokenType::kMod: return kDurationMul;
    case TokenType::kPow: return kDurationPow;
    default: return 0;
  }
}

DurationExpr::Op DurationOp(TokenType t) {
  switch (t) {
    case TokenType::kAdd: return DurationExpr::Op::kAdd;
    case TokenType::kSub: return DurationExpr::Op::kSub;
    case TokenType::kMul: return DurationExpr::Op::kMul;
    case TokenType::kDiv: return DurationExpr::Op::kDiv;
    case TokenType::kMod: return DurationExpr::Op::kMod;
    case TokenType::kMaxOf: return DurationExpr::Op::kMaxOf;
    case TokenType::kMinOf: return DurationExpr::Op::kMinOf;
    case TokenType::kStep: return DurationExpr::Op::kStep;
    case TokenType::kRange: return DurationExpr::Op::kRange;
    default: return DurationExpr::Op::kPow;
  }
}

}  // namespace

Parser::Built Parser::Postfix(Built operand) {
  for (;;) {
    switch (PeekType()) {
      case TokenType::kLeftBracket:
        operand = Brackets(std::move(operand));
        if (!operand) return {};
        break;
      case TokenType::kOffset: Offset(operand.expr.get()); break;
      case TokenType::kAt: At(operand.expr.get()); break;
      case TokenType::kAnchored:
      case TokenType::kSmoothed: {
        const bool anchored = Take().type == TokenType::kAnchored;
        Extend(operand.expr.get(), anchored);
        break;
      }
      default: return operand;
    }
    if (failure_ != Failure::kNone) return {};
  }
}

Parser::Built Parser::Brackets(Built operand) {
  const Token open = Take();
  duration_operators_ = 0;
  Expr& inner = *operand.expr;
  const auto give_up = [&](std::string_view context, std::string_view expected) -> Built {
    if (!Catch()) return {};
    Report(context, expected);
    return std::move(operand);
  };

  auto range = Duration(0);
  if (!range) return give_up("subquery or range selector", kDurationStart);
  range = Positive(std::move(range));
  while (PeekType() != TokenType::kRightBracket && PeekType() != TokenType::kColon)
    if (!DropUnfit()) return give_up("subquery or range", "\":\" or \"]\"");

  const Token next = Take();
  if (next.type == TokenType::kRightBracket) {
    std::string_view problem;
    if (inner.kind != NodeKind::kSelector) {
      problem = "ranges only allowed for vector selectors";
    } else {
      const auto& time = As<VectorSelector>(inner).time;
      if (time.offset_ms != 0 || time.offset_expr)
        problem = "no offset modifiers allowed before range";
      else if (time.at != AtModifier::kNone)
        problem = "no @ modifiers allowed before range";
    }
    if (!problem.empty()) Issue({open.start, next.pos().end}, std::string(problem));
    auto node = std::make_unique<MatrixSelector>();
    node->pos = {inner.pos.start, last_end_};
    if (IsLiteral(*range))
      node->range_ms = PositiveMillis(*range);
    else
      node->range_expr = std::move(range);
    // Not a selector: reported above, and the selector of the node stays empty.
    if (inner.kind == NodeKind::kSelector) node->selector.reset(static_cast<VectorSelector*>(operand.expr.release()));
    return {std::move(node), 2};
  }

  auto node = std::make_unique<SubqueryExpr>();
  if (PeekType() != TokenType::kRightBracket) {
    auto step = Duration(0);
    if (!step) return give_up("subquery selector", "number, duration, step(), range(), or \"]\"");
    step = Positive(std::move(step));
    while (PeekType() != TokenType::kRightBracket)
      if (!DropUnfit()) return give_up("subquery selector", "\"]\"");
    if (IsLiteral(*step))
      node->step_ms = PositiveMillis(*step);
    else
      node->step_expr = std::move(step);
  }
  const Token close = Take();
  if (IsLiteral(*range))
    node->range_ms = PositiveMillis(*range);
  else
    node->range_expr = std::move(range);
  node->pos = {inner.pos.start, close.pos().end};
  if (operand.height >= kMaxHeight) return TooDeep(open.pos()), Built{};
  node->expr = std::move(operand.expr);
  return {std::move(node), operand.height + 1};
}

void Parser::Extend(Expr* e, bool anchored) {
  const std::string name = anchored ? "anchored" : "smoothed";
  if (!options_.extended_ranges) return Issue(e->pos, name + " modifier is experimental and not enabled");
  if (e->kind == NodeKind::kSubquery) return Issue(e->pos, name + " modifier is not supported for subqueries");
  VectorSelector* selector = nullptr;
  if (e->kind == NodeKind::kSelector) {
    selector = &As<VectorSelector>(*e);
  } else if (e->kind == NodeKind::kMatrix) {
    selector = As<MatrixSelector>(*e).selector.get();
    if (selector == nullptr) return;
  } else {
    return Issue(e->pos, name + " modifier not implemented");
  }
  (anchored ? selector->anchored : selector->smoothed) = true;
  if (selector->anchored && selector->smoothed) Issue(e->pos, "anchored and smoothed modifiers cannot be used together");
}

void Parser::At(Expr* e) {
  Take();
  if (AtInner(e) || !Catch()) return;
  Report("@", "timestamp");
}

bool Parser::AtInner(Expr* e) {
  if (PeekType() == TokenType::kStart || PeekType() == TokenType::kEnd) {
    const bool start = Take().type == TokenType::kStart;
    if (!Expect(TokenType::kLeftParen) || !Expect(TokenType::kRightParen)) return false;
    if (TimeModifiers* time = AtTarget(e)) {
      time->at = start ? AtModifier::kStart : AtModifier::kEnd;
      e->pos.end = last_end_;
    }
    return true;
  }
  bool negative = false;
  if (PeekType() == TokenType::kAdd || PeekType() == TokenType::kSub) negative = Take().type == TokenType::kSub;
  while (PeekType() != TokenType::kNumber && PeekType() != TokenType::kDuration)
    if (!DropUnfit()) return false;
  const ExprPtr number = Number(Take());
  SetTimestamp(e, As<NumberLiteral>(*number).value * (negative ? -1 : 1));
  return true;
}

void Parser::SetTimestamp(Expr* e, double seconds) {
  constexpr double kLimit = 9223372036854775808.0;
  const bool fits = seconds < kLimit && seconds > -kLimit;
  if (!fits) {
    const std::string text = std::isnan(seconds) ? "NaN" : std::isinf(seconds) ? (seconds > 0 ? "+Inf" : "-Inf") : StringPrintf("%f", seconds);
    Issue(e->pos, "timestamp out of bounds for @ modifier: " + text);
  }
  TimeModifiers* time = AtTarget(e);
  if (time == nullptr) return;
  time->at = AtModifier::kTimestamp;
  const double ms = std::round(seconds * 1000);
  // Seconds fit into int64, but milliseconds may not: the farthest time there is stands for them.
  if (fits) {
    time->at_ms = ms >= kLimit    ? std::numeric_limits<std::int64_t>::max()
                  : ms <= -kLimit ? std::numeric_limits<std::int64_t>::min()
                                  : static_cast<std::int64_t>(ms);
  }
  e->pos.end = last_end_;
}

// Where @ of `e` is kept; null when it may not have one (reported).
TimeModifiers* Parser::AtTarget(Expr* e) {
  TimeModifiers* time = nullptr;
  switch (e->kind) {
    case NodeKind::kSelector: time = &As<VectorSelector>(*e).time; break;
    case NodeKind::kMatrix: {
      auto& matrix = As<MatrixSelector>(*e);
      if (matrix.selector == nullptr) {
        Issue(e->pos, "ranges only allowed for vector selectors");
        return nullptr;
      }
      time = &matrix.selector->time;
      break;
    }
    case NodeKind::kSubquery: time = &As<SubqueryExpr>(*e).time; break;
    default:
      Issue(e->pos, "@ modifier must be preceded by an instant vector selector or range vector selector or a subquery");
      return nullptr;
  }
  if (time->at != AtModifier::kNone) {
    Issue(e->pos, "@ <timestamp> may not be set multiple times");
    return nullptr;
  }
  return time;
}

void Parser::Offset(Expr* e) {
  Take();
  duration_operators_ = 0;
  auto offset = OffsetDuration();
  if (offset) return SetOffset(e, std::move(offset));
  if (Catch()) Report("offset", kDurationStart);
}

void Parser::SetOffset(Expr* e, std::unique_ptr<DurationExpr> offset) {
  TimeModifiers* time = nullptr;
  switch (e->kind) {
    case NodeKind::kSelector: time = &As<VectorSelector>(*e).time; break;
    case NodeKind::kMatrix: {
      auto& matrix = As<MatrixSelector>(*e);
      if (matrix.selector == nullptr) return Issue(e->pos, "ranges only allowed for vector selectors");
      time = &matrix.selector->time;
      break;
    }
    case NodeKind::kSubquery: time = &As<SubqueryExpr>(*e).time; break;
    default: return Issue(e->pos, "offset modifier must be preceded by an instant vector selector or range vector selector or a subquery");
  }
  if (time->offset_ms != 0 || time->offset_expr)
    Issue(e->pos, "offset may not be set multiple times");
  else if (IsLiteral(*offset))
    time->offset_ms = SecondsToMillis(offset->seconds);
  else
    time->offset_expr = std::move(offset);
  e->pos.end = last_end_;
}

// After `offset` a number, a call or a signed one of them ends the duration:
// foo offset -2^2 is (foo offset -2)^2. Only parentheses begin a longer one.
std::unique_ptr<DurationExpr> Parser::OffsetDuration() {
  const auto call = [](TokenType t) {
    return t == TokenType::kStep || t == TokenType::kRange || t == TokenType::kMaxOf || t == TokenType::kMinOf;
  };
  const TokenType type = PeekType();
  if (type == TokenType::kNumber || type == TokenType::kDuration) return DurationNumber();
  if (call(type)) {
    auto e = DurationCall();
    if (e) NeedDurationExpressions(*e);
    return e;
  }
  if (type != TokenType::kAdd && type != TokenType::kSub) return Duration(0);

  const Token op = Take();
  Level level(this);
  if (!level.ok()) return TooDeep(op.pos()), nullptr;
  const TokenType next = PeekType();
  if (next == TokenType::kNumber || next == TokenType::kDuration) {
    const ExprPtr literal = Number(Take());
    const auto& number = As<NumberLiteral>(*literal);
    if (OutOfRange(number.value)) {
      Issue(op.pos(), "duration out of range");
      return MakeNumber(0, {0, 0});
    }
    auto e = MakeNumber(number.value, number.pos);
    e->is_duration = number.is_duration;
    return Sign(op, std::move(e));
  }
  if (call(next)) {
    auto operand = DurationCall();
    if (!operand) return nullptr;
    if (operand->rhs) operand->pos.end = operand->rhs->pos.end;  // as upstream has it behind a sign
    auto node = std::make_unique<DurationExpr>();
    node->op = op.type == TokenType::kSub ? DurationExpr::Op::kNeg : DurationExpr::Op::kPos;
    node->pos = {op.start, operand->pos.end};
    node->rhs = std::move(operand);
    NeedDurationExpressions(*node);
    return node;
  }
  if (next == TokenType::kLeftParen) {
    Take();
    auto inner = Duration(0);
    if (!inner || !Expect(TokenType::kRightParen)) return nullptr;
    inner->wrapped = true;
    return Sign(op, std::move(inner));
  }
  auto operand = Duration(kDurationPow);
  if (!operand) return nullptr;
  return DurationRest(Sign(op, std::move(operand)), 0);
}

std::unique_ptr<DurationExpr> Parser::Duration(int min_precedence) {
  auto lhs = DurationOperand();
  if (!lhs) return nullptr;
  return DurationRest(std::move(lhs), min_precedence);
}

std::unique_ptr<DurationExpr> Parser::DurationRest(std::unique_ptr<DurationExpr> lhs, int min_precedence) {
  for (;;) {
    const TokenType type = PeekType();
    const int precedence = DurationPrecedence(type);
    if (precedence == 0 || precedence < min_precedence) return lhs;
    const Token op = Take();
    Level level(this);
    // A chain is as deep as it is long, and chains nest: one bound for all operators of a duration.
    if (!level.ok() || ++duration_operators_ > kMaxDepth) return TooDeep(op.pos()), nullptr;
    auto rhs = Duration(type == TokenType::kPow ? precedence : precedence + 1);
    if (!rhs) return nullptr;
    NeedDurationExpressions(*lhs);
    const bool zero = IsLiteral(*rhs) && rhs->seconds == 0;
    if (zero && (type == TokenType::kDiv || type == TokenType::kMod)) {
      Issue(op.pos(), type == TokenType::kDiv ? "division by zero" : "modulo by zero");
      lhs = MakeNumber(0, {0, 0});
      continue;
    }
    auto node = std::make_unique<DurationExpr>();
    node->op = DurationOp(type);
    node->pos = {lhs->pos.start, rhs->pos.end};
    node->lhs = std::move(lhs);
    node->rhs = std::move(rhs);
    lhs = std::move(node);
  }
}

std::unique_ptr<DurationExpr> Parser::DurationOperand() {
  for (;;) {
    const TokenType type = PeekType();
    switch (type) {
      case TokenType::kNumber:
      case TokenType::kDuration: return DurationNumber();
      case TokenType::kStep:
      case TokenType::kRange:
      case TokenType::kMaxOf:
      case TokenType::kMinOf: {
        auto e = DurationCall();
        if (e) NeedDurationExpressions(*e);
        return e;
      }
      case TokenType::kAdd:
      case TokenType::kSub: {
        const Token op = Take();
        Level level(this);
        if (!level.ok()) return TooDeep(op.pos()), nullptr;
        auto operand = Duration(kDurationPow);
        if (!operand) return nullptr;
        return Sign(op, std::move(operand));
      }
      case TokenType::kLeftParen: {
        const Token open = Take();
        Level level(this);
        if (!level.ok()) return TooDeep(open.pos()), nullptr;
        auto inner = Duration(0);
        if (!inner || !Expect(TokenType::kRightParen)) return nullptr;
        NeedDurationExpressions(*inner);
        if (IsLiteral(*inner)) inner->pos = {open.start, last_end_};
        inner->wrapped = true;
        return inner;
      }
      default:
        if (!DropUnfit()) return nullptr;
    }
  }
}

std::unique_ptr<DurationExpr> Parser::DurationNumber() {
  const ExprPtr literal = Number(Take());
  const auto& number = As<NumberLiteral>(*literal);
  if (OutOfRange(number.value)) {
    Issue(number.pos, "duration out of range");
    return MakeNumber(0, {0, 0});
  }
  auto node = MakeNumber(number.value, number.pos);
  node->is_duration = number.is_duration;
  return node;
}

// step(), range(), min_of(a, b), max_of(a, b).
std::unique_ptr<DurationExpr> Parser::DurationCall() {
  const Token name = Take();
  Level level(this);
  if (!level.ok()) return TooDeep(name.pos()), nullptr;
  auto node = std::make_unique<DurationExpr>();
  node->op = DurationOp(name.type);
  if (!Expect(TokenType::kLeftParen)) return nullptr;
  if (name.type == TokenType::kMaxOf || name.type == TokenType::kMinOf) {
    node->lhs = Duration(0);
    if (!node->lhs || !Expect(TokenType::kComma)) return nullptr;
    node->rhs = Duration(0);
    if (!node->rhs) return nullptr;
  }
  if (!Expect(TokenType::kRightParen)) return nullptr;
  node->pos = {name.start, last_end_};
  return node;
}

std::unique_ptr<DurationExpr> Parser::Sign(const Token& op, std::unique_ptr<DurationExpr> e) {
  if (IsLiteral(*e)) {
    if (op.type == TokenType::kSub) e->seconds = -e->seconds;
    e->pos.start = op.start;
    return e;
  }
  if (op.type == TokenType::kAdd) return e;
  auto node = std::make_unique<DurationExpr>();
  node->op = DurationExpr::Op::kNeg;
  node->pos = {op.start, e->pos.end};
  node->rhs = std::move(e);
  return node;
}

// A range or a step. Only literals can be judged before the query is known.
std::unique_ptr<DurationExpr> Parser::Positive(std::unique_ptr<DurationExpr> e) {
  if (!IsLiteral(*e) || e->seconds > 0) return e;
  Issue(e->pos, "duration must be greater than 0");
  return MakeNumber(0, {0, 0});
}

void Parser::NeedDurationExpressions(const DurationExpr& e) {
  if (!options_.duration_expressions) Issue(Span(e), "experimental duration expression is not enabled");
}

}  // namespace prom::promql
