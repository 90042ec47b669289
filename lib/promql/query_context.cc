#include "promql/query_context.h"

#include <algorithm>
#include <thread>

namespace prom::promql {

QueryContext::QueryContext(const EngineOptions& options, const Queryable& storage, QueryControl& control,
                           std::chrono::steady_clock::time_point deadline)
    : options_(options), storage_(storage), control_(control), deadline_(deadline) {
  static const unsigned kProcessors = std::thread::hardware_concurrency();  // reads a file of /sys
  const unsigned wanted = options.threads > 0 ? static_cast<unsigned>(options.threads) : kProcessors;
  threads_ = std::clamp<std::size_t>(wanted, 1, kMaxThreads);
}

Result<void> QueryContext::Check() {
  if (control_.stopped()) return Error{Errc::kCanceled, "query was canceled in expression evaluation"};
  // The clock is read every eighth time: a series of a short range costs less than reading it.
  if ((checks_.fetch_add(1, std::memory_order_relaxed) & 7) == 0 && std::chrono::steady_clock::now() >= deadline_) {
    return Error{Errc::kTimeout, "query timed out in expression evaluation"};
  }
  return {};
}

Result<void> QueryContext::Hold(std::size_t samples) {
  const std::int64_t n = static_cast<std::int64_t>(samples);
  const std::int64_t now = held_.fetch_add(n, std::memory_order_relaxed) + n;
  if (now > options_.max_samples) {
    held_.fetch_sub(n, std::memory_order_relaxed);
    return Error{Errc::kLimit, "query processing would load too many samples into memory in query execution"};
  }
  if (auto memory = HoldMemory(samples * kBytesPerSample); !memory) {
    held_.fetch_sub(n, std::memory_order_relaxed);
    return memory;
  }
  std::int64_t peak = peak_.load(std::memory_order_relaxed);
  while (now > peak && !peak_.compare_exchange_weak(peak, now, std::memory_order_relaxed)) {
  }
  return {};
}

Result<void> QueryContext::HoldMemory(std::size_t bytes) {
  const std::int64_t n = static_cast<std::int64_t>(std::min<std::size_t>(bytes, std::size_t{1} << 60));
  if (memory_.fetch_add(n, std::memory_order_relaxed) + n <= options_.max_memory_bytes) return {};
  memory_.fetch_sub(n, std::memory_order_relaxed);
  return TooMuchMemory(options_);
}

Result<void> QueryContext::HoldWorkingSpace(std::size_t bytes) {
  const std::size_t share = static_cast<std::size_t>(std::max<std::int64_t>(options_.max_memory_bytes, 0)) / 4;
  threads_ = std::clamp<std::size_t>(share / std::max<std::size_t>(bytes, 1), 1, threads_);
  return HoldMemory(bytes * threads_);
}

Error TooMuchMemory(const EngineOptions& options) {
  return Error{Errc::kLimit, "query processing would use more than " + std::to_string(options.max_memory_bytes >> 20) +
                                 " MiB of memory in query execution (--query.max-memory)"};
}

bool Pacer::Renew() {
  // Once stopped it stays so: left_ is 0.
  if (left_ == 0) return false;
  status_ = context_.Check();
  left_ = status_ ? kBetweenChecks : 0;
  return left_ != 0;
}

Result<std::shared_ptr<const Selection>> QueryContext::Select(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) {
  std::string key = std::to_string(min_ms) + ' ' + std::to_string(max_ms);
  for (const Matcher& m : matchers) {
    key += '\0';
    key += m.ToString();
  }
  std::lock_guard<std::mutex> lock(mutex_);
  if (auto it = selections_.find(key); it != selections_.end()) return it->second;
  auto selected = storage_.Select(matchers, min_ms, max_ms);
  if (!selected) return selected.error().Wrap("expanding series: ");
  std::shared_ptr<const Selection> shared = std::move(*selected);
  selections_.emplace(std::move(key), shared);
  return shared;
}

void QueryContext::FillStats(QueryStats* stats) const {
  stats->samples_read = samples_read_.load(std::memory_order_relaxed);
  stats->series_read = series_read_.load(std::memory_order_relaxed);
  stats->peak_samples = peak_.load(std::memory_order_relaxed);
}

}  // namespace prom::promql
