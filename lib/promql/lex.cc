// States follow upstream's lexer, because its messages and the positions in them
// depend on what was read when: a state reads one token (or fails) and names the
// state for the next one. kStatements hands over to the state of the open
// histogram or brace, so most states simply return to it.
#include "promql/lex.h"

#include <array>
#include <unordered_map>

#include "base/strings.h"
#include "promql/parse_literal.h"

namespace prom::promql {
namespace {

constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kHexDigits = "0123456789abcdefABCDEF";

bool IsSpace(std::int32_t r) { return r == ' ' || r == '\t' || r == '\n' || r == '\r'; }
bool IsDigit(std::int32_t r) { return r >= '0' && r <= '9'; }
bool IsAlpha(std::int32_t r) { return r == '_' || (r >= 'a' && r <= 'z') || (r >= 'A' && r <= 'Z'); }
bool IsAlphaNumeric(std::int32_t r) { return IsAlpha(r) || IsDigit(r); }

using Words = std::unordered_map<std::string_view, TokenType>;

const Words& Keywords() {
  static const Words words = {
      {"and", TokenType::kAnd}, {"or", TokenType::kOr}, {"unless", TokenType::kUnless}, {"atan2", TokenType::kAtan2},
      {"sum", TokenType::kSum}, {"avg", TokenType::kAvg}, {"count", TokenType::kCount}, {"min", TokenType::kMin},
      {"max", TokenType::kMax}, {"group", TokenType::kGroup}, {"stddev", TokenType::kStddev}, {"stdvar", TokenType::kStdvar},
      {"topk", TokenType::kTopk}, {"bottomk", TokenType::kBottomk}, {"count_values", TokenType::kCountValues},
      {"quantile", TokenType::kQuantile}, {"limitk", TokenType::kLimitk}, {"limit_ratio", TokenType::kLimitRatio},
      {"offset", TokenType::kOffset}, {"smoothed", TokenType::kSmoothed}, {"anchored", TokenType::kAnchored},
      {"by", TokenType::kBy}, {"without", TokenType::kWithout}, {"on", TokenType::kOn}, {"ignoring", TokenType::kIgnoring},
      {"group_left", TokenType::kGroupLeft}, {"group_right", TokenType::kGroupRight}, {"fill", TokenType::kFill},
      {"fill_left", TokenType::kFillLeft}, {"fill_right", TokenType::kFillRight}, {"bool", TokenType::kBool},
      {"start", TokenType::kStart}, {"end", TokenType::kEnd}, {"step", TokenType::kStep}, {"range", TokenType::kRange},
      {"max_of", TokenType::kMaxOf}, {"min_of", TokenType::kMinOf},
      {"inf", TokenType::kNumber}, {"nan", TokenType::kNumber}};
  return words;
}

const Words& HistogramKeys() {
  static const Words words = {
      {"sum", TokenType::kSumDesc}, {"count", TokenType::kCountDesc}, {"schema", TokenType::kSchemaDesc},
      {"offset", TokenType::kOffsetDesc}, {"n_offset", TokenType::kNegativeOffsetDesc}, {"buckets", TokenType::kBucketsDesc},
      {"n_buckets", TokenType::kNegativeBucketsDesc}, {"z_bucket", TokenType::kZeroBucketDesc},
      {"z_bucket_w", TokenType::kZeroBucketWidthDesc}, {"custom_values", TokenType::kCustomValuesDesc},
      {"counter_reset_hint", TokenType::kCounterResetHintDesc}};
  return words;
}

const Words& ResetHints() {
  static const Words words = {{"unknown", TokenType::kUnknownReset}, {"reset", TokenType::kReset},
                              {"not_reset", TokenType::kNotReset}, {"gauge", TokenType::kGaugeType}};
  return words;
}

// The entry for `word` in any case; kEof: none.
TokenType Find(const Words& words, std::string_view word) {
  std::array<char, 20> lower;
  if (word.size() > lower.size()) return TokenType::kEof;
  for (std::size_t i = 0; i < word.size(); ++i)
    lower[i] = word[i] >= 'A' && word[i] <= 'Z' ? static_cast<char>(word[i] | 0x20) : word[i];
  const auto it = words.find(std::string_view(lower.data(), word.size()));
  return it == words.end() ? TokenType::kEof : it->second;
}

TokenType DurationWord(std::string_view word) {
  const TokenType t = Find(Keywords(), word);
  return t == TokenType::kStep || t == TokenType::kRange || t == TokenType::kMaxOf || t == TokenType::kMinOf ? t : TokenType::kEof;
}

bool StartsDurationWord(std::int32_t r) {
  const std::int32_t lower = r | 0x20;
  return IsAlpha(r) && r != '_' && (lower == 's' || lower == 'r' || lower == 'm');
}

// The words of histograms have no text in upstream's table of tokens, so its
// messages show the number that its parser generator gave them.
int UpstreamNumber(TokenType t) {
  static const std::unordered_map<TokenType, int> numbers = {
      {TokenType::kSumDesc, 57370}, {TokenType::kCountDesc, 57371}, {TokenType::kSchemaDesc, 57372}, {TokenType::kOffsetDesc, 57373},
      {TokenType::kNegativeOffsetDesc, 57374}, {TokenType::kBucketsDesc, 57375}, {TokenType::kNegativeBucketsDesc, 57376},
      {TokenType::kZeroBucketDesc, 57377}, {TokenType::kZeroBucketWidthDesc, 57378}, {TokenType::kCustomValuesDesc, 57379},
      {TokenType::kCounterResetHintDesc, 57380}, {TokenType::kUnknownReset, 57445}, {TokenType::kReset, 57446},
      {TokenType::kNotReset, 57447}, {TokenType::kGaugeType, 57448}};
  const auto it = numbers.find(t);
  return it == numbers.end() ? 0 : it->second;
}

// A token's text in quotes; more than ten characters are cut off.
std::string QuoteShort(std::string_view text) {
  if (text.size() <= 10) return Quote(text);
  std::size_t end = 0;
  for (int runes = 0; runes < 10 && end < text.size(); ++runes) {
    int width = 0;
    DecodeRune(text.substr(end), &width);
    end += static_cast<std::size_t>(width);
  }
  return Quote(text.substr(0, end)) + "...";
}

}  // namespace

std::string DescribeToken(const Token& token) {
  const TokenType t = token.type;
  const std::string text(token.text);
  switch (t) {
    case TokenType::kEof: return "end of input";
    case TokenType::kError: return "error " + text;
    case TokenType::kComment: return "comment " + QuoteShort(text);
    case TokenType::kIdentifier: return "identifier " + Quote(text);
    case TokenType::kMetricIdentifier: return "metric identifier " + Quote(text);
    case TokenType::kString: return "string " + QuoteShort(text);
    case TokenType::kNumber: return "number " + QuoteShort(text);
    case TokenType::kDuration: return "duration " + QuoteShort(text);
    default: break;
  }
  if (const int number = UpstreamNumber(t)) return StringPrintf("\"<Item %d>\" ", number) + QuoteShort(text);
  if (IsKeyword(t)) return "<" + text + ">";
  if (IsOperator(t)) return "<op:" + text + ">";
  if (IsAggregator(t)) return "<aggr:" + text + ">";
  return QuoteShort(text);
}

std::int32_t Lexer::NextRune() {
  if (static_cast<std::size_t>(pos_) >= input_.size()) {
    width_ = 0;
    return kEofRune;
  }
  const auto c = static_cast<unsigned char>(input_[static_cast<std::size_t>(pos_)]);
  if (c < 0x80) {
    width_ = 1;
    ++pos_;
    return c;
  }
  int width = 0;
  const std::int32_t r = DecodeRune(input_.substr(static_cast<std::size_t>(pos_)), &width);
  width_ = width;
  pos_ += width;
  return r;
}

std::int32_t Lexer::PeekRune() {
  const std::int32_t r = NextRune();
  Backup();
  return r;
}

bool Lexer::Accept(std::string_view valid) {
  const std::int32_t r = NextRune();
  if (r >= 0 && r < 0x80 && valid.find(static_cast<char>(r)) != std::string_view::npos) return true;
  Backup();
  return false;
}

bool Lexer::Is(std::string_view valid) {
  const std::int32_t r = PeekRune();
  return r >= 0 && r < 0x80 && valid.find(static_cast<char>(r)) != std::string_view::npos;
}

void Lexer::SkipSpaces() {
  while (IsSpace(PeekRune())) NextRune();
  start_ = pos_;
}

void Lexer::Emit(TokenType type) {
  token_.type = type;
  token_.start = start_;
  token_.text = input_.substr(static_cast<std::size_t>(start_), static_cast<std::size_t>(pos_ - start_));
  start_ = pos_;
  scanned_ = true;
}

Lexer::State Lexer::Fail(std::string message) {
  error_ = std::move(message);
  token_.type = TokenType::kError;
  token_.start = start_;
  token_.text = error_;
  scanned_ = true;
  return State::kDone;
}

Token Lexer::Next() {
  scanned_ = false;
  if (state_ == State::kDone) {
    Emit(TokenType::kEof);
  } else {
    while (!scanned_) state_ = Step(state_);
  }
  return token_;
}

Lexer::State Lexer::Step(State state) {
  switch (state) {
    case State::kStatements: return Statements();
    case State::kBraces: return Braces();
    case State::kDuration: return Duration();
    case State::kValues: return Values();
    case State::kHistogram: return Histogram();
    case State::kBuckets: return Buckets();
    case State::kString: return Quoted();
    case State::kRawString: return RawQuoted();
    case State::kNumber: return Number();
    case State::kSpace: SkipSpaces(); return State::kStatements;
    case State::kDone: break;
  }
  Emit(TokenType::kEof);
  return State::kDone;
}

Lexer::State Lexer::Statements() {
  if (histogram_ != HistogramState::kNone) return State::kHistogram;
  if (brace_open_) return State::kBraces;

  const std::int32_t r = NextRune();
  switch (r) {
    case kEofRune:
      if (paren_depth_ != 0) return Fail("unclosed left parenthesis");
      if (bracket_open_) return Fail("unclosed left bracket");
      Emit(TokenType::kEof);
      return State::kDone;
    case '#': return Comment();
    case ' ': case '\t': case '\n': case '\r': return State::kSpace;
    case ',': Emit(TokenType::kComma); return State::kStatements;
    case '*': Emit(TokenType::kMul); return State::kStatements;
    case '/': Emit(TokenType::kDiv); return State::kStatements;
    case '%': Emit(TokenType::kMod); return State::kStatements;
    case '+': Emit(TokenType::kAdd); return State::kStatements;
    case '-': Emit(TokenType::kSub); return State::kStatements;
    case '^': Emit(TokenType::kPow); return State::kStatements;
    case '@': Emit(TokenType::kAt); return State::kStatements;
    case '=': {
      const std::int32_t next = PeekRune();
      if (next == '~') return Fail("unexpected character after '=': " + QuoteRune(next));
      if (next == '=') {
        NextRune();
        Emit(TokenType::kEq);
      } else {
        Emit(TokenType::kEqual);
      }
      return State::kStatements;
    }
    case '!': {
      const std::int32_t next = NextRune();
      if (next != '=') return Fail("unexpected character after '!': " + QuoteRune(next));
      Emit(TokenType::kNe);
      return State::kStatements;
    }
    case '<':
      Emit(Accept("=") ? TokenType::kLe : Accept("/") ? TokenType::kTrimUpper : TokenType::kLt);
      return State::kStatements;
    case '>':
      Emit(Accept("=") ? TokenType::kGe : Accept("/") ? TokenType::kTrimLower : TokenType::kGt);
      return State::kStatements;
    case '"': case '\'':
      quote_ = static_cast<char>(r);
      return State::kString;
    case '`': return State::kRawString;
    case '(':
      Emit(TokenType::kLeftParen);
      ++paren_depth_;
      return State::kStatements;
    case ')':
      Emit(TokenType::kRightParen);
      if (--paren_depth_ < 0) return Fail("unexpected right parenthesis " + QuoteRune(r));
      return State::kStatements;
    case '{':
      Emit(TokenType::kLeftBrace);
      brace_open_ = true;
      return State::kBraces;
    case '[':
      if (bracket_open_) return Fail("unexpected left bracket " + QuoteRune(r));
      got_colon_ = false;
      Emit(TokenType::kLeftBracket);
      SkipSpaces();
      bracket_open_ = true;
      return State::kDuration;
    case ']':
      if (!bracket_open_) return Fail("unexpected right bracket " + QuoteRune(r));
      Emit(TokenType::kRightBracket);
      bracket_open_ = false;
      return State::kStatements;
    default: break;
  }
  if (IsDigit(r) || (r == '.' && IsDigit(PeekRune()))) {
    // '.' was peeked behind: the width is that of an ASCII character either way, but for the end of the input.
    pos_ = start_;
    return NumberOrDuration();
  }
  if (IsAlpha(r) || r == ':') {
    if (!bracket_open_) {
      Backup();
      return Word();
    }
    if (r == ':') {
      if (got_colon_) return Fail("unexpected colon " + QuoteRune(r));
      Emit(TokenType::kColon);
      got_colon_ = true;
      return State::kStatements;
    }
    if (StartsDurationWord(r) && ScanDurationWord()) return State::kStatements;
    return Fail("unexpected character: " + QuoteRune(r) + ", expected ':'");
  }
  return Fail("unexpected character: " + QuoteRune(r));
}

// Inside the braces of a selector or label set: words are names, never keywords.
Lexer::State Lexer::Braces() {
  const std::int32_t r = NextRune();
  switch (r) {
    case kEofRune: return Fail("unexpected end of input inside braces");
    case '#': return Comment();
    case ' ': case '\t': case '\n': case '\r': return State::kSpace;
    case ',': Emit(TokenType::kComma); return State::kBraces;
    case '"': case '\'':
      quote_ = static_cast<char>(r);
      return State::kString;
    case '`': return State::kRawString;
    case '=':
      Emit(Accept("~") ? TokenType::kRegexMatch : TokenType::kEqual);
      return State::kBraces;
    case '!': {
      const std::int32_t next = NextRune();
      if (next != '~' && next != '=') return Fail("unexpected character after '!' inside braces: " + QuoteRune(next));
      Emit(next == '~' ? TokenType::kRegexNoMatch : TokenType::kNe);
      return State::kBraces;
    }
    case '{': return Fail("unexpected left brace " + QuoteRune(r));
    case '}':
      Emit(TokenType::kRightBrace);
      brace_open_ = false;
      return series_ ? State::kValues : State::kStatements;
    default: break;
  }
  if (!IsAlpha(r)) return Fail("unexpected character inside braces: " + QuoteRune(r));
  while (IsAlphaNumeric(NextRune())) {
  }
  Backup();
  Emit(TokenType::kIdentifier);
  return State::kStatements;
}

// Inside brackets, up to the first number; after it kStatements goes on.
Lexer::State Lexer::Duration() {
  const std::int32_t r = NextRune();
  switch (r) {
    case kEofRune: return Fail("unexpected end of input in duration expression");
    case ']':
      Emit(TokenType::kRightBracket);
      bracket_open_ = got_colon_ = false;
      return State::kStatements;
    case ':':
      Emit(TokenType::kColon);
      if (!got_duration_) return Fail("unexpected colon before duration in duration expression");
      if (got_colon_) return Fail("unexpected repeated colon in duration expression");
      got_colon_ = true;
      return State::kDuration;
    case '(':
      Emit(TokenType::kLeftParen);
      ++paren_depth_;
      return State::kDuration;
    case ')':
      Emit(TokenType::kRightParen);
      if (--paren_depth_ < 0) return Fail("unexpected right parenthesis " + QuoteRune(r));
      return State::kDuration;
    case ' ': case '\t': case '\n': case '\r':
      SkipSpaces();
      return State::kDuration;
    case '+': Emit(TokenType::kAdd); return State::kDuration;
    case '-': Emit(TokenType::kSub); return State::kDuration;
    case '*': Emit(TokenType::kMul); return State::kDuration;
    case '/': Emit(TokenType::kDiv); return State::kDuration;
    case '%': Emit(TokenType::kMod); return State::kDuration;
    case '^': Emit(TokenType::kPow); return State::kDuration;
    case ',': Emit(TokenType::kComma); return State::kDuration;
    default: break;
  }
  if (StartsDurationWord(r)) {
    if (ScanDurationWord()) return State::kDuration;
  } else if (IsDigit(r) || (r == '.' && IsDigit(PeekRune()))) {
    pos_ = start_;
    got_duration_ = true;
    return NumberOrDuration();
  }
  return Fail("unexpected character in duration expression: " + QuoteRune(r));
}

// The values of a series: "1+2x5 _ stale {{sum:1}}".
Lexer::State Lexer::Values() {
  if (histogram_ != HistogramState::kNone) return State::kHistogram;
  const std::int32_t r = NextRune();
  switch (r) {
    case kEofRune: return State::kStatements;
    case ' ': case '\t': case '\n': case '\r':
      Emit(TokenType::kSpace);
      SkipSpaces();
      return State::kValues;
    case '+': Emit(TokenType::kAdd); return State::kValues;
    case '-': Emit(TokenType::kSub); return State::kValues;
    case 'x': Emit(TokenType::kTimes); return State::kValues;
    case '_': Emit(TokenType::kBlank); return State::kValues;
    default: break;
  }
  if (r == '{' && PeekRune() == '{') {
    histogram_ = HistogramState::kOpen;
    NextRune();
    Emit(TokenType::kOpenHist);
    return State::kHistogram;
  }
  if (IsDigit(r) || (r == '.' && IsDigit(PeekRune()))) {
    pos_ = start_;
    Number();
    return State::kValues;
  }
  if (IsAlpha(r)) {
    Backup();
    return Word();
  }
  return Fail("unexpected character in series sequence: " + QuoteRune(r));
}

// Inside {{ }}, and the sign or "x" right behind it.
Lexer::State Lexer::Histogram() {
  const HistogramState after = histogram_;
  if (after != HistogramState::kOpen) {
    histogram_ = HistogramState::kNone;
    NextRune();
    Emit(after == HistogramState::kMul ? TokenType::kTimes : after == HistogramState::kAdd ? TokenType::kAdd : TokenType::kSub);
    return State::kValues;
  }
  if (bracket_open_) return State::kBuckets;

  const std::int32_t r = NextRune();
  if (IsSpace(r)) {
    Emit(TokenType::kSpace);
    return State::kSpace;
  }
  if (IsAlpha(r)) {
    Backup();
    return HistogramWord();
  }
  if (IsDigit(r)) {
    Backup();
    return State::kNumber;
  }
  switch (r) {
    case ':': Emit(TokenType::kColon); return State::kHistogram;
    case '-': Emit(TokenType::kSub); return State::kHistogram;
    case '[':
      bracket_open_ = true;
      got_colon_ = got_duration_ = false;
      Emit(TokenType::kLeftBracket);
      return State::kBuckets;
    default: break;
  }
  if (r == '}' && PeekRune() == '}') {
    NextRune();
    Emit(TokenType::kCloseHist);
    switch (PeekRune()) {
      case 'x': histogram_ = HistogramState::kMul; return State::kHistogram;
      case '+': histogram_ = HistogramState::kAdd; return State::kHistogram;
      case '-': histogram_ = HistogramState::kSub; return State::kHistogram;
      default: histogram_ = HistogramState::kNone; return State::kValues;
    }
  }
  return Fail("histogram description incomplete unexpected: " + QuoteRune(r));
}

Lexer::State Lexer::HistogramWord() {
  while (IsAlpha(NextRune())) {
  }
  Backup();
  const std::string_view word = input_.substr(static_cast<std::size_t>(start_), static_cast<std::size_t>(pos_ - start_));
  if (const TokenType key = Find(HistogramKeys(), word); key != TokenType::kEof) {
    if (PeekRune() != ':') return Fail("missing `:` for histogram descriptor");
    Emit(key);
    return State::kHistogram;
  }
  TokenType type = Find(Keywords(), word);  // Inf and NaN only
  if (type != TokenType::kNumber) type = Find(ResetHints(), word);
  if (type == TokenType::kEof) return Fail("bad histogram descriptor found: " + Quote(word));
  Emit(type);
  return State::kHistogram;
}

Lexer::State Lexer::Buckets() {
  const std::int32_t r = NextRune();
  if (IsSpace(r)) {
    Emit(TokenType::kSpace);
    return State::kSpace;
  }
  if (r == '-') {
    Emit(TokenType::kSub);
    return State::kNumber;
  }
  if (IsDigit(r)) {
    Backup();
    return State::kNumber;
  }
  if (r == ']') {
    bracket_open_ = false;
    Emit(TokenType::kRightBracket);
    return State::kHistogram;
  }
  if (IsAlpha(r)) {  // Inf or NaN, letter by letter
    const std::string_view word = input_.substr(static_cast<std::size_t>(start_), static_cast<std::size_t>(pos_ - start_));
    if (word.size() == 3 && Find(Keywords(), word) == TokenType::kNumber) {
      Emit(TokenType::kNumber);
      return State::kStatements;
    }
    return State::kBuckets;
  }
  return Fail("invalid character in buckets description: " + QuoteRune(r));
}

Lexer::State Lexer::Quoted() {
  for (;;) {
    const std::int32_t r = NextRune();
    if (r == '\\') return Escape();
    if (r == kRuneError && width_ == 1) {  // three bytes: the character U+FFFD itself
      Fail("invalid UTF-8 rune");
      return State::kString;
    }
    if (r == kEofRune || r == '\n') return Fail("unterminated quoted string");
    if (r == quote_) break;
  }
  Emit(TokenType::kString);
  return State::kStatements;
}

Lexer::State Lexer::RawQuoted() {
  for (;;) {
    const std::int32_t r = NextRune();
    if ((r == kRuneError && width_ == 1) || r == kEofRune) {
      Fail(r == kEofRune ? "unterminated raw string" : "invalid UTF-8 rune");
      return State::kRawString;
    }
    if (r == '`') break;
  }
  Emit(TokenType::kString);
  return State::kStatements;
}

// One escape sequence; the backslash is read. Reading goes on in the string after an error.
Lexer::State Lexer::Escape() {
  std::int32_t r = NextRune();
  int digits = 0;
  std::uint32_t base = 16, max = 0x10ffff;
  switch (r) {
    case 'a': case 'b': case 'f': case 'n': case 'r': case 't': case 'v': case '\\': return State::kString;
    case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7':
      digits = 3;
      base = 8;
      max = 255;
      break;
    case 'x':
      digits = 2;
      max = 255;
      r = NextRune();
      break;
    case 'u':
      digits = 4;
      r = NextRune();
      break;
    case 'U':
      digits = 8;
      r = NextRune();
      break;
    case kEofRune: Fail("escape sequence not terminated"); return State::kString;
    default:
      if (r != quote_) Fail("unknown escape sequence " + DescribeRune(r));
      return State::kString;
  }
  std::uint32_t value = 0;
  while (digits > 0) {
    const std::uint32_t d = DigitValue(r);
    if (d >= base) {
      Fail(r == kEofRune ? "escape sequence not terminated" : "illegal character " + DescribeRune(r) + " in escape sequence");
      return State::kString;
    }
    value = value * base + d;
    if (--digits > 0) r = NextRune();
  }
  if (value > max || (value >= 0xd800 && value < 0xe000)) Fail("escape sequence is an invalid Unicode code point");
  return State::kString;
}

Lexer::State Lexer::Comment() {
  std::int32_t r = NextRune();
  while (r != '\n' && r != '\r' && r != kEofRune) r = NextRune();
  Backup();
  Emit(TokenType::kComment);
  return State::kStatements;
}

Lexer::State Lexer::Number() {
  if (!ScanNumber())
    return Fail("bad number syntax: " + Quote(input_.substr(static_cast<std::size_t>(start_), static_cast<std::size_t>(pos_ - start_))));
  Emit(TokenType::kNumber);
  return State::kStatements;
}

Lexer::State Lexer::NumberOrDuration() {
  if (ScanNumber()) {
    Emit(TokenType::kNumber);
    return State::kStatements;
  }
  if (ScanRestOfDuration()) {
    Backup();
    Emit(TokenType::kDuration);
    return State::kStatements;
  }
  return Fail("bad number or duration syntax: " +
              Quote(input_.substr(static_cast<std::size_t>(start_), static_cast<std::size_t>(pos_ - start_))));
}

// What follows the first number of a duration, and one character more. Bad
// units such as "hs" are left to the duration parser.
bool Lexer::ScanRestOfDuration() {
  if (!Accept("smhdwy")) return false;
  Accept("s");
  while (Accept(kDigits)) {
    while (Accept(kDigits)) {
    }
    if (!Accept("smhdw")) return false;  // years come first
    Accept("s");
  }
  return !IsAlphaNumeric(NextRune());
}

// A number in any spelling; what is accepted here may still be refused by the
// number parser. On failure the position is behind the offending character.
bool Lexer::ScanNumber() {
  const std::int32_t initial = pos_;
  std::string_view digits = kDigits;
  bool hex = false;
  // A series such as 0x5 repeats a zero, so it has no hexadecimal numbers.
  if (!series_ && Accept("0") && Accept("xX")) {
    Accept("_");
    digits = kHexDigits;
    hex = true;
  }
  Accept(".");
  Accept(digits);
  bool dot = false, exponent = false;
  for (;;) {
    const std::int32_t r = PeekRune();
    if (r == '.') {
      Accept(".");
      if (dot) return false;
      dot = true;
      if (Accept("_.")) return false;
      if (hex) return false;
    } else if (r == 'e' || r == 'E') {
      // In hexadecimal too, as upstream: 0xe5 is a number because its first digit is read above.
      if (exponent) {
        Accept("eE");
        return false;
      }
      Accept("eE");
      exponent = true;
      Accept("+-");
      if (Accept("._eE") || PeekRune() == kEofRune) return false;
    } else if (r == '_') {
      Accept("_");
      if (Accept("._eE") || PeekRune() == kEofRune) return false;
    } else if (r >= 0 && r < 0x80 && digits.find(static_cast<char>(r)) != std::string_view::npos) {
      while (Accept(digits)) {
      }
    } else {
      break;
    }
  }
  if (pos_ == initial) return false;
  const std::int32_t r = PeekRune();
  return (series_ && r == 'x') || !IsAlphaNumeric(r);
}

bool Lexer::ScanDurationWord() {
  while (IsAlpha(NextRune())) {
  }
  Backup();
  const TokenType type = DurationWord(input_.substr(static_cast<std::size_t>(start_), static_cast<std::size_t>(pos_ - start_)));
  if (type == TokenType::kEof) return false;
  Emit(type);
  return true;
}

Lexer::State Lexer::Word() {
  std::int32_t r = NextRune();
  while (IsAlphaNumeric(r) || r == ':') r = NextRune();
  Backup();
  const std::string_view word = input_.substr(static_cast<std::size_t>(start_), static_cast<std::size_t>(pos_ - start_));
  TokenType type = Find(Keywords(), word);
  // A metric may be called fill: the keyword is followed by its value in parentheses.
  if ((type == TokenType::kFill || type == TokenType::kFillLeft || type == TokenType::kFillRight) && !FollowedByParen())
    type = TokenType::kIdentifier;
  else if (type == TokenType::kEof)
    type = word.find(':') == std::string_view::npos ? TokenType::kIdentifier : TokenType::kMetricIdentifier;
  Emit(type);
  return series_ && PeekRune() != '{' ? State::kValues : State::kStatements;
}

bool Lexer::FollowedByParen() const {
  const std::size_t at = input_.find_first_not_of(" \t\n\r", static_cast<std::size_t>(pos_));
  return at != std::string_view::npos && input_[at] == '(';
}

}  // namespace prom::promql
