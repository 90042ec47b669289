#include "store/control_server.h"

#include <cerrno>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

#include "base/io.h"
#include "base/unix_socket.h"
#include "store/requests.h"

namespace prom::store {
namespace {

constexpr std::size_t kMaxRequestBytes = 4u << 20;
constexpr int kRequestMs = 5000;  // to send a request in
constexpr std::size_t kMaxRequests = 32;  // at a time; others wait

}  // namespace

Result<std::unique_ptr<ControlServer>> ControlServer::Start(Writer& writer, const std::string& path) {
  auto self = std::unique_ptr<ControlServer>(new ControlServer(writer, path));
  PROM_TRY(self->Listen());
  self->thread_ = std::thread([s = self.get()] { s->Run(); });
  return self;
}

Result<void> ControlServer::Listen() {
  stop_fd_ = ::eventfd(0, EFD_CLOEXEC);
  if (stop_fd_ < 0) return ErrnoError("eventfd", path_, errno);
  PROM_ASSIGN(listen_fd_, ListenUnix(path_, 16));
  return {};
}

ControlServer::~ControlServer() {
  Stop();
  if (listen_fd_ >= 0) ::close(listen_fd_);
  if (stop_fd_ >= 0) ::close(stop_fd_);
}

void ControlServer::Stop() {
  if (!thread_.joinable()) return;
  ::unlink(path_.c_str());
  writer_.CancelMerges();
  const std::uint64_t one = 1;
  (void)!::write(stop_fd_, &one, sizeof one);  // stays readable: nobody reads it
  thread_.join();
  Reap(true);
}

void ControlServer::Run() {
  while (true) {
    pollfd fds[2] = {{listen_fd_, POLLIN, 0}, {stop_fd_, POLLIN, 0}};
    ::poll(fds, 2, -1);
    if (fds[1].revents != 0) return;
    Reap(false);
    if (requests_.size() >= kMaxRequests) {
      ::poll(&fds[1], 1, 10);
      continue;
    }
    const int fd = ::accept4(listen_fd_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) {
      ::poll(&fds[1], 1, 100);  // no descriptors left, or the other side has gone
      continue;
    }
    auto request = std::make_unique<Request>();
    Request& served = *request;
    served.fd = fd;
    try {
      served.thread = std::thread([this, &served] {
        Serve(served.fd);
        ::shutdown(served.fd, SHUT_RDWR);  // closed when it is reaped
        served.done.store(true);
      });
    } catch (const std::system_error&) {
      continue;  // no threads left: closed without an answer
    }
    requests_.push_back(std::move(request));
  }
}

ControlServer::Request::~Request() {
  if (thread.joinable()) thread.join();
  if (fd >= 0) ::close(fd);
}

void ControlServer::Reap(bool all) {
  requests_.remove_if([all](const auto& request) { return all || request->done.load(); });
}

void ControlServer::Serve(int fd) {
  std::string request;
  while (request.find('\n') == std::string::npos) {
    pollfd fds[2] = {{fd, POLLIN, 0}, {stop_fd_, POLLIN, 0}};
    if (::poll(fds, 2, kRequestMs) <= 0 || fds[1].revents != 0) return;
    char bytes[16384];
    const ssize_t n = ::recv(fd, bytes, sizeof bytes, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0 || request.size() > kMaxRequestBytes) return;
    request.append(bytes, static_cast<std::size_t>(n));
  }
  request.resize(request.find('\n'));
  const std::string answer = HandleRequest(writer_, request) + "\n";
  for (std::size_t sent = 0; sent < answer.size();) {
    const ssize_t n = ::send(fd, answer.data() + sent, answer.size() - sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    sent += static_cast<std::size_t>(n);
  }
}

}  // namespace prom::store
