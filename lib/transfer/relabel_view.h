// RelabelView: a Queryable as it is after relabelling, for writing a block anew or to
// count what would change.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/queryable.h"
#include "relabel/relabel.h"

namespace prom::transfer {

// What is relabelled how: the samples in the closed range of series that match. All
// others keep their labels.
struct RelabelJob {
  relabel::Rules rules;
  Matchers matchers;  // empty: all series
  std::int64_t min_ms = kMinTimeMs, max_ms = kMaxTimeMs;
};

// The labels after the rules; none: the series is dropped, as one without labels is. A
// series that does not match stays as it is.
std::optional<Labels> Relabel(const RelabelJob& job, const Labels& labels);

// Where several series of `source` become one and have samples at one time, that of the
// series wins which had the labels before; of series that all had others, the last one
// in the order of the old labels. The view keeps `source`. Labels of all series are in
// memory. Metadata of a metric that gets another name goes with it.
class RelabelView : public Queryable {
 public:
  static Result<std::shared_ptr<const RelabelView>> Make(std::shared_ptr<const Queryable> source, const RelabelJob& job);

  // Whether any series gets other labels, or is dropped.
  bool changes() const { return changes_; }
  // Samples read through the view so far.
  std::uint64_t samples_read() const { return samples_read_->load(std::memory_order_relaxed); }

  Result<std::unique_ptr<Selection>> Select(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const override;
  Result<std::vector<std::string>> LabelNames(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const override;
  Result<std::vector<std::string>> LabelValues(std::string_view name, const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const override;
  Result<std::vector<std::pair<std::string, Metadata>>> ListMetadata() const override;
  Result<std::vector<SeriesExemplars>> Exemplars(const std::vector<Matchers>& any_of, std::int64_t min_ms, std::int64_t max_ms) const override;
  std::pair<std::int64_t, std::int64_t> TimeRange() const override { return source_->TimeRange(); }

 private:
  RelabelView(std::shared_ptr<const Queryable> source, const RelabelJob& job)
      : source_(std::move(source)), job_(job), samples_read_(std::make_shared<std::atomic<std::uint64_t>>(0)) {}

  const std::shared_ptr<const Queryable> source_;
  const RelabelJob job_;
  const std::shared_ptr<std::atomic<std::uint64_t>> samples_read_;
  bool changes_ = false;
  std::set<std::pair<std::string, std::string>> renames_;  // metric names, old and new
  std::set<std::string> names_;                            // all that there are afterwards
  std::unique_ptr<const Queryable> merged_;
};

}  // namespace prom::transfer
