// What all operators of one query share: the storage, limits, annotations and
// statistics. Thread-safe where it says so.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/result.h"
#include "model/queryable.h"
#include "promql/annotations.h"
#include "promql/engine.h"

namespace prom::promql {

class QueryContext {
 public:
  QueryContext(const EngineOptions& options, const Queryable& storage, QueryControl& control)
      : options_(options), storage_(storage), control_(control), deadline_(std::chrono::steady_clock::now() + std::chrono::milliseconds(options.timeout_ms)) {}

  const EngineOptions& options() const { return options_; }
  Annotations& annotations() { return annotations_; }

  // kCanceled or kTimeout. Cheap enough for once a series. Thread-safe.
  Result<void> Check();

  // Counts samples that are about to be held in memory; kLimit when that is too
  // many, before anything is allocated. Thread-safe.
  Result<void> Hold(std::size_t samples);
  void Release(std::size_t samples) { held_.fetch_sub(static_cast<std::int64_t>(samples), std::memory_order_relaxed); }
  void CountRead(std::size_t samples) {
    samples_read_.fetch_add(static_cast<std::int64_t>(samples), std::memory_order_relaxed);
    series_read_.fetch_add(1, std::memory_order_relaxed);
  }

  // Series for the matchers; equal requests of one query share one Selection.
  Result<std::shared_ptr<const Selection>> Select(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms);

  void FillStats(QueryStats* stats) const;

 private:
  const EngineOptions& options_;
  const Queryable& storage_;
  QueryControl& control_;
  const std::chrono::steady_clock::time_point deadline_;
  Annotations annotations_;
  std::atomic<std::int64_t> held_{0}, peak_{0}, samples_read_{0}, series_read_{0};
  std::atomic<std::uint32_t> checks_{0};
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const Selection>> selections_;  // guarded by mutex_
};

// A number of held samples that is given back at the end of its scope.
class HeldSamples {
 public:
  HeldSamples() = default;
  HeldSamples(const HeldSamples&) = delete;
  HeldSamples& operator=(const HeldSamples&) = delete;
  ~HeldSamples() {
    if (context_ != nullptr) context_->Release(count_);
  }
  Result<void> Add(QueryContext& context, std::size_t samples) {
    PROM_TRY(context.Hold(samples));
    context_ = &context;
    count_ += samples;
    return {};
  }
  // From now on what `other` holds is held here.
  void Take(HeldSamples& other) {
    if (other.context_ != nullptr) context_ = other.context_;
    count_ += other.count_;
    other.count_ = 0;
  }

 private:
  QueryContext* context_ = nullptr;
  std::size_t count_ = 0;
};

}  // namespace prom::promql
