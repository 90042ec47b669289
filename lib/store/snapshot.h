// MakeSnapshot: a copy of a data directory at one moment, in another directory, as
// whole batches, beside a running writer and without asking it: blocks as hard links
// (copies on another file system), the head as a block. The copy is a data directory
// like any other; to restore it is to copy it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/io.h"
#include "base/result.h"
#include "base/time.h"

namespace prom::store {

struct SnapshotOptions {
  std::function<bool()> canceled;  // asked now and then; true stops with kCanceled
  std::function<void(std::uint64_t done_bytes, std::uint64_t total_bytes)> on_progress;
};

struct SnapshotSummary {
  std::uint64_t blocks = 0, linked = 0, copied = 0;  // linked, copied: of the blocks that were there
  std::uint64_t head_samples = 0;
  std::uint64_t bytes = 0;  // of all blocks
  std::vector<std::string> warnings;  // damage that was left out of the head, or taken over in a block
};

// `to` must not exist; it appears when it is complete. A snapshot that is killed leaves
// `to`.partial, which the next one replaces. kInvalid: `to` exists.
Result<SnapshotSummary> MakeSnapshot(Io& io, Clock& clock, const std::string& data_dir, const std::string& to, const SnapshotOptions& options);

}  // namespace prom::store
