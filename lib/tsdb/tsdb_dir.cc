#include "tsdb/tsdb_dir.h"

#include <algorithm>
#include <set>

#include "base/time.h"
#include "base/ulid.h"
#include "tsdb/block.h"
#include "tsdb/block_meta.h"
#include "tsdb/head.h"

namespace prom::tsdb {
namespace {

constexpr int kAttempts = 10;

// Names of the entries of a directory, and the sizes of the files; empty when it is not there.
Result<std::string> Signature(Io& io, const std::string& dir, std::uint64_t* bytes) {
  std::string out = dir + "\n";
  auto list = io.List(dir);
  if (!list) {
    if (list.error().code == Errc::kNotFound) return out;
    return std::move(list.error());
  }
  for (const DirEntry& e : *list) {
    out += e.name;
    if (!e.is_dir) {
      auto file = io.Open(JoinPath(dir, e.name), Io::Mode::kRead);
      if (!file) return std::move(file.error());
      PROM_ASSIGN(const std::uint64_t size, (*file)->Size());
      *bytes += size;
      out += " " + std::to_string(size);
    }
    out += "\n";
  }
  return out;
}

bool HasFile(Io& io, const std::string& dir, const char* name) {
  auto there = io.Exists(JoinPath(dir, name));
  return there && *there;
}

}  // namespace

DirKind DetectDir(Io& io, const std::string& dir) {
  auto list = io.List(dir);
  if (!list) return DirKind::kNone;
  bool wal = false, chunks_head = false, block = false, chunks = false, index = false, meta = false;
  for (const DirEntry& e : *list) {
    wal = wal || (e.is_dir && e.name == "wal");
    chunks_head = chunks_head || (e.is_dir && e.name == "chunks_head");
    block = block || (e.is_dir && IsUlid(e.name) && HasFile(io, JoinPath(dir, e.name), "index"));
    chunks = chunks || (e.is_dir && e.name == "chunks");
    index = index || (!e.is_dir && e.name == "index");
    meta = meta || (!e.is_dir && e.name == "meta.json");
  }
  if (chunks && index && meta) return DirKind::kTsdbBlock;
  return (wal && chunks_head) || block || wal ? DirKind::kTsdb : DirKind::kNone;
}

TsdbDir::TsdbDir(Io& io, std::string dir, DirKind kind) : io_(io), dir_(std::move(dir)), kind_(kind) {}
TsdbDir::~TsdbDir() = default;

Result<std::shared_ptr<TsdbDir>> TsdbDir::Open(Io& io, const std::string& dir) {
  const DirKind kind = DetectDir(io, dir);
  if (kind == DirKind::kNone) return Error{Errc::kNotFound, dir + ": no data directory of Prometheus, nor a block of one"};
  return std::shared_ptr<TsdbDir>(new TsdbDir(io, dir, kind));
}

Result<std::shared_ptr<const Queryable>> TsdbDir::Snapshot() {
  PROM_ASSIGN(auto parts, OpenParts());
  return std::shared_ptr<const Queryable>(parts->all);
}

Result<std::shared_ptr<const TsdbDir::Parts>> TsdbDir::OpenParts() {
  MutexLock lock(mutex_);
  Error last{Errc::kUnavailable, dir_ + ": changes too fast to be opened"};
  for (int n = 0; n < kAttempts; ++n) {
    bool changed = false;
    auto parts = TryOpen(&changed);
    if (parts && !changed) return parts;
    if (!parts) {
      // What was listed and then not there has been deleted meanwhile.
      if (parts.error().code != Errc::kNotFound) return std::move(parts.error());
      last = {Errc::kUnavailable, dir_ + ": changes too fast to be opened: " + parts.error().message};
    }
  }
  return last;
}

Result<std::shared_ptr<const TsdbDir::Parts>> TsdbDir::TryOpen(bool* changed) {
  std::vector<std::string> ulids;
  if (kind_ == DirKind::kTsdbBlock) {
    ulids.push_back("");
  } else {
    PROM_ASSIGN(const auto list, io_.List(dir_));
    for (const DirEntry& e : list)
      if (e.is_dir && IsUlid(e.name)) ulids.push_back(e.name);
  }
  std::string signature;
  for (const auto& u : ulids) signature += u + "\n";
  std::uint64_t head_bytes = 0;
  if (kind_ == DirKind::kTsdb) {
    for (const char* name : {"chunks_head", "wal", "wbl"}) {
      PROM_ASSIGN(const std::string part, Signature(io_, JoinPath(dir_, name), &head_bytes));
      signature += part;
    }
  }
  if (parts_ != nullptr && signature == signature_) return parts_;

  std::map<std::string, BlockPart> blocks;
  for (const auto& ulid : ulids) {
    if (const auto it = blocks_.find(ulid); it != blocks_.end() && it->second.reader != nullptr) {
      blocks.emplace(ulid, it->second);
      continue;
    }
    BlockPart part;
    part.ulid = ulid;
    auto block = Block::Open(io_, ulid.empty() ? dir_ : JoinPath(dir_, ulid));
    if (block) {
      part.reader = *block;
      part.bytes = (*block)->bytes();
      part.ulid = (*block)->meta().ulid;
    } else {
      // Deleted between the listing and now, or damaged?
      if (block.error().code == Errc::kNotFound && !ulid.empty()) {
        auto there = io_.Exists(JoinPath(dir_, ulid));
        if (there && !*there) return std::move(block.error());
      }
      part.error = block.error().message;
    }
    blocks.emplace(ulid, std::move(part));
  }

  auto parts = std::make_shared<Parts>();
  std::set<std::string> replaced;
  for (const auto& [ulid, b] : blocks)
    if (b.reader != nullptr) replaced.insert(b.reader->meta().parents.begin(), b.reader->meta().parents.end());
  std::int64_t min_valid = kMinTimeMs;
  for (const auto& [ulid, b] : blocks) {
    // Blocks that were merged into another and are about to be deleted.
    if (replaced.contains(b.ulid) || replaced.contains(ulid)) continue;
    parts->blocks.push_back(b);
    if (b.reader == nullptr) continue;
    for (const auto& w : b.reader->warnings()) parts->warnings.push_back(w);
    const auto& hints = b.reader->meta().hints;
    const bool in_order = std::none_of(hints.begin(), hints.end(), [](const std::string& h) { return h.starts_with("from-"); });
    if (in_order) min_valid = std::max(min_valid, b.reader->meta().max_ms);
  }
  std::stable_sort(parts->blocks.begin(), parts->blocks.end(), [](const BlockPart& a, const BlockPart& b) {
    const std::int64_t x = a.reader != nullptr ? a.reader->meta().min_ms : kMinTimeMs, y = b.reader != nullptr ? b.reader->meta().min_ms : kMinTimeMs;
    return x < y;
  });

  std::vector<std::shared_ptr<const Part>> readers;
  std::vector<MissingPart> missing;
  for (const BlockPart& b : parts->blocks) {
    if (b.reader != nullptr) {
      readers.push_back(b.reader);
    } else {
      // meta.json may still tell its times.
      MissingPart m{b.error, kMinTimeMs, kMaxTimeMs};
      const std::string path = JoinPath(b.ulid.empty() ? dir_ : JoinPath(dir_, b.ulid), "meta.json");
      if (auto json = ReadFile(io_, path)) {
        if (auto meta = ParseBlockMeta(*json, path); meta && meta->min_ms < meta->max_ms) {
          m.min_ms = meta->min_ms;
          m.max_ms = meta->max_ms - 1;
        }
      }
      missing.push_back(std::move(m));
    }
  }
  if (kind_ == DirKind::kTsdb) {
    if (head_ == nullptr) head_ = std::make_unique<Head>(io_, dir_);
    PROM_ASSIGN(const auto head, head_->Refresh(min_valid));
    parts->head_series = head->series();
    parts->head_samples = head->samples();
    parts->head_chunks = head->chunks();
    parts->head = head;
    parts->replayed = head_->replayed();
    parts->head_bytes = head_bytes;
    for (const auto& w : head_->warnings()) parts->warnings.push_back(w);
    readers.push_back(head);
  }
  parts->all = std::make_shared<const PartsQueryable>(std::move(readers), std::move(missing));

  // What moved from the head to a block meanwhile may be in neither of what was read.
  if (kind_ == DirKind::kTsdb) {
    std::vector<std::string> now;
    PROM_ASSIGN(const auto list, io_.List(dir_));
    for (const DirEntry& e : list)
      if (e.is_dir && IsUlid(e.name)) now.push_back(e.name);
    *changed = now != ulids;
  }
  blocks_ = std::move(blocks);
  if (!*changed) {
    signature_ = std::move(signature);
    parts_ = parts;
  }
  return std::shared_ptr<const Parts>(std::move(parts));
}

}  // namespace prom::tsdb
