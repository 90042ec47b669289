// Upstream's own table of expressions: the tree of each valid one, every message
// and byte range of each invalid one, canonical and pretty forms, and tokens.
#include <boost/test/unit_test.hpp>

#include <cmath>
#include <limits>
#include <map>

#include "base/number.h"
#include "parse_yaml.h"
#include "promql/ast_walk.h"
#include "promql/lex.h"
#include "promql/parse.h"
#include "promql/print.h"

namespace prom::promql {
namespace {

using testing::CaseText;
using testing::LoadParseCases;

// As upstream ran them: everything on.
constexpr ParseOptions kAll{.experimental_functions = true, .duration_expressions = true, .extended_ranges = true, .fill_modifiers = true};

template <typename T>
std::string Why(const Result<T>& r) {
  return r ? std::string() : r.error().message;
}

// Upstream's tree as YAML names a node and the fields that differ from zero; a
// field that is left out must be zero here too.
class TreeCheck {
 public:
  void Node(const YAML::Node& want, const Expr& got) {
    const auto kind = want["node"].as<std::string>();
    if (kind == "NumberLiteral") {
      if (got.kind == NodeKind::kDuration) return DurationNumber(want, As<DurationExpr>(got), false);
      if (!Kind(got, NodeKind::kNumber)) return;
      Number(want["Val"], As<NumberLiteral>(got).value);
      BOOST_TEST(As<NumberLiteral>(got).is_duration == Flag(want, "Duration"));
      Pos(want["PosRange"], got.pos);
    } else if (kind == "StringLiteral") {
      if (!Kind(got, NodeKind::kString)) return;
      BOOST_TEST(As<StringLiteral>(got).value == CaseText(want["Val"]));
      Pos(want["PosRange"], got.pos);
    } else if (kind == "ParenExpr") {
      if (!Kind(got, NodeKind::kParen)) return;
      Pos(want["PosRange"], got.pos);
      Node(want["Expr"], *As<ParenExpr>(got).expr);
    } else if (kind == "UnaryExpr") {
      if (!Kind(got, NodeKind::kUnary)) return;
      BOOST_TEST(As<UnaryExpr>(got).negative == (want["Op"].as<std::string>() == "SUB"));
      BOOST_TEST(got.pos.start == Int(want, "StartPos"));
      Node(want["Expr"], *As<UnaryExpr>(got).expr);
    } else if (kind == "BinaryExpr") {
      if (Kind(got, NodeKind::kBinary)) Binary(want, As<BinaryExpr>(got));
    } else if (kind == "Call") {
      if (Kind(got, NodeKind::kCall)) Call(want, As<CallExpr>(got));
    } else if (kind == "AggregateExpr") {
      if (Kind(got, NodeKind::kAggregate)) Aggregate(want, As<AggregateExpr>(got));
    } else if (kind == "VectorSelector") {
      if (Kind(got, NodeKind::kSelector)) Selector(want, As<VectorSelector>(got));
    } else if (kind == "MatrixSelector") {
      if (!Kind(got, NodeKind::kMatrix)) return;
      const auto& m = As<MatrixSelector>(got);
      Selector(want["VectorSelector"], *m.selector);
      BOOST_TEST(m.range_ms == Int(want, "Range"));
      DurationOrNull(want["RangeExpr"], m.range_expr.get());
      BOOST_TEST(got.pos.end == Int(want, "EndPos"));
    } else if (kind == "SubqueryExpr") {
      if (!Kind(got, NodeKind::kSubquery)) return;
      const auto& s = As<SubqueryExpr>(got);
      Node(want["Expr"], *s.expr);
      BOOST_TEST(s.range_ms == Int(want, "Range"));
      BOOST_TEST(s.step_ms == Int(want, "Step"));
      DurationOrNull(want["RangeExpr"], s.range_expr.get());
      DurationOrNull(want["StepExpr"], s.step_expr.get());
      Time(want, s.time);
      BOOST_TEST(got.pos.end == Int(want, "EndPos"));
    } else {
      BOOST_ERROR("unknown node in the data: " + kind);
    }
  }

