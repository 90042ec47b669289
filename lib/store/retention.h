// Retention: what is dropped because it is too old or there is too much of it.
//
// By age and by size whole blocks leave the manifest. Policies give some series an age of
// their own, shorter or longer: a block in which only some series have expired is written
// anew without them.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/io.h"
#include "base/result.h"
#include "base/time.h"
#include "model/matcher.h"
#include "store/compact.h"
#include "store/manifest.h"

namespace prom::store {

// Series that match one of the lists are kept so long. The first policy that fits a series counts.
struct RetentionPolicy {
  std::vector<Matchers> any_of;
  std::int64_t keep_ms = 0;  // above 0
  bool Matches(const Labels& series) const;
};

// What a user may set; 0: no limit.
struct RetentionSettings {
  std::int64_t time_ms = 0;
  std::uint64_t size_bytes = 0;      // blocks and head
  double percentage = 0;             // of the file system, 0 to 100; in place of size_bytes
  std::uint64_t min_free_bytes = 0;  // of the file system: with less, the oldest blocks go
  std::vector<RetentionPolicy> policies;

  // The longest that any series is kept; 0: for ever.
  std::int64_t LongestMs() const;
  // In force on a file system of that size.
  std::uint64_t SizeLimit(std::uint64_t disk_bytes) const;
};

// What there is now.
struct StoreUsage {
  std::int64_t now_ms = 0;
  std::int64_t head_max_ms = kMinTimeMs;  // newest sample of the head
  std::uint64_t head_bytes = 0;
  std::uint64_t disk_bytes = 0;           // size of the file system; 0: not known
  std::uint64_t free_bytes = ~0ull;       // on it
};

enum class DropReason { kTime, kSize, kDiskShort };
std::string_view DropReasonName(DropReason reason);
struct DroppedBlock {
  std::string ulid;
  DropReason reason = DropReason::kTime;
  friend bool operator==(const DroppedBlock&, const DroppedBlock&) = default;
};

// Blocks to drop, oldest first. Age counts back from the newest sample, or from now
// when that is older: neither a clock that jumps
// ahead nor a sample from the future empties the store. A block goes when all of it
// is older than any series is kept; by size, the oldest go until the rest fits, but
// never the newest block.
std::vector<DroppedBlock> PlanRetention(const Manifest& m, const RetentionSettings& settings, const StoreUsage& usage);

// Takes them out of the manifest, then removes them.
Result<std::vector<DroppedBlock>> ApplyRetention(Io& io, const std::string& data_dir, const Manifest& m, const RetentionSettings& settings,
                                                 const StoreUsage& usage, const ManifestEditor& edit);

// Applies policies, a block a Step. It remembers which blocks it has looked through, so
// that the labels of a block are read once for each set of policies that have expired in
// it. Not thread-safe.
class PolicyKeeper {
 public:
  struct Done {
    std::string ulid;          // the block that was written anew or dropped; empty: nothing is left to do
    std::uint64_t series = 0;  // that went
  };
  Result<Done> Step(Io& io, Clock& clock, const std::string& data_dir, const Manifest& m, const RetentionSettings& settings, const StoreUsage& usage,
                    const CompactOptions& options, const ManifestEditor& edit);
  // Other policies are in force: everything is looked at again.
  void Forget() { looked_at_.clear(); }

 private:
  std::set<std::pair<std::string, std::vector<bool>>> looked_at_;  // block; which policies have expired in it, the general age last
};

}  // namespace prom::store
