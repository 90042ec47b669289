#include <CLI/CLI.hpp>

#include <csignal>
#include <algorithm>
#include <cstdio>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/number.h"
#include "base/signals.h"
#include "base/strings.h"
#include "base/time.h"
#include "promql/parse.h"
#include "store/append_client.h"
#include "store/data_dir.h"
#include "store/dump.h"
#include "store/report.h"
#include "store/service.h"
#include "store/tail.h"
#include "store/verify.h"

namespace {

constexpr const char* kUsage =
    "usage: promstore COMMAND -d DATA [flags]\n"
    "\n"
    "Keeps samples in a data directory (prom-data(5)).\n"
    "\n"
    "  serve     be the writer: take streams on DATA/ingest.sock\n"
    "  append    standard input into the store, through the running writer if there is one\n"
    "  dump      print samples as a stream: dump -d DATA [MATCHER]\n"
    "  tail      print the newest samples; -f: and those that come\n"
    "  ls        list blocks and head\n"
    "  info      a summary of the directory\n"
    "  verify    read everything, report damage\n"
    "  -h, --help (also of a command)  --version\n"
    "\n"
    "  promnode | promstore append -d data\n"
    "  promstore dump -d data 'node_load1{instance=~\"db.*\"}' --start -1h\n"
    "  promstore tail -f -d data up\n"
    "\n"
    "Exit codes: 0 done, 1 failed or samples refused, 2 bad usage, 3 data is corrupt.\n";

constexpr const char* kServeUsage =
    "usage: promstore serve -d DATA [flags]\n"
    "\n"
    "Is the writer of DATA until SIGTERM: takes streams (prom-stream(5)) on DATA/ingest.sock,\n"
    "compacts, and drops what is older than the retention.\n"
    "\n"
    "  -d, --storage.tsdb.path DIR           data directory (data)\n"
    "      --storage.tsdb.retention.time D   how long to keep samples, 0: for ever (15d)\n"
    "      --storage.tsdb.retention.size N   bytes of blocks at most, as 512MB (0: no limit)\n"
    "      --fsync always|D|never            what survives power loss (1s)\n"
    "      --out-of-order-window D           take samples so much older than the newest (0s)\n"
    "      --max-connections N               producers at a time (256)\n"
    "      --run-dir DIR                     state and metrics (DATA/run)\n"
    "      --log.level LEVEL --log.format FORMAT\n"
    "\n"
    "  promstore serve -d data --storage.tsdb.retention.time 30d\n";

constexpr const char* kAppendUsage =
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

constexpr const char* kDumpUsage =
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

constexpr const char* kTailUsage =
    "usage: promstore tail -d DATA [flags] [MATCHER]\n"
    "\n"
    "Prints the newest samples as text (prom-stream(5)), in the order of time.\n"
    "\n"
    "  -d, --storage.tsdb.path DIR   data directory (data)\n"
    "  -n, --samples N               so many (10)\n"
    "  -f, --follow                  go on with those that are committed from now on\n"
    "\n"
    "  promstore tail -f -d data up | grep ' 0 '\n";

constexpr const char* kLsUsage =
    "usage: promstore ls -d DATA [--json]\n"
    "\n"
    "Lists blocks and epochs of the head: level, time range, series, samples, bytes.\n"
    "A table on a terminal, tab-separated in a pipe.\n"
    "\n"
    "  promstore ls -d data | awk '{s += $6} END {print s}'\n";

constexpr const char* kInfoUsage =
    "usage: promstore info -d DATA [--json]\n"
    "\n"
    "Prints a summary of a data directory: writer, series, samples, bytes, times, damage.\n";

constexpr const char* kVerifyUsage =
    "usage: promstore verify -d DATA\n"
    "\n"
    "Reads everything and checks it. One line for each damage: file, offset, series, times.\n"
    "Exit code 3 when there is any. The directory may be in use.\n";

int Fail(const prom::Error& e) {
  std::fprintf(stderr, "promstore: %s\n", e.message.c_str());
  return prom::ExitCode(e.code);
}

prom::Result<void> WriteOut(std::string_view bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) != bytes.size()) return prom::ErrnoError("write", "standard output", errno);
  return {};
}

int Flush() {
  if (std::fflush(stdout) != 0) return Fail(prom::ErrnoError("write", "standard output", errno));
  return 0;
}

