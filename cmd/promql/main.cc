// promql: flags -> Options -> one command.
#include <CLI/CLI.hpp>

#include <array>
#include <cstdio>
#include <cstring>

#include "base/log.h"
#include "base/metrics.h"
#include "base/strings.h"
#include "command.h"
#include "help.h"

namespace {

using namespace prom;
using namespace prom::cli;

struct Command {
  const char* name;
  int (*run)(const Options&);
  const char* flags;  // long names that it takes beside --help and --log.*
};
constexpr const char* kEngineFlags = " lookback-delta timeout max-samples max-memory threads enable-feature";
constexpr Command kCommands[] = {
    {"query", RunQuery, "data url http.config.file time start end step output watch color stats"},
    {"labels", RunLabels, "data url http.config.file start end output"},
    {"values", RunValues, "data url http.config.file start end output"},
    {"series", RunSeries, "data url http.config.file start end output"},
    {"metrics", RunMetrics, "data url http.config.file start end output color"},
    {"buckets", RunBuckets, "data url http.config.file start end output color"},
    {"fmt", RunFormat, "file set delete"},
    {"check", RunCheck, "data url http.config.file file json"},
    {"explain", RunExplain, "data time start end step output json analyze"},
    {"test", RunTests, ""},
    {"serve", RunServe, "data web.listen-address web.enable-lifecycle run-dir config.file query.max-concurrency"},
};
bool TakesEngineFlags(std::string_view name) { return name == "query" || name == "explain" || name == "serve"; }

const Command* FindCommand(std::string_view name) {
  for (const Command& c : kCommands)
    if (c.name == name) return &c;
  return nullptr;
}

// A value that begins with a dash ("--start -1h", "-t -5m") would be taken for a flag: joined here.
std::vector<std::string> JoinTimes(int argc, char** argv) {
  static constexpr std::array<std::string_view, 4> kTimes = {"--time", "--start", "--end", "-t"};
  std::vector<std::string> out;
  for (int i = 1; i < argc; ++i) {
    std::string arg = argv[i];
    if (arg == "--") {
      out.insert(out.end(), argv + i, argv + argc);
      break;
    }
    const bool time = std::find(kTimes.begin(), kTimes.end(), arg) != kTimes.end();
    if (time && i + 1 < argc && argv[i + 1][0] == '-' && std::strspn(argv[i + 1] + 1, "0123456789") > 0) arg = (arg == "-t" ? "--time" : arg) + "=" + argv[++i];
    out.push_back(std::move(arg));
  }
  std::reverse(out.begin(), out.end());  // as CLI11 wants them
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"PromQL"};
  Options o;
  std::string log_level = "info", log_format = "logfmt";
  std::vector<std::string> words;
  bool help = false, version = false;
  app.set_help_flag();
  app.add_flag("-h,--help", help);
  app.add_flag("--version", version);
  app.add_option("-d,--data,--storage.tsdb.path", o.data);
  app.add_option("--url,--server", o.url);
  app.add_option("--http.config.file", o.http_config);
  app.add_option("-t,--time", o.times.time);
  app.add_option("--start", o.times.start);
  app.add_option("--end", o.times.end);
  app.add_option("--step", o.times.step);
  app.add_option("-o,--output", o.output);
  app.add_option("--watch", o.watch);
  app.add_option("--color,--colour", o.colour);
  app.add_flag("--stats", o.stats);
  app.add_flag("--analyze", o.analyze);
  app.add_flag("--json", o.json);
  app.add_option("-f,--file", o.files)->allow_extra_args(false);
  app.add_option("--set", o.set_matchers)->allow_extra_args(false);
  app.add_option("--delete", o.delete_matchers)->allow_extra_args(false);
  app.add_option("--lookback-delta,--query.lookback-delta", o.lookback);
  app.add_option("--timeout,--query.timeout", o.timeout);
  app.add_option("--max-samples,--query.max-samples", o.max_samples)->check(CLI::PositiveNumber);
  app.add_option("--max-memory,--query.max-memory", o.max_memory)->transform(CLI::AsSizeValue(false));
  app.add_option("--threads,--query.threads", o.threads)->check(CLI::Range(0, promql::kMaxThreads));
  app.add_option("--query.max-concurrency", o.max_concurrency)->check(CLI::Range(1, 1000));
  app.add_option("--enable-feature", o.features)->allow_extra_args(false);
  app.add_option("--web.listen-address", o.listen)->allow_extra_args(false);
  app.add_flag("--web.enable-lifecycle", o.lifecycle);
  app.add_option("--run-dir", o.run_dir);
  app.add_option("--config.file", o.config_file);
  app.add_option("--log.level", log_level);
  app.add_option("--log.format", log_format);
  app.add_option("args", words);
  try {
    app.parse(JoinTimes(argc, argv));
  } catch (const CLI::ParseError& e) {
    std::fprintf(stderr, "promql: %s (see --help)\n", e.what());
    return 2;
  }
  const Command* command = words.empty() ? nullptr : FindCommand(words[0]);
  if (help) return Print(HelpOf(command == nullptr ? "" : command->name));
  if (version) return Print("promql, version " + std::string(kPromkitVersion) + "\n");
  for (auto done : {SetLogLevel(log_level), SetLogFormat(log_format)})
    if (!done) return Fail(done.error());
  if (command != nullptr) words.erase(words.begin());
  else command = FindCommand("query");
  o.args = std::move(words);
  o.data_given = app.count("--data") > 0;
  o.lookback_given = app.count("--lookback-delta") > 0;
  // A flag that would have no effect is an error.
  const std::string taken = std::string(" ") + command->flags + (TakesEngineFlags(command->name) ? kEngineFlags : "") + " help version log.level log.format args ";
  for (const CLI::Option* option : app.get_options()) {
    if (option->count() == 0) continue;
    std::string name = option->get_lnames().empty() ? option->get_name() : option->get_lnames()[0];
    if (taken.find(" " + name + " ") == std::string::npos) return Fail({Errc::kInvalid, std::string(command->name) + " does not take --" + name + " (see promql " + command->name + " --help)"});
  }
  if (!o.url.empty()) {
    for (const char* name : {"--data", "--max-samples", "--max-memory", "--threads", "--enable-feature"})
      if (app.count(name) > 0) return Fail({Errc::kInvalid, std::string(name) + " does not go with --url: the server decides"});
  } else if (!o.http_config.empty()) {
    return Fail({Errc::kInvalid, "--http.config.file needs --url"});
  }
  return command->run(o);
}
