#include "node/proc_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/io.h"
#include "base/number.h"
#include "base/strings.h"

namespace prom::node {

ProcFile::ProcFile(ProcFile&& other) noexcept : path_(std::move(other.path_)), fd_(other.fd_), keep_(other.keep_) { other.fd_ = -1; }

ProcFile& ProcFile::operator=(ProcFile&& other) noexcept {
  if (this != &other) {
    Close();
    path_ = std::move(other.path_);
    fd_ = other.fd_;
    keep_ = other.keep_;
    other.fd_ = -1;
  }
  return *this;
}

void ProcFile::Close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Error ProcFile::Failed(const char* call, int error) {
  Close();
  Error e = ErrnoError(call, path_, error);
  // A device, process or CPU that went away between listing and reading.
  if (error == ENODEV || error == ESRCH || error == ENXIO || error == ENOTDIR) e.code = Errc::kNotFound;
  if (error == EOPNOTSUPP) e.code = Errc::kUnsupported;
  return e;
}

Result<std::string_view> ProcFile::Read(ReadBuffer* buffer) {
  for (bool kept = fd_ >= 0;; kept = false) {
    if (fd_ < 0) {
      // O_NONBLOCK: a FIFO in place of a file must not hang the scrape.
      fd_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
      if (fd_ < 0) return Failed("open", errno);
      struct statfs fs;
      keep_ = ::fstatfs(fd_, &fs) == 0 && (fs.f_type == PROC_SUPER_MAGIC || fs.f_type == SYSFS_MAGIC);
    }
    std::size_t size = 0;
    for (;;) {
      if (buffer->capacity_ - size < 4096) {
        const std::size_t want = std::max<std::size_t>(16u << 10, buffer->capacity_ * 2);
        if (want > ReadBuffer::kMaxBytes) {
          Close();
          return Error{Errc::kLimit, path_ + ": longer than " + std::to_string(ReadBuffer::kMaxBytes) + " bytes"};
        }
        auto bigger = std::make_unique_for_overwrite<char[]>(want);
        if (size > 0) std::memcpy(bigger.get(), buffer->data_.get(), size);
        buffer->data_ = std::move(bigger);
        buffer->capacity_ = want;
      }
      const ssize_t n = ::pread(fd_, buffer->data_.get() + size, buffer->capacity_ - size, static_cast<off_t>(size));
      if (n > 0) {
        size += static_cast<std::size_t>(n);
        continue;
      }
      if (n < 0 && errno == EINTR) continue;
      if (n == 0) {
        if (!keep_) Close();
        return std::string_view(buffer->data_.get(), size);
      }
      const int error = errno;
      // A kept descriptor may outlive its device; the name may be valid again.
      if (kept) {
        Close();
        break;
      }
      return Failed("read", error);
    }
  }
}

Result<std::uint64_t> ProcFile::ReadUint(ReadBuffer* buffer) {
  PROM_ASSIGN(const std::string_view text, Read(buffer));
  const auto value = ParseUint64(TrimSpace(text));
  if (!value) return Error{Errc::kCorrupt, path_ + ": not a number: " + Quote(text.substr(0, 80))};
  return *value;
}

std::vector<std::string> ListNumbered(const std::string& dir, std::string_view prefix) {
  std::vector<std::string> names;
  DIR* d = ::opendir(dir.c_str());
  if (d == nullptr) return names;
  while (const dirent* e = ::readdir(d)) {
    const std::string_view name = e->d_name;
    if (name.size() > prefix.size() && name.substr(0, prefix.size()) == prefix && name[prefix.size()] >= '0' &&
        name[prefix.size()] <= '9')
      names.emplace_back(name);
  }
  ::closedir(d);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace prom::node
