#include "base/io.h"

#include <algorithm>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/lost_pages.h"
#include "base/strings.h"

namespace prom {

Mapping::~Mapping() {
  if (base_ == nullptr) return;
  UnregisterMapping(base_);
  ::munmap(base_, size_);
}
Mapping::Mapping(Mapping&& other) noexcept : base_(std::exchange(other.base_, nullptr)), size_(std::exchange(other.size_, 0)) {}
Mapping& Mapping::operator=(Mapping&& other) noexcept {
  std::swap(base_, other.base_);
  std::swap(size_, other.size_);
  return *this;
}

Error ErrnoError(std::string_view call, std::string_view path, int error) {
  const Errc code = error == ENOENT                      ? Errc::kNotFound
                    : error == ENOSPC || error == EDQUOT ? Errc::kNoSpace
                                                         : Errc::kIo;
  return {code, std::string(call) + " " + std::string(path) + ": " + ErrnoText(error)};
}

namespace {

class PosixFile : public File {
 public:
  PosixFile(std::string path, int fd) : File(std::move(path)), fd_(fd) {}
  ~PosixFile() override {
    UnmapShared();
    ::close(fd_);
  }

  Result<void> WriteAt(std::uint64_t offset, std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t n = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (n < 0) {
        if (errno == EINTR) continue;
        return ErrnoError("write", path_, errno);
      }
      offset += static_cast<std::uint64_t>(n);
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return {};
  }

  Result<std::size_t> ReadAt(std::uint64_t offset, char* out, std::size_t size) const override {
    std::size_t done = 0;
    while (done < size) {
      const ssize_t n = ::pread(fd_, out + done, size - done, static_cast<off_t>(offset + done));
      if (n < 0) {
        if (errno == EINTR) continue;
        return ErrnoError("read", path_, errno);
      }
      if (n == 0) break;
      done += static_cast<std::size_t>(n);
    }
    return done;
  }

  Result<std::uint64_t> Size() const override {
    struct stat st {};
    if (::fstat(fd_, &st) != 0) return ErrnoError("stat", path_, errno);
    return static_cast<std::uint64_t>(st.st_size);
  }
  Result<void> Truncate(std::uint64_t size) override {
    if (::ftruncate(fd_, static_cast<off_t>(size)) != 0) return ErrnoError("truncate", path_, errno);
    return {};
  }
  Result<void> Allocate(std::uint64_t offset, std::uint64_t size) override {
    if (const int error = ::posix_fallocate(fd_, static_cast<off_t>(offset), static_cast<off_t>(size)); error != 0)
      return ErrnoError("allocate", path_, error);
    return {};
  }
  Result<void> Sync() override {
    if (::fdatasync(fd_) != 0) return ErrnoError("sync", path_, errno);
    return {};
  }
  Result<Mapping> Map(std::uint64_t size) const override {
    if (size == 0) {
      PROM_ASSIGN(size, Size());
      if (size == 0) return Mapping();
    }
    void* base = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd_, 0);
    if (base == MAP_FAILED) return ErrnoError("map", path_, errno);
    RegisterMapping(base, size, false, path_);
    return Mapping(base, size);
  }
  Result<void*> MapShared(std::uint64_t size) override {
    UnmapShared();
    void* base = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
    if (base == MAP_FAILED) return ErrnoError("map", path_, errno);
    RegisterMapping(base, size, true, path_);
    shared_ = base;
    shared_size_ = size;
    return base;
  }
  Result<bool> TryLock() override {
    if (::flock(fd_, LOCK_EX | LOCK_NB) == 0) return true;
    if (errno == EWOULDBLOCK) return false;
    return ErrnoError("lock", path_, errno);
  }

 private:
  void UnmapShared() {
    if (shared_ == nullptr) return;
    UnregisterMapping(shared_);
    ::munmap(shared_, shared_size_);
    shared_ = nullptr;
  }

