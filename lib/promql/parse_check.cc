// The rules that syntax does not show: types of arguments and operands, matchers
// that select everything, modifiers of operators. One walk, children first.
#include <algorithm>
#include <unordered_set>
#include <vector>

#include "base/strings.h"
#include "promql/parser.h"

namespace prom::promql {
namespace {

class Checker {
 public:
  Checker(std::string_view input, std::vector<ParseIssue>* issues) : input_(input), issues_(issues) {}

  ValueType Check(Expr* e) {
    switch (e->kind) {
      case NodeKind::kNumber:
      case NodeKind::kDuration: return ValueType::kScalar;
      case NodeKind::kString: return ValueType::kString;
      case NodeKind::kSelector: Selector(As<VectorSelector>(*e)); return ValueType::kVector;
      case NodeKind::kMatrix: Selector(*As<MatrixSelector>(*e).selector); return ValueType::kMatrix;
      case NodeKind::kSubquery: return Subquery(As<SubqueryExpr>(*e));
      case NodeKind::kAggregate: return Aggregate(As<AggregateExpr>(*e));
      case NodeKind::kBinary: return Binary(As<BinaryExpr>(*e));
      case NodeKind::kUnary: return Unary(As<UnaryExpr>(*e));
      case NodeKind::kCall: return Call(As<CallExpr>(*e));
      case NodeKind::kParen: return Check(As<ParenExpr>(*e).expr.get());
    }
    return ValueType::kNone;
  }

 private:
  void Issue(PosRange pos, std::string message) { AddIssue(issues_, pos, std::move(message)); }

  // `function` is quoted behind the context, when there is one.
  void Want(Expr* e, ValueType want, std::string_view context, std::string_view function = {}) {
    const ValueType got = Check(e);
    if (got == want) return;
    std::string message = "expected type ";
    message.append(DocumentedType(want)).append(" in ").append(context);
    if (!function.empty()) AppendQuoted(&message, function);
    Issue(e->pos, message.append(", got ").append(DocumentedType(got)));
  }

  void Selector(VectorSelector& s) {
    if (!s.name.empty()) {
      // The last matcher is that of the name before the braces.
      for (std::size_t i = 0; i + 1 < s.matchers.size(); ++i)
        if (s.matchers[i].name() == kMetricName)
          Issue(s.pos, "metric name must not be set twice: " + Quote(s.name) + " or " + Quote(s.matchers[i].value()));
      return;
    }
    if (!s.bypass_empty_check && issues_->size() < kMaxIssues && MatchesOnlyEmpty(s.matchers))
      Issue(s.pos, "vector selector must contain at least one non-empty matcher");
  }

  ValueType Subquery(SubqueryExpr& s) {
    const ValueType type = Check(s.expr.get());
    if (type != ValueType::kVector) {
      const char* name = type == ValueType::kMatrix ? "matrix" : type == ValueType::kString ? "string" : "scalar";
      Issue(s.pos, std::string("subquery is only allowed on instant vector, got ") + name + " instead");
    }
    return ValueType::kMatrix;
  }

  ValueType Aggregate(AggregateExpr& a) {
    Want(a.expr.get(), ValueType::kVector, "aggregation expression");
    if (a.param) Want(a.param.get(), a.op == AggregateOp::kCountValues ? ValueType::kString : ValueType::kScalar, "aggregation parameter");
    return ValueType::kVector;
  }

  ValueType Unary(UnaryExpr& u) {
    const ValueType type = Check(u.expr.get());
    if (type != ValueType::kScalar && type != ValueType::kVector)
      Issue(u.pos, "unary expression only allowed on expressions of type scalar or instant vector, got " + Quote(DocumentedType(type)));
    return type;
  }

  // The text between the operands without the spaces around it.
  PosRange OperatorRange(const BinaryExpr& b) const {
    const auto space = [&](std::int32_t i) {
      const char c = input_[static_cast<std::size_t>(i)];
      return c == ' ' || c == '\t' || c == '\n' || c == '\r';
    };
    PosRange r{b.lhs->pos.end, b.rhs->pos.start - 1};
    while (r.start < r.end && space(r.start)) ++r.start;
    while (r.end > r.start && space(r.end)) --r.end;
    return r;
  }

  // A chain of operators leans left, so its left sides are a loop, not levels of recursion.
  ValueType Binary(BinaryExpr& top) {
    std::vector<BinaryExpr*> chain = {&top};
    while (chain.back()->lhs->kind == NodeKind::kBinary) chain.push_back(&As<BinaryExpr>(*chain.back()->lhs));
    ValueType type = Check(chain.back()->lhs.get());
    for (; !chain.empty(); chain.pop_back()) type = Operator(*chain.back(), type, Check(chain.back()->rhs.get()));
    return type;
  }

