// BlockSource: what a block is written from. Its series are numbered from 0 in the order
// of their labels, and read one after the other. Internal to lib/store.
//
// Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/queryable.h"
#include "store/index_writer.h"

namespace prom::store {

class BlockSource {
 public:
  virtual ~BlockSource() = default;
  virtual std::pair<std::int64_t, std::int64_t> TimeRange() const = 0;
  // Calls `each` for all series that may have samples in the closed range, ascending;
  // the columns hold until it returns, and a time_column stands for the same times
  // throughout one call. Numbers are the same in every call. All ranges lie in the one
  // that was given to Begin.
  virtual Result<void> Begin(std::int64_t min_ms, std::int64_t max_ms) = 0;
  using Each = std::function<Result<void>(std::uint32_t number, SeriesColumns& columns)>;
  virtual Result<void> Read(std::int64_t min_ms, std::int64_t max_ms, const Each& each) = 0;
  // By number, ascending.
  using NumberedExemplars = std::vector<std::pair<std::uint32_t, std::vector<Exemplar>>>;
  virtual Result<NumberedExemplars> Exemplars(std::int64_t min_ms, std::int64_t max_ms) = 0;
  virtual Result<std::vector<std::pair<std::string, Metadata>>> ListMetadata() = 0;
  // The index of the series whose numbers are set in `keep`, which covers those that
  // were read; the payload of each is its number less its rank.
  virtual Result<void> WriteIndex(const std::vector<bool>& keep, std::string_view extra, const IndexWriter::Sink& sink) = 0;
};

// The series of a Queryable, or, when there are any, of `parts`, which ascend by their
// labels: labels of one part are in memory at a time. Both must outlive it.
std::unique_ptr<BlockSource> SelectionSource(const Queryable& source, const std::vector<std::shared_ptr<const Queryable>>& parts);

}  // namespace prom::store
