#include "base/io.h"
#include "command.h"
#include "foreign.h"
#include "store/data_dir.h"
#include "store/report.h"

namespace {

constexpr const char* kUsage =
    "usage: promstore ls -d DATA [--json]\n"
    "\n"
    "Lists blocks and epochs of the head: level, time range, series, samples, bytes.\n"
    "A table on a terminal, tab-separated in a pipe.\n"
    "\n"
    "  promstore ls -d data | awk '{s += $6} END {print s}'\n";

class List : public Command {
 public:
  const char* name() const override { return "ls"; }
  const char* usage() const override { return kUsage; }
  void AddFlags(FlagSet& flags) override {
    flags.Switch("--json", &json_);
  }
  bool reads_foreign() const override { return true; }
  int Run() override {
    using prom::store::ReportForm;
    auto parts = Parts();
    if (!parts) return Fail(parts.error());
    if (auto done = WriteOut(prom::store::PrintParts(*parts, json_ ? ReportForm::kJson : OnTerminal(1) ? ReportForm::kTable : ReportForm::kTsv)); !done) return Fail(done.error());
    return Flush();
  }

 private:
  prom::Result<std::vector<prom::store::PartReport>> Parts() const {
    if (IsForeign(data)) {
      PROM_ASSIGN(const auto foreign, OpenForeign(data));
      return ListForeign(*foreign);
    }
    PROM_ASSIGN(const auto dir, prom::store::DataDir::Open(prom::SystemIo(), data));
    return prom::store::ListParts(prom::SystemIo(), *dir);
  }

  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeList() { return std::make_unique<List>(); }
