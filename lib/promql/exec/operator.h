// How a query runs. A plan is a tree of operators. Each first fixes its output
// series (Prepare: all label work happens here, once a query), then gives the
// samples of one series over all steps at a time (Read).
//
// Read is random access and const in effect, so an operator that works series by
// series (selector, rate, abs, matched division) holds no samples at all: its
// parent pulls series i, it pulls what that needs, and a sum() on top keeps
// groups x steps numbers whatever the number of series. Operators that need all
// series at once (topk, histogram_quantile, many-to-one matching) read their
// children into memory in Prepare and count what they hold.
//
// Threading: Prepare from one thread. Read may be called from many at once if
// each passes its own worker number below kMaxWorkers; an operator keeps what
// it needs for Read in PerWorker. Results must not depend on who reads what:
// whoever merges, merges in order of series (parallel.h does).
#pragma once

#include <bit>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/label_numbers.h"
#include "model/sample.h"
#include "promql/query_context.h"

namespace prom::promql {

inline constexpr std::size_t kMaxWorkers = kMaxThreads;
template <typename T>
using PerWorker = T[kMaxWorkers];

// The points in time of an evaluation: start, start + interval, ...
struct Grid {
  std::int64_t start_ms = 0, interval_ms = 1;
  std::size_t steps = 0;
  std::int64_t At(std::size_t k) const { return start_ms + static_cast<std::int64_t>(k) * interval_ms; }
  std::int64_t last_ms() const { return At(steps == 0 ? 0 : steps - 1); }
  Grid FirstStep() const { return {start_ms, interval_ms, steps == 0 ? 0u : 1u}; }
  friend bool operator==(const Grid&, const Grid&) = default;
};

using HistogramPtr = std::shared_ptr<const Histogram>;
struct HistogramAt {
  std::uint32_t step = 0;
  HistogramPtr h;
};

// One series over all steps. A step holds a float (its bit in `present`), or a
// histogram, or nothing; a float may be NaN, absence never is one. Values of
// absent steps are arbitrary but initialised.
struct StepColumn {
  std::vector<double> values;
  std::vector<std::uint64_t> present;
  std::vector<HistogramAt> histograms;  // ascending step

  void Reset(std::size_t steps) {
    values.resize(steps);
    present.assign((steps + 63) / 64, 0);
    histograms.clear();
  }
  std::size_t steps() const { return values.size(); }
  bool Has(std::size_t k) const { return (present[k / 64] >> (k % 64)) & 1; }
  void Set(std::size_t k, double v) {
    values[k] = v;
    present[k / 64] |= std::uint64_t{1} << (k % 64);
  }
  void Unset(std::size_t k) { present[k / 64] &= ~(std::uint64_t{1} << (k % 64)); }
  void SetAllPresent() {
    if (values.empty()) return;
    present.assign((values.size() + 63) / 64, ~std::uint64_t{0});
    if (values.size() % 64 != 0) present.back() = (std::uint64_t{1} << (values.size() % 64)) - 1;
  }
  std::size_t CountFloats() const {
    std::size_t n = 0;
    for (std::uint64_t w : present) n += static_cast<std::size_t>(std::popcount(w));
    return n;
  }
  bool HasFloats() const {
    for (std::uint64_t w : present) {
      if (w != 0) return true;
    }
    return false;
  }
  bool empty() const { return histograms.empty() && !HasFloats(); }
  std::size_t FirstStep() const;  // with a sample; steps() when there is none
  const HistogramPtr* HistogramAtStep(std::size_t k) const;
  // Samples as limits count them.
  std::size_t HeldSize() const;
  // The words of `present` with the steps that hold a histogram added.
  std::vector<std::uint64_t> AnyPresent() const;
};

// Calls fn(k) for every set bit, ascending; whole words run as a plain loop.
template <typename Fn>
inline void ForEachBit(const std::vector<std::uint64_t>& words, Fn&& fn) {
  for (std::size_t w = 0; w < words.size(); ++w) {
    std::uint64_t bits = words[w];
    const std::size_t base = w * 64;
    if (bits == ~std::uint64_t{0}) {
      for (std::size_t k = base; k < base + 64; ++k) fn(k);
      continue;
    }
    while (bits != 0) {
      fn(base + static_cast<std::size_t>(std::countr_zero(bits)));
      bits &= bits - 1;
    }
  }
}

// How many samples a histogram counts as: its size in bytes / 16.
std::size_t HistogramHeldSize(const Histogram& h);

struct SeriesMeta {
  Labels labels;
  bool drop_name = false;  // delayed name removal: the metric name goes at the end of the query
};

class Operator {
 public:
  explicit Operator(const Grid& grid) : grid_(grid) {}
  virtual ~Operator() = default;
  Operator(const Operator&) = delete;
  Operator& operator=(const Operator&) = delete;

