#include "store/service.h"

#include <malloc.h>
#include <unistd.h>

#include "base/log.h"
#include "base/metrics.h"
#include "base/run_dir.h"
#include "base/signals.h"
#include "store/control_server.h"
#include "store/head_reader.h"

namespace prom::store {
namespace {

constexpr int kPublishMs = 1000;
constexpr std::int64_t kTrimEveryMs = 10'000;

class Service {
 public:
  Service(const ServiceOptions& options, Clock& clock)
      : options_(options), clock_(clock), run_(options.run_dir.empty() ? JoinPath(options.data_dir, "run") : options.run_dir) {}

  Result<void> Run() {
    Signals signals;  // before any thread starts
    // Batches and the making of indexes and blocks need buffers that are large for a moment: they
    // come from the heap, are not cut into fast bins, and what is free goes back now and then.
    ::mallopt(M_ARENA_MAX, 2);
    ::mallopt(M_MMAP_THRESHOLD, 4 << 20);
    ::mallopt(M_TRIM_THRESHOLD, 4 << 20);
    ::mallopt(M_MXFAST, 0);
    PROM_ASSIGN(writer_, Writer::Open(SystemIo(), clock_, options_.data_dir, options_.writer));
    for (const std::string& w : writer_->warnings()) LogWarn("store", "damage found when opening", {{"what", w}});
    counters_ = writer_->counters();
    clean_start_ = writer_->clean_start();
    PROM_ASSIGN(server_, IngestServer::Start(*writer_, clock_, JoinPath(options_.data_dir, "ingest.sock"), options_.ingest));
    PROM_ASSIGN(control_, ControlServer::Start(*writer_, JoinPath(options_.data_dir, "control.sock")));
    PROM_TRY(run_.Create());
    Register();
    state_.tool = "promstore";
    state_.pid = ::getpid();
    state_.start_ms = clock_.NowMs();
    state_.version = kPromkitVersion;
    state_.flags = options_.flags;
    state_.config_file = options_.config_file;
    state_.reload_ms = state_.start_ms;
    state_.ready = true;
    Publish(true);
    LogInfo("store", "ready", {{"data", options_.data_dir}, {"series", counters_.series}, {"blocks", counters_.blocks}});
    while (true) {
      const auto event = signals.Wait(kPublishMs);
      if (event == SignalEvent::kStop) break;
      if (event == SignalEvent::kReload) Reload();
      Publish(event.has_value());
      if (const std::int64_t now = clock_.MonotonicNs() / 1'000'000; now >= next_trim_ms_) {
        ::malloc_trim(0);
        next_trim_ms_ = now + kTrimEveryMs;
      }
    }
    const std::int64_t stopping = clock_.MonotonicNs();
    state_.ready = false;
    Publish(true);
    server_->Stop();
    control_->Stop();
    auto closed = writer_->Close();
    LogInfo("store", "stopped", {{"ms", (clock_.MonotonicNs() - stopping) / 1'000'000}});
    return closed;
  }

 private:
  using Read = double (*)(const WriterCounters&);

