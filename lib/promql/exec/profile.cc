#include "promql/exec/profile.h"

#include <chrono>

namespace prom::promql {
namespace {

// Adds the time and the samples read of its scope.
class Measure {
 public:
  Measure(QueryContext& context, NodeProfile* out) : context_(context), out_(out), read_(Read()), start_(std::chrono::steady_clock::now()) {}
  ~Measure() {
    out_->time_ns += std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - start_).count();
    out_->read_samples += Read() - read_;
  }
  Measure(const Measure&) = delete;
  Measure& operator=(const Measure&) = delete;

 private:
  std::int64_t Read() const {
    QueryStats stats;
    context_.FillStats(&stats);
    return stats.samples_read;
  }
  QueryContext& context_;
  NodeProfile* out_;
  const std::int64_t read_;
  const std::chrono::steady_clock::time_point start_;
};

}  // namespace

Result<void> ProfileOperator::DoPrepare(QueryContext& context) {
  const Measure measure(context, &profile_);
  PROM_TRY(child_->Prepare(context));
  series_ = child_->series();
  profile_.series = static_cast<std::int64_t>(series_.size());
  return {};
}

Result<void> ProfileOperator::Read(QueryContext& context, std::size_t i, std::size_t worker, StepColumn* out) {
  const Measure measure(context, &profile_);
  PROM_TRY(child_->Read(context, i, worker, out));
  std::size_t bytes = (out->values.size() + out->present.size()) * 8;
  for (const HistogramAt& h : out->histograms) bytes += HistogramHeldSize(*h.h) * 16;
  profile_.samples += static_cast<std::int64_t>(out->CountFloats() + out->histograms.size());
  profile_.bytes += static_cast<std::int64_t>(bytes);
  return {};
}

}  // namespace prom::promql
