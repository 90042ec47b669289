#include "scrape/store_output.h"

#include <algorithm>

#include "base/io.h"
#include "base/log.h"
#include "base/number.h"
#include "base/strings.h"
#include "exposition/stream_binary.h"
#include "exposition/stream_socket.h"

namespace prom::scrape {
namespace {

constexpr std::uint64_t kSpoolFileBytes = 32u << 20;

// Counts commits, so that one knows what was sent and not acknowledged.
class CountingEncoder : public StreamEncoder {
 public:
  using StreamEncoder::StreamEncoder;
  Result<void> Commit(std::uint64_t sequence) override {
    PROM_TRY(StreamEncoder::Commit(sequence));
    last_ = sequence;
    ++commits_;
    return {};
  }
  std::uint64_t last() const { return last_; }
  std::uint64_t commits() const { return commits_; }

 private:
  std::uint64_t last_ = 0, commits_ = 0;
};

}  // namespace

class StoreOutput::Impl {
 public:
  Impl(StoreOutputOptions options, Metrics& metrics, Clock& clock)
      : options_(std::move(options)), clock_(clock), socket_(JoinPath(options_.data_dir, "ingest.sock")), spool_dir_(JoinPath(options_.data_dir, "spool")),
        connected_(metrics.AddGauge("promscrape_store_connected", "Whether the store takes samples now.")),
        lost_(metrics.AddCounter("promscrape_batches_lost_total", "Batches that the store had not acknowledged when it went away, or that no longer fit the spool.")),
        spooled_(metrics.AddGauge("promscrape_spool_bytes", "Bytes waiting on disk for the store.")),
        out_of_order_(metrics.AddCounter("prometheus_target_scrapes_sample_out_of_order_total", "Total number of samples rejected due to not being out of the expected order.")),
        duplicates_(metrics.AddCounter("prometheus_target_scrapes_sample_duplicate_timestamp_total", "Total number of samples rejected due to duplicate timestamps but different values.")),
        out_of_bounds_(metrics.AddCounter("prometheus_target_scrapes_sample_out_of_bounds_total", "Total number of samples rejected due to timestamp falling outside of the time bounds.")),
        over_limit_(metrics.AddCounter("promscrape_samples_over_series_limit_total", "Samples of series that the store did not take because of its series limit.")) {}

  ~Impl() { CloseLive(); }

  Result<StreamSink*> Stream(bool* fresh) {
    if (!looked_) Alive();
    looked_ = false;
    if (!connection_ && Due()) TryConnect(fresh);
    if (connection_) return encoder_.get();
    // Spooling: a file of moderate size, so that giving up the oldest gives up little.
    if (spool_ && spool_written_ >= kSpoolFileBytes) CloseSpool();
    if (!spool_) {
      PROM_TRY(OpenSpool());
      *fresh = true;
    }
    return encoder_.get();
  }

  void Drop() {
    if (connection_) Lose(Error{Errc::kUnavailable, "the stream broke off"});
    CloseSpool();
  }

  bool Quick() {
    if (!connection_ || !Alive()) return false;
    // With everything acknowledged nothing is in the socket's buffer.
    return connection_->acked() == encoder_->last() || connection_->writable();
  }

  void Flush(std::int64_t timeout_ms) {
    const std::int64_t end = clock_.MonotonicNs() + timeout_ms * 1'000'000;
    if (!connection_) {
      bool ignored = false;
      TryConnect(&ignored);
    }
    while (connection_ && connection_->acked() < encoder_->last() && clock_.MonotonicNs() < end) {
      const bool alive = bool(connection_->TakeReplies(20));
      NoteRefused();
      if (!alive) return;
    }
  }

 private:
  // Takes answers; false when there is no connection, or none any more.
  bool Alive() {
    if (!connection_) return false;
    looked_ = true;
    auto alive = connection_->TakeReplies(0);
    NoteRefused();
    if (!alive) Lose(alive.error());
    return connection_ != nullptr;
  }

