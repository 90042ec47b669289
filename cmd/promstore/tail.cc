#include <csignal>
#include <cstdio>

#include "base/io.h"
#include "base/signals.h"
#include "base/time.h"
#include "command.h"
#include "store/data_dir.h"
#include "store/tail.h"

namespace {

constexpr const char* kUsage =
    "usage: promstore tail -d DATA [flags] [MATCHER]\n"
    "\n"
    "Prints the newest samples as text (prom-stream(5)), in the order of time.\n"
    "\n"
    "  -d, --storage.tsdb.path DIR   data directory (data)\n"
    "  -n, --samples N               so many (10)\n"
    "  -f, --follow                  go on with those that are committed from now on\n"
    "      --json                    a line of JSON a sample: metric, timestamp in ms, value\n"
    "\n"
    "  promstore tail -f -d data up | grep ' 0 '\n"
    "  promstore tail -f -d data --json up | jq -r 'select(.value == 0).metric.instance'\n";

class Tail : public Command {
 public:
  const char* name() const override { return "tail"; }
  const char* usage() const override { return kUsage; }
  void AddFlags(FlagSet& flags) override {
    flags.Text("matcher", &matcher_);
    flags.Number("-n,--samples", &samples_, 0, 100'000'000);
    flags.Switch("-f,--follow", &follow_);
    flags.Switch("--json", &json_);
  }
  int Run() override {
    prom::store::TailOptions options;
    auto matchers = MatcherFlag(matcher_);
    if (!matchers) return Fail(matchers.error());
    options.matchers = std::move(*matchers);
    options.samples = samples_;
    options.follow = follow_;
    options.json = json_;
    prom::Signals signals;
    std::signal(SIGPIPE, SIG_DFL);  // as any filter: `promstore tail -f | head` ends quietly
    options.wait = [&](int ms) { return signals.Wait(ms) != prom::SignalEvent::kStop; };
    auto dir = prom::store::DataDir::Open(prom::SystemIo(), data);
    if (!dir) return Fail(dir.error());
    auto write = [](std::string_view bytes) -> prom::Result<void> {
      PROM_TRY(WriteOut(bytes));
      if (std::fflush(stdout) != 0) return prom::ErrnoError("write", "standard output", errno);
      return {};
    };
    if (auto done = prom::store::Tail(**dir, options, prom::SystemClock(), write); !done) return Fail(done.error());
    return Flush();
  }

 private:
  std::string matcher_;
  std::uint64_t samples_ = 10;
  bool follow_ = false, json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeTail() { return std::make_unique<Tail>(); }
