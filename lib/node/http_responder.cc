// A connection is owned by the loop, except while a worker has it (kHandling):
// then the loop only keeps it alive. The worker writes the reply into it, tries to
// send it at once, and hands it back over `finished` and an eventfd.
#include "node/http_responder.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <deque>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/number.h"
#include "base/strings.h"
#include "base/time.h"

namespace prom::node {
namespace {

enum class Stage {
  kReading,    // waiting for a head, or for the rest of it
  kHandling,   // a worker has it
  kWriting,    // a reply goes out
  kLingering,  // refused: what the client still sends is read and dropped, so that the reply is not lost to a reset
  kClosed,
};

constexpr std::int64_t kLingerMs = 500;

const char* ReasonOf(int status) {
  switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return "Unknown";
  }
}

std::int64_t NowMs() { return SystemClock().MonotonicNs() / 1'000'000; }

std::string PrintReply(const HttpReply& reply, bool with_body, bool keep_alive) {
  std::string out = "HTTP/1.1 " + std::to_string(reply.status) + " " + ReasonOf(reply.status) + "\r\nContent-Type: " + reply.content_type;
  if (!reply.content_encoding.empty()) out += "\r\nContent-Encoding: " + reply.content_encoding + "\r\nVary: Accept-Encoding";
  if (reply.status == 405) out += "\r\nAllow: GET, HEAD";
  // The landing page is all a browser gets; it needs nothing from elsewhere.
  out += "\r\nX-Content-Type-Options: nosniff\r\nContent-Length: " + std::to_string(reply.body.size());
  if (!keep_alive) out += "\r\nConnection: close";
  out += "\r\n\r\n";
  if (with_body) out += reply.body;
  return out;
}

}  // namespace

struct HttpResponder::Connection {
  ~Connection() { ::close(fd); }
  int fd = -1;
  Stage stage = Stage::kReading;
  std::string in;   // at most kMaxHeadBytes
  std::string out;
  std::size_t sent = 0;
  bool keep_alive = true;
  bool linger = false;          // after the reply, instead of closing at once
  std::int64_t since_ms = 0;    // when the stage began or bytes last moved
  std::int64_t deadline_ms = 0;
  HttpRequest request;

  // Sends what it can. False: the connection is broken.
  bool Send() {
    while (sent < out.size()) {
      const ssize_t n = ::send(fd, out.data() + sent, out.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n > 0) {
        sent += static_cast<std::size_t>(n);
      } else if (n < 0 && errno == EINTR) {
        continue;
      } else {
        return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
      }
    }
    return true;
  }
};

// What loop and workers share; outlives the responder while a handler runs.
struct HttpResponder::Shared {
  ~Shared() {
    if (wake_fd >= 0) ::close(wake_fd);
  }
  Mutex mutex;
  ConditionVariable work;
  ConditionVariable ended;
  std::deque<std::shared_ptr<Connection>> waiting GUARDED_BY(mutex);
  std::vector<std::shared_ptr<Connection>> finished GUARDED_BY(mutex);
  int workers GUARDED_BY(mutex) = 0;
  int idle GUARDED_BY(mutex) = 0;
  int in_flight GUARDED_BY(mutex) = 0;  // waiting and running
  bool ending GUARDED_BY(mutex) = false;
  int wake_fd = -1;
  HttpHandler handler;

  void Wake() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t ignored = ::write(wake_fd, &one, sizeof one);
  }

  void Work() {
    mutex.lock();
    for (;;) {
      if (waiting.empty()) {
        if (ending || idle > 0) break;  // one that waits is enough
        ++idle;
        while (waiting.empty() && !ending) work.wait(mutex);
        --idle;
        continue;
      }
      const std::shared_ptr<Connection> c = waiting.front();
      waiting.pop_front();
      mutex.unlock();
      const HttpReply reply = handler(c->request);
      c->out = PrintReply(reply, c->request.method != "HEAD", c->keep_alive);
      c->sent = 0;
      if (!c->Send()) c->keep_alive = false, c->sent = c->out.size();
      mutex.lock();
      --in_flight;
      finished.push_back(c);
      Wake();
    }
    --workers;
    ended.notify_all();
    mutex.unlock();
  }
};

HttpResponder::HttpResponder(HttpHandler handler, const HttpLimits& limits) : limits_(limits), shared_(std::make_shared<Shared>()) {
  shared_->handler = std::move(handler);
}