 private:
  static bool Flag(const YAML::Node& n, const char* key) { return n[key] && n[key].as<bool>(); }
  static std::int64_t Int(const YAML::Node& n, const char* key) { return n[key] ? n[key].as<std::int64_t>() : 0; }
  static std::string Str(const YAML::Node& n, const char* key) { return n[key] ? n[key].as<std::string>() : ""; }
  static std::vector<std::string> List(const YAML::Node& n, const char* key) {
    return n[key] ? n[key].as<std::vector<std::string>>() : std::vector<std::string>{};
  }
  static bool Kind(const Expr& got, NodeKind want) {
    BOOST_TEST(static_cast<int>(got.kind) == static_cast<int>(want));
    return got.kind == want;
  }
  static void Pos(const YAML::Node& want, PosRange got) {
    BOOST_TEST_REQUIRE(bool(want));
    BOOST_TEST(got.start == want[0].as<int>());
    BOOST_TEST(got.end == want[1].as<int>());
  }
  static void Number(const YAML::Node& want, double got) {
    const auto number = ParseFloat(want.as<std::string>());
    BOOST_TEST_REQUIRE(number.has_value());
    BOOST_TEST((std::isnan(*number) ? std::isnan(got) : *number == got), "value " << got << ", want " << *number);
  }

  static void DurationNumber(const YAML::Node& want, const DurationExpr& got, bool wrapped) {
    BOOST_TEST(static_cast<int>(got.op) == static_cast<int>(DurationExpr::Op::kNumber));
    Number(want["Val"], got.seconds);
    BOOST_TEST(got.is_duration == Flag(want, "Duration"));
    BOOST_TEST(got.wrapped == wrapped);
    if (!wrapped) Pos(want["PosRange"], got.pos);
  }

  void DurationOrNull(const YAML::Node& want, const DurationExpr* got) {
    const bool absent = !want || want.IsNull();
    BOOST_TEST_REQUIRE(absent == (got == nullptr));
    if (!absent) Duration(want, *got);
  }

  void Duration(const YAML::Node& want, const DurationExpr& got) {
    using Op = DurationExpr::Op;
    if (want["node"].as<std::string>() == "NumberLiteral") return DurationNumber(want, got, false);
    const auto op = want["Op"].as<std::string>();
    const bool has_lhs = want["LHS"] && !want["LHS"].IsNull();
    // Upstream marks a number in parentheses by a unary plus around it, we by a flag of the number.
    if (op == "ADD" && !has_lhs && Flag(want, "Wrapped") && want["RHS"]["node"].as<std::string>() == "NumberLiteral") {
      DurationNumber(want["RHS"], got, true);
      BOOST_TEST(got.pos.start == Int(want, "StartPos"));
      BOOST_TEST(got.pos.end == Int(want, "EndPos"));
      return;
    }
    static const std::map<std::string, Op> kBinary = {{"ADD", Op::kAdd}, {"SUB", Op::kSub}, {"MUL", Op::kMul}, {"DIV", Op::kDiv},
                                                      {"MOD", Op::kMod}, {"POW", Op::kPow}, {"MIN_OF", Op::kMinOf}, {"MAX_OF", Op::kMaxOf},
                                                      {"STEP", Op::kStep}, {"RANGE", Op::kRange}};
    Op want_op = kBinary.at(op);
    const bool has_rhs = want["RHS"] && !want["RHS"].IsNull();
    if (has_rhs && !has_lhs) want_op = op == "SUB" ? Op::kNeg : Op::kPos;
    BOOST_TEST(static_cast<int>(got.op) == static_cast<int>(want_op));
    BOOST_TEST(got.wrapped == Flag(want, "Wrapped"));
    if (want["StartPos"]) BOOST_TEST(got.pos.start == Int(want, "StartPos"));
    if (want["EndPos"]) BOOST_TEST(got.pos.end == Int(want, "EndPos"));
    BOOST_TEST_REQUIRE(has_lhs == (got.lhs != nullptr));
    BOOST_TEST_REQUIRE(has_rhs == (got.rhs != nullptr));
    if (has_lhs) Duration(want["LHS"], *got.lhs);
    if (has_rhs) Duration(want["RHS"], *got.rhs);
  }

  void Time(const YAML::Node& want, const TimeModifiers& got) {
    BOOST_TEST(got.offset_ms == Int(want, "OriginalOffset"));
    DurationOrNull(want["OriginalOffsetExpr"], got.offset_expr.get());
    AtModifier at = want["Timestamp"] ? AtModifier::kTimestamp : AtModifier::kNone;
    if (const auto word = Str(want, "StartOrEnd"); !word.empty()) at = word == "START" ? AtModifier::kStart : AtModifier::kEnd;
    BOOST_TEST(static_cast<int>(got.at) == static_cast<int>(at));
    BOOST_TEST(got.at_ms == Int(want, "Timestamp"));
  }

