// Queryable: what the query engine reads from, whoever implements it (a promkit
// data directory, Prometheus's own blocks, the in-memory store of tests).
//
// All times are ms, ranges are closed [min, max]. A Queryable is a consistent
// snapshot: what it answers does not change while it lives. Its methods and those
// of its Selections may be called from many threads at once.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "model/labels.h"
#include "model/matcher.h"
#include "model/sample.h"

namespace prom {

// The samples of one series in a time range, as columns. The spans point into
// the buffers below or into memory that `pin` keeps alive; they are valid until
// the object is read into again or destroyed. Reuse one object for many series:
// its buffers keep their capacity.
struct SeriesColumns {
  std::span<const std::int64_t> t;  // strictly ascending
  std::span<const double> v;        // same length; stale markers are in it, bit exact
  // Non-zero and equal for two series of one Selection, read over the same range:
  // both have the same times, so window bounds can be computed once.
  std::uint64_t time_column = 0;
  bool no_resets = false;  // known: v never falls and holds no NaN
  // Start timestamps, same length as t, 0 = unknown; empty when no sample has one.
  std::span<const std::int64_t> st;
  std::vector<HistogramSample> histograms;  // ascending; a time is in t or here, never in both
  std::vector<std::int64_t> histogram_st;   // like st, for histograms
  std::vector<std::string> warnings;        // damaged chunks left out: file, offset, time range

  std::vector<std::int64_t> t_buffer, st_buffer;
  std::vector<double> v_buffer;
  std::shared_ptr<const void> pin;

  void Clear() {
    t = {};
    v = {};
    st = {};
    time_column = 0;
    no_resets = false;
    histograms.clear();
    histogram_st.clear();
    warnings.clear();
    pin.reset();
  }
};

// The series that matchers select, sorted by labels, each label set once.
class Selection {
 public:
  virtual ~Selection() = default;
  virtual std::size_t size() const = 0;
  virtual const Labels& labels(std::size_t i) const = 0;
  // Replaces *out with the samples of series i in [min_ms, max_ms]; the range
  // must lie inside the one given to Select.
  virtual Result<void> Read(std::size_t i, std::int64_t min_ms, std::int64_t max_ms, SeriesColumns* out) const = 0;
  // As Read, but only the newest sample of the range has to be there; others may be. What instant queries ask for.
  virtual Result<void> ReadLatest(std::size_t i, std::int64_t min_ms, std::int64_t max_ms, SeriesColumns* out) const { return Read(i, min_ms, max_ms, out); }
  // Parts of the range in which series may be missing, in words.
  virtual std::vector<std::string> warnings() const { return {}; }
};

class Queryable {
 public:
  virtual ~Queryable() = default;
  // Series that match all matchers and may have samples in the range.
  virtual Result<std::unique_ptr<Selection>> Select(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const = 0;
  // Sorted, unique; of series that match (all when `matchers` is empty) and may have samples in the range.
  virtual Result<std::vector<std::string>> LabelNames(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const = 0;
  virtual Result<std::vector<std::string>> LabelValues(std::string_view name, const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const = 0;
  // The same of what can be read: what cannot goes to *warnings, where the two above fail with kCorrupt, so that nobody
  // takes what is missing for absent who has no place for warnings.
  virtual Result<std::vector<std::string>> ReadableLabelNames(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms, std::vector<std::string>* warnings) const {
    (void)warnings;
    return LabelNames(matchers, min_ms, max_ms);
  }
  virtual Result<std::vector<std::string>> ReadableLabelValues(std::string_view name, const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms,
                                                               std::vector<std::string>* warnings) const {
    (void)warnings;
    return LabelValues(name, matchers, min_ms, max_ms);
  }
  // Type, help, unit by metric name, sorted by name; at most one entry a name.
  virtual Result<std::vector<std::pair<std::string, Metadata>>> ListMetadata() const { return std::vector<std::pair<std::string, Metadata>>{}; }
  struct SeriesExemplars {
    Labels series;
    std::vector<Exemplar> exemplars;
  };
  virtual Result<std::vector<SeriesExemplars>> Exemplars(const std::vector<Matchers>& any_of, std::int64_t min_ms, std::int64_t max_ms) const {
    (void)any_of, (void)min_ms, (void)max_ms;
    return std::vector<SeriesExemplars>{};
  }
  // Oldest and newest sample there may be; {kMaxTimeMs, kMinTimeMs} when empty.
  virtual std::pair<std::int64_t, std::int64_t> TimeRange() const = 0;
};

// A place snapshots come from: one a query.
class QueryableSource {
 public:
  virtual ~QueryableSource() = default;
  virtual Result<std::shared_ptr<const Queryable>> Snapshot() = 0;
};

}  // namespace prom
