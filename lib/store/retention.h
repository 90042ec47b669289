// Retention: whole blocks leave the manifest when they are too old or all together
// too large.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/io.h"
#include "base/result.h"
#include "store/compact.h"
#include "store/manifest.h"

namespace prom::store {

struct RetentionOptions {
  std::int64_t retention_ms = 0;      // 0: for ever
  std::uint64_t retention_bytes = 0;  // blocks and head; 0: no limit
  std::uint64_t head_bytes = 0;       // what the head takes now
};

// Ulids to drop, oldest first. Age counts back from the newest of blocks and epochs,
// as upstream's does, or from now_ms when that is older: neither a clock that jumps
// ahead nor a sample from the future empties the store. A block goes when all of it
// is older; by size, the oldest go until the rest fits, but never the newest block.
std::vector<std::string> PlanRetention(const Manifest& m, const RetentionOptions& options, std::int64_t now_ms);

// Takes them out of the manifest, then removes them. Returns their ulids.
Result<std::vector<std::string>> ApplyRetention(Io& io, const std::string& data_dir, const Manifest& m, const RetentionOptions& options, std::int64_t now_ms,
                                                const ManifestEditor& edit);

}  // namespace prom::store
