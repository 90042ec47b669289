// Writer: the one process that writes a data directory. It owns the lock, the
// control page, the manifest and the epochs of the head, and turns closed epochs
// into blocks.
//
// Thread-safe. Lock order: head_work_mutex_, then merge_mutex_, then sync_mutex_, then
// mutex_. Only mutex_ is taken by producers; it is held over the write of a batch and
// the publishing of a new epoch, never over fsync of data or compaction. Nobody waits
// for a merge: rollover, blocks of epochs and retention do not take merge_mutex_, but
// when the disk runs short, and then the merge is made to end first.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/io.h"
#include "base/mutex.h"
#include "base/result.h"
#include "base/time.h"
#include "store/appender.h"
#include "store/compact.h"
#include "store/control_page.h"
#include "store/head_writer.h"
#include "store/manifest.h"
#include "store/retention.h"

namespace prom::store {

enum class FsyncMode { kAlways, kInterval, kNever };

struct WriterOptions {
  HeadOptions head;
  FsyncMode fsync = FsyncMode::kInterval;
  std::int64_t fsync_interval_ms = 1000;
  std::int64_t block_ms = 2 * 3600 * 1000;    // width of an epoch and of the first blocks
  std::int64_t slack_ms = 10 * 60 * 1000;     // an epoch takes samples so long after its end
  RetentionSettings retention;
  std::uint64_t max_series = 0;               // of the head: samples of further ones are refused; 0: no limit
  bool background = true;                     // threads that sync and maintain
  std::int64_t maintain_interval_ms = 10'000;
  std::string boot_id;                        // empty: the running kernel's
};

// What may change while the writer runs.
struct WriterSettings {
  RetentionSettings retention;
  std::int64_t out_of_order_window_ms = 0;
  std::size_t max_exemplars = 100'000;
};

struct WriterCounters {
  HeadCounters head;  // summed over epochs since the start
  std::uint64_t series = 0, layouts = 0;  // of the epoch being written
  std::uint64_t epochs = 0, blocks = 0, log_segments = 0;
  std::int64_t min_valid_ms = 0;  // older samples are refused
  std::int64_t head_min_ms = 0, head_max_ms = 0;  // samples of the head; min > max: none
  std::uint64_t syncs = 0, failed_syncs = 0;
  std::uint64_t compactions = 0, failed_compactions = 0;
  double compaction_seconds = 0;              // of all of them
  std::uint64_t dropped_by_time = 0, dropped_by_size = 0, dropped_for_space = 0;  // times retention dropped blocks
  std::uint64_t policy_rewrites = 0, policy_series = 0;  // blocks that policies changed; series that went
  double sync_seconds = 0;                    // of all syncs
  std::int64_t last_sync_ms = 0;  // wall clock
  std::string last_error;         // of the background threads, or empty
};

// Blocks to be exchanged for others.
struct BlockSwap {
  std::vector<std::string> remove;  // ulids in force
  std::string staging;              // under the data directory; its blocks/ holds
  std::vector<std::string> add;     // these new ones
  std::string tombstones;           // with `remove`: the manifest's, when those were read
  bool keep_removed = false;        // as DATA/damaged/<ulid>
};

class Writer {
 public:
  // kUnavailable: another process writes there; its pid is named. kUnsupported: a newer format.
  static Result<std::unique_ptr<Writer>> Open(Io& io, Clock& clock, const std::string& data_dir, const WriterOptions& options);
  ~Writer();  // Close
  // Syncs everything and marks the directory as closed in good order.
  Result<void> Close();

  std::unique_ptr<Appender> NewAppender();
  // Makes everything committed before the call durable. Callers wait for each other's fsync.
  Result<void> Sync();
  std::uint64_t committed_sequence() const { return control_->committed_seq(); }
  std::uint64_t durable_sequence() const { return durable_.load(); }
  // Rollover, early sealing, index segments, compaction, retention; then merges. Called by
  // background threads; a tool without them calls it when it likes.
  Result<void> Maintain();
  // Turns what is in the head into blocks now.
  Result<void> Flush();

  // Puts other settings in force, from the next batch and the next maintenance on.
  void Reconfigure(const WriterSettings& settings);
  RetentionSettings retention() const;

  WriterCounters counters() const;
  std::vector<std::string> warnings() const;  // damage found when opening
  bool clean_start() const { return clean_start_; }  // the writer before closed in good order, or there was none
  const std::string& data_dir() const { return dir_; }
  const std::shared_ptr<ControlPage>& control() const { return control_; }
  Manifest manifest() const;
  // Deletes the samples of all series that match one of the lists, in the closed range.
  // The number that Undelete takes it back by, as far as it has not been compacted.
  Result<std::uint64_t> Delete(const std::vector<Matchers>& any_of, std::int64_t min_ms, std::int64_t max_ms);
  Result<void> Undelete(std::uint64_t id);
  // Goes on without the deletions in that file, which cannot be read, and keeps it as DATA/damaged/<file>.
  // kUnavailable: another one is in force.
  Result<void> SetTombstonesAside(const std::string& file);
  // All of it or nothing; after nothing the new blocks are in the staging directory again.
  // kUnavailable: what was to be replaced, or what is deleted of it, has changed.
  Result<void> ReplaceBlocks(const BlockSwap& swap);
  // Drops deleted samples from blocks for good, and merges what is to be merged.
  Result<void> CompactBlocksNow();
  // Ends a merge that is running, and all later ones, with nothing lost.
  void CancelMerges() { stopping_.store(true); }
  std::int64_t retention_ms() const { return retention().LongestMs(); }  // 0: for ever
  // Puts a changed list of blocks or tombstones in force. `edit` gets the manifest
  // and returns false to leave it; it must not call back into the Writer.
  template <typename Edit>
  Result<void> EditManifest(Edit edit) {
    MutexLock lock(mutex_);
    Manifest next = manifest_;
    if (!edit(&next)) return {};
    return PublishManifest(std::move(next));
  }

