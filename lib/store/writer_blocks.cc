// The part of Writer that looks after finished blocks: merging, retention, deletes.
#include "base/log.h"
#include "store/compact.h"
#include "store/retention.h"
#include "store/tombstones.h"
#include "store/writer.h"

namespace prom::store {

Result<void> Writer::Delete(const std::vector<Matchers>& any_of, std::int64_t min_ms, std::int64_t max_ms) {
  return DeleteSamples(io_, dir_, any_of, min_ms, max_ms, [this](const std::function<bool(Manifest*)>& f) { return EditManifest(f); });
}

Result<void> Writer::MergeBlocks() {
  CompactOptions options;
  options.block_ms = options_.block_ms;
  options.retention_ms = options_.retention_ms;
  options.canceled = [](void* self) { return static_cast<const Writer*>(self)->stopping_.load(); };
  options.canceled_argument = this;
  while (true) {
    auto done = compactor_.Step(io_, clock_, dir_, manifest(), options, [this](const std::function<bool(Manifest*)>& f) { return EditManifest(f); });
    if (!done && done.error().code == Errc::kCanceled) return {};
    if (done && done->sources.empty()) return {};
    MutexLock lock(mutex_);
    ++(done ? other_.compactions : other_.failed_compactions);
    if (!done) return std::move(done.error());
  }
}

Result<void> Writer::DropOldBlocks() {
  RetentionOptions options;
  options.retention_ms = options_.retention_ms;
  options.retention_bytes = options_.retention_bytes;
  PROM_ASSIGN(const auto dropped, ApplyRetention(io_, dir_, manifest(), options, clock_.NowMs(), [this](const std::function<bool(Manifest*)>& f) { return EditManifest(f); }));
  for (const auto& ulid : dropped) LogInfo("store", "block dropped by retention", {{"ulid", ulid}});
  return {};
}

}  // namespace prom::store
