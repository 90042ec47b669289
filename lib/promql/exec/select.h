// Instant vector selectors: for each step the newest sample within the lookback,
// unless it is a stale marker. timestamp() and start_timestamp() right above a
// selector are selectors too, that give another number of the same sample.
#pragma once

#include <string>
#include <vector>

#include "promql/exec/operator.h"
#include "promql/exec/series_source.h"

namespace prom::promql {

class SelectOperator : public Operator {
 public:
  enum class Take { kValue, kTimestamp, kStartTimestamp };
  struct Spec {
    TimeShift shift;
    std::int64_t lookback_ms = 0;
    Take take = Take::kValue;
    bool smoothed = false;  // interpolate between the samples around the step
    PosRange pos;
  };
  SelectOperator(const Grid& grid, Spec spec, std::unique_ptr<SeriesSource> source)
      : Operator(grid), spec_(spec), source_(std::move(source)) {}
  Result<void> DoPrepare(QueryContext& context) override;
  Result<void> Read(QueryContext& context, std::size_t i, std::size_t worker, StepColumn* out) override;
  std::string Explain() const override { return "select " + source_->Explain(); }
  std::vector<const Operator*> Children() const override { return source_->Children(); }

 private:
  // For each step the position of its sample, or kNone.
  struct Positions {
    std::vector<std::uint32_t> at;
    std::vector<std::uint64_t> present;
  };
  struct Scratch {
    SeriesColumns samples;
    TimeColumnCache<Positions> positions;
  };
  void Find(std::span<const std::int64_t> t, Positions* out) const;
  void WithHistograms(const SeriesColumns& s, const Positions& floats, StepColumn* out) const;
  void Smoothed(QueryContext& context, const Labels& labels, SeriesColumns* s, StepColumn* out) const;

  Spec spec_;
  std::unique_ptr<SeriesSource> source_;
  PerWorker<Scratch> scratch_;
};

}  // namespace prom::promql
