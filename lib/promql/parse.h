// Text to checked syntax trees. Errors have upstream's texts and positions:
// "1:5: parse error: unexpected right parenthesis ')'", line and column from 1,
// the column in bytes.
//
// Thread-safe: nothing is shared. Time is linear in the input; nesting is bounded
// (kMaxDepth), and so is the length of a chain of binary operators (kMaxHeight),
// so that whoever walks a tree may do so recursively.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/labels.h"
#include "model/matcher.h"
#include "promql/ast.h"

namespace prom::promql {

// Parentheses, calls, signs and the like inside each other.
inline constexpr int kMaxDepth = 1'000;
// Any way from the root to a leaf; only a chain such as a or b or c... gets beyond kMaxDepth.
inline constexpr int kMaxHeight = 1'500;
// Further errors of one input are not recorded.
inline constexpr std::size_t kMaxIssues = 10'000;

// What upstream has behind feature flags.
struct ParseOptions {
  bool experimental_functions = false;  // also the aggregators limitk and limit_ratio
  bool duration_expressions = true;     // foo[5m * 2]
  bool extended_ranges = false;         // anchored, smoothed
  bool fill_modifiers = false;          // fill(), fill_left(), fill_right()
};

struct ParseIssue {
  PosRange pos;  // bytes of the input
  std::string message;
};
// "LINE:COL: parse error: MESSAGE".
std::string IssueText(const ParseIssue& issue, std::string_view input);

// The error (kInvalid, or kLimit when too deep) is the first issue.
Result<ExprPtr> ParseExpr(std::string_view input, const ParseOptions& options = {});
// All issues in the order of upstream; null exactly when there is one.
ExprPtr ParseExpr(std::string_view input, const ParseOptions& options, std::vector<ParseIssue>* issues);

// A selector such as match[] takes: name, name{...} or {...}. As upstream, one
// that matches everything is let through: see MatchesOnlyEmpty.
Result<Matchers> ParseMetricSelector(std::string_view input);
// No matcher refuses the empty string: the selector would select every series.
bool MatchesOnlyEmpty(const Matchers& matchers);

// A series: name{a="b"} or {"name", a="b"}.
Result<Labels> ParseMetric(std::string_view input);

// A string literal: "..." or '...' with escapes, `...` raw. kInvalid: not one.
Result<std::string> UnquoteString(std::string_view literal);

}  // namespace prom::promql
