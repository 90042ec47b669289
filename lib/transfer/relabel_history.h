// RelabelHistory: what is stored, with other labels. Blocks that a rule changes are
// written anew beside the old ones under DATA/staging/, and all put in force at once:
// whatever happens, the directory has all of the old blocks or all of the new ones. The
// head becomes blocks first. Works beside a running writer, which takes the new blocks,
// or is the writer itself at the beginning and at the end.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/io.h"
#include "base/result.h"
#include "base/time.h"
#include "store/data_dir.h"
#include "transfer/relabel_view.h"

namespace prom::transfer {

struct RelabelOptions {
  std::string data_dir;
  RelabelJob job;
  std::function<bool()> canceled;  // asked now and then; true stops with kCanceled
  // what: "reading" or "writing", samples.
  std::function<void(const char* what, std::uint64_t done, std::uint64_t total)> on_progress;
  // Each series that changes, in the order of its labels, with its samples in the range; to is null: dropped.
  std::function<void(const Labels& from, const Labels* to, std::uint64_t samples)> on_change;
};

struct RelabelSummary {
  // Series that match and have samples in the range.
  std::uint64_t series = 0;
  std::uint64_t changed = 0, changed_samples = 0;  // get other labels
  std::uint64_t dropped = 0, dropped_samples = 0;
  std::uint64_t merged = 0;    // by how many there are fewer because they become one with another
  std::uint64_t overlaps = 0;  // samples of merged series that lose against another at their time
  std::uint64_t blocks = 0;    // written anew or removed
  bool through_writer = false;
};

// What RelabelHistory would do, with the head as it is. Reads the samples of all series
// that match. kCorrupt: damage, which would cost samples.
Result<RelabelSummary> MeasureRelabel(const store::DataDir::Parts& parts, const RelabelOptions& options);
// Nothing has changed after an error, unless the running writer died in the moment it
// took the blocks, which the error says. kUnavailable: another process is the writer and
// takes no requests, or blocks changed faster than they could be written.
Result<RelabelSummary> RelabelHistory(Io& io, Clock& clock, const RelabelOptions& options);

}  // namespace prom::transfer
