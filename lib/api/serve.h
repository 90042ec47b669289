// `promql serve`: the API over a data directory, until a signal says stop.
#pragma once

#include <map>
#include <string>

#include "api/server.h"
#include "base/result.h"

namespace prom::api {

struct ServeOptions {
  std::string data_dir;
  std::string run_dir;  // empty: DATA/run
  std::string config_file;  // prometheus.yml, read again at SIGHUP: global.query_log_file; empty: none
  ServerOptions server;
  std::map<std::string, std::string> flags;  // as given, for the state file
};

// Waits for the data directory to appear, so that it may be started before the store
// has made it; /-/ready says so until then.
Result<void> Serve(ServeOptions options, Clock& clock);

}  // namespace prom::api
