// Reads the small files of /proc and /sys, again and again. A file of procfs or
// sysfs is opened once and then read with pread: that is a third of the price of
// open + read + close. Files elsewhere (test fixtures, lxcfs) may be replaced
// under their name, so they are opened each time.
//
// Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace prom::node {

// Where files are read into. One buffer serves many files, one after the other.
class ReadBuffer {
 public:
  static constexpr std::size_t kMaxBytes = 16u << 20;

 private:
  friend class ProcFile;
  std::unique_ptr<char[]> data_;
  std::size_t capacity_ = 0;
};

class ProcFile {
 public:
  explicit ProcFile(std::string path) : path_(std::move(path)) {}
  ~ProcFile() { Close(); }
  ProcFile(ProcFile&& other) noexcept;
  ProcFile& operator=(ProcFile&& other) noexcept;

  // The whole file; the view lives until the buffer is used again.
  // kNotFound: no such file, device or process. kUnsupported: the kernel has the
  // file but not the feature (EOPNOTSUPP). kLimit: over ReadBuffer::kMaxBytes.
  Result<std::string_view> Read(ReadBuffer* buffer);
  // The content without blanks around it, as a number.
  Result<std::uint64_t> ReadUint(ReadBuffer* buffer);
  const std::string& path() const { return path_; }

 private:
  void Close();
  Error Failed(const char* call, int error);

  std::string path_;
  int fd_ = -1;
  bool keep_ = false;
};

// Names in a directory, sorted, that are `prefix` and then a digit and more
// (glob "prefix[0-9]*"). Empty when there is no such directory.
std::vector<std::string> ListNumbered(const std::string& dir, std::string_view prefix);

}  // namespace prom::node
