// What is read off a regex's text before RE2 is asked: a finite set of literals
// ("a|b|c", "x(1|2)") or a literal prefix. Only plain forms are recognised; case
// folding, classes and escapes that are not of one punctuation mark go to RE2,
// which is always right.
#include "model/matcher.h"

#include <re2/re2.h>

#include <algorithm>
#include <cctype>
#include <optional>

#include "base/strings.h"

namespace prom {

class CompiledRegex {
 public:
  std::unique_ptr<re2::RE2> re;
  std::vector<std::string> set_matches;
  std::string prefix;
  enum class Shortcut { kNone, kEverything, kNonEmpty, kSet } shortcut = Shortcut::kNone;
};

namespace {

constexpr std::size_t kMaxPattern = 16 << 10;
constexpr std::int64_t kMaxProgram = 8 << 20;
constexpr std::size_t kMaxSet = 256;

bool IsMeta(char c) { return std::string_view("\\.+*?()|[]{}^$").find(c) != std::string_view::npos; }

// One literal character at p[*i], with an escape of punctuation undone.
std::optional<char> LiteralAt(std::string_view p, std::size_t* i) {
  if (p[*i] == '\\') {
    if (*i + 1 < p.size() && std::ispunct(static_cast<unsigned char>(p[*i + 1])) != 0) {
      *i += 2;
      return p[*i - 1];
    }
    return std::nullopt;
  }
  if (IsMeta(p[*i])) return std::nullopt;
  return p[(*i)++];
}

// All strings of literal (alternation) literal..., or nullopt.
class SetParser {
 public:
  explicit SetParser(std::string_view p) : p_(p) {}
  std::optional<std::vector<std::string>> Parse() {
    auto out = Alternation(0);
    if (!out || i_ != p_.size()) return std::nullopt;
    return out;
  }

