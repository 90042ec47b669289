// HeadBatch: what an appender has gathered between two commits, in terms of one
// epoch's series and layouts. Internal to lib/store.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "model/sample.h"
#include "store/head_format.h"

namespace prom::store {

struct HeadBatch {
  std::string rows;  // kRow records one after another; links, sequence and checksum still to come
  std::vector<LooseSample> loose;
  std::vector<std::pair<std::uint32_t, Exemplar>> exemplars;  // series
  std::vector<std::pair<std::string, Metadata>> metadata;
  std::uint64_t samples = 0;  // as given

  bool empty() const { return rows.empty() && loose.empty() && exemplars.empty() && metadata.empty(); }
  void Clear() {
    rows.clear();
    loose.clear();
    exemplars.clear();
    metadata.clear();
    samples = 0;
  }
};

// Counted since the writer was opened; samples unless named otherwise.
struct HeadCounters {
  std::uint64_t appended = 0, appended_histograms = 0;
  std::uint64_t out_of_order = 0;  // older than the series' newest, outside the window
  std::uint64_t duplicates = 0;    // the series' newest time again with another value
  std::uint64_t repeated = 0;      // the same with the same bits: accepted, nothing stored
  std::uint64_t too_old = 0;       // before data that has been compacted
  std::uint64_t out_of_order_accepted = 0;
  std::uint64_t exemplars = 0, exemplars_out_of_order = 0;
  std::uint64_t commits = 0, failed_commits = 0;
  std::uint64_t sealed_groups = 0, seal_failures = 0;
  std::uint64_t log_bytes = 0, chunk_bytes = 0;
  std::uint64_t damaged = 0;       // records found damaged when opening
};

}  // namespace prom::store
