#include "promql/print.h"

#include <algorithm>
#include <cmath>

#include "base/number.h"
#include "base/strings.h"
#include "base/time.h"
#include "promql/parse_literal.h"
#include "promql/printer.h"

namespace prom::promql {

namespace {

bool IsArithmetic(BinaryOp op) { return op <= BinaryOp::kPow; }
// Whatever follows these is a parenthesis or a comma.
bool Encloses(NodeKind kind) { return kind == NodeKind::kCall || kind == NodeKind::kAggregate || kind == NodeKind::kParen; }

}  // namespace

void Printer::Print(const Expr& e) {
  const std::size_t start = out_.size();
  const bool next = arithmetic_next_;
  if (Encloses(e.kind)) arithmetic_next_ = false;
  switch (e.kind) {
    case NodeKind::kNumber: Number(As<NumberLiteral>(e).value, As<NumberLiteral>(e).is_duration); break;
    case NodeKind::kString: AppendQuoted(&out_, As<StringLiteral>(e).value); break;
    case NodeKind::kDuration: Duration(As<DurationExpr>(e)); break;
    case NodeKind::kSelector: {
      const auto& s = As<VectorSelector>(e);
      NameAndMatchers(s);
      At(s.time);
      out_ += s.anchored ? " anchored" : s.smoothed ? " smoothed" : "";
      Offset(s.time);
      break;
    }
    case NodeKind::kMatrix: {
      const auto& m = As<MatrixSelector>(e);
      const VectorSelector& s = *m.selector;
      NameAndMatchers(s);
      out_ += '[';
      Range(m.range_ms, m.range_expr.get());
      out_ += ']';
      out_ += s.anchored ? " anchored" : s.smoothed ? " smoothed" : "";
      At(s.time);
      Offset(s.time);
      break;
    }
    case NodeKind::kSubquery:
      arithmetic_next_ = false;
      Print(*As<SubqueryExpr>(e).expr);
      arithmetic_next_ = next;
      SubqueryTail(As<SubqueryExpr>(e));
      break;
    case NodeKind::kAggregate: {
      const auto& a = As<AggregateExpr>(e);
      AggregateHead(a);
      out_ += '(';
      if (a.param) {
        Print(*a.param);
        out_ += ", ";
      }
      Print(*a.expr);
      out_ += ')';
      break;
    }
    case NodeKind::kBinary: return Chain(As<BinaryExpr>(e));
    case NodeKind::kUnary:
      out_ += As<UnaryExpr>(e).negative ? '-' : '+';
      Print(*As<UnaryExpr>(e).expr);
      break;
    case NodeKind::kCall: {
      const auto& c = As<CallExpr>(e);
      out_ += c.function->name;
      out_ += '(';
      for (std::size_t i = 0; i < c.args.size(); ++i) {
        if (i > 0) out_ += ", ";
        Print(*c.args[i]);
      }
      out_ += ')';
      break;
    }
    case NodeKind::kParen:
      out_ += '(';
      Print(*As<ParenExpr>(e).expr);
      out_ += ')';
      break;
  }
  arithmetic_next_ = next;
  if (spans_ != nullptr) spans_->emplace(&e, std::pair(start, out_.size()));
}

// A chain of operators leans left, so its left sides are a loop, not levels of recursion.
void Printer::Chain(const BinaryExpr& top) {
  const std::size_t start = out_.size();
  const bool next = arithmetic_next_;
  std::vector<const BinaryExpr*> chain = {&top};
  while (chain.back()->lhs->kind == NodeKind::kBinary) chain.push_back(&As<BinaryExpr>(*chain.back()->lhs));
  const Expr& first = *chain.back()->lhs;
  arithmetic_next_ = IsArithmetic(chain.back()->op);
  if (chain.back()->op == BinaryOp::kPow && first.kind == NodeKind::kNumber && As<NumberLiteral>(first).value == INFINITY) {
    // "+Inf ^ 2" would come back as a sign before Inf ^ 2.
    out_ += "Inf";
    if (spans_ != nullptr) spans_->emplace(&first, std::pair(start, out_.size()));
  } else {
    Print(first);
  }
  for (; !chain.empty(); chain.pop_back()) {
    out_ += ' ';
    OperatorHead(*chain.back());
    out_ += ' ';
    arithmetic_next_ = chain.size() > 1 ? IsArithmetic(chain[chain.size() - 2]->op) : next;
    Print(*chain.back()->rhs);
    if (spans_ != nullptr) spans_->emplace(chain.back(), std::pair(start, out_.size()));
  }
}

void Printer::AggregateHead(const AggregateExpr& a) {
  out_ += AggregateOpName(a.op);
  if (!a.without && a.grouping.empty()) return;
  out_ += a.without ? " without (" : " by (";
  Names(a.grouping);
  out_ += ") ";
}

void Printer::OperatorHead(const BinaryExpr& b) {
  out_ += BinaryOpText(b.op);
  if (b.return_bool) out_ += " bool";
  if (!b.matching) return;
  const VectorMatching& m = *b.matching;
  const bool grouped = m.card == Cardinality::kManyToOne || m.card == Cardinality::kOneToMany;
  if (!m.labels.empty() || m.on || grouped) {
    out_ += m.on ? " on (" : " ignoring (";
    Names(m.labels);
    out_ += ')';
  }
  if (grouped) {
    out_ += m.card == Cardinality::kManyToOne ? " group_left (" : " group_right (";
    Names(m.include);
    out_ += ')';
  }
  if (m.fill_left && m.fill_right && *m.fill_left == *m.fill_right) {
    out_ += " fill (" + FormatFloatG(*m.fill_left) + ")";
    return;
  }
  if (m.fill_left) out_ += " fill_left (" + FormatFloatG(*m.fill_left) + ")";
  if (m.fill_right) out_ += " fill_right (" + FormatFloatG(*m.fill_right) + ")";
}

void Printer::SubqueryTail(const SubqueryExpr& s) {
  out_ += '[';
  Range(s.range_ms, s.range_expr.get());
  out_ += ':';
  if (s.step_ms != 0 || s.step_expr) Range(s.step_ms, s.step_expr.get());
  out_ += ']';
  At(s.time);
  Offset(s.time);
}

void Printer::Names(const std::vector<std::string>& names) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) out_ += ", ";
    if (IsLegacyLabelName(names[i]))
      out_ += names[i];
    else
      AppendQuoted(&out_, names[i]);
  }
}

