// Where the samples of range functions and selectors come from: series of the
// storage, or the steps of a subquery. Both give columns of times and values;
// series that share their times say so by SeriesColumns::time_column.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/queryable.h"
#include "promql/exec/operator.h"

namespace prom::promql {

// The time a step looks at: the step's own, or the one of an @ modifier, less the offset.
struct TimeShift {
  std::optional<std::int64_t> fixed_ms;
  std::int64_t offset_ms = 0;
  // Kept within +-2^61, so that ranges and lookbacks (at most 2^44) can be added without overflow.
  std::int64_t At(const Grid& grid, std::size_t k) const { return Clamp(Clamp(fixed_ms ? *fixed_ms : grid.At(k)) - Clamp(offset_ms)); }
  static std::int64_t Clamp(std::int64_t t) {
    constexpr std::int64_t kLimit = std::int64_t{1} << 61;
    return t < -kLimit ? -kLimit : t > kLimit ? kLimit : t;
  }
};

class SeriesSource {
 public:
  virtual ~SeriesSource() = default;
  virtual Result<void> Prepare(QueryContext& context) = 0;
  // Samples of series i, stale markers included.
  virtual Result<void> Read(QueryContext& context, std::size_t i, std::size_t worker, SeriesColumns* out) = 0;
  // Before Prepare: Read need give the newest sample only.
  virtual void WantLatest() {}
  virtual std::string Explain() const = 0;
  virtual std::vector<const Operator*> Children() const = 0;
  const std::vector<SeriesMeta>& series() const { return series_; }

 protected:
  std::vector<SeriesMeta> series_;
};

class StorageSource : public SeriesSource {
 public:
  // Samples in [min, max]. `detect_resets`: histograms whose hint is unknown are compared with the one before them.
  StorageSource(const VectorSelector& selector, std::int64_t min_ms, std::int64_t max_ms, bool detect_resets)
      : matchers_(selector.matchers), min_ms_(min_ms), max_ms_(max_ms), detect_resets_(detect_resets) {}
  Result<void> Prepare(QueryContext& context) override;
  Result<void> Read(QueryContext& context, std::size_t i, std::size_t worker, SeriesColumns* out) override;
  // Resets are found by comparing with the sample before.
  void WantLatest() override { latest_ = !detect_resets_; }
  std::string Explain() const override;
  std::vector<const Operator*> Children() const override { return {}; }

 private:
  Matchers matchers_;
  std::int64_t min_ms_, max_ms_;
  bool detect_resets_;
  bool latest_ = false;
  std::shared_ptr<const Selection> selection_;
  HeldSamples held_;
};

// The output of `child` on its own grid, as samples.
class SubquerySource : public SeriesSource {
 public:
  explicit SubquerySource(OperatorPtr child) : child_(std::move(child)) {}
  Result<void> Prepare(QueryContext& context) override;
  Result<void> Read(QueryContext& context, std::size_t i, std::size_t worker, SeriesColumns* out) override;
  std::string Explain() const override;
  std::vector<const Operator*> Children() const override { return {child_.get()}; }

 private:
  OperatorPtr child_;
  std::vector<std::int64_t> times_;  // of all steps of the child
  PerWorker<StepColumn> scratch_;
};

// For each step the samples [lo, hi) of a column of times: those in (at - range, at].
struct Windows {
  std::vector<std::uint32_t> lo, hi;
  void Compute(std::span<const std::int64_t> t, const Grid& grid, const TimeShift& shift, std::int64_t range_ms, std::int64_t after_ms = 0);
};

// What is computed from a column of times alone, kept while series that share
// the column follow one another, and a while longer.
template <typename T>
class TimeColumnCache {
 public:
  // The value for the column of `s` over so many steps; `make(T*)` fills it when it is not known yet.
  template <typename Make>
  const T& Get(const SeriesColumns& s, std::size_t steps, Make&& make) {
    if (s.time_column == 0) {
      make(&single_);
      return single_;
    }
    if (last_ != nullptr && last_id_ == s.time_column) return *last_;
    auto it = known_.find(s.time_column);
    if (it == known_.end()) {
      // A bound on memory: columns x steps. Jobs come in label order, so old columns rarely come back.
      if ((known_.size() + 1) * steps > kMaxSteps) known_.clear();
      it = known_.emplace(s.time_column, std::make_unique<T>()).first;
      make(it->second.get());
    }
    last_id_ = s.time_column;
    last_ = it->second.get();
    return *last_;
  }

 private:
  static constexpr std::size_t kMaxSteps = 256 * 1024;  // some 50 bytes each
  T single_;
  std::unordered_map<std::uint64_t, std::unique_ptr<T>> known_;
  std::uint64_t last_id_ = 0;
  const T* last_ = nullptr;
};

// Takes stale markers out of a column (range functions skip them). Cheap when there is no NaN.
void RemoveStale(SeriesColumns* s);

}  // namespace prom::promql
