// Functions over range vectors: rate(), the *_over_time family, changes(),
// deriv() ... Series by series; nothing is held between them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "promql/ast.h"
#include "promql/exec/operator.h"
#include "promql/exec/kernels.h"
#include "promql/exec/series_source.h"

namespace prom::promql {

enum class RangeFunction {
  kRate, kIncrease, kDelta, kIrate, kIdelta,
  kSum, kAvg, kMin, kMax, kCount, kStddev, kStdvar, kQuantile, kLast, kFirst, kPresent, kMad,
  kTsOfMin, kTsOfMax, kTsOfFirst, kTsOfLast,
  kChanges, kResets, kDeriv, kPredictLinear, kDoubleExponentialSmoothing,
};
// nullopt: not a function of range vectors (absent_over_time is planned from present_over_time).
std::optional<RangeFunction> FindRangeFunction(std::string_view name);

struct RangeSpec {
  RangeFunction function = RangeFunction::kRate;
  std::string name;  // as written, for Explain
  TimeShift shift;
  std::int64_t range_ms = 0;
  bool anchored = false, smoothed = false;
  PosRange arg_pos;        // of the range vector, which annotations point at
  PosRange first_arg_pos;  // of the first argument whatever it is
};

// One series over the steps of a query, for functions whose windows hold histograms,
// start timestamps or an extended range: the general, slower way.
struct RangeInput {
  const RangeSpec& spec;
  const Grid& grid;
  const SeriesColumns& samples;  // without stale markers
  const Labels& labels;
  const Windows& floats;
  const Windows& histograms;
  bool use_start_timestamps = false;
};
Result<void> GeneralRangeFunction(QueryContext& context, const RangeInput& in, StepColumn* out);

class RangeFunctionOperator : public Operator {
 public:
  // `scalars`: the scalar arguments in order, on the same grid.
  RangeFunctionOperator(const Grid& grid, RangeSpec spec, std::unique_ptr<SeriesSource> source, std::vector<OperatorPtr> scalars)
      : Operator(grid), spec_(std::move(spec)), source_(std::move(source)), scalars_(std::move(scalars)) {}
  Result<void> DoPrepare(QueryContext& context) override;
  Result<void> Read(QueryContext& context, std::size_t i, std::size_t worker, StepColumn* out) override;
  std::string Explain() const override;
  std::vector<const Operator*> Children() const override;

 private:
  struct Scratch {
    SeriesColumns samples;
    TimeColumnCache<RatePlan> rates;
    TimeColumnCache<Windows> windows;
    Windows histogram_windows;
    std::vector<std::uint32_t> resets, positions;
    std::vector<double> values;
    std::vector<std::int64_t> histogram_times;
  };
  Result<void> Floats(QueryContext& context, Scratch& scratch, StepColumn* out);
  Result<void> Floats(QueryContext& context, const Windows& w, Scratch& scratch, StepColumn* out);
  bool NeedsGeneralWay(const SeriesColumns& samples) const;

  RangeSpec spec_;
  std::unique_ptr<SeriesSource> source_;
  std::vector<OperatorPtr> scalars_;
  std::vector<StepColumn> scalar_columns_;
  bool use_start_timestamps_ = false;
  PerWorker<Scratch> scratch_;
};

}  // namespace prom::promql
