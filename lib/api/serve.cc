#include "api/serve.h"

#include <malloc.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>

#include "api/open_data.h"
#include "api/query_log.h"
#include "base/log.h"
#include "base/signals.h"
#include "config/config.h"

namespace prom::api {
namespace {

constexpr int kPublishMs = 1000;

// Opens the data directory when it is there.
class LateDataDir : public QueryableSource {
 public:
  explicit LateDataDir(std::string dir) : dir_(std::move(dir)) {}
  Result<std::shared_ptr<const Queryable>> Snapshot() override {
    std::shared_ptr<QueryableSource> data;
    {
      MutexLock lock(mutex_);
      if (!data_) {
        PROM_ASSIGN(data_, OpenDataDir(dir_));
      }
      data = data_;
    }
    return data->Snapshot();
  }

 private:
  const std::string dir_;
  Mutex mutex_;
  std::shared_ptr<QueryableSource> data_ GUARDED_BY(mutex_);
};

// A directory of our own for as long as we run.
class PrivateDir {
 public:
  ~PrivateDir() {
    if (!path_.empty()) (void)bool(RemoveTree(SystemIo(), path_));
  }
  Result<void> Create() {
    const char* tmp = std::getenv("TMPDIR");
    std::string pattern = JoinPath(tmp != nullptr && *tmp != '\0' ? tmp : "/tmp", "promql-run-XXXXXX");
    if (::mkdtemp(pattern.data()) == nullptr) return ErrnoError("mkdtemp", pattern, errno);
    path_ = pattern;
    return {};
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// What `serve` takes from prometheus.yml.
struct Settings {
  QueryLog log;
  std::atomic<std::int64_t> subquery_step_ms{promql::EngineOptions().subquery_step_ms};

  Result<void> Apply(const std::string& file) {
    if (file.empty()) return {};
    PROM_ASSIGN(const config::Config config, config::LoadConfig(file));
    PROM_TRY(log.SetFile(config.global.query_log_file));
    subquery_step_ms = config.global.evaluation_interval_ms;
    return {};
  }
};

}  // namespace

Result<void> Serve(ServeOptions options, Clock& clock) {
  Signals signals;
  // Workers take requests in turn: with a heap for each, every one of them would keep what its largest query
  // needed. Large columns come from the heap, and what is free at its end goes back.
  ::mallopt(M_ARENA_MAX, 1);
  ::mallopt(M_MMAP_THRESHOLD, 4 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 512 << 10);
  Metrics metrics;
  metrics.AddProcessMetrics();
  metrics.AddBuildInfo("promql");
  metrics.AddBuildInfo("prometheus");
  metrics.AddGauge("prometheus_ready", "Whether Prometheus startup was fully completed and the server is ready for normal operation.").Set(1);
  // Nothing is written to a data directory that is not ours.
  PrivateDir spare;
  if (options.run_dir.empty() && IsPrometheusDir(options.data_dir)) PROM_TRY(spare.Create());
  RunDir run(!options.run_dir.empty() ? options.run_dir : !spare.path().empty() ? spare.path() : JoinPath(options.data_dir, "run"));
  LateDataDir source(options.data_dir);
  if (auto first = source.Snapshot(); !first && first.error().code != Errc::kNotFound) return std::move(first.error());
  PROM_TRY(run.Create());
  Settings settings;
  PROM_TRY(settings.Apply(options.config_file));
  options.server.query.log = &settings.log;
  options.server.query.subquery_step_ms = &settings.subquery_step_ms;
  Gauge& log_enabled = metrics.AddGauge("prometheus_engine_query_log_enabled", "State of the query log.");
  log_enabled.Set(settings.log.enabled() ? 1 : 0);

  ToolState state;
  state.tool = "promql";
  state.pid = ::getpid();
  state.start_ms = clock.NowMs();
  state.version = kPromkitVersion;
  state.flags = options.flags;
  state.config_file = options.config_file;
  Server server(source, run, metrics, clock, options.server);
  PROM_TRY(server.Start());
  std::string all;
  for (const std::string& a : server.addresses()) all += (all.empty() ? "" : " ") + a;
  state.listen_address = all;
  state.ready = true;
  PROM_TRY(run.PublishState(state));
  LogInfo("web", "listening", {{"address", all}, {"data", options.data_dir}});
  while (!server.quit_requested()) {
    const auto event = signals.Wait(kPublishMs);
    if (event == SignalEvent::kStop) break;
    if (event == SignalEvent::kReload) {
      const auto applied = settings.Apply(options.config_file);
      state.reload_ok = bool(applied);
      state.reload_error = applied ? "" : applied.error().message;
      if (!applied) LogError("web", "the configuration is not taken, the old one stays", {{"err", applied.error().message}});
      log_enabled.Set(settings.log.enabled() ? 1 : 0);
      ++state.reload_count;
      state.reload_ms = clock.NowMs();
      (void)bool(run.PublishState(state));
    }
    (void)bool(run.PublishMetrics("promql", metrics.Print()));
  }
  server.Stop();
  state.ready = false;
  (void)bool(run.PublishState(state));
  return {};
}

}  // namespace prom::api
