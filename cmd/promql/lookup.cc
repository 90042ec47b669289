// promql labels | values | series | metrics: what there is, without evaluating anything.
#include <algorithm>

#include "base/json.h"
#include "base/strings.h"
#include "command.h"
#include "promql/output/render.h"
#include "promql/result_json.h"
#include "terminal.h"

namespace prom::cli {
namespace {

// Lines, or one JSON array with -o json, as the HTTP API's data.
int PrintStrings(const Options& o, const std::vector<std::string>& strings) {
  std::string out;
  if (o.output == "json") {
    JsonWriter json(&out);
    json.BeginArray();
    for (const std::string& s : strings) json.String(s);
    json.EndArray();
    return Print(out + "\n");
  }
  for (const std::string& s : strings) out += s + '\n';
  return Print(out);
}

// Without a form: lines. Other forms than `allowed` are refused by name.
Result<void> CheckForm(const Options& o, std::string_view allowed) {
  if (o.output.empty()) return {};
  for (std::string_view form : Split(allowed, ' '))
    if (form == o.output) return {};
  return Error{Errc::kInvalid, "--output " + Quote(o.output) + ": here it is one of: " + std::string(allowed)};
}

// Warnings of a lookup, on standard error, each once.
class Notes {
 public:
  explicit Notes(api::LookupRequest* request) { request->warnings = &warnings_; }
  ~Notes() {
    std::sort(warnings_.begin(), warnings_.end());
    warnings_.erase(std::unique(warnings_.begin(), warnings_.end()), warnings_.end());
    for (const std::string& w : warnings_) Warn(w);
  }

 private:
  std::vector<std::string> warnings_;
};

// The first line of a text.
std::string FirstLine(const std::string& s) { return s.substr(0, s.find('\n')); }

}  // namespace

int RunLabels(const Options& o) {
  if (auto form = CheckForm(o, "json"); !form) return Fail(form.error());
  auto request = LookupOf(o, o.args);
  if (!request) return Fail(request.error());
  const Notes notes(&*request);
  auto source = OpenSource(o);
  if (!source) return Fail(source.error());
  auto found = (*source)->LabelNames(*request);
  return found ? PrintStrings(o, *found) : Fail(found.error());
}

int RunValues(const Options& o) {
  if (auto form = CheckForm(o, "json"); !form) return Fail(form.error());
  if (o.args.empty()) return Fail({Errc::kInvalid, "values: want the NAME of a label"});
  auto request = LookupOf(o, {o.args.begin() + 1, o.args.end()});
  if (!request) return Fail(request.error());
  const Notes notes(&*request);
  auto source = OpenSource(o);
  if (!source) return Fail(source.error());
  auto found = (*source)->LabelValues(o.args[0], *request);
  return found ? PrintStrings(o, *found) : Fail(found.error());
}

int RunSeries(const Options& o) {
  if (auto form = CheckForm(o, "json jsonl"); !form) return Fail(form.error());
  if (o.args.empty()) return Fail({Errc::kInvalid, "series: want at least one MATCHER, such as up or '{job=\"node\"}'"});
  auto request = LookupOf(o, o.args);
  if (!request) return Fail(request.error());
  const Notes notes(&*request);
  auto source = OpenSource(o);
  if (!source) return Fail(source.error());
  auto found = (*source)->Series(*request);
  if (!found) return Fail(found.error());
  std::string out = o.output == "json" ? "[" : "";
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < found->size(); ++i) {
    if (o.output.empty()) {
      lines.push_back((*found)[i].ToSeries());
      continue;
    }
    if (i > 0 && o.output == "json") out += ',';
    promql::AppendLabelsJson(&out, (*found)[i]);
    if (o.output == "jsonl") out += '\n';
  }
  std::sort(lines.begin(), lines.end());
  for (const std::string& l : lines) out += l + '\n';
  return Print(o.output == "json" ? out + "]\n" : out);
}

int RunMetrics(const Options& o) {
  if (auto form = CheckForm(o, "table json jsonl tsv"); !form) return Fail(form.error());
  auto request = LookupOf(o, o.args);
  if (!request) return Fail(request.error());
  const Notes notes(&*request);
  auto source = OpenSource(o);
  if (!source) return Fail(source.error());
  auto found = (*source)->Metrics(*request);
  if (!found) return Fail(found.error());
  const Screen screen = ScreenNow();
  std::string out;
  if (o.output == "json" || o.output == "jsonl") {
    JsonWriter json(&out);
    const bool lines = o.output == "jsonl";
    if (!lines) json.BeginArray();
    for (const api::MetricInfo& m : *found) {
      std::string one;
      JsonWriter(&one).BeginObject().Field("name", m.name).Field("type", MetricTypeName(m.metadata.type)).Field("series", static_cast<std::uint64_t>(m.series)).Field("unit", m.metadata.unit).Field("help", m.metadata.help).EndObject();
      if (lines) out += one + "\n";
      else json.Raw(one);
    }
    if (!lines) json.EndArray();
    return Print(lines ? out : out + "\n");
  }
  if (o.output == "tsv" || (o.output.empty() && !screen.terminal)) {
    const auto cell = [](const std::string& s) {
      std::string escaped;
      for (const char c : s) escaped += c == '\t' ? "\\t" : c == '\n' ? "\\n" : c == '\r' ? "\\r" : c == '\\' ? "\\\\" : std::string(1, c);
      return escaped;
    };
    out = "name\ttype\tseries\tunit\thelp\n";
    for (const api::MetricInfo& m : *found)
      out += cell(m.name) + "\t" + std::string(MetricTypeName(m.metadata.type)) + "\t" + std::to_string(m.series) + "\t" + cell(m.metadata.unit) + "\t" + cell(m.metadata.help) + "\n";
    return Print(out);
  }
  auto render = RenderOptionsOf(screen, o.colour);
  if (!render) return Fail(render.error());
  if (found->empty()) return 0;
  // The help takes what room is left.
  std::size_t used = 0, widest = 0, count = 6;
  for (const api::MetricInfo& m : *found) widest = std::max(widest, promql::DisplayWidth(promql::SafeText(m.name))), count = std::max(count, std::to_string(m.series).size());
  if (screen.terminal) widest = std::min(widest, static_cast<std::size_t>(std::max(screen.columns / 2, 16)));
  used = widest + 2 + 14 + 2 + count + 2;
  const std::size_t room = !screen.terminal ? 1u << 20 : used + 8 < static_cast<std::size_t>(screen.columns) ? static_cast<std::size_t>(screen.columns) - used : 0;
  std::vector<std::vector<std::string>> rows = {{"METRIC", "TYPE", "SERIES"}};
  if (room > 0) rows[0].emplace_back("HELP");
  for (const api::MetricInfo& m : *found) {
    rows.push_back({promql::CutText(promql::SafeText(m.name), screen.terminal ? widest : 1u << 20), std::string(MetricTypeName(m.metadata.type)), std::to_string(m.series)});
    if (room > 0) {
      rows.back().push_back(promql::CutText(promql::SafeText(FirstLine(m.metadata.help)), room));
    }
  }
  return Print(promql::RenderTable(rows, 2, 3, 0, render->colour), true);
}

}  // namespace prom::cli
