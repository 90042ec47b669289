// The query log: a JSON object a line for every query that the API has run, with
// upstream's fields: params (query, start, end, step), stats, httpRequest, error.
//
// Thread-safe. Lines are written whole, with one write(2).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/mutex.h"
#include "base/result.h"
#include "promql/engine.h"

namespace prom::api {

struct LoggedQuery {
  std::string_view query;
  std::int64_t start_ms = 0, end_ms = 0, step_ms = 0;
  std::string_view error;  // empty: it went well
  promql::QueryStats stats;
  double queue_seconds = 0, total_seconds = 0;
  std::string_view client, method, path;  // "127.0.0.1", "GET", "/api/v1/query"
};

class QueryLog {
 public:
  QueryLog() = default;
  ~QueryLog();
  QueryLog(const QueryLog&) = delete;
  QueryLog& operator=(const QueryLog&) = delete;
  // From now on lines go to the end of this file, made when missing; empty: nowhere. The same
  // name again opens it anew, so that a rotated file is let go. kIo: the old one stays in use.
  Result<void> SetFile(const std::string& path);
  bool enabled() const;
  // A line that cannot be written is told once on the log, until one can be again.
  void Write(const LoggedQuery& query, std::int64_t now_ms);

 private:
  mutable Mutex mutex_;
  int fd_ GUARDED_BY(mutex_) = -1;
  std::string path_ GUARDED_BY(mutex_);
  bool failing_ GUARDED_BY(mutex_) = false;
};

// The line, with its newline.
std::string QueryLogLine(const LoggedQuery& query, std::int64_t now_ms);

}  // namespace prom::api
