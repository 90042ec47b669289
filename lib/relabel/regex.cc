#include "relabel/regex.h"

#include <re2/re2.h>

#include <algorithm>
#include <clocale>
#include <cwchar>
#include <cwctype>
#include <locale.h>

namespace prom::relabel {

namespace {

constexpr std::size_t kMaxPatternBytes = 16 << 10;
constexpr std::int64_t kMaxProgramBytes = 8 << 20;

// Go takes (?<name>...) since 1.22; RE2 of 2022 knows (?P<name>...) only.
std::string WithPNames(std::string_view re) {
  std::string out;
  bool in_class = false;
  for (std::size_t i = 0; i < re.size(); ++i) {
    if (re.substr(i, 2) == "\\Q") {
      const std::size_t end = std::min(re.find("\\E", i), re.size());
      out += re.substr(i, end - i);
      i = end - 1;
      continue;
    }
    if (re[i] == '\\') {
      out += re.substr(i, 2);
      ++i;
      continue;
    }
    if (in_class) {
      if (re[i] == ']') in_class = false;
      // The bracket of [:alpha:] is no end.
      if (re.substr(i, 2) == "[:") {
        const std::size_t end = re.find(":]", i);
        if (end != std::string_view::npos) {
          out += re.substr(i, end + 2 - i);
          i = end + 1;
          continue;
        }
      }
    } else if (re[i] == '[') {
      in_class = true;
      // A bracket right at the beginning of a class is one of its characters.
      std::size_t n = 1;
      if (i + n < re.size() && re[i + n] == '^') ++n;
      if (i + n < re.size() && re[i + n] == ']') ++n;
      out += re.substr(i, n);
      i += n - 1;
      continue;
    } else if (re.substr(i, 3) == "(?<" && i + 3 < re.size() && re[i + 3] != '=' && re[i + 3] != '!') {
      out += "(?P<";
      i += 2;
      continue;
    }
    out += re[i];
  }
  return out;
}

// Go's words for RE2's error codes.
std::string_view GoErrorText(re2::RE2::ErrorCode code) {
  switch (code) {
    case re2::RE2::ErrorBadEscape: return "invalid escape sequence";
    case re2::RE2::ErrorBadCharClass: return "invalid character class";
    case re2::RE2::ErrorBadCharRange: return "invalid character class range";
    case re2::RE2::ErrorMissingBracket: return "missing closing ]";
    case re2::RE2::ErrorMissingParen: return "missing closing )";
    case re2::RE2::ErrorUnexpectedParen: return "unexpected )";
    case re2::RE2::ErrorTrailingBackslash: return "trailing backslash at end of expression";
    case re2::RE2::ErrorRepeatArgument: return "missing argument to repetition operator";
    case re2::RE2::ErrorRepeatSize: return "invalid repeat count";
    case re2::RE2::ErrorRepeatOp: return "invalid nested repetition operator";
    case re2::RE2::ErrorBadPerlOp: return "invalid or unsupported Perl syntax";
    case re2::RE2::ErrorBadUTF8: return "invalid UTF-8";
    case re2::RE2::ErrorBadNamedCapture: return "invalid named capture";
    case re2::RE2::ErrorPatternTooLarge: return "expression too large";
    default: return "internal error";
  }
}

bool HasMeta(std::string_view s) { return s.find_first_of("\\.+*?()|[]{}^$") != std::string_view::npos; }

// unicode.IsLetter, IsDigit or '_' at s[i]; how many bytes it has, 0 when it is none of them.
std::size_t NameCharSize(std::string_view s, std::size_t i) {
  const auto c = static_cast<unsigned char>(s[i]);
  if (c < 0x80) return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ? 1 : 0;
  static const locale_t kUtf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  if (kUtf8 == nullptr) return 0;
  const locale_t old = uselocale(kUtf8);
  std::mbstate_t state{};
  wchar_t wide = 0;
  const std::size_t n = std::mbrtowc(&wide, s.data() + i, s.size() - i, &state);
  const bool letter = n <= s.size() - i && iswalnum_l(static_cast<wint_t>(wide), kUtf8) != 0;
  uselocale(old);
  return letter ? n : 0;
}

}  // namespace

struct Regex::Impl {
  enum class Shortcut { kNone, kEverything, kNonEmpty, kLiterals } shortcut = Shortcut::kNone;
  std::vector<std::string> literals;
  int groups = 0;  // of a shortcut
  std::unique_ptr<re2::RE2> re;
};

Regex::Regex(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;
Regex::~Regex() = default;

Result<Regex> Regex::Compile(std::string_view text) {
  auto impl = std::make_unique<Impl>();
  if (text == "(.*)" || text == ".*") {
    impl->shortcut = Impl::Shortcut::kEverything;
    impl->groups = text[0] == '(' ? 1 : 0;
    return Regex(std::move(impl));
  }
  if (text == "(.+)" || text == ".+") {
    impl->shortcut = Impl::Shortcut::kNonEmpty;
    impl->groups = text[0] == '(' ? 1 : 0;
    return Regex(std::move(impl));
  }
  if (text.size() > kMaxPatternBytes)
    return Error{Errc::kInvalid, "error parsing regexp: " + std::to_string(text.size()) + " bytes, more than the 16384 allowed"};
  bool literals = true;
  for (std::size_t start = 0; literals;) {
    const std::size_t end = std::min(text.find('|', start), text.size());
    const std::string_view part = text.substr(start, end - start);
    if (HasMeta(part)) literals = false;
    impl->literals.emplace_back(part);
    if (end == text.size()) break;
    start = end + 1;
  }
  if (literals) {
    impl->shortcut = Impl::Shortcut::kLiterals;
    std::sort(impl->literals.begin(), impl->literals.end());
    return Regex(std::move(impl));
  }
  impl->literals.clear();
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kMaxProgramBytes);
  const std::string wrapped = "^(?s:" + WithPNames(text) + ")$";
  impl->re = std::make_unique<re2::RE2>(wrapped, options);
  if (!impl->re->ok()) {
    std::string message = "error parsing regexp: ";
    message += GoErrorText(impl->re->error_code());
    if (!impl->re->error_arg().empty()) message += ": `" + impl->re->error_arg() + "`";
    return Error{Errc::kInvalid, std::move(message)};
  }
  return Regex(std::move(impl));
}

bool Regex::Matches(std::string_view s) const {
  switch (impl_->shortcut) {
    case Impl::Shortcut::kEverything: return true;
    case Impl::Shortcut::kNonEmpty: return !s.empty();
    case Impl::Shortcut::kLiterals: return std::binary_search(impl_->literals.begin(), impl_->literals.end(), s);
    case Impl::Shortcut::kNone: break;
  }
  return impl_->re->Match(re2::StringPiece(s.data(), s.size()), 0, s.size(), re2::RE2::UNANCHORED, nullptr, 0);
}

bool Regex::Find(std::string_view s, std::size_t start, std::vector<std::string_view>* groups) const {
  std::fill(groups->begin(), groups->end(), std::string_view());
  if (impl_->shortcut != Impl::Shortcut::kNone) {
    if (start != 0 || !Matches(s)) return false;
    for (std::size_t i = 0; i < groups->size() && static_cast<int>(i) <= impl_->groups; ++i) (*groups)[i] = s.data() == nullptr ? std::string_view("") : s;
    return true;
  }
  constexpr std::size_t kInline = 16;
  re2::StringPiece few[kInline];
  std::vector<re2::StringPiece> many;
  re2::StringPiece* sub = few;
  // RE2 refuses to fill more than the pattern has.
  const std::size_t n = std::min<std::size_t>(groups->size(), 1 + static_cast<std::size_t>(impl_->re->NumberOfCapturingGroups()));
  if (n > kInline) {
    many.resize(n);
    sub = many.data();
  }
  if (!impl_->re->Match(re2::StringPiece(s.data(), s.size()), start, s.size(), re2::RE2::UNANCHORED, sub, static_cast<int>(n))) return false;
  for (std::size_t i = 0; i < n; ++i)
    if (sub[i].data() != nullptr) (*groups)[i] = std::string_view(sub[i].data(), sub[i].size());
  return true;
}

int Regex::GroupNumber(std::string_view name) const {
  if (!impl_->re) return -1;
  const auto& names = impl_->re->NamedCapturingGroups();
  const auto it = names.find(std::string(name));
  return it == names.end() ? -1 : it->second;
}

Template::Template(std::string_view text, const Regex& regex) {
  std::string literal;
  const auto flush = [&] {
    if (!literal.empty()) pieces_.push_back({std::move(literal), -1});
    literal.clear();
  };
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] != '$') {
      literal += text[i++];
      continue;
    }
    variables_ = true;
    ++i;
    if (i < text.size() && text[i] == '$') {
      literal += '$';
      ++i;
      continue;
    }
    const bool brace = i < text.size() && text[i] == '{';
    const std::size_t start = brace ? i + 1 : i;
    std::size_t end = start;
    while (end < text.size()) {
      const std::size_t n = NameCharSize(text, end);
      if (n == 0) break;
      end += n;
    }
    if (end == start || (brace && (end >= text.size() || text[end] != '}'))) {
      literal += '$';  // malformed: the dollar stands for itself
      continue;
    }
    const std::string_view name = text.substr(start, end - start);
    i = brace ? end + 1 : end;
    int group = 0;
    for (const char c : name) {
      if (c < '0' || c > '9' || group >= 100'000'000) {
        group = -1;
        break;
      }
      group = group * 10 + (c - '0');
    }
    if (name.size() > 1 && name[0] == '0') group = -1;
    if (group < 0) group = regex.GroupNumber(name);
    // An unknown name and a number no regex of 16 KiB can have expand to nothing.
    if (group < 0 || group > static_cast<int>(kMaxPatternBytes)) continue;
    flush();
    pieces_.push_back({{}, group});
    max_group_ = std::max(max_group_, group);
  }
  flush();
}

void Template::Expand(const std::vector<std::string_view>& groups, std::string* out) const {
  for (const Piece& piece : pieces_) {
    if (piece.group < 0) *out += piece.literal;
    else if (static_cast<std::size_t>(piece.group) < groups.size()) *out += groups[static_cast<std::size_t>(piece.group)];
  }
}

}  // namespace prom::relabel
