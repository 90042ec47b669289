// BlockSelection: the chosen series of a block and what reading them shares: the
// groups unpacked last and the time columns. Internal to lib/store.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/lost_pages.h"
#include "base/mutex.h"
#include "model/queryable.h"
#include "store/block_reader.h"

namespace prom::store {

class BlockSelection : public Selection {
 public:
  static Result<std::unique_ptr<Selection>> Make(std::shared_ptr<const BlockReader> block, const std::vector<std::uint32_t>& ranks);
  static std::unique_ptr<Selection> Make(std::shared_ptr<const BlockReader> block, std::shared_ptr<const BlockSeries> series);
  static Result<std::shared_ptr<const BlockSeries>> SeriesOf(const BlockReader& block, const std::vector<std::uint32_t>& ranks);

  std::size_t size() const override { return series_->labels.size(); }
  const Labels& labels(std::size_t i) const override { return series_->labels[i]; }
  Result<void> Read(std::size_t i, std::int64_t min_ms, std::int64_t max_ms, SeriesColumns* out) const override;

 private:
  // A group of values, unpacked.
  struct Group {
    std::string buffer;
    std::string_view raw;
    std::vector<BlockEntry> entries;
  };
  using Times = std::vector<std::int64_t>;
  struct Part;  // rows of a chunk that are wanted

  BlockSelection(std::shared_ptr<const BlockReader> block, std::shared_ptr<const BlockSeries> series) : block_(std::move(block)), series_(std::move(series)) {}
  Result<std::shared_ptr<const Group>> LoadGroup(std::uint32_t i) const;
  Result<std::shared_ptr<const Times>> LoadColumn(std::uint32_t column) const;
  // Finds the chunks of a series; damage goes to out->warnings.
  void FindParts(std::size_t i, std::int64_t min_ms, std::int64_t max_ms, std::vector<Part>* floats, std::vector<Part>* histograms, SeriesColumns* out) const;
  void Warn(std::size_t i, const std::string& what, std::int64_t min_ms, std::int64_t max_ms, SeriesColumns* out) const;
  void ReadFloats(std::size_t i, std::vector<Part>* parts, SeriesColumns* out) const;
  void ReadHistograms(std::size_t i, const std::vector<Part>& parts, SeriesColumns* out) const;
  void JoinTimes(const std::vector<Part>& parts, std::size_t total, SeriesColumns* out) const;

  const std::shared_ptr<const BlockReader> block_;
  const std::uint64_t lost_before_ = LostPageCount();
  const std::shared_ptr<const BlockSeries> series_;

  // Groups used last, newest first. Neighbours of a series are in its group, so few are needed.
  static constexpr std::size_t kMaxGroups = 48;
  // Rows of cached columns; all are dropped beyond that (those in use live on in their pins).
  static constexpr std::size_t kMaxColumnRows = 4u << 20;
  mutable Mutex mutex_;
  using GroupList = std::list<std::pair<std::uint32_t, std::shared_ptr<const Group>>>;
  mutable GroupList recent_ GUARDED_BY(mutex_);
  mutable std::unordered_map<std::uint32_t, GroupList::iterator> groups_ GUARDED_BY(mutex_);
  mutable std::unordered_map<std::uint32_t, std::shared_ptr<const Times>> columns_ GUARDED_BY(mutex_);
  struct Joined {
    std::uint64_t id = 0;
    std::shared_ptr<const Times> times;
  };
  mutable std::unordered_map<std::string, Joined> joined_ GUARDED_BY(mutex_);  // by columns and rows
  mutable std::size_t cached_rows_ GUARDED_BY(mutex_) = 0;
};

}  // namespace prom::store
