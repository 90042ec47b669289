#include <cstdio>

#include "base/io.h"
#include "base/json.h"
#include "base/time.h"
#include "command.h"
#include "store/data_dir.h"
#include "store/deletion.h"
#include "store/report.h"
#include "store/requests.h"

namespace {

constexpr const char* kUsage =
    "usage: promstore delete -d DATA [flags] MATCHER...\n"
    "\n"
    "Deletes the samples of series that match one of the matchers, also while a store is\n"
    "running. They are hidden at once, and gone when their block is compacted; until then\n"
    "promstore undelete brings them back.\n"
    "\n"
    "  -d, --storage.tsdb.path DIR   data directory (data)\n"
    "      --start T --end T         only in this range: 1700000000, 2026-01-02T15:04:05Z, -1h\n"
    "  -n, --dry-run                 only say how many series, samples and bytes that is\n"
    "      --json                    say it as JSON\n"
    "\n"
    "  promstore delete -d data --dry-run '{job=\"test\"}'\n"
    "  promstore delete -d data 'up{instance=\"old:9100\"}' --end -30d\n";

class Delete : public Command {
 public:
  const char* name() const override { return "delete"; }
  const char* usage() const override { return kUsage; }
  void AddFlags(FlagSet& flags) override {
    flags.List("matchers", &matchers_);
    range_.Add(flags);
    flags.Switch("-n,--dry-run", &dry_run_);
    flags.Switch("--json", &json_);
  }
  int Run() override {
    std::vector<prom::Matchers> any_of;
    if (matchers_.empty()) return Fail({prom::Errc::kInvalid, "delete: want a MATCHER, as 'up{job=\"test\"}' (see --help)"});
    for (const std::string& text : matchers_) {
      if (text.empty()) return Fail({prom::Errc::kInvalid, "matcher \"\": would be all series"});
      auto matchers = MatcherFlag(text);
      if (!matchers) return Fail(matchers.error());
      any_of.push_back(std::move(*matchers));
    }
    std::int64_t min_ms = prom::kMinTimeMs, max_ms = prom::kMaxTimeMs;
    if (auto done = range_.Parse(&min_ms, &max_ms); !done) return Fail(done.error());
    if (min_ms > max_ms) return Fail({prom::Errc::kInvalid, "--end is before --start"});
    auto dir = prom::store::DataDir::Open(prom::SystemIo(), data);
    if (!dir) return Fail(dir.error());
    auto parts = (*dir)->OpenParts();
    if (!parts) return Fail(parts.error());
    auto size = prom::store::MeasureDeletion(prom::SystemIo(), data, **parts, any_of, min_ms, max_ms);
    if (!size) return Fail(size.error());
    std::uint64_t id = 0;
    if (!dry_run_ && size->samples != 0) {
      auto access = prom::store::WriterAccess::Open(prom::SystemIo(), prom::SystemClock(), data, {});
      if (!access) return Fail(access.error());
      auto deleted = (*access)->Delete(any_of, min_ms, max_ms);
      if (!deleted) return Fail(deleted.error());
      id = *deleted;
      if (auto done = (*access)->Close(); !done) return Fail(done.error());
    }
    return Report(*size, id);
  }

 private:
  int Report(const prom::store::DeletionSize& size, std::uint64_t id) const {
    std::string out;
    if (json_) {
      prom::JsonWriter json(&out);
      json.BeginObject().Field("series", size.series).Field("samples", size.samples).Field("bytes", size.bytes).Field("deleted", id != 0);
      if (id != 0) json.Field("id", id);
      json.EndObject();
    } else {
      out = std::to_string(size.series) + " series, " + std::to_string(size.samples) + " samples, about " + prom::store::HumanBytes(size.bytes);
      out += dry_run_ ? " would be deleted" : size.samples == 0 ? ": nothing to delete" : " deleted; undo: promstore undelete -d " + data + " " + std::to_string(id);
    }
    if (auto done = WriteOut(out + "\n"); !done) return Fail(done.error());
    return Flush();
  }

  std::vector<std::string> matchers_;
  TimeRangeFlags range_;
  bool dry_run_ = false, json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeDelete() { return std::make_unique<Delete>(); }