  int fd_;
  void* shared_ = nullptr;
  std::size_t shared_size_ = 0;
};

class PosixIo : public Io {
 public:
  Result<std::unique_ptr<File>> Open(const std::string& path, Mode mode) override {
    int flags = O_CLOEXEC;
    switch (mode) {
      case Mode::kRead: flags |= O_RDONLY; break;
      case Mode::kReadWrite: flags |= O_RDWR; break;
      case Mode::kCreate: flags |= O_RDWR | O_CREAT | O_NOFOLLOW; break;
      case Mode::kCreateNew: flags |= O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW; break;
      case Mode::kTruncate: flags |= O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW; break;
    }
    // O_NONBLOCK: a FIFO in the place of a file must not hang us; it has no effect on regular files.
    const int fd = ::open(path.c_str(), flags | O_NONBLOCK, 0640);
    if (fd < 0) return ErrnoError("open", path, errno);
    return std::unique_ptr<File>(new PosixFile(path, fd));
  }
  Result<void> Rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return ErrnoError("rename", from + " to " + to, errno);
    return {};
  }
  Result<void> Link(const std::string& from, const std::string& to) override {
    if (::link(from.c_str(), to.c_str()) != 0) return ErrnoError("link", from + " to " + to, errno);
    return {};
  }
  Result<void> Remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return ErrnoError("remove", path, errno);
    return {};
  }
  Result<void> MakeDir(const std::string& path) override {
    if (::mkdir(path.c_str(), 0750) == 0) return {};
    const int error = errno;
    struct stat st {};
    if (error == EEXIST && ::stat(path.c_str(), &st) == 0 && S_ISDIR(st.st_mode)) return {};
    return ErrnoError("create directory", path, error);
  }
  Result<void> RemoveDir(const std::string& path) override {
    if (::rmdir(path.c_str()) != 0) return ErrnoError("remove directory", path, errno);
    return {};
  }
  Result<void> SyncDir(const std::string& path) override {
    const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return ErrnoError("open", path, errno);
    const int done = ::fsync(fd);
    const int error = errno;
    ::close(fd);
    if (done != 0) return ErrnoError("sync", path, error);
    return {};
  }
  Result<std::vector<DirEntry>> List(const std::string& path) override {
    DIR* dir = ::opendir(path.c_str());
    if (dir == nullptr) return ErrnoError("open directory", path, errno);
    std::vector<DirEntry> out;
    errno = 0;
    while (const dirent* e = ::readdir(dir)) {
      const std::string name = e->d_name;
      if (name == "." || name == "..") continue;
      bool is_dir = e->d_type == DT_DIR;
      if (e->d_type == DT_UNKNOWN) {
        struct stat st {};
        is_dir = ::stat(JoinPath(path, name).c_str(), &st) == 0 && S_ISDIR(st.st_mode);
      }
      out.push_back({name, is_dir});
      errno = 0;
    }
    const int error = errno;
    ::closedir(dir);
    if (error != 0) return ErrnoError("read directory", path, error);
    std::sort(out.begin(), out.end(), [](const DirEntry& a, const DirEntry& b) { return a.name < b.name; });
    return out;
  }
  Result<bool> Exists(const std::string& path) override {
    struct stat st {};
    if (::stat(path.c_str(), &st) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return ErrnoError("stat", path, errno);
  }
  Result<std::uint64_t> FreeBytes(const std::string& path) override {
    struct statvfs st {};
    if (::statvfs(path.c_str(), &st) != 0) return ErrnoError("statvfs", path, errno);
    return static_cast<std::uint64_t>(st.f_bavail) * st.f_frsize;
  }
  Result<std::uint64_t> TotalBytes(const std::string& path) override {
    struct statvfs st {};
    if (::statvfs(path.c_str(), &st) != 0) return ErrnoError("statvfs", path, errno);
    return static_cast<std::uint64_t>(st.f_blocks) * st.f_frsize;
  }
};

}  // namespace

Io& SystemIo() {
  static PosixIo io;
  return io;
}

Result<std::string> ReadFile(Io& io, const std::string& path, std::uint64_t max_bytes) {
  struct stat st {};
  if (::stat(path.c_str(), &st) != 0) return ErrnoError("open", path, errno);
  if (!S_ISREG(st.st_mode)) return Error{Errc::kInvalid, path + ": not a regular file"};
  if (static_cast<std::uint64_t>(st.st_size) > max_bytes)
    return Error{Errc::kLimit, path + ": " + std::to_string(st.st_size) + " bytes, more than the " + std::to_string(max_bytes) + " that are read"};
  PROM_ASSIGN(auto file, io.Open(path, Io::Mode::kRead));
  // Files of /proc say 0: read until the end, whatever the size said.
  std::string out(std::max<std::size_t>(static_cast<std::size_t>(st.st_size), 4096), '\0');
  std::size_t size = 0;
  for (;;) {
    PROM_ASSIGN(const std::size_t n, file->ReadAt(size, out.data() + size, out.size() - size));
    size += n;
    if (size < out.size()) break;
    if (size > max_bytes) return Error{Errc::kLimit, path + ": grew over " + std::to_string(max_bytes) + " bytes while it was read"};
    out.resize(out.size() * 2);
  }
  out.resize(size);
  return out;
}

Result<void> WriteFileAtomic(Io& io, const std::string& path, std::string_view bytes, bool sync) {
  const std::string tmp = path + ".tmp" + std::to_string(::getpid());
  {
    auto file = io.Open(tmp, Io::Mode::kTruncate);
    if (!file) return std::move(file.error());
    auto done = (*file)->WriteAt(0, bytes);
    if (done && sync) done = (*file)->Sync();
    if (!done) {
      (void)io.Remove(tmp);
      return done;
    }
  }
  if (auto done = io.Rename(tmp, path); !done) {
    (void)io.Remove(tmp);
    return done;
  }
  if (sync) return io.SyncDir(DirName(path));
  return {};
}

Result<void> MakeDirs(Io& io, const std::string& path) {
  auto done = io.MakeDir(path);
  if (done || done.error().code != Errc::kNotFound) return done;
  const std::string parent = DirName(path);
  if (parent == path) return done;
  PROM_TRY(MakeDirs(io, parent));
  return io.MakeDir(path);
}

Result<std::uint64_t> DirBytes(Io& io, const std::string& dir) {
  PROM_ASSIGN(const auto entries, io.List(dir));
  std::uint64_t total = 0;
  for (const DirEntry& e : entries) {
    if (e.is_dir) continue;
    if (auto file = io.Open(JoinPath(dir, e.name), Io::Mode::kRead))
      if (auto size = (*file)->Size()) total += *size;
  }
  return total;
}

Result<void> RemoveTree(Io& io, const std::string& path) {
  auto entries = io.List(path);
  if (!entries) {
    if (entries.error().code == Errc::kNotFound) return {};
    return std::move(entries.error());
  }
  for (const DirEntry& entry : *entries) {
    const std::string child = JoinPath(path, entry.name);
    PROM_TRY(entry.is_dir ? RemoveTree(io, child) : io.Remove(child));
  }
  return io.RemoveDir(path);
}

std::string JoinPath(std::string_view dir, std::string_view name) {
  if (dir.empty() || name.starts_with('/')) return std::string(name);
  std::string out(dir);
  if (out.back() != '/') out += '/';
  return out += name;
}

std::string DirName(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return std::string(path.substr(0, slash == 0 ? 1 : slash));
}

std::string BaseName(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  return std::string(path.substr(path.rfind('/') + 1));
}

}  // namespace prom
