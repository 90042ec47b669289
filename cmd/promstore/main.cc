#include <CLI/CLI.hpp>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "command.h"
#include "foreign.h"

namespace {

constexpr const char* kUsage =
    "usage: promstore COMMAND -d DATA [flags]\n"
    "\n"
    "Keeps samples in a data directory (prom-data(5)).\n"
    "\n"
    "  serve     be the writer: take streams on DATA/ingest.sock\n"
    "  append    standard input into the store, through the running writer if there is one\n"
    "  import    a history from a file: any age, any order, several formats\n"
    "  export    samples for other programs, or blocks of Prometheus\n"
    "  dump      print samples as a stream: dump -d DATA [MATCHER]\n"
    "  tail      print the newest samples; -f: and those that come\n"
    "  ls        list blocks and head\n"
    "  info      a summary of the directory\n"
    "  analyze   where series and bytes come from\n"
    "  verify    read everything, report damage\n"
    "  delete    samples, undelete takes that back; compact: for good, and now\n"
    "  relabel   what is stored: other labels, by rules\n"
    "  snapshot  a copy of one moment, as hard links\n"
    "  -h, --help (also of a command)  --version\n"
    "\n"
    "  promnode | promstore append -d data\n"
    "  promstore dump -d data 'node_load1{instance=~\"db.*\"}' --start -1h\n"
    "  promstore tail -f -d data up\n"
    "\n"
    "Exit codes: 0 done, 1 failed or samples refused, 2 bad usage, 3 data is corrupt.\n";

class CliFlags : public FlagSet {
 public:
  explicit CliFlags(CLI::App* app) : app_(app) {}
  void Text(const char* names, std::string* out) override { app_->add_option(names, *out); }
  void List(const char* names, std::vector<std::string>* out) override { app_->add_option(names, *out)->allow_extra_args(names[0] != '-'); }
  void Number(const char* names, std::uint64_t* out, std::uint64_t min, std::uint64_t max) override {
    app_->add_option(names, *out)->check(CLI::Range(min, max));
  }
  void Switch(const char* names, bool* out) override { app_->add_flag(names, *out); }

 private:
  CLI::App* app_;
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"keep samples in a data directory"};
  bool help = false, version = false;
  app.set_help_flag();
  app.add_flag("-h,--help", help);
  app.add_flag("--version", version);
  app.require_subcommand(0, 1);

  struct Entry {
    std::unique_ptr<Command> command;
    CLI::App* app;
  };
  std::vector<Entry> entries;
  for (const auto make : {MakeServe, MakeAppend, MakeDump, MakeTail, MakeList, MakeInfo, MakeVerify, MakeImport, MakeExport, MakeAnalyze, MakeDelete, MakeUndelete, MakeCompact, MakeRelabel, MakeSnapshot}) {
    auto command = make();
    CLI::App* sub = app.add_subcommand(command->name());
    sub->set_help_flag();
    sub->add_flag("-h,--help", help);
    sub->add_option("-d,--storage.tsdb.path", command->data);
    CliFlags flags(sub);
    command->AddFlags(flags);
    entries.push_back({std::move(command), sub});
  }

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    std::fprintf(stderr, "promstore: %s (see --help)\n", e.what());
    return 2;
  }
  Command* chosen = nullptr;
  for (const Entry& e : entries)
    if (e.app->parsed()) chosen = e.command.get();
  if (help) {
    std::fputs(chosen != nullptr ? chosen->usage() : kUsage, stdout);
    return 0;
  }
  if (version) {
    std::printf("promstore, version %s\n", std::string(prom::kPromkitVersion).c_str());
    return 0;
  }
  if (chosen == nullptr) {
    std::string names;
    for (std::size_t i = 0; i < entries.size(); ++i) names += (i == 0 ? "" : i + 1 == entries.size() ? " or " : ", ") + std::string(entries[i].command->name());
    std::fprintf(stderr, "promstore: want a command: %s (see --help)\n", names.c_str());
    return 2;
  }
  if (!chosen->reads_foreign() && IsForeign(chosen->data)) {
    std::fprintf(stderr, "promstore: %s is a data directory of Prometheus itself, which promstore only reads: dump, ls and info work on it, %s does not\n",
                 chosen->data.c_str(), chosen->name());
    return 2;
  }
  return chosen->Run();
}
