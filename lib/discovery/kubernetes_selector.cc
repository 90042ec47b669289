#include "discovery/kubernetes_selector.h"

#include <string>
#include <vector>

#include "base/strings.h"

namespace prom::discovery {

namespace {

bool IsAlnum(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

// Up to 63 characters, [A-Za-z0-9_.-], with a letter or digit at both ends.
bool IsName(std::string_view s) {
  if (s.empty() || s.size() > 63 || !IsAlnum(s.front()) || !IsAlnum(s.back())) return false;
  for (const char c : s)
    if (!IsAlnum(c) && c != '_' && c != '.' && c != '-') return false;
  return true;
}

// A name, with an optional DNS prefix before a slash.
bool IsQualifiedName(std::string_view s) {
  const std::size_t slash = s.find('/');
  if (slash == std::string_view::npos) return IsName(s);
  const std::string_view prefix = s.substr(0, slash);
  if (prefix.empty() || prefix.size() > 253 || !IsAlnum(prefix.front()) || !IsAlnum(prefix.back())) return false;
  for (const char c : prefix)
    if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '.' && c != '-') return false;
  return IsName(s.substr(slash + 1));
}

std::vector<std::string> Tokens(std::string_view s) {
  std::vector<std::string> out;
  const auto special = [](char c) { return c == '=' || c == '!' || c == '(' || c == ')' || c == ',' || c == '>' || c == '<'; };
  const auto space = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  for (std::size_t i = 0; i < s.size();) {
    if (space(s[i])) {
      ++i;
    } else if (special(s[i])) {
      const std::size_t n = (s[i] == '=' || s[i] == '!') && i + 1 < s.size() && s[i + 1] == '=' ? 2 : 1;
      out.emplace_back(s.substr(i, n));
      i += n;
    } else {
      const std::size_t start = i;
      while (i < s.size() && !space(s[i]) && !special(s[i])) ++i;
      out.emplace_back(s.substr(start, i - start));
    }
  }
  return out;
}

Error Unparsed(const std::string& reason) { return {Errc::kInvalid, "unable to parse requirement: " + reason}; }

}  // namespace

Result<void> CheckFieldSelector(std::string_view text) {
  // Terms are separated by commas; a backslash escapes a comma, an equals sign or itself.
  std::vector<std::string_view> terms;
  std::size_t start = 0;
  bool escaped = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (escaped) escaped = false;
    else if (text[i] == '\\') escaped = true;
    else if (text[i] == ',') {
      terms.push_back(text.substr(start, i - start));
      start = i + 1;
    }
  }
  terms.push_back(text.substr(start));
  for (const std::string_view term : terms) {
    if (term.empty()) continue;
    std::size_t op = 0, value = 0;
    for (; op < term.size() && value == 0; ++op) {
      if (term.substr(op, 2) == "!=" || term.substr(op, 2) == "==") value = op + 2;
      else if (term[op] == '=') value = op + 1;
    }
    if (value == 0) return Error{Errc::kInvalid, "invalid selector: '" + std::string(text) + "'; can't understand '" + std::string(term) + "'"};
    for (std::size_t i = value; i < term.size(); ++i) {
      if (term[i] == '\\') {
        ++i;
        if (i == term.size() || (term[i] != '\\' && term[i] != ',' && term[i] != '='))
          return Error{Errc::kInvalid, "invalid field selector: invalid escape sequence: " + std::string(term.substr(i - 1, 2))};
      } else if (term[i] == '=') {
        return Error{Errc::kInvalid, "invalid field selector: unescaped character in value: ="};
      }
    }
  }
  return {};
}

Result<void> CheckLabelSelector(std::string_view text) {
  const std::vector<std::string> tokens = Tokens(text);
  std::size_t i = 0;
  const auto peek = [&]() -> std::string { return i < tokens.size() ? tokens[i] : std::string(); };
  if (tokens.empty()) return {};
  for (;;) {
    const bool negated = peek() == "!";
    if (negated) ++i;
    const std::string key = peek();
    if (!IsQualifiedName(key)) return Unparsed("found '" + key + "', expected: a label name");
    ++i;
    const std::string op = peek();
    if (!negated && (op == "=" || op == "==" || op == "!=" || op == ">" || op == "<")) {
      ++i;
      const std::string value = peek();
      // No value is the empty value, which = and != may have.
      if (value != "," && !value.empty()) {
        if (!IsName(value)) return Unparsed("found '" + value + "', expected: a label value");
        ++i;
      } else if (op == ">" || op == "<") {
        return Unparsed("found '" + value + "', expected: identifier");
      }
    } else if (!negated && (op == "in" || op == "notin")) {
      ++i;
      if (peek() != "(") return Unparsed("found '" + peek() + "', expected: '('");
      ++i;
      while (peek() != ")") {
        if (i == tokens.size()) return Unparsed("found '', expected: ',' or ')'");
        if (peek() != ",") {
          if (!IsName(peek())) return Unparsed("found '" + peek() + "', expected: a label value");
          if (i + 1 < tokens.size() && tokens[i + 1] != "," && tokens[i + 1] != ")") return Unparsed("found '" + tokens[i + 1] + "', expected: ',' or ')'");
        }
        ++i;
      }
      ++i;
    } else if (!op.empty() && op != ",") {
      return Unparsed("found '" + op + "', expected: in, notin, =, ==, !=, gt, lt");
    }
    if (i == tokens.size()) return {};
    if (peek() != ",") return Unparsed("found '" + peek() + "', expected: ',' or 'end of string'");
    ++i;
    if (i == tokens.size()) return Unparsed("found '', expected: identifier after ','");
  }
}

}  // namespace prom::discovery