 private:
  std::optional<std::vector<std::string>> Alternation(int depth) {
    std::vector<std::string> out;
    for (;;) {
      auto branch = Sequence(depth);
      if (!branch || out.size() + branch->size() > kMaxSet) return std::nullopt;
      out.insert(out.end(), branch->begin(), branch->end());
      if (i_ == p_.size() || p_[i_] != '|') return out;
      ++i_;
    }
  }
  std::optional<std::vector<std::string>> Sequence(int depth) {
    std::vector<std::string> out{""};
    while (i_ < p_.size() && p_[i_] != '|' && p_[i_] != ')') {
      std::vector<std::string> part;
      if (p_[i_] == '(') {
        if (depth > 20) return std::nullopt;
        ++i_;
        if (p_.substr(i_, 2) == "?:") i_ += 2;
        else if (i_ < p_.size() && p_[i_] == '?') return std::nullopt;
        auto inner = Alternation(depth + 1);
        if (!inner || i_ == p_.size() || p_[i_] != ')') return std::nullopt;
        ++i_;
        part = std::move(*inner);
      } else {
        const auto c = LiteralAt(p_, &i_);
        if (!c) return std::nullopt;
        part = {std::string(1, *c)};
      }
      // A repetition binds to what came before: not a set.
      if (i_ < p_.size() && std::string_view("*+?{").find(p_[i_]) != std::string_view::npos) return std::nullopt;
      if (out.size() * part.size() > kMaxSet) return std::nullopt;
      std::vector<std::string> product;
      for (const std::string& a : out)
        for (const std::string& b : part) product.push_back(a + b);
      out = std::move(product);
    }
    return out;
  }
  std::string_view p_;
  std::size_t i_ = 0;
};

std::string LiteralPrefix(std::string_view p) {
  if (p.find('|') != std::string_view::npos) return {};  // may be at the top level
  std::string out;
  for (std::size_t i = 0; i < p.size();) {
    const auto c = LiteralAt(p, &i);
    if (!c) break;
    if (i < p.size() && std::string_view("*+?{").find(p[i]) != std::string_view::npos) break;
    out.push_back(*c);
  }
  // A byte of a cut-off UTF-8 sequence before '?' and the like is no prefix.
  while (!out.empty() && !IsValidUtf8(out)) out.pop_back();
  return out;
}

}  // namespace

Matcher Matcher::Equal(std::string_view name, std::string_view value) {
  Matcher m;
  m.name_ = name;
  m.value_ = value;
  return m;
}

std::string RegexErrorText(int re2_error_code, std::string_view argument) {
  const char* why = "internal error";
  switch (re2_error_code) {
    case re2::RE2::ErrorBadEscape: why = "invalid escape sequence"; break;
    case re2::RE2::ErrorBadCharClass: why = "invalid character class"; break;
    case re2::RE2::ErrorBadCharRange: why = "invalid character class range"; break;
    case re2::RE2::ErrorMissingBracket: why = "missing closing ]"; break;
    case re2::RE2::ErrorMissingParen: why = "missing closing )"; break;
    case re2::RE2::ErrorUnexpectedParen: why = "unexpected )"; break;
    case re2::RE2::ErrorTrailingBackslash: why = "trailing backslash at end of expression"; break;
    case re2::RE2::ErrorRepeatArgument: why = "missing argument to repetition operator"; break;
    case re2::RE2::ErrorRepeatSize: why = "invalid repeat count"; break;
    case re2::RE2::ErrorRepeatOp: why = "invalid nested repetition operator"; break;
    case re2::RE2::ErrorBadPerlOp: why = "invalid or unsupported Perl syntax"; break;
    case re2::RE2::ErrorBadUTF8: why = "invalid UTF-8"; break;
    case re2::RE2::ErrorBadNamedCapture: why = "invalid named capture"; break;
    case re2::RE2::ErrorPatternTooLarge: why = "expression too large"; break;
    default: break;
  }
  std::string text = std::string("error parsing regexp: ") + why;
  if (!argument.empty()) text.append(": `").append(argument).append("`");
  return text;
}

Result<Matcher> Matcher::Make(Type type, std::string_view name, std::string_view value) {
  Matcher m = Equal(name, value);
  m.type_ = type;
  if (type == Type::kEqual || type == Type::kNotEqual) return m;
  if (value.size() > kMaxPattern)
    return Error{Errc::kInvalid, "regex of label " + Quote(name) + ": " + std::to_string(value.size()) + " bytes, more than the 16384 allowed"};
  auto regex = std::make_shared<CompiledRegex>();
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_dot_nl(true);
  options.set_max_mem(kMaxProgram);
  regex->re = std::make_unique<re2::RE2>(re2::StringPiece(value.data(), value.size()), options);
  if (!regex->re->ok()) return Error{Errc::kInvalid, RegexErrorText(regex->re->error_code(), regex->re->error_arg())};
  if (value == ".*") {
    regex->shortcut = CompiledRegex::Shortcut::kEverything;
  } else if (value == ".+") {
    regex->shortcut = CompiledRegex::Shortcut::kNonEmpty;
  } else if (auto set = SetParser(value).Parse(); set && IsValidUtf8(value)) {
    std::sort(set->begin(), set->end());
    set->erase(std::unique(set->begin(), set->end()), set->end());
    regex->set_matches = std::move(*set);
    regex->shortcut = CompiledRegex::Shortcut::kSet;
  } else {
    regex->prefix = LiteralPrefix(value);
  }
  m.regex_ = std::move(regex);
  return m;
}

bool Matcher::Matches(std::string_view value) const {
  switch (type_) {
    case Type::kEqual: return value == value_;
    case Type::kNotEqual: return value != value_;
    default: break;
  }
  bool hit = false;
  switch (regex_->shortcut) {
    case CompiledRegex::Shortcut::kEverything: hit = true; break;
    case CompiledRegex::Shortcut::kNonEmpty: hit = !value.empty(); break;
    case CompiledRegex::Shortcut::kSet: hit = std::binary_search(regex_->set_matches.begin(), regex_->set_matches.end(), value); break;
    case CompiledRegex::Shortcut::kNone:
      if (!value.starts_with(regex_->prefix)) break;
      if (IsValidUtf8(value)) {
        hit = re2::RE2::FullMatch(re2::StringPiece(value.data(), value.size()), *regex_->re);
      } else {
        hit = re2::RE2::FullMatch(ToValidUtf8(value), *regex_->re);
      }
  }
  return hit == (type_ == Type::kRegex);
}

const std::vector<std::string>& Matcher::set_matches() const {
  static const std::vector<std::string> kNone;
  return regex_ ? regex_->set_matches : kNone;
}

std::string_view Matcher::prefix() const { return regex_ ? std::string_view(regex_->prefix) : std::string_view(); }

std::string Matcher::ToString() const {
  static constexpr std::string_view kOperators[] = {"=", "!=", "=~", "!~"};
  std::string out = IsLegacyLabelName(name_) ? name_ : Quote(name_);
  out += kOperators[static_cast<std::size_t>(type_)];
  AppendQuoted(&out, value_);
  return out;
}

}  // namespace prom