  void Selector(const YAML::Node& want, const VectorSelector& got) {
    BOOST_TEST(got.name == Str(want, "Name"));
    BOOST_TEST_REQUIRE(got.matchers.size() == want["LabelMatchers"].size());
    static const std::map<std::string, Matcher::Type> kOps = {
        {"=", Matcher::Type::kEqual}, {"!=", Matcher::Type::kNotEqual}, {"=~", Matcher::Type::kRegex}, {"!~", Matcher::Type::kNotRegex}};
    for (std::size_t i = 0; i < got.matchers.size(); ++i) {
      const YAML::Node m = want["LabelMatchers"][i];
      BOOST_TEST(got.matchers[i].name() == m["name"].as<std::string>());
      BOOST_TEST(got.matchers[i].value() == m["value"].as<std::string>());
      BOOST_TEST((got.matchers[i].type() == kOps.at(m["op"].as<std::string>())));
    }
    Time(want, got.time);
    BOOST_TEST(got.bypass_empty_check == Flag(want, "BypassEmptyMatcherCheck"));
    BOOST_TEST(got.anchored == Flag(want, "Anchored"));
    BOOST_TEST(got.smoothed == Flag(want, "Smoothed"));
    Pos(want["PosRange"], got.pos);
  }

  void Binary(const YAML::Node& want, const BinaryExpr& got) {
    static const std::map<std::string, BinaryOp> kOps = {
        {"ADD", BinaryOp::kAdd}, {"SUB", BinaryOp::kSub}, {"MUL", BinaryOp::kMul}, {"DIV", BinaryOp::kDiv}, {"MOD", BinaryOp::kMod},
        {"POW", BinaryOp::kPow}, {"ATAN2", BinaryOp::kAtan2}, {"EQLC", BinaryOp::kEq}, {"NEQ", BinaryOp::kNe}, {"LSS", BinaryOp::kLt},
        {"LTE", BinaryOp::kLe}, {"GTR", BinaryOp::kGt}, {"GTE", BinaryOp::kGe}, {"LAND", BinaryOp::kAnd}, {"LOR", BinaryOp::kOr},
        {"LUNLESS", BinaryOp::kUnless}};
    BOOST_TEST((got.op == kOps.at(want["Op"].as<std::string>())));
    BOOST_TEST(got.return_bool == Flag(want, "ReturnBool"));
    Node(want["LHS"], *got.lhs);
    Node(want["RHS"], *got.rhs);
    const YAML::Node m = want["VectorMatching"];
    BOOST_TEST_REQUIRE(bool(m) == got.matching.has_value());
    if (!m) return;
    static const std::map<std::string, Cardinality> kCards = {{"", Cardinality::kOneToOne},
                                                              {"CardOneToOne", Cardinality::kOneToOne},
                                                              {"CardManyToOne", Cardinality::kManyToOne},
                                                              {"CardOneToMany", Cardinality::kOneToMany},
                                                              {"CardManyToMany", Cardinality::kManyToMany}};
    BOOST_TEST((got.matching->card == kCards.at(Str(m, "Card"))));
    BOOST_TEST(got.matching->on == Flag(m, "On"));
    BOOST_TEST(got.matching->labels == List(m, "MatchingLabels"), boost::test_tools::per_element());
    BOOST_TEST(got.matching->include == List(m, "Include"), boost::test_tools::per_element());
  }

  void Call(const YAML::Node& want, const CallExpr& got) {
    BOOST_TEST_REQUIRE(got.function != nullptr);
    BOOST_TEST(got.function->name == want["Func"].as<std::string>());
    Pos(want["PosRange"], got.pos);
    BOOST_TEST_REQUIRE(got.args.size() == want["Args"].size());
    for (std::size_t i = 0; i < got.args.size(); ++i) Node(want["Args"][i], *got.args[i]);
  }

