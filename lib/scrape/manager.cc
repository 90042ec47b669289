#include "scrape/manager.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <map>
#include <set>
#include <unordered_map>

#include "base/json.h"
#include "base/log.h"
#include "base/strings.h"
#include "net/fetch_loop.h"
#include "scrape/failure_log.h"
#include "scrape/fetch_request.h"
#include "scrape/quantiles.h"
#include "scrape/scraper.h"
#include "scrape/worker_pool.h"

namespace prom::scrape {
namespace {

// One target on its schedule. The scraper is used by one worker at a time, because
// the next fetch begins only after the page before was taken in.
struct Loop {
  Loop(std::shared_ptr<const config::ScrapeConfig> c, Target t, Output& output, ScrapeMetrics& metrics) : scraper(c, std::move(t), output, metrics), config_(c) {}

  // A reload puts an equal section in force, but with secrets that may be new.
  std::shared_ptr<const config::ScrapeConfig> config() const {
    MutexLock lock(mutex);
    return config_;
  }
  void set_config(std::shared_ptr<const config::ScrapeConfig> c) {
    MutexLock lock(mutex);
    config_ = std::move(c);
  }

  Scraper scraper;
  std::atomic<bool> stopped{false};  // its target is gone
  std::atomic<std::size_t> job_targets{0};  // over the job's target_limit: how many there are, which fails every scrape
  std::int64_t offset_ms = 0;
  std::int64_t last_start_ns = 0;  // of the scrape before, on the fetcher's thread
  std::size_t page_bytes = 0;      // of the page before, on the fetcher's thread

  mutable Mutex mutex;
  ScrapeReport last GUARDED_BY(mutex);
  bool scraped GUARDED_BY(mutex) = false;

 private:
  std::shared_ptr<const config::ScrapeConfig> config_ GUARDED_BY(mutex);
};

// Of scrape pools, by job, under upstream's names.
struct PoolMetrics {
  PoolMetrics(Metrics& m, const std::string& job)
      : targets(m.AddGauge("prometheus_target_scrape_pool_targets", "Current number of targets in this scrape pool.", {{"scrape_job", job}})),
        target_limit(m.AddGauge("prometheus_target_scrape_pool_target_limit", "Maximum number of targets allowed in this scrape pool.", {{"scrape_job", job}})),
        syncs(m.AddCounter("prometheus_target_scrape_pool_sync_total", "Total number of syncs that were executed on a scrape pool.", {{"scrape_job", job}})),
        sync_failed(m.AddCounter("prometheus_target_sync_failed_total", "Total number of target sync failures.", {{"scrape_job", job}})),
        sync_length(Quantiles::Register(m, "prometheus_target_sync_length_seconds", "Actual interval to sync the scrape pool.", {{"scrape_job", job}})) {}
  Gauge& targets;
  Gauge& target_limit;
  Counter& syncs;
  Counter& sync_failed;
  std::shared_ptr<Quantiles> sync_length;
};

// A job: its discoverers, what they found, and a loop for every target.
struct Pool {
  std::shared_ptr<const config::ScrapeConfig> config;  // replaced under the mutex
  std::string fingerprint;  // of the whole section
  std::unique_ptr<PoolMetrics> metrics;
  std::vector<std::unique_ptr<discovery::Discoverer>> discoverers;

