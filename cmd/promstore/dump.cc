#include <algorithm>

#include "base/io.h"
#include "command.h"
#include "foreign.h"
#include "store/data_dir.h"
#include "store/dump.h"
#include "store/report.h"
#include "tsdb/part.h"

namespace {

constexpr const char* kUsage =
    "usage: promstore dump -d DATA [flags] [MATCHER]\n"
    "\n"
    "Prints samples as a stream (prom-stream(5)), sorted by series.\n"
    "\n"
    "  -d, --storage.tsdb.path DIR   data directory (data)\n"
    "      --start T --end T         times: 1700000000, 2026-01-02T15:04:05Z, now, -1h\n"
    "  -b, --binary                  binary frames\n"
    "\n"
    "  promstore dump -d data 'up{job=\"node\"}' --start -1h\n"
    "  promstore dump -b -d old | promstore append -d new\n";

class Dump : public Command {
 public:
  const char* name() const override { return "dump"; }
  const char* usage() const override { return kUsage; }
  void AddFlags(FlagSet& flags) override {
    flags.Text("matcher", &matcher_);
    range_.Add(flags);
    flags.Switch("-b,--binary", &binary_);
  }
  bool reads_foreign() const override { return true; }
  int Run() override {
    prom::store::DumpOptions options;
    auto matchers = MatcherFlag(matcher_);
    if (!matchers) return Fail(matchers.error());
    options.matchers = std::move(*matchers);
    if (auto done = range_.Parse(&options.min_ms, &options.max_ms); !done) return Fail(done.error());
    options.binary = binary_;
    std::vector<std::string> said;
    options.on_warning = [&](std::string_view w) {
      said.emplace_back(w);
      Warn(w);
    };
    prom::store::DumpSummary summary;
    std::vector<std::string> shared;  // damage to what all series of a part share has no series to go with
    if (IsForeign(data)) {
      auto parts = OpenForeign(data);
      if (!parts) return Fail(parts.error());
      if (auto done = prom::store::Dump(*(*parts)->all, options, WriteOut, &summary); !done) return Fail(done.error());
      shared = (*parts)->warnings;
    } else {
      auto dir = prom::store::DataDir::Open(prom::SystemIo(), data);
      if (!dir) return Fail(dir.error());
      auto parts = (*dir)->OpenParts();
      if (!parts) return Fail(parts.error());
      if (auto done = prom::store::Dump(*prom::store::DataDir::Merge(**parts), options, WriteOut, &summary); !done) return Fail(done.error());
      shared = prom::store::SharedWarnings(**parts);
    }
    for (const std::string& w : shared)
      if (std::find(said.begin(), said.end(), w) == said.end()) Warn(w);
    summary.warnings += shared.size();
    if (const int failed = Flush(); failed != 0) return failed;
    return summary.warnings != 0 ? 3 : 0;
  }

 private:
  std::string matcher_;
  TimeRangeFlags range_;
  bool binary_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeDump() { return std::make_unique<Dump>(); }