void Warn(std::string_view w) { std::fprintf(stderr, "promstore: warning: %.*s\n", static_cast<int>(w.size()), w.data()); }

// What several commands share, as given.
struct Flags {
  std::string data = "data", retention_time = "15d", retention_size = "0", fsync = "1s", window = "0s", run_dir;
  std::string log_level = "info", log_format = "logfmt", matcher, start, end;
  std::vector<std::string> labels;
  std::uint64_t samples = 10;
  std::size_t max_connections = 256;
  bool ack = false, binary = false, follow = false, json = false;
};

prom::Result<std::int64_t> DurationFlag(const char* name, const std::string& text) {
  auto ms = prom::ParseDuration(text);
  if (!ms) return ms.error().Wrap(std::string(name) + ": ");
  return *ms;
}

// Bytes with an optional unit, 1024 a step, as upstream reads them: 512MB, 1.5GiB.
prom::Result<std::uint64_t> SizeFlag(const char* name, const std::string& text) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
  const auto number = prom::ParseFloat(text.substr(0, digits));
  const std::string unit = prom::ToLower(std::string_view(text).substr(digits));
  static constexpr std::string_view kUnits = "bkmgtpe";
  const auto step = unit.empty() ? 0 : kUnits.find(unit[0]);
  const bool good = unit.empty() || unit == "b" || (step != 0 && step != kUnits.npos && (unit.size() == 1 || unit.substr(1) == "b" || unit.substr(1) == "ib"));
  if (!number || !good) return prom::Error{prom::Errc::kInvalid, std::string(name) + ": not a size: " + prom::Quote(text)};
  double bytes = *number;
  for (std::size_t i = 0; i < step; ++i) bytes *= 1024;
  if (bytes >= 9.2e18) return prom::Error{prom::Errc::kInvalid, std::string(name) + ": too large: " + prom::Quote(text)};
  return static_cast<std::uint64_t>(bytes);
}

prom::Result<void> WriterFlags(const Flags& flags, prom::store::WriterOptions* writer, bool* sync) {
  using prom::store::FsyncMode;
  PROM_ASSIGN(writer->head.out_of_order_window_ms, DurationFlag("--out-of-order-window", flags.window));
  *sync = flags.fsync == "always";
  // With `always` every acknowledgement waits for a sync of its own; the one at intervals
  // is for what nobody waits for.
  if (flags.fsync == "never") {
    writer->fsync = FsyncMode::kNever;
  } else if (!*sync) {
    PROM_ASSIGN(writer->fsync_interval_ms, DurationFlag("--fsync", flags.fsync));
    if (writer->fsync_interval_ms <= 0) return prom::Error{prom::Errc::kInvalid, "--fsync: want always, never or an interval above 0"};
  }
  return {};
}

prom::Result<prom::Matchers> MatcherFlag(const Flags& flags) {
  if (flags.matcher.empty()) return prom::Matchers{};
  auto matchers = prom::promql::ParseMetricSelector(flags.matcher);
  if (!matchers) return matchers.error().Wrap("matcher " + prom::Quote(flags.matcher) + ": ");
  return matchers;
}

int Serve(const Flags& flags) {
  prom::store::ServiceOptions options;
  options.data_dir = flags.data;
  options.run_dir = flags.run_dir;
  options.ingest.max_connections = flags.max_connections;
  if (auto done = WriterFlags(flags, &options.writer, &options.ingest.sync); !done) return Fail(done.error());
  auto time = DurationFlag("--storage.tsdb.retention.time", flags.retention_time);
  if (!time) return Fail(time.error());
  auto size = SizeFlag("--storage.tsdb.retention.size", flags.retention_size);
  if (!size) return Fail(size.error());
  options.writer.retention_ms = *time;
  options.writer.retention_bytes = *size;
  options.flags = {{"storage.tsdb.path", flags.data}, {"storage.tsdb.retention.time", flags.retention_time}, {"storage.tsdb.retention.size", flags.retention_size},
                   {"fsync", flags.fsync}, {"out-of-order-window", flags.window}, {"log.level", flags.log_level}, {"log.format", flags.log_format}};
  for (auto done : {prom::SetLogLevel(flags.log_level), prom::SetLogFormat(flags.log_format)})
    if (!done) return Fail(done.error());
  if (auto done = prom::store::RunService(options, prom::SystemClock()); !done) return Fail(done.error());
  return 0;
}

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

