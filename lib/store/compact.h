// Compaction: small blocks merged into larger ones, so that long queries open few
// blocks and labels are stored once. Sources are replaced in the manifest only after
// the new block is complete and synced; a crash leaves one or the other.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/io.h"
#include "base/result.h"
#include "base/time.h"
#include "store/block_reader.h"
#include "store/block_writer.h"
#include "store/manifest.h"

namespace prom::store {

struct CompactOptions {
  std::int64_t block_ms = 2 * 3'600'000;  // width of the blocks cut from the head
  std::int64_t retention_ms = 0;          // the longest that any series is kept; 0: for ever
  // Merges whose sources are larger together are put off.
  std::uint64_t max_source_bytes = ~std::uint64_t{0};
  // Labels of so many series of a source are in memory at a time.
  std::uint32_t part_series = 32'768;
  bool sync = true;
  bool (*canceled)(void*) = nullptr;  // asked now and then; true: stop with kCanceled
  void* canceled_argument = nullptr;
  std::function<bool(const Labels&)> keep;  // series it says no to are left out; empty: all stay
};

// The widest block: a tenth of the retention, at most 31 days, as upstream.
std::int64_t MaxBlockMs(const CompactOptions& options);

// Slices of a block made of these (BlockWriterOptions::slice_ms) that hold about 480
// samples a series: the widest of block_ms x 2^n that does not exceed it.
std::int64_t SliceWidth(const std::vector<std::shared_ptr<const BlockReader>>& blocks, std::int64_t block_ms);

// What to merge next, ulids by time; empty: nothing. Blocks that mostly overlap
// first; else all blocks of an aligned window of 3, 9, 27... times block_ms, once
// the window is over (a newer block or epoch shows it) and there are two or more.
std::vector<std::string> PlanCompaction(const Manifest& m, const CompactOptions& options);

struct CompactionResult {
  std::vector<std::string> sources;  // empty: nothing was to be done
  BlockInfo block;                   // 0 samples: all were deleted, no block made
  std::vector<std::string> unreadable;  // sources that could not be opened; they stay as they are
};

// Merges these blocks of `m`: new block, manifest, removal of the sources. Deleted
// samples are left out. Blocks that cannot be opened are never merged or removed, so
// that what is damaged can still be looked at; those read with losses are kept as well
// (kCorrupt, with the first loss).
Result<CompactionResult> CompactBlocks(Io& io, Clock& clock, const std::string& data_dir, const Manifest& m, const std::vector<std::string>& ulids,
                                       const CompactOptions& options, const ManifestEditor& edit);

// Does what PlanCompaction says, one merge a Step, and remembers which merges failed,
// so that damaged blocks are not tried again and again. Not thread-safe.
class Compactor {
 public:
  // A result without sources: nothing is left to do.
  Result<CompactionResult> Step(Io& io, Clock& clock, const std::string& data_dir, const Manifest& m, const CompactOptions& options,
                                const ManifestEditor& edit);

 private:
  std::vector<std::string> failed_;  // first ulid of each plan that did not work
};

}  // namespace prom::store
