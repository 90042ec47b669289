#include "store/append_client.h"

#include <cerrno>
#include <chrono>
#include <deque>
#include <memory>
#include <poll.h>
#include <thread>
#include <unistd.h>

#include "base/io.h"
#include "exposition/stream_socket.h"
#include "store/ingest_sink.h"
#include "store/stream_intake.h"

namespace prom::store {
namespace {

constexpr std::size_t kReadBytes = 256u << 10;
constexpr std::int64_t kSendTimeoutMs = 30'000;
constexpr int kConnectRetryMs = 50;

// Where the stream goes: the two ways of RunAppend.
class Target {
 public:
  virtual ~Target() = default;
  virtual StreamSink& sink() = 0;
  // Takes answers, makes durable; then *acked is the last safe batch.
  virtual Result<void> Settle(std::uint64_t* acked) = 0;
  // Until all up to `last` is safe.
  virtual Result<void> Finish(std::uint64_t last, std::uint64_t* acked) = 0;
  virtual void Report(AppendSummary* summary) const = 0;
  virtual int fd() const { return -1; }
};

class SocketTarget : public Target {
 public:
  SocketTarget(std::unique_ptr<StreamSocket> socket, const AppendOptions& options)
      : options_(options), socket_(std::move(socket)), encoder_([this](std::string_view bytes) { return socket_->Send(bytes); }) {}

  StreamSink& sink() override { return encoder_; }
  Result<void> Settle(std::uint64_t* acked) override {
    auto done = socket_->TakeReplies(0);
    Note(acked);
    return done;
  }
  Result<void> Finish(std::uint64_t last, std::uint64_t* acked) override {
    while (socket_->acked() < last) {
      auto done = socket_->TakeReplies(1000);
      Note(acked);
      if (!done && socket_->acked() < last) return done;
    }
    return {};
  }
  void Report(AppendSummary* s) const override {
    s->accepted = socket_->accepted();
    s->refused = socket_->refused();
  }
  int fd() const override { return socket_->fd(); }

 private:
  void Note(std::uint64_t* acked) {
    *acked = socket_->acked();
    if (warned_ || !options_.sync || *acked == 0 || socket_->durability() == Durability::kDisk) return;
    warned_ = true;
    if (options_.on_warning) options_.on_warning("the running writer does not sync every batch; acknowledged is what survives its death, not power loss");
  }

  const AppendOptions& options_;
  std::unique_ptr<StreamSocket> socket_;
  StreamEncoder encoder_;
  bool warned_ = false;
};

class WriterTarget : public Target {
 public:
  WriterTarget(std::unique_ptr<Writer> writer, bool sync) : writer_(std::move(writer)), sink_(std::make_unique<IngestSink>(writer_->NewAppender())), sync_(sync) {}

  StreamSink& sink() override { return *sink_; }
  Result<void> Settle(std::uint64_t* acked) override {
    const StreamAck ack = sink_->TakeAck();
    if (ack.sequence == 0) return {};
    if (sync_) PROM_TRY(writer_->Sync());
    accepted_ += ack.accepted;
    *acked = ack.sequence;
    return {};
  }
  Result<void> Finish(std::uint64_t, std::uint64_t* acked) override {
    PROM_TRY(Settle(acked));
    return writer_->Close();
  }
  void Report(AppendSummary* s) const override {
    const Appender::Outcome& o = sink_->appender().outcome();
    s->accepted = o.appended + o.repeated;
    s->refused = sink_->refused();
    s->kinds_known = true;
    s->out_of_order = o.out_of_order;
    s->duplicates = o.duplicates + sink_->appender().duplicate_columns();
    s->too_old = o.too_old;
  }

 private:
  std::unique_ptr<Writer> writer_;  // outlives the appender in sink_
  std::unique_ptr<IngestSink> sink_;
  bool sync_;
  std::uint64_t accepted_ = 0;
};

// Adds labels, and numbers the batches anew, so that what an acknowledgement covers is
// known whatever numbers the input has.
class AppendSink : public StreamSink {
 public:
  AppendSink(StreamSink& next, const std::vector<std::pair<std::string, std::string>>& labels) : next_(next), labels_(labels) {}

  Result<void> DefineSeries(std::uint32_t id, const Labels& labels) override {
    if (labels_.empty()) return next_.DefineSeries(id, labels);
    LabelsBuilder builder(labels);
    for (const auto& [name, value] : labels_) builder.Set(name, value);
    return next_.DefineSeries(id, builder.Build());
  }
  Result<void> DefineLayout(std::uint32_t id, std::span<const std::uint32_t> series) override { return next_.DefineLayout(id, series); }
  Result<void> Reset() override { return next_.Reset(); }
  Result<void> Row(std::uint32_t layout, std::int64_t t_ms, std::span<const double> values, std::span<const std::uint64_t> present) override {
    return next_.Row(layout, t_ms, values, present);
  }
  Result<void> Sample(std::uint32_t series, std::int64_t t_ms, double v, std::int64_t st_ms) override { return next_.Sample(series, t_ms, v, st_ms); }
  Result<void> HistogramAt(std::uint32_t series, std::int64_t t_ms, const Histogram& h, std::int64_t st_ms) override {
    return next_.HistogramAt(series, t_ms, h, st_ms);
  }
  Result<void> ExemplarOf(std::uint32_t series, const Exemplar& exemplar) override { return next_.ExemplarOf(series, exemplar); }
  Result<void> MetadataOf(std::string_view metric, const Metadata& metadata) override { return next_.MetadataOf(metric, metadata); }
  Result<void> Commit(std::uint64_t sequence) override {
    PROM_TRY(next_.Commit(last_ + 1));
    ++last_;
    marks_.emplace_back(last_, intake_->form() == StreamForm::kText ? intake_->lines() : sequence);
    return {};
  }

