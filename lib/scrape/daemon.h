// The daemon: scrape loops from prometheus.yml until a signal says stop. SIGHUP
// reads the configuration again; an error keeps the old one in force.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/result.h"
#include "base/time.h"

namespace prom::scrape {

struct DaemonOptions {
  std::string config_file = "prometheus.yml";
  std::string data_dir;  // the store's; empty: samples go to standard output
  std::string run_dir;   // empty: DATA/run, or none without a data directory
  bool binary = false;   // standard output: binary frames rather than text
  std::uint64_t spool_bytes = 256u << 20;
  std::size_t workers = 2;
  std::map<std::string, std::string> flags;  // as given, for the state file
};

// Returns when told to stop. kInvalid: the configuration, at start.
Result<void> RunDaemon(const DaemonOptions& options, Clock& clock);

}  // namespace prom::scrape
