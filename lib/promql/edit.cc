#include "promql/edit.h"

#include <algorithm>

#include "promql/ast_walk.h"

namespace prom::promql {
namespace {

template <typename Change>
void EachSelector(Expr& e, const Change& change) {
  if (e.kind == NodeKind::kSelector) change(As<VectorSelector>(e));
  else if (e.kind == NodeKind::kMatrix) change(*As<MatrixSelector>(e).selector);
  ForEachChildSlot(e, [&](ExprPtr& child) { EachSelector(*child, change); });
}

void Remove(VectorSelector* s, std::string_view label) {
  std::erase_if(s->matchers, [&](const Matcher& m) { return m.name() == label; });
  if (label == kMetricName) s->name.clear();
}

}  // namespace

void SetMatcher(Expr* expr, const Matcher& matcher) {
  EachSelector(*expr, [&](VectorSelector& s) {
    Remove(&s, matcher.name());
    // The metric name's matcher stays last.
    const bool named = !s.name.empty() && !s.matchers.empty();
    s.matchers.insert(named ? s.matchers.end() - 1 : s.matchers.end(), matcher);
  });
}

void DeleteMatchers(Expr* expr, std::string_view label) {
  EachSelector(*expr, [&](VectorSelector& s) { Remove(&s, label); });
}

}  // namespace prom::promql
