#include "exposition/text_lexer.h"

namespace prom {
namespace {

using Token = TextToken;

bool IsBlank(char c) { return c == ' ' || c == '\t'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsNameStart(char c, bool colon) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (colon && c == ':'); }
// What ends an unquoted word of OpenMetrics.
bool EndsWord(char c) { return c == ' ' || c == '\n' || c == '\0'; }

}  // namespace

std::string_view TextTokenName(TextToken token) {
  switch (token) {
    case Token::kInvalid: return "INVALID";
    case Token::kEof: return "EOF";
    case Token::kLinebreak: return "LINEBREAK";
    case Token::kWhitespace: return "WHITESPACE";
    case Token::kHelp: return "HELP";
    case Token::kType: return "TYPE";
    case Token::kUnit: return "UNIT";
    case Token::kEofWord: return "EOFWORD";
    case Token::kText: return "TEXT";
    case Token::kComment: return "COMMENT";
    case Token::kName: return "MNAME";
    case Token::kQuoted: return "QSTRING";
    case Token::kBraceOpen: return "BOPEN";
    case Token::kBraceClose: return "BCLOSE";
    case Token::kLabelName: return "LNAME";
    case Token::kLabelValue: return "LVALUE";
    case Token::kComma: return "COMMA";
    case Token::kEqual: return "EQUAL";
    case Token::kTimestamp: return "TIMESTAMP";
    case Token::kValue: return "VALUE";
  }
  return "INVALID";
}

// Next byte, 0 at the end. Zero bytes inside label values, help texts and comments
// count as content, so they are stepped over; elsewhere they stop the lexer.
char TextLexer::Advance() {
  ++i_;
  if (state_ == State::kLabelValue || state_ == State::kMeta2 || state_ == State::kComment) {
    while (i_ < size_ && At(i_) == '\0') ++i_;
  }
  return At(i_);
}

// The current byte is the first of a keyword; takes the rest of it.
bool TextLexer::Keyword(const char* rest) {
  char c = Advance();
  for (; *rest != '\0'; ++rest) {
    if (c != *rest) return false;
    if (rest[1] != '\0') c = Advance();
  }
  Advance();
  return true;
}

// The current byte is the opening quote; on success the position is behind the closing one.
bool TextLexer::Quoted(bool newline_allowed) {
  for (;;) {
    char c = Advance();
    if (c == '"') break;
    if (c == '\\') {
      c = Advance();
      if (c == '\0' || c == '\n') return false;
    } else if (c == '\0' || (c == '\n' && !newline_allowed)) {
      return false;
    }
  }
  Advance();
  return true;
}

void TextLexer::Name(bool colon) {
  char c;
  do c = Advance();
  while (IsNameStart(c, colon) || IsDigit(c));
}

TextToken TextLexer::ConsumeComment() {
  for (char c = At(i_);; c = Advance()) {
    if (c == '\0') return Token::kEof;
    if (c == '\n') return Become(State::kInit, Token::kComment);
  }
}

TextToken TextLexer::NextPrometheus() {
  if (i_ >= size_) return Token::kEof;
  start_ = i_;
  char c = At(i_);
  // Blanks between tokens; in front of a help text they may belong to it.
  if (IsBlank(c)) {
    do c = Advance();
    while (IsBlank(c));
    if (state_ != State::kMeta2 || c == '\0' || c == '\n') return Token::kWhitespace;
  }
  if (state_ == State::kInit && c == '#') {
    c = Advance();
    if (!IsBlank(c)) return ConsumeComment();
    do c = Advance();
    while (IsBlank(c));
    state_ = State::kComment;
  }
  switch (state_) {
    case State::kInit:
      if (c == '\n') {
        Advance();
        return Token::kLinebreak;
      }
      if (c == '\0') {
        Advance();
        return Token::kEof;
      }
      if (c == '{') {
        Advance();
        return Become(State::kLabels, Token::kBraceOpen);
      }
      if (!IsNameStart(c, true)) return Token::kInvalid;
      Name(true);
      return Become(State::kValue, Token::kName);
    case State::kComment: {
      const bool help = c == 'H';
      if ((help && Keyword("ELP")) || (c == 'T' && Keyword("YPE"))) {
        c = At(i_);
        if (IsBlank(c)) {
          do c = Advance();
          while (IsBlank(c));
          return Become(State::kMeta1, help ? Token::kHelp : Token::kType);
        }
      }
      // Anything else behind "# " is a comment, whatever it begins with.
      return ConsumeComment();
    }
    case State::kMeta1:
      if (c == '"') return Quoted(true) ? Become(State::kMeta2, Token::kName) : Token::kInvalid;
      if (!IsNameStart(c, true)) return Token::kInvalid;
      Name(true);
      return Become(State::kMeta2, Token::kName);
    case State::kMeta2:
      while (c != '\0' && c != '\n') c = Advance();
      return Become(State::kInit, Token::kText);
    case State::kLabels:
      if (c == '"') return Quoted(true) ? Token::kQuoted : Token::kInvalid;
      if (c == ',') {
        Advance();
        return Token::kComma;
      }
      if (c == '=') {
        Advance();
        return Become(State::kLabelValue, Token::kEqual);
      }
      if (c == '}') {
        Advance();
        return Become(State::kValue, Token::kBraceClose);
      }
      if (!IsNameStart(c, false)) return Token::kInvalid;
      Name(false);
      return Token::kLabelName;
    case State::kLabelValue:
      if (c != '"' || !Quoted(true)) return Token::kInvalid;
      return Become(State::kLabels, Token::kLabelValue);
    case State::kValue:
      if (c == '{') {
        Advance();
        return Become(State::kLabels, Token::kBraceOpen);
      }
      if (c == '\0' || c == '\n') return Token::kInvalid;
      do c = Advance();
      while (!EndsWord(c) && c != '\t' && c != '{');
      return Become(State::kTimestamp, Token::kValue);
    case State::kTimestamp:
      if (c == '\n') {
        Advance();
        return Become(State::kInit, Token::kLinebreak);
      }
      if (!IsDigit(c)) return Token::kInvalid;
      do c = Advance();
      while (IsDigit(c));
      return Token::kTimestamp;
    default: return Token::kInvalid;  // exemplar states: only in OpenMetrics
  }
}

TextToken TextLexer::NextOpenMetrics() {
  if (i_ >= size_) return Token::kEof;
  start_ = i_;
  char c = At(i_);
  if (state_ == State::kInit && c == '#') {
    if (Advance() != ' ') return Token::kInvalid;
    c = Advance();
    state_ = State::kComment;
  }
  // A blank and at least one byte behind it.
  const auto word = [&] {
    c = Advance();
    if (EndsWord(c)) return false;
    do c = Advance();
    while (!EndsWord(c));
    return true;
  };
  switch (state_) {
    case State::kInit:
      if (c == '{') {
        Advance();
        return Become(State::kLabels, Token::kBraceOpen);
      }
      if (!IsNameStart(c, true)) return Token::kInvalid;
      Name(true);
      return Become(State::kValue, Token::kName);
    case State::kComment:
      if (c == 'E') {
        if (!Keyword("OF")) return Token::kInvalid;
        if (At(i_) == '\n') Advance();
        return Become(State::kInit, Token::kEofWord);
      }
      if (c == 'H') return Keyword("ELP ") ? Become(State::kMeta1, Token::kHelp) : Token::kInvalid;
      if (c == 'T') return Keyword("YPE ") ? Become(State::kMeta1, Token::kType) : Token::kInvalid;
      if (c == 'U') return Keyword("NIT ") ? Become(State::kMeta1, Token::kUnit) : Token::kInvalid;
      return Token::kInvalid;
    case State::kMeta1:
      if (c == '"') return Quoted(true) ? Become(State::kMeta2, Token::kName) : Token::kInvalid;
      if (!IsNameStart(c, true)) return Token::kInvalid;
      Name(true);
      return Become(State::kMeta2, Token::kName);
    case State::kMeta2:  // the text's token has its newline with it
      if (c != ' ') return Token::kInvalid;
      do c = Advance();
      while (c != '\0' && c != '\n');
      if (c == '\0') return Token::kInvalid;
      Advance();
      return Become(State::kInit, Token::kText);
    case State::kLabels:
    case State::kExemplar: {
      const bool exemplar = state_ == State::kExemplar;
      if (c == '"') return Quoted(!exemplar) ? Token::kQuoted : Token::kInvalid;
      if (c == ',') {
        Advance();
        return Token::kComma;
      }
      if (c == '=') {
        Advance();
        return Become(exemplar ? State::kExemplarValue : State::kLabelValue, Token::kEqual);
      }
      if (c == '}') {
        Advance();
        return Become(exemplar ? State::kExemplarValue : State::kValue, Token::kBraceClose);
      }
      if (!IsNameStart(c, false)) return Token::kInvalid;
      Name(false);
      return Token::kLabelName;
    }
    case State::kLabelValue:
      if (c != '"' || !Quoted(false)) return Token::kInvalid;
      return Become(State::kLabels, Token::kLabelValue);
    case State::kValue:
      if (c == '{') {
        Advance();
        return Become(State::kLabels, Token::kBraceOpen);
      }
      if (c != ' ' || !word()) return Token::kInvalid;
      return Become(State::kTimestamp, Token::kValue);
    case State::kTimestamp:
      if (c == '\n') {
        Advance();
        return Become(State::kInit, Token::kLinebreak);
      }
      if (c != ' ') return Token::kInvalid;
      c = Advance();
      if (c == '#') {
        c = Advance();
        if (c == ' ') {
          if (Advance() != '{') return Token::kInvalid;
          Advance();
          return Become(State::kExemplar, Token::kComment);
        }
      } else if (EndsWord(c)) {
        return Token::kInvalid;
      }
      while (!EndsWord(c)) c = Advance();
      return Token::kTimestamp;
    case State::kExemplarValue:
      if (c == '"') return Quoted(false) ? Become(State::kExemplar, Token::kLabelValue) : Token::kInvalid;
      if (c != ' ' || !word()) return Token::kInvalid;
      return Become(State::kExemplarTimestamp, Token::kValue);
    case State::kExemplarTimestamp:
      if (c == '\n') {
        Advance();
        return Become(State::kInit, Token::kLinebreak);
      }
      if (c != ' ' || !word()) return Token::kInvalid;
      return Token::kTimestamp;
  }
  return Token::kInvalid;
}

}  // namespace prom
