// Lint: what parses and yet does not mean what its author thinks. A finding has a
// position, a name that never changes, what is wrong and how to mend it.
//
// The names and rules are listed in promql(1). Pure functions; thread-safe.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/sample.h"
#include "promql/ast.h"

namespace prom::promql {

struct LintFinding {
  PosRange pos;  // bytes of the expression
  std::string_view name;  // "rate-of-gauge"
  std::string message, mend;
};

struct LintOptions {
  // The type of a series name where it is known; without it, or when it returns nothing,
  // names decide (_total, _bucket, _bytes ...).
  std::function<std::optional<MetricType>(std::string_view metric)> type_of;
};

// Sorted by position. `expr` was parsed with all features on.
std::vector<LintFinding> Lint(const Expr& expr, const LintOptions& options);

// Line and column (bytes) of an offset, both from 1.
struct LineColumn {
  std::size_t line = 1, column = 1;
};
LineColumn LineColumnOf(std::string_view text, std::int32_t offset);

}  // namespace prom::promql