  void Register() {
    metrics_.AddProcessMetrics();
    metrics_.AddBuildInfo("promstore");
    const auto counter = [this](std::string_view name, std::string_view help, Read read, MetricLabels labels = {}) {
      metrics_.AddCounterFunction(name, help, std::move(labels), [this, read] { return read(counters_); });
    };
    const auto gauge = [this](std::string_view name, std::string_view help, Read read) {
      metrics_.AddGaugeFunction(name, help, {}, [this, read] { return read(counters_); });
    };
    using C = const WriterCounters&;
    gauge("prometheus_tsdb_head_series", "Total number of series in the head block.", [](C c) { return static_cast<double>(c.series); });
    gauge("prometheus_tsdb_head_min_time", "Minimum time bound of the head block, in ms.", [](C c) { return Empty(c) ? 0 : static_cast<double>(c.head_min_ms); });
    gauge("prometheus_tsdb_head_max_time", "Maximum timestamp of the head block, in ms.", [](C c) { return Empty(c) ? 0 : static_cast<double>(c.head_max_ms); });
    gauge("prometheus_tsdb_head_min_time_seconds", "Minimum time bound of the head block.", [](C c) { return Empty(c) ? 0 : static_cast<double>(c.head_min_ms) / 1000; });
    gauge("prometheus_tsdb_head_max_time_seconds", "Maximum timestamp of the head block.", [](C c) { return Empty(c) ? 0 : static_cast<double>(c.head_max_ms) / 1000; });
    counter("prometheus_tsdb_head_samples_appended_total", "Total number of appended samples.", [](C c) { return static_cast<double>(c.head.appended - c.head.appended_histograms); }, {{"type", "float"}});
    counter("prometheus_tsdb_head_samples_appended_total", "Total number of appended samples.", [](C c) { return static_cast<double>(c.head.appended_histograms); }, {{"type", "histogram"}});
    counter("prometheus_tsdb_out_of_order_samples_total", "Samples refused because they are older than the newest of their series.", [](C c) { return static_cast<double>(c.head.out_of_order); }, {{"type", "float"}});
    counter("prometheus_tsdb_head_out_of_order_samples_appended_total", "Out of order samples that were taken.", [](C c) { return static_cast<double>(c.head.out_of_order_accepted); }, {{"type", "float"}});
    counter("prometheus_tsdb_too_old_samples_total", "Samples refused because they are older than what has been compacted.", [](C c) { return static_cast<double>(c.head.too_old); }, {{"type", "float"}});
    counter("prometheus_tsdb_exemplar_exemplars_appended_total", "Total number of appended exemplars.", [](C c) { return static_cast<double>(c.head.exemplars); });
    counter("prometheus_tsdb_exemplar_out_of_order_exemplars_total", "Exemplars refused because they are out of order.", [](C c) { return static_cast<double>(c.head.exemplars_out_of_order); });
    gauge("prometheus_tsdb_blocks_loaded", "Number of currently loaded data blocks.", [](C c) { return static_cast<double>(c.blocks); });
    counter("prometheus_tsdb_compactions_total", "Total number of compactions that were executed.", [](C c) { return static_cast<double>(c.compactions); });
    counter("prometheus_tsdb_compactions_failed_total", "Total number of compactions that failed.", [](C c) { return static_cast<double>(c.failed_compactions); });
    counter("prometheus_tsdb_wal_corruptions_total", "Damaged records found when opening.", [](C c) { return static_cast<double>(c.head.damaged); });
    counter("prometheus_tsdb_wal_writes_failed_total", "Batches that could not be written.", [](C c) { return static_cast<double>(c.head.failed_commits); });
    metrics_.AddGaugeFunction("prometheus_tsdb_lowest_timestamp", "Lowest timestamp value stored in the database, in ms.", {}, [this] { return lowest_ == kMaxTimeMs ? 0 : static_cast<double>(lowest_); });
    metrics_.AddGaugeFunction("prometheus_tsdb_lowest_timestamp_seconds", "Lowest timestamp value stored in the database.", {}, [this] { return lowest_ == kMaxTimeMs ? 0 : static_cast<double>(lowest_) / 1000; });
    metrics_.AddGaugeFunction("prometheus_tsdb_storage_blocks_bytes", "The number of bytes that are currently used for local storage by all blocks.", {}, [this] { return static_cast<double>(block_bytes_); });
    metrics_.AddGaugeFunction("prometheus_tsdb_retention_limit_bytes", "Max number of bytes to be retained in the tsdb blocks, configured 0 means disabled.", {}, [this] { return static_cast<double>(retention_.SizeLimit(disk_bytes_)); });
    metrics_.AddGaugeFunction("prometheus_tsdb_retention_limit_seconds", "How long to retain samples in storage.", {}, [this] { return static_cast<double>(retention_.time_ms) / 1000; });
    metrics_.AddGaugeFunction("prometheus_tsdb_retention_limit_percentage", "Percentage of the file system to be retained at most, configured 0 means disabled.", {}, [this] { return retention_.percentage; });
    counter("prometheus_tsdb_time_retentions_total", "The number of times that blocks were deleted because the maximum time limit was exceeded.", [](C c) { return static_cast<double>(c.dropped_by_time); });
    counter("prometheus_tsdb_size_retentions_total", "The number of times that blocks were deleted because the maximum number of bytes was exceeded.", [](C c) { return static_cast<double>(c.dropped_by_size); });
    counter("promstore_free_space_retentions_total", "The number of times that blocks were deleted because the disk ran short.", [](C c) { return static_cast<double>(c.dropped_for_space); });
    counter("promstore_policy_rewrites_total", "Blocks written anew or dropped by retention policies.", [](C c) { return static_cast<double>(c.policy_rewrites); });
    counter("promstore_policy_series_total", "Series of blocks that retention policies dropped.", [](C c) { return static_cast<double>(c.policy_series); });
    counter("promstore_compaction_seconds_total", "Time spent merging blocks.", [](C c) { return c.compaction_seconds; });
    metrics_.AddGaugeFunction("prometheus_tsdb_clean_start", "-1: lockfile is disabled. 0: a lockfile from a previous execution was replaced. 1: lockfile creation was clean.", {}, [this] { return clean_start_ ? 1.0 : 0.0; });
    metrics_.AddGaugeFunction("prometheus_tsdb_wal_storage_size_bytes", "Size of the write log directory.", {}, [this] { return static_cast<double>(head_bytes_); });
    metrics_.AddGaugeFunction("promstore_disk_free_bytes", "What may still be written to the file system of the data directory.", {}, [this] { return static_cast<double>(free_bytes_); });

    counter("promstore_duplicate_samples_total", "Samples refused because their series has another value at that time.", [](C c) { return static_cast<double>(c.head.duplicates); });
    counter("promstore_commits_total", "Batches written.", [](C c) { return static_cast<double>(c.head.commits); });
    counter("promstore_log_bytes_total", "Bytes written to the log.", [](C c) { return static_cast<double>(c.head.log_bytes); });
    counter("promstore_chunk_bytes_total", "Bytes written as chunks.", [](C c) { return static_cast<double>(c.head.chunk_bytes); });
    counter("promstore_syncs_total", "Times the log was synced to disk.", [](C c) { return static_cast<double>(c.syncs); });
    counter("promstore_syncs_failed_total", "Syncs that failed.", [](C c) { return static_cast<double>(c.failed_syncs); });
    gauge("promstore_last_sync_timestamp_seconds", "When the log was last synced to disk.", [](C c) { return static_cast<double>(c.last_sync_ms) / 1000; });
    gauge("promstore_log_segments", "Segments of the log of the head.", [](C c) { return static_cast<double>(c.log_segments); });
    gauge("promstore_head_layouts", "Layouts of the head: lists of series that are appended to together.", [](C c) { return static_cast<double>(c.layouts); });
    gauge("promstore_head_epochs", "Epochs of the head; more than one while an old one becomes a block.", [](C c) { return static_cast<double>(c.epochs); });

    const auto ingest = [this](std::string_view name, std::string_view help, std::uint64_t IngestCounters::*field) {
      metrics_.AddCounterFunction(name, help, {}, [this, field] { return static_cast<double>(ingest_.*field); });
    };
    metrics_.AddGaugeFunction("promstore_ingest_connections", "Producers connected to the ingest socket.", {}, [this] { return static_cast<double>(ingest_.connections); });
    ingest("promstore_ingest_connections_accepted_total", "Connections accepted on the ingest socket.", &IngestCounters::accepted);
    ingest("promstore_ingest_connections_rejected_total", "Connections closed because there were too many.", &IngestCounters::rejected);
    ingest("promstore_ingest_connections_failed_total", "Connections ended with an error.", &IngestCounters::failed);
    ingest("promstore_ingest_bytes_total", "Bytes received.", &IngestCounters::bytes);
    ingest("promstore_ingest_batches_total", "Batches committed.", &IngestCounters::batches);
    ingest("promstore_ingest_refused_lines_total", "Lines of text that could not be read.", &IngestCounters::refused_lines);
    ingest("promstore_series_limit_refused_samples_total", "Samples refused because their series is new and the series limit is reached.", &IngestCounters::over_limit);
    metrics_.AddGauge("promstore_series_limit", "Series of the head at which new ones are refused, 0 means no limit.").Set(static_cast<double>(options_.writer.max_series));
  }

