#include "api/open_data.h"

#include <sys/stat.h>

namespace prom::api {

Result<std::shared_ptr<store::DataDir>> OpenDataDir(const std::string& dir) {
  auto data = store::DataDir::Open(SystemIo(), dir);
  if (data) return data;
  struct stat info {};
  if (::stat(dir.c_str(), &info) == 0 && !S_ISDIR(info.st_mode)) return Error{Errc::kNotFound, dir + " is not a directory"};
  if (data.error().code != Errc::kNotFound) return data;
  if (::stat(JoinPath(dir, "wal").c_str(), &info) == 0 && S_ISDIR(info.st_mode) && ::stat(JoinPath(dir, "chunks_head").c_str(), &info) == 0)
    return Error{Errc::kNotFound, dir + " is a data directory of Prometheus itself, not of promstore"};
  return Error{Errc::kNotFound, "no data directory at " + dir + " (promstore append -d " + dir + " makes one)"};
}

}  // namespace prom::api