  // Once, before Read. Fixes series(), and counts what its labels take.
  Result<void> Prepare(QueryContext& context);
  // Whether Read costs no more than a copy.
  virtual bool InMemory() const { return false; }
  // Replaces *out with series i, grid().steps long. May come out empty.
  virtual Result<void> Read(QueryContext& context, std::size_t i, std::size_t worker, StepColumn* out) = 0;
  virtual std::string Explain() const = 0;  // one line
  virtual std::vector<const Operator*> Children() const = 0;

  // The value of a scalar that is known while planning and the same at every step.
  virtual std::optional<double> Constant() const { return std::nullopt; }

  const Grid& grid() const { return grid_; }
  const std::vector<SeriesMeta>& series() const { return series_; }

 protected:
  virtual Result<void> DoPrepare(QueryContext& context) = 0;

  Grid grid_;
  std::vector<SeriesMeta> series_;

 private:
  HeldSamples labels_held_;
};
using OperatorPtr = std::unique_ptr<Operator>;

// All series of an operator in memory, counted in *held.
Result<std::vector<StepColumn>> ReadAll(QueryContext& context, Operator& op, HeldSamples* held);

// An operator whose output is computed in Prepare and served from memory.
class MaterializedOperator : public Operator {
 public:
  using Operator::Operator;
  Result<void> DoPrepare(QueryContext& context) final;
  Result<void> Read(QueryContext& context, std::size_t i, std::size_t worker, StepColumn* out) final;
  bool InMemory() const final { return true; }

 protected:
  // Fills series_ and columns_, one column a series.
  virtual Result<void> Compute(QueryContext& context) = 0;
  std::vector<StepColumn> columns_;
  HeldSamples held_;
};

// Collects samples that operators produce step by step, by label set. Two samples of
// one label set at one step are the error upstream raises.
class OutputTable {
 public:
  explicit OutputTable(std::size_t steps) : steps_(steps) {}
  // The number of the output series with these labels, made when new.
  std::size_t Find(const Labels& labels, bool drop_name);
  Result<void> Add(QueryContext& context, std::size_t series, std::size_t step, double v);
  Result<void> Add(QueryContext& context, std::size_t series, std::size_t step, HistogramPtr h);
  // Series without samples are left out. In order of Find, or of `rank` when it is given: one number a series.
  void MoveTo(std::vector<SeriesMeta>* series, std::vector<StepColumn>* columns, const std::vector<std::size_t>* rank = nullptr);
  HeldSamples& held() { return held_; }

 private:
  Result<void> Claim(QueryContext& context, std::size_t series, std::size_t step);
  std::size_t steps_;
  std::vector<SeriesMeta> series_;
  std::vector<StepColumn> columns_;
  LabelNumbers by_labels_;
  HeldSamples held_;
};

std::size_t LabelBytes(const std::vector<SeriesMeta>& series);

Error DuplicateLabelset();  // "vector cannot contain metrics with the same labelset"

// Labels without __name__, __type__ and __unit__.
Labels DropMetadataLabels(const Labels& labels);
// Drops names as the query's mode wants: now, or by a mark for the end.
Result<void> DropNames(QueryContext& context, std::vector<SeriesMeta>* series);
// Only / all but the named labels; `names` sorted.
Labels KeepLabels(const Labels& labels, const std::vector<std::string>& names);
Labels RemoveLabels(const Labels& labels, const std::vector<std::string>& names);

}  // namespace prom::promql
