#include "store/compact.h"

#include <algorithm>
#include <map>

#include "base/ulid.h"
#include "store/block_part.h"
#include "store/merged.h"
#include "store/series_filter.h"
#include "store/tombstones.h"

namespace prom::store {
namespace {

constexpr std::int64_t kDayMs = 24 * 3'600'000;
constexpr std::int64_t kStep = 3;
constexpr std::int64_t kSamplesPerChunk = 480;

// Start of the window of that width that holds t.
std::int64_t Align(std::int64_t t, std::int64_t width) {
  const std::int64_t into = ((t % width) + width) % width;
  return t < kMinTimeMs + into ? kMinTimeMs : t - into;
}

// Of a closed range; far from overflow.
long double Span(std::int64_t min_ms, std::int64_t max_ms) { return static_cast<long double>(max_ms) - static_cast<long double>(min_ms) + 1; }

const ManifestBlock* Find(const Manifest& m, const std::string& ulid) {
  const auto it = std::find_if(m.blocks.begin(), m.blocks.end(), [&](const ManifestBlock& b) { return b.ulid == ulid; });
  return it == m.blocks.end() ? nullptr : &*it;
}

}  // namespace

std::int64_t MaxBlockMs(const CompactOptions& options) {
  const std::int64_t widest = options.retention_ms > 0 ? std::min(31 * kDayMs, options.retention_ms / 10) : 31 * kDayMs;
  return std::max(widest, options.block_ms);
}

std::int64_t SliceWidth(const std::vector<std::shared_ptr<const BlockReader>>& blocks, std::int64_t block_ms) {
  long double samples_per_ms = 0;  // of the average series
  for (const auto& block : blocks) {
    const auto& head = block->head();
    const long double width = Span(head.min_ms, head.max_ms);
    const auto series = static_cast<long double>(std::max<std::uint32_t>(1, block->index().series_count()));
    samples_per_ms = std::max(samples_per_ms, static_cast<long double>(head.samples) / series / std::max(width, static_cast<long double>(block_ms)));
  }
  std::int64_t width = block_ms;
  while (width < 31 * kDayMs && samples_per_ms * static_cast<long double>(2 * width) <= kSamplesPerChunk * 1.1L) width *= 2;
  return width;
}

std::vector<std::string> PlanCompaction(const Manifest& m, const CompactOptions& options) {
  std::vector<ManifestBlock> blocks = m.blocks;
  std::sort(blocks.begin(), blocks.end(), [](const auto& a, const auto& b) { return a.min_ms != b.min_ms ? a.min_ms < b.min_ms : a.ulid < b.ulid; });

  // Blocks that lie mostly inside of others: a query would have to merge them sample by
  // sample. Neighbours that share a little at their ends, as those cut from the head
  // with an out-of-order window do, wait for their window: merging them at once would
  // rewrite everything with every new block.
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    std::int64_t start = blocks[i].min_ms, end = blocks[i].max_ms;
    std::vector<std::string> out{blocks[i].ulid};
    for (std::size_t n = i + 1; n < blocks.size() && blocks[n].min_ms <= end; ++n) {
      const long double shared = Span(blocks[n].min_ms, std::min(end, blocks[n].max_ms));
      if (shared * 2 <= std::min(Span(start, end), Span(blocks[n].min_ms, blocks[n].max_ms))) continue;
      out.push_back(blocks[n].ulid);
      end = std::max(end, blocks[n].max_ms);
    }
    if (out.size() > 1) return out;
  }