HttpResponder::~HttpResponder() {
  for (int fd : listeners_) ::close(fd);
  MutexLock lock(shared_->mutex);
  shared_->ending = true;
  shared_->waiting.clear();
  shared_->work.notify_all();
  // Workers that wait end at once; one in a handler keeps `shared_` alive and ends later.
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(200);
  while (shared_->workers > 0 && shared_->ended.wait_until(shared_->mutex, until) != std::cv_status::timeout) {
  }
}

namespace {

struct AddressParts {
  std::string host, port;
};

Result<AddressParts> SplitAddress(const std::string& address) {
  AddressParts parts;
  const std::size_t colon = address.rfind(':');
  bool good = colon != std::string::npos;
  if (good) {
    parts.host = address.substr(0, colon);
    parts.port = address.substr(colon + 1);
    if (parts.host.size() >= 2 && parts.host.front() == '[' && parts.host.back() == ']') {
      parts.host = parts.host.substr(1, parts.host.size() - 2);
    } else if (parts.host.find(':') != std::string::npos) {
      good = false;
    }
    const auto port = ParseUint64(parts.port);
    good = good && port && *port <= 65535;
  }
  if (!good) return Error{Errc::kInvalid, "bad listen address \"" + address + "\", want host:port or :port"};
  return parts;
}

std::string AddressText(int fd) {
  sockaddr_storage ss{};
  socklen_t size = sizeof ss;
  char host[NI_MAXHOST], port[NI_MAXSERV];
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&ss), &size) != 0 ||
      ::getnameinfo(reinterpret_cast<sockaddr*>(&ss), size, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return "?";
  const std::string text = host;
  return (text.find(':') == std::string::npos ? text : "[" + text + "]") + ":" + port;
}

// A listening socket on one resolved address, or -1 with errno.
int ListenOn(const addrinfo& a) {
  const int fd = ::socket(a.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  const int one = 1, zero = 0;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (a.ai_family == AF_INET6) ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
  if (::bind(fd, a.ai_addr, a.ai_addrlen) == 0 && ::listen(fd, 128) == 0) return fd;
  const int error = errno;
  ::close(fd);
  errno = error;
  return -1;
}

}  // namespace

Result<std::unique_ptr<HttpResponder>> HttpResponder::Listen(const std::vector<std::string>& addresses, HttpHandler handler,
                                                             const HttpLimits& limits) {
  std::unique_ptr<HttpResponder> r(new HttpResponder(std::move(handler), limits));
  r->shared_->wake_fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (r->shared_->wake_fd < 0) return ErrnoError("eventfd", "", errno);
  for (const std::string& address : addresses) {
    PROM_ASSIGN(const AddressParts parts, SplitAddress(address));
    addrinfo hints{}, *found = nullptr;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
    const int failed = ::getaddrinfo(parts.host.empty() ? nullptr : parts.host.c_str(), parts.port.c_str(), &hints, &found);
    if (failed != 0) return Error{Errc::kInvalid, "listen address \"" + address + "\": " + ::gai_strerror(failed)};
    // No host: IPv6, which takes IPv4 as well, when the machine has it. A name: IPv4 first, as Go does.
    std::vector<const addrinfo*> order;
    for (const addrinfo* a = found; a != nullptr; a = a->ai_next) order.push_back(a);
    const int first = parts.host.empty() ? AF_INET6 : AF_INET;
    std::stable_partition(order.begin(), order.end(), [first](const addrinfo* a) { return a->ai_family == first; });
    int fd = -1, error = 0;
    for (const addrinfo* a : order) {
      fd = ListenOn(*a);
      if (fd >= 0) break;
      // The first failure says most ("address in use"), unless it was a family the kernel lacks.
      if (error == 0 || error == EAFNOSUPPORT || error == EADDRNOTAVAIL) error = errno;
      if (error != EAFNOSUPPORT && error != EADDRNOTAVAIL) break;
    }
    ::freeaddrinfo(found);
    if (fd < 0) return ErrnoError("listen", address, error);
    r->listeners_.push_back(fd);
    r->addresses_.push_back(AddressText(fd));
  }
  return r;
}

