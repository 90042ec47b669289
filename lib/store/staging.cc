#include "store/staging.h"

#include "store/ulid.h"

namespace prom::store {
namespace {

constexpr const char* kStagingDir = "staging";

}  // namespace

Result<void> RemoveDeadStaging(Io& io, const std::string& data_dir) {
  const std::string all = JoinPath(data_dir, kStagingDir);
  const auto entries = io.List(all);
  if (!entries) return {};  // none, or nothing that could be removed
  for (const DirEntry& entry : *entries) {
    if (!entry.is_dir || !IsUlid(entry.name)) continue;
    const std::string dir = JoinPath(all, entry.name);
    auto lock = io.Open(JoinPath(dir, "lock"), Io::Mode::kReadWrite);
    if (lock) {
      const auto locked = (*lock)->TryLock();
      if (!locked || !*locked) continue;
    } else if (lock.error().code != Errc::kNotFound) {
      continue;
    }
    PROM_TRY(RemoveTree(io, dir));
  }
  (void)io.RemoveDir(all);  // when it is empty
  return {};
}

Staging::Staging(Io& io, std::string data_dir, std::string name, std::string dir)
    : io_(io), data_dir_(std::move(data_dir)), name_(std::move(name)), dir_(std::move(dir)) {}

Result<std::unique_ptr<Staging>> Staging::Make(Io& io, const std::string& data_dir, std::int64_t now_ms) {
  PROM_TRY(RemoveDeadStaging(io, data_dir));
  const std::string name = JoinPath(kStagingDir, NewUlid(now_ms));
  auto self = std::unique_ptr<Staging>(new Staging(io, data_dir, name, JoinPath(data_dir, name)));
  // Locked before it has its name, or another maker could take it for dead.
  const std::string fresh = self->dir_ + ".new";
  PROM_TRY(MakeDirs(io, fresh));
  auto lock = io.Open(JoinPath(fresh, "lock"), Io::Mode::kCreateNew);
  if (!lock) {
    (void)RemoveTree(io, fresh);
    return std::move(lock.error());
  }
  self->lock_ = std::move(*lock);
  PROM_ASSIGN(const bool locked, self->lock_->TryLock());
  if (!locked) return Error{Errc::kInternal, fresh + ": locked by another process"};
  PROM_TRY(io.Rename(fresh, self->dir_));
  return self;
}

Staging::~Staging() {
  (void)RemoveTree(io_, dir_);
  (void)io_.RemoveDir(JoinPath(data_dir_, kStagingDir));  // when it is empty
}

}  // namespace prom::store