  void set_intake(const StreamIntake* intake) { intake_ = intake; }
  std::uint64_t last() const { return last_; }
  // What the batches up to `acked` end with: lines or sequences of the input; 0: nothing new.
  std::uint64_t TakeMark(std::uint64_t acked) {
    std::uint64_t mark = 0;
    for (; !marks_.empty() && marks_.front().first <= acked; marks_.pop_front()) mark = marks_.front().second;
    return mark;
  }

 private:
  StreamSink& next_;
  const std::vector<std::pair<std::string, std::string>>& labels_;
  const StreamIntake* intake_ = nullptr;
  std::uint64_t last_ = 0;
  std::deque<std::pair<std::uint64_t, std::uint64_t>> marks_;
};

Result<std::unique_ptr<Target>> OpenTarget(const AppendOptions& options, Clock& clock) {
  const std::string path = JoinPath(options.data_dir, "ingest.sock");
  const std::int64_t end = clock.MonotonicNs() + options.wait_for_writer_ms * 1'000'000;
  while (true) {
    auto socket = StreamSocket::Connect(path, kSendTimeoutMs);
    if (socket) return std::unique_ptr<Target>(std::make_unique<SocketTarget>(std::move(*socket), options));
    const Errc why = socket.error().code;
    // A path too long for a socket: no writer can listen there either.
    if (why != Errc::kNotFound && why != Errc::kUnavailable && why != Errc::kInvalid) return std::move(socket.error());
    auto writer = Writer::Open(SystemIo(), clock, options.data_dir, options.writer);
    if (writer) {
      if (options.on_warning)
        for (const std::string& w : (*writer)->warnings()) options.on_warning(w);
      return std::unique_ptr<Target>(std::make_unique<WriterTarget>(std::move(*writer), options.sync));
    }
    if (writer.error().code != Errc::kUnavailable || clock.MonotonicNs() >= end) return std::move(writer.error());
    std::this_thread::sleep_for(std::chrono::milliseconds(kConnectRetryMs));
  }
}

}  // namespace

Result<void> RunAppend(const AppendOptions& options, Clock& clock, AppendSummary* summary) {
  PROM_ASSIGN(auto target, OpenTarget(options, clock));
  AppendSink sink(target->sink(), options.labels);
  StreamIntake intake(&sink, &clock, options.on_refused_line, false);
  sink.set_intake(&intake);

  std::uint64_t acked = 0, said = 0;
  const auto say = [&](std::uint64_t mark) {
    if (mark <= said) return;
    said = mark;
    if (options.on_ack) options.on_ack(mark);
  };
  std::string buffer(kReadBytes, '\0');
  const auto run = [&]() -> Result<void> {
    while (true) {
      pollfd fds[3] = {{options.in_fd, POLLIN, 0}, {target->fd(), POLLIN, 0}, {options.signals != nullptr ? options.signals->fd() : -1, POLLIN, 0}};
      const int ready = ::poll(fds, 3, kIdlePageMs);
      if (ready < 0 && errno == EINTR) continue;
      if (ready < 0) return ErrnoError("poll", "standard input", errno);
      if (fds[2].revents != 0) {
        const auto event = options.signals->Wait(0);
        if (event == SignalEvent::kStop) break;
      }
      if (fds[0].revents != 0) {
        const ssize_t n = ::read(options.in_fd, buffer.data(), buffer.size());
        if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (n < 0) return ErrnoError("read", "standard input", errno);
        if (n == 0) break;
        PROM_TRY(intake.Feed({buffer.data(), static_cast<std::size_t>(n)}));
      } else if (ready == 0) {
        PROM_TRY(intake.Idle());
      }
      PROM_TRY(target->Settle(&acked));
      say(sink.TakeMark(acked));
    }
    PROM_TRY(intake.Finish());
    auto done = target->Finish(sink.last(), &acked);
    say(sink.TakeMark(acked));
    if (done && intake.form() == StreamForm::kText) say(intake.lines());  // comments behind the last batch
    return done;
  };
  auto done = run();
  if (!done) {  // what was answered before
    (void)bool(target->Settle(&acked));
    say(sink.TakeMark(acked));
  }
  summary->lines = intake.lines();
  summary->refused_lines = intake.refused_lines();
  target->Report(summary);
  return done;
}

}  // namespace prom::store