  void Aggregate(const YAML::Node& want, const AggregateExpr& got) {
    std::string op(AggregateOpName(got.op));
    for (char& c : op) c = static_cast<char>(std::toupper(c));
    BOOST_TEST(op == want["Op"].as<std::string>());
    BOOST_TEST(got.without == Flag(want, "Without"));
    BOOST_TEST(got.grouping == List(want, "Grouping"), boost::test_tools::per_element());
    Pos(want["PosRange"], got.pos);
    Node(want["Expr"], *got.expr);
    BOOST_TEST_REQUIRE(bool(want["Param"]) == (got.param != nullptr));
    if (got.param) Node(want["Param"], *got.param);
  }
};

BOOST_AUTO_TEST_CASE(parse_valid_expressions) {
  const auto cases = LoadParseCases("cases.yaml")["valid"];
  BOOST_TEST_REQUIRE(cases.size() == 208u);
  for (const auto& c : cases) {
    const std::string input = CaseText(c["input"]);
    BOOST_TEST_CONTEXT("input=" << input) {
      std::vector<ParseIssue> issues;
      const ExprPtr e = ParseExpr(input, kAll, &issues);
      for (const auto& issue : issues) BOOST_ERROR(IssueText(issue, input));
      if (!e) continue;
      TreeCheck().Node(c["ast"], *e);
      // A copy is the same tree, and printing loses nothing.
      TreeCheck().Node(c["ast"], *Clone(*e));
      const std::string text = ToString(*e);
      const auto again = ParseExpr(text, kAll);
      BOOST_TEST_REQUIRE(bool(again), "printed as " << text << ": " << Why(again));
      BOOST_TEST(ToString(**again) == text);
    }
  }
}

BOOST_AUTO_TEST_CASE(parse_invalid_expressions) {
  const auto cases = LoadParseCases("cases.yaml")["invalid"];
  BOOST_TEST_REQUIRE(cases.size() == 147u);
  for (const auto& c : cases) {
    const std::string input = CaseText(c["input"]);
    BOOST_TEST_CONTEXT("input=" << input) {
      std::vector<ParseIssue> issues;
      BOOST_TEST(ParseExpr(input, kAll, &issues) == nullptr);
      BOOST_TEST(issues.size() == c["errors"].size());
      for (std::size_t i = 0; i < std::max(issues.size(), c["errors"].size()); ++i) {
        if (i >= issues.size()) {
          BOOST_ERROR("missing: " << c["errors"][i]["message"].as<std::string>());
        } else if (i >= c["errors"].size()) {
          BOOST_ERROR("too many: " << issues[i].message);
        } else {
          const YAML::Node want = c["errors"][i];
          BOOST_TEST(issues[i].message == want["message"].as<std::string>());
          BOOST_TEST(issues[i].pos.start == want["pos"][0].as<int>());
          BOOST_TEST(issues[i].pos.end == want["pos"][1].as<int>());
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(print_canonical_forms) {
  const auto cases = LoadParseCases("cases.yaml")["printer"];
  BOOST_TEST_REQUIRE(cases.size() == 92u);
  for (const auto& c : cases) {
    const std::string input = CaseText(c["input"]);
    BOOST_TEST_CONTEXT("input=" << input) {
      const auto e = ParseExpr(input, kAll);
      BOOST_TEST_REQUIRE(bool(e), Why(e));
      BOOST_TEST(ToString(**e) == c["printed"].as<std::string>());
    }
  }
}

BOOST_AUTO_TEST_CASE(pretty_print) {
  const auto cases = LoadParseCases("pretty.yaml")["pretty"];
  BOOST_TEST_REQUIRE(cases.size() == 62u);
  for (const auto& c : cases) {
    const std::string input = CaseText(c["input"]);
    BOOST_TEST_CONTEXT("input=" << input) {
      const auto e = ParseExpr(input, kAll);
      BOOST_TEST_REQUIRE(bool(e), Why(e));
      const std::string pretty = PrettyPrint(**e, c["max_line"].as<std::size_t>());
      BOOST_TEST(pretty == c["pretty"].as<std::string>());
      const auto again = ParseExpr(pretty, kAll);
      BOOST_TEST_REQUIRE(bool(again), Why(again));
      BOOST_TEST(ToString(**again) == ToString(**e));
    }
  }
}

BOOST_AUTO_TEST_CASE(selectors_of_expressions) {
  for (const auto& c : LoadParseCases("cases.yaml")["selectors"]) {
    const std::string input = CaseText(c["input"]);
    BOOST_TEST_CONTEXT("input=" << input) {
      const auto e = ParseExpr(input, kAll);
      BOOST_TEST_REQUIRE(bool(e), Why(e));
      std::vector<std::string> got;
      for (const Matchers* matchers : SelectorsOf(**e)) {
        std::string text;
        for (const Matcher& m : *matchers) text += (text.empty() ? "" : ", ") + m.ToString();
        got.push_back("{" + text + "}");
      }
      BOOST_TEST(got == c["selectors"].as<std::vector<std::string>>(), boost::test_tools::per_element());
    }
  }
}

// Upstream's names of tokens.
std::string TokenName(TokenType t) {
  using T = TokenType;
  static const std::map<T, std::string> kNames = {
      {T::kError, "ERROR"}, {T::kComment, "COMMENT"}, {T::kIdentifier, "IDENTIFIER"}, {T::kMetricIdentifier, "METRIC_IDENTIFIER"},
      {T::kNumber, "NUMBER"}, {T::kDuration, "DURATION"}, {T::kString, "STRING"}, {T::kLeftParen, "LEFT_PAREN"},
      {T::kRightParen, "RIGHT_PAREN"}, {T::kLeftBrace, "LEFT_BRACE"}, {T::kRightBrace, "RIGHT_BRACE"}, {T::kLeftBracket, "LEFT_BRACKET"},
      {T::kRightBracket, "RIGHT_BRACKET"}, {T::kComma, "COMMA"}, {T::kEqual, "EQL"}, {T::kColon, "COLON"}, {T::kSpace, "SPACE"},
      {T::kBlank, "BLANK"}, {T::kTimes, "TIMES"}, {T::kOpenHist, "OPEN_HIST"}, {T::kCloseHist, "CLOSE_HIST"}, {T::kSumDesc, "SUM_DESC"},
      {T::kCountDesc, "COUNT_DESC"}, {T::kSchemaDesc, "SCHEMA_DESC"}, {T::kBucketsDesc, "BUCKETS_DESC"}, {T::kAdd, "ADD"}, {T::kSub, "SUB"},
      {T::kMul, "MUL"}, {T::kDiv, "DIV"}, {T::kMod, "MOD"}, {T::kPow, "POW"}, {T::kAtan2, "ATAN2"}, {T::kEq, "EQLC"}, {T::kNe, "NEQ"},
      {T::kLt, "LSS"}, {T::kLe, "LTE"}, {T::kGt, "GTR"}, {T::kGe, "GTE"}, {T::kAnd, "LAND"}, {T::kOr, "LOR"}, {T::kUnless, "LUNLESS"},
      {T::kRegexMatch, "EQL_REGEX"}, {T::kRegexNoMatch, "NEQ_REGEX"}, {T::kAt, "AT"}, {T::kSum, "SUM"}, {T::kAvg, "AVG"}, {T::kMin, "MIN"},
      {T::kMax, "MAX"}, {T::kCount, "COUNT"}, {T::kGroup, "GROUP"}, {T::kStddev, "STDDEV"}, {T::kStdvar, "STDVAR"}, {T::kBool, "BOOL"},
      {T::kBy, "BY"}, {T::kGroupLeft, "GROUP_LEFT"}, {T::kGroupRight, "GROUP_RIGHT"}, {T::kIgnoring, "IGNORING"}, {T::kOffset, "OFFSET"},
      {T::kOn, "ON"}, {T::kWithout, "WITHOUT"}, {T::kStart, "START"}, {T::kEnd, "END"}};
  const auto it = kNames.find(t);
  return it == kNames.end() ? "?" : it->second;
}

BOOST_AUTO_TEST_CASE(lex_tokens) {
  const auto cases = LoadParseCases("lexer.yaml")["lexer"];
  BOOST_TEST_REQUIRE(cases.size() == 157u);
  for (const auto& c : cases) {
    const std::string input = CaseText(c["input"]);
    BOOST_TEST_CONTEXT("input=" << input) {
      Lexer lexer(input, c["series_desc"] && c["series_desc"].as<bool>());
      std::vector<Token> tokens;
      std::vector<std::string> texts;  // an error's text does not outlive the next token
      bool failed = false;
      for (;;) {
        const Token t = lexer.Next();
        if (t.type == TokenType::kEof) break;
        failed = failed || t.type == TokenType::kError;
        tokens.push_back(t);
        texts.emplace_back(t.text);
        BOOST_TEST_REQUIRE(tokens.size() < 1000u);
      }
      if (c["fail"] && c["fail"].as<bool>()) {
        BOOST_TEST(failed);
        continue;
      }
      BOOST_TEST_REQUIRE(tokens.size() == c["tokens"].size());
      for (std::size_t i = 0; i < tokens.size(); ++i) {
        const YAML::Node want = c["tokens"][i];
        BOOST_TEST(TokenName(tokens[i].type) == want[0].as<std::string>());
        BOOST_TEST(tokens[i].start == want[1].as<int>());
        BOOST_TEST(texts[i] == want[2].as<std::string>());
      }
    }
  }
}

}  // namespace
}  // namespace prom::promql
