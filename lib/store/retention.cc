#include "store/retention.h"

#include <algorithm>

#include "base/time.h"
#include "store/tombstones.h"

namespace prom::store {

std::vector<std::string> PlanRetention(const Manifest& m, const RetentionOptions& options, std::int64_t now_ms) {
  std::vector<std::string> out;
  if (m.blocks.empty()) return out;
  std::vector<ManifestBlock> blocks = m.blocks;
  std::sort(blocks.begin(), blocks.end(), [](const auto& a, const auto& b) { return a.max_ms != b.max_ms ? a.max_ms < b.max_ms : a.ulid < b.ulid; });
  std::size_t first = 0;
  if (options.retention_ms > 0) {
    std::int64_t newest = blocks.back().max_ms;
    for (const auto& e : m.epochs) newest = std::max(newest, e.start_ms);
    newest = std::min(newest, now_ms);
    const std::int64_t limit = newest < kMinTimeMs + options.retention_ms ? kMinTimeMs : newest - options.retention_ms;
    for (; first < blocks.size() && blocks[first].max_ms < limit; ++first) out.push_back(blocks[first].ulid);
  }
  if (options.retention_bytes > 0) {
    std::uint64_t bytes = options.head_bytes;
    for (std::size_t i = first; i < blocks.size(); ++i) bytes += blocks[i].bytes;
    for (; first + 1 < blocks.size() && bytes > options.retention_bytes; ++first) {
      out.push_back(blocks[first].ulid);
      bytes -= blocks[first].bytes;
    }
  }
  return out;
}

Result<std::vector<std::string>> ApplyRetention(Io& io, const std::string& data_dir, const Manifest& m, const RetentionOptions& options, std::int64_t now_ms,
                                                const ManifestEditor& edit) {
  const std::vector<std::string> drop = PlanRetention(m, options, now_ms);
  if (drop.empty()) return drop;
  std::string dropped_tombstones;
  PROM_TRY(edit([&](Manifest* next) {
    std::erase_if(next->blocks, [&](const ManifestBlock& b) { return std::find(drop.begin(), drop.end(), b.ulid) != drop.end(); });
    dropped_tombstones = next->tombstones;
    const auto pruned = PruneTombstones(io, data_dir, next);
    if (!pruned || !*pruned) dropped_tombstones.clear();
    return true;
  }));
  for (const std::string& ulid : drop) PROM_TRY(RemoveTree(io, BlockDir(data_dir, ulid)));
  if (!dropped_tombstones.empty()) (void)io.Remove(JoinPath(data_dir, dropped_tombstones));
  return drop;
}

}  // namespace prom::store
