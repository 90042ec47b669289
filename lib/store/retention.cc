#include "store/retention.h"

#include <algorithm>

#include "base/time.h"
#include "store/block_reader.h"
#include "store/tombstones.h"

namespace prom::store {
namespace {

// What ages count back from; see PlanRetention.
std::int64_t Newest(const Manifest& m, const StoreUsage& usage) {
  std::int64_t newest = usage.head_max_ms;
  for (const auto& b : m.blocks) newest = std::max(newest, b.max_ms);
  for (const auto& e : m.epochs) newest = std::max(newest, e.start_ms);
  return std::min(newest, usage.now_ms);
}

// Samples before that are older than `age_ms`.
std::int64_t Limit(std::int64_t newest_ms, std::int64_t age_ms) { return newest_ms < kMinTimeMs + age_ms ? kMinTimeMs : newest_ms - age_ms; }

Result<void> DropBlocks(Io& io, const std::string& data_dir, const std::vector<std::string>& ulids, const ManifestEditor& edit) {
  std::string dropped_tombstones;
  PROM_TRY(edit([&](Manifest* next) {
    std::erase_if(next->blocks, [&](const ManifestBlock& b) { return std::find(ulids.begin(), ulids.end(), b.ulid) != ulids.end(); });
    dropped_tombstones = next->tombstones;
    const auto pruned = PruneTombstones(io, data_dir, next);
    if (!pruned || !*pruned) dropped_tombstones.clear();
    return true;
  }));
  for (const std::string& ulid : ulids) PROM_TRY(RemoveTree(io, BlockDir(data_dir, ulid)));
  if (!dropped_tombstones.empty()) (void)io.Remove(JoinPath(data_dir, dropped_tombstones));
  return {};
}

}  // namespace

bool RetentionPolicy::Matches(const Labels& series) const {
  return std::any_of(any_of.begin(), any_of.end(), [&](const Matchers& all) {
    return std::all_of(all.begin(), all.end(), [&](const Matcher& m) { return m.Matches(series.Get(m.name())); });
  });
}

std::int64_t RetentionSettings::LongestMs() const {
  if (time_ms == 0) return 0;
  std::int64_t longest = time_ms;
  for (const RetentionPolicy& p : policies) longest = std::max(longest, p.keep_ms);
  return longest;
}

std::uint64_t RetentionSettings::SizeLimit(std::uint64_t disk_bytes) const {
  if (percentage > 0 && disk_bytes > 0) return static_cast<std::uint64_t>(static_cast<double>(disk_bytes) * percentage / 100);
  return size_bytes;
}

std::string_view DropReasonName(DropReason reason) {
  switch (reason) {
    case DropReason::kTime: return "age";
    case DropReason::kSize: return "size";
    case DropReason::kDiskShort: return "free space";
  }
  return "";
}

std::vector<DroppedBlock> PlanRetention(const Manifest& m, const RetentionSettings& settings, const StoreUsage& usage) {
  std::vector<DroppedBlock> out;
  if (m.blocks.empty()) return out;
  std::vector<ManifestBlock> blocks = m.blocks;
  std::sort(blocks.begin(), blocks.end(), [](const auto& a, const auto& b) { return a.max_ms != b.max_ms ? a.max_ms < b.max_ms : a.ulid < b.ulid; });
  std::size_t first = 0;
  std::uint64_t freed = 0;
  const auto drop = [&](DropReason reason) {
    freed += blocks[first].bytes;
    out.push_back({blocks[first++].ulid, reason});
  };
  if (const std::int64_t age = settings.LongestMs(); age > 0) {
    const std::int64_t limit = Limit(Newest(m, usage), age);
    while (first < blocks.size() && blocks[first].max_ms < limit) drop(DropReason::kTime);
  }
  if (const std::uint64_t most = settings.SizeLimit(usage.disk_bytes); most > 0) {
    std::uint64_t bytes = usage.head_bytes;
    for (std::size_t i = first; i < blocks.size(); ++i) bytes += blocks[i].bytes;
    while (first + 1 < blocks.size() && bytes > most) {
      bytes -= blocks[first].bytes;
      drop(DropReason::kSize);
    }
  }
  while (first + 1 < blocks.size() && usage.free_bytes < settings.min_free_bytes && settings.min_free_bytes - usage.free_bytes > freed) drop(DropReason::kDiskShort);
  return out;
}

Result<std::vector<DroppedBlock>> ApplyRetention(Io& io, const std::string& data_dir, const Manifest& m, const RetentionSettings& settings,
                                                 const StoreUsage& usage, const ManifestEditor& edit) {
  std::vector<DroppedBlock> drop = PlanRetention(m, settings, usage);
  if (drop.empty()) return drop;
  std::vector<std::string> ulids;
  for (const DroppedBlock& d : drop) ulids.push_back(d.ulid);
  PROM_TRY(DropBlocks(io, data_dir, ulids, edit));
  return drop;
}

Result<PolicyKeeper::Done> PolicyKeeper::Step(Io& io, Clock& clock, const std::string& data_dir, const Manifest& m, const RetentionSettings& settings,
                                              const StoreUsage& usage, const CompactOptions& options, const ManifestEditor& edit) {
  if (settings.policies.empty()) return Done{};
  std::erase_if(looked_at_, [&](const auto& entry) { return std::none_of(m.blocks.begin(), m.blocks.end(), [&](const auto& b) { return b.ulid == entry.first; }); });
  const std::int64_t newest = Newest(m, usage);
  for (const ManifestBlock& block : m.blocks) {
    std::vector<bool> expired;
    for (const RetentionPolicy& p : settings.policies) expired.push_back(block.max_ms < Limit(newest, p.keep_ms));
    expired.push_back(settings.time_ms > 0 && block.max_ms < Limit(newest, settings.time_ms));
    if (std::none_of(expired.begin(), expired.end(), [](bool e) { return e; }) || looked_at_.contains({block.ulid, expired})) continue;

    const auto stays = [&](const Labels& series) {
      std::size_t i = 0;
      while (i < settings.policies.size() && !settings.policies[i].Matches(series)) ++i;
      return !expired[i];
    };
    // A damaged block is not tried again and again; one that a full disk stopped is.
    const auto failed = [&](Error e) {
      if (e.code == Errc::kCorrupt) looked_at_.emplace(block.ulid, expired);
      return e;
    };
    const auto reader = BlockReader::Open(io, BlockDir(data_dir, block.ulid));
    if (!reader) return failed(reader.error());
    const auto selection = (*reader)->Select({}, kMinTimeMs, kMaxTimeMs);
    if (!selection) return failed(selection.error());
    std::uint64_t going = 0;
    for (std::size_t i = 0; i < (*selection)->size(); ++i) going += !stays((*selection)->labels(i));
    if (going == 0) {
      looked_at_.emplace(block.ulid, expired);
      continue;
    }
    if (going == (*selection)->size()) {
      PROM_TRY(DropBlocks(io, data_dir, {block.ulid}, edit));
      return Done{block.ulid, going};
    }
    CompactOptions rewrite = options;
    rewrite.keep = stays;
    const auto result = CompactBlocks(io, clock, data_dir, m, {block.ulid}, rewrite, edit);
    if (!result) return failed(result.error());
    if (result->sources.empty()) continue;  // unreadable, or another edit came first
    looked_at_.emplace(result->block.ulid, expired);
    return Done{block.ulid, going};
  }
  return Done{};
}

}  // namespace prom::store
