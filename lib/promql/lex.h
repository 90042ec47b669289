// Tokens of PromQL and of the series notation of test scripts. The lexer knows a
// little context, as upstream's does: inside braces words are label names, inside
// brackets only durations are allowed, and `fill` is a keyword before "(" only.
//
// Not thread-safe. The input must outlive the lexer and its tokens.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "promql/ast.h"

namespace prom::promql {

// In groups, so that "is it an operator?" is a comparison of two bounds.
enum class TokenType : std::uint8_t {
  kEof, kError, kComment,
  kIdentifier, kMetricIdentifier, kNumber, kDuration, kString,
  // Fixed text.
  kLeftParen, kRightParen, kLeftBrace, kRightBrace, kLeftBracket, kRightBracket, kComma, kEqual, kColon,
  // Series notation.
  kSpace, kBlank, kTimes, kOpenHist, kCloseHist,
  kSumDesc, kCountDesc, kSchemaDesc, kOffsetDesc, kNegativeOffsetDesc, kBucketsDesc, kNegativeBucketsDesc, kZeroBucketDesc,
  kZeroBucketWidthDesc, kCustomValuesDesc, kCounterResetHintDesc,
  kUnknownReset, kReset, kNotReset, kGaugeType,
  // Operators.
  kAdd, kSub, kMul, kDiv, kMod, kPow, kAtan2, kEq, kNe, kLt, kLe, kGt, kGe, kTrimUpper, kTrimLower, kAnd, kOr, kUnless,
  kRegexMatch, kRegexNoMatch, kAt,
  // Aggregators, in the order of AggregateOp.
  kSum, kAvg, kMin, kMax, kCount, kGroup, kStddev, kStdvar, kTopk, kBottomk, kQuantile, kCountValues, kLimitk, kLimitRatio,
  // Keywords.
  kBool, kBy, kGroupLeft, kGroupRight, kFill, kFillLeft, kFillRight, kIgnoring, kOffset, kSmoothed, kAnchored, kOn, kWithout,
  // Words that are also functions of the query.
  kStart, kEnd, kStep, kRange, kMaxOf, kMinOf,
};

inline bool IsOperator(TokenType t) { return t >= TokenType::kAdd && t <= TokenType::kAt; }
inline bool IsAggregator(TokenType t) { return t >= TokenType::kSum && t <= TokenType::kLimitRatio; }
inline bool IsKeyword(TokenType t) { return t >= TokenType::kBool && t <= TokenType::kWithout; }
inline bool IsQueryWord(TokenType t) { return t >= TokenType::kStart && t <= TokenType::kMinOf; }

struct Token {
  TokenType type = TokenType::kEof;
  std::int32_t start = 0;
  std::string_view text;  // of the input; of kError the message, valid until the next call of Next
  PosRange pos() const { return {start, start + static_cast<std::int32_t>(text.size())}; }
};

// How a message names a token: `identifier "foo"`, `<op:+>`, `end of input`.
std::string DescribeToken(const Token& token);

class Lexer {
 public:
  // `series`: the input is a series with values, not an expression.
  explicit Lexer(std::string_view input, bool series = false) : input_(input), series_(series) {}

  // The next token; kEof again and again at the end. After kError upstream's
  // lexer may still go on (bad escapes), but nothing after it is meaningful.
  Token Next();
  // Where the text starts that is being read: the position of an error.
  std::int32_t start() const { return start_; }
  std::string_view input() const { return input_; }

 private:
  enum class State : std::uint8_t { kDone, kStatements, kBraces, kDuration, kValues, kHistogram, kBuckets, kSpace, kString, kRawString, kNumber };
  enum class HistogramState : std::uint8_t { kNone, kOpen, kMul, kAdd, kSub };
  static constexpr std::int32_t kEofRune = -1;

  State Step(State state);
  State Statements();
  State Braces();
  State Duration();
  State Values();
  State Histogram();
  State HistogramWord();
  State Buckets();
  State Quoted();
  State RawQuoted();
  State Escape();
  State Comment();
  State Number();
  State NumberOrDuration();
  State Word();
  bool ScanNumber();
  bool ScanRestOfDuration();
  bool ScanDurationWord();
  bool FollowedByParen() const;

  std::int32_t NextRune();
  std::int32_t PeekRune();
  void Backup() { pos_ -= width_; }
  bool Accept(std::string_view valid);
  bool Is(std::string_view valid);
  void SkipSpaces();
  void Emit(TokenType type);
  State Fail(std::string message);

  std::string_view input_;
  bool series_;
  State state_ = State::kStatements;
  std::int32_t pos_ = 0, start_ = 0, width_ = 0;
  Token token_;
  bool scanned_ = false;
  std::string error_;

  std::int64_t paren_depth_ = 0;
  bool brace_open_ = false, bracket_open_ = false, got_colon_ = false, got_duration_ = false;
  char quote_ = 0;
  HistogramState histogram_ = HistogramState::kNone;
};

}  // namespace prom::promql