  Mutex mutex;
  std::map<std::pair<std::size_t, std::string>, discovery::TargetGroup> groups GUARDED_BY(mutex);  // by discoverer and source
  std::unordered_map<std::uint64_t, std::shared_ptr<Loop>> loops GUARDED_BY(mutex);                // by target hash
  std::vector<Labels> dropped GUARDED_BY(mutex);
  std::size_t dropped_count GUARDED_BY(mutex) = 0;
};

// Text that is equal for equal sections (secrets do not show in it; they are read from the new section anyway).
std::string Fingerprint(const config::ScrapeConfig& section) {
  config::Config one;
  one.scrape_configs.push_back(section);
  return config::PrintConfig(one);
}

// Keys of a job that promscrape(1) says are accepted without effect: they need the protobuf format.
void WarnWithoutEffect(const config::ScrapeConfig& c) {
  const std::pair<const char*, bool> keys[] = {{"scrape_native_histograms", c.scrape_native_histograms.value_or(false)},
                                               {"always_scrape_classic_histograms", c.always_scrape_classic_histograms.value_or(false)},
                                               {"convert_classic_histograms_to_nhcb", c.convert_classic_histograms_to_nhcb.value_or(false)},
                                               {"native_histogram_bucket_limit", c.native_histogram_bucket_limit > 0},
                                               {"native_histogram_min_bucket_factor", c.native_histogram_min_bucket_factor > 0}};
  for (const auto& [key, set] : keys)
    if (set) LogWarn("scrape", "this key has no effect in this version", {{"job", c.job_name}, {"key", key}});
}

constexpr std::size_t kKeepDropped = 100;
constexpr std::size_t kSpareBuffers = 16;
constexpr std::size_t kLargestSpareBuffer = 4 << 20;

}  // namespace

struct Manager::Impl {
  Impl(Output& o, Metrics& m, Clock& c, ManagerOptions opts)
      : output(o), metrics(m), scrape_metrics(m), file_sd_metrics(&m), clock(c), options(opts),
        exceeded_target_limit(m.AddCounter("prometheus_target_scrape_pool_exceeded_target_limit_total", "Total number of times scrape pools hit the target limit, during sync or config reload.")),
        pools_total(m.AddCounter("prometheus_target_scrape_pools_total", "Total number of scrape pool creation attempts.")),
        pool_reloads(m.AddCounter("prometheus_target_scrape_pool_reloads_total", "Total number of scrape pool reloads.")),
        workers(opts.workers) {
    // Nothing of this can fail here: a configuration that was read can be run.
    m.AddCounter("prometheus_target_scrape_pools_failed_total", "Total number of scrape pool creations that failed.");
    m.AddCounter("prometheus_target_scrape_pool_reloads_failed_total", "Total number of failed scrape pool reloads.");
  }

  ~Impl() { Stop(); }

  void Stop() {
    if (stopped) return;
    stopped = true;
    for (auto& pool : pools)
      for (auto& d : pool->discoverers) d->Stop();
    fetcher.Stop();
    workers.Stop();
  }

  void Apply(std::shared_ptr<const config::Config> next) {
    std::vector<std::shared_ptr<Pool>> old = std::move(pools);
    std::vector<std::shared_ptr<Pool>> fresh;
    std::set<std::string> failure_files;
    pools.clear();
    for (const config::ScrapeConfig* section : next->AllScrapeConfigs()) {
      // The pool keeps the whole configuration alive through its section.
      std::shared_ptr<const config::ScrapeConfig> shared(next, section);
      if (!section->scrape_failure_log_file.empty()) failure_files.insert(section->scrape_failure_log_file);
      const std::string fingerprint = Fingerprint(*section);
      const auto same = std::find_if(old.begin(), old.end(), [&](const auto& p) { return p && p->fingerprint == fingerprint; });
      if (same != old.end()) {
        // Discovery, schedules and series go on.
        MutexLock lock((*same)->mutex);
        (*same)->config = shared;
        for (auto& [hash, loop] : (*same)->loops) loop->set_config(shared);
        pools.push_back(std::move(*same));
        pool_reloads.Add();
        continue;
      }
      for (const discovery::SdConfig& sd : section->sd.unsupported)
        LogWarn("scrape", "this version does not run that kind of discovery; the job gets no targets from it", {{"job", section->job_name}, {"kind", sd.kind + "_sd_configs"}, {"at", sd.where}});
      WarnWithoutEffect(*section);
      auto pool = std::make_shared<Pool>();
      pool->config = shared;
      pool->fingerprint = fingerprint;
      pools_total.Add();
      AddPoolMetrics(pool);
      pools.push_back(pool);
      fresh.push_back(pool);
    }
    for (auto& gone : old) {
      if (!gone) continue;
      gone->metrics->targets.Set(0);
      for (auto& d : gone->discoverers) d->Stop();
      MutexLock lock(gone->mutex);
      for (auto& [hash, loop] : gone->loops) EndLoop(loop);
    }
    failure_log.SetFiles(failure_files);
    for (auto& pool : fresh) StartDiscovery(pool);
  }

