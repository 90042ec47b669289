// Staging: room inside a data directory where a tool that is not the writer makes
// blocks, DATA/staging/<ulid>/. It is on the file system of the data, so that the
// writer takes finished blocks in with a rename; and it is locked while its maker
// lives, so that what a killed maker left is told from work in progress.
#pragma once

#include <memory>
#include <string>

#include "base/io.h"
#include "base/result.h"

namespace prom::store {

class Staging {
 public:
  // Makes the directory, `data_dir` too when it is not there; first removes what dead makers left.
  static Result<std::unique_ptr<Staging>> Make(Io& io, const std::string& data_dir, std::int64_t now_ms);
  ~Staging();  // removes all that was not taken in
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  const std::string& name() const { return name_; }  // "staging/<ulid>", under the data directory
  const std::string& dir() const { return dir_; }    // as WriteBlock's data_dir

 private:
  Staging(Io& io, std::string data_dir, std::string name, std::string dir);
  Io& io_;
  std::string data_dir_, name_, dir_;
  std::unique_ptr<File> lock_;
};

// Removes staging directories whose makers are dead.
Result<void> RemoveDeadStaging(Io& io, const std::string& data_dir);

}  // namespace prom::store
