#include <cstdio>

#include "base/io.h"
#include "base/json.h"
#include "base/signals.h"
#include "base/time.h"
#include "command.h"
#include "progress.h"
#include "store/report.h"
#include "store/snapshot.h"

namespace {

constexpr const char* kUsage =
    "usage: promstore snapshot DIR -d DATA [--json]\n"
    "\n"
    "Makes DIR, a copy of DATA as it is at one moment, also while a store is running: blocks as\n"
    "hard links, which take no room (copies on another file system), the head as a block.\n"
    "DIR is a data directory itself: query it, or copy it where it is to be restored.\n"
    "\n"
    "  -d, --storage.tsdb.path DIR   data directory (data)\n"
    "\n"
    "  promstore snapshot -d data backup && tar cf backup.tar backup\n"
    "  promstore snapshot -d backup restored\n";

class Snapshot : public Command {
 public:
  const char* name() const override { return "snapshot"; }
  const char* usage() const override { return kUsage; }
  void AddFlags(FlagSet& flags) override {
    flags.Text("to", &to_);
    flags.Switch("--json", &json_);
  }
  int Run() override {
    if (to_.empty()) return Fail({prom::Errc::kInvalid, "snapshot: want a DIR to make (see --help)"});
    prom::Signals signals;
    prom::store::SnapshotOptions options;
    bool stopped = false;
    options.canceled = [&] {
      stopped = stopped || signals.Wait(0) == prom::SignalEvent::kStop;
      return stopped;
    };
    prom::Result<prom::store::SnapshotSummary> s = prom::Error{};
    {
      Progress progress("blocks", 0);
      options.on_progress = [&](std::uint64_t done, std::uint64_t total) { progress.Show(done, prom::store::HumanBytes(done) + " of " + prom::store::HumanBytes(total)); };
      s = prom::store::MakeSnapshot(prom::SystemIo(), prom::SystemClock(), data, to_, options);
    }
    if (!s) return Fail(s.error());
    for (const std::string& w : s->warnings) Warn(w);
    std::string out;
    if (json_) {
      prom::JsonWriter(&out).BeginObject().Field("directory", to_).Field("blocks", s->blocks).Field("linked", s->linked).Field("copied", s->copied).Field("head_samples", s->head_samples).Field("bytes", s->bytes).EndObject();
    } else {
      out = to_ + ": " + std::to_string(s->linked) + " blocks linked, " + std::to_string(s->copied) + " copied, " + std::to_string(s->head_samples) + " samples of the head as a block";
    }
    if (s->copied != 0) std::fprintf(stderr, "promstore: %s is on another file system, or one without hard links: blocks were copied\n", to_.c_str());
    if (auto done = WriteOut(out + "\n"); !done) return Fail(done.error());
    if (const int failed = Flush(); failed != 0) return failed;
    return s->warnings.empty() ? 0 : 3;
  }

 private:
  std::string to_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeSnapshot() { return std::make_unique<Snapshot>(); }