  void AddPoolMetrics(const std::shared_ptr<Pool>& pool) {
    const std::string& job = pool->config->job_name;
    pool->metrics = std::make_unique<PoolMetrics>(metrics, job);
    pool->metrics->target_limit.Set(static_cast<double>(pool->config->target_limit));
    const auto add = [&](const char* name, const char* help, std::size_t (Scraper::*read)() const) {
      metrics.AddGaugeFunction(name, help, {{"scrape_job", job}}, [weak = std::weak_ptr<Pool>(pool), read] {
        double sum = 0;
        if (const auto p = weak.lock()) {
          MutexLock lock(p->mutex);
          for (const auto& [hash, loop] : p->loops) sum += static_cast<double>((loop->scraper.*read)());
        }
        return sum;
      });
    };
    add("prometheus_target_metadata_cache_entries", "Total number of metric metadata entries in the cache", &Scraper::metadata_entries);
    add("prometheus_target_metadata_cache_bytes", "The number of bytes that are currently used for storing metric metadata in the cache", &Scraper::metadata_bytes);
  }

  void StartDiscovery(const std::shared_ptr<Pool>& pool) {
    const discovery::SdConfigs& sd = pool->config->sd;
    if (!sd.static_configs.empty()) pool->discoverers.push_back(discovery::MakeStaticDiscoverer(sd.static_configs));
    for (const discovery::FileSdConfig& file : sd.file) pool->discoverers.push_back(std::make_unique<discovery::FileDiscoverer>(file, &file_sd_metrics));
    for (std::size_t i = 0; i < pool->discoverers.size(); ++i) {
      pool->discoverers[i]->Start([this, weak = std::weak_ptr<Pool>(pool), i](std::vector<discovery::TargetGroup> groups) {
        if (auto p = weak.lock()) OnGroups(*p, i, std::move(groups));
      });
    }
    if (pool->discoverers.empty()) Sync(*pool);
  }

  void OnGroups(Pool& pool, std::size_t discoverer, std::vector<discovery::TargetGroup> groups) {
    {
      MutexLock lock(pool.mutex);
      for (auto& group : groups) {
        const std::pair<std::size_t, std::string> key(discoverer, group.source);
        if (group.targets.empty()) {
          pool.groups.erase(key);
        } else {
          pool.groups[key] = std::move(group);
        }
      }
    }
    Sync(pool);
  }

