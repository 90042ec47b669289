// Deletion: what a delete would take, and which ones can still be taken back. The
// deleting itself is the writer's (requests.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/io.h"
#include "base/result.h"
#include "model/matcher.h"
#include "store/data_dir.h"

namespace prom::store {

struct DeletionSize {
  std::uint64_t series = 0, samples = 0;
  std::uint64_t bytes = 0;  // about: the samples' share of their blocks
};
// Of the samples of series that match any of the lists, in the closed range. Reads them.
Result<DeletionSize> MeasureDeletion(Io& io, const std::string& data_dir, const DataDir::Parts& parts, const std::vector<Matchers>& any_of, std::int64_t min_ms, std::int64_t max_ms);

struct PendingDeletion {
  std::uint64_t id = 0;
  std::int64_t min_ms = 0, max_ms = 0;
  std::vector<Matchers> any_of;
  std::uint64_t parts = 0;          // blocks and epochs it hides samples of
  std::uint64_t compacted = 0;      // those that are gone: their samples do not come back
};
std::vector<PendingDeletion> PendingDeletions(const DataDir::Parts& parts);

}  // namespace prom::store
