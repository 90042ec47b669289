#include "store/data_dir.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/time.h"
#include "store/block_writer.h"

namespace prom::store {
namespace {

constexpr int kAttempts = 50;

}  // namespace

Result<std::shared_ptr<DataDir>> DataDir::Open(Io& io, const std::string& dir) {
  auto self = std::shared_ptr<DataDir>(new DataDir(io, dir));
  PROM_ASSIGN(self->control_, ControlPage::OpenRead(io, dir));
  PROM_ASSIGN(const auto parts, self->OpenParts());
  return self;
}

// A slot of the control page that does not hold may be that of the manifest in force.
// Then the newest one that can be read is gone by, as the writer does when it opens.
std::uint64_t DataDir::InForce() const {
  const std::uint64_t generation = control_->generation();
  if (control_->generation_intact()) return generation;
  const auto all = ListManifests(io_, dir_);
  if (!all) return generation;
  for (auto it = all->rbegin(); it != all->rend() && *it > generation; ++it)
    if (ReadManifest(io_, dir_, *it)) return *it;
  return generation;
}

Result<std::shared_ptr<const DataDir::Parts>> DataDir::OpenParts() {
  MutexLock lock(mutex_);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const std::uint64_t generation = InForce();
    auto parts = TryOpenParts(generation);
    if (parts || parts.error().code != Errc::kNotFound) return parts;
    // Something the manifest names is gone: then a newer manifest is in force, or will
    // be in a moment. When none comes, the file has been lost.
    manifest_read_ = false;
    if (InForce() == generation) {
      if (attempt >= 5) return Error{Errc::kCorrupt, parts.error().message + " (named by " + ManifestPath(dir_, generation) + ")"};
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  return Error{Errc::kUnavailable, dir_ + ": changes faster than it can be opened"};
}

// kNotFound: something went away meanwhile.
Result<std::shared_ptr<const DataDir::Parts>> DataDir::TryOpenParts(std::uint64_t generation) {
  if (!manifest_read_ || manifest_.generation != generation) {
    Manifest m;
    if (generation != 0) {
      PROM_ASSIGN(m, ReadManifest(io_, dir_, generation));
    }
    tombstones_.clear();
    tombstones_warning_.clear();
    auto tombstones = ReadTombstones(io_, dir_, m);
    if (tombstones) {
      tombstones_ = std::move(*tombstones);
    } else if (tombstones.error().code == Errc::kNotFound) {
      return std::move(tombstones.error());
    } else {
      tombstones_warning_ = tombstones.error().message + "; deleted samples may show";
    }
    manifest_ = std::move(m);
    manifest_read_ = true;
    const Manifest now = manifest_;  // a copy: the closures below know nothing of the lock
    std::erase_if(blocks_, [&](const auto& b) {
      return std::none_of(now.blocks.begin(), now.blocks.end(), [&](const auto& m2) { return m2.ulid == b.first; });
    });
    std::erase_if(epochs_, [&](const auto& e) {
      return std::none_of(now.epochs.begin(), now.epochs.end(), [&](const auto& m2) { return m2.number == e.first; });
    });
  }
  auto parts = std::make_shared<Parts>();
  parts->manifest = manifest_;
  parts->tombstones = tombstones_;
  if (!tombstones_warning_.empty()) parts->warnings.push_back(tombstones_warning_);
  if (!control_->intact()) parts->warnings.push_back(JoinPath(dir_, "CURRENT") + ": a slot is damaged; the newest batch may be missing");

  for (const auto& entry : manifest_.blocks) {
    Parts::Block block{entry, nullptr, {}};
    if (const auto it = blocks_.find(entry.ulid); it != blocks_.end()) {
      block.reader = it->second;
    } else if (auto reader = BlockReader::Open(io_, BlockDir(dir_, entry.ulid)); reader) {
      block.reader = blocks_[entry.ulid] = *reader;
    } else if (reader.error().code == Errc::kCorrupt) {
      block.error = reader.error().message;
    } else {
      return std::move(reader.error());
    }
    parts->blocks.push_back(std::move(block));
  }
  for (const auto& entry : manifest_.epochs) {
    Parts::Epoch epoch{entry, nullptr, nullptr, {}};
    std::shared_ptr<HeadReader>& reader = epochs_[entry.number];
    Result<std::shared_ptr<const HeadSnapshot>> snapshot = Error{Errc::kInternal, {}};
    if (reader == nullptr) {
      auto opened = HeadReader::Open(io_, dir_, entry.number, control_);
      if (opened) {
        reader = *opened;
        snapshot = reader->Snapshot();
      } else {
        snapshot = opened.error();
      }
    } else {
      snapshot = reader->Snapshot();
    }
    if (snapshot) {
      epoch.reader = reader;
      epoch.snapshot = *snapshot;
    } else {
      reader = nullptr;
      if (snapshot.error().code != Errc::kCorrupt) return std::move(snapshot.error());
      epoch.error = snapshot.error().message;
    }
    parts->epochs.push_back(std::move(epoch));
  }
  // A rollover or compaction between reading the manifest and the head would show as
  // samples twice or not at all: what was opened must be what is in force.
  if (InForce() != generation) return Error{Errc::kNotFound, ManifestPath(dir_, generation) + ": replaced"};
  return std::shared_ptr<const Parts>(std::move(parts));
}

std::shared_ptr<const Queryable> DataDir::Merge(const Parts& parts) {
  std::vector<std::shared_ptr<const Queryable>> sources;
  std::vector<MissingPart> missing;
  // Blocks by the time they were made, then the head: later ones win.
  std::vector<const Parts::Block*> blocks;
  for (const auto& block : parts.blocks) blocks.push_back(&block);
  std::sort(blocks.begin(), blocks.end(), [](const auto* a, const auto* b) { return a->entry.ulid < b->entry.ulid; });
  for (const auto* block : blocks) {
    if (block->reader == nullptr) {
      missing.push_back({block->error, block->entry.min_ms, block->entry.max_ms});
    } else {
      sources.push_back(HideDeleted(block->reader, OfBlock(parts.tombstones, block->entry.ulid)));
    }
  }
  for (std::size_t i = 0; i < parts.epochs.size(); ++i) {
    const auto& epoch = parts.epochs[i];
    if (epoch.snapshot == nullptr) {
      missing.push_back({epoch.error, epoch.entry.start_ms, kMaxTimeMs});
    } else {
      const auto [min_ms, max_ms] = epoch.snapshot->TimeRange();
      const std::int64_t end = i + 1 < parts.epochs.size() ? std::max(max_ms, parts.epochs[i + 1].entry.start_ms) : kMaxTimeMs;
      for (auto& what : epoch.snapshot->losses()) missing.push_back({std::move(what), std::min(min_ms, epoch.entry.start_ms), end});
      sources.push_back(HideDeleted(epoch.snapshot, OfEpoch(parts.tombstones, epoch.entry.number)));
    }
  }
  return std::make_shared<MergedQueryable>(std::move(sources), std::move(missing));
}

Result<std::shared_ptr<const Queryable>> DataDir::Snapshot() {
  PROM_ASSIGN(const auto parts, OpenParts());
  return Merge(*parts);
}

}  // namespace prom::store
