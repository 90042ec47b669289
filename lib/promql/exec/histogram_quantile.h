// histogram_quantile, histogram_quantiles and histogram_fraction, over classic
// buckets (float series with a label le) and native histograms.
#pragma once

#include <string>
#include <vector>

#include "promql/ast.h"
#include "promql/exec/operator.h"

namespace prom::promql {

struct Bucket {
  double upper_bound = 0;
  double count = 0;  // cumulative
};

// What had to be levelled before a quantile could be read off.
struct MonotonicityFix {
  bool forced = false;
  double min_bucket = 0, max_bucket = 0, max_diff = 0;
};
// Sorts and levels *buckets. Upstream's BucketQuantile and BucketFraction.
double BucketQuantile(double q, std::vector<Bucket>* buckets, MonotonicityFix* fix);
double BucketFraction(double lower, double upper, std::vector<Bucket>* buckets);

class HistogramQuantileOperator : public MaterializedOperator {
 public:
  // `scalars`: the quantile; the quantiles of histogram_quantiles; lower and upper of histogram_fraction.
  HistogramQuantileOperator(const CallExpr& call, OperatorPtr child, std::vector<OperatorPtr> scalars)
      : MaterializedOperator(child->grid()), call_(call), child_(std::move(child)), scalars_(std::move(scalars)) {}
  std::string Explain() const override { return std::string(call_.function->name); }
  std::vector<const Operator*> Children() const override;

 protected:
  Result<void> Compute(QueryContext& context) override;

 private:
  const CallExpr& call_;
  OperatorPtr child_;
  std::vector<OperatorPtr> scalars_;
};

}  // namespace prom::promql
