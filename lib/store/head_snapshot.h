// What HeadReader::Snapshot makes. Internal to lib/store.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/lost_pages.h"
#include "base/time.h"
#include "store/head_reader.h"
#include "store/head_view.h"

namespace prom::store {

// Everything one sequence shows: copied from the tile table, files pinned.
struct HeadState {
  std::uint64_t seq = 0;
  TileState loose;
  ExtentState extents;
  std::vector<TileState> layouts;
  std::vector<std::string> warnings;
  NumberedFiles logs;
  std::shared_ptr<MappedFile> extras;
};

// Where a series has its samples.
struct HeadHome {
  std::uint32_t layout = 0, slot = 0;
  bool only = false;  // and nowhere else in the range of the selection
};

class HeadSnapshotImpl : public HeadSnapshot, public std::enable_shared_from_this<HeadSnapshotImpl> {
 public:
  // `whole`: most of it will be read, series by series.
  HeadSnapshotImpl(std::shared_ptr<HeadFiles> files, HeadState state, SeriesView series, bool whole);

  Result<std::unique_ptr<Selection>> Select(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const override;
  Result<std::vector<std::string>> LabelNames(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const override;
  Result<std::vector<std::string>> LabelValues(std::string_view name, const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const override;
  Result<std::vector<std::pair<std::string, Metadata>>> ListMetadata() const override;
  Result<std::vector<SeriesExemplars>> Exemplars(const std::vector<Matchers>& any_of, std::int64_t min_ms, std::int64_t max_ms) const override;
  std::pair<std::int64_t, std::int64_t> TimeRange() const override { return {min_t_, max_t_}; }
  Stats stats() const override;
  std::vector<std::string> warnings() const override;
  std::vector<std::string> losses() const override;

  // What Read needs room for; who reads many series keeps one.
  struct Room {
    std::vector<std::pair<std::uint32_t, std::uint32_t>> homes;
    std::vector<LooseSample> loose;
  };
  Result<void> Read(std::uint32_t series, std::int64_t min_ms, std::int64_t max_ms, SeriesColumns* out) const {
    Room room;
    return Read(series, min_ms, max_ms, &room, out);
  }
  Result<void> Read(std::uint32_t series, std::int64_t min_ms, std::int64_t max_ms, Room* room, SeriesColumns* out) const;
  // The newest sample of the range, if it lies in the rows that are not sealed yet and nothing there is damaged; else false.
  bool ReadNewestRow(const HeadHome& home, std::int64_t min_ms, std::int64_t max_ms, SeriesColumns* out) const;
  const std::shared_ptr<const LayoutView>& View(std::uint32_t layout) const;  // as long as the snapshot
  const std::vector<std::string>& LooseWarnings() const {
    LoadLoose();
    return loose_warnings_;
  }
  std::uint64_t LooseSamples() const;
  const HeadState& state() const { return state_; }
  const SeriesView& series() const { return series_; }
  // All records of the series file, or as many as there are.
  std::string_view SeriesRecords() const;
  std::shared_ptr<const ExtrasContent> AllExemplars() const;  // null: none

 private:
  Result<void> ReadUnguarded(std::uint32_t series, std::int64_t min_ms, std::int64_t max_ms, Room* room, SeriesColumns* out) const;
  using Match = std::pair<Labels, std::uint32_t>;
  Result<std::vector<Match>> Find(const Matchers& matchers) const;
  // *home, if not null: its place when it has only one.
  bool MayHaveSamples(std::uint32_t series, std::int64_t min_ms, std::int64_t max_ms, HeadHome* home) const;
  void LoadLoose() const;
  // Loose samples of a series, ascending.
  void ReadLoose(std::uint32_t series, std::vector<LooseSample>* out, std::vector<std::string>* warnings) const;
  // Behind what is in *out already, when `behind`: values and times in its buffers, for the caller to make spans of.
  void ReadColumns(std::uint32_t layout, std::uint32_t slot, std::int64_t min_ms, std::int64_t max_ms, bool behind, SeriesColumns* out) const;

  std::shared_ptr<HeadFiles> files_;
  HeadState state_;
  SeriesView series_;
  const bool whole_;
  mutable std::atomic<std::size_t> transposed_bytes_{0};
  const std::uint64_t lost_before_ = LostPageCount();
  std::int64_t min_t_ = kMaxTimeMs, max_t_ = kMinTimeMs;

  struct ViewSlot {
    std::once_flag once;
    std::shared_ptr<const LayoutView> view;
  };
  std::unique_ptr<ViewSlot[]> views_;
  mutable std::once_flag loose_once_;
  mutable std::unordered_map<std::uint32_t, std::vector<LooseSample>> pending_;  // ascending
  mutable std::shared_ptr<const HeadFiles::LooseList> loose_groups_;
  mutable std::vector<std::string> loose_warnings_;
};

}  // namespace prom::store
