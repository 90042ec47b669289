// The part of Writer that looks after finished blocks: merging, retention, deletes,
// exchange.
#include <algorithm>

#include "base/log.h"
#include "base/ulid.h"
#include "store/block_reader.h"
#include "store/compact.h"
#include "store/head_reader.h"
#include "store/retention.h"
#include "store/tombstones.h"
#include "store/writer.h"

namespace prom::store {

Result<std::uint64_t> Writer::Delete(const std::vector<Matchers>& any_of, std::int64_t min_ms, std::int64_t max_ms) {
  return DeleteSamples(io_, dir_, any_of, min_ms, max_ms, [this](const std::function<bool(Manifest*)>& f) { return EditManifest(f); });
}

Result<void> Writer::Undelete(std::uint64_t id) {
  return UndeleteSamples(io_, dir_, id, [this](const std::function<bool(Manifest*)>& f) { return EditManifest(f); });
}

// A second name, before the first one goes.
Result<void> Writer::KeepDamaged(const std::string& file) {
  const std::string kept = JoinPath(dir_, "damaged/" + file);
  PROM_TRY(MakeDirs(io_, JoinPath(dir_, "damaged")));
  PROM_ASSIGN(const bool kept_before, io_.Exists(kept));
  PROM_ASSIGN(const bool there, io_.Exists(JoinPath(dir_, file)));
  if (kept_before || !there) return {};
  return io_.Link(JoinPath(dir_, file), kept);
}

Result<void> Writer::SetTombstonesAside(const std::string& file) {
  const std::string path = JoinPath(dir_, file);
  bool there = false;
  Result<void> kept;
  PROM_TRY(EditManifest([&](Manifest* next) {
    there = next->tombstones == file;
    if (!there) return false;
    next->tombstones.clear();
    kept = KeepDamaged(file);
    return static_cast<bool>(kept);
  }));
  PROM_TRY(std::move(kept));
  if (!there) return Error{Errc::kUnavailable, path + ": not in force any more; try again"};
  (void)io_.Remove(path);
  return {};
}

Result<void> Writer::ReplaceBlocks(const BlockSwap& swap) {
  std::vector<ManifestBlock> added;
  std::vector<std::string> moved;
  if (!swap.add.empty() && (!swap.staging.starts_with("staging/") || !IsUlid(swap.staging.substr(8))))
    return Error{Errc::kInvalid, "not a staging directory: " + swap.staging};
  const std::string staging = JoinPath(dir_, swap.staging);
  const auto undo = [&](Error e) {
    // Back to their maker, who may try again.
    for (const std::string& ulid : moved)
      if (!io_.Rename(BlockDir(dir_, ulid), BlockDir(staging, ulid))) (void)RemoveTree(io_, BlockDir(dir_, ulid));
    return e;
  };
  const Manifest before = manifest();
  for (const std::string& ulid : swap.add) {
    const std::string from = BlockDir(staging, ulid);
    if (std::any_of(before.blocks.begin(), before.blocks.end(), [&](const ManifestBlock& b) { return b.ulid == ulid; }))
      return Error{Errc::kInvalid, "there is a block " + ulid + " already"};
    PROM_ASSIGN(const auto reader, BlockReader::Open(io_, from));
    const BlockHead& head = reader->head();
    ManifestBlock block{ulid, head.min_ms, head.max_ms, head.level, head.samples, reader->file_bytes()};
    PROM_ASSIGN(const auto meta, io_.Open(JoinPath(from, kBlockMetaFile), Io::Mode::kRead));
    PROM_ASSIGN(const std::uint64_t meta_bytes, meta->Size());
    block.bytes += meta_bytes;
    added.push_back(std::move(block));
  }
  if (!added.empty()) PROM_TRY(MakeDirs(io_, JoinPath(dir_, "blocks")));
  for (const std::string& ulid : swap.add) {
    (void)RemoveTree(io_, BlockDir(dir_, ulid));  // of an exchange that could not even be undone
    if (auto done = io_.Rename(BlockDir(staging, ulid), BlockDir(dir_, ulid)); !done) return undo(std::move(done.error()));
    moved.push_back(ulid);
  }
  if (!moved.empty())
    if (auto done = io_.SyncDir(JoinPath(dir_, "blocks")); !done) return undo(std::move(done.error()));

  std::string changed, dropped_tombstones;
  auto published = EditManifest([&](Manifest* next) {
    for (const std::string& ulid : swap.remove) {
      if (std::none_of(next->blocks.begin(), next->blocks.end(), [&](const ManifestBlock& b) { return b.ulid == ulid; })) changed = "block " + ulid + " is gone";
    }
    if (!swap.remove.empty() && next->tombstones != swap.tombstones) changed = "samples were deleted";
    if (!changed.empty()) return false;
    std::erase_if(next->blocks, [&](const ManifestBlock& b) { return std::find(swap.remove.begin(), swap.remove.end(), b.ulid) != swap.remove.end(); });
    next->blocks.insert(next->blocks.end(), added.begin(), added.end());
    next->Sort();
    if (!swap.remove.empty()) {
      dropped_tombstones = next->tombstones;
      const auto pruned = PruneTombstones(io_, dir_, next);
      if (!pruned || !*pruned) dropped_tombstones.clear();
    }
    return true;
  });
  if (!published) return undo(std::move(published.error()));
  if (!changed.empty()) return undo({Errc::kUnavailable, changed + " meanwhile; try again"});
  for (const std::string& ulid : swap.remove) {
    if (swap.keep_removed) {
      PROM_TRY(MakeDirs(io_, JoinPath(dir_, "damaged")));
      if (io_.Rename(BlockDir(dir_, ulid), JoinPath(dir_, "damaged/" + ulid))) continue;
    }
    PROM_TRY(RemoveTree(io_, BlockDir(dir_, ulid)));
  }
  if (!dropped_tombstones.empty()) (void)io_.Remove(JoinPath(dir_, dropped_tombstones));
  return {};
}

Result<void> Writer::MaintainBlocks() {
  MutexLock merge(merge_mutex_);
  space_short_.store(false);
  PROM_TRY(ApplyPolicies());
  return MergeBlocks();
}

Result<void> Writer::CompactBlocksNow() {
  MutexLock merge(merge_mutex_);
  space_short_.store(false);
  const CompactOptions options = ForCompaction();
  const Manifest before = manifest();
  PROM_ASSIGN(const Tombstones tombstones, ReadTombstones(io_, dir_, before));
  for (const ManifestBlock& block : before.blocks) {
    if (OfBlock(tombstones, block.ulid).empty()) continue;
    PROM_TRY(CompactBlocks(io_, clock_, dir_, manifest(), {block.ulid}, options, [this](const std::function<bool(Manifest*)>& f) { return EditManifest(f); }));
  }
  return MergeBlocks();
}

CompactOptions Writer::ForCompaction() const {
  CompactOptions options;
  options.block_ms = options_.block_ms;
  options.retention_ms = retention_ms();
  options.canceled = [](void* self) {
    const auto* writer = static_cast<const Writer*>(self);
    return writer->stopping_.load() || writer->space_short_.load();
  };
  options.canceled_argument = const_cast<Writer*>(this);
  return options;
}

Result<void> Writer::MergeBlocks() {
  CompactOptions options = ForCompaction();
  while (true) {
    // What a merge writes must not make the disk short: it would be abandoned, or blocks would go for it.
    space_short_.store(false);
    const StoreUsage usage = Usage();
    const std::uint64_t reserve = retention().min_free_bytes;
    options.max_source_bytes = usage.free_bytes > reserve ? usage.free_bytes - reserve : 0;
    const std::int64_t start = clock_.MonotonicNs();
    auto done = compactor_.Step(io_, clock_, dir_, manifest(), options, [this](const std::function<bool(Manifest*)>& f) { return EditManifest(f); });
    if (!done && done.error().code == Errc::kCanceled) return {};
    if (done && done->sources.empty()) return {};
    MutexLock lock(mutex_);
    ++(done ? other_.compactions : other_.failed_compactions);
    other_.compaction_seconds += static_cast<double>(clock_.MonotonicNs() - start) / 1e9;
    if (!done) return std::move(done.error());
  }
}

StoreUsage Writer::Usage() const {
  StoreUsage usage;
  usage.now_ms = clock_.NowMs();
  std::vector<ManifestEpoch> epochs;
  {
    MutexLock lock(mutex_);
    usage.head_max_ms = head_->max_t();
    epochs = manifest_.epochs;
  }
  for (const ManifestEpoch& e : epochs)
    if (const auto bytes = DirBytes(io_, EpochDir(dir_, e.number)); bytes) usage.head_bytes += *bytes;
  // A file system that does not tell its size has no limit by percentage or free space.
  if (const auto bytes = io_.TotalBytes(dir_); bytes) usage.disk_bytes = *bytes;
  if (const auto bytes = io_.FreeBytes(dir_); bytes) usage.free_bytes = *bytes;
  return usage;
}

Result<void> Writer::DropOldBlocks() {
  // One look decides: what a merge that begins right after it writes is no reason to drop blocks.
  if (const StoreUsage usage = Usage(); usage.free_bytes >= retention().min_free_bytes) return ApplyLimits(usage);
  // What a merge has written so far goes before any block does.
  space_short_.store(true);
  MutexLock merge(merge_mutex_);
  return ApplyLimits(Usage());
}

Result<void> Writer::ApplyLimits(const StoreUsage& usage) {
  PROM_ASSIGN(const auto dropped, ApplyRetention(io_, dir_, manifest(), retention(), usage, [this](const std::function<bool(Manifest*)>& f) { return EditManifest(f); }));
  bool by[3] = {};
  for (const DroppedBlock& d : dropped) {
    LogInfo("store", "block dropped by retention", {{"ulid", d.ulid}, {"reason", DropReasonName(d.reason)}});
    by[static_cast<int>(d.reason)] = true;
  }
  MutexLock lock(mutex_);
  other_.dropped_by_time += by[static_cast<int>(DropReason::kTime)];
  other_.dropped_by_size += by[static_cast<int>(DropReason::kSize)];
  other_.dropped_for_space += by[static_cast<int>(DropReason::kDiskShort)];
  return {};
}

Result<void> Writer::ApplyPolicies() {
  std::uint64_t version = 0;
  {
    MutexLock lock(mutex_);
    version = settings_version_;
  }
  if (version != policies_version_) policies_.Forget();
  policies_version_ = version;
  const RetentionSettings settings = retention();
  while (true) {
    const auto done = policies_.Step(io_, clock_, dir_, manifest(), settings, Usage(), ForCompaction(), [this](const std::function<bool(Manifest*)>& f) { return EditManifest(f); });
    if (!done && done.error().code == Errc::kCanceled) return {};
    if (!done) return done.error();
    if (done->ulid.empty()) return {};
    LogInfo("store", "series dropped by a retention policy", {{"ulid", done->ulid}, {"series", done->series}});
    MutexLock lock(mutex_);
    ++other_.policy_rewrites;
    other_.policy_series += done->series;
  }
}

}  // namespace prom::store
