// Operators, parentheses, calls and aggregations.
#include <algorithm>
#include <limits>

#include "base/strings.h"
#include "promql/parse_literal.h"
#include "promql/parser.h"

namespace prom::promql {
namespace {

constexpr int kMulPrecedence = 5, kPowPrecedence = 6;

// 0: not a binary operator.
int Precedence(TokenType t) {
  switch (t) {
    case TokenType::kOr: return 1;
    case TokenType::kAnd:
    case TokenType::kUnless: return 2;
    case TokenType::kEq:
    case TokenType::kNe:
    case TokenType::kLt:
    case TokenType::kLe:
    case TokenType::kGt:
    case TokenType::kGe:
    case TokenType::kTrimUpper:
    case TokenType::kTrimLower: return 3;
    case TokenType::kAdd:
    case TokenType::kSub: return 4;
    case TokenType::kMul:
    case TokenType::kDiv:
    case TokenType::kMod:
    case TokenType::kAtan2: return kMulPrecedence;
    case TokenType::kPow: return kPowPrecedence;
    default: return 0;
  }
}

static_assert(static_cast<int>(TokenType::kUnless) - static_cast<int>(TokenType::kAdd) ==
              static_cast<int>(BinaryOp::kUnless) - static_cast<int>(BinaryOp::kAdd));
BinaryOp OpOf(TokenType t) { return static_cast<BinaryOp>(static_cast<int>(t) - static_cast<int>(TokenType::kAdd)); }

static_assert(static_cast<int>(TokenType::kLimitRatio) - static_cast<int>(TokenType::kSum) == static_cast<int>(AggregateOp::kLimitRatio));
AggregateOp AggregatorOf(TokenType t) { return static_cast<AggregateOp>(static_cast<int>(t) - static_cast<int>(TokenType::kSum)); }

bool StartsOperand(TokenType t) {
  return t == TokenType::kAdd || t == TokenType::kSub || t == TokenType::kNumber || t == TokenType::kDuration || t == TokenType::kString ||
         t == TokenType::kLeftParen || t == TokenType::kLeftBrace || IsMetricWord(t);
}

bool TakesParameter(AggregateOp op) { return op >= AggregateOp::kTopk; }

}  // namespace

ExprPtr Parser::WholeExpression() {
  if (PeekType() == TokenType::kEof) {
    Issue({0, 0}, "no expression found in input");
    return nullptr;
  }
  Built e = Expression(0);
  if (!e && failure_ != Failure::kUnwind) return nullptr;
  if (e && (PeekType() == TokenType::kEof || PeekType() == TokenType::kError)) return std::move(e.expr);
  if (!fresh_error_) Unexpected("", "");
  SkipToEnd();
  return nullptr;
}

Parser::Built Parser::Expression(int min_precedence) {
  Built lhs = Operand();
  if (!lhs) return {};
  return BinaryRest(std::move(lhs), min_precedence);
}

Parser::Built Parser::BinaryRest(Built lhs, int min_precedence) {
  for (;;) {
    const TokenType type = PeekType();
    const int precedence = Precedence(type);
    if (precedence == 0 || precedence < min_precedence) return lhs;
    const Token op = Take();
    auto node = std::make_unique<BinaryExpr>();
    node->op = OpOf(type);
    node->matching.emplace();
    if (!BinaryModifiers(node.get())) return {};
    Built rhs;
    if (type == TokenType::kPow) {  // right-associative: each one is a level
      Level level(this);
      if (!level.ok()) return TooDeep(op.pos()), Built{};
      rhs = Expression(precedence);
    } else {
      rhs = Expression(precedence + 1);
    }
    if (!rhs) return {};
    const int height = 1 + std::max(lhs.height, rhs.height);
    if (height > kMaxHeight) return TooDeep(op.pos()), Built{};
    node->pos = {lhs.expr->pos.start, rhs.expr->pos.end};
    node->lhs = std::move(lhs.expr);
    node->rhs = std::move(rhs.expr);
    if (!options_.fill_modifiers && (node->matching->fill_left || node->matching->fill_right))
      Issue(node->pos, "binop fill modifiers are experimental and not enabled");
    lhs = {std::move(node), height};
  }
}

// bool, on or ignoring, group_left or group_right, fill: each may be left out, in this order.
bool Parser::BinaryModifiers(BinaryExpr* node) {
  VectorMatching& matching = *node->matching;
  if (PeekType() == TokenType::kBool) {
    Take();
    node->return_bool = true;
  }
  if (PeekType() == TokenType::kOn || PeekType() == TokenType::kIgnoring) {
    matching.on = Take().type == TokenType::kOn;
    if (!GroupingLabels(&matching.labels)) return false;
    if (PeekType() == TokenType::kGroupLeft || PeekType() == TokenType::kGroupRight) {
      matching.card = Take().type == TokenType::kGroupLeft ? Cardinality::kManyToOne : Cardinality::kOneToMany;
      // The labels may be left out where an operand or fill follows.
      if (!StartsOperand(PeekType()) || PeekType() == TokenType::kLeftParen)
        if (!GroupingLabels(&matching.include)) return false;
    }
  }
  const TokenType first = PeekType();
  if (first != TokenType::kFill && first != TokenType::kFillLeft && first != TokenType::kFillRight) return true;
  Take();
  double value = 0;
  if (!FillValue(&value)) return false;
  if (first != TokenType::kFillRight) matching.fill_left = value;
  if (first != TokenType::kFillLeft) matching.fill_right = value;
  const TokenType second = first == TokenType::kFillLeft ? TokenType::kFillRight : TokenType::kFillLeft;
  if (first == TokenType::kFill || PeekType() != second) return true;
  Take();
  if (!FillValue(&value)) return false;
  (second == TokenType::kFillLeft ? matching.fill_left : matching.fill_right) = value;
  return true;
}

bool Parser::FillValue(double* value) {
  if (!Expect(TokenType::kLeftParen)) return false;
  bool negative = false;
  if (PeekType() == TokenType::kAdd || PeekType() == TokenType::kSub) negative = Take().type == TokenType::kSub;
  while (PeekType() != TokenType::kNumber && PeekType() != TokenType::kDuration)
    if (!DropUnfit()) return false;
  const ExprPtr number = Number(Take());
  *value = As<NumberLiteral>(*number).value * (negative ? -1 : 1);
  return Expect(TokenType::kRightParen);
}

// A sign binds less than ^ and as much as *: -1^2 is -(1^2).
Parser::Built Parser::Unary() {
  const Token op = Take();
  Level level(this);
  if (!level.ok()) return TooDeep(op.pos()), Built{};
  Built operand = Expression(kPowPrecedence);
  if (!operand) return {};
  if (operand.expr->kind == NodeKind::kNumber) {
    auto& number = As<NumberLiteral>(*operand.expr);
    if (op.type == TokenType::kSub) number.value = -number.value;
    number.pos.start = op.start;
    return operand;
  }
  auto node = std::make_unique<UnaryExpr>();
  node->negative = op.type == TokenType::kSub;
  node->pos = {op.start, operand.expr->pos.end};
  node->expr = std::move(operand.expr);
  if (operand.height >= kMaxHeight) return TooDeep(op.pos()), Built{};
  return {std::move(node), operand.height + 1};
}

Parser::Built Parser::Operand() {
  for (;;) {
    const TokenType type = PeekType();
    if (type == TokenType::kAdd || type == TokenType::kSub) return Unary();
    if (StartsOperand(type)) {
      Built primary = Primary();
      return primary ? Postfix(std::move(primary)) : Built{};
    }
    if (!DropUnfit()) return {};
  }
}

Parser::Built Parser::Primary() {
  switch (PeekType()) {
    case TokenType::kNumber:
    case TokenType::kDuration: return {Number(Take()), 1};
    case TokenType::kString: {
      const Token token = Take();
      auto node = std::make_unique<StringLiteral>();
      node->pos = token.pos();
      node->value = Text(token);
      return {std::move(node), 1};
    }
    case TokenType::kLeftParen: return Paren();
    case TokenType::kLeftBrace: return Selector();
    default: break;
  }
  // A word: what it is depends on what follows, and only then is it a name.
  const Token word = Take();
  const TokenType next = PeekType();
  if (next == TokenType::kLeftParen && (word.type == TokenType::kIdentifier || IsQueryWord(word.type))) return Call(word);
  if (IsAggregator(word.type) && (next == TokenType::kLeftParen || next == TokenType::kBy || next == TokenType::kWithout)) return Aggregate(word);

  auto node = std::make_unique<VectorSelector>();
  node->name = word.text;
  node->pos = word.pos();
  if (next == TokenType::kLeftBrace && !LabelMatchers(node.get())) return {};
  node->matchers.push_back(Matcher::Equal(kMetricName, node->name));
  return {std::move(node), 1};
}

ExprPtr Parser::Number(const Token& token) {
  auto node = std::make_unique<NumberLiteral>();
  node->pos = token.pos();
  node->is_duration = token.type == TokenType::kDuration;
  if (node->is_duration) {
    if (const auto seconds = ParseDurationSeconds(token.text))
      node->value = *seconds;
    else
      Issue(token.pos(), seconds.error().message);
  } else {
    if (const auto value = ParseNumber(token.text)) {
      node->value = *value;
    } else {
      Issue(token.pos(), "error parsing number: " + value.error().message);
      if (value.error().code == Errc::kLimit) node->value = std::numeric_limits<double>::infinity();
    }
  }
  return node;
}

Parser::Built Parser::Paren() {
  const Token open = Take();
  Level level(this);
  if (!level.ok()) return TooDeep(open.pos()), Built{};
  Built inner = Expression(0);
  if (!inner) return {};
  while (PeekType() != TokenType::kRightParen) {
    if (!DropUnfit()) return {};
    // What follows what was dropped may go on with the whole of it.
    inner = Postfix(std::move(inner));
    if (inner) inner = BinaryRest(std::move(inner), 0);
    if (!inner) return {};
  }
  const Token close = Take();
  auto node = std::make_unique<ParenExpr>();
  node->pos = {open.start, close.pos().end};
  node->expr = std::move(inner.expr);
  if (inner.height >= kMaxHeight) return TooDeep(open.pos()), Built{};
  return {std::move(node), inner.height + 1};
}

// "(" arguments ")". A comma too many is reported and skipped.
bool Parser::Arguments(std::vector<Built>* args) {
  if (!Expect(TokenType::kLeftParen)) return false;
  Level level(this);
  if (!level.ok()) return TooDeep(token_.pos());
  if (PeekType() == TokenType::kRightParen) {
    Take();
    return true;
  }
  Built first = Expression(0);
  if (!first) return false;
  args->push_back(std::move(first));
  for (;;) {
    const TokenType type = PeekType();
    if (type == TokenType::kRightParen) {
      Take();
      return true;
    }
    if (type != TokenType::kComma) {
      if (!DropUnfit()) return false;
      continue;
    }
    const Token comma = Take();
    const TokenType next = PeekType();
    if (!StartsOperand(next)) {
      Issue(comma.pos(), "trailing commas not allowed in function call args");
      continue;
    }
    Built arg = Expression(0);
    if (!arg) return false;
    args->push_back(std::move(arg));
  }
}

Parser::Built Parser::Call(const Token& name) {
  std::vector<Built> args;
  if (!Arguments(&args)) return {};
  auto node = std::make_unique<CallExpr>();
  node->pos = {name.start, last_end_};
  node->function = FindFunction(name.text);
  if (node->function == nullptr)
    Issue(name.pos(), "unknown function with name " + Quote(name.text));
  else if (node->function->experimental && !options_.experimental_functions)
    Issue(name.pos(), "function " + Quote(name.text) + " is not enabled");
  int height = 0;
  node->args.reserve(args.size());
  for (Built& arg : args) {
    height = std::max(height, arg.height);
    node->args.push_back(std::move(arg.expr));
  }
  if (height >= kMaxHeight) return TooDeep(name.pos()), Built{};
  return {std::move(node), height + 1};
}

bool Parser::AggregateModifier(AggregateExpr* node) {
  node->without = Take().type == TokenType::kWithout;
  return GroupingLabels(&node->grouping);
}

Parser::Built Parser::Aggregate(const Token& op) {
  auto node = std::make_unique<AggregateExpr>();
  std::vector<Built> args;
  const auto modified = [&] { return PeekType() == TokenType::kBy || PeekType() == TokenType::kWithout; };
  const bool before = modified();
  const bool ok = (!before || AggregateModifier(node.get())) && Arguments(&args);
  std::int32_t end = last_end_;
  const bool after = ok && !before && modified();
  if (!ok) {
    if (!Catch()) return {};
    Report("aggregation", "");
    node = std::make_unique<AggregateExpr>();
    args.clear();
    end = last_end_;
  } else if (after) {
    if (!AggregateModifier(node.get())) return {};
    end = last_end_;
  } else if (!before && PeekType() != TokenType::kRightParen) {
    end = last_end_;  // a number that does not belong here counts as upstream's end
  }
  return FinishAggregate(op, std::move(node), std::move(args), end);
}

Parser::Built Parser::FinishAggregate(const Token& op, std::unique_ptr<AggregateExpr> node, std::vector<Built> args, std::int32_t end) {
  node->op = AggregatorOf(op.type);
  node->pos = {op.start, end};
  if (args.empty()) {
    Issue(node->pos, "no arguments for aggregate expression provided");
    return {std::move(node), 1};
  }
  std::size_t want = 1;
  if (TakesParameter(node->op)) {
    if (!options_.experimental_functions && node->op >= AggregateOp::kLimitk) {
      Issue(node->pos, std::string(AggregateOpName(node->op)) +
                           "() is experimental and must be enabled with --enable-feature=promql-experimental-functions");
      return {std::move(node), 1};
    }
    want = 2;
  }
  if (args.size() != want) {
    Issue(node->pos, StringPrintf("wrong number of arguments for aggregate expression provided, expected %zu, got %zu", want, args.size()));
    return {std::move(node), 1};
  }
  int height = 0;
  for (const Built& arg : args) height = std::max(height, arg.height);
  if (want == 2) node->param = std::move(args.front().expr);
  node->expr = std::move(args.back().expr);
  if (height >= kMaxHeight) return TooDeep(op.pos()), Built{};
  return {std::move(node), height + 1};
}

}  // namespace prom::promql
