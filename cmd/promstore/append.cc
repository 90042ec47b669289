#include <algorithm>
#include <cstdio>

#include "base/signals.h"
#include "base/time.h"
#include "command.h"
#include "model/labels.h"
#include "store/append_client.h"

namespace {

constexpr const char* kUsage =
    "usage: promstore append -d DATA [flags] < STREAM\n"
    "\n"
    "Stores a stream of standard input: exposition text, or text or binary of prom-stream(5).\n"
    "A line without a time gets the time at which its page began to arrive. Goes through the\n"
    "running writer of DATA if there is one; makes DATA when it is not there.\n"
    "\n"
    "  -d, --storage.tsdb.path DIR   data directory (data)\n"
    "  -l, --label NAME=VALUE        set on every series; may be given more than once\n"
    "      --ack                     print \"ack N\" once the first N lines are safe\n"
    "      --fsync always|D|never    what survives power loss (1s)\n"
    "      --out-of-order-window D   take samples so much older than the newest (0s)\n"
    "\n"
    "  promscrape localhost:9100 | promstore append -d data --label site=home\n";

std::string Kinds(const prom::store::AppendSummary& s) {
  if (!s.kinds_known) return "out of order, too old or their time is taken";
  std::string out;
  const auto add = [&](std::uint64_t n, const char* what) {
    if (n == 0) return;
    if (!out.empty()) out += ", ";
    out += std::to_string(n) + " " + what;
  };
  add(s.out_of_order, "out of order");
  add(s.duplicates, "another value at a time that is taken");
  add(s.too_old, "too old");
  const std::uint64_t rest = s.refused - std::min(s.refused, s.out_of_order + s.duplicates + s.too_old);
  add(rest, "malformed histograms");
  return out;
}

class Append : public Command {
 public:
  const char* name() const override { return "append"; }
  const char* usage() const override { return kUsage; }
  void AddFlags(FlagSet& flags) override {
    writer_.Add(flags);
    flags.List("-l,--label", &labels_);
    flags.Switch("--ack", &ack_);
  }
  int Run() override {
    constexpr std::uint64_t kMaxShown = 10;
    prom::store::AppendOptions options;
    options.data_dir = data;
    if (auto done = writer_.Parse(&options.writer, &options.sync); !done) return Fail(done.error());
    for (const std::string& label : labels_) {
      const std::size_t eq = label.find('=');
      if (eq == std::string::npos || !prom::IsValidLabelName(label.substr(0, eq)))
        return Fail({prom::Errc::kInvalid, "--label " + label + ": want NAME=VALUE"});
      options.labels.emplace_back(label.substr(0, eq), label.substr(eq + 1));
    }
    if (ack_)
      options.on_ack = [](std::uint64_t n) {
        std::printf("ack %llu\n", static_cast<unsigned long long>(n));
        std::fflush(stdout);
      };
    std::uint64_t refused = 0;
    options.on_refused_line = [&](std::uint64_t line, std::string_view reason) {
      if (++refused <= kMaxShown) std::fprintf(stderr, "promstore: line %llu: %.*s\n", static_cast<unsigned long long>(line), static_cast<int>(reason.size()), reason.data());
    };
    options.on_warning = Warn;
    prom::Signals signals;
    options.signals = &signals;
    prom::store::AppendSummary s;
    auto done = prom::store::RunAppend(options, prom::SystemClock(), &s);
    if (s.refused_lines > kMaxShown) std::fprintf(stderr, "promstore: %llu further lines refused\n", static_cast<unsigned long long>(s.refused_lines - kMaxShown));
    if (s.refused != 0)
      std::fprintf(stderr, "promstore: %llu of %llu samples refused: %s\n", static_cast<unsigned long long>(s.refused),
                   static_cast<unsigned long long>(s.refused + s.accepted), Kinds(s).c_str());
    if (!done) return Fail(done.error());
    return s.refused_lines != 0 || s.refused != 0 ? 1 : 0;
  }

 private:
  WriterFlags writer_;
  std::vector<std::string> labels_;
  bool ack_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeAppend() { return std::make_unique<Append>(); }
