#include "base/io.h"
#include "base/time.h"
#include "command.h"
#include "store/analyze.h"
#include "store/data_dir.h"

namespace {

constexpr const char* kUsage =
    "usage: promstore analyze -d DATA [flags] [MATCHER]\n"
    "\n"
    "Where series and bytes come from: metrics and label pairs by series, labels by values,\n"
    "metrics and series by bytes, and how series come and go over time.\n"
    "A table on a terminal; in a pipe tab-separated, each line with the name of its list in\n"
    "front. Reads everything in the range. Bytes are estimated: the share of a block by the\n"
    "number of values that change.\n"
    "\n"
    "  -d, --storage.tsdb.path DIR   data directory (data)\n"
    "  -n, --top N                   rows of each list (20)\n"
    "      --start T --end T         only samples in this range\n"
    "      --json\n"
    "\n"
    "  promstore analyze -d data -n 5\n"
    "  promstore analyze -d data | awk -F'\\t' '$1 == \"label\" {print $2, $5}'\n"
    "  promstore analyze -d data --start -1d '{job=\"kubernetes-pods\"}' --json\n";

class Analyze : public Command {
 public:
  const char* name() const override { return "analyze"; }
  const char* usage() const override { return kUsage; }
  void AddFlags(FlagSet& flags) override {
    flags.Text("matcher", &matcher_);
    range_.Add(flags);
    flags.Number("-n,--top", &top_, 0, 10'000'000);
    flags.Switch("--json", &json_);
  }
  int Run() override {
    using prom::store::ReportForm;
    prom::store::AnalyzeOptions options;
    auto matchers = MatcherFlag(matcher_);
    if (!matchers) return Fail(matchers.error());
    options.matchers = std::move(*matchers);
    options.min_ms = prom::kMinTimeMs;
    options.max_ms = prom::kMaxTimeMs;
    options.top = top_;
    if (auto done = range_.Parse(&options.min_ms, &options.max_ms); !done) return Fail(done.error());
    auto dir = prom::store::DataDir::Open(prom::SystemIo(), data);
    if (!dir) return Fail(dir.error());
    auto parts = (*dir)->OpenParts();
    if (!parts) return Fail(parts.error());
    auto analysis = prom::store::Analyze(prom::SystemIo(), data, **parts, options);
    if (!analysis) return Fail(analysis.error());
    for (const std::string& w : analysis->warnings) Warn(w);
    const auto form = json_ ? ReportForm::kJson : OnTerminal(1) ? ReportForm::kTable : ReportForm::kTsv;
    if (auto done = WriteOut(prom::store::PrintAnalysis(*analysis, form)); !done) return Fail(done.error());
    if (const int failed = Flush(); failed != 0) return failed;
    return analysis->warnings.empty() ? 0 : 3;
  }

 private:
  std::string matcher_;
  TimeRangeFlags range_;
  std::uint64_t top_ = 20;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeAnalyze() { return std::make_unique<Analyze>(); }