  void Sync(Pool& pool) {
    const std::int64_t start_ns = clock.MonotonicNs();
    MutexLock lock(pool.mutex);
    std::vector<discovery::TargetGroup> groups;
    for (const auto& [key, group] : pool.groups) groups.push_back(group);
    TargetSet found = MakeTargets(*pool.config, groups);
    for (const std::string& e : found.errors) LogError("scrape", "error creating targets", {{"scrape_pool", pool.config->job_name}, {"err", e}});
    pool.dropped_count = found.dropped.size();
    const std::size_t keep = pool.config->keep_dropped_targets > 0 ? pool.config->keep_dropped_targets : kKeepDropped;
    if (found.dropped.size() > keep) found.dropped.resize(keep);
    pool.dropped = std::move(found.dropped);
    const bool over_limit = pool.config->target_limit > 0 && found.active.size() > pool.config->target_limit;
    if (over_limit) exceeded_target_limit.Add();
    const std::size_t job_targets = over_limit ? found.active.size() : 0;
    std::unordered_map<std::uint64_t, std::shared_ptr<Loop>> next;
    for (Target& target : found.active) {
      const std::uint64_t hash = target.Hash();
      if (auto it = pool.loops.find(hash); it != pool.loops.end() && it->second->scraper.target().interval_ms == target.interval_ms && it->second->scraper.target().timeout_ms == target.timeout_ms) {
        next.emplace(hash, std::move(it->second));
        pool.loops.erase(it);
        continue;
      }
      auto loop = std::make_shared<Loop>(pool.config, std::move(target), output, scrape_metrics);
      loop->offset_ms = static_cast<std::int64_t>((hash ^ options.seed) % static_cast<std::uint64_t>(loop->scraper.target().interval_ms));
      next.emplace(hash, loop);
      ScheduleNext(loop, clock.NowMs());
    }
    for (auto& [hash, loop] : pool.loops) EndLoop(loop);
    pool.loops = std::move(next);
    for (auto& [hash, loop] : pool.loops) loop->job_targets = job_targets;
    pool.metrics->targets.Set(static_cast<double>(pool.loops.size()));
    pool.metrics->syncs.Add();
    pool.metrics->sync_failed.Add(static_cast<double>(found.errors.size()));
    pool.metrics->sync_length->Observe(static_cast<double>(clock.MonotonicNs() - start_ns) / 1e9);
  }

  // The target is gone: its series get stale markers when two more scrapes would have
  // been and a tenth, at the time of the first of them.
  void EndLoop(const std::shared_ptr<Loop>& loop) {
    if (!loop || loop->stopped.exchange(true)) return;
    const std::int64_t interval = loop->scraper.target().interval_ms;
    const std::int64_t next_tick = NextTick(*loop, clock.NowMs());
    fetcher.After(2 * interval + interval / 10, [this, loop, next_tick] {
      workers.Post([loop, next_tick] {
        if (auto done = loop->scraper.End(next_tick); !done) LogWarn("scrape", "cannot write stale markers", {{"target", loop->scraper.target().url}, {"err", done.error().message}});
      });
    });
  }

  // The first time after `after_ms` that lies at the loop's offset in the interval.
  static std::int64_t NextTick(const Loop& loop, std::int64_t after_ms) {
    const std::int64_t interval = loop.scraper.target().interval_ms;
    std::int64_t t = after_ms - after_ms % interval + loop.offset_ms;
    while (t <= after_ms) t += interval;
    while (t - interval > after_ms) t -= interval;
    return t;
  }

  void ScheduleNext(const std::shared_ptr<Loop>& loop, std::int64_t after_ms) {
    const std::int64_t now = clock.NowMs();
    // When the wall clock was set back, the schedule goes with it and does not wait until it comes by again.
    if (after_ms > now + loop->scraper.target().interval_ms) after_ms = now;
    const std::int64_t tick = NextTick(*loop, std::max(after_ms, now - 1));
    fetcher.After(tick - now, [this, loop, tick] { Begin(loop, tick); });
  }

  // On the fetcher's thread: starts a scrape.
  void Begin(const std::shared_ptr<Loop>& loop, std::int64_t tick) {
    if (loop->stopped) return;
    const std::int64_t now = clock.NowMs();
    if (now + loop->scraper.target().interval_ms < tick) {  // set back meanwhile
      ScheduleNext(loop, now);
      return;
    }
    if (now < tick) {  // the wall clock and the timer disagree by a little
      fetcher.After(tick - now, [this, loop, tick] { Begin(loop, tick); });
      return;
    }
    const std::int64_t interval = loop->scraper.target().interval_ms;
    const std::int64_t tolerance = std::min(interval / 100, options.timestamp_tolerance_ms);
    const std::int64_t t_ms = options.adjust_timestamps && now - tick <= tolerance ? tick : now;
    const std::int64_t start_ns = clock.MonotonicNs();
    if (loop->last_start_ns != 0) IntervalLength(interval).Observe(static_cast<double>(start_ns - loop->last_start_ns) / 1e9);
    loop->last_start_ns = start_ns;
    auto request = MakeFetchRequest(*loop->config(), loop->scraper.target());
    if (!request) {
      net::FetchResult failed;
      failed.done = request.error();
      Fetched(loop, tick, t_ms, start_ns, std::move(failed));
      return;
    }
    fetcher.Fetch(std::move(*request), TakeBuffer(loop->page_bytes + loop->page_bytes / 16), [this, loop, tick, t_ms, start_ns](net::FetchResult result) { Fetched(loop, tick, t_ms, start_ns, std::move(result)); });
  }

