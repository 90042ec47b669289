// A tool's own metrics, printed as exposition text (run/<tool>.prom, /metrics).
// Names and labels are upstream's where the meaning is the same. Counters and
// gauges are atomics: update from any thread; registration happens at start.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mutex.h"

namespace prom {

class Counter {
 public:
  void Add(double v = 1) {
    double old = value_.load(std::memory_order_relaxed);
    while (!value_.compare_exchange_weak(old, old + v, std::memory_order_relaxed)) {
    }
  }
  double value() const { return value_.load(std::memory_order_relaxed); }

 protected:
  std::atomic<double> value_{0};
};

class Gauge : public Counter {
 public:
  void Set(double v) { value_.store(v, std::memory_order_relaxed); }
};

// Sum and count of observations, in cumulative buckets.
class HistogramMetric {
 public:
  explicit HistogramMetric(std::vector<double> bounds);
  void Observe(double v);

 private:
  friend class Metrics;
  std::vector<double> bounds_;
  mutable Mutex mutex_;
  std::vector<std::uint64_t> counts_ GUARDED_BY(mutex_);
  double sum_ GUARDED_BY(mutex_) = 0;
};

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

class Metrics {
 public:
  // The same name and labels give the same object. References live as long as the Metrics.
  Counter& AddCounter(std::string_view name, std::string_view help, MetricLabels labels = {});
  Gauge& AddGauge(std::string_view name, std::string_view help, MetricLabels labels = {});
  // Read when the page is printed.
  void AddGaugeFunction(std::string_view name, std::string_view help, MetricLabels labels, std::function<double()> read);
  void AddCounterFunction(std::string_view name, std::string_view help, MetricLabels labels, std::function<double()> read);
  HistogramMetric& AddHistogram(std::string_view name, std::string_view help, std::vector<double> bounds, MetricLabels labels = {});
  // process_cpu_seconds_total, _resident_memory_bytes, _virtual_memory_bytes,
  // _open_fds, _max_fds, _start_time_seconds, read from /proc/self.
  void AddProcessMetrics();
  // <tool>_build_info{version,...} 1 and prometheus_build_info for the merged page.
  void AddBuildInfo(std::string_view tool);

  // Families sorted by name, text format 0.0.4.
  std::string Print() const;

 private:
  struct Series;
  struct Family {
    std::string name, help, type;
    std::deque<std::unique_ptr<Series>> series;
  };
  Family& FindFamily(std::string_view name, std::string_view help, std::string_view type) REQUIRES(mutex_);
  Series& FindSeries(std::string_view name, std::string_view help, std::string_view type, MetricLabels labels);
  mutable Mutex mutex_;
  std::deque<Family> families_ GUARDED_BY(mutex_);

 public:
  Metrics();
  ~Metrics();
};

inline constexpr std::string_view kPromkitVersion = "0.1.0";

}  // namespace prom
