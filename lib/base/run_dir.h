// The run directory, contract 3, prom-run(5): small files by which the programs
// of one data directory see each other. Each file has one writer, which writes a
// temporary name and renames it; readers never see half a file.
//
//   <tool>.json  pid, start, version, flags, configuration, last reload and its error
//   <tool>.prom  the tool's own metrics, text format
//   others       targets.json, ...: whatever a tool publishes under its own name
//
// Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/io.h"
#include "base/mutex.h"
#include "base/result.h"

namespace prom {

struct ToolState {
  std::string tool;        // "promscrape"
  std::int64_t pid = 0;
  std::int64_t start_ms = 0;
  std::string version;
  std::string listen_address;  // host:port, or empty
  std::map<std::string, std::string> flags;
  std::string config_file;     // as given, or empty
  std::string config_yaml;     // what is in force, secrets masked
  bool reload_ok = true;
  std::int64_t reload_ms = 0;       // of the last attempt
  std::uint64_t reload_count = 0;   // attempts so far; lets a waiter see the answer to its SIGHUP
  std::string reload_error;         // of the last attempt, or empty
  bool ready = false;
};

class RunDir {
 public:
  explicit RunDir(std::string dir, Io& io = SystemIo()) : dir_(std::move(dir)), io_(io) {}
  Result<void> Create();  // makes the directory
  Result<void> PublishState(const ToolState& state);
  Result<void> PublishMetrics(std::string_view tool, std::string_view text);
  Result<void> Publish(std::string_view file, std::string_view bytes);
  Result<void> Remove(std::string_view file);

  // kNotFound: that tool has not run here. kCorrupt: not a state file.
  Result<ToolState> ReadState(std::string_view tool) const;
  std::vector<ToolState> ReadStates() const;  // all *.json that are state files
  Result<std::string> Read(std::string_view file) const;
  // Is the process of this state still the one that wrote it?
  static bool IsAlive(const ToolState& state);
  const std::string& dir() const { return dir_; }

 private:
  std::string dir_;
  Io& io_;
};

}  // namespace prom