  ValueType Operator(BinaryExpr& b, ValueType lhs, ValueType rhs) {
    const bool scalars = lhs == ValueType::kScalar && rhs == ValueType::kScalar;
    const bool vectors = lhs == ValueType::kVector && rhs == ValueType::kVector;
    const bool set = IsSetOperator(b.op);
    const std::string op(BinaryOpText(b.op));
    b.result_type = scalars ? ValueType::kScalar : ValueType::kVector;

    if (b.return_bool && !IsComparison(b.op)) Issue(OperatorRange(b), "bool modifier can only be used on comparison operators");
    if (IsComparison(b.op) && !b.return_bool && scalars) Issue(OperatorRange(b), "comparisons between scalars must use BOOL modifier");

    VectorMatching& m = *b.matching;
    if (set && m.card == Cardinality::kOneToOne) m.card = Cardinality::kManyToMany;
    if (m.on && !m.include.empty()) {
      const std::unordered_set<std::string_view> include(m.include.begin(), m.include.end());
      for (const auto& label : m.labels)
        if (include.contains(label)) Issue(OperatorRange(b), "label " + Quote(label) + " must not occur in ON and GROUP clause at once");
    }

    for (const auto& [side, type] : {std::pair{b.lhs.get(), lhs}, std::pair{b.rhs.get(), rhs}})
      if (type != ValueType::kScalar && type != ValueType::kVector)
        Issue(side->pos, "binary expression must contain only scalar and instant vector types");

    const bool fill = m.fill_left || m.fill_right;
    if (!vectors) {
      if (!m.labels.empty()) Issue(b.pos, "vector matching only allowed between instant vectors");
      if (fill) Issue(b.pos, "filling in missing series only allowed between instant vectors");
      b.matching.reset();
    } else if (set) {
      if (m.card == Cardinality::kOneToMany || m.card == Cardinality::kManyToOne) {
        Issue(b.pos, "no grouping allowed for " + Quote(op) + " operation");
        Issue(b.pos, "set operations must always be many-to-many");
      }
      if (fill) Issue(b.pos, "filling in missing series not allowed for set operators");
    }
    if (set && (lhs == ValueType::kScalar || rhs == ValueType::kScalar))
      Issue(b.pos, "set operator " + Quote(op) + " not allowed in binary scalar expression");
    return b.result_type;
  }

  ValueType Call(CallExpr& c) {
    const FunctionSignature& f = *c.function;
    const int declared = static_cast<int>(f.arg_types.size()), given = static_cast<int>(c.args.size());
    const auto count = [&](const char* how, int want) {
      Issue(c.pos, std::string("expected ") + how + std::to_string(want) + " argument(s) in call to " + Quote(f.name) + ", got " + std::to_string(given));
    };
    if (f.variadic == 0) {
      if (given != declared) count("", declared);
    } else if (given < declared - 1) {
      count("at least ", declared - 1);
    } else if (f.variadic > 0 && given > declared - 1 + f.variadic) {
      count("at most ", declared - 1 + f.variadic);
    }
    if (f.name == "info" && given > 1) InfoSelector(c);

    for (int i = 0; i < given; ++i) {
      if (i >= declared && f.variadic == 0) break;
      Want(c.args[static_cast<std::size_t>(i)].get(), f.arg_types[static_cast<std::size_t>(std::min(i, declared - 1))], "call to function ", f.name);
    }
    return f.return_type;
  }

  // The second argument of info() is only braces, and may match everything.
  void InfoSelector(CallExpr& c) {
    Expr& selector = *c.args[1];
    if (selector.type() != ValueType::kVector)
      Issue(c.pos, "expected type instant vector in call to function \"info\", got " + std::string(DocumentedType(selector.type())));
    if (selector.kind != NodeKind::kSelector)
      Issue(selector.pos, "expected label selectors only");
    else if (!As<VectorSelector>(selector).name.empty())
      Issue(selector.pos, "expected label selectors only, got vector selector instead");
    else
      As<VectorSelector>(selector).bypass_empty_check = true;
  }

  std::string_view input_;
  std::vector<ParseIssue>* issues_;
};

}  // namespace

void CheckTypes(Expr* root, std::string_view input, std::vector<ParseIssue>* issues) { Checker(input, issues).Check(root); }

}  // namespace prom::promql
