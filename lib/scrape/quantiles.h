// Quantiles: a summary among a tool's metrics: quantiles 0.01, 0.05, 0.5, 0.9 and 0.99 of
// the last 500 observations, and the sum and count of all. Thread-safe; lives as long as
// the Metrics it is registered with needs it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/metrics.h"
#include "base/mutex.h"
#include "base/number.h"

namespace prom::scrape {

class Quantiles {
 public:
  // The same name and labels again: the new object takes the place of the old one.
  static std::shared_ptr<Quantiles> Register(Metrics& metrics, const std::string& name, const std::string& help, const MetricLabels& labels) {
    auto self = std::make_shared<Quantiles>();
    for (const double q : {0.01, 0.05, 0.5, 0.9, 0.99}) {
      MetricLabels with = labels;
      with.emplace_back("quantile", FormatFloatG(q));
      metrics.AddGaugeFunction(name, help, std::move(with), [self, q] { return self->At(q); });
    }
    metrics.AddCounterFunction(name + "_sum", help, labels, [self] { return self->Total().first; });
    metrics.AddCounterFunction(name + "_count", help, labels, [self] { return self->Total().second; });
    return self;
  }

  void Observe(double v) {
    MutexLock lock(mutex_);
    if (last_.size() < kKept) {
      last_.push_back(v);
    } else {
      last_[count_ % kKept] = v;
    }
    ++count_;
    sum_ += v;
  }

 private:
  static constexpr std::size_t kKept = 500;
  double At(double q) const {
    MutexLock lock(mutex_);
    if (last_.empty()) return std::numeric_limits<double>::quiet_NaN();
    std::vector<double> sorted = last_;
    const std::size_t at = std::min(sorted.size() - 1, static_cast<std::size_t>(q * static_cast<double>(sorted.size())));
    std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(at), sorted.end());
    return sorted[at];
  }
  std::pair<double, double> Total() const {
    MutexLock lock(mutex_);
    return {sum_, static_cast<double>(count_)};
  }

  mutable Mutex mutex_;
  std::vector<double> last_ GUARDED_BY(mutex_);
  std::uint64_t count_ GUARDED_BY(mutex_) = 0;
  double sum_ GUARDED_BY(mutex_) = 0;
};

}  // namespace prom::scrape