  // Counts what answers say was refused, and says so, once for all that has come.
  void NoteRefused() {
    const StreamAck& now = connection_->totals();
    if (now.refused == noted_.refused) return;
    out_of_order_.Add(static_cast<double>(now.out_of_order - noted_.out_of_order));
    duplicates_.Add(static_cast<double>(now.duplicates - noted_.duplicates));
    out_of_bounds_.Add(static_cast<double>(now.too_old - noted_.too_old));
    over_limit_.Add(static_cast<double>(now.over_limit - noted_.over_limit));
    LogWarn("scrape", "the store refused samples", {{"out_of_order", now.out_of_order - noted_.out_of_order}, {"duplicates", now.duplicates - noted_.duplicates}, {"too_old", now.too_old - noted_.too_old},
                                                    {"over_series_limit", now.over_limit - noted_.over_limit}, {"refused", now.refused - noted_.refused}});
    noted_ = now;
  }

  bool Due() const { return clock_.MonotonicNs() >= next_try_ns_; }

  void TryConnect(bool* fresh) {
    next_try_ns_ = clock_.MonotonicNs() + options_.retry_ms * 1'000'000;
    auto opened = StreamSocket::Connect(socket_, options_.send_timeout_ms);
    if (!opened) {
      if (!away_logged_) LogWarn("scrape", "the store is away; samples wait on disk", {{"socket", socket_}, {"spool", spool_dir_}, {"err", opened.error().message}});
      away_logged_ = true;
      return;
    }
    CloseSpool();
    if (auto done = DeliverSpool(); !done) {
      LogWarn("scrape", "cannot deliver the spool to the store", {{"err", done.error().message}});
      return;
    }
    connection_ = std::move(*opened);
    noted_ = {};
    encoder_ = std::make_unique<CountingEncoder>([this](std::string_view bytes) { return connection_->Send(bytes); });
    connected_.Set(1);
    if (away_logged_) LogInfo("scrape", "connected to the store", {{"socket", socket_}});
    away_logged_ = false;
    *fresh = true;
  }

  void Lose(const Error& why) {
    const std::uint64_t acked = connection_->acked(), sent = encoder_->last();
    lost_.Add(static_cast<double>(sent > acked ? std::min(sent - acked, encoder_->commits()) : 0));
    LogWarn("scrape", "lost the store", {{"err", why.message}, {"unacknowledged_batches", sent > acked ? sent - acked : 0}});
    away_logged_ = true;
    CloseLive();
    // A store that takes connections and fails each (a full disk) is not asked more often than one that is away.
    next_try_ns_ = clock_.MonotonicNs() + options_.retry_ms * 1'000'000;
  }

  void CloseLive() {
    encoder_.reset();
    connection_.reset();
    connected_.Set(0);
  }

  // Spool files, oldest first.
  std::vector<std::string> SpoolFiles() const {
    std::vector<std::pair<std::uint64_t, std::string>> found;
    if (auto entries = SystemIo().List(spool_dir_)) {
      const std::string prefix = options_.spool_name + "-";
      for (const DirEntry& e : *entries) {
        if (e.is_dir || !e.name.starts_with(prefix)) continue;
        if (const auto n = ParseUint64(std::string_view(e.name).substr(prefix.size()))) found.emplace_back(*n, JoinPath(spool_dir_, e.name));
      }
    }
    std::sort(found.begin(), found.end());
    std::vector<std::string> out;
    for (auto& [n, path] : found) out.push_back(std::move(path));
    return out;
  }

  Result<void> OpenSpool() {
    PROM_TRY(MakeDirs(SystemIo(), spool_dir_));
    auto files = SpoolFiles();
    std::uint64_t total = 0;
    std::vector<std::uint64_t> sizes;
    for (const std::string& f : files) {
      std::uint64_t size = 0;
      if (auto file = SystemIo().Open(f, Io::Mode::kRead))
        if (auto s = (*file)->Size()) size = *s;
      sizes.push_back(size);
      total += size;
    }
    for (std::size_t i = 0; i < files.size() && total + kSpoolFileBytes > options_.spool_bytes; ++i) {
      LogWarn("scrape", "the spool is full: giving up its oldest file", {{"file", files[i]}, {"bytes", sizes[i]}});
      lost_.Add();
      (void)bool(SystemIo().Remove(files[i]));
      total -= sizes[i];
    }
    const std::uint64_t newest = files.empty() ? 0 : *ParseUint64(files.back().substr(files.back().rfind('-') + 1));
    const std::string path = JoinPath(spool_dir_, options_.spool_name + "-" + std::to_string(std::max(newest + 1, static_cast<std::uint64_t>(clock_.NowMs()))));
    PROM_ASSIGN(spool_, SystemIo().Open(path, Io::Mode::kCreateNew));
    spool_written_ = 0;
    spool_base_ = total;
    encoder_ = std::make_unique<CountingEncoder>([this](std::string_view bytes) -> Result<void> {
      PROM_TRY(spool_->WriteAt(spool_written_, bytes));
      spool_written_ += bytes.size();
      spooled_.Set(static_cast<double>(spool_base_ + spool_written_));
      return {};
    });
    return {};
  }

