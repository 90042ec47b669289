// SampleBuffer gathers samples that come in any order, series by series or page by
// page, until there are enough for a block; then it is a Queryable over them.
//
// Times are ms. Adding costs a few nanoseconds a sample: nothing is looked up or
// sorted before Freeze. Not thread-safe while it gathers.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "model/queryable.h"

namespace prom::transfer {

class SampleBuffer : public Queryable {
 public:
  // The number of the series, dense from 0, until Clear.
  std::uint32_t SeriesOf(const Labels& labels);
  const Labels& labels_of(std::uint32_t series) const { return *labels_[series]; }

  void Add(std::uint32_t series, std::int64_t t_ms, double v) {
    Series& s = series_[series];
    if (s.next == s.end) Grow(&s);
    *s.next++ = {t_ms, v};
    s.ascending = s.ascending && t_ms > s.last_ms;
    s.last_ms = t_ms;
    ++samples_;
  }
  // st_ms: start timestamp of the sample at t_ms, not 0.
  void AddStart(std::uint32_t series, std::int64_t t_ms, std::int64_t st_ms) { rest_[series].starts[t_ms] = st_ms; }
  void Add(std::uint32_t series, std::int64_t t_ms, std::shared_ptr<const Histogram> h, std::int64_t st_ms);
  void Add(std::uint32_t series, Exemplar exemplar);
  void SetMetadata(std::string_view metric, const Metadata& metadata);

  // Floats and histograms since the last DropSamples.
  std::size_t samples() const { return samples_; }
  std::size_t series() const { return labels_.size(); }
  // Of samples and labels, about, as it will be while frozen.
  std::size_t memory_bytes() const { return 2 * samples_ * sizeof(Point) + label_bytes_ + histogram_bytes_; }

  // Orders what was gathered. Of samples with one time and series the last one stays;
  // those that had another value are counted in replaced().
  void Freeze();
  std::uint64_t replaced() const { return replaced_; }
  // Empties the buffer, which gathers again. The first keeps series and metadata.
  void DropSamples();
  void Clear();

  // All below: between Freeze and DropSamples.
  Result<std::unique_ptr<Selection>> Select(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const override;
  Result<std::vector<std::string>> LabelNames(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const override;
  Result<std::vector<std::string>> LabelValues(std::string_view name, const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const override;
  Result<std::vector<std::pair<std::string, Metadata>>> ListMetadata() const override;
  Result<std::vector<SeriesExemplars>> Exemplars(const std::vector<Matchers>& any_of, std::int64_t min_ms, std::int64_t max_ms) const override;
  std::pair<std::int64_t, std::int64_t> TimeRange() const override { return {min_ms_, max_ms_}; }

 private:
  friend class BufferSelection;
  struct Point {
    std::int64_t t;
    double v;
  };
  // Points lie in pieces that grow with the series, chained through their first point.
  struct Series {
    Point* next = nullptr;
    Point* end = nullptr;
    std::int64_t last_ms = INT64_MIN;
    Point* first_piece = nullptr;
    Point* piece = nullptr;
    bool ascending = true;
  };
  struct Rest {  // what few series have
    std::map<std::int64_t, std::int64_t> starts;
    std::map<std::int64_t, std::pair<std::shared_ptr<const Histogram>, std::int64_t>> histograms;
    std::vector<Exemplar> exemplars;
  };
  struct Frozen {
    std::size_t begin = 0, end = 0;  // in t_ and v_
  };

  void Grow(Series* s);
  Point* Room(std::size_t points);
  void FreezeSeries(std::uint32_t i);
  bool Wanted(std::uint32_t i, const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const;

  std::vector<Series> series_;
  std::vector<const Labels*> labels_;
  std::unordered_map<Labels, std::uint32_t> ids_;
  std::unordered_map<std::uint32_t, Rest> rest_;
  std::map<std::string, Metadata, std::less<>> metadata_;
  std::size_t samples_ = 0, label_bytes_ = 0, histogram_bytes_ = 0;
  std::uint64_t replaced_ = 0;

  std::vector<std::unique_ptr<Point[]>> slabs_;
  std::size_t slab_ = 0, slab_used_ = 0;  // the slab that room is taken from

  std::vector<std::uint32_t> order_;  // by labels
  std::vector<Frozen> frozen_;        // by series
  std::vector<std::int64_t> t_;
  std::vector<double> v_;
  std::int64_t min_ms_ = INT64_MAX, max_ms_ = INT64_MIN;
};

}  // namespace prom::transfer