void Printer::NameAndMatchers(const VectorSelector& s) {
  std::vector<std::string> texts;
  for (const Matcher& m : s.matchers) {
    // The matcher of the name in front says nothing new; {__name__=""} does.
    const bool is_name = m.name() == kMetricName && m.type() == Matcher::Type::kEqual && m.value() == s.name && !m.value().empty();
    if (!is_name) texts.push_back(m.ToString());
  }
  std::sort(texts.begin(), texts.end());
  out_ += s.name;
  // info(v, {}) may have no matchers at all.
  if (!texts.empty() || s.name.empty()) out_ += '{' + Join(texts, ",") + '}';
}

void Printer::At(const TimeModifiers& time) {
  switch (time.at) {
    case AtModifier::kNone: break;
    case AtModifier::kStart: out_ += " @ start()"; break;
    case AtModifier::kEnd: out_ += " @ end()"; break;
    case AtModifier::kTimestamp: out_ += StringPrintf(" @ %.3f", static_cast<double>(time.at_ms) / 1000.0); break;
  }
}

void Printer::Offset(const TimeModifiers& time) {
  using Op = DurationExpr::Op;
  if (time.offset_expr) {
    const DurationExpr* e = time.offset_expr.get();
    while (!e->wrapped && e->op == Op::kPos) e = e->rhs.get();
    const bool closed = e->wrapped;
    while (!e->wrapped && (e->op == Op::kNeg || e->op == Op::kPos)) e = e->rhs.get();
    // offset -+1 + 1 is one expression, but -1 ends it; and (1) + 1 is one unless a sign is in front.
    const bool open = !e->wrapped && e->op >= Op::kAdd && e->op <= Op::kPow;
    out_ += " offset ";
    if ((closed || open) && arithmetic_next_) out_ += '+';
    if (open) out_ += '(';
    Duration(*time.offset_expr);
    if (open) out_ += ')';
  } else if (time.offset_ms != 0) {
    out_ += time.offset_ms > 0 ? " offset " : " offset -";
    out_ += FormatDuration(time.offset_ms > 0 ? time.offset_ms : -time.offset_ms);
  }
}

void Printer::Range(std::int64_t ms, const DurationExpr* e) {
  if (e != nullptr)
    Duration(*e);
  else
    out_ += FormatDuration(ms);
}

void Printer::Duration(const DurationExpr& e) {
  using Op = DurationExpr::Op;
  if (e.wrapped) out_ += '(';
  const auto binary = [&](const char* op) {
    Duration(*e.lhs);
    out_ += op;
    Duration(*e.rhs);
  };
  switch (e.op) {
    case Op::kNumber: Number(e.seconds, e.is_duration); break;
    case Op::kAdd: binary(" + "); break;
    case Op::kSub: binary(" - "); break;
    case Op::kMul: binary(" * "); break;
    case Op::kDiv: binary(" / "); break;
    case Op::kMod: binary(" % "); break;
    case Op::kPow: binary(" ^ "); break;
    case Op::kNeg:
      out_ += '-';
      Duration(*e.rhs);
      break;
    case Op::kPos: Duration(*e.rhs); break;
    case Op::kStep: out_ += "step()"; break;
    case Op::kRange: out_ += "range()"; break;
    case Op::kMinOf:
    case Op::kMaxOf:
      out_ += e.op == Op::kMinOf ? "min_of(" : "max_of(";
      binary(", ");
      out_ += ')';
      break;
  }
  if (e.wrapped) out_ += ')';
}

void Printer::Number(double value, bool is_duration) {
  if (!is_duration) {
    out_ += FormatFloatF(value);
    return;
  }
  if (value < 0) out_ += '-';
  out_ += FormatDuration(SecondsToMillis(std::fabs(value)));
}

std::string ToString(const Expr& e) {
  std::string out;
  Printer(&out, nullptr).Print(e);
  return out;
}

std::string ShortText(const Expr& e) {
  std::string out;
  Printer printer(&out, nullptr);
  switch (e.kind) {
    case NodeKind::kAggregate: printer.AggregateHead(As<AggregateExpr>(e)); break;
    case NodeKind::kBinary: printer.OperatorHead(As<BinaryExpr>(e)); break;
    case NodeKind::kSubquery: printer.SubqueryTail(As<SubqueryExpr>(e)); break;
    case NodeKind::kCall: out = As<CallExpr>(e).function->name; break;
    case NodeKind::kUnary: out = As<UnaryExpr>(e).negative ? "-" : "+"; break;
    case NodeKind::kParen: out = "()"; break;
    default: printer.Print(e);
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

}  // namespace prom::promql
