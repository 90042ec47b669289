#include "promql/parse.h"

#include <algorithm>
#include <limits>

#include "base/strings.h"
#include "promql/parse_literal.h"
#include "promql/parser.h"

namespace prom::promql {
namespace {

Error FirstIssue(const std::vector<ParseIssue>& issues, std::string_view input, bool too_deep) {
  return {too_deep ? Errc::kLimit : Errc::kInvalid, IssueText(issues.front(), input)};
}

// Positions are 32 bits wide.
bool TooLong(std::string_view input, std::vector<ParseIssue>* issues) {
  if (input.size() < static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) return false;
  AddIssue(issues, {0, 0}, "expression is longer than 2 GiB");
  return true;
}

}  // namespace

void AddIssue(std::vector<ParseIssue>* issues, PosRange pos, std::string message) {
  if (issues->size() < kMaxIssues) issues->push_back({pos, std::move(message)});
}

std::string IssueText(const ParseIssue& issue, std::string_view input) {
  std::string where;
  if (input.empty()) {
    where = "unknown position";
  } else if (issue.pos.start < 0 || static_cast<std::size_t>(issue.pos.start) > input.size()) {
    where = "invalid position";
  } else {
    const std::string_view before = input.substr(0, static_cast<std::size_t>(issue.pos.start));
    const std::size_t line = 1 + static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
    const std::size_t last_break = before.rfind('\n');
    const std::size_t column = last_break == std::string_view::npos ? before.size() + 1 : before.size() - last_break;
    where = std::to_string(line) + ":" + std::to_string(column);
  }
  return where + ": parse error: " + issue.message;
}

ExprPtr ParseExpr(std::string_view input, const ParseOptions& options, std::vector<ParseIssue>* issues) {
  issues->clear();
  if (TooLong(input, issues)) return nullptr;
  Parser parser(input, options, issues);
  ExprPtr e = parser.WholeExpression();
  if (issues->empty()) CheckTypes(e.get(), input, issues);
  if (!issues->empty()) return nullptr;
  return e;
}

Result<ExprPtr> ParseExpr(std::string_view input, const ParseOptions& options) {
  std::vector<ParseIssue> issues;
  if (TooLong(input, &issues)) return FirstIssue(issues, input, true);
  Parser parser(input, options, &issues);
  ExprPtr e = parser.WholeExpression();
  if (issues.empty()) CheckTypes(e.get(), input, &issues);
  if (!issues.empty()) return FirstIssue(issues, input, parser.too_deep());
  return e;
}

Result<Matchers> ParseMetricSelector(std::string_view input) {
  std::vector<ParseIssue> issues;
  if (TooLong(input, &issues)) return FirstIssue(issues, input, true);
  Parser parser(input, {}, &issues);
  const auto selector = parser.WholeSelector();
  if (!issues.empty()) return FirstIssue(issues, input, false);
  return std::move(selector->matchers);
}

bool MatchesOnlyEmpty(const Matchers& matchers) {
  return std::all_of(matchers.begin(), matchers.end(), [](const Matcher& m) { return m.MatchesEmpty(); });
}

Result<Labels> ParseMetric(std::string_view input) {
  std::vector<ParseIssue> issues;
  if (TooLong(input, &issues)) return FirstIssue(issues, input, true);
  Parser parser(input, {}, &issues);
  Labels labels = parser.WholeMetric();
  if (!issues.empty()) return FirstIssue(issues, input, false);
  return labels;
}

Result<std::string> UnquoteString(std::string_view literal) {
  if (auto value = Unquote(literal)) return std::move(*value);
  return Error{Errc::kInvalid, "error unquoting string " + Quote(literal) + ": invalid syntax"};
}

// The parts of the parser that all grammars share.

const Token& Parser::Peek() {
  if (have_token_) return token_;
  do {
    token_ = lexer_.Next();
  } while (token_.type == TokenType::kComment);
  have_token_ = true;
  switch (token_.type) {
    case TokenType::kError:
      // Nothing is read after it: to the grammar it is the end of the input.
      Issue({lexer_.start(), static_cast<std::int32_t>(lexer_.input().size())}, std::string(token_.text));
      break;
    case TokenType::kRightBrace:
    case TokenType::kRightParen:
    case TokenType::kRightBracket:
    case TokenType::kDuration:
    case TokenType::kNumber: last_end_ = token_.pos().end; break;
    default: break;
  }
  return token_;
}

Token Parser::Take() {
  const Token token = Peek();
  have_token_ = false;
  fresh_error_ = false;
  return token;
}

bool Parser::Expect(TokenType type) {
  while (PeekType() != type)
    if (!DropUnfit()) return false;
  Take();
  return true;
}

void Parser::Issue(PosRange pos, std::string message) { AddIssue(issues_, pos, std::move(message)); }

void Parser::Unexpected(std::string_view context, std::string_view expected) {
  const Token& token = Peek();
  if (token.type == TokenType::kError) return;  // reported when it was read
  std::string message = "unexpected " + DescribeToken(token);
  if (!context.empty()) message.append(" in ").append(context);
  if (!expected.empty()) message.append(", expected ").append(expected);
  Issue(token.pos(), std::move(message));
}

bool Parser::DropUnfit() {
  const TokenType type = PeekType();
  if (!fresh_error_) {
    failure_ = Failure::kUnwind;
    return false;
  }
  if (type == TokenType::kEof || type == TokenType::kError) {
    failure_ = Failure::kAbort;
    return false;
  }
  have_token_ = false;
  return true;
}

void Parser::Report(std::string_view context, std::string_view expected) {
  Unexpected(context, expected);
  fresh_error_ = true;
}

bool Parser::Catch() {
  if (failure_ != Failure::kUnwind) return false;
  failure_ = Failure::kNone;
  return true;
}

void Parser::SkipToEnd() {
  while (PeekType() != TokenType::kEof && PeekType() != TokenType::kError) have_token_ = false;
}

bool Parser::TooDeep(PosRange pos) {
  if (!too_deep_) Issue(pos, "expression is nested too deeply");
  too_deep_ = true;
  failure_ = Failure::kAbort;
  return false;
}

}  // namespace prom::promql
