// Recovery: what can be read from log and chunk files front to back, by checksums
// alone. Used when the tile table cannot be trusted (power loss, damage), by
// readers that meet a broken chain, and by verify. Internal to lib/store.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "store/head_format.h"
#include "store/head_group.h"
#include "store/mapped_file.h"

namespace prom::store {

struct ScannedRecord {
  Position at;
  std::uint64_t seq = 0;
  std::uint32_t layout = 0;   // rows
  std::int64_t t = 0;         // rows
  std::uint32_t columns = 0;  // rows
  std::uint32_t samples = 0;
};
struct ScanDamage {
  std::uint32_t file = 0;
  std::uint64_t offset = 0, size = 0;
  bool at_end = false;  // nothing holds behind it: also what a killed writer leaves
  std::int64_t min_t = 1, max_t = 0;  // groups whose header holds
};

struct LogScan {
  std::vector<ScannedRecord> rows;   // of batches that count, in the order they were written
  std::vector<ScannedRecord> loose;  // kLoose and kHistogram
  std::uint64_t last_seq = 0;        // of the newest batch that counts
  std::vector<std::uint64_t> commits;  // sequences of the batches that count, ascending
  std::uint64_t durable = 0;         // all up to here had reached the disk
  std::vector<ScanDamage> damage;
};
using NumberedFiles = std::map<std::uint32_t, std::shared_ptr<MappedFile>>;

// Of batches that are known to have reached the disk (up to `durable`, or to what a
// commit record says) every record that holds counts: damage costs what it hit. Behind
// them counts an unbroken row of whole batches, since pages reach the disk in any
// order. Batches above `max_seq` are left out. A record that `known` denies (it names
// a series or layout whose definition was lost) counts as damaged.
using KnownRecord = std::function<bool(const RecordView&)>;
LogScan ScanLogs(const NumberedFiles& logs, std::uint64_t max_seq, std::uint64_t durable, const KnownRecord& known = {});

struct ScannedGroup {
  Position at;
  GroupHeader header;
  bool intact = true;  // payload too
};
struct ChunkScan {
  std::vector<ScannedGroup> groups;  // in the order they were written
  std::vector<ScanDamage> damage;
};
ChunkScan ScanChunks(const NumberedFiles& chunks);

// "log-7" -> 7 for stem "log-"; 0: not such a name.
std::uint32_t NumberOf(std::string_view name, std::string_view stem);

}  // namespace prom::store
