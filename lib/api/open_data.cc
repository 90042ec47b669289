#include "api/open_data.h"

#include <sys/stat.h>

#include "store/data_dir.h"
#include "tsdb/tsdb_dir.h"

namespace prom::api {

Result<std::shared_ptr<QueryableSource>> OpenDataDir(const std::string& dir) {
  auto data = store::DataDir::Open(SystemIo(), dir);
  if (data) return std::shared_ptr<QueryableSource>(std::move(*data));
  struct stat info {};
  if (::stat(dir.c_str(), &info) == 0 && !S_ISDIR(info.st_mode)) return Error{Errc::kNotFound, dir + " is not a directory"};
  if (data.error().code != Errc::kNotFound) return std::move(data.error());
  if (tsdb::DetectDir(SystemIo(), dir) != tsdb::DirKind::kNone) {
    PROM_ASSIGN(auto upstream, tsdb::TsdbDir::Open(SystemIo(), dir));
    return std::shared_ptr<QueryableSource>(std::move(upstream));
  }
  return Error{Errc::kNotFound, "no data directory at " + dir + " (promstore append -d " + dir + " makes one)"};
}

bool IsPrometheusDir(const std::string& dir) {
  return !store::DataDir::Open(SystemIo(), dir) && tsdb::DetectDir(SystemIo(), dir) != tsdb::DirKind::kNone;
}

}  // namespace prom::api