  void CloseSpool() {
    if (!spool_) return;
    spool_.reset();
    encoder_.reset();
  }

  Result<void> DeliverSpool() {
    for (const std::string& path : SpoolFiles()) {
      PROM_TRY(DeliverFile(path));
      PROM_TRY(SystemIo().Remove(path));
    }
    spooled_.Set(0);
    return {};
  }

  // Finds the last sequence of a spool file, and how many bytes are whole frames: a
  // file of a process that was killed may end in the middle of one.
  struct LastCommit : StreamSink {
    std::uint64_t sequence = 0;
    Result<void> DefineSeries(std::uint32_t, const Labels&) override { return {}; }
    Result<void> DefineLayout(std::uint32_t, std::span<const std::uint32_t>) override { return {}; }
    Result<void> Reset() override { return {}; }
    Result<void> Row(std::uint32_t, std::int64_t, std::span<const double>, std::span<const std::uint64_t>) override { return {}; }
    Result<void> Sample(std::uint32_t, std::int64_t, double, std::int64_t) override { return {}; }
    Result<void> HistogramAt(std::uint32_t, std::int64_t, const Histogram&, std::int64_t) override { return {}; }
    Result<void> ExemplarOf(std::uint32_t, const Exemplar&) override { return {}; }
    Result<void> MetadataOf(std::string_view, const Metadata&) override { return {}; }
    Result<void> Commit(std::uint64_t s) override {
      sequence = s;
      return {};
    }
  };

  Result<void> DeliverFile(const std::string& path) {
    PROM_ASSIGN(auto bytes, ReadFile(SystemIo(), path, 4ull << 30));
    LastCommit last;
    StreamDecoder decoder(&last);
    if (auto done = decoder.Feed(bytes); !done && done.error().code == Errc::kUnsupported) return done;
    const std::uint64_t whole = decoder.offset_bytes();
    if (last.sequence == 0) return {};  // nothing in it
    PROM_ASSIGN(auto connection, StreamSocket::Connect(socket_, options_.send_timeout_ms));
    PROM_TRY(connection->Send(std::string_view(bytes).substr(0, whole)));
    const std::int64_t end = clock_.MonotonicNs() + options_.send_timeout_ms * 1'000'000;
    while (connection->acked() < last.sequence) {
      if (clock_.MonotonicNs() > end) return Error{Errc::kTimeout, path + ": not acknowledged in time"};
      PROM_TRY(connection->TakeReplies(100));
    }
    return {};
  }

  StoreOutputOptions options_;
  Clock& clock_;
  const std::string socket_, spool_dir_;
  Gauge& connected_;
  Counter& lost_;
  Gauge& spooled_;
  Counter& out_of_order_;
  Counter& duplicates_;
  Counter& out_of_bounds_;
  Counter& over_limit_;
  StreamAck noted_;  // totals of the connection that are counted
  std::unique_ptr<StreamSocket> connection_;
  std::unique_ptr<CountingEncoder> encoder_;
  std::unique_ptr<File> spool_;
  std::uint64_t spool_written_ = 0, spool_base_ = 0;
  std::int64_t next_try_ns_ = 0;
  bool away_logged_ = false;
  bool looked_ = false;  // for answers, since the last Stream
};

StoreOutput::StoreOutput(StoreOutputOptions options, Metrics& metrics, Clock& clock) : impl_(std::make_unique<Impl>(std::move(options), metrics, clock)) {}
StoreOutput::~StoreOutput() = default;
void StoreOutput::Flush(std::int64_t timeout_ms) { impl_->Flush(timeout_ms); }
Result<StreamSink*> StoreOutput::Stream(bool* fresh) { return impl_->Stream(fresh); }
void StoreOutput::Drop() { impl_->Drop(); }
bool StoreOutput::Quick() { return impl_->Quick(); }

}  // namespace prom::scrape
