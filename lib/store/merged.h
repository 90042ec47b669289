// MergedQueryable: several Queryables as one. Series with equal labels become one
// series; where two have a sample at the same time, the later source's wins.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/missing_part.h"
#include "model/queryable.h"

namespace prom::store {

// Exemplars of one series from several places: by time, each once.
void SortExemplars(std::vector<Exemplar>* exemplars);

class MergedQueryable : public Queryable {
 public:
  // Sources whose TimeRange lies outside of a question are not asked. A source whose
  // Select fails with kCorrupt counts as missing for that Select.
  //
  // Missing parts go to the warnings of every series that is read in their range, and of
  // the selection. A selection without series, and the questions that have no place for a
  // warning, are answered with kCorrupt instead, so that what is missing never looks absent.
  explicit MergedQueryable(std::vector<std::shared_ptr<const Queryable>> sources, std::vector<MissingPart> missing = {});

  Result<std::unique_ptr<Selection>> Select(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const override;
  Result<std::vector<std::string>> LabelNames(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const override;
  Result<std::vector<std::string>> LabelValues(std::string_view name, const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const override;
  Result<std::vector<std::string>> ReadableLabelNames(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms, std::vector<std::string>* warnings) const override;
  Result<std::vector<std::string>> ReadableLabelValues(std::string_view name, const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms,
                                                       std::vector<std::string>* warnings) const override;
  Result<std::vector<std::pair<std::string, Metadata>>> ListMetadata() const override;
  Result<std::vector<SeriesExemplars>> Exemplars(const std::vector<Matchers>& any_of, std::int64_t min_ms, std::int64_t max_ms) const override;
  std::pair<std::int64_t, std::int64_t> TimeRange() const override;

  const std::vector<MissingPart>& missing() const { return missing_; }

 private:
  std::vector<std::shared_ptr<const Queryable>> sources_;
  std::vector<MissingPart> missing_;
};

}  // namespace prom::store
