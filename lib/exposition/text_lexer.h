// TextLexer: tokens of the two text formats, Prometheus 0.0.4/1.0.0 and OpenMetrics
// 1.0.0. It stops at exactly the byte where upstream's generated lexer stops, since
// upstream's error texts quote what lies between the token's start and that byte.
// TextParser is the only caller, and only for lines its fast path does not take.
//
// Borrows the text. Not thread-safe.
#pragma once

#include <cstddef>
#include <string_view>

namespace prom {

enum class TextFormat { kPrometheus, kOpenMetrics };

enum class TextToken {
  kInvalid, kEof, kLinebreak, kWhitespace, kHelp, kType, kUnit, kEofWord, kText, kComment,
  kName, kQuoted, kBraceOpen, kBraceClose, kLabelName, kLabelValue, kComma, kEqual, kTimestamp, kValue,
};
std::string_view TextTokenName(TextToken token);  // "LVALUE", as error texts have it

class TextLexer {
 public:
  // What may follow: depends on the tokens before, within one line.
  enum class State { kInit, kComment, kMeta1, kMeta2, kLabels, kLabelValue, kValue, kTimestamp, kExemplar, kExemplarValue, kExemplarTimestamp };

  TextLexer(std::string_view text, TextFormat format) : text_(text), format_(format), size_(text.size() + (format == TextFormat::kPrometheus)) {}

  TextToken Next() { return format_ == TextFormat::kPrometheus ? NextPrometheus() : NextOpenMetrics(); }

  // Upstream appends a newline to Prometheus text; here it is only pretended, one byte past the end.
  char At(std::size_t i) const { return i < text_.size() ? text_[i] : i < size_ ? '\n' : '\0'; }
  std::size_t size() const { return size_; }
  std::size_t start() const { return start_; }  // of the last token
  std::size_t position() const { return i_; }   // behind the last token
  bool at_line_start() const { return state_ == State::kInit; }
  // Only valid when the last token ends inside the text, which all but the pretended newline do.
  std::string_view token() const { return text_.substr(start_, i_ - start_); }
  void Seek(std::size_t position) {
    i_ = position;
    start_ = position;
    state_ = State::kInit;
  }

 private:
  TextToken NextPrometheus();
  TextToken NextOpenMetrics();
  char Advance();
  bool Keyword(const char* rest);
  bool Quoted(bool newline_allowed);
  void Name(bool colon);
  TextToken Become(State state, TextToken token) {
    state_ = state;
    return token;
  }
  TextToken ConsumeComment();

  std::string_view text_;
  TextFormat format_;
  std::size_t size_;
  std::size_t i_ = 0, start_ = 0;
  State state_ = State::kInit;
};

}  // namespace prom
