// Selectors, series names, and lists of label names.
#include "base/strings.h"
#include "promql/parse_literal.h"
#include "promql/parser.h"

namespace prom::promql {
namespace {

bool IsMatchOp(TokenType t) {
  return t == TokenType::kEqual || t == TokenType::kNe || t == TokenType::kRegexMatch || t == TokenType::kRegexNoMatch;
}

Matcher::Type MatchType(TokenType t) {
  switch (t) {
    case TokenType::kNe: return Matcher::Type::kNotEqual;
    case TokenType::kRegexMatch: return Matcher::Type::kRegex;
    case TokenType::kRegexNoMatch: return Matcher::Type::kNotRegex;
    default: return Matcher::Type::kEqual;
  }
}

}  // namespace

bool IsMetricWord(TokenType t) {
  switch (t) {
    case TokenType::kIdentifier:
    case TokenType::kMetricIdentifier:
    case TokenType::kAnd:
    case TokenType::kOr:
    case TokenType::kUnless:
    case TokenType::kBy:
    case TokenType::kWithout:
    case TokenType::kFill:
    case TokenType::kFillLeft:
    case TokenType::kFillRight:
    case TokenType::kOffset:
    case TokenType::kAnchored:
    case TokenType::kSmoothed: return true;
    default: return IsAggregator(t) || IsQueryWord(t);
  }
}

bool IsLabelWord(TokenType t) {
  if (t == TokenType::kWithout) return false;
  return t == TokenType::kIdentifier || t == TokenType::kMetricIdentifier || t == TokenType::kAnd || t == TokenType::kOr ||
         t == TokenType::kUnless || t == TokenType::kAtan2 || IsAggregator(t) || IsKeyword(t) || IsQueryWord(t);
}

std::string Parser::Text(const Token& string_token) {
  if (auto text = Unquote(string_token.text)) return std::move(*text);
  Issue(token_.pos(), "error unquoting string " + Quote(string_token.text) + ": invalid syntax");
  return {};
}

bool Parser::NextInList(TokenType close, std::string_view context, std::string_view expected, bool* closed) {
  for (;;) {
    const TokenType type = PeekType();
    if (type == close || type == TokenType::kComma) {
      Take();
      *closed = type == close;
      return true;
    }
    if (!fresh_error_)
      Report(context, expected);
    else if (!DropUnfit())
      return false;
  }
}

std::unique_ptr<VectorSelector> Parser::WholeSelector() {
  auto node = std::make_unique<VectorSelector>();
  const TokenType type = PeekType();
  bool ok = true;
  if (IsMetricWord(type)) {
    node->name = Take().text;
    if (PeekType() == TokenType::kLeftBrace) ok = LabelMatchers(node.get());
    if (ok) node->matchers.push_back(Matcher::Equal(kMetricName, node->name));
  } else if (type == TokenType::kLeftBrace) {
    ok = LabelMatchers(node.get());
  }
  if (!ok) return nullptr;
  const bool started = IsMetricWord(type) || type == TokenType::kLeftBrace;
  if (started && (PeekType() == TokenType::kEof || PeekType() == TokenType::kError)) return node;
  if (!fresh_error_) Unexpected("", "");
  SkipToEnd();
  return nullptr;
}

Parser::Built Parser::Selector() {
  auto node = std::make_unique<VectorSelector>();
  node->pos = Peek().pos();
  if (!LabelMatchers(node.get())) return {};
  return {std::move(node), 1};
}

// "{" matchers "}"; its end becomes the end of the selector.
bool Parser::LabelMatchers(VectorSelector* selector) {
  Take();
  bool closed = PeekType() == TokenType::kRightBrace;
  if (closed) Take();
  while (!closed) {
    OneMatcher(&selector->matchers);
    if (!NextInList(TokenType::kRightBrace, "label matching", "\",\" or \"}\"", &closed)) return false;
    if (!closed && PeekType() == TokenType::kRightBrace) {  // a comma at the end is allowed
      Take();
      closed = true;
    }
  }
  selector->pos.end = last_end_;
  return true;
}

void Parser::OneMatcher(Matchers* matchers) {
  const TokenType type = PeekType();
  if (type != TokenType::kIdentifier && type != TokenType::kString) return Report("label matching", "identifier or \"}\"");
  const Token name_token = Take();
  const bool quoted = type == TokenType::kString;
  const std::string name = quoted ? Text(name_token) : std::string(name_token.text);
  if (!IsMatchOp(PeekType())) {
    if (!quoted) return Report("label matching", "label matching operator");
    matchers->push_back(Matcher::Equal(kMetricName, name));
    return;
  }
  const TokenType op = Take().type;
  if (PeekType() != TokenType::kString) return Report("label matching", "string");
  const Token value = Take();
  const bool regex = op == TokenType::kRegexMatch || op == TokenType::kRegexNoMatch;
  // Compiling takes longer than parsing does, and queries repeat their selectors.
  std::string key;
  if (regex) {
    key.append(op == TokenType::kRegexMatch ? "=" : "!").append(name_token.text).append(value.text);
    if (const auto known = regexes_.find(key); known != regexes_.end()) {
      matchers->push_back(known->second);
      return;
    }
  }
  auto matcher = Matcher::Make(MatchType(op), name, Text(value));
  if (!matcher) return Issue({name_token.start, value.pos().end}, matcher.error().message);
  if (regex) regexes_.emplace(std::move(key), *matcher);
  matchers->push_back(std::move(*matcher));
}

bool Parser::Metric(Labels* metric) {
  std::vector<std::pair<std::string, std::string>> labels;
  std::string name;
  if (IsMetricWord(PeekType())) name = Take().text;
  if (PeekType() == TokenType::kLeftBrace && !LabelSet(&labels)) return false;
  if (!name.empty()) labels.emplace_back(kMetricName, name);
  *metric = Labels::FromPairs(std::move(labels));
  return true;
}

void Parser::ExpectEnd() {
  if (PeekType() == TokenType::kEof || PeekType() == TokenType::kError) return;
  if (!fresh_error_) Unexpected("", "");
  SkipToEnd();
}

Labels Parser::WholeMetric() {
  Labels metric;
  if (Metric(&metric)) ExpectEnd();
  return metric;
}

bool Parser::LabelSet(std::vector<std::pair<std::string, std::string>>* labels) {
  Take();
  bool closed = PeekType() == TokenType::kRightBrace;
  if (closed) Take();
  while (!closed) {
    OneLabel(labels);
    if (!NextInList(TokenType::kRightBrace, "label set", "\",\" or \"}\"", &closed)) return false;
    if (!closed && PeekType() == TokenType::kRightBrace) {
      Take();
      closed = true;
    }
  }
  return true;
}

void Parser::OneLabel(std::vector<std::pair<std::string, std::string>>* labels) {
  const TokenType type = PeekType();
  if (type != TokenType::kIdentifier && type != TokenType::kString) return Report("label set", "identifier or \"}\"");
  const Token name_token = Take();
  const bool quoted = type == TokenType::kString;
  std::string name = quoted ? Text(name_token) : std::string(name_token.text);
  if (PeekType() != TokenType::kEqual) {
    if (!quoted) return Report("label set", "\"=\"");
    labels->emplace_back(kMetricName, std::move(name));
    return;
  }
  Take();
  if (PeekType() != TokenType::kString) return Report("label set", "string");
  labels->emplace_back(std::move(name), Text(Take()));
}

// "(" names ")", as by, without, on, ignoring and group_* take them.
bool Parser::GroupingLabels(std::vector<std::string>* labels) {
  if (PeekType() != TokenType::kLeftParen) {
    Report("grouping opts", "\"(\"");
    return true;
  }
  Take();
  bool closed = PeekType() == TokenType::kRightParen;
  if (closed) Take();
  while (!closed) {
    OneGroupingLabel(labels);
    if (!NextInList(TokenType::kRightParen, "grouping opts", "\",\" or \")\"", &closed)) return false;
    if (!closed && PeekType() == TokenType::kRightParen) {
      Take();
      closed = true;
    }
  }
  return true;
}

void Parser::OneGroupingLabel(std::vector<std::string>* labels) {
  const TokenType type = PeekType();
  if (type != TokenType::kString && !IsLabelWord(type)) return Report("grouping opts", "label");
  const Token token = Take();
  std::string name = type == TokenType::kString ? Text(token) : std::string(token.text);
  if (!IsValidLabelName(name)) Issue(token.pos(), "invalid label name for grouping: " + Quote(name));
  labels->push_back(std::move(name));
}

}  // namespace prom::promql
