// Tombstones: deleted samples, prom-data(5) "Tombstones". A tombstone hides the
// samples of matching series in a time range, in the blocks and epochs that were
// there when it was made; what is imported later is not hidden. Compaction leaves
// hidden samples out for good.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/io.h"
#include "base/result.h"
#include "model/matcher.h"
#include "model/queryable.h"
#include "store/manifest.h"

namespace prom {
class JsonWriter;
class JsonValue;
}  // namespace prom

namespace prom::store {

struct Tombstone {
  Matchers matchers;
  std::int64_t min_ms = 0, max_ms = 0;  // closed
  std::vector<std::string> blocks;      // ulids
  std::vector<std::uint64_t> epochs;
  std::uint64_t id = 0;  // of the deletion, which may have made several: the generation of the manifest that brought it

  bool CoversBlock(std::string_view ulid) const;
  bool CoversEpoch(std::uint64_t epoch) const;
};
using Tombstones = std::vector<Tombstone>;

// Text: a title, one JSON object a line, a checksum line.
std::string FormatTombstones(const Tombstones& tombstones);
// kCorrupt with the line; kUnsupported: a newer version.
Result<Tombstones> ParseTombstones(std::string_view text, std::string_view path);
// What can be read of a damaged file, line by line: nothing that could be trusted, something to look at.
Tombstones GuessTombstones(std::string_view text);
// [["job","=","x"],...], as in the file and in requests.
void AppendMatchersJson(JsonWriter* json, const Matchers& matchers);
Result<Matchers> ParseMatchersJson(const JsonValue& list);  // kInvalid: not that, or a bad regex
// Of the file that the manifest names; none when it names none.
Result<Tombstones> ReadTombstones(Io& io, std::string_view data_dir, const Manifest& manifest);

// Adds tombstones to the manifest `m`, which must be the one to be published next:
// writes the file tombstones-<m.generation + 1> and names it in *m. One tombstone a
// list of matchers, over the blocks and epochs that overlap the range. The file
// named before is to be removed after publishing.
Result<void> AddTombstones(Io& io, std::string_view data_dir, const std::vector<Matchers>& any_of, std::int64_t min_ms, std::int64_t max_ms, Manifest* m);
// The whole deletion: AddTombstones, published, and the file before removed. Thread-safe
// beside other edits.
// The deletion's id.
Result<std::uint64_t> DeleteSamples(Io& io, const std::string& data_dir, const std::vector<Matchers>& any_of, std::int64_t min_ms, std::int64_t max_ms,
                           const ManifestEditor& edit);
// Takes a deletion back, as far as blocks and epochs of it are still there. kNotFound: no such deletion
// is in force; what it hid is gone for good.
Result<void> UndeleteSamples(Io& io, const std::string& data_dir, std::uint64_t id, const ManifestEditor& edit);
// Takes the file out of *m when it hides nothing in m's blocks and epochs any more. True: it did.
Result<bool> PruneTombstones(Io& io, std::string_view data_dir, Manifest* m);

// `source` without what the tombstones hide; `source` itself when there are none.
std::shared_ptr<const Queryable> HideDeleted(std::shared_ptr<const Queryable> source, Tombstones tombstones);
// The tombstones of one block or epoch.
Tombstones OfBlock(const Tombstones& all, std::string_view ulid);
Tombstones OfEpoch(const Tombstones& all, std::uint64_t epoch);

}  // namespace prom::store