  // On the fetcher's thread.
  Quantiles& IntervalLength(std::int64_t interval_ms) {
    std::shared_ptr<Quantiles>& known = interval_lengths[interval_ms];
    if (known == nullptr) known = Quantiles::Register(metrics, "prometheus_target_interval_length_seconds", "Actual intervals between scrapes.", {{"interval", FormatDuration(interval_ms)}});
    return *known;
  }

  // On the fetcher's thread. A page that is small and most likely like the one before is
  // taken in at once, which costs less than waking a worker; all others go to the workers,
  // as does every page while the output would make us wait.
  void Fetched(const std::shared_ptr<Loop>& loop, std::int64_t tick, std::int64_t t_ms, std::int64_t start_ns, net::FetchResult result) {
    loop->page_bytes = result.body.size();
    if (result.body.size() <= Output::kQuickBytes && loop->scraper.settled() && output.TryTurn()) {
      Take(loop, tick, t_ms, start_ns, &result);
      output.EndTurn();
      return;
    }
    workers.Post([this, loop, tick, t_ms, start_ns, result = std::make_shared<net::FetchResult>(std::move(result))] { Take(loop, tick, t_ms, start_ns, result.get()); });
  }

  // Takes a page in and schedules the next scrape.
  void Take(const std::shared_ptr<Loop>& loop, std::int64_t tick, std::int64_t t_ms, std::int64_t start_ns, net::FetchResult* result) {
    if (loop->stopped || stopped) return;
    if (const std::size_t n = loop->job_targets; n > 0) {
      result->done = Error{Errc::kLimit, "target_limit exceeded (number of targets: " + std::to_string(n) + ", limit: " + std::to_string(loop->config()->target_limit) + ")"};
    } else if (result->done && result->status != 200) {
      result->done = Error{Errc::kUnavailable, "server returned HTTP status " + std::to_string(result->status)};
    }
    const double seconds = static_cast<double>(clock.MonotonicNs() - start_ns) / 1e9;
    ScrapeReport report = loop->scraper.Scrape(t_ms, seconds, result->done, result->content_type, &result->body, result->body_bytes);
    ReturnBuffer(std::move(result->body));
    if (!report.error.empty()) {
      if (const auto config = loop->config(); !config->scrape_failure_log_file.empty())
        failure_log.Write(config->scrape_failure_log_file, report.t_ms, config->job_name, loop->scraper.target().url, report.error);
      LogDebug("scrape", "scrape failed", {{"scrape_pool", loop->config()->job_name}, {"target", loop->scraper.target().url}, {"err", report.error}});
    }
    {
      MutexLock lock(loop->mutex);
      loop->last = std::move(report);
      loop->scraped = true;
    }
    ScheduleNext(loop, tick);
  }

  // Page buffers go round among the targets: each keeps its last page, and a few more are under way.
  // One that has room for `bytes` and not much more: it becomes the target's last page.
  std::string TakeBuffer(std::size_t bytes) {
    std::string out;
    {
      MutexLock lock(buffers_mutex);
      if (!buffers.empty()) {
        out = std::move(buffers.back());
        buffers.pop_back();
      }
    }
    if (out.capacity() < bytes || out.capacity() > bytes + bytes / 4 + 4096) {
      out = std::string();
      out.reserve(bytes);
    }
    return out;
  }
  void ReturnBuffer(std::string buffer) {
    MutexLock lock(buffers_mutex);
    if (buffers.size() < kSpareBuffers && buffer.capacity() <= kLargestSpareBuffer) buffers.push_back(std::move(buffer));
  }

