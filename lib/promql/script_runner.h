// Runs upstream's test scripts (.test files): load, clear, eval instant, eval
// range, with all forms of expect. Conditions are those of upstream's driver:
// experimental syntax and functions on, names removed at the end of a query,
// start timestamps used, lookback 5m, values equal within 1e-6. An instant
// evaluation is repeated with @ on all selectors at other times, and inside a
// range query.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace prom::promql {

struct ScriptCase {
  int line = 0;  // of the command, from 1
  std::string text;
  bool passed = false;
  std::string message;  // why not
};

struct ScriptResult {
  std::string file;
  std::vector<ScriptCase> cases;  // evaluations, and commands that could not be read
  std::size_t passed = 0, failed = 0;
};

// `file` only names the script in messages.
ScriptResult RunScript(std::string_view text, std::string_view file);
// kNotFound, kIo.
Result<ScriptResult> RunScriptFile(const std::string& path);

}  // namespace prom::promql
