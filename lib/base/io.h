// Io: the one seam through which promkit touches files, so that tests can make
// the Nth call fail (EIO, ENOSPC, short write), drop what was not synced, or stop
// in the middle. Production code takes an Io& and never calls open(2) itself.
//
// Offsets and sizes are bytes. Errors: kNotFound (ENOENT), kNoSpace (ENOSPC,
// EDQUOT), else kIo; the message names the call and the path. An Io may be used
// from many threads; a File by one thread at a time except ReadAt, which may run
// beside anything.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace prom {

// A read-only mapping; unmapped with the object. The bytes are valid as long as
// the file is not truncated, which promkit never does to a file readers may map.
class Mapping {
 public:
  Mapping() = default;
  Mapping(void* base, std::size_t size) : base_(base), size_(size) {}
  ~Mapping();
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  std::string_view bytes() const { return {static_cast<const char*>(base_), size_}; }
  const char* data() const { return static_cast<const char*>(base_); }
  std::size_t size() const { return size_; }

 private:
  void* base_ = nullptr;
  std::size_t size_ = 0;
};

class File {
 public:
  virtual ~File() = default;  // closes
  virtual Result<void> WriteAt(std::uint64_t offset, std::string_view bytes) = 0;  // whole or error
  virtual Result<std::size_t> ReadAt(std::uint64_t offset, char* out, std::size_t size) const = 0;  // short only at end of file
  virtual Result<std::uint64_t> Size() const = 0;
  virtual Result<void> Truncate(std::uint64_t size) = 0;
  virtual Result<void> Allocate(std::uint64_t offset, std::uint64_t size) = 0;  // fallocate, growing the file
  virtual Result<void> Sync() = 0;  // fdatasync; an error means the file can no longer be trusted
  // Maps the first `size` bytes (0: all there is now). May cover room beyond the
  // end of file that later writes fill; touching that room early is SIGBUS.
  virtual Result<Mapping> Map(std::uint64_t size = 0) const = 0;
  // A shared writable mapping of the first `size` bytes (control pages). The file must be that long.
  virtual Result<void*> MapShared(std::uint64_t size) = 0;
  virtual Result<bool> TryLock() = 0;  // flock LOCK_EX|LOCK_NB; false: another process has it
  const std::string& path() const { return path_; }

 protected:
  explicit File(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

struct DirEntry {
  std::string name;
  bool is_dir = false;
};

class Io {
 public:
  enum class Mode {
    kRead,
    kReadWrite,   // must exist
    kCreate,      // read-write; created when not there, contents kept
    kCreateNew,   // read-write; an existing file is an error
    kTruncate,    // read-write; created or emptied
  };
  virtual ~Io() = default;
  virtual Result<std::unique_ptr<File>> Open(const std::string& path, Mode mode) = 0;
  virtual Result<void> Rename(const std::string& from, const std::string& to) = 0;
  virtual Result<void> Link(const std::string& from, const std::string& to) = 0;
  virtual Result<void> Remove(const std::string& path) = 0;  // a file; not there is kNotFound
  virtual Result<void> MakeDir(const std::string& path) = 0;  // already there is fine; mode 0750
  virtual Result<void> RemoveDir(const std::string& path) = 0;  // empty
  virtual Result<void> SyncDir(const std::string& path) = 0;
  virtual Result<std::vector<DirEntry>> List(const std::string& dir) = 0;  // sorted by name, without . and ..
  virtual Result<bool> Exists(const std::string& path) = 0;
  // Of the file system that holds the path: what this process may still write, and its size.
  virtual Result<std::uint64_t> FreeBytes(const std::string& path) = 0;
  virtual Result<std::uint64_t> TotalBytes(const std::string& path) = 0;
};

// The operating system.
Io& SystemIo();

// Helpers over the seam.
// Whole file; kLimit if it is longer than max_bytes; kInvalid if it is not a regular file.
Result<std::string> ReadFile(Io& io, const std::string& path, std::uint64_t max_bytes = 64u << 20);
// tmp + write + sync + rename + sync of the directory: afterwards `path` is old or new, never half.
Result<void> WriteFileAtomic(Io& io, const std::string& path, std::string_view bytes, bool sync = true);
// `path` and all missing parents.
Result<void> MakeDirs(Io& io, const std::string& path);
// Of the files in it, not below. Files may come and go meanwhile.
Result<std::uint64_t> DirBytes(Io& io, const std::string& dir);
// A directory and all in it; not there is fine.
Result<void> RemoveTree(Io& io, const std::string& path);
std::string JoinPath(std::string_view dir, std::string_view name);  // absolute `name` wins
std::string DirName(std::string_view path);
std::string BaseName(std::string_view path);
// An Error for errno after `call` on `path`, with the code that fits.
Error ErrnoError(std::string_view call, std::string_view path, int error);

}  // namespace prom
