#include "promql/query_context.h"

namespace prom::promql {

Result<void> QueryContext::Check() {
  if (control_.canceled.load(std::memory_order_relaxed)) return Error{Errc::kCanceled, "query was canceled in expression evaluation"};
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
  std::int64_t peak = peak_.load(std::memory_order_relaxed);
  while (now > peak && !peak_.compare_exchange_weak(peak, now, std::memory_order_relaxed)) {
  }
  return {};
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
