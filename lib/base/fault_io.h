// FaultIo: an Io for tests that fails chosen calls and can play a power cut.
//
//   FaultIo io(SystemIo());
//   io.FailCall(17, FaultIo::Fault::kNoSpace);  // the 17th mutating call from now
//   ... io.calls() tells how many there were.
//   io.TrackUnsynced(); ...; io.PowerCut(seed); // what was not synced is undone, or half of it
//
// Mutating calls: WriteAt, Truncate, Allocate, Sync, SyncDir, Open that creates or
// empties, Rename, Link, Remove, MakeDir, RemoveDir. Syncs are counted and can fail,
// but are not carried out: a test that does not lose power need not wait. Thread-safe; PowerCut with no
// other call under way and all Files of this Io closed or no longer used.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/io.h"
#include "base/mutex.h"

namespace prom {

class FaultIo : public Io {
 public:
  enum class Fault {
    kIo,          // EIO, nothing done
    kNoSpace,     // ENOSPC, nothing done
    kShortWrite,  // half of the bytes are written, then ENOSPC; like kNoSpace for other calls
  };
  explicit FaultIo(Io& inner) : inner_(inner) {}

  // The n-th mutating call from now (1: the next) fails; with `stay`, all after it too, until Heal.
  void FailCall(std::uint64_t n, Fault fault, bool stay = false);
  void Heal();
  std::uint64_t calls() const;   // mutating calls since the start or FailCall
  std::uint64_t failed() const;  // calls that were made to fail

  // From now on remembers what is not synced.
  void TrackUnsynced();
  // Undoes everything unsynced (seed 0), or a random choice: sectors of 512 bytes of
  // writes one by one, directory changes from some point on.
  Result<void> PowerCut(std::uint64_t seed);

  Result<std::unique_ptr<File>> Open(const std::string& path, Mode mode) override;
  Result<void> Rename(const std::string& from, const std::string& to) override;
  Result<void> Link(const std::string& from, const std::string& to) override;
  Result<void> Remove(const std::string& path) override;
  Result<void> MakeDir(const std::string& path) override;
  Result<void> RemoveDir(const std::string& path) override;
  Result<void> SyncDir(const std::string& path) override;
  Result<std::vector<DirEntry>> List(const std::string& dir) override { return inner_.List(dir); }
  Result<bool> Exists(const std::string& path) override { return inner_.Exists(path); }
  Result<std::uint64_t> FreeBytes(const std::string& path) override { return inner_.FreeBytes(path); }
  Result<std::uint64_t> TotalBytes(const std::string& path) override { return inner_.TotalBytes(path); }

 private:
  friend class FaultFile;
  // A file's bytes as of its last sync, and the writes since. Shared by its names.
  struct Tracked {
    struct Write {
      std::uint64_t offset;
      std::string bytes;
    };
    std::string path;  // now
    std::string synced;
    std::vector<Write> writes;
    std::uint64_t size = 0;  // with the writes
  };
  struct DirChange {
    enum class Kind { kCreate, kRename, kRemove, kMakeDir } kind;
    std::string path, from;
    std::string old_bytes;  // of what a rename replaced or a removal removed
    bool had_old = false;
  };
  // kNone: go on. Else the error to return; *half for a short write.
  bool Failing(std::string_view call, const std::string& path, Error* error, bool* half);
  std::shared_ptr<Tracked> Track(const std::string& path, bool created) REQUIRES(mutex_);

  Io& inner_;
  mutable Mutex mutex_;
  std::uint64_t calls_ GUARDED_BY(mutex_) = 0, fail_at_ GUARDED_BY(mutex_) = 0, failed_ GUARDED_BY(mutex_) = 0;
  Fault fault_ GUARDED_BY(mutex_) = Fault::kIo;
  bool stay_ GUARDED_BY(mutex_) = false;
  bool tracking_ GUARDED_BY(mutex_) = false;
  std::map<std::string, std::shared_ptr<Tracked>> files_ GUARDED_BY(mutex_);
  std::deque<DirChange> changes_ GUARDED_BY(mutex_);
};

}  // namespace prom