  Output& output;
  Metrics& metrics;
  Mutex buffers_mutex;
  std::vector<std::string> buffers GUARDED_BY(buffers_mutex);
  ScrapeMetrics scrape_metrics;
  discovery::FileSdMetrics file_sd_metrics;
  Clock& clock;
  const ManagerOptions options;
  std::atomic<bool> stopped{false};
  FailureLog failure_log;
  std::map<std::int64_t, std::shared_ptr<Quantiles>> interval_lengths;  // by interval, on the fetcher's thread
  Counter& exceeded_target_limit;
  Counter& pools_total;
  Counter& pool_reloads;
  net::FetchLoop fetcher;
  WorkerPool workers;
  std::vector<std::shared_ptr<Pool>> pools;
};

Manager::Manager(Output& output, Metrics& metrics, Clock& clock, ManagerOptions options) : impl_(std::make_unique<Impl>(output, metrics, clock, options)) {}
Manager::~Manager() = default;
void Manager::Apply(std::shared_ptr<const config::Config> config) { impl_->Apply(std::move(config)); }
void Manager::Stop() { impl_->Stop(); }

std::size_t Manager::active_targets() const {
  std::size_t n = 0;
  for (const auto& pool : impl_->pools) {
    MutexLock lock(pool->mutex);
    n += pool->loops.size();
  }
  return n;
}

namespace {
void WriteLabels(JsonWriter* json, std::string_view key, const Labels& labels) {
  json->Key(key).BeginObject();
  for (const Label l : labels) json->Field(l.name, l.value);
  json->EndObject();
}
}  // namespace

std::string Manager::TargetsJson() const {
  std::string out;
  JsonWriter json(&out);
  json.BeginObject().Key("activeTargets").BeginArray();
  for (const auto& pool : impl_->pools) {
    MutexLock lock(pool->mutex);
    std::vector<const Loop*> loops;
    for (const auto& [hash, loop] : pool->loops) loops.push_back(loop.get());
    std::sort(loops.begin(), loops.end(), [](const Loop* a, const Loop* b) { return a->scraper.target().labels < b->scraper.target().labels; });
    for (const Loop* loop : loops) {
      const Target& t = loop->scraper.target();
      MutexLock inner(loop->mutex);
      json.BeginObject();
      WriteLabels(&json, "discoveredLabels", t.discovered);
      WriteLabels(&json, "labels", t.labels);
      json.Field("scrapePool", pool->config->job_name).Field("scrapeUrl", t.url).Field("globalUrl", t.url).Field("lastError", loop->last.error);
      json.Field("lastScrape", FormatTimeRfc3339(loop->last.t_ms)).Field("lastScrapeDuration", loop->last.duration_seconds);
      json.Field("health", !loop->scraped ? "unknown" : loop->last.error.empty() ? "up" : "down");
      json.Field("scrapeInterval", FormatDuration(t.interval_ms)).Field("scrapeTimeout", FormatDuration(t.timeout_ms)).EndObject();
    }
  }
  json.EndArray().Key("droppedTargets").BeginArray();
  for (const auto& pool : impl_->pools) {
    MutexLock lock(pool->mutex);
    for (const Labels& labels : pool->dropped) {
      json.BeginObject();
      WriteLabels(&json, "discoveredLabels", labels);
      json.Field("scrapePool", pool->config->job_name).EndObject();
    }
  }
  json.EndArray().Key("droppedTargetCounts").BeginObject();
  for (const auto& pool : impl_->pools) {
    MutexLock lock(pool->mutex);
    json.Field(pool->config->job_name, static_cast<std::uint64_t>(pool->dropped_count));
  }
  json.EndObject().EndObject();
  return out;
}

}  // namespace prom::scrape
