#include "base/io.h"
#include "base/json.h"
#include "base/time.h"
#include "command.h"
#include "store/data_dir.h"
#include "store/report.h"
#include "store/requests.h"

namespace {

constexpr const char* kUsage =
    "usage: promstore compact -d DATA [--json]\n"
    "\n"
    "Now, through the running store or without one: makes blocks of what is in the head, drops\n"
    "deleted samples from the disk (no undelete after that), merges small blocks and those\n"
    "that overlap, as imports do. A running store does all of this by itself in time.\n"
    "\n"
    "  -d, --storage.tsdb.path DIR   data directory (data)\n"
    "\n"
    "  promstore compact -d data\n";

class Compact : public Command {
 public:
  const char* name() const override { return "compact"; }
  const char* usage() const override { return kUsage; }
  void AddFlags(FlagSet& flags) override { flags.Switch("--json", &json_); }
  int Run() override {
    if (auto dir = prom::store::DataDir::Open(prom::SystemIo(), data); !dir) return Fail(dir.error());
    auto access = prom::store::WriterAccess::Open(prom::SystemIo(), prom::SystemClock(), data, {});
    if (!access) return Fail(access.error());
    auto s = (*access)->Compact();
    if (!s) return Fail(s.error());
    if (auto done = (*access)->Close(); !done) return Fail(done.error());
    std::string out;
    if (json_) {
      prom::JsonWriter(&out).BeginObject().Field("blocks_before", s->blocks_before).Field("blocks", s->blocks_after).Field("bytes_before", s->bytes_before).Field("bytes", s->bytes_after).EndObject();
    } else {
      out = std::to_string(s->blocks_before) + " blocks of " + prom::store::HumanBytes(s->bytes_before) + " became " + std::to_string(s->blocks_after) + " of " + prom::store::HumanBytes(s->bytes_after);
    }
    if (auto done = WriteOut(out + "\n"); !done) return Fail(done.error());
    return Flush();
  }

 private:
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeCompact() { return std::make_unique<Compact>(); }
