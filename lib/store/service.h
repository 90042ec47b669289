// Service: what `promstore serve` is. The writer of a data directory with its ingest
// socket, its files in the run directory, and the signals that end it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "store/ingest_server.h"
#include "store/writer.h"

namespace prom::store {

struct ServiceOptions {
  std::string data_dir;
  std::string run_dir;   // empty: DATA/run
  WriterOptions writer;  // fsync is kInterval or kNever
  IngestOptions ingest;  // sync: --fsync=always
  std::map<std::string, std::string> flags;  // as given, for the state file
  std::string config_file;                   // likewise; may be empty
  // What files say now; called on SIGHUP, and for the state file's sake empty when no file was given.
  std::function<Result<WriterSettings>()> load_settings;
};

// Until SIGTERM or SIGINT. On SIGHUP the settings are loaded again; on an error the old ones stay.
// kUnavailable: another process writes there.
Result<void> RunService(const ServiceOptions& options, Clock& clock);

}  // namespace prom::store