 private:
  friend class Appender;
  Writer(Io& io, Clock& clock, std::string dir, const WriterOptions& options);
  Result<void> Start();
  Result<void> OpenEpochs(bool trusted);
  Result<void> RemoveLeftovers();
  Result<void> PublishManifest(Manifest next) REQUIRES(mutex_);
  Result<void> RollOver(std::int64_t start_ms) REQUIRES(mutex_);
  bool RolloverDue() REQUIRES(mutex_);
  Result<std::uint64_t> CommitBatch(Appender* appender);
  bool InHead(const std::shared_ptr<HeadWriter>& head) const REQUIRES(mutex_);
  Result<void> SyncHead(const std::shared_ptr<HeadWriter>& head);
  Result<void> SyncTo(std::uint64_t seq);
  Result<void> BuildIndex();
  void ForgetRetired();
  Result<void> MaintainHead();    // what must not wait for a merge
  Result<void> MaintainBlocks();  // policies and merges
  Result<void> CompactClosed(std::size_t leave = 0) REQUIRES(head_work_mutex_);  // the oldest ones, until no more than that are left
  Result<void> CompactEpoch(const std::shared_ptr<HeadWriter>& head) REQUIRES(head_work_mutex_);
  Result<void> MergeBlocks() REQUIRES(merge_mutex_);  // writer_blocks.cc
  Result<void> DropOldBlocks() REQUIRES(head_work_mutex_);
  Result<void> ApplyLimits(const StoreUsage& usage) REQUIRES(head_work_mutex_);  // of retention
  Result<void> ApplyPolicies() REQUIRES(merge_mutex_);
  Result<void> KeepDamaged(const std::string& file);
  CompactOptions ForCompaction() const;
  StoreUsage Usage() const;
  // Calls `step` until it is to stop, notes its errors, and waits for pause(failed, ms it took) milliseconds after each.
  template <typename Step, typename Pause>
  void Repeat(std::stop_token stop, bool at_once, Step step, Pause pause);
  void NoteError(const Error& e);

  Io& io_;
  Clock& clock_;
  std::string dir_;
  WriterOptions options_;
  std::string boot_id_;
  std::unique_ptr<File> lock_file_;
  std::shared_ptr<ControlPage> control_;
  bool clean_start_ = true;
  bool closed_in_order_ = false;

  Mutex head_work_mutex_;
  Mutex merge_mutex_;
  Compactor compactor_ GUARDED_BY(merge_mutex_);
  PolicyKeeper policies_ GUARDED_BY(merge_mutex_);
  std::uint64_t policies_version_ GUARDED_BY(merge_mutex_) = 0;  // of the settings it has looked with
  std::atomic<bool> stopping_{false};      // asks a merge to stop, and all later ones
  std::atomic<bool> space_short_{false};   // asks a merge to stop and give back what it has written
  Mutex sync_mutex_;
  mutable Mutex mutex_;
  WriterSettings settings_ GUARDED_BY(mutex_);
  std::uint64_t settings_version_ GUARDED_BY(mutex_) = 0;
  Manifest manifest_ GUARDED_BY(mutex_);
  bool manifest_lost_ = false;  // a newer manifest than the one in force could not be read: delete nothing it may name
  std::shared_ptr<HeadWriter> head_ GUARDED_BY(mutex_);
  std::deque<std::shared_ptr<HeadWriter>> closed_ GUARDED_BY(mutex_);  // oldest first, to be compacted
  // Those that are blocks; kept until no appender has them, so that none of them is the
  // last to let go and has to wait for files to be removed.
  std::vector<std::shared_ptr<HeadWriter>> retired_ GUARDED_BY(mutex_);
  std::int64_t window_end_ GUARDED_BY(mutex_) = kMaxTimeMs;           // of the epoch being written
  std::int64_t min_valid_ GUARDED_BY(mutex_) = kMinTimeMs;
  HeadCounters past_ GUARDED_BY(mutex_);                              // of epochs that are gone
  std::vector<std::string> warnings_ GUARDED_BY(mutex_);
  WriterCounters other_ GUARDED_BY(mutex_);

  std::atomic<std::uint64_t> durable_{0};
  // Three, so that a block in the making does not put off a sync, nor a merge a block.
  std::jthread sync_thread_, head_thread_, merge_thread_;
};

}  // namespace prom::store
