// The parser behind parse.h and series_notation.h; no one else includes this.
//
// Recursive descent with precedence climbing. After a syntax error upstream's
// generated parser goes on at the next construct that has a rule for errors, and
// so does this one, because the further messages are part of what tools show:
//  - a construct with such a rule (grouping labels, matchers, @, offset, brackets,
//    aggregations, the whole input) reports the token and sets fresh_error_;
//  - until the next token is taken, tokens that do not fit are dropped silently;
//  - any other construct gives up with failure_ = kUnwind, up to the nearest
//    construct with a rule.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "promql/lex.h"
#include "promql/parse.h"

namespace prom::promql {

class Parser {
 public:
  Parser(std::string_view input, const ParseOptions& options, std::vector<ParseIssue>* issues, bool series = false)
      : options_(options), lexer_(input, series), issues_(issues) {}

  // Null when there was an error; issues tell. Not yet checked for types.
  ExprPtr WholeExpression();
  std::unique_ptr<VectorSelector> WholeSelector();
  Labels WholeMetric();
  bool too_deep() const { return too_deep_; }

 private:
  friend class SeriesParser;

  // An expression and the length of the longest way down to a leaf.
  struct Built {
    ExprPtr expr;
    int height = 0;
    explicit operator bool() const { return expr != nullptr; }
  };
  enum class Failure : std::uint8_t { kNone, kUnwind, kAbort };

  // Tokens. Peek reads one ahead, and only when asked: positions in messages
  // depend on what was read last.
  const Token& Peek();
  TokenType PeekType() { return Peek().type; }
  Token Take();
  bool Expect(TokenType type);  // takes it, or handles the error and is false

  // Errors.
  void Issue(PosRange pos, std::string message);
  void Unexpected(std::string_view context, std::string_view expected);
  // The next token does not fit. True: it was dropped, look again. False: failure_ is set.
  bool DropUnfit();
  // A construct with a rule for errors catches the failure; false when parsing must stop.
  bool Catch();
  void SkipToEnd();
  void ExpectEnd();
  // The token that does not fit is reported and the construct goes on.
  void Report(std::string_view context, std::string_view expected);
  bool TooDeep(PosRange pos);  // false, for the caller to return

  // parser_expr.cc
  Built Expression(int min_precedence);
  Built BinaryRest(Built lhs, int min_precedence);
  Built Operand();
  Built Unary();
  Built Primary();
  Built Paren();
  Built Postfix(Built operand);
  Built Call(const Token& name);
  Built Aggregate(const Token& op);
  Built FinishAggregate(const Token& op, std::unique_ptr<AggregateExpr> node, std::vector<Built> args, std::int32_t end);
  bool Arguments(std::vector<Built>* args);
  bool AggregateModifier(AggregateExpr* node);
  bool BinaryModifiers(BinaryExpr* node);
  bool FillValue(double* value);
  ExprPtr Number(const Token& token);

  // parser_modifier.cc: brackets, offset, @, anchored, smoothed, duration expressions.
  Built Brackets(Built operand);
  bool BracketsInner(Built* operand);
  void Offset(Expr* e);
  void At(Expr* e);
  bool AtInner(Expr* e);
  void Extend(Expr* e, bool anchored);
  void SetOffset(Expr* e, std::unique_ptr<DurationExpr> offset);
  void SetTimestamp(Expr* e, double seconds);
  TimeModifiers* AtTarget(Expr* e);
  std::unique_ptr<DurationExpr> OffsetDuration();
  std::unique_ptr<DurationExpr> Duration(int min_precedence);
  std::unique_ptr<DurationExpr> DurationOperand();
  std::unique_ptr<DurationExpr> DurationRest(std::unique_ptr<DurationExpr> lhs, int min_precedence);
  std::unique_ptr<DurationExpr> DurationCall();
  std::unique_ptr<DurationExpr> DurationNumber();
  std::unique_ptr<DurationExpr> Sign(const Token& op, std::unique_ptr<DurationExpr> e);
  std::unique_ptr<DurationExpr> Positive(std::unique_ptr<DurationExpr> e);
  void NeedDurationExpressions(const DurationExpr& e);

  // parser_selector.cc: names, matchers, label sets and lists.
  Built Selector();
  bool LabelMatchers(VectorSelector* selector);
  void OneMatcher(Matchers* matchers);
  bool Metric(Labels* metric);
  bool LabelSet(std::vector<std::pair<std::string, std::string>>* labels);
  void OneLabel(std::vector<std::pair<std::string, std::string>>* labels);
  bool GroupingLabels(std::vector<std::string>* labels);
  void OneGroupingLabel(std::vector<std::string>* labels);
  // Goes on in a list after an item: true with `close` or a comma taken, false when parsing must stop.
  bool NextInList(TokenType close, std::string_view context, std::string_view expected, bool* closed);
  std::string Text(const Token& string_token);

  ParseOptions options_;
  Lexer lexer_;
  std::vector<ParseIssue>* issues_;
  Token token_;
  bool have_token_ = false;
  std::int32_t last_end_ = 0;  // end of the last token read that can close something
  bool fresh_error_ = false;
  bool too_deep_ = false;
  Failure failure_ = Failure::kNone;
  int depth_ = 0;
  int duration_operators_ = 0;  // of the duration being read
  std::unordered_map<std::string, Matcher> regexes_;  // of this input, by operator, name and literal

  // One level of nesting for as long as it lives.
  struct Level {
    explicit Level(Parser* parser) : p(parser) { ++p->depth_; }
    ~Level() { --p->depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;
    bool ok() const { return p->depth_ <= kMaxDepth; }
    Parser* p;
  };
};

bool IsMetricWord(TokenType t);  // may be a metric name outside braces
bool IsLabelWord(TokenType t);   // may be a label name in a list

// Types and the rules beyond syntax; sets result_type, matching and bypass_empty_check.
void CheckTypes(Expr* root, std::string_view input, std::vector<ParseIssue>* issues);

void AddIssue(std::vector<ParseIssue>* issues, PosRange pos, std::string message);

}  // namespace prom::promql
