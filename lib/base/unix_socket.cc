#include "base/unix_socket.h"

#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/io.h"

namespace prom {
namespace {

Result<sockaddr_un> AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return Error{Errc::kInvalid, path + ": too long for a socket's name (" + std::to_string(sizeof address.sun_path - 1) + " bytes); use a shorter or relative path"};
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

// Closes fd and keeps the error of the call that failed.
Error Failed(const char* call, const std::string& path, int fd) {
  const int error = errno;
  if (fd >= 0) ::close(fd);
  return ErrnoError(call, path, error);
}

}  // namespace

Result<int> ListenUnix(const std::string& path, int backlog) {
  PROM_ASSIGN(const sockaddr_un address, AddressOf(path));
  struct stat st {};
  if (::lstat(path.c_str(), &st) == 0) {
    if (!S_ISSOCK(st.st_mode)) return Error{Errc::kIo, path + ": is in the way, not a socket"};
    if (::unlink(path.c_str()) != 0) return Failed("unlink", path, -1);
  }
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return Failed("socket", path, fd);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return Failed("bind", path, fd);
  if (::chmod(path.c_str(), 0660) != 0) return Failed("chmod", path, fd);
  if (::listen(fd, backlog) != 0) return Failed("listen", path, fd);
  return fd;
}

Result<int> ConnectUnix(const std::string& path) {
  PROM_ASSIGN(const sockaddr_un address, AddressOf(path));
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return Failed("socket", path, fd);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  const bool away = errno == ECONNREFUSED || errno == EAGAIN;
  Error e = Failed("connect", path, fd);
  if (away) e.code = Errc::kUnavailable;
  return e;
}

}  // namespace prom
