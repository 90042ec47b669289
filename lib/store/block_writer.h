// WriteBlock copies the samples of a Queryable in a time range into a new block,
// DATA/blocks/<ulid>/, prom-block(5): re-cut to chunks of about 480 samples, shared
// time columns stored once, series sorted by labels.
//
// The block is written under DATA/tmp/ and renamed when it is complete and synced,
// so that a crash leaves at most a directory in tmp/. It is no part of the data
// before a manifest names it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/io.h"
#include "base/result.h"
#include "model/queryable.h"
#include "store/manifest.h"

namespace prom::store {

struct BlockInfo {
  std::string ulid;
  std::int64_t min_ms = 0, max_ms = 0;  // of its samples, closed
  std::uint32_t level = 1;
  std::uint64_t series = 0, chunks = 0, columns = 0;  // columns: distinct time columns
  std::uint64_t samples = 0;                          // with histograms
  std::uint64_t histogram_samples = 0;
  std::uint64_t bytes = 0;  // of all its files
  std::vector<std::string> warnings;  // of the source: damaged chunks left out

  ManifestBlock ForManifest() const { return {ulid, min_ms, max_ms, level, samples, bytes}; }
};

struct BlockWriterOptions {
  std::string ulid;  // of the new block
  std::uint32_t level = 1;
  std::vector<std::string> sources;  // ulids it was merged from, for meta.json
  // Chunks are laid out slice by slice (a multiple of this in time), within a slice
  // by series: a query of an hour reads an hour. About 480 samples a series are best.
  std::int64_t slice_ms = 2 * 3'600'000;
  // The series of the source in parts, ascending and apart from each other by their
  // labels; empty: the source is the only one. Labels of one part are in memory at a
  // time, at the cost of reading them once for each slice. Each part must select the
  // same series each time.
  std::vector<std::shared_ptr<const Queryable>> parts;
  bool best_compression = false;  // slower to write; for blocks that stay
  bool sync = true;
  // Asked between series; true stops with kCanceled and leaves nothing behind.
  bool (*canceled)(void*) = nullptr;
  void* canceled_argument = nullptr;
};

class BlockSource;

// The range is closed. A result with 0 samples means that there were none, and no
// block was made. Memory: labels of all series (of a part), a few bytes a series, one
// group, the columns of one slice, the new index.
Result<BlockInfo> WriteBlock(Io& io, const std::string& data_dir, const Queryable& source, std::int64_t min_ms, std::int64_t max_ms,
                             const BlockWriterOptions& options);

// The same from a source that numbers its series itself; `options.parts` is not looked at.
Result<BlockInfo> WriteBlock(Io& io, const std::string& data_dir, BlockSource& source, std::int64_t min_ms, std::int64_t max_ms,
                             const BlockWriterOptions& options);

// DATA/blocks/<ulid>.
std::string BlockDir(std::string_view data_dir, std::string_view ulid);

}  // namespace prom::store
