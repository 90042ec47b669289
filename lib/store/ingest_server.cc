#include "store/ingest_server.h"

#include <cerrno>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/unix_socket.h"
#include "store/ingest_sink.h"
#include "store/stream_intake.h"

namespace prom::store {
namespace {

constexpr int kAcceptPauseMs = 100;     // when there are no descriptors left
constexpr int kDrainMs = 300;           // stopping: for what producers have sent already
constexpr int kLastAnswerMs = 200;      // given to a producer to take the last answer
constexpr int kMaxRefusedTexts = 10;    // refused lines that are answered by number

// Answers that wait for room in the socket. Text is answered in text.
class Answers {
 public:
  void set_form(StreamForm form) { form_ = form; }
  void Ack(const StreamAck& ack) {
    if (ack.sequence == 0) return;
    pending_.sequence = ack.sequence;
    pending_.durability = ack.durability;
    pending_.Add(ack);
  }
  void Refused(std::uint64_t line, std::string_view reason) {
    if (++refused_ > kMaxRefusedTexts) return;
    out_ += "refused line " + std::to_string(line) + ": " + std::string(reason) + "\n";
  }
  void Failure(const StreamFailure& failure) {
    Render();
    if (form_ == StreamForm::kText) {
      out_ += "error " + failure.message + "\n";
    } else {
      Header();
      AppendFailure(&out_, failure);
    }
  }
  bool waiting() const { return !out_.empty() || pending_.sequence != 0; }

