// Block: a block of Prometheus's TSDB, read in place and mapped. Opening reads meta.json
// and maps the files; the index is checked when it is first needed. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/io.h"
#include "base/mutex.h"
#include "tsdb/block_meta.h"
#include "tsdb/index.h"
#include "tsdb/part.h"
#include "tsdb/tombstones.h"

namespace prom::tsdb {

class Block : public Part {
 public:
  // kNotFound, kCorrupt, kUnsupported, kIo. Damaged tombstones are a warning, not an error.
  static Result<std::shared_ptr<const Block>> Open(Io& io, const std::string& dir);

  const BlockMeta& meta() const { return meta_; }
  const std::string& dir() const { return dir_; }
  const std::vector<std::string>& warnings() const { return warnings_; }
  std::uint64_t bytes() const;  // mapped
  // kCorrupt: damaged beyond opening.
  Result<const Index*> index() const;

  Result<std::vector<PartSeries>> SelectSeries(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const override;
  Result<std::vector<std::string>> LabelNames(const Matchers& matchers) const override;
  Result<std::vector<std::string>> LabelValues(std::string_view name, const Matchers& matchers) const override;
  void ReadChunk(const PartSeries& series, const ChunkMeta& chunk, SeriesColumns* out) const override;
  std::pair<std::int64_t, std::int64_t> TimeRange() const override { return {meta_.min_ms, meta_.max_ms - (meta_.max_ms > meta_.min_ms ? 1 : 0)}; }

 private:
  Block() = default;
  // A chunk's encoding and data in its segment file.
  Result<void> Decode(std::uint64_t ref, SeriesColumns* out) const;

  std::string dir_;
  BlockMeta meta_;
  Mapping index_map_;
  std::vector<Mapping> segments_;
  std::vector<std::string> segment_names_;
  std::vector<std::string> segment_errors_;  // of the header; empty: fine
  TombstoneMap tombstones_;
  std::vector<std::string> warnings_;

  mutable Mutex mutex_;  // held while the index is opened
  mutable std::unique_ptr<const Index> index_ GUARDED_BY(mutex_);
  mutable std::string index_error_ GUARDED_BY(mutex_);
  mutable Errc index_errc_ GUARDED_BY(mutex_) = Errc::kCorrupt;
};

}  // namespace prom::tsdb
