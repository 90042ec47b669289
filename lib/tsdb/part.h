// Part: a piece of a Prometheus data directory that has series of its own, a block or
// the head. PartsQueryable is any number of them as one Queryable.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/missing_part.h"
#include "model/queryable.h"

namespace prom::tsdb {

// Deleted times of a series: closed, sorted, not touching each other.
using Intervals = std::vector<std::pair<std::int64_t, std::int64_t>>;
// Joins what overlaps or touches, and sorts.
void NormalizeIntervals(Intervals* intervals);

struct ChunkMeta {
  std::int64_t min_ms = 0, max_ms = 0;  // closed
  std::uint64_t ref = 0;                // the part knows what it means
};

struct PartSeries {
  Labels labels;
  std::uint64_t id = 0;               // the part knows what it means
  std::vector<ChunkMeta> chunks;      // that overlap the range asked for and are not deleted whole
  const Intervals* deleted = nullptr; // lives as long as the part; null: nothing
};

class Part {
 public:
  virtual ~Part() = default;
  // Sorted by labels, each set once. Series without chunks in the range are left out.
  virtual Result<std::vector<PartSeries>> SelectSeries(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const = 0;
  // Of series that match, whatever their times. Sorted, unique.
  virtual Result<std::vector<std::string>> LabelNames(const Matchers& matchers) const = 0;
  virtual Result<std::vector<std::string>> LabelValues(std::string_view name, const Matchers& matchers) const = 0;
  // Appends a chunk's samples to the buffers of *out (tsdb/chunk.h); damage to out->warnings.
  virtual void ReadChunk(const PartSeries& series, const ChunkMeta& chunk, SeriesColumns* out) const = 0;
  // Closed; min > max: empty.
  virtual std::pair<std::int64_t, std::int64_t> TimeRange() const = 0;
  virtual std::vector<std::pair<std::string, Metadata>> ListMetadata() const { return {}; }
  virtual std::vector<Queryable::SeriesExemplars> Exemplars(const std::vector<Matchers>& any_of, std::int64_t min_ms, std::int64_t max_ms) const {
    (void)any_of, (void)min_ms, (void)max_ms;
    return {};
  }
};

// Where two parts have a sample of a series at the same time, the later part's counts.
// Missing parts and parts found damaged on the way are warnings of every series read in
// their range; selections without series and questions without warnings fail instead.
class PartsQueryable : public Queryable {
 public:
  explicit PartsQueryable(std::vector<std::shared_ptr<const Part>> parts, std::vector<MissingPart> missing = {});

  Result<std::unique_ptr<Selection>> Select(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const override;
  Result<std::vector<std::string>> LabelNames(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const override;
  Result<std::vector<std::string>> LabelValues(std::string_view name, const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const override;
  Result<std::vector<std::string>> ReadableLabelNames(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms, std::vector<std::string>* warnings) const override;
  Result<std::vector<std::string>> ReadableLabelValues(std::string_view name, const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms,
                                                       std::vector<std::string>* warnings) const override;
  Result<std::vector<std::pair<std::string, Metadata>>> ListMetadata() const override;
  Result<std::vector<SeriesExemplars>> Exemplars(const std::vector<Matchers>& any_of, std::int64_t min_ms, std::int64_t max_ms) const override;
  std::pair<std::int64_t, std::int64_t> TimeRange() const override;

 private:
  std::vector<std::shared_ptr<const Part>> parts_;
  std::vector<MissingPart> missing_;
};

}  // namespace prom::tsdb
