#include "promql/output/render.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/number.h"
#include "base/strings.h"
#include "base/time.h"
#include "promql/output/graph.h"
#include "promql/result_json.h"

namespace prom::promql {
namespace {

constexpr std::size_t kMaxLabelColumns = 6;

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

std::vector<std::string> LabelCells(const ResultSeries& s, const std::vector<std::string>& columns) {
  if (columns.size() > kMaxLabelColumns) return {s.labels.ToSeries()};
  std::vector<std::string> out;
  for (const std::string& name : columns) out.emplace_back(s.labels.Get(name));
  return out;
}

std::vector<std::string> HeadCells(const std::vector<std::string>& columns) {
  if (columns.size() > kMaxLabelColumns) return {"SERIES"};
  std::vector<std::string> out;
  for (const std::string& name : columns) out.push_back(name == kMetricName ? "METRIC" : name);
  return out;
}

std::string RenderVectorTable(const QueryResult& r) {
  if (r.type == ValueType::kString) return r.text + "\n";
  if (r.type == ValueType::kScalar) return (r.series.empty() || r.series[0].floats.empty() ? "NaN" : ShortNumber(r.series[0].floats[0].v)) + "\n";
  if (r.series.empty()) return {};
  const auto columns = LabelColumns(r);
  std::vector<std::vector<std::string>> rows{HeadCells(columns)};
  rows[0].emplace_back("VALUE");
  for (const ResultSeries& s : r.series) {
    rows.push_back(LabelCells(s, columns));
    rows.back().push_back(!s.floats.empty() ? ShortNumber(s.floats[0].v) : s.histograms.empty() ? "" : HistogramText(s.histograms[0]));
  }
  return RenderTable(rows, true);
}

std::string RenderMatrixTable(const QueryResult& r, const RenderOptions& options) {
  if (r.series.empty()) return {};
  const auto columns = LabelColumns(r);
  std::vector<std::vector<std::string>> rows{HeadCells(columns)};
  for (const char* name : {"SAMPLES", "MIN", "MAX", "LAST", ""}) rows[0].emplace_back(name);
  const auto spark = static_cast<std::size_t>(std::clamp(options.width / 4, 8, 40));
  for (const ResultSeries& s : r.series) {
    double low = INFINITY, high = -INFINITY;
    for (const FloatSample& f : s.floats)
      if (!std::isnan(f.v)) low = std::min(low, f.v), high = std::max(high, f.v);
    rows.push_back(LabelCells(s, columns));
    auto& row = rows.back();
    row.push_back(std::to_string(s.floats.size() + s.histograms.size()));
    const bool any = low <= high;
    row.push_back(any ? ShortNumber(low) : "");
    row.push_back(any ? ShortNumber(high) : "");
    row.push_back(s.floats.empty() ? "" : ShortNumber(s.floats.back().v));
    row.push_back(Sparkline(s.floats, spark));
  }
  return RenderTable(rows, false);
}

}  // namespace

Result<OutputForm> ParseOutputForm(std::string_view name) {
  if (name == "table") return OutputForm::kTable;
  if (name == "json") return OutputForm::kJson;
  if (name == "csv") return OutputForm::kCsv;
  if (name == "tsv") return OutputForm::kTsv;
  if (name == "graph") return OutputForm::kGraph;
  return Error{Errc::kInvalid, "unknown output form " + Quote(name) + ": want table, json, csv, tsv or graph"};
}

std::size_t DisplayWidth(std::string_view utf8) {
  return static_cast<std::size_t>(std::count_if(utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string RenderTable(const std::vector<std::vector<std::string>>& rows, bool right_last) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], DisplayWidth(row[i]));
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string pad(widths[i] - DisplayWidth(row[i]), ' ');
      const bool last = i + 1 == row.size();
      // Control characters of a label must not reach the terminal.
      std::string cell;
      for (char c : row[i]) cell += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
      line += last && right_last ? pad + cell : cell + pad;
      if (!last) line += "  ";
    }
    while (!line.empty() && line.back() == ' ') line.pop_back();
    out += line + '\n';
  }
  return out;
}

std::string RenderResult(const QueryResult& r, OutputForm form, const RenderOptions& options) {
  switch (form) {
    case OutputForm::kJson: {
      std::string out;
      AppendResultJson(&out, r);
      return out + "\n";
    }
    case OutputForm::kCsv:
    case OutputForm::kTsv: return RenderDelimited(r, form);
    case OutputForm::kGraph: return RenderGraph(r, options);
    case OutputForm::kTable: break;
  }
  return r.type == ValueType::kMatrix ? RenderMatrixTable(r, options) : RenderVectorTable(r);
}

}  // namespace prom::promql
