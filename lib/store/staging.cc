#include "store/staging.h"

#include "base/time.h"
#include "base/ulid.h"

namespace prom::store {
namespace {

constexpr const char* kStagingDir = "staging";
// Not locked yet; it has this name for a moment, unless its maker has died in it.
constexpr std::string_view kNew = ".new";
constexpr std::int64_t kNewMs = 60'000;

}  // namespace

Result<void> RemoveDeadStaging(Io& io, const std::string& data_dir) {
  const std::string all = JoinPath(data_dir, kStagingDir);
  const auto entries = io.List(all);
  if (!entries) return {};  // none, or nothing that could be removed
  for (const DirEntry& entry : *entries) {
    const std::string dir = JoinPath(all, entry.name);
    if (entry.is_dir && entry.name.ends_with(kNew) && UlidTimeMs(entry.name.substr(0, entry.name.size() - kNew.size())) + kNewMs < SystemClock().NowMs())
      PROM_TRY(RemoveTree(io, dir));
    if (!entry.is_dir || !IsUlid(entry.name)) continue;
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
  const std::string fresh = self->dir_ + std::string(kNew);
  const auto make = [&]() -> Result<void> {
    PROM_TRY(MakeDirs(io, fresh));
    PROM_ASSIGN(self->lock_, io.Open(JoinPath(fresh, "lock"), Io::Mode::kCreateNew));
    PROM_ASSIGN(const bool locked, self->lock_->TryLock());
    if (!locked) return Error{Errc::kInternal, fresh + ": locked by another process"};
    return io.Rename(fresh, self->dir_);
  };
  if (auto done = make(); !done) {
    (void)RemoveTree(io, fresh);
    return std::move(done.error());
  }
  return self;
}

Staging::~Staging() {
  (void)RemoveTree(io_, dir_);
  (void)io_.RemoveDir(JoinPath(data_dir_, kStagingDir));  // when it is empty
}

}  // namespace prom::store
