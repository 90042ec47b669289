// WriteBlocks copies the samples of a Queryable in a time range into new blocks of
// Prometheus's TSDB, which Prometheus, promtool, Thanos and Mimir open: index version
// 2, XOR and histogram chunks of at most 120 samples, meta.json with statistics.
//
// Floats keep their bits, stale markers included. Native histograms keep counts, sums
// and bounds; their reset hints become those that Prometheus derives from chunks.
// Start timestamps, exemplars and metadata have no place in these blocks.
//
// A block is written under DIR/<ulid>.tmp-for-creation, which Prometheus ignores, and
// renamed when it is complete and synced.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/io.h"
#include "base/result.h"
#include "base/time.h"
#include "model/queryable.h"

namespace prom::tsdb {

struct WriteBlocksOptions {
  // Blocks start and end at multiples of this (as Prometheus cuts them); 2 h fits the
  // head of any Prometheus, larger ones save what promtool and Prometheus would merge.
  std::int64_t block_ms = 2 * 3'600'000;
  Matchers matchers = {};  // empty: all series
  bool sync = true;
  std::uint64_t max_segment_bytes = 512u << 20;  // of one file of chunks/
  Clock* clock = nullptr;  // of the ULIDs; null: the system's
};

struct WrittenBlock {
  std::string ulid;
  std::int64_t min_ms = 0, max_ms = 0;  // as in meta.json: closed, exclusive
  std::uint64_t series = 0, chunks = 0;
  std::uint64_t samples = 0;  // floats and histograms
  std::uint64_t histogram_samples = 0;
  std::uint64_t bytes = 0;  // of all its files
};

struct WriteBlocksSummary {
  std::vector<WrittenBlock> blocks;  // by time; ranges without samples have none
  std::uint64_t samples = 0, bytes = 0;
  std::uint64_t start_timestamps = 0;  // samples whose start timestamp was left out
  std::vector<std::string> warnings;   // of the source: damaged chunks left out
};

struct WriteBlocksProgress {
  std::int64_t done_ms = 0, total_ms = 0;  // of the range
  std::uint64_t series = 0, samples = 0;   // so far
};
// Called about every thousand series; false stops with kCanceled, and leaves the blocks
// that are complete.
using WriteBlocksProgressFn = std::function<bool(const WriteBlocksProgress&)>;

// The range is closed and cut to source.TimeRange(). `dir` is made when it is not there.
// Memory: the labels and postings of all series of one block, one series' samples.
Result<WriteBlocksSummary> WriteBlocks(Io& io, const Queryable& source, std::int64_t min_ms, std::int64_t max_ms, const std::string& dir,
                                       const WriteBlocksOptions& options = {}, const WriteBlocksProgressFn& progress = {});

}  // namespace prom::tsdb