void HttpResponder::Run(int stop_fd, std::int64_t grace_ms) {
  std::vector<pollfd> fds;
  std::int64_t stop_at_ms = -1;
  for (;;) {
    std::int64_t now = NowMs();
    if (stop_at_ms >= 0) {
      MutexLock lock(shared_->mutex);
      const bool writing = std::any_of(connections_.begin(), connections_.end(), [](const auto& c) { return c->stage == Stage::kWriting; });
      if (now >= stop_at_ms || (shared_->in_flight == 0 && shared_->finished.empty() && !writing)) break;
    }
    // stop, wake, listeners, connections
    fds.clear();
    fds.push_back({stop_at_ms < 0 ? stop_fd : -1, POLLIN, 0});
    fds.push_back({shared_->wake_fd, POLLIN, 0});
    const bool accepting = stop_at_ms < 0 && now >= accept_after_ms_ && MakeRoom();
    for (int fd : listeners_) fds.push_back({accepting ? fd : -1, POLLIN, 0});
    const std::size_t first = fds.size();
    std::int64_t next = now + 60'000;
    if (accept_after_ms_ > now) next = std::min(next, accept_after_ms_);
    if (stop_at_ms >= 0) next = std::min(next, stop_at_ms);
    for (const auto& c : connections_) {
      const bool ours = c->stage != Stage::kHandling;
      fds.push_back({ours ? c->fd : -1, static_cast<short>(c->stage == Stage::kWriting ? POLLOUT : POLLIN), 0});
      if (ours) next = std::min(next, c->deadline_ms);
    }
    const int ready = ::poll(fds.data(), fds.size(), static_cast<int>(std::max<std::int64_t>(next - now, 0)));
    if (ready < 0 && errno != EINTR) {
      LogError("http", "poll failed", {{"err", ErrnoText(errno)}});
      return;
    }
    now = NowMs();
    if (ready > 0 && fds[0].revents != 0) stop_at_ms = now + grace_ms;
    if (ready > 0 && fds[1].revents != 0) TakeBack(now);
    const std::size_t count = fds.size() - first;
    for (std::size_t i = 0; i < count; ++i) {
      Connection* c = connections_[i].get();
      if (fds[first + i].fd < 0 || c->stage == Stage::kHandling || c->stage == Stage::kClosed) continue;
      if (ready > 0 && fds[first + i].revents != 0) {
        if (c->stage == Stage::kWriting) {
          OnWritable(c, now);
        } else {
          OnReadable(c, now);
        }
      }
      if (c->stage != Stage::kHandling && c->stage != Stage::kClosed && now >= c->deadline_ms) {
        // A client that began a head and did not finish it is told; others are just dropped.
        if (c->stage == Stage::kReading && !c->in.empty()) {
          Refuse(c, 408, now);
        } else {
          c->stage = Stage::kClosed;
        }
      }
    }
    std::erase_if(connections_, [](const auto& c) { return c->stage == Stage::kClosed; });
    if (accepting && ready > 0)
      for (std::size_t i = 0; i < listeners_.size(); ++i)
        if (fds[2 + i].revents != 0) Accept(listeners_[i], now);
  }
  connections_.clear();
}

bool HttpResponder::MakeRoom() {
  if (connections_.size() < static_cast<std::size_t>(limits_.connections)) return true;
  // Whoever waits longest for a client's bytes can go when a new client comes.
  return std::any_of(connections_.begin(), connections_.end(),
                     [](const auto& c) { return c->stage == Stage::kReading || c->stage == Stage::kLingering; });
}

void HttpResponder::Accept(int listener, std::int64_t now_ms) {
  const int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) {
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      LogWarn("http", "cannot accept", {{"err", ErrnoText(errno)}});
      accept_after_ms_ = now_ms + 200;
    }
    return;
  }
  if (connections_.size() >= static_cast<std::size_t>(limits_.connections)) {
    auto oldest = connections_.end();
    for (auto it = connections_.begin(); it != connections_.end(); ++it) {
      if ((*it)->stage != Stage::kReading && (*it)->stage != Stage::kLingering) continue;
      if (oldest == connections_.end() || (*it)->since_ms < (*oldest)->since_ms) oldest = it;
    }
    if (oldest == connections_.end()) {
      ::close(fd);
      return;
    }
    connections_.erase(oldest);
  }
  const int one = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  auto c = std::make_shared<Connection>();
  c->fd = fd;
  c->since_ms = now_ms;
  c->deadline_ms = now_ms + limits_.header_timeout_ms;
  connections_.push_back(c);
  OnReadable(c.get(), now_ms);  // a scraper's request is mostly there already
}

