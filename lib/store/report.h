// Report: what tools print about a data directory: the list of its parts (`promstore
// ls`) and a summary (`promstore info`).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/io.h"
#include "base/result.h"
#include "store/data_dir.h"

namespace prom::store {

struct PartReport {
  std::string name;  // a block's ULID, or head/<epoch>
  std::uint32_t level = 0;  // of a block; 0: head
  std::int64_t min_ms = 0, max_ms = 0;  // min > max: no samples
  std::uint64_t series = 0, samples = 0, bytes = 0;
  std::string error;  // damaged beyond opening
};

// Blocks by time, then epochs of the head. Counting the samples of the head reads them.
Result<std::vector<PartReport>> ListParts(Io& io, DataDir& dir);

// Damage met so far in what all series of a part share: control page, tombstones,
// exemplars and metadata, the head's list of series and tile table.
std::vector<std::string> SharedWarnings(const DataDir::Parts& parts);

struct DirReport {
  std::vector<PartReport> parts;
  std::uint64_t committed_seq = 0, generation = 0;
  std::int64_t writer_pid = 0;  // 0: nobody writes
  bool clean = false;           // the last writer closed in good order
  std::uint64_t series = 0;     // label sets, over all parts
  std::uint64_t tombstones = 0;
  std::uint64_t free_bytes = 0;
  std::vector<std::string> warnings;
};
Result<DirReport> Inspect(Io& io, DataDir& dir);

// Reads all samples.
Result<std::uint64_t> CountSamples(const Queryable& source);
// 1536 -> "1.5 KiB".
std::string HumanBytes(std::uint64_t n);

enum class ReportForm { kTable, kTsv, kJson };
std::string PrintParts(const std::vector<PartReport>& parts, ReportForm form);
// kTsv: name and value a line.
std::string PrintInfo(const DirReport& report, const std::string& dir, ReportForm form);

}  // namespace prom::store
