// TsdbDir: Prometheus's own data directory, read in place: its blocks and its head
// (chunks_head/, wal/ with checkpoints, wbl/). Nothing is ever written there, no lock
// is taken; Prometheus may be running on it and compacting meanwhile.
//
// Snapshots are consistent and stay valid when Prometheus deletes what they are made
// of. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/io.h"
#include "base/mutex.h"
#include "model/queryable.h"

namespace prom::tsdb {

class Block;
class Head;
class Part;
class PartsQueryable;

// What a directory is, by its contents.
enum class DirKind { kNone, kTsdb, kTsdbBlock };
// kTsdb: a data directory of Prometheus (blocks, wal/ or chunks_head/); kTsdbBlock: one
// block of such a directory; kNone: neither, or not there.
DirKind DetectDir(Io& io, const std::string& dir);

class TsdbDir : public QueryableSource {
 public:
  // A data directory, or a single block. kNotFound: neither.
  static Result<std::shared_ptr<TsdbDir>> Open(Io& io, const std::string& dir);
  ~TsdbDir() override;

  // Replays what came to the write-ahead log since the snapshot before; costs some
  // microseconds when nothing did. Blocks damaged beyond opening are missing parts:
  // their series carry a warning, and questions without a place for one fail.
  // kUnavailable: the directory changed faster than it could be opened.
  Result<std::shared_ptr<const Queryable>> Snapshot() override;

  // What Snapshot opens, for tools. An error instead of a reader: damaged beyond opening.
  struct BlockPart {
    std::string ulid;
    std::shared_ptr<const Block> reader;  // or null, and
    std::string error;
    std::uint64_t bytes = 0;  // of its files
  };
  struct Parts {
    std::vector<BlockPart> blocks;  // by time
    std::shared_ptr<const Part> head;            // null: `dir` is a block
    std::shared_ptr<const PartsQueryable> all;   // all of it
    std::uint64_t head_series = 0, head_samples = 0, head_chunks = 0;  // samples: those read from the log
    std::uint64_t replayed = 0;    // samples of the log read to get here, kept or not
    std::uint64_t head_bytes = 0;  // of chunks_head/, wal/ and wbl/
    std::vector<std::string> warnings;  // damage that costs samples without naming a series
  };
  Result<std::shared_ptr<const Parts>> OpenParts();

  const std::string& dir() const { return dir_; }

 private:
  TsdbDir(Io& io, std::string dir, DirKind kind);
  Result<std::shared_ptr<const Parts>> TryOpen(bool* changed) REQUIRES(mutex_);

  Io& io_;
  const std::string dir_;
  const DirKind kind_;

  Mutex mutex_;  // held over opening and replay, not over the reading of samples
  std::map<std::string, BlockPart> blocks_ GUARDED_BY(mutex_);
  std::unique_ptr<Head> head_ GUARDED_BY(mutex_);
  std::string signature_ GUARDED_BY(mutex_);  // names and sizes of everything, when parts_ was made
  std::shared_ptr<const Parts> parts_ GUARDED_BY(mutex_);
};

}  // namespace prom::tsdb
