#include "scrape/daemon.h"

#include <malloc.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/run_dir.h"
#include "base/signals.h"
#include "exposition/stream_binary.h"
#include "exposition/stream_text.h"
#include "scrape/manager.h"
#include "scrape/store_output.h"

namespace prom::scrape {
namespace {

constexpr int kPublishMs = 1000;
constexpr std::int64_t kFlushMs = 1000;
// First pages leave much freed memory behind, which the allocator would keep.
constexpr std::int64_t kTrimEveryMs = 10'000;

Result<void> WriteAll(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoError("write", "standard output", errno);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

// The same target lies at another place of the interval on another host.
std::uint64_t HostSeed() {
  char name[256] = {};
  ::gethostname(name, sizeof name - 1);
  return XxHash64(name);
}

class Daemon {
 public:
  Daemon(const DaemonOptions& options, Clock& clock)
      : options_(options), clock_(clock), run_(options.run_dir.empty() ? JoinPath(options.data_dir, "run") : options.run_dir),
        publishes_(!options.run_dir.empty() || !options.data_dir.empty()),
        reload_ok_(metrics_.AddGauge("prometheus_config_last_reload_successful", "Whether the last configuration reload attempt was successful.")),
        reload_time_(metrics_.AddGauge("prometheus_config_last_reload_success_timestamp_seconds", "Timestamp of the last successful configuration reload.")) {}

  Result<void> Run() {
    Signals signals;
    ::mallopt(M_ARENA_MAX, 2);
    // Buffers of libcurl, one a fetch, come from the heap and stay there until it is trimmed.
    ::mallopt(M_MMAP_THRESHOLD, 4 << 20);
    ::mallopt(M_TRIM_THRESHOLD, 4 << 20);
    // With fast bins every free of over 64 KiB, two a scrape, walks all of them.
    ::mallopt(M_MXFAST, 0);
    state_.tool = "promscrape";
    state_.pid = ::getpid();
    state_.start_ms = clock_.NowMs();
    state_.version = kPromkitVersion;
    state_.flags = options_.flags;
    state_.config_file = options_.config_file;
    metrics_.AddProcessMetrics();
    metrics_.AddBuildInfo("promscrape");
    PROM_ASSIGN(auto config, Load());

    std::unique_ptr<StreamSink> sink;
    std::unique_ptr<Output> output;
    StoreOutput* store = nullptr;
    if (options_.data_dir.empty()) {
      if (options_.binary) {
        sink = std::make_unique<StreamEncoder>(WriteAll);
      } else {
        sink = std::make_unique<StreamTextWriter>(WriteAll);
      }
      output = std::make_unique<SinkOutput>(*sink);
    } else {
      StoreOutputOptions store_options;
      store_options.data_dir = options_.data_dir;
      store_options.spool_bytes = options_.spool_bytes;
      auto made = std::make_unique<StoreOutput>(store_options, metrics_, clock_);
      store = made.get();
      output = std::move(made);
    }
    if (publishes_) PROM_TRY(run_.Create());

    ManagerOptions manager_options;
    manager_options.workers = options_.workers;
    manager_options.seed = HostSeed();
    Manager manager(*output, metrics_, clock_, manager_options);
    manager.Apply(config);
    metrics_.AddGaugeFunction("promscrape_targets", "Active targets of all jobs.", {}, [&] { return static_cast<double>(manager.active_targets()); });
    state_.ready = true;
    LogInfo("scrape", "ready", {{"config", options_.config_file}, {"targets", manager.active_targets()}});
    Publish(manager, true);
    for (;;) {
      const auto event = signals.Wait(kPublishMs);
      if (event == SignalEvent::kStop) break;
      if (event == SignalEvent::kReload) {
        if (auto next = Load()) {
          manager.Apply(*next);
          LogInfo("scrape", "configuration loaded again", {{"config", options_.config_file}});
        } else {
          LogError("scrape", "configuration not loaded; the old one stays in force", {{"err", next.error().message}});
        }
      }
      Publish(manager, event.has_value());
      if (const std::int64_t now = clock_.MonotonicNs() / 1'000'000; now >= next_trim_ms_) {
        ::malloc_trim(0);
        next_trim_ms_ = now + kTrimEveryMs;
      }
    }
    manager.Stop();
    if (store != nullptr) store->Flush(kFlushMs);
    state_.ready = false;
    if (publishes_) (void)bool(run_.PublishState(state_));
    return {};
  }

 private:
  Result<std::shared_ptr<const config::Config>> Load() {
    auto loaded = config::LoadConfig(options_.config_file);
    state_.reload_ms = clock_.NowMs();
    ++state_.reload_count;
    state_.reload_ok = bool(loaded);
    reload_ok_.Set(loaded ? 1 : 0);
    if (!loaded) {
      state_.reload_error = loaded.error().message;
      return std::move(loaded.error());
    }
    for (const std::string& w : loaded->warnings) LogWarn("config", w);
    state_.reload_error.clear();
    state_.config_yaml = config::PrintConfig(*loaded);
    reload_time_.Set(static_cast<double>(state_.reload_ms) / 1000);
    return std::make_shared<const config::Config>(std::move(*loaded));
  }

  void Publish(const Manager& manager, bool with_state) {
    if (!publishes_) return;
    Result<void> done = run_.PublishMetrics("promscrape", metrics_.Print());
    if (done) done = run_.Publish("targets.json", manager.TargetsJson());
    if (done && with_state) done = run_.PublishState(state_);
    if (!done && !publish_failed_) LogWarn("scrape", "cannot write the run directory", {{"err", done.error().message}});
    publish_failed_ = !done;
  }

  const DaemonOptions& options_;
  Clock& clock_;
  RunDir run_;
  const bool publishes_;
  Metrics metrics_;
  Gauge& reload_ok_;
  Gauge& reload_time_;
  ToolState state_;
  bool publish_failed_ = false;
  std::int64_t next_trim_ms_ = 0;
};

}  // namespace

Result<void> RunDaemon(const DaemonOptions& options, Clock& clock) { return Daemon(options, clock).Run(); }

}  // namespace prom::scrape
