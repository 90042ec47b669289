// Changes to the selectors of an expression: what `promql fmt --set` and `--delete` do.
#pragma once

#include <string_view>

#include "model/matcher.h"
#include "promql/ast.h"

namespace prom::promql {

// In every selector, the matchers on this label give way to `matcher`.
void SetMatcher(Expr* expr, const Matcher& matcher);
// Takes the matchers on `label` out of every selector.
void DeleteMatchers(Expr* expr, std::string_view label);

}  // namespace prom::promql
