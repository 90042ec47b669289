#include <algorithm>
#include <cstdio>

#include "base/io.h"
#include "base/json.h"
#include "base/signals.h"
#include "base/strings.h"
#include "base/time.h"
#include "command.h"
#include "progress.h"
#include "store/data_dir.h"
#include "store/report.h"
#include "transfer/export.h"

namespace {

constexpr const char* kUsage =
    "usage: promstore export -d DATA --format FORMAT [flags] [MATCHER]\n"
    "\n"
    "Prints samples for other programs, or writes blocks of Prometheus. Values keep their bits;\n"
    "what a format has no words for is left out, and said.\n"
    "\n"
    "  -d, --storage.tsdb.path DIR   data directory (data)\n"
    "      --format FORMAT           prometheus (text, times in ms), openmetrics, jsonl (as\n"
    "                                VictoriaMetrics exports), csv, tsdb (openmetrics)\n"
    "      --start T --end T         times: 1700000000, 2026-01-02T15:04:05Z, now, -1h\n"
    "  -o, --output DIR              tsdb: where the blocks go\n"
    "      --json                    a summary as JSON; of text on standard error\n"
    "\n"
    "  promstore export -d data --format csv 'node_load1' --start -1d > load.csv\n"
    "  promstore export -d data --format tsdb -o /var/lib/prometheus/metrics2\n"
    "  promstore export -d data --format jsonl | curl -T - vm:8428/api/v1/import\n";

class Export : public Command {
 public:
  const char* name() const override { return "export"; }
  const char* usage() const override { return kUsage; }
  void AddFlags(FlagSet& flags) override {
    flags.Text("matcher", &matcher_);
    flags.Text("--format", &format_);
    range_.Add(flags);
    flags.Text("-o,--output", &output_);
    flags.Switch("--json", &json_);
  }
  int Run() override {
    prom::transfer::ExportOptions options;
    const auto format = prom::transfer::ParseExportFormat(format_);
    if (!format) return Fail({prom::Errc::kInvalid, "--format: want prometheus, openmetrics, jsonl, csv or tsdb, not " + prom::Quote(format_)});
    options.format = *format;
    const bool blocks = *format == prom::transfer::ExportFormat::kTsdb;
    if (blocks == output_.empty()) return Fail({prom::Errc::kInvalid, blocks ? "--format tsdb wants a directory: -o DIR" : "-o is for --format tsdb; text goes to standard output"});
    options.dir = output_;
    auto matchers = MatcherFlag(matcher_);
    if (!matchers) return Fail(matchers.error());
    options.matchers = std::move(*matchers);
    if (auto done = range_.Parse(&options.min_ms, &options.max_ms); !done) return Fail(done.error());
    std::vector<std::string> said;
    options.on_warning = [&](std::string_view w) {
      said.emplace_back(w);
      Warn(w);
    };
    prom::Signals signals;
    bool stopped = false;
    options.canceled = [&] {
      stopped = stopped || signals.Wait(0) == prom::SignalEvent::kStop;
      return stopped;
    };
    auto dir = prom::store::DataDir::Open(prom::SystemIo(), data);
    if (!dir) return Fail(dir.error());
    auto parts = (*dir)->OpenParts();
    if (!parts) return Fail(parts.error());
    prom::transfer::ExportSummary s;
    {
      Progress progress("exporting", 1000);
      options.on_progress = [&](std::uint64_t done, std::uint64_t total, std::uint64_t samples) { progress.Show(total == 0 ? 0 : done * 1000 / total, std::to_string(samples) + " samples"); };
      if (auto done = prom::transfer::RunExport(prom::SystemIo(), *prom::store::DataDir::Merge(**parts), options, WriteOut, &s); !done) return Fail(done.error());
    }
    for (const std::string& w : prom::store::SharedWarnings(**parts)) {
      ++s.warnings;
      if (std::find(said.begin(), said.end(), w) == said.end()) Warn(w);
    }
    if (const int failed = Flush(); failed != 0) return failed;
    Report(s, blocks);
    return s.warnings != 0 ? 3 : 0;
  }

 private:
  void Report(const prom::transfer::ExportSummary& s, bool blocks) const {
    if (json_) {
      std::string out;
      prom::JsonWriter json(&out);
      json.BeginObject().Field("series", s.series).Field("samples", s.samples).Field("blocks", s.blocks).Key("left_out").BeginObject();
      json.Field("stale_markers", s.stale_markers).Field("histograms", s.histograms).Field("exemplars", s.exemplars).Field("start_timestamps", s.start_timestamps);
      json.EndObject().Field("nan_payloads_changed", s.nan_payloads).EndObject();
      std::fprintf(blocks ? stdout : stderr, "%s\n", out.c_str());
      return;
    }
    std::string left_out;
    const auto add = [&](std::uint64_t n, const char* what) {
      if (n == 0) return;
      left_out += (left_out.empty() ? "" : ", ") + std::to_string(n) + " " + what;
    };
    add(s.stale_markers, "stale markers");
    add(s.histograms, "native histograms");
    add(s.exemplars, "exemplars");
    add(s.start_timestamps, "start timestamps");
    if (!left_out.empty()) std::fprintf(stderr, "promstore: left out, as %s has no words for them: %s\n", format_.c_str(), left_out.c_str());
    if (s.nan_payloads != 0) std::fprintf(stderr, "promstore: %llu unusual NaN were written as the ordinary one\n", static_cast<unsigned long long>(s.nan_payloads));
    if (blocks) std::fprintf(stderr, "promstore: %llu samples in %llu blocks\n", static_cast<unsigned long long>(s.samples), static_cast<unsigned long long>(s.blocks));
  }

  std::string matcher_, format_ = "openmetrics", output_;
  TimeRangeFlags range_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeExport() { return std::make_unique<Export>(); }
