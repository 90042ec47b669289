// promql test: runs test scripts.
#include <cstdio>

#include "command.h"
#include "promql/script_runner.h"

namespace prom::cli {

int RunTests(const Options& o) {
  if (o.args.empty()) return Fail({Errc::kInvalid, "test: want at least one FILE"});
  std::size_t passed = 0, failed = 0;
  for (const std::string& file : o.args) {
    auto result = promql::RunScriptFile(file);
    if (!result) {
      Warn(result.error().message);
      ++failed;
      continue;
    }
    for (const auto& c : result->cases)
      if (!c.passed) std::printf("%s:%d: %s: %s\n", result->file.c_str(), c.line, c.text.c_str(), c.message.c_str());
    passed += result->passed;
    failed += result->failed;
  }
  std::printf("%zu passed, %zu failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}

}  // namespace prom::cli
