// Query results for people and pipes: tables, graphs, JSON, CSV, TSV and exposition text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "promql/engine.h"
#include "promql/output/text.h"

namespace prom::promql {

enum class OutputForm { kTable, kJson, kJsonLines, kCsv, kTsv, kExposition, kGraph };
// kInvalid names the forms there are.
Result<OutputForm> ParseOutputForm(std::string_view name);

struct RenderOptions {
  int width = 80;      // columns of the terminal
  int height = 16;     // lines of a graph, without its axis and legend, when `rows` is 0
  int rows = 0;        // lines there are for a graph with its axis and legend
  bool colour = false;  // ANSI colours
  bool fit = false;     // cut labels so that no line is wider than `width`
  std::int64_t start_ms = 0, end_ms = 0;  // what was asked for, when known: graphs and sparklines show it whole
};

// Ends with a newline unless it is empty. Tables and graphs show values as 'g' with
// up to 6 digits and make labels harmless (SafeText); the other forms print both exactly.
//
// JSON is the data of the HTTP API; its lines are {"metric":{...},"values":[[t,"v"],...]},
// one a series. CSV and TSV: a head line, then one line a sample: the labels that any series
// has (sorted, __name__ first), timestamp (ms), value. In TSV, tabs, newlines and backslashes
// of labels are \t, \n and \\. Histograms are written as in JSON.
// Errors are those of exposition.h; the other forms have none.
Result<std::string> RenderResult(const QueryResult& result, OutputForm form, const RenderOptions& options);

// Names of labels that all the series have with the same value; none of a single series. They
// tell nothing apart, so they go first where room is short.
std::vector<std::string> ConstantLabels(const std::vector<const ResultSeries*>& series);
// name{...} without those labels.
std::string NameWithout(const Labels& labels, const std::vector<std::string>& names);

// Lines and columns, padded; those from `right_from` on, up to `right_to`, are aligned to
// the right, those before may be cut ("long…name") to stay within `max_width` (0: as wide as it takes). Cells must be safe text.
std::string RenderTable(const std::vector<std::vector<std::string>>& rows, std::size_t right_from, std::size_t right_to, std::size_t max_width, bool bold_head = false);

}  // namespace prom::promql
