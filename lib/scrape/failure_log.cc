#include "scrape/failure_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/io.h"
#include "base/json.h"
#include "base/log.h"
#include "base/time.h"

namespace prom::scrape {

FailureLog::~FailureLog() {
  for (const auto& [path, fd] : files_) ::close(fd);
}

void FailureLog::SetFiles(const std::set<std::string>& paths) {
  std::map<std::string, int> opened;
  for (const std::string& path : paths) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) {
      LogError("scrape", "cannot open the scrape failure log", {{"err", ErrnoError("open", path, errno).message}});
      continue;
    }
    opened.emplace(path, fd);
  }
  MutexLock lock(mutex_);
  files_.swap(opened);
  for (const auto& [path, fd] : opened) ::close(fd);
}

void FailureLog::Write(const std::string& path, std::int64_t t_ms, std::string_view job, std::string_view url, std::string_view error) {
  std::string line;
  JsonWriter json(&line);
  json.BeginObject().Field("time", FormatTimeRfc3339(t_ms)).Field("level", "ERROR").Field("msg", error).Field("job_name", job).Field("target", url).EndObject();
  line += '\n';
  MutexLock lock(mutex_);
  const auto it = files_.find(path);
  // One call, so that lines of several processes do not mix. A full disk costs the line.
  if (it != files_.end()) (void)!::write(it->second, line.data(), line.size());
}

}  // namespace prom::scrape
