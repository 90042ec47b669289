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

Error TooMuchMemory(const EngineOptions& options);

class QueryContext {
 public:
  QueryContext(const EngineOptions& options, const Queryable& storage, QueryControl& control, std::chrono::steady_clock::time_point deadline);

  const EngineOptions& options() const { return options_; }
  Annotations& annotations() { return annotations_; }

  // kCanceled or kTimeout. Cheap enough for once a series. Thread-safe.
  Result<void> Check();
  // How many threads may read series of this query at once.
  std::size_t threads() const { return threads_; }
  // Counts the working space of a plan, `bytes` for each thread: fewer threads where it is large.
  Result<void> HoldWorkingSpace(std::size_t bytes);

  // Counts samples that are about to be held in memory; kLimit when that is too
  // many or too much memory, before anything is allocated. Thread-safe.
  Result<void> Hold(std::size_t samples);
  void Release(std::size_t samples) {
    held_.fetch_sub(static_cast<std::int64_t>(samples), std::memory_order_relaxed);
    ReleaseMemory(samples * kBytesPerSample);
  }
  // The same for memory that is no samples: labels, working space.
  Result<void> HoldMemory(std::size_t bytes);
  void ReleaseMemory(std::size_t bytes) { memory_.fetch_sub(static_cast<std::int64_t>(bytes), std::memory_order_relaxed); }
  void CountRead(std::size_t samples) {
    samples_read_.fetch_add(static_cast<std::int64_t>(samples), std::memory_order_relaxed);
    series_read_.fetch_add(1, std::memory_order_relaxed);
  }

  // Series for the matchers; equal requests of one query share one Selection.
  Result<std::shared_ptr<const Selection>> Select(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms);

  void FillStats(QueryStats* stats) const;

 private:
  static constexpr std::size_t kBytesPerSample = 16;  // time and value, as results have them

  const EngineOptions& options_;
  const Queryable& storage_;
  QueryControl& control_;
  const std::chrono::steady_clock::time_point deadline_;
  Annotations annotations_;
  std::size_t threads_ = 1;
  std::atomic<std::int64_t> held_{0}, memory_{0}, peak_{0}, samples_read_{0}, series_read_{0};
  std::atomic<std::uint32_t> checks_{0};
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const Selection>> selections_;  // guarded by mutex_
};

// Lets a long loop end when its query does. Not thread-safe: one a loop.
class Pacer {
 public:
  explicit Pacer(QueryContext& context) : context_(context) {}
  // To be told of every `work` steps of about a nanosecond. False: stop at once, status() says why.
  bool Spend(std::size_t work) {
    if (work < left_) {
      left_ -= work;
      return true;
    }
    return Renew();
  }
  const Result<void>& status() const { return status_; }

 private:
  static constexpr std::size_t kBetweenChecks = 4'000'000;
  bool Renew();
  QueryContext& context_;
  std::size_t left_ = kBetweenChecks;
  Result<void> status_;
};

// For sorts that end when their query does: less() as long as the query runs, then false, which
// ends any sort of the standard library at its next few comparisons. The order is worthless then: check status().
template <typename Less>
class PacedLess {
 public:
  PacedLess(QueryContext& context, Less less) : pacer_(context), less_(std::move(less)) {}
  template <typename A, typename B>
  bool operator()(const A& a, const B& b) {
    return pacer_.Spend(100) && less_(a, b);
  }
  const Result<void>& status() const { return pacer_.status(); }

 private:
  Pacer pacer_;
  Less less_;
};

// A number of held samples, and of bytes of memory, that is given back at the end of its scope.
class HeldSamples {
 public:
  HeldSamples() = default;
  HeldSamples(const HeldSamples&) = delete;
  HeldSamples& operator=(const HeldSamples&) = delete;
  ~HeldSamples() { Clear(); }
  void Clear() {
    if (context_ == nullptr) return;
    context_->Release(count_);
    context_->ReleaseMemory(bytes_);
    count_ = bytes_ = 0;
  }
  Result<void> Add(QueryContext& context, std::size_t samples) {
    PROM_TRY(context.Hold(samples));
    context_ = &context;
    count_ += samples;
    return {};
  }
  Result<void> AddMemory(QueryContext& context, std::size_t bytes) {
    PROM_TRY(context.HoldMemory(bytes));
    context_ = &context;
    bytes_ += bytes;
    return {};
  }
  // From now on what `other` holds is held here.
  void Take(HeldSamples& other) {
    if (other.context_ != nullptr) context_ = other.context_;
    count_ += other.count_;
    bytes_ += other.bytes_;
    other.count_ = other.bytes_ = 0;
  }

 private:
  QueryContext* context_ = nullptr;
  std::size_t count_ = 0, bytes_ = 0;
};

}  // namespace prom::promql
