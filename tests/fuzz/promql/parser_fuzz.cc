// Any bytes through every entry of the parser. What parses is printed, on one
// line and on many, and must come back as the same text of the same tree.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "promql/ast_walk.h"
#include "promql/parse.h"
#include "promql/print.h"
#include "promql/series_notation.h"

namespace {

using namespace prom::promql;

void Fail(std::string_view what, std::string_view a, std::string_view b) {
  std::fprintf(stderr, "%.*s:\n  %.*s\n  %.*s\n", static_cast<int>(what.size()), what.data(), static_cast<int>(a.size()), a.data(),
               static_cast<int>(b.size()), b.data());
  std::abort();
}

// What is a part of what, whatever the whole is printed as.
std::string Shape(const Expr& e) {
  std::string out = ShortText(e) + "<";
  ForEachChild(e, [&out](const Expr& child) { out += Shape(child) + ";"; });
  return out + ">";
}

void Again(const std::string& text, const std::string& canonical, const std::string& shape, const ParseOptions& options) {
  const auto e = ParseExpr(text, options);
  if (!e) Fail("printed text does not parse", text, e.error().message);
  if (const std::string again = ToString(**e); again != canonical) Fail("printed text changed", canonical, again);
  if (const std::string again = Shape(**e); again != shape) Fail("printed text is another tree", shape, again);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  for (const bool on : {true, false}) {
    const ParseOptions options{on, on, on, on};
    std::vector<ParseIssue> issues;
    const ExprPtr e = ParseExpr(input, options, &issues);
    if ((e == nullptr) == issues.empty()) Fail("a tree or issues, never both", input, "");
    for (const auto& issue : issues)
      if (issue.message.empty()) Fail("issue without text", input, "");
    if (!e) continue;
    const std::string text = ToString(*e);
    // "offset +(5)" is allowed without duration expressions and printed without the plus.
    ParseOptions again = options;
    again.duration_expressions = true;
    const std::string shape = Shape(*e);
    Again(text, text, shape, again);
    Again(PrettyPrint(*e, 20), text, shape, again);
    if (const std::string copy = ToString(*Clone(*e)); copy != text) Fail("a copy is different", text, copy);
  }
  if (auto labels = ParseMetric(input); labels && input.size() > (1u << 30)) std::abort();
  if (auto matchers = ParseMetricSelector(input); matchers && input.size() > (1u << 30)) std::abort();
  if (auto series = ParseSeriesDescription(input)) {
    if (series->values.size() > kMaxSeriesValues) Fail("too many values", input, "");
    for (const auto& v : series->values)
      if (v.histogram && series->values.size() < 10) HistogramNotation(*v.histogram);
  }
  if (auto times = ParseStartTimes(input); times && times->size() > kMaxSeriesValues) Fail("too many values", input, "");
  return 0;
}