void HttpResponder::OnReadable(Connection* c, std::int64_t now_ms) {
  char buffer[4096];
  const ssize_t n = ::recv(c->fd, buffer, sizeof buffer, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return;
  if (n <= 0) {
    c->stage = Stage::kClosed;
    return;
  }
  if (c->stage == Stage::kLingering) return;
  if (c->in.empty()) c->deadline_ms = now_ms + limits_.header_timeout_ms;
  c->in.append(buffer, static_cast<std::size_t>(n));
  HandleInput(c, now_ms);
}

void HttpResponder::HandleInput(Connection* c, std::int64_t now_ms) {
  // Empty lines in front of a request are allowed for.
  while (c->in.starts_with("\r\n")) c->in.erase(0, 2);
  const std::size_t end = FindHeadEnd(c->in);
  if (end > kMaxHeadBytes && (end != std::string::npos || c->in.size() > kMaxHeadBytes)) return Refuse(c, 431, now_ms);
  if (end == std::string::npos) return;
  if (const int status = ParseHttpRequest(std::string_view(c->in).substr(0, end), &c->request); status != 0) return Refuse(c, status, now_ms);
  c->in.erase(0, end);
  c->keep_alive = c->request.keep_alive;
  c->linger = c->request.has_body;
  c->stage = Stage::kHandling;
  if (Dispatch(c)) return;
  if (limits_.on_busy) limits_.on_busy();
  HttpReply busy;
  busy.status = 503;
  busy.body = "Limit of concurrent requests reached (" + std::to_string(limits_.requests) + "), try again later.\n";
  c->out = PrintReply(busy, c->request.method != "HEAD", c->keep_alive);
  c->sent = 0;
  StartReply(c, now_ms);
}

// Gives the connection to a worker; false: there are too many requests.
bool HttpResponder::Dispatch(Connection* c) {
  MutexLock lock(shared_->mutex);
  if (limits_.requests > 0 && shared_->in_flight >= limits_.requests) return false;
  ++shared_->in_flight;
  for (const auto& owner : connections_)
    if (owner.get() == c) shared_->waiting.push_back(owner);
  if (shared_->waiting.size() <= static_cast<std::size_t>(shared_->idle)) {
    shared_->work.notify_one();
    return true;
  }
  if (shared_->workers >= limits_.workers) return true;
  ++shared_->workers;
  try {
    std::thread([s = shared_] { s->Work(); }).detach();
  } catch (const std::system_error& e) {
    --shared_->workers;
    LogWarn("http", "cannot start a thread", {{"err", e.what()}});  // those at work will take it
  }
  return true;
}

void HttpResponder::Refuse(Connection* c, int status, std::int64_t now_ms) {
  HttpReply reply;
  reply.status = status;
  reply.body = std::to_string(status) + " " + ReasonOf(status) + "\n";
  c->keep_alive = false;
  c->linger = true;
  c->out = PrintReply(reply, true, false);
  c->sent = 0;
  StartReply(c, now_ms);
}

void HttpResponder::StartReply(Connection* c, std::int64_t now_ms) {
  c->stage = Stage::kWriting;
  c->since_ms = now_ms;
  c->deadline_ms = now_ms + limits_.write_timeout_ms;
  OnWritable(c, now_ms);
}

void HttpResponder::OnWritable(Connection* c, std::int64_t now_ms) {
  const std::size_t before = c->sent;
  if (!c->Send()) {
    c->stage = Stage::kClosed;
    return;
  }
  if (c->sent > before) c->deadline_ms = now_ms + limits_.write_timeout_ms;
  if (c->sent == c->out.size()) FinishReply(c, now_ms);
}

void HttpResponder::FinishReply(Connection* c, std::int64_t now_ms) {
  // A page of 30 kB is not kept for a connection that may idle for minutes.
  std::string().swap(c->out);
  c->sent = 0;
  c->since_ms = now_ms;
  if (!c->keep_alive) {
    if (!c->linger) {
      c->stage = Stage::kClosed;
      return;
    }
    ::shutdown(c->fd, SHUT_WR);
    c->stage = Stage::kLingering;
    c->deadline_ms = now_ms + kLingerMs;
    return;
  }
  c->stage = Stage::kReading;
  c->deadline_ms = now_ms + (c->in.empty() ? limits_.idle_timeout_ms : limits_.header_timeout_ms);
  if (!c->in.empty()) HandleInput(c, now_ms);  // the next request of a pipeline
}

void HttpResponder::TakeBack(std::int64_t now_ms) {
  std::uint64_t ignored;
  while (::read(shared_->wake_fd, &ignored, sizeof ignored) > 0) {
  }
  std::vector<std::shared_ptr<Connection>> finished;
  {
    MutexLock lock(shared_->mutex);
    finished.swap(shared_->finished);
  }
  for (const auto& c : finished) StartReply(c.get(), now_ms);
}

}  // namespace prom::node