  // What lies before this is all in blocks. A block belongs to the window of its middle,
  // as epochs take samples a little beyond their ends.
  std::int64_t complete = blocks.empty() ? kMinTimeMs : blocks.back().min_ms;
  if (!m.epochs.empty()) {
    complete = std::min_element(m.epochs.begin(), m.epochs.end(), [](const auto& a, const auto& b) { return a.start_ms < b.start_ms; })->start_ms;
  }
  const std::int64_t widest = MaxBlockMs(options);
  for (std::int64_t width = options.block_ms * kStep; width <= widest; width *= kStep) {
    std::map<std::int64_t, std::vector<std::string>> windows;
    for (const auto& b : blocks) {
      if (Span(b.min_ms, b.max_ms) > static_cast<long double>(width)) continue;
      windows[Align(b.min_ms + (b.max_ms - b.min_ms) / 2, width)].push_back(b.ulid);
    }
    for (const auto& [start, ulids] : windows) {
      if (ulids.size() >= 2 && complete >= kMinTimeMs + width && complete - width >= start) return ulids;
    }
  }
  return {};
}

namespace {

// The blocks to merge, oldest first: those made later win. The new block takes the place of
// the last one, so that it wins and loses against all others as that did; one that lies
// between two of them, and over the earlier, has to be merged as well.
std::vector<std::string> InOrder(const Manifest& m, const std::vector<std::string>& ulids) {
  std::vector<const ManifestBlock*> all;
  for (const ManifestBlock& b : m.blocks) all.push_back(&b);
  std::sort(all.begin(), all.end(), [](const auto* a, const auto* b) { return a->ulid < b->ulid; });
  std::vector<std::string> out = ulids;
  std::sort(out.begin(), out.end());
  const auto chosen = [&](const std::string& ulid) { return std::find(out.begin(), out.end(), ulid) != out.end(); };
  for (const ManifestBlock* b : all) {
    if (b->ulid > out.back() || chosen(b->ulid)) continue;
    const bool over = std::any_of(all.begin(), all.end(), [&](const auto* earlier) {
      return earlier->ulid < b->ulid && chosen(earlier->ulid) && earlier->min_ms <= b->max_ms && earlier->max_ms >= b->min_ms;
    });
    if (over) out.insert(std::lower_bound(out.begin(), out.end(), b->ulid), b->ulid);
  }
  return out;
}

}  // namespace

