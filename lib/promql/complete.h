// Completion: what may stand at the end of an expression that is being typed, and
// whether what was typed so far is a whole one.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace prom::promql {

// Where names come from. Each may answer with nothing.
class CompletionNames {
 public:
  virtual ~CompletionNames() = default;
  virtual std::vector<std::string> Metrics() = 0;
  // `metric` may be empty: of all series.
  virtual std::vector<std::string> LabelNames(std::string_view metric) = 0;
  virtual std::vector<std::string> LabelValues(std::string_view label, std::string_view metric) = 0;
};

struct Completion {
  std::size_t start = 0;           // byte where the word that is being typed begins
  std::vector<std::string> words;  // whole words that begin with it, sorted; "rate(", "job=", a value escaped for its quotes
};
// `text` ends at the cursor.
Completion Complete(std::string_view text, CompletionNames& names);

// More must follow: an open bracket, brace, parenthesis or quote, or an operator at the end.
bool WantsMore(std::string_view text);

}  // namespace prom::promql
