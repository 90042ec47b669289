// FailureLog: the file of scrape_failure_log_file, one line of JSON for each scrape that fails:
// {"time":"2026-01-02T15:04:05.123Z","level":"ERROR","msg":...,"job_name":...,"target":...}
//
// Several jobs may share one file; it is opened for appending. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "base/mutex.h"
#include "base/result.h"

namespace prom::scrape {

class FailureLog {
 public:
  ~FailureLog();
  // Opens these files, again those that were open: a rotated file is left behind. One that
  // cannot be opened is named in the log and not written to.
  void SetFiles(const std::set<std::string>& paths);
  void Write(const std::string& path, std::int64_t t_ms, std::string_view job, std::string_view url, std::string_view error);

 private:
  Mutex mutex_;
  std::map<std::string, int> files_ GUARDED_BY(mutex_);  // descriptors
};

}  // namespace prom::scrape
