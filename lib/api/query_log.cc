#include "api/query_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/io.h"
#include "base/json.h"
#include "base/log.h"
#include "base/time.h"
#include "promql/result_json.h"

namespace prom::api {

namespace {

// With all three digits, as a log wants them.
std::string Millis(std::int64_t ms) {
  std::string out = FormatTimeRfc3339(ms);
  if (ms % 1000 == 0) out.insert(out.size() - 1, ".000");
  return out;
}

}  // namespace

std::string QueryLogLine(const LoggedQuery& q, std::int64_t now_ms) {
  std::string stats;
  promql::AppendStatsJson(&stats, q.stats, q.queue_seconds, q.total_seconds);
  std::string out;
  JsonWriter json(&out);
  json.BeginObject().Field("time", Millis(now_ms)).Field("level", "INFO").Field("msg", "promql query logged");
  json.Key("params").BeginObject().Field("end", Millis(q.end_ms)).Field("query", q.query).Field("start", Millis(q.start_ms)).Field("step", q.step_ms / 1000).EndObject();
  if (!q.error.empty()) json.Field("error", q.error);
  json.Key("stats").Raw(stats);
  json.Key("httpRequest").BeginObject().Field("clientIP", q.client).Field("method", q.method).Field("path", q.path).EndObject();
  json.EndObject();
  return out + "\n";
}

QueryLog::~QueryLog() {
  MutexLock lock(mutex_);
  if (fd_ >= 0) ::close(fd_);
}

Result<void> QueryLog::SetFile(const std::string& path) {
  int fd = -1;
  if (!path.empty()) {
    fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0) return ErrnoError("open", path, errno);
  }
  MutexLock lock(mutex_);
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
  path_ = path;
  failing_ = false;
  return {};
}

bool QueryLog::enabled() const {
  MutexLock lock(mutex_);
  return fd_ >= 0;
}

void QueryLog::Write(const LoggedQuery& query, std::int64_t now_ms) {
  const std::string line = QueryLogLine(query, now_ms);
  MutexLock lock(mutex_);
  if (fd_ < 0) return;
  // O_APPEND: lines of several threads and programs do not mix.
  const bool written = ::write(fd_, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  if (!written && !failing_) LogError("web", "cannot write the query log", {{"file", path_}});
  failing_ = !written;
}

}  // namespace prom::api
