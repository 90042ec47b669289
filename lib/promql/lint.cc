#include "promql/lint.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "base/strings.h"
#include "promql/ast_walk.h"
#include "promql/print.h"

namespace prom::promql {
namespace {

const Expr& Bare(const Expr& e) {
  const Expr* p = &e;
  while (p->kind == NodeKind::kParen) p = As<ParenExpr>(*p).expr.get();
  return *p;
}

std::string_view FunctionOf(const Expr& e) { return e.kind == NodeKind::kCall ? As<CallExpr>(e).function->name : std::string_view(); }

template <std::size_t n>
bool OneOf(std::string_view name, const std::array<std::string_view, n>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Functions that make a counter's ever growing value useful, or do not look at it.
constexpr std::array<std::string_view, 4> kRates = {"rate", "increase", "irate", "resets"};
constexpr std::array<std::string_view, 4> kGaugeOnly = {"delta", "idelta", "deriv", "predict_linear"};
constexpr std::array<std::string_view, 9> kIgnoresValue = {"absent", "absent_over_time", "timestamp", "present_over_time", "count_over_time", "changes", "resets", "start_timestamp", "info"};
constexpr std::array<std::string_view, 12> kGaugeEndings = {"_bytes", "_celsius", "_ratio", "_percent", "_timestamp_seconds", "_info", "_load1", "_load5", "_load15", "_volts", "_watts", "_hertz"};

// The metric a selector names, or empty.
std::string MetricOf(const VectorSelector& s) {
  if (!s.name.empty()) return s.name;
  for (const Matcher& m : s.matchers)
    if (m.name() == kMetricName && m.type() == Matcher::Type::kEqual) return m.value();
  return {};
}

bool NamedLikeCounter(std::string_view name) {
  return name.ends_with("_total") || name.ends_with("_bucket") || name.ends_with("_sum") || name.ends_with("_count");
}

class Linter {
 public:
  explicit Linter(const LintOptions& options) : options_(options) {}

  std::vector<LintFinding> Run(const Expr& e) {
    Visit(e, false);
    std::stable_sort(findings_.begin(), findings_.end(), [](const LintFinding& a, const LintFinding& b) { return a.pos.start < b.pos.start; });
    return std::move(findings_);
  }

 private:
  void Report(const Expr& at, std::string_view name, std::string message, std::string mend) {
    findings_.push_back({at.pos, name, std::move(message), std::move(mend)});
  }

  enum class Kind { kUnknown, kCounter, kGauge, kOther };
  Kind KindOf(std::string_view metric, bool* known) const {
    *known = false;
    if (metric.empty()) return Kind::kUnknown;
    if (options_.type_of) {
      if (const auto type = options_.type_of(metric)) {
        *known = true;
        switch (*type) {
          case MetricType::kCounter: return Kind::kCounter;
          case MetricType::kGauge:
          case MetricType::kInfo:
          case MetricType::kStateSet: return Kind::kGauge;
          case MetricType::kHistogram: return Kind::kCounter;
          case MetricType::kSummary: return metric.ends_with("_sum") || metric.ends_with("_count") ? Kind::kCounter : Kind::kGauge;
          case MetricType::kGaugeHistogram: return Kind::kGauge;
          case MetricType::kUnknown: *known = false; break;
        }
      }
    }
    if (metric.ends_with("_total") || metric.ends_with("_bucket")) return Kind::kCounter;
    if (metric == "up" || metric.ends_with(":up")) return Kind::kGauge;
    for (const std::string_view ending : kGaugeEndings)
      if (metric.ends_with(ending)) return Kind::kGauge;
    return Kind::kUnknown;
  }

  // `value_ignored`: nobody above looks at the value, or it goes through a rate already.
  void Visit(const Expr& e, bool value_ignored) {
    switch (e.kind) {
      case NodeKind::kSelector: Selector(As<VectorSelector>(e), value_ignored); return;
      case NodeKind::kMatrix: Selector(*As<MatrixSelector>(e).selector, true); return;
      case NodeKind::kCall: Call(As<CallExpr>(e), value_ignored); return;
      case NodeKind::kAggregate: Aggregate(As<AggregateExpr>(e), value_ignored); return;
      case NodeKind::kBinary: Binary(As<BinaryExpr>(e), value_ignored); return;
      default: ForEachChild(e, [&](const Expr& child) { Visit(child, value_ignored); });
    }
  }

  void Selector(const VectorSelector& s, bool value_ignored) {
    const std::string metric = MetricOf(s);
    bool known = false;
    const Kind kind = KindOf(metric, &known);
    if (!value_ignored && kind == Kind::kCounter) {
      Report(s, "counter-without-rate", metric + " is a counter: its value is what has gathered since some start, and falls at a restart",
             "rate(" + metric + "[5m]) or increase(" + metric + "[1h])");
    }
    if (known && kind == Kind::kCounter && !NamedLikeCounter(metric) && !metric.ends_with("_created") && options_.type_of(metric) == MetricType::kCounter)
      Report(s, "counter-not-total", metric + " is a counter and its name does not end in _total", "have the exporter name it " + metric + "_total");
    for (std::size_t i = 0; i < s.matchers.size(); ++i) {
      const Matcher& m = s.matchers[i];
      OneMatcher(s, m);
      for (std::size_t k = 0; k < i; ++k) {
        const Matcher& other = s.matchers[k];
        if (m.name() != other.name()) continue;
        if (m.type() == Matcher::Type::kEqual && !other.Matches(m.value()))
          Report(s, "selector-never-matches", m.ToString() + " and " + other.ToString() + " exclude each other", "drop one of them, or use =~ with both values");
        else if (other.type() == Matcher::Type::kEqual && !m.Matches(other.value()))
          Report(s, "selector-never-matches", other.ToString() + " and " + m.ToString() + " exclude each other", "drop one of them, or use =~ with both values");
      }
    }
  }

  void OneMatcher(const VectorSelector& s, const Matcher& m) {
    if (m.type() != Matcher::Type::kRegex && m.type() != Matcher::Type::kNotRegex) return;
    const bool positive = m.type() == Matcher::Type::kRegex;
    const std::string& re = m.value();
    if (positive && re == ".*") {
      Report(s, "matcher-without-effect", m.ToString() + " matches every series, also those without the label", "drop it, or " + m.name() + "!=\"\" for series that have the label");
    } else if (re.starts_with("^") || (re.ends_with("$") && !re.ends_with("\\$"))) {
      Report(s, "regex-anchored", m.ToString() + ": a regex always matches the whole value", "leave out ^ and $");
    } else if (!re.empty() && re.find_first_of(".*+?()[]{}|\\^$") == std::string::npos) {
      Report(s, "regex-without-pattern", m.ToString() + " has no pattern in it", m.name() + (positive ? "=" : "!=") + Quote(re));
    }
  }

  void Call(const CallExpr& call, bool value_ignored) {
    const std::string_view name = call.function->name;
    if (call.function->experimental)
      Report(call, "experimental-function", std::string(name) + "() is experimental: a server refuses it, or a later release changes it", "run with --enable-feature=promql-experimental-functions, on every server that evaluates it");
    for (const ExprPtr& arg : call.args) {
      const Expr& a = Bare(*arg);
      if (a.kind == NodeKind::kMatrix) RangeOf(call, *As<MatrixSelector>(a).selector);
      if (a.kind == NodeKind::kSubquery && OneOf(name, kRates)) RateOfSubquery(call, As<SubqueryExpr>(a));
    }
    if (name == "histogram_quantile" || name == "histogram_fraction") Quantile(call);
    // What is said about the range selector does not have to be said again.
    const bool ignored = value_ignored || OneOf(name, kRates) || OneOf(name, kIgnoresValue);
    for (const ExprPtr& arg : call.args) Visit(*arg, ignored);
  }

  void RangeOf(const CallExpr& call, const VectorSelector& s) {
    const std::string_view name = call.function->name;
    const std::string metric = MetricOf(s);
    bool known = false;
    const Kind kind = KindOf(metric, &known);
    const bool counts = name == "rate" || name == "increase" || name == "irate";
    if (counts && kind == Kind::kGauge) {
      Report(call, "rate-of-gauge", std::string(name) + "() takes every fall for a restart, and " + metric + (known ? " is a gauge" : " is named like a gauge"),
             name == "increase" ? "delta(" + metric + "[...])" : "deriv(" + metric + "[...]), or delta() for the difference");
    } else if (counts && kind == Kind::kUnknown && !metric.empty() && !NamedLikeCounter(metric) && metric.find(':') == std::string::npos) {
      Report(call, "counter-not-total", std::string(name) + "() is for counters, and " + metric + " is not named like one", "check its type (promql metrics); a counter's name should end in _total, a gauge wants delta() or deriv()");
    } else if (OneOf(name, kGaugeOnly) && kind == Kind::kCounter) {
      Report(call, "gauge-function-of-counter", std::string(name) + "() does not know that " + metric + " is a counter, and takes a restart for a fall",
             name == "idelta" ? "irate()" : name == "predict_linear" ? "predict_linear() of a gauge" : "increase() or rate()");
    }
  }

  void RateOfSubquery(const CallExpr& call, const SubqueryExpr& sub) {
    const Expr& inner = Bare(*sub.expr);
    if (inner.kind != NodeKind::kAggregate) return;
    Report(call, "rate-after-aggregation", std::string(call.function->name) + "() of an aggregation: a restart of one of its series is a fall of the whole, which looks like a restart of all",
           "aggregate the rates: " + std::string(AggregateOpName(As<AggregateExpr>(inner).op)) + "(" + std::string(call.function->name) + "(...))");
  }

  void Quantile(const CallExpr& call) {
    const Expr& arg = Bare(*call.args.back());
    const bool by_name = [&] {
      bool bucket = false;
      Walk(arg, [&](const Expr& e) {
        if (e.kind == NodeKind::kSelector) bucket |= MetricOf(As<VectorSelector>(e)).ends_with("_bucket");
      });
      return bucket;
    }();
    if (!by_name) return;  // native histograms have no le
    if (arg.kind == NodeKind::kAggregate) {
      const auto& a = As<AggregateExpr>(arg);
      const bool named = std::find(a.grouping.begin(), a.grouping.end(), "le") != a.grouping.end();
      if (a.without == named) {
        std::string labels = "le";
        if (!a.without) for (const std::string& l : a.grouping) labels += ", " + l;
        Report(arg, "quantile-without-le", std::string(AggregateOpName(a.op)) + " drops the label le, which " + std::string(call.function->name) + "() needs",
               a.without ? "without (...) with le left out" : std::string(AggregateOpName(a.op)) + " by (" + labels + ") (...)");
      }
    }
  }

  void Aggregate(const AggregateExpr& a, bool value_ignored) {
    if (a.op == AggregateOp::kAvg || a.op == AggregateOp::kSum) {
      const Expr& inner = Bare(*a.expr);
      if (inner.kind == NodeKind::kSelector)
        for (const Matcher& m : As<VectorSelector>(inner).matchers)
          if (m.name() == "quantile") Report(a, "aggregated-quantile", std::string(AggregateOpName(a.op)) + " of quantiles is a quantile of nothing", "histogram_quantile() over the sum of histograms; or max() for the worst");
    }
    if (a.op == AggregateOp::kLimitk || a.op == AggregateOp::kLimitRatio)
      Report(a, "experimental-function", std::string(AggregateOpName(a.op)) + " is experimental: a server refuses it, or a later release changes it", "run with --enable-feature=promql-experimental-functions, on every server that evaluates it");
    Visit(*a.expr, value_ignored || a.op == AggregateOp::kCount || a.op == AggregateOp::kGroup);
    if (a.param) Visit(*a.param, value_ignored);
  }

  // The labels a vector has, where the expression fixes them.
  struct Shape {
    bool known = false;      // `labels` are all there may be
    bool of_target = false;  // plain series of a metric: at least instance and job
    std::set<std::string> labels;
  };
  static Shape ShapeOf(const Expr& expr) {
    const Expr& e = Bare(expr);
    switch (e.kind) {
      case NodeKind::kSelector: {
        Shape out;
        const std::string metric = MetricOf(As<VectorSelector>(e));
        out.of_target = !metric.empty() && metric.find(':') == std::string::npos;
        return out;
      }
      case NodeKind::kAggregate: {
        const auto& a = As<AggregateExpr>(e);
        if (a.op == AggregateOp::kTopk || a.op == AggregateOp::kBottomk || a.op == AggregateOp::kLimitk || a.op == AggregateOp::kLimitRatio) return ShapeOf(*a.expr);
        if (a.without || a.op == AggregateOp::kCountValues) return {};
        return {true, false, {a.grouping.begin(), a.grouping.end()}};
      }
      case NodeKind::kUnary: return ShapeOf(*As<UnaryExpr>(e).expr);
      case NodeKind::kCall: {
        const std::string_view name = FunctionOf(e);
        if (name == "vector") return {true, false, {}};
        if (name.starts_with("label_") || name.starts_with("absent") || name.starts_with("histogram_") || name == "info") return {};
        for (const ExprPtr& arg : As<CallExpr>(e).args) {
          const Expr& a = Bare(*arg);
          if (a.kind == NodeKind::kMatrix) return ShapeOf(*As<MatrixSelector>(a).selector);
          if (a.kind == NodeKind::kSubquery) return ShapeOf(*As<SubqueryExpr>(a).expr);
          if (a.type() == ValueType::kVector) return ShapeOf(a);
        }
        return {};
      }
      case NodeKind::kBinary: {
        const auto& b = As<BinaryExpr>(e);
        if (!b.matching) return ShapeOf(b.lhs->type() == ValueType::kVector ? *b.lhs : *b.rhs);
        if (b.op == BinaryOp::kAnd || b.op == BinaryOp::kUnless) return ShapeOf(*b.lhs);
        return {};
      }
      default: return {};
    }
  }
  static std::string Names(const std::set<std::string>& labels) {
    return labels.empty() ? "no label" : "only the " + std::string(labels.size() == 1 ? "label " : "labels ") + Join({labels.begin(), labels.end()}, ", ");
  }

  void Binary(const BinaryExpr& b, bool value_ignored) {
    if (b.matching) Matching(b);
    if (IsComparison(b.op)) Comparison(b);
    if (b.op == BinaryOp::kAnd) Contradiction(b);
    // `and` and `unless` look at the right side's labels only.
    Visit(*b.lhs, value_ignored);
    Visit(*b.rhs, value_ignored || b.op == BinaryOp::kAnd || b.op == BinaryOp::kUnless);
  }

  void Matching(const BinaryExpr& b) {
    if (b.op == BinaryOp::kOr) return;
    const VectorMatching& m = *b.matching;
    if (m.fill_left || m.fill_right) return;
    const Shape left = ShapeOf(*b.lhs), right = ShapeOf(*b.rhs);
    const std::string op(BinaryOpText(b.op));
    const bool unmodified = !m.on && m.labels.empty();
    if (unmodified) {
      // Without on() all labels must be equal.
      if (left.known && right.known && left.labels != right.labels) {
        std::set<std::string> common;
        std::set_intersection(left.labels.begin(), left.labels.end(), right.labels.begin(), right.labels.end(), std::inserter(common, common.end()));
        const bool more_left = left.labels.size() > right.labels.size();
        Report(b, "missing-by", "the sides of " + op + " never match: the left one has " + Names(left.labels) + ", the right one " + Names(right.labels),
               "aggregate both by the same labels, or " + op + " on (" + Join({common.begin(), common.end()}, ", ") + ")" + (IsSetOperator(b.op) ? "" : more_left ? " group_left" : " group_right"));
      } else if ((left.known && right.of_target) || (right.known && left.of_target)) {
        const Shape& known = left.known ? left : right;
        if (known.labels.contains("instance") && known.labels.contains("job")) return;  // may be all there are
        Report(b, "missing-by", "the sides of " + op + " never match: the " + (left.known ? "left" : "right") + " one has " + Names(known.labels) + ", the other one all labels of its series",
               "aggregate both by the same labels, or " + op + " on (" + Join({known.labels.begin(), known.labels.end()}, ", ") + ")" + (IsSetOperator(b.op) ? "" : left.known ? " group_right" : " group_left"));
      }
      return;
    }
    if (!m.on) return;
    for (const std::string& label : m.labels) {
      const char* side = left.known && !left.labels.contains(label) ? "left" : right.known && !right.labels.contains(label) ? "right" : nullptr;
      if (side == nullptr) continue;
      if (left.known && right.known && !left.labels.contains(label) && !right.labels.contains(label)) {
        Report(b, "missing-by", "on (" + label + "): neither side has that label", "leave it out, or aggregate by (" + label + ")");
      } else {
        Report(b, "missing-by", "on (" + label + "): the aggregation on the " + side + " drops that label", "add it there: by (" + label + ")");
      }
      return;
    }
    if (IsSetOperator(b.op) || m.card != Cardinality::kOneToOne) return;
    const std::set<std::string> on(m.labels.begin(), m.labels.end());
    const auto many = [&](const Shape& s) { return (s.known && s.labels.size() > on.size()) || s.of_target; };
    const auto one = [&](const Shape& s) { return s.known && s.labels == on; };
    if (many(left) && one(right) && !(left.of_target && on.contains("instance"))) {
      Report(b, "many-to-one", "several series on the left match one on the right, which must be said", op + " on (" + Join(m.labels, ", ") + ") group_left");
    } else if (one(left) && many(right) && !(right.of_target && on.contains("instance"))) {
      Report(b, "many-to-one", "several series on the right match one on the left, which must be said", op + " on (" + Join(m.labels, ", ") + ") group_right");
    }
  }

  // What values an expression can have, where that is known.
  struct Bounds {
    double low = -INFINITY, high = INFINITY;
    bool integers = false;
    std::string why;
  };
  static Bounds BoundsOf(const Expr& expr) {
    const Expr& e = Bare(expr);
    if (e.kind == NodeKind::kAggregate) {
      const auto& a = As<AggregateExpr>(e);
      if (a.op == AggregateOp::kCount) return {1, INFINITY, true, "count() of nothing is nothing, not 0"};
      if (a.op == AggregateOp::kGroup) return {1, 1, true, "group() is always 1"};
      if (a.op == AggregateOp::kStddev || a.op == AggregateOp::kStdvar) return {0, INFINITY, false, "it is never negative"};
      if (a.op == AggregateOp::kMin || a.op == AggregateOp::kMax || a.op == AggregateOp::kAvg || a.op == AggregateOp::kTopk || a.op == AggregateOp::kBottomk) {
        Bounds inner = BoundsOf(*a.expr);
        inner.integers &= a.op != AggregateOp::kAvg;
        return inner;
      }
      if (a.op == AggregateOp::kSum && BoundsOf(*a.expr).low >= 0) return {0, INFINITY, BoundsOf(*a.expr).integers, "it is never negative"};
    }
    if (e.kind == NodeKind::kCall) {
      const std::string_view name = FunctionOf(e);
      if (name == "absent" || name == "absent_over_time") return {1, 1, true, "absent() is 1, or nothing"};
      if (name == "present_over_time") return {1, 1, true, "present_over_time() is 1, or nothing"};
      if (name == "count_over_time") return {1, INFINITY, true, "count_over_time() of nothing is nothing, not 0"};
      if (name == "changes" || name == "resets") return {0, INFINITY, true, "it is never negative"};
      if (name == "rate" || name == "increase" || name == "irate" || name == "abs" || name == "stddev_over_time" || name == "stdvar_over_time") return {0, INFINITY, false, "it is never negative"};
    }
    if (e.kind == NodeKind::kSelector && MetricOf(As<VectorSelector>(e)) == "up") return {0, 1, true, "up is 0 or 1"};
    return {};
  }

  static bool CanHold(const Bounds& x, BinaryOp op, double y) {
    switch (op) {
      case BinaryOp::kEq: return y >= x.low && y <= x.high && (!x.integers || y == std::floor(y));
      case BinaryOp::kNe: return !(x.low == x.high && x.low == y);
      case BinaryOp::kLt: return x.low < y;
      case BinaryOp::kLe: return x.low <= y;
      case BinaryOp::kGt: return x.high > y;
      case BinaryOp::kGe: return x.high >= y;
      default: return true;
    }
  }

  static const NumberLiteral* NumberOf(const Expr& e) { return Bare(e).kind == NodeKind::kNumber ? &As<NumberLiteral>(Bare(e)) : nullptr; }

  void Comparison(const BinaryExpr& b) {
    const NumberLiteral* number = NumberOf(*b.rhs);
    const Expr* value = b.lhs.get();
    BinaryOp op = b.op;
    if (number == nullptr) {
      number = NumberOf(*b.lhs);
      value = b.rhs.get();
      static constexpr std::pair<BinaryOp, BinaryOp> kMirror[] = {{BinaryOp::kLt, BinaryOp::kGt}, {BinaryOp::kGt, BinaryOp::kLt}, {BinaryOp::kLe, BinaryOp::kGe}, {BinaryOp::kGe, BinaryOp::kLe}};
      for (const auto& [from, to] : kMirror)
        if (b.op == from) op = to;
    }
    if (number == nullptr) return;
    if (std::isnan(number->value)) {
      if (op == BinaryOp::kNe) Report(b, "comparison-never-matches", "every value differs from NaN, also NaN", "x != x selects NaN, x == x what is not NaN");
      else Report(b, "comparison-never-matches", "no value equals NaN or can be ordered against it", "x != x selects NaN");
      return;
    }
    const Bounds bounds = BoundsOf(*value);
    if (bounds.why.empty() || CanHold(bounds, op, number->value)) return;
    const bool empty = bounds.low == 1 && bounds.why.find("of nothing") != std::string::npos;
    Report(b, "comparison-never-matches", std::string(b.return_bool ? "always 0: " : "never true: ") + bounds.why,
           empty ? "absent(...), or (... or vector(0)) " + std::string(BinaryOpText(op)) + " " + ToString(*number) : "check the comparison");
  }

  // x > 5 and x < 3
  void Contradiction(const BinaryExpr& b) {
    const Expr &l = Bare(*b.lhs), &r = Bare(*b.rhs);
    if (l.kind != NodeKind::kBinary || r.kind != NodeKind::kBinary) return;
    const auto &left = As<BinaryExpr>(l), &right = As<BinaryExpr>(r);
    const NumberLiteral *x = NumberOf(*left.rhs), *y = NumberOf(*right.rhs);
    if (x == nullptr || y == nullptr || !IsComparison(left.op) || !IsComparison(right.op) || left.return_bool || right.return_bool) return;
    if (ToString(*left.lhs) != ToString(*right.lhs)) return;
    const auto bounds = [](BinaryOp op, double v) -> Bounds {
      if (op == BinaryOp::kEq) return {v, v, false, {}};
      if (op == BinaryOp::kGt) return {std::nextafter(v, INFINITY), INFINITY, false, {}};
      if (op == BinaryOp::kGe) return {v, INFINITY, false, {}};
      if (op == BinaryOp::kLt) return {-INFINITY, std::nextafter(v, -INFINITY), false, {}};
      if (op == BinaryOp::kLe) return {-INFINITY, v, false, {}};
      return {};
    };
    const Bounds p = bounds(left.op, x->value), q = bounds(right.op, y->value);
    if (std::max(p.low, q.low) > std::min(p.high, q.high))
      Report(b, "comparison-never-matches", "no value satisfies both comparisons", "use or, or mend the bounds");
  }

  const LintOptions& options_;
  std::vector<LintFinding> findings_;
};

}  // namespace

std::vector<LintFinding> Lint(const Expr& expr, const LintOptions& options) { return Linter(options).Run(expr); }

LineColumn LineColumnOf(std::string_view text, std::int32_t offset) {
  const std::string_view before = text.substr(0, static_cast<std::size_t>(std::max(offset, 0)));
  const std::size_t last = before.rfind('\n');
  return {1 + static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n')), last == std::string_view::npos ? before.size() + 1 : before.size() - last};
}

}  // namespace prom::promql
