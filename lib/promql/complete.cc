// A scan from the left that knows strings, comments and brackets: the parser is of no
// use here, since what is being typed does not parse yet.
#include "promql/complete.h"

#include <algorithm>
#include <array>

#include "base/strings.h"
#include "promql/ast.h"
#include "promql/lex.h"

namespace prom::promql {
namespace {

constexpr std::array<std::string_view, 14> kAggregators = {"sum", "avg", "min", "max", "count", "group", "stddev", "stdvar", "topk", "bottomk", "quantile", "count_values", "limitk", "limit_ratio"};
constexpr std::array<std::string_view, 12> kKeywords = {"by", "without", "on", "ignoring", "group_left", "group_right", "bool", "offset", "and", "or", "unless", "atan2"};
constexpr std::array<std::string_view, 6> kLabelLists = {"by", "without", "on", "ignoring", "group_left", "group_right"};
constexpr std::array<std::string_view, 9> kDurations = {"10m", "15m", "1d", "1h", "1m", "30m", "30s", "5m", "7d"};

bool IsWord(char c) { return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_' || c == ':'; }

struct Open {
  char bracket;
  std::string before;  // the word in front of it: a metric, a function, "by"
};

struct Scan {
  std::vector<Open> open;
  char quote = 0;
  std::size_t quote_at = 0;
  std::string word;      // last word or string that was finished or is being typed
  std::size_t word_at = 0;
  bool in_word = false;  // the text ends inside it
  std::string label;     // in braces: what stands before the operator
  bool after_operator = false;
};

Scan ScanText(std::string_view text) {
  Scan s;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (s.quote != 0) {
      if (c == '\\' && s.quote != '`') {
        i = std::min(i + 2, text.size());
        continue;
      }
      if (c == s.quote) {
        s.word = std::string(text.substr(s.quote_at + 1, i - s.quote_at - 1));
        s.quote = 0;
      }
      ++i;
      continue;
    }
    s.in_word = false;
    if (c == '"' || c == '\'' || c == '`') {
      s.quote = c;
      s.quote_at = i++;
      continue;
    }
    if (c == '#') {
      while (i < text.size() && text[i] != '\n') ++i;
      continue;
    }
    if (IsWord(c)) {
      s.word_at = i;
      while (i < text.size() && IsWord(text[i])) ++i;
      s.word = std::string(text.substr(s.word_at, i - s.word_at));
      s.in_word = i == text.size();
      continue;
    }
    ++i;
    if (c == '(' || c == '{' || c == '[') {
      s.open.push_back({c, s.word});
      s.word.clear();
      s.label.clear();
      s.after_operator = false;
    } else if (c == ')' || c == '}' || c == ']') {
      if (!s.open.empty()) s.open.pop_back();
      s.word.clear();
    } else if (c == ',') {
      s.word.clear();
      s.label.clear();
      s.after_operator = false;
    } else if ((c == '=' || c == '!' || c == '~') && !s.open.empty() && s.open.back().bracket == '{') {
      if (!s.after_operator) s.label = s.word;
      s.after_operator = true;
    } else if (c != ' ' && c != '\t' && c != '\n') {
      s.word.clear();
    }
  }
  return s;
}

template <typename Words>
void Add(const Words& words, std::string_view typed, std::string_view behind, std::vector<std::string>* out) {
  for (const auto& w : words)
    if (std::string_view(w).starts_with(typed)) out->push_back(std::string(w) + std::string(behind));
}

// A name as it stands in braces.
std::vector<std::string> Written(std::vector<std::string> names) {
  for (std::string& n : names)
    if (!IsLegacyLabelName(n)) n = Quote(n);
  return names;
}

}  // namespace

Completion Complete(std::string_view text, CompletionNames& names) {
  const Scan s = ScanText(text);
  Completion out;
  const char inside = s.open.empty() ? 0 : s.open.back().bracket;
  const std::string metric = inside == '{' ? s.open.back().before : "";
  if (s.quote != 0) {
    out.start = s.quote_at + 1;
    if (inside != '{' || !s.after_operator) return out;
    const std::string_view typed = text.substr(out.start);
    for (const std::string& v : names.LabelValues(s.label, metric)) {
      std::string escaped = v;
      if (s.quote == '"') {
        escaped = Quote(v);
        escaped = escaped.substr(1, escaped.size() - 2);
      }
      if (escaped.starts_with(typed)) out.words.push_back(std::move(escaped));
    }
  } else {
    out.start = s.in_word ? s.word_at : text.size();
    const std::string_view typed = text.substr(out.start);
    if (inside == '[') {
      Add(kDurations, typed, "", &out.words);
    } else if (inside == '{') {
      if (s.after_operator) {
        if (typed.empty()) out.words = {"\""};
      } else {
        auto all = names.LabelNames(metric);
        std::erase(all, std::string(kMetricName));
        Add(Written(std::move(all)), typed, "=", &out.words);
      }
    } else if (inside == '(' && std::find(kLabelLists.begin(), kLabelLists.end(), s.open.back().before) != kLabelLists.end()) {
      auto all = names.LabelNames("");
      std::erase(all, std::string(kMetricName));
      Add(Written(std::move(all)), typed, "", &out.words);
    } else {
      std::vector<std::string_view> functions;
      for (const FunctionSignature& f : AllFunctions()) functions.push_back(f.name);
      Add(functions, typed, "(", &out.words);
      Add(kAggregators, typed, "", &out.words);
      Add(kKeywords, typed, " ", &out.words);
      for (const std::string& m : names.Metrics())
        if (m.starts_with(typed)) out.words.push_back(IsLegacyMetricName(m) ? m : "{" + Quote(m) + "}");
    }
  }
  std::sort(out.words.begin(), out.words.end());
  out.words.erase(std::unique(out.words.begin(), out.words.end()), out.words.end());
  return out;
}

bool WantsMore(std::string_view text) {
  const Scan s = ScanText(text);
  if (s.quote == '`' || !s.open.empty()) return true;
  if (s.quote != 0) return false;  // a newline ends it with an error
  Lexer lexer(text);
  TokenType last = TokenType::kEof;
  for (Token t = lexer.Next(); t.type != TokenType::kEof && t.type != TokenType::kError; t = lexer.Next())
    if (t.type != TokenType::kComment) last = t.type;
  return IsOperator(last) || last == TokenType::kBy || last == TokenType::kWithout || last == TokenType::kOn || last == TokenType::kIgnoring ||
         last == TokenType::kOffset || last == TokenType::kBool;
}

}  // namespace prom::promql
