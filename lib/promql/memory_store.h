// Series in memory behind the Queryable interface: for tests, benchmarks and
// `promql test`. Append from one thread; read from many once appending is over.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/labels.h"
#include "model/queryable.h"
#include "model/sample.h"

namespace prom::promql {

class MemoryStore : public Queryable {
 public:
  // A sample at a time that is there already replaces it; any order. st: 0 = unknown.
  void Append(const Labels& labels, std::int64_t t_ms, double v, std::int64_t st_ms = 0);
  void Append(const Labels& labels, std::int64_t t_ms, std::shared_ptr<const Histogram> h, std::int64_t st_ms = 0);
  // A whole series over times that others share; replaces what was there. `no_resets`: v never falls and holds no NaN.
  void SetColumn(const Labels& labels, std::shared_ptr<const std::vector<std::int64_t>> t, std::vector<double> v, bool no_resets = false);
  void Clear() { series_.clear(); }

  Result<std::unique_ptr<Selection>> Select(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const override;
  Result<std::vector<std::string>> LabelNames(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const override;
  Result<std::vector<std::string>> LabelValues(std::string_view name, const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const override;
  std::pair<std::int64_t, std::int64_t> TimeRange() const override;

  struct Series {
    std::shared_ptr<const std::vector<std::int64_t>> shared_t;  // or
    std::vector<std::int64_t> t;
    std::vector<double> v;
    std::vector<std::int64_t> st;  // empty while all are unknown
    std::vector<HistogramSample> histograms;
    std::vector<std::int64_t> histogram_st;
    bool no_resets = false;
    const std::vector<std::int64_t>& times() const { return shared_t ? *shared_t : t; }
  };

 private:
  std::map<Labels, Series> series_;
};

}  // namespace prom::promql
