// BlockReader: a block, opened read-only. Everything is mapped and checked when it
// is first used; opening costs some microseconds. A reader stays valid when the
// block is removed from the directory. Thread-safe.
//
// Damage costs the group of chunks it is in, for the series asked for: Read leaves
// those chunks out and says so in SeriesColumns::warnings. Damage in the index is an
// error (kCorrupt) of the calls that meet it.
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "base/io.h"
#include "base/mutex.h"
#include "base/result.h"
#include "model/queryable.h"
#include "store/block_entries.h"
#include "store/block_format.h"
#include "store/index_reader.h"

namespace prom::store {

// Series of a block by label set: their labels, and their numbers in the groups.
struct BlockSeries {
  std::vector<Labels> labels;
  std::vector<std::uint32_t> numbers;
};

class BlockReader : public Queryable, public std::enable_shared_from_this<BlockReader> {
 public:
  // `dir`: blocks/<ulid>. kNotFound: not there (any more). kUnsupported: a newer version.
  static Result<std::shared_ptr<const BlockReader>> Open(Io& io, const std::string& dir);

  Result<std::unique_ptr<Selection>> Select(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const override;
  Result<std::vector<std::string>> LabelNames(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const override;
  Result<std::vector<std::string>> LabelValues(std::string_view name, const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const override;
  // Damaged groups of exemplars and metadata, which no series warns of; reads them all.
  std::vector<std::string> warnings() const;
  // Damaged groups of metadata and exemplars are left out.
  Result<std::vector<std::pair<std::string, Metadata>>> ListMetadata() const override;
  Result<std::vector<SeriesExemplars>> Exemplars(const std::vector<Matchers>& any_of, std::int64_t min_ms, std::int64_t max_ms) const override;
  std::pair<std::int64_t, std::int64_t> TimeRange() const override { return {head_.min_ms, head_.max_ms}; }

  const BlockHead& head() const { return head_; }
  const IndexReader& index() const { return *index_; }
  const std::string& dir() const { return dir_; }
  std::uint64_t file_bytes() const { return index_->file_size() + chunks_.size(); }

  // The parts below serve selections and Verify.
  const std::string& chunks_path() const { return chunks_path_; }
  BlockSlice slice(std::uint32_t i) const { return BlockSlice::Parse(slices_ + std::size_t{i} * BlockSlice::kBytes); }
  BlockGroup group(std::uint32_t i) const { return BlockGroup::Parse(groups_ + std::size_t{i} * BlockGroup::kBytes); }
  // A group's bytes as they went in: a view into the file or into *buffer. kCorrupt
  // with file and offset.
  Result<std::string_view> ReadGroup(std::uint32_t i, BlockGroupKind kind, std::string* buffer) const;
  // A group of values and its entries, likewise.
  Result<std::string_view> ReadValues(std::uint32_t i, std::string* buffer, std::vector<BlockEntry>* entries) const;
  // The group of times that has the column; head().first_exemplars when none has.
  std::uint32_t GroupOfColumn(std::uint32_t column) const;
  // The columns' bytes in a raw group of times. False: not such a group.
  static bool ParseTimes(std::string_view raw, std::uint32_t columns, std::vector<std::string_view>* out);

 private:
  BlockReader() = default;
  Error GroupError(const BlockGroup& group, const std::string& what) const;
  Result<std::string_view> CheckGroup(std::uint32_t i, BlockGroupKind* kind) const;  // its payload
  bool Overlaps(std::int64_t min_ms, std::int64_t max_ms) const { return min_ms <= head_.max_ms && max_ms >= head_.min_ms; }
  Result<std::shared_ptr<const BlockSeries>> Find(const Matchers& matchers) const;

  // What the last selections found, newest first: dashboards and rules ask the same again and again.
  static constexpr std::size_t kMaxKept = 16, kMaxKeptBytes = 3 << 19;
  struct Kept {
    std::string matchers;
    std::shared_ptr<const BlockSeries> series;
    std::uint64_t lost_pages = 0;  // when it was found: after a loss the index has to be read again, to notice
    std::size_t bytes = 0;
  };
  mutable Mutex kept_mutex_;
  mutable std::list<Kept> kept_ GUARDED_BY(kept_mutex_);

  std::string dir_, chunks_path_;
  std::shared_ptr<const IndexReader> index_;
  Mapping chunks_;
  BlockHead head_;
  const char* slices_ = nullptr;
  const char* groups_ = nullptr;
  std::unique_ptr<std::atomic<std::uint64_t>[]> checked_;  // a bit a group whose checksum held
};

}  // namespace prom::store
