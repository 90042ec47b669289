// Query results for people and pipes: tables, graphs, CSV and TSV.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "promql/engine.h"

namespace prom::promql {

enum class OutputForm { kTable, kJson, kCsv, kTsv, kGraph };
// kInvalid names the forms there are.
Result<OutputForm> ParseOutputForm(std::string_view name);

struct RenderOptions {
  int width = 80;      // columns of the terminal
  int height = 16;     // lines of a graph, without its axis
  bool colour = false;  // ANSI colours for graph lines
  bool fit = false;     // cut labels so that no line is wider than `width`
};

// Ends with a newline unless it is empty. Tables and graphs show
// values as 'g' with up to 6 digits; CSV, TSV and JSON exactly.
//
// CSV and TSV: a head line, then one line a sample: the labels that any series has
// (sorted, __name__ first), timestamp (ms), value. In TSV, tabs, newlines and
// backslashes of labels are \t, \n and \\. Histograms are written as in JSON.
std::string RenderResult(const QueryResult& result, OutputForm form, const RenderOptions& options);

// Lines and columns, padded; those from `right_from` on, up to `right_to`, are aligned to
// the right, those before may be cut ("long…name") to stay within `max_width` (0: as wide as it takes).
std::string RenderTable(const std::vector<std::vector<std::string>>& rows, std::size_t right_from, std::size_t right_to, std::size_t max_width);

// At most `width` characters of it: both ends, with an ellipsis for what is missing between.
// The ends are what tells series apart.
std::string CutText(std::string_view utf8, std::size_t width);

// Display width: code points, which is right for what labels usually hold.
std::size_t DisplayWidth(std::string_view utf8);

}  // namespace prom::promql
