// One command of promstore: what its flags are, what --help prints, what it does.
// Each stands in a file of its own, <command>.cc, and is named once, in main.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/matcher.h"
#include "store/writer.h"

// The flags of a command. It stands between the commands and CLI11, which costs each
// file that includes it three seconds of compilation.
class FlagSet {
 public:
  virtual ~FlagSet() = default;
  // `names` as in "-n,--samples"; without a dash, a positional argument.
  virtual void Text(const char* names, std::string* out) = 0;
  virtual void List(const char* names, std::vector<std::string>* out) = 0;  // may be given more than once
  virtual void Number(const char* names, std::uint64_t* out, std::uint64_t min, std::uint64_t max) = 0;
  virtual void Switch(const char* names, bool* out) = 0;
};

class Command {
 public:
  virtual ~Command() = default;
  virtual const char* name() const = 0;
  virtual const char* usage() const = 0;  // what --help prints: one screen, with examples
  virtual void AddFlags(FlagSet&) {}
  virtual int Run() = 0;  // the exit code
  // Works on Prometheus's own data directory, too; all others refuse one.
  virtual bool reads_foreign() const { return false; }

  std::string data = "data";  // -d, which every command has
};

std::unique_ptr<Command> MakeServe();
std::unique_ptr<Command> MakeAppend();
std::unique_ptr<Command> MakeDump();
std::unique_ptr<Command> MakeTail();
std::unique_ptr<Command> MakeList();
std::unique_ptr<Command> MakeInfo();
std::unique_ptr<Command> MakeVerify();
std::unique_ptr<Command> MakeImport();
std::unique_ptr<Command> MakeExport();
std::unique_ptr<Command> MakeAnalyze();
std::unique_ptr<Command> MakeDelete();
std::unique_ptr<Command> MakeUndelete();
std::unique_ptr<Command> MakeCompact();
std::unique_ptr<Command> MakeRelabel();
std::unique_ptr<Command> MakeSnapshot();

// ---- What several commands need ---------------------------------------------

// Says what went wrong; the exit code that goes with it.
int Fail(const prom::Error& e);
void Warn(std::string_view warning);
// To standard output. Flush ends a command that printed: 0, or the exit code after saying why.
prom::Result<void> WriteOut(std::string_view bytes);
int Flush();
bool OnTerminal(int fd);

prom::Result<std::int64_t> DurationFlag(const char* name, const std::string& text);
// Bytes with an optional unit, 1024 a step, as upstream reads them: 512MB, 1.5GiB.
prom::Result<std::uint64_t> SizeFlag(const char* name, const std::string& text);
// All series when `text` is empty.
prom::Result<prom::Matchers> MatcherFlag(const std::string& text);

// --start and --end.
struct TimeRangeFlags {
  std::string start, end;
  void Add(FlagSet& flags);
  // Leaves *min_ms and *max_ms where a flag is not given.
  prom::Result<void> Parse(std::int64_t* min_ms, std::int64_t* max_ms) const;
};

// --fsync and --out-of-order-window, of those who may become the writer.
struct WriterFlags {
  std::string fsync = "1s", window = "0s";
  void Add(FlagSet& flags);
  // *sync: an acknowledgement waits for the disk (--fsync=always).
  prom::Result<void> Parse(prom::store::WriterOptions* writer, bool* sync) const;
};
