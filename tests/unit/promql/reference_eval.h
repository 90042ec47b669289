// A second implementation of PromQL, for tests only: step by step, series by
// series, window by window, as the language is documented, with no thought of
// speed. It shares nothing with lib/promql/exec: neither kernels, nor operators,
// nor the planner. What it takes from the library is the syntax tree, labels and
// matchers, and (histogram_math.h) sums, products and quantiles of single native
// histograms, which upstream's native_histograms.test pins down.
//
// Left out, because upstream's scripts cover them and random queries hardly
// reach them: anchored and smoothed, start timestamps, info(), fill modifiers,
// annotations.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "promql/ast.h"

namespace prom::promql::reference {

// A float, or a histogram when `h` is set.
struct Value {
  double f = 0;
  std::shared_ptr<const Histogram> h;
};

struct StoredSeries {
  Labels labels;
  std::vector<std::pair<std::int64_t, Value>> samples;  // ascending; stale markers included
};
using Store = std::vector<StoredSeries>;  // sorted by labels

// One series over the steps of an evaluation.
struct Series {
  Labels labels;
  bool drop_name = false;  // delayed name removal
  std::vector<std::optional<Value>> at;
  bool empty() const;
};
using Matrix = std::vector<Series>;

struct Options {
  std::int64_t lookback_ms = 300'000;
  std::int64_t subquery_step_ms = 60'000;
  bool delayed_name_removal = false;
};

// The points in time an expression is evaluated at.
struct Steps {
  std::int64_t start_ms = 0, step_ms = 1;
  std::size_t count = 0;
  std::int64_t At(std::size_t k) const { return start_ms + static_cast<std::int64_t>(k) * step_ms; }
};

// A scalar is one series without labels. Series may be empty; their order is that of
// the selector, of first appearance, or of sort(). Not for range vectors.
Result<Matrix> Evaluate(const Store& store, const Options& options, const Expr& expr, const Steps& steps);

// --- for the two .cc files -------------------------------------------------

Error SameLabelset();

// The samples a range function sees at one step, of one series.
struct Window {
  std::vector<std::pair<std::int64_t, double>> floats;
  std::vector<std::pair<std::int64_t, std::shared_ptr<const Histogram>>> histograms;
  std::int64_t start_ms = 0, end_ms = 0, range_ms = 0, eval_ms = 0;
};
// `scalars`: the function's scalar arguments at this step. Nothing: no sample at this step.
std::optional<Value> RangeFunction(std::string_view name, const Window& w, const std::vector<double>& scalars);
// abs, hour ...; false: no such function.
bool MathFunction(std::string_view name, double in, double* out);
double Quantile(double q, std::vector<double> values);
// Neumaier's sum.
struct Kahan {
  double sum = 0, c = 0;
  void Add(double x);
};

}  // namespace prom::promql::reference
