#include "base/fault_io.h"

#include <cerrno>

#include <algorithm>
#include <random>

namespace prom {

class FaultFile : public File {
 public:
  FaultFile(FaultIo& io, std::unique_ptr<File> inner, std::shared_ptr<FaultIo::Tracked> tracked)
      : File(inner->path()), io_(io), inner_(std::move(inner)), tracked_(std::move(tracked)) {}

  Result<void> WriteAt(std::uint64_t offset, std::string_view bytes) override {
    Error error;
    bool half = false;
    if (!io_.Failing("write", path_, &error, &half)) return Write(offset, bytes);
    if (half) PROM_TRY(Write(offset, bytes.substr(0, bytes.size() / 2)));
    return error;
  }
  Result<std::size_t> ReadAt(std::uint64_t offset, char* out, std::size_t size) const override { return inner_->ReadAt(offset, out, size); }
  Result<std::uint64_t> Size() const override { return inner_->Size(); }
  Result<void> Truncate(std::uint64_t size) override {
    Error error;
    bool half = false;
    if (io_.Failing("truncate", path_, &error, &half)) return error;
    return inner_->Truncate(size);
  }
  Result<void> Allocate(std::uint64_t offset, std::uint64_t size) override {
    Error error;
    bool half = false;
    if (io_.Failing("allocate", path_, &error, &half)) return error;
    return inner_->Allocate(offset, size);
  }
  Result<void> Sync() override {
    Error error;
    bool half = false;
    if (io_.Failing("sync", path_, &error, &half)) return error;
    if (tracked_ != nullptr) {
      MutexLock lock(io_.mutex_);
      for (const auto& w : tracked_->writes) {
        tracked_->synced.resize(std::max<std::size_t>(tracked_->synced.size(), w.offset + w.bytes.size()), '\0');
        tracked_->synced.replace(w.offset, w.bytes.size(), w.bytes);
      }
      tracked_->writes.clear();
    }
    return {};
  }
  Result<Mapping> Map(std::uint64_t size) const override { return inner_->Map(size); }
  Result<void*> MapShared(std::uint64_t size) override { return inner_->MapShared(size); }
  Result<bool> TryLock() override { return inner_->TryLock(); }

 private:
  Result<void> Write(std::uint64_t offset, std::string_view bytes) {
    if (tracked_ != nullptr) {
      MutexLock lock(io_.mutex_);
      tracked_->writes.push_back({offset, std::string(bytes)});
    }
    return inner_->WriteAt(offset, bytes);
  }

