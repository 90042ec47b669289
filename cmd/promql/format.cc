// promql fmt: expressions laid out, their selectors changed on the way.
#include "base/strings.h"
#include "command.h"
#include "promql/edit.h"
#include "promql/parse.h"
#include "promql/print.h"

namespace prom::cli {

int RunFormat(const Options& o) {
  Matchers set;
  for (const std::string& text : o.set_matchers) {
    auto parsed = promql::ParseMetricSelector("{" + text + "}");
    if (!parsed || parsed->size() != 1) return Fail({Errc::kInvalid, "--set " + Quote(text) + ": want one matcher, such as job=\"node\""});
    set.push_back((*parsed)[0]);
  }
  auto inputs = ReadInputs(o, "fmt");
  if (!inputs) return Fail(inputs.error());
  promql::ParseOptions all;
  all.experimental_functions = all.extended_ranges = all.fill_modifiers = true;
  std::string out;
  for (const Input& input : *inputs) {
    auto expr = promql::ParseExpr(input.text, all);
    if (!expr) return Fail(input.name.empty() ? expr.error() : expr.error().Wrap(input.name + ":"));
    for (const std::string& label : o.delete_matchers) promql::DeleteMatchers(expr->get(), label);
    for (const Matcher& m : set) promql::SetMatcher(expr->get(), m);
    out += promql::PrettyPrint(**expr) + "\n";
  }
  return Print(out);
}

}  // namespace prom::cli