  // Sends what there is room for. False: the other side is gone.
  bool Send(int fd) {
    while (true) {
      if (out_.empty()) Render();
      if (out_.empty()) return true;
      const ssize_t n = ::send(fd, out_.data(), out_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
      out_.erase(0, static_cast<std::size_t>(n));
    }
  }

 private:
  void Header() {
    if (header_sent_) return;
    AppendStreamHeader(&out_);
    header_sent_ = true;
  }
  void Render() {
    if (pending_.sequence == 0) return;
    if (form_ == StreamForm::kText) {
      out_ += "ack " + std::to_string(pending_.sequence) + " accepted " + std::to_string(pending_.accepted) + " refused " + std::to_string(pending_.refused) + " safe " + std::string(DurabilityName(pending_.durability)) + "\n";
    } else {
      Header();
      AppendAck(&out_, pending_);
    }
    pending_ = {};
  }

  StreamForm form_ = StreamForm::kUnknown;
  std::string out_;
  StreamAck pending_;
  bool header_sent_ = false;
  int refused_ = 0;
};

}  // namespace

struct IngestServer::Connection {
  int fd = -1;
  std::atomic<bool> done{false};
  std::thread thread;
  ~Connection() {
    if (thread.joinable()) thread.join();
    if (fd >= 0) ::close(fd);
  }
};

IngestServer::IngestServer(Writer& writer, Clock& clock, std::string path, const IngestOptions& options)
    : writer_(writer), clock_(clock), path_(std::move(path)), options_(options) {}

Result<std::unique_ptr<IngestServer>> IngestServer::Start(Writer& writer, Clock& clock, const std::string& path, const IngestOptions& options) {
  auto self = std::unique_ptr<IngestServer>(new IngestServer(writer, clock, path, options));
  PROM_TRY(self->Listen());
  self->accept_thread_ = std::thread([s = self.get()] { s->Accept(); });
  return self;
}

Result<void> IngestServer::Listen() {
  stop_fd_ = ::eventfd(0, EFD_CLOEXEC);
  if (stop_fd_ < 0) return ErrnoError("eventfd", path_, errno);
  PROM_ASSIGN(listen_fd_, ListenUnix(path_, 64));
  return {};
}

IngestServer::~IngestServer() {
  Stop();
  if (listen_fd_ >= 0) ::close(listen_fd_);
  if (stop_fd_ >= 0) ::close(stop_fd_);
}

void IngestServer::Stop() {
  if (!accept_thread_.joinable()) return;
  ::unlink(path_.c_str());
  const std::uint64_t one = 1;
  (void)!::write(stop_fd_, &one, sizeof one);  // stays readable: nobody reads it
  accept_thread_.join();
  Reap(true);
}

void IngestServer::Reap(bool all) {
  connections_.remove_if([&](const auto& c) { return all || c->done.load(); });
}

void IngestServer::Accept() {
  while (true) {
    pollfd fds[2] = {{listen_fd_, POLLIN, 0}, {stop_fd_, POLLIN, 0}};
    ::poll(fds, 2, 1000);
    if (fds[1].revents != 0) return;
    Reap(false);
    if (fds[0].revents == 0) continue;
    const int fd = ::accept4(listen_fd_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) ::poll(&fds[1], 1, kAcceptPauseMs);
      continue;
    }
    if (open_.load() >= options_.max_connections) {
      ++rejected_;
      Answers answers;
      answers.Failure({Errc::kLimit, 0, "too many connections (" + std::to_string(options_.max_connections) + ")"});
      (void)answers.Send(fd);
      ::close(fd);
      continue;
    }
    ++accepted_;
    ++open_;
    auto c = std::make_unique<Connection>();
    c->fd = fd;
    Connection& served = *c;
    try {
      c->thread = std::thread([this, &served] {
        Serve(served);
        --open_;
        ::shutdown(served.fd, SHUT_RDWR);  // the descriptor is closed when the thread is reaped
        served.done.store(true);
      });
    } catch (const std::system_error& e) {
      --open_;
      LogWarn("store", "no thread for a connection", {{"err", e.what()}});
      continue;
    }
    connections_.push_back(std::move(c));
  }
}

void IngestServer::Serve(Connection& c) {
  IngestSink sink(writer_.NewAppender());
  Answers answers;
  StreamIntake intake(
      &sink, &clock_,
      [&](std::uint64_t line, std::string_view reason) {
        ++refused_lines_;
        answers.set_form(StreamForm::kText);
        answers.Refused(line, reason);
      },
      true);
  std::string buffer(options_.read_bytes, '\0');
  std::uint64_t batches = 0;
  // What a step has committed is made as durable as promised, then acknowledged.
  const auto settle = [&](Result<void> done) -> Result<void> {
    answers.set_form(intake.form());
    if (sink.batches() != batches) {
      batches_ += sink.batches() - batches;
      batches = sink.batches();
      if (options_.sync) PROM_TRY(writer_.Sync());
      StreamAck ack = sink.TakeAck();
      ack.durability = options_.sync ? Durability::kDisk : Durability::kProcess;
      if (ack.refused != 0) {
        LogWarn("store", "samples refused", {{"batch", ack.sequence}, {"out_of_order", ack.out_of_order}, {"duplicates", ack.duplicates}, {"too_old", ack.too_old}, {"over_series_limit", ack.over_limit},
                                             {"taken", ack.accepted}});
        over_limit_ += ack.over_limit;
      }
      answers.Ack(ack);
    }
    return done;
  };
  Result<void> done;
  bool ended = false;
  std::int64_t stop_at_ns = 0;
  while (!ended && done) {
    pollfd fds[2] = {{c.fd, static_cast<short>(POLLIN | (answers.waiting() ? POLLOUT : 0)), 0}, {stop_fd_, POLLIN, 0}};
    const int ready = ::poll(fds, 2, options_.idle_page_ms);
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) {
      done = settle(intake.Idle());
      ended = !answers.Send(c.fd);
      continue;
    }
    const bool stop = fds[1].revents != 0;
    if (stop && stop_at_ns == 0) stop_at_ns = clock_.MonotonicNs() + std::int64_t{kDrainMs} * 1'000'000;
    if ((fds[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0 && (!stop || clock_.MonotonicNs() < stop_at_ns)) {
      const ssize_t n = ::recv(c.fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (n < 0) break;  // reset: what was committed stays, the rest never was
      if (n == 0) {
        done = settle(intake.Finish());
        break;
      }
      bytes_ += static_cast<std::uint64_t>(n);
      done = settle(intake.Feed({buffer.data(), static_cast<std::size_t>(n)}));
    } else if (stop) {
      done = settle(intake.Idle());
      if (done) done = Error{Errc::kUnavailable, "the store is stopping"};
      break;
    }
    if (!answers.Send(c.fd)) ended = true;
  }
  if (!done) {
    const bool stopping = stop_at_ns != 0;
    if (!stopping) {
      ++failed_;
      LogWarn("store", "ended a connection", {{"err", done.error().message}});
    }
    answers.Failure({done.error().code, 0, done.error().message});
  }
  // The producer may be slow to read; it is given a moment, not more.
  for (const std::int64_t end = clock_.MonotonicNs() + std::int64_t{kLastAnswerMs} * 1'000'000; answers.waiting() && clock_.MonotonicNs() < end;) {
    pollfd p{c.fd, POLLOUT, 0};
    if (!answers.Send(c.fd)) break;
    if (answers.waiting()) ::poll(&p, 1, 20);
  }
}

IngestCounters IngestServer::counters() const {
  IngestCounters c;
  c.connections = open_.load();
  c.accepted = accepted_.load();
  c.rejected = rejected_.load();
  c.failed = failed_.load();
  c.bytes = bytes_.load();
  c.batches = batches_.load();
  c.refused_lines = refused_lines_.load();
  c.over_limit = over_limit_.load();
  return c;
}

}  // namespace prom::store
