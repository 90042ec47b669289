// promql check: does it parse, and does it mean what it seems to mean?
#include "base/json.h"
#include "base/strings.h"
#include "command.h"
#include "promql/lint.h"
#include "promql/parse.h"

namespace prom::cli {
namespace {

struct Report {
  bool json;
  std::string text;
  std::size_t findings = 0;

  void Add(const Input& input, promql::PosRange pos, std::string_view name, const std::string& message, const std::string& mend) {
    const auto from = promql::LineColumnOf(input.text, pos.start);
    if (json) {
      if (findings > 0) text += ',';
      JsonWriter out(&text);
      out.BeginObject().Field("file", input.name).Field("line", static_cast<std::uint64_t>(from.line)).Field("column", static_cast<std::uint64_t>(from.column));
      out.Field("start", std::int64_t{pos.start}).Field("end", std::int64_t{pos.end}).Field("name", name).Field("message", message).Field("mend", mend).EndObject();
    } else {
      text += (input.name.empty() ? "" : input.name + ":") + std::to_string(from.line) + ":" + std::to_string(from.column) + ": " + std::string(name) + ": " + message + "\n";
      if (!mend.empty()) text += "    mend: " + mend + "\n";
    }
    ++findings;
  }
};

}  // namespace

int RunCheck(const Options& o) {
  auto inputs = ReadInputs(o, "check");
  if (!inputs) return Fail(inputs.error());
  std::vector<std::pair<std::string, Metadata>> metadata;
  promql::LintOptions lint;
  if (o.data_given || !o.url.empty()) {
    auto source = OpenSource(o);
    if (!source) return Fail(source.error());
    auto all = (*source)->ListMetadata();
    if (!all) return Fail(all.error());
    metadata = std::move(*all);
    lint.type_of = [&](std::string_view metric) -> std::optional<MetricType> {
      const Metadata* m = api::FindMetadata(metadata, metric);
      return m == nullptr ? std::nullopt : std::optional(m->type);
    };
  }
  promql::ParseOptions all;
  all.experimental_functions = all.extended_ranges = all.fill_modifiers = true;
  Report report{o.json, {}};
  for (const Input& input : *inputs) {
    std::vector<promql::ParseIssue> issues;
    const auto expr = promql::ParseExpr(input.text, all, &issues);
    for (const promql::ParseIssue& issue : issues) {
      const bool renamed = issue.message.find("unknown function with name \"holt_winters\"") != std::string::npos;
      report.Add(input, issue.pos, "parse-error", issue.message, renamed ? "it is called double_exponential_smoothing now" : "");
    }
    if (expr)
      for (const promql::LintFinding& f : promql::Lint(*expr, lint)) report.Add(input, f.pos, f.name, f.message, f.mend);
  }
  const int printed = Print(o.json ? "[" + report.text + "]\n" : report.text);
  return printed != 0 ? printed : report.findings > 0 ? 3 : 0;
}

}  // namespace prom::cli
