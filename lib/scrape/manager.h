// Manager: all scrape jobs of a configuration: discovery, targets, schedules.
//
// One thread does the network for every target, a few workers parse; a target that is
// slow or sends nonsense costs its own worker time and delays nobody's schedule. A
// target is scraped at now % interval == (hash(target) xor seed) % interval, so that
// targets spread over the interval and keep their place across restarts.
//
// Apply, Stop and the rest may be called from one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/metrics.h"
#include "base/time.h"
#include "config/config.h"
#include "scrape/output.h"

namespace prom::scrape {

struct ManagerOptions {
  std::size_t workers = 2;
  std::uint64_t seed = 0;  // of the host: the same target lies elsewhere in the interval on another
  // A scrape within min(interval / 100, this) of its tick is stored with the tick's time.
  bool adjust_timestamps = true;
  std::int64_t timestamp_tolerance_ms = 2;
};

class Manager {
 public:
  Manager(Output& output, Metrics& metrics, Clock& clock, ManagerOptions options);
  ~Manager();  // Stop()
  // Puts a configuration in force. Targets that stay keep their schedule and series.
  void Apply(std::shared_ptr<const config::Config> config);
  // No scrape starts any more; those under way are given up. Writes no stale markers, as upstream.
  void Stop();
  // What /api/v1/targets shows: {"activeTargets":[...],"droppedTargets":[...],"droppedTargetCounts":{...}}.
  std::string TargetsJson() const;
  std::size_t active_targets() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace prom::scrape
