// DataDir: a data directory opened read-only, by any process, whether its writer is
// alive or not: control page -> manifest -> blocks and epochs of the head.
//
// Snapshots are consistent (whole batches up to the committed sequence) and stay
// valid when the writer compacts or drops what they are made of. It never locks,
// waits for or writes anything. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/io.h"
#include "base/mutex.h"
#include "model/queryable.h"
#include "store/block_reader.h"
#include "store/control_page.h"
#include "store/head_reader.h"
#include "store/manifest.h"
#include "store/merged.h"
#include "store/tombstones.h"

namespace prom::store {

class DataDir : public QueryableSource {
 public:
  // kNotFound: no data directory there. kUnsupported: a newer format.
  static Result<std::shared_ptr<DataDir>> Open(Io& io, const std::string& dir);

  // Costs some microseconds when nothing but the head has changed. Blocks and epochs
  // that are damaged beyond opening are missing parts of the result (merged.h).
  // kUnavailable: the directory changed faster than it could be opened.
  Result<std::shared_ptr<const Queryable>> Snapshot() override;

  // What Snapshot opens, for tools. An error instead of a reader: damaged beyond opening.
  struct Parts {
    Manifest manifest;
    Tombstones tombstones;
    struct Block {
      ManifestBlock entry;
      std::shared_ptr<const BlockReader> reader;  // or null, and
      std::string error;
    };
    struct Epoch {
      ManifestEpoch entry;
      std::shared_ptr<HeadReader> reader;
      std::shared_ptr<const HeadSnapshot> snapshot;  // or null, and
      std::string error;
    };
    std::vector<Block> blocks;
    std::vector<Epoch> epochs;
    std::vector<std::string> warnings;  // damaged tombstones or control page
  };
  Result<std::shared_ptr<const Parts>> OpenParts();
  // The Queryable over them.
  static std::shared_ptr<const Queryable> Merge(const Parts& parts);

  const std::string& dir() const { return dir_; }
  const std::shared_ptr<ControlPage>& control() const { return control_; }

 private:
  DataDir(Io& io, std::string dir) : io_(io), dir_(std::move(dir)) {}
  std::uint64_t InForce() const;
  Result<std::shared_ptr<const Parts>> TryOpenParts(std::uint64_t generation) REQUIRES(mutex_);

  Io& io_;
  const std::string dir_;
  std::shared_ptr<ControlPage> control_;

  Mutex mutex_;  // held over the opening of files, not over the reading of samples
  Manifest manifest_ GUARDED_BY(mutex_);
  bool manifest_read_ GUARDED_BY(mutex_) = false;
  Tombstones tombstones_ GUARDED_BY(mutex_);
  std::string tombstones_warning_ GUARDED_BY(mutex_);
  std::map<std::string, std::shared_ptr<const BlockReader>> blocks_ GUARDED_BY(mutex_);
  std::map<std::uint64_t, std::shared_ptr<HeadReader>> epochs_ GUARDED_BY(mutex_);
};

}  // namespace prom::store
