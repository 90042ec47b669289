// Repair: a data directory without its damage. Blocks that are damaged are written
// anew from all that is sound in them, an epoch of the head that is becomes a block, a file
// of deletions that is is taken out of force: deleted samples that are still there show again.
// What was there before stays in DATA/damaged/, so that nothing gets worse; what is lost
// is what Verify has said. Works through the running writer, or is the writer meanwhile.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/io.h"
#include "base/result.h"
#include "base/time.h"
#include "store/verify.h"

namespace prom::store {

struct RepairSummary {
  VerifyResult before;
  VerifyResult after;  // of a directory that had no damage: the same
  std::vector<std::string> done;  // a line each: what was repaired, what was lost, where the original is
};

// Twice is as good as once. An error leaves the directory readable as it was, or with
// some of its blocks repaired.
Result<RepairSummary> RepairDataDir(Io& io, Clock& clock, const std::string& data_dir);

}  // namespace prom::store