int Append(const Flags& flags) {
  constexpr std::uint64_t kMaxShown = 10;
  prom::store::AppendOptions options;
  options.data_dir = flags.data;
  if (auto done = WriterFlags(flags, &options.writer, &options.sync); !done) return Fail(done.error());
  for (const std::string& label : flags.labels) {
    const std::size_t eq = label.find('=');
    if (eq == std::string::npos || !prom::IsValidLabelName(label.substr(0, eq)))
      return Fail({prom::Errc::kInvalid, "--label " + label + ": want NAME=VALUE"});
    options.labels.emplace_back(label.substr(0, eq), label.substr(eq + 1));
  }
  if (flags.ack)
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

int Dump(const Flags& flags) {
  prom::store::DumpOptions options;
  auto matchers = MatcherFlag(flags);
  if (!matchers) return Fail(matchers.error());
  options.matchers = std::move(*matchers);
  const std::int64_t now = prom::SystemClock().NowMs();
  for (const auto& [text, name, out] : {std::tuple(&flags.start, "--start", &options.min_ms), std::tuple(&flags.end, "--end", &options.max_ms)}) {
    if (text->empty()) continue;
    auto t = prom::ParseTimeRelative(*text, now);
    if (!t) return Fail(t.error().Wrap(std::string(name) + ": "));
    *out = *t;
  }
  options.binary = flags.binary;
  std::vector<std::string> said;
  options.on_warning = [&](std::string_view w) {
    said.emplace_back(w);
    Warn(w);
  };
  auto dir = prom::store::DataDir::Open(prom::SystemIo(), flags.data);
  if (!dir) return Fail(dir.error());
  auto parts = (*dir)->OpenParts();
  if (!parts) return Fail(parts.error());
  prom::store::DumpSummary summary;
  if (auto done = prom::store::Dump(*prom::store::DataDir::Merge(**parts), options, WriteOut, &summary); !done) return Fail(done.error());
  // Damage to what all series of a part share has no series to go with.
  const auto shared = prom::store::SharedWarnings(**parts);
  for (const std::string& w : shared)
    if (std::find(said.begin(), said.end(), w) == said.end()) Warn(w);
  summary.warnings += shared.size();
  if (const int failed = Flush(); failed != 0) return failed;
  return summary.warnings != 0 ? 3 : 0;
}

int Tail(const Flags& flags) {
  prom::store::TailOptions options;
  auto matchers = MatcherFlag(flags);
  if (!matchers) return Fail(matchers.error());
  options.matchers = std::move(*matchers);
  options.samples = flags.samples;
  options.follow = flags.follow;
  prom::Signals signals;
  std::signal(SIGPIPE, SIG_DFL);  // as any filter: `promstore tail -f | head` ends quietly
  options.wait = [&](int ms) { return signals.Wait(ms) != prom::SignalEvent::kStop; };
  auto dir = prom::store::DataDir::Open(prom::SystemIo(), flags.data);
  if (!dir) return Fail(dir.error());
  auto write = [](std::string_view bytes) -> prom::Result<void> {
    PROM_TRY(WriteOut(bytes));
    if (std::fflush(stdout) != 0) return prom::ErrnoError("write", "standard output", errno);
    return {};
  };
  if (auto done = prom::store::Tail(**dir, options, prom::SystemClock(), write); !done) return Fail(done.error());
  return Flush();
}

prom::store::ReportForm FormOf(const Flags& flags) {
  using prom::store::ReportForm;
  return flags.json ? ReportForm::kJson : ::isatty(STDOUT_FILENO) != 0 ? ReportForm::kTable : ReportForm::kTsv;
}

int List(const Flags& flags) {
  auto dir = prom::store::DataDir::Open(prom::SystemIo(), flags.data);
  if (!dir) return Fail(dir.error());
  auto parts = prom::store::ListParts(prom::SystemIo(), **dir);
  if (!parts) return Fail(parts.error());
  if (auto done = WriteOut(prom::store::PrintParts(*parts, FormOf(flags))); !done) return Fail(done.error());
  return Flush();
}

int Info(const Flags& flags) {
  auto dir = prom::store::DataDir::Open(prom::SystemIo(), flags.data);
  if (!dir) return Fail(dir.error());
  auto report = prom::store::Inspect(prom::SystemIo(), **dir);
  if (!report) return Fail(report.error());
  const auto form = flags.json ? prom::store::ReportForm::kJson : prom::store::ReportForm::kTable;
  if (auto done = WriteOut(prom::store::PrintInfo(*report, flags.data, form)); !done) return Fail(done.error());
  return Flush();
}

int Verify(const Flags& flags) {
  auto result = prom::store::VerifyDataDir(prom::SystemIo(), flags.data);
  if (!result) return Fail(result.error());
  for (const auto& problem : result->problems) std::printf("%s\n", problem.ToString().c_str());
  if (result->more) std::printf("... and more\n");
  if (const int failed = Flush(); failed != 0) return failed;
  std::fprintf(stderr, "promstore: %llu blocks, %llu epochs, %llu series, %llu samples read: %s\n", static_cast<unsigned long long>(result->blocks),
               static_cast<unsigned long long>(result->epochs), static_cast<unsigned long long>(result->series), static_cast<unsigned long long>(result->samples),
               result->problems.empty() ? "no damage" : (std::to_string(result->problems.size()) + " problems").c_str());
  return result->problems.empty() ? 0 : 3;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"keep samples in a data directory"};
  Flags flags;
  bool help = false, version = false;
  app.set_help_flag();
  app.add_flag("-h,--help", help);
  app.add_flag("--version", version);
  app.require_subcommand(0, 1);

  struct Command {
    const char* name;
    const char* usage;
    int (*run)(const Flags&);
    CLI::App* app = nullptr;
  };
  Command commands[] = {{"serve", kServeUsage, Serve},   {"append", kAppendUsage, Append}, {"dump", kDumpUsage, Dump}, {"tail", kTailUsage, Tail},
                        {"ls", kLsUsage, List},          {"info", kInfoUsage, Info},       {"verify", kVerifyUsage, Verify}};
  for (Command& c : commands) {
    c.app = app.add_subcommand(c.name);
    c.app->set_help_flag();
    c.app->add_flag("-h,--help", help);
    c.app->add_option("-d,--storage.tsdb.path", flags.data);
  }
  CLI::App* const serve = commands[0].app;
  CLI::App* const append = commands[1].app;
  serve->add_option("--storage.tsdb.retention.time", flags.retention_time);
  serve->add_option("--storage.tsdb.retention.size", flags.retention_size);
  serve->add_option("--run-dir", flags.run_dir);
  serve->add_option("--max-connections", flags.max_connections)->check(CLI::Range(1, 10'000));
  serve->add_option("--log.level", flags.log_level);
  serve->add_option("--log.format", flags.log_format);
  for (CLI::App* writer : {serve, append}) {
    writer->add_option("--fsync", flags.fsync);
    writer->add_option("--out-of-order-window", flags.window);
  }
  append->add_option("-l,--label", flags.labels)->allow_extra_args(false);
  append->add_flag("--ack", flags.ack);
  for (CLI::App* reader : {commands[2].app, commands[3].app}) reader->add_option("matcher", flags.matcher);
  commands[2].app->add_option("--start", flags.start);
  commands[2].app->add_option("--end", flags.end);
  commands[2].app->add_flag("-b,--binary", flags.binary);
  commands[3].app->add_option("-n,--samples", flags.samples)->check(CLI::Range(0, 100'000'000));
  commands[3].app->add_flag("-f,--follow", flags.follow);
  for (CLI::App* report : {commands[4].app, commands[5].app}) report->add_flag("--json", flags.json);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    std::fprintf(stderr, "promstore: %s (see --help)\n", e.what());
    return 2;
  }
  const Command* chosen = nullptr;
  for (const Command& c : commands)
    if (c.app->parsed()) chosen = &c;
  if (help) {
    std::fputs(chosen != nullptr ? chosen->usage : kUsage, stdout);
    return 0;
  }
  if (version) {
    std::printf("promstore, version %s\n", std::string(prom::kPromkitVersion).c_str());
    return 0;
  }
  if (chosen == nullptr) {
    std::fprintf(stderr, "promstore: want a command: serve, append, dump, tail, ls, info or verify (see --help)\n");
    return 2;
  }
  return chosen->run(flags);
}
