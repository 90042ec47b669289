#include "base/io.h"
#include "command.h"
#include "foreign.h"
#include "store/data_dir.h"
#include "store/report.h"

namespace {

constexpr const char* kUsage =
    "usage: promstore info -d DATA [--json]\n"
    "\n"
    "Prints a summary of a data directory: writer, series, samples, bytes, times, damage.\n";

class Info : public Command {
 public:
  const char* name() const override { return "info"; }
  const char* usage() const override { return kUsage; }
  void AddFlags(FlagSet& flags) override {
    flags.Switch("--json", &json_);
  }
  bool reads_foreign() const override { return true; }
  int Run() override {
    if (IsForeign(data)) {
      auto text = ForeignInfo(data, json_);
      if (!text) return Fail(text.error());
      if (auto done = WriteOut(*text); !done) return Fail(done.error());
      return Flush();
    }
    auto dir = prom::store::DataDir::Open(prom::SystemIo(), data);
    if (!dir) return Fail(dir.error());
    auto report = prom::store::Inspect(prom::SystemIo(), **dir);
    if (!report) return Fail(report.error());
    const auto form = json_ ? prom::store::ReportForm::kJson : prom::store::ReportForm::kTable;
    if (auto done = WriteOut(prom::store::PrintInfo(*report, data, form)); !done) return Fail(done.error());
    return Flush();
  }

 private:
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeInfo() { return std::make_unique<Info>(); }
