#include "promql/output/render.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/number.h"
#include "base/strings.h"
#include "base/time.h"
#include "promql/output/exposition.h"
#include "promql/output/graph.h"
#include "promql/result_json.h"

namespace prom::promql {
namespace {

constexpr std::size_t kMaxLabelColumns = 6;
constexpr std::size_t kNarrowest = 8;  // a label column is not cut below that

std::string ShortNumber(double v) {
  if (std::isnan(v)) return "NaN";
  if (std::isinf(v)) return v > 0 ? "+Inf" : "-Inf";
  if (v == std::floor(v) && std::fabs(v) < 1e15) return FormatFloatF(v);
  return StringPrintf("%.6g", v);
}

// The labels that any series has, metric name first.
std::vector<std::string> LabelColumns(const QueryResult& r) {
  std::set<std::string> names;
  bool metric = false;
  for (const ResultSeries& s : r.series) {
    for (const Label l : s.labels) {
      if (l.name == kMetricName) {
        metric = true;
      } else {
        names.emplace(l.name);
      }
    }
  }
  std::vector<std::string> out;
  if (metric) out.emplace_back(kMetricName);
  out.insert(out.end(), names.begin(), names.end());
  return out;
}

std::string HistogramText(const HistogramSample& s) {
  QueryResult one;
  one.type = ValueType::kVector;
  one.series.push_back({Labels(), {}, {s}});
  std::string json;
  AppendResultJson(&json, one);
  const std::size_t from = json.find("{\"count\"");
  return json.substr(from, json.size() - from - 4);  // without ]}]}
}

std::string Escape(std::string_view s, OutputForm form) {
  std::string out;
  if (form == OutputForm::kTsv) {
    for (char c : s) {
      if (c == '\t') out += "\\t";
      else if (c == '\n') out += "\\n";
      else if (c == '\r') out += "\\r";
      else if (c == '\\') out += "\\\\";
      else out += c;
    }
    return out;
  }
  if (s.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(s);
  out = "\"";
  for (char c : s) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

std::string RenderDelimited(const QueryResult& r, OutputForm form) {
  const char separator = form == OutputForm::kTsv ? '\t' : ',';
  std::string out;
  const auto columns = LabelColumns(r);
  for (const std::string& name : columns) out += Escape(name, form) + separator;
  out += std::string("timestamp") + separator + "value\n";
  const auto line = [&](const std::string& head, std::int64_t t, const std::string& value) {
    out += head + std::to_string(t) + separator + value + '\n';
  };
  if (r.type == ValueType::kString) {
    line("", r.t_ms, Escape(r.text, form));
    return out;
  }
  for (const ResultSeries& s : r.series) {
    std::string head;
    for (const std::string& name : columns) head += Escape(s.labels.Get(name), form) + separator;
    for (const FloatSample& f : s.floats) line(head, f.t_ms, FormatFloatJson(f.v));
    for (const HistogramSample& h : s.histograms) line(head, h.t_ms, Escape(HistogramText(h), form));
  }
  return out;
}

std::string RenderJsonLines(const QueryResult& r) {
  std::string out;
  if (r.type == ValueType::kString) AppendResultJson(&out, r);
  for (std::size_t i = 0; i < r.series.size(); ++i) {
    if (i > 0) out += '\n';
    AppendSeriesJson(&out, r.series[i], r.type == ValueType::kMatrix);
  }
  return out.empty() ? out : out + '\n';
}

// How much of a histogram a table has room for.
std::string HistogramSummary(const Histogram& h) { return "count " + ShortNumber(h.count) + ", sum " + ShortNumber(h.sum); }

// A table of series: a column a label, or one for all when there are too many or they do not fit.
struct SeriesTable {
  std::vector<std::string> columns;              // labels; empty: one column
  std::vector<std::string> heads;                // of the values
  std::vector<std::vector<std::string>> values;  // a row a series
  std::size_t right;                             // how many of the values are aligned to the right
};

std::size_t WidthOf(const SeriesTable& table, const QueryResult& r) {
  std::size_t out = 0;
  for (const std::string& name : table.columns) {
    std::size_t widest = DisplayWidth(name);
    for (const ResultSeries& s : r.series) widest = std::max(widest, DisplayWidth(SafeText(s.labels.Get(name))));
    out += std::min(widest, kNarrowest) + 2;
  }
  for (std::size_t i = 0; i < table.heads.size(); ++i) {
    std::size_t widest = DisplayWidth(table.heads[i]);
    for (const auto& row : table.values) widest = std::max(widest, DisplayWidth(row[i]));
    out += widest + 2;
  }
  return out - 2;
}

std::string Render(SeriesTable table, const QueryResult& r, const RenderOptions& options) {
  const auto max_width = options.fit ? static_cast<std::size_t>(std::max(options.width, 20)) : 0;
  std::vector<std::string> left_out;
  if (max_width > 0 && WidthOf(table, r) > max_width) {
    std::vector<const ResultSeries*> all;
    for (const ResultSeries& s : r.series) all.push_back(&s);
    left_out = ConstantLabels(all);
    std::erase_if(table.columns, [&](const std::string& name) { return std::find(left_out.begin(), left_out.end(), name) != left_out.end(); });
  }
  if (table.columns.size() > kMaxLabelColumns || (max_width > 0 && WidthOf(table, r) > max_width)) table.columns.clear();
  if (table.columns.empty() && max_width > 0 && table.right < table.heads.size() && WidthOf(table, r) + 2 * kNarrowest > max_width) {
    // Too narrow still: do without what stands behind the numbers.
    table.heads.resize(table.right);
    for (auto& row : table.values) row.resize(table.right);
  }
  const bool any_label = std::any_of(r.series.begin(), r.series.end(), [](const ResultSeries& s) { return !s.labels.empty(); });
  std::vector<std::vector<std::string>> rows(1);
  for (const std::string& name : table.columns) rows[0].push_back(name == kMetricName ? "METRIC" : SafeText(name));
  if (table.columns.empty() && any_label) rows[0].emplace_back("SERIES");
  const std::size_t labels = rows[0].size();
  rows[0].insert(rows[0].end(), table.heads.begin(), table.heads.end());
  for (std::size_t i = 0; i < r.series.size(); ++i) {
    auto& row = rows.emplace_back();
    for (const std::string& name : table.columns) row.push_back(SafeText(r.series[i].labels.Get(name)));
    if (table.columns.empty() && any_label) row.push_back(SafeText(NameWithout(r.series[i].labels, left_out)));
    row.insert(row.end(), table.values[i].begin(), table.values[i].end());
  }
  std::string out = RenderTable(rows, labels, labels + table.right, max_width, options.colour);
  if (!left_out.empty()) {
    LabelsBuilder common(r.series[0].labels);
    common.Keep(left_out);
    out += CutText(SafeText("(all: " + common.Build().ToSeries() + ")"), max_width) + "\n";
  }
  return out;
}

std::string RenderVectorTable(const QueryResult& r, const RenderOptions& options) {
  if (r.type == ValueType::kString) return SafeLines(r.text) + "\n";
  if (r.type == ValueType::kScalar) return (r.series.empty() || r.series[0].floats.empty() ? "NaN" : ShortNumber(r.series[0].floats[0].v)) + "\n";
  if (r.series.empty()) return {};
  SeriesTable table{LabelColumns(r), {"VALUE"}, {}, 1};
  for (const ResultSeries& s : r.series)
    table.values.push_back({!s.floats.empty() ? ShortNumber(s.floats[0].v) : s.histograms.empty() ? "" : HistogramSummary(*s.histograms[0].h)});
  return Render(std::move(table), r, options);
}

std::string RenderMatrixTable(const QueryResult& r, const RenderOptions& options) {
  if (r.series.empty()) return {};
  SeriesTable table{LabelColumns(r), {"SAMPLES", "MIN", "MAX", "LAST", ""}, {}, 4};
  const auto spark = static_cast<std::size_t>(std::clamp(options.width / 4, 8, 40));
  for (const ResultSeries& s : r.series) {
    double low = INFINITY, high = -INFINITY;
    for (const FloatSample& f : s.floats)
      if (!std::isnan(f.v)) low = std::min(low, f.v), high = std::max(high, f.v);
    const bool any = low <= high;
    const bool newest_is_float = !s.floats.empty() && (s.histograms.empty() || s.floats.back().t_ms > s.histograms.back().t_ms);
    table.values.push_back({std::to_string(s.floats.size() + s.histograms.size()), any ? ShortNumber(low) : "", any ? ShortNumber(high) : "",
                            newest_is_float ? ShortNumber(s.floats.back().v) : s.histograms.empty() ? "" : HistogramSummary(*s.histograms.back().h),
                            Sparkline(s.floats, spark, options.start_ms, options.end_ms)});
  }
  return Render(std::move(table), r, options);
}

}  // namespace

std::vector<std::string> ConstantLabels(const std::vector<const ResultSeries*>& series) {
  std::vector<std::string> out;
  if (series.size() < 2) return out;
  for (const Label l : series[0]->labels)
    if (std::all_of(series.begin(), series.end(), [&](const ResultSeries* s) { return s->labels.Get(l.name) == l.value; })) out.emplace_back(l.name);
  return out;
}

std::string NameWithout(const Labels& labels, const std::vector<std::string>& names) {
  if (names.empty()) return labels.ToSeries();
  LabelsBuilder rest(labels);
  for (const std::string& n : names) rest.Del(n);
  return rest.Build().ToSeries();
}

Result<OutputForm> ParseOutputForm(std::string_view name) {
  if (name == "table") return OutputForm::kTable;
  if (name == "json") return OutputForm::kJson;
  if (name == "jsonl") return OutputForm::kJsonLines;
  if (name == "csv") return OutputForm::kCsv;
  if (name == "tsv") return OutputForm::kTsv;
  if (name == "prom") return OutputForm::kExposition;
  if (name == "graph") return OutputForm::kGraph;
  return Error{Errc::kInvalid, "unknown output form " + Quote(name) + ": want table, json, jsonl, csv, tsv, prom or graph"};
}

std::string RenderTable(const std::vector<std::vector<std::string>>& rows, std::size_t right_from, std::size_t right_to, std::size_t max_width, bool bold_head) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], DisplayWidth(row[i]));
  }
  std::size_t total = 2 * widths.size() - 2;
  for (const std::size_t w : widths) total += w;
  const auto cut_end = widths.begin() + static_cast<std::ptrdiff_t>(std::min(right_from, widths.size()));
  while (max_width > 0 && total > max_width && cut_end != widths.begin()) {
    const auto widest = std::max_element(widths.begin(), cut_end);
    if (*widest <= kNarrowest) break;
    --*widest;
    --total;
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string cell = CutText(row[i], widths[i]);
      const std::string pad(widths[i] - DisplayWidth(cell), ' ');
      line += i >= right_from && i < right_to ? pad + cell : cell + pad;
      if (i + 1 < row.size()) line += "  ";
    }
    while (!line.empty() && line.back() == ' ') line.pop_back();
    out += bold_head && &row == &rows.front() ? "\x1b[1m" + line + "\x1b[0m\n" : line + '\n';
  }
  return out;
}

Result<std::string> RenderResult(const QueryResult& r, OutputForm form, const RenderOptions& options) {
  switch (form) {
    case OutputForm::kJson: {
      std::string out;
      AppendResultJson(&out, r);
      return out + "\n";
    }
    case OutputForm::kJsonLines: return RenderJsonLines(r);
    case OutputForm::kExposition: return RenderExposition(r);
    case OutputForm::kCsv:
    case OutputForm::kTsv: return RenderDelimited(r, form);
    case OutputForm::kGraph: return RenderGraph(r, options);
    case OutputForm::kTable: break;
  }
  return r.type == ValueType::kMatrix ? RenderMatrixTable(r, options) : RenderVectorTable(r, options);
}

}  // namespace prom::promql