  void Reload() {
    state_.reload_ms = clock_.NowMs();
    ++state_.reload_count;
    state_.reload_error.clear();
    if (options_.load_settings) {  // otherwise all there is comes from flags
      if (const auto settings = options_.load_settings(); settings) {
        writer_->Reconfigure(*settings);
      } else {
        state_.reload_error = settings.error().message;
        LogError("store", "the settings cannot be loaded, the old ones stay", {{"err", state_.reload_error}});
      }
    }
    state_.reload_ok = state_.reload_error.empty();
  }

  static bool Empty(const WriterCounters& c) { return c.head_min_ms > c.head_max_ms; }

  void Publish(bool with_state) {
    counters_ = writer_->counters();
    ingest_ = server_->counters();
    const Manifest manifest = writer_->manifest();
    retention_ = writer_->retention();
    if (const auto bytes = SystemIo().TotalBytes(options_.data_dir); bytes) disk_bytes_ = *bytes;
    if (const auto bytes = SystemIo().FreeBytes(options_.data_dir); bytes) free_bytes_ = *bytes;
    head_bytes_ = 0;
    for (const ManifestEpoch& e : manifest.epochs)
      if (const auto bytes = DirBytes(SystemIo(), EpochDir(options_.data_dir, e.number)); bytes) head_bytes_ += *bytes;
    block_bytes_ = 0;
    lowest_ = Empty(counters_) ? kMaxTimeMs : counters_.head_min_ms;
    for (const ManifestBlock& b : manifest.blocks) {
      block_bytes_ += b.bytes;
      lowest_ = std::min(lowest_, b.min_ms);
    }
    auto done = run_.PublishMetrics("promstore", metrics_.Print());
    if (done && (with_state || publish_failed_)) done = run_.PublishState(state_);
    // A state that could not be written, on a full disk say, is tried again.
    if (!done && !publish_failed_) LogWarn("store", "cannot write the run directory", {{"err", done.error().message}});
    publish_failed_ = !done;
  }

  const ServiceOptions& options_;
  Clock& clock_;
  RunDir run_;
  std::unique_ptr<Writer> writer_;
  std::unique_ptr<IngestServer> server_;    // go before the writer
  std::unique_ptr<ControlServer> control_;
  Metrics metrics_;
  ToolState state_;
  // What the page is printed from, taken once a page.
  WriterCounters counters_;
  IngestCounters ingest_;
  RetentionSettings retention_;
  std::uint64_t block_bytes_ = 0, head_bytes_ = 0, disk_bytes_ = 0, free_bytes_ = 0;
  bool clean_start_ = true;
  std::int64_t lowest_ = kMaxTimeMs;
  bool publish_failed_ = false;
  std::int64_t next_trim_ms_ = 0;
};

}  // namespace

Result<void> RunService(const ServiceOptions& options, Clock& clock) { return Service(options, clock).Run(); }

}  // namespace prom::store