Result<CompactionResult> CompactBlocks(Io& io, Clock& clock, const std::string& data_dir, const Manifest& m, const std::vector<std::string>& ulids,
                                       const CompactOptions& options, const ManifestEditor& edit) {
  CompactionResult result;
  // A damaged file of tombstones must not bring deleted samples back for good.
  PROM_ASSIGN(const Tombstones tombstones, ReadTombstones(io, data_dir, m));
  std::vector<std::shared_ptr<const BlockReader>> readers;
  std::vector<std::shared_ptr<const Queryable>> sources;
  BlockWriterOptions write;
  // What is to be in the new block of a source.
  const auto remaining = [&](std::shared_ptr<const Queryable> source, const std::string& ulid) {
    source = HideDeleted(std::move(source), OfBlock(tombstones, ulid));
    return options.keep ? KeepSeries(std::move(source), options.keep) : source;
  };
  const std::vector<std::string> ordered = InOrder(m, ulids);
  for (const std::string& ulid : ordered) {
    const ManifestBlock* entry = Find(m, ulid);
    if (entry == nullptr) return Error{Errc::kInvalid, "no block " + ulid + " in the manifest"};
    auto reader = BlockReader::Open(io, BlockDir(data_dir, ulid));
    if (!reader) {
      if (reader.error().code != Errc::kCorrupt) return std::move(reader.error());
      result.unreadable.push_back(reader.error().message);
      continue;
    }
    readers.push_back(*reader);
    sources.push_back(remaining(*reader, ulid));
    write.level = std::max(write.level, entry->level + 1);
    write.sources.push_back(ulid);
  }
  if (readers.size() < (result.unreadable.empty() ? 1u : 2u)) return result;

  write.ulid = UlidAfter(write.sources.back());
  if (Find(m, write.ulid) != nullptr) write.ulid = NewUlid(clock.NowMs());  // nobody makes two in a row but us
  PROM_TRY(RemoveTree(io, BlockDir(data_dir, write.ulid)));  // of an attempt that could not even clean up
  write.slice_ms = SliceWidth(readers, options.block_ms);
  write.best_compression = true;
  write.sync = options.sync;
  write.canceled = options.canceled;
  write.canceled_argument = options.canceled_argument;
  PROM_ASSIGN(const auto ranks, PartBlocks(readers, options.part_series));
  for (std::size_t part = 0; part + 1 < ranks[0].size() && ranks[0].size() > 2; ++part) {
    std::vector<std::shared_ptr<const Queryable>> of_part;
    for (std::size_t b = 0; b < readers.size(); ++b) {
      if (ranks[b][part] == ranks[b][part + 1]) continue;
      of_part.push_back(remaining(std::make_shared<BlockPart>(readers[b], ranks[b][part], ranks[b][part + 1]), write.sources[b]));
    }
    write.parts.push_back(std::make_shared<MergedQueryable>(std::move(of_part)));
  }
  PROM_ASSIGN(result.block, WriteBlock(io, data_dir, MergedQueryable(std::move(sources)), kMinTimeMs, kMaxTimeMs, write));
  if (!result.block.warnings.empty()) {
    (void)RemoveTree(io, BlockDir(data_dir, write.ulid));
    return Error{Errc::kCorrupt, "not compacted, as samples would be lost: " + result.block.warnings[0]};
  }

  bool replaced = false;
  std::string dropped_tombstones;
  auto published = edit([&](Manifest* next) {
    for (const std::string& ulid : write.sources) {
      if (Find(*next, ulid) == nullptr) return false;  // retention was faster
    }
    // Deleted meanwhile: the new block would show the samples again.
    if (next->tombstones != m.tombstones) return false;
    std::erase_if(next->blocks, [&](const ManifestBlock& b) { return std::find(write.sources.begin(), write.sources.end(), b.ulid) != write.sources.end(); });
    if (result.block.samples > 0) next->blocks.push_back(result.block.ForManifest());
    next->Sort();
    dropped_tombstones = next->tombstones;
    const auto pruned = PruneTombstones(io, data_dir, next);
    if (!pruned || !*pruned) dropped_tombstones.clear();
    replaced = true;
    return true;
  });
  if (!published || !replaced) {
    (void)RemoveTree(io, BlockDir(data_dir, write.ulid));
    if (!published) return std::move(published.error());
    result.block = {};
    return result;
  }
  result.sources = write.sources;
  for (const std::string& ulid : write.sources) PROM_TRY(RemoveTree(io, BlockDir(data_dir, ulid)));
  if (!dropped_tombstones.empty()) (void)io.Remove(JoinPath(data_dir, dropped_tombstones));
  return result;
}

Result<CompactionResult> Compactor::Step(Io& io, Clock& clock, const std::string& data_dir, const Manifest& m, const CompactOptions& options,
                                         const ManifestEditor& edit) {
  Manifest sound = m;
  std::erase_if(sound.blocks, [&](const ManifestBlock& b) { return std::find(failed_.begin(), failed_.end(), b.ulid) != failed_.end(); });
  const auto plan = PlanCompaction(sound, options);
  if (plan.empty()) return CompactionResult{};
  std::uint64_t bytes = 0;
  for (const std::string& ulid : plan) bytes += Find(m, ulid)->bytes;
  if (bytes > options.max_source_bytes) return CompactionResult{};
  auto result = CompactBlocks(io, clock, data_dir, m, plan, options, edit);
  const bool failed = result ? !result->unreadable.empty() : result.error().code == Errc::kCorrupt;
  // Left alone until the next start; the blocks around them still merge.
  if (failed) {
    for (const auto& ulid : plan) {
      if (!result || std::find(result->sources.begin(), result->sources.end(), ulid) == result->sources.end()) failed_.push_back(ulid);
    }
  }
  return result;
}

}  // namespace prom::store
