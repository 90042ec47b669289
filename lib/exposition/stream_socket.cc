#include "exposition/stream_socket.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "base/unix_socket.h"

namespace prom {

Result<std::unique_ptr<StreamSocket>> StreamSocket::Connect(const std::string& path, std::int64_t send_timeout_ms) {
  PROM_ASSIGN(const int fd, ConnectUnix(path));
  return std::unique_ptr<StreamSocket>(new StreamSocket(fd, send_timeout_ms));
}

StreamSocket::~StreamSocket() { ::close(fd_); }

Result<void> StreamSocket::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) {
      const int error = errno;
      PROM_TRY(TakeReplies(0));
      Error e = ErrnoError("send", "ingest socket", error);
      if (error == EPIPE || error == ECONNRESET) e.code = Errc::kUnavailable;
      return e;
    }
    pollfd p{fd_, POLLIN | POLLOUT, 0};
    const int ready = ::poll(&p, 1, static_cast<int>(std::min<std::int64_t>(send_timeout_ms_, 1 << 30)));
    if (ready == 0) return Error{Errc::kTimeout, "the store takes no more data"};
    if (ready > 0 && (p.revents & POLLIN) != 0) PROM_TRY(TakeReplies(0));
  }
  return {};
}

// The kernel calls a Unix socket writable when a quarter of its buffer is taken at most.
bool StreamSocket::writable() const {
  pollfd p{fd_, POLLOUT, 0};
  return ::poll(&p, 1, 0) == 1 && p.revents == POLLOUT;
}

Result<void> StreamSocket::FinishSending() {
  if (::shutdown(fd_, SHUT_WR) != 0) return ErrnoError("shutdown", "ingest socket", errno);
  return {};
}

Result<void> StreamSocket::TakeReplies(int wait_ms) {
  pollfd p{fd_, POLLIN, 0};
  while (true) {
    if (wait_ms != 0 && ::poll(&p, 1, wait_ms) <= 0) return {};
    char buffer[4096];
    const ssize_t n = ::recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) return {};
    wait_ms = 0;
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return Error{Errc::kUnavailable, "the store closed the connection"};
    std::optional<StreamFailure> failure;
    PROM_TRY(replies_.Feed({buffer, static_cast<std::size_t>(n)},
                           [&](const StreamAck& ack) {
                             acked_ = std::max(acked_, ack.sequence);
                             totals_.Add(ack);
                             durability_ = ack.durability;
                           },
                           [&](const StreamFailure& f) { failure = f; }));
    if (failure) return Error{failure->code, "the store: " + failure->message};
    if (n < static_cast<ssize_t>(sizeof buffer)) return {};
  }
}

}  // namespace prom