  FaultIo& io_;
  std::unique_ptr<File> inner_;
  std::shared_ptr<FaultIo::Tracked> tracked_;
};

void FaultIo::FailCall(std::uint64_t n, Fault fault, bool stay) {
  MutexLock lock(mutex_);
  calls_ = 0;
  fail_at_ = n;
  fault_ = fault;
  stay_ = stay;
}

void FaultIo::Heal() {
  MutexLock lock(mutex_);
  fail_at_ = 0;
}

std::uint64_t FaultIo::calls() const {
  MutexLock lock(mutex_);
  return calls_;
}
std::uint64_t FaultIo::failed() const {
  MutexLock lock(mutex_);
  return failed_;
}

bool FaultIo::Failing(std::string_view call, const std::string& path, Error* error, bool* half) {
  MutexLock lock(mutex_);
  ++calls_;
  if (fail_at_ == 0 || calls_ < fail_at_ || (calls_ > fail_at_ && !stay_)) return false;
  ++failed_;
  *half = fault_ == Fault::kShortWrite && calls_ == fail_at_;
  *error = ErrnoError(call, path, fault_ == Fault::kIo ? EIO : ENOSPC);
  return true;
}

void FaultIo::TrackUnsynced() {
  MutexLock lock(mutex_);
  tracking_ = true;
}

std::shared_ptr<FaultIo::Tracked> FaultIo::Track(const std::string& path, bool created) {
  auto& entry = files_[path];
  if (entry == nullptr || created) {
    entry = std::make_shared<Tracked>();
    entry->path = path;
    if (!created) {
      auto bytes = ReadFile(inner_, path, 1u << 30);
      if (bytes) entry->synced = std::move(*bytes);
    }
  }
  return entry;
}

Result<std::unique_ptr<File>> FaultIo::Open(const std::string& path, Mode mode) {
  if (mode == Mode::kRead) return inner_.Open(path, mode);
  PROM_ASSIGN(const bool exists, inner_.Exists(path));
  const bool creates = mode == Mode::kTruncate || (!exists && mode != Mode::kReadWrite);
  if (creates) {
    Error error;
    bool half = false;
    if (Failing("open", path, &error, &half)) return error;
  }
  PROM_ASSIGN(auto file, inner_.Open(path, mode));
  std::shared_ptr<Tracked> tracked;
  {
    MutexLock lock(mutex_);
    if (tracking_) {
      tracked = Track(path, creates);
      if (creates && !exists) changes_.push_back({DirChange::Kind::kCreate, path, "", "", false});
    }
  }
  return std::unique_ptr<File>(std::make_unique<FaultFile>(*this, std::move(file), std::move(tracked)));
}

Result<void> FaultIo::Rename(const std::string& from, const std::string& to) {
  Error error;
  bool half = false;
  if (Failing("rename", from, &error, &half)) return error;
  MutexLock lock(mutex_);
  if (tracking_) {
    DirChange change{DirChange::Kind::kRename, to, from, "", false};
    auto old = ReadFile(inner_, to, 1u << 30);
    change.had_old = old.has_value();
    if (old) change.old_bytes = std::move(*old);
    changes_.push_back(std::move(change));
    // Directories take what is in them along.
    std::map<std::string, std::shared_ptr<Tracked>> moved;
    for (auto it = files_.begin(); it != files_.end();) {
      if (it->first == from || it->first.starts_with(from + "/")) {
        it->second->path = to + it->first.substr(from.size());
        moved[it->second->path] = it->second;
        it = files_.erase(it);
      } else {
        ++it;
      }
    }
    for (auto& [path, file] : moved) files_[path] = std::move(file);
  }
  return inner_.Rename(from, to);
}

Result<void> FaultIo::Link(const std::string& from, const std::string& to) {
  Error error;
  bool half = false;
  if (Failing("link", from, &error, &half)) return error;
  return inner_.Link(from, to);
}

Result<void> FaultIo::Remove(const std::string& path) {
  Error error;
  bool half = false;
  if (Failing("remove", path, &error, &half)) return error;
  MutexLock lock(mutex_);
  if (tracking_) {
    DirChange change{DirChange::Kind::kRemove, path, "", "", false};
    auto old = ReadFile(inner_, path, 1u << 30);
    change.had_old = old.has_value();
    if (old) change.old_bytes = std::move(*old);
    changes_.push_back(std::move(change));
    files_.erase(path);
  }
  return inner_.Remove(path);
}

Result<void> FaultIo::MakeDir(const std::string& path) {
  Error error;
  bool half = false;
  if (Failing("mkdir", path, &error, &half)) return error;
  PROM_ASSIGN(const bool exists, inner_.Exists(path));
  MutexLock lock(mutex_);
  if (tracking_ && !exists) changes_.push_back({DirChange::Kind::kMakeDir, path, "", "", false});
  return inner_.MakeDir(path);
}

Result<void> FaultIo::RemoveDir(const std::string& path) {
  Error error;
  bool half = false;
  if (Failing("rmdir", path, &error, &half)) return error;
  return inner_.RemoveDir(path);
}

Result<void> FaultIo::SyncDir(const std::string& path) {
  Error error;
  bool half = false;
  if (Failing("sync", path, &error, &half)) return error;
  MutexLock lock(mutex_);
  // Making a directory durable makes those above it durable too, as journals do.
  std::erase_if(changes_, [&](const DirChange& c) { return DirName(c.path) == path || (c.kind == DirChange::Kind::kMakeDir && (path + "/").starts_with(c.path + "/")); });
  return {};
}

Result<void> FaultIo::PowerCut(std::uint64_t seed) {
  MutexLock lock(mutex_);
  std::mt19937_64 random(seed);
  constexpr std::uint64_t kSector = 512;
  for (auto& [path, file] : files_) {
    if (file->writes.empty()) continue;
    std::string bytes = file->synced;
    for (const auto& w : file->writes) {
      if (seed == 0) break;
      for (std::uint64_t at = w.offset; at < w.offset + w.bytes.size();) {
        const std::uint64_t end = std::min<std::uint64_t>((at / kSector + 1) * kSector, w.offset + w.bytes.size());
        if (random() % 2 == 0) {
          bytes.resize(std::max<std::size_t>(bytes.size(), end), '\0');
          bytes.replace(at, end - at, w.bytes, at - w.offset, end - at);
        }
        at = end;
      }
    }
    auto out = inner_.Open(path, Mode::kTruncate);
    if (out) PROM_TRY((*out)->WriteAt(0, bytes));
    file->writes.clear();
    file->synced = std::move(bytes);
  }
  std::size_t keep = seed == 0 ? 0 : random() % (changes_.size() + 1);
  while (changes_.size() > keep) {
    const DirChange c = std::move(changes_.back());
    changes_.pop_back();
    // Removals of directories are not in the list; undoing what came before them undoes them.
    if (c.kind == DirChange::Kind::kRename) (void)MakeDirs(inner_, DirName(c.from));
    if (c.had_old) (void)MakeDirs(inner_, DirName(c.path));
    switch (c.kind) {
      case DirChange::Kind::kCreate: (void)inner_.Remove(c.path); break;
      case DirChange::Kind::kMakeDir: PROM_TRY(RemoveTree(inner_, c.path)); break;
      case DirChange::Kind::kRename: (void)inner_.Rename(c.path, c.from); [[fallthrough]];
      case DirChange::Kind::kRemove:
        if (c.had_old) {
          PROM_ASSIGN(auto out, inner_.Open(c.path, Mode::kTruncate));
          PROM_TRY(out->WriteAt(0, c.old_bytes));
        }
        break;
    }
  }
  changes_.clear();
  files_.clear();
  return {};
}

}  // namespace prom
