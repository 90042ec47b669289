#include <cstdio>

#include "base/io.h"
#include "command.h"
#include "store/verify.h"

namespace {

constexpr const char* kUsage =
    "usage: promstore verify -d DATA\n"
    "\n"
    "Reads everything and checks it. One line for each damage: file, offset, series, times.\n"
    "Exit code 3 when there is any. The directory may be in use.\n";

class Verify : public Command {
 public:
  const char* name() const override { return "verify"; }
  const char* usage() const override { return kUsage; }
  int Run() override {
    auto result = prom::store::VerifyDataDir(prom::SystemIo(), data);
    if (!result) return Fail(result.error());
    for (const auto& problem : result->problems) std::printf("%s\n", problem.ToString().c_str());
    if (result->more) std::printf("... and more\n");
    if (const int failed = Flush(); failed != 0) return failed;
    std::fprintf(stderr, "promstore: %llu blocks, %llu epochs, %llu series, %llu samples read: %s\n", static_cast<unsigned long long>(result->blocks),
                 static_cast<unsigned long long>(result->epochs), static_cast<unsigned long long>(result->series), static_cast<unsigned long long>(result->samples),
                 result->problems.empty() ? "no damage" : (std::to_string(result->problems.size()) + " problems").c_str());
    return result->problems.empty() ? 0 : 3;
  }
};

}  // namespace

std::unique_ptr<Command> MakeVerify() { return std::make_unique<Verify>(); }
