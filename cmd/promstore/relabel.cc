#include <cstdio>

#include "base/io.h"
#include "base/json.h"
#include "base/signals.h"
#include "base/strings.h"
#include "base/time.h"
#include "command.h"
#include "config/relabel_file.h"
#include "progress.h"
#include "store/data_dir.h"
#include "transfer/relabel_history.h"

namespace {

constexpr const char* kUsage =
    "usage: promstore relabel -d DATA --config FILE [flags] [MATCHER]\n"
    "\n"
    "Gives what is stored other labels, or drops it, by the rules under relabel_configs in\n"
    "FILE, also while a store is running. All of it is in force at once at the end; a stopped\n"
    "relabel changes nothing. There is no undo: look at --dry-run, and make a snapshot first.\n"
    "\n"
    "  -d, --storage.tsdb.path DIR   data directory (data)\n"
    "      --config FILE             the rules, as a scrape job of prometheus.yml has them\n"
    "      --start T --end T         only samples in this range; MATCHER: only these series\n"
    "  -n, --dry-run                 only list the series that would change: old and new labels,\n"
    "                                samples; tab-separated in a pipe, - for what is dropped\n"
    "      --json                    list and summary as JSON\n"
    "\n"
    "  promstore relabel -d data --config rules.yml --dry-run\n"
    "  promstore snapshot -d data before && promstore relabel -d data --config rules.yml '{job=\"node\"}'\n";

class RelabelCommand : public Command {
 public:
  const char* name() const override { return "relabel"; }
  const char* usage() const override { return kUsage; }
  void AddFlags(FlagSet& flags) override {
    flags.Text("matcher", &matcher_);
    flags.Text("--config", &config_);
    range_.Add(flags);
    flags.Switch("-n,--dry-run", &dry_run_);
    flags.Switch("--json", &json_);
  }
  int Run() override {
    prom::transfer::RelabelOptions options;
    if (auto done = Parse(&options); !done) return Fail(done.error());
    prom::Signals signals;
    bool stopped = false;
    options.canceled = [&] {
      stopped = stopped || signals.Wait(0) == prom::SignalEvent::kStop;
      return stopped;
    };
    if (dry_run_ && !json_ && !OnTerminal(1))
      if (auto done = WriteOut("FROM\tTO\tSAMPLES\n"); !done) return Fail(done.error());
    if (dry_run_) options.on_change = [this](const prom::Labels& from, const prom::Labels* to, std::uint64_t samples) { Change(from, to, samples); };
    auto s = Execute(&options);
    if (!s) return Fail(s.error());
    return Report(*s);
  }

 private:
  prom::Result<void> Parse(prom::transfer::RelabelOptions* options) const {
    if (config_.empty()) return prom::Error{prom::Errc::kInvalid, "relabel: want --config FILE with relabel_configs (see --help)"};
    options->data_dir = data;
    PROM_ASSIGN(options->job.rules, prom::config::LoadRelabelFile(config_));
    PROM_ASSIGN(options->job.matchers, MatcherFlag(matcher_));
    PROM_TRY(range_.Parse(&options->job.min_ms, &options->job.max_ms));
    if (options->job.min_ms > options->job.max_ms) return prom::Error{prom::Errc::kInvalid, "--end is before --start"};
    return {};
  }

  prom::Result<prom::transfer::RelabelSummary> Execute(prom::transfer::RelabelOptions* options) const {
    std::unique_ptr<Progress> progress;
    std::string shown;
    options->on_progress = [&](const char* what, std::uint64_t done, std::uint64_t total) {
      if (shown != what) {
        progress.reset();  // takes its line away before the next one is begun
        progress = std::make_unique<Progress>(shown = what, total);
      }
      progress->Show(done, std::to_string(done) + " samples");
    };
    if (!dry_run_) return prom::transfer::RelabelHistory(prom::SystemIo(), prom::SystemClock(), *options);
    PROM_ASSIGN(const auto dir, prom::store::DataDir::Open(prom::SystemIo(), data));
    PROM_ASSIGN(const auto parts, dir->OpenParts());
    return prom::transfer::MeasureRelabel(*parts, *options);
  }

  void Change(const prom::Labels& from, const prom::Labels* to, std::uint64_t samples) {
    if (json_) {
      changes_.BeginObject().Key("from");
      AppendLabels(from);
      changes_.Key("to");
      if (to != nullptr) AppendLabels(*to);
      else changes_.Null();
      changes_.Field("samples", samples).EndObject();
    } else if (!wrote_) {
      return;  // said at the end
    } else if (OnTerminal(1)) {
      wrote_ = WriteOut(from.ToSeries() + " -> " + (to != nullptr ? to->ToSeries() : "dropped") + "\n");
    } else {
      wrote_ = WriteOut(from.ToSeries() + "\t" + (to != nullptr ? to->ToSeries() : "-") + "\t" + std::to_string(samples) + "\n");
    }
  }

  void AppendLabels(const prom::Labels& labels) {
    changes_.BeginObject();
    for (const prom::Label l : labels) changes_.Field(l.name, l.value);
    changes_.EndObject();
  }

  int Report(const prom::transfer::RelabelSummary& s) {
    if (json_) {
      std::string out;
      prom::JsonWriter json(&out);
      json.BeginObject().Field("series", s.series).Field("changed", s.changed).Field("changed_samples", s.changed_samples);
      json.Field("dropped", s.dropped).Field("dropped_samples", s.dropped_samples).Field("merged", s.merged).Field("overlaps", s.overlaps);
      if (dry_run_) json.Key("changes").Raw("[" + changes_text_ + "]");
      else json.Field("blocks", s.blocks).Field("through_writer", s.through_writer);
      json.EndObject();
      if (auto done = WriteOut(out + "\n"); !done) return Fail(done.error());
      return Flush();
    }
    const bool nothing = s.changed == 0 && s.dropped == 0;
    std::string out = std::to_string(s.series) + " series, " + std::to_string(s.changed) + " changed (" + std::to_string(s.changed_samples) + " samples), " +
                      std::to_string(s.dropped) + " dropped (" + std::to_string(s.dropped_samples) + " samples)";
    if (s.merged != 0) out += ", " + std::to_string(s.merged) + " merged into others (" + std::to_string(s.overlaps) + " samples at times that these have, too)";
    if (nothing) out += ": nothing to do";
    else if (dry_run_) out += ", if it were not a dry run";
    else out += "; " + std::to_string(s.blocks) + " blocks written anew";
    if (dry_run_) {  // standard output is the list
      if (!wrote_) return Fail(wrote_.error());
      if (const int failed = Flush(); failed != 0) return failed;
      std::fprintf(stderr, "promstore: %s\n", out.c_str());
      return 0;
    }
    if (auto done = WriteOut(out + "\n"); !done) return Fail(done.error());
    return Flush();
  }

  std::string matcher_, config_;
  TimeRangeFlags range_;
  bool dry_run_ = false, json_ = false;
  prom::Result<void> wrote_;
  std::string changes_text_;
  prom::JsonWriter changes_{&changes_text_};
};

}  // namespace

std::unique_ptr<Command> MakeRelabel() { return std::make_unique<RelabelCommand>(); }
