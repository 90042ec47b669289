#include "store/writer.h"

#include <unistd.h>

#include <algorithm>
#include <set>

#include "base/background.h"
#include "base/log.h"
#include "base/number.h"
#include "base/ulid.h"
#include "store/block_source.h"
#include "store/block_writer.h"
#include "store/epoch_source.h"
#include "store/head_index.h"
#include "store/head_reader.h"
#include "store/staging.h"
#include "store/sync_pace.h"
#include "store/tombstones.h"

namespace prom::store {

namespace {

std::int64_t AlignDown(std::int64_t t, std::int64_t width) {
  std::int64_t q = t / width;
  if (t % width < 0) --q;
  return q * width;
}

// Blocks that one epoch becomes at most.
constexpr std::uint64_t kMaxBlocksOfEpoch = 400;
// Closed epochs that a start leaves to the background thread.
constexpr std::size_t kMaxWaitingEpochs = 3;

void AddCounters(const HeadCounters& from, HeadCounters* to) {
  to->appended += from.appended;
  to->appended_histograms += from.appended_histograms;
  to->out_of_order += from.out_of_order;
  to->duplicates += from.duplicates;
  to->repeated += from.repeated;
  to->too_old += from.too_old;
  to->out_of_order_accepted += from.out_of_order_accepted;
  to->exemplars += from.exemplars;
  to->exemplars_out_of_order += from.exemplars_out_of_order;
  to->commits += from.commits;
  to->failed_commits += from.failed_commits;
  to->sealed_groups += from.sealed_groups;
  to->seal_failures += from.seal_failures;
  to->log_bytes += from.log_bytes;
  to->chunk_bytes += from.chunk_bytes;
  to->damaged += from.damaged;
}

}  // namespace

Writer::Writer(Io& io, Clock& clock, std::string dir, const WriterOptions& options) : io_(io), clock_(clock), dir_(std::move(dir)), options_(options) {
  boot_id_ = options_.boot_id.empty() ? CurrentBootId() : options_.boot_id;
  MutexLock lock(mutex_);
  settings_ = {options_.retention, options_.head.out_of_order_window_ms, options_.head.max_exemplars};
}

Result<std::unique_ptr<Writer>> Writer::Open(Io& io, Clock& clock, const std::string& data_dir, const WriterOptions& options) {
  auto writer = std::unique_ptr<Writer>(new Writer(io, clock, data_dir, options));
  PROM_TRY(writer->Start());
  return writer;
}

Result<void> Writer::Start() {
  PROM_TRY(MakeDirs(io_, dir_));
  const std::string lock_path = JoinPath(dir_, "lock");
  PROM_ASSIGN(lock_file_, io_.Open(lock_path, Io::Mode::kCreate));
  PROM_ASSIGN(const bool locked, lock_file_->TryLock());
  if (!locked) {
    auto pid = ReadFile(io_, lock_path, 4096);
    std::string text = pid ? *pid : "";
    text.resize(std::min(text.find_first_not_of("0123456789"), text.size()));
    return Error{Errc::kUnavailable, dir_ + " is being written by pid " + (text.empty() ? "unknown" : text)};
  }
  PROM_TRY(lock_file_->WriteAt(0, std::to_string(::getpid()) + "\n                "));

  auto control = ControlPage::OpenWrite(io_, dir_);
  if (!control && control.error().code == Errc::kCorrupt) {
    // Everything it says can be found again from the manifests, the log and the groups.
    MutexLock lock(mutex_);
    warnings_.push_back(control.error().message + "; made anew, the old one is kept as CURRENT.damaged");
    PROM_TRY(io_.Rename(JoinPath(dir_, "CURRENT"), JoinPath(dir_, "CURRENT.damaged")));
    control = ControlPage::OpenWrite(io_, dir_);
  }
  if (!control) return std::move(control.error());
  control_ = std::move(*control);
  clean_start_ = control_->intact() && (control_->clean() || control_->generation() == 0);
  const bool trusted = control_->intact() && (control_->boot_id() == boot_id_ || control_->clean());
  control_->SetWriter(boot_id_, static_cast<std::uint64_t>(::getpid()), false);
  PROM_TRY(control_->Sync());
  PROM_TRY(OpenEpochs(trusted));
  PROM_TRY(RemoveLeftovers());
  // What a killed writer left in the page cache must be on disk before new batches
  // are: after a power cut the log is read in order.
  if (options_.fsync != FsyncMode::kNever || !trusted) PROM_TRY(SyncTo(control_->committed_seq()));
  // A writer that dies again and again soon after its start must get on with its
  // epochs all the same: few are left to the background thread, which begins with
  // them, more are not.
  std::size_t waiting = 0;
  {
    MutexLock lock(mutex_);
    waiting = closed_.size();
  }
  if (waiting > kMaxWaitingEpochs) {
    MutexLock work(head_work_mutex_);
    if (auto done = CompactClosed(kMaxWaitingEpochs); !done) NoteError(done.error());  // tried again later on
  }
  if (!options_.background) return {};
  if (options_.fsync == FsyncMode::kInterval)
    sync_thread_ = std::jthread([this](std::stop_token stop) {
      SyncPace pace(options_.fsync_interval_ms);
      Repeat(stop, true, [this] { return Sync(); }, [&](bool, std::int64_t took_ms) { return pace.Pause(took_ms); });
    });
  // From start to start; after a failure the whole interval: a merge that a full disk stopped is not begun again at once.
  const auto pause = [interval_ms = options_.maintain_interval_ms](bool failed, std::int64_t took_ms) { return failed ? interval_ms : interval_ms - took_ms; };
  head_thread_ = std::jthread([this, waiting, pause](std::stop_token stop) {
    LowerThreadPriority();
    Repeat(stop, waiting != 0, [this] { return MaintainHead(); }, pause);
  });
  merge_thread_ = std::jthread([this, pause](std::stop_token stop) {
    LowerThreadPriority();
    Repeat(stop, false, [this] { return MaintainBlocks(); }, pause);
  });
  return {};
}

Result<void> Writer::OpenEpochs(bool trusted) {
  MutexLock lock(mutex_);
  auto manifest = control_->generation() != 0 ? ReadManifest(io_, dir_, control_->generation()) : Result<Manifest>(Error{Errc::kNotFound, ""});
  if (!manifest && manifest.error().code == Errc::kUnsupported) return std::move(manifest.error());
  manifest_lost_ = !manifest && control_->generation() != 0;
  if (manifest_lost_ && manifest.error().code == Errc::kNotFound) warnings_.push_back(manifest.error().message + "; samples deleted since the manifest before may show");
  if (!manifest || !trusted) {
    // The page may be older than the newest manifest that reached the disk.
    PROM_ASSIGN(const auto generations, ListManifests(io_, dir_));
    for (auto it = generations.rbegin(); it != generations.rend(); ++it) {
      if (manifest && *it <= manifest->generation) break;
      auto other = ReadManifest(io_, dir_, *it);
      if (!other) {
        manifest_lost_ = true;
        warnings_.push_back(other.error().message);
        continue;
      }
      manifest = std::move(other);
      break;
    }
    if (!manifest && !generations.empty()) return Error{Errc::kCorrupt, dir_ + ": none of its manifests can be read; the newest is " + ManifestPath(dir_, generations.back())};
    if (!manifest) manifest = Manifest{};
  }
  manifest_ = std::move(*manifest);
  if (control_->generation() < manifest_.generation) control_->set_generation(manifest_.generation);

  if (manifest_.epochs.empty()) {
    const std::uint64_t number = 1;
    PROM_TRY(RemoveTree(io_, EpochDir(dir_, number)));
    PROM_ASSIGN(head_, HeadWriter::Open(io_, dir_, number, control_, options_.head, true, nullptr, control_->committed_seq()));
    Manifest next = manifest_;
    next.epochs.push_back({number, 0});
    PROM_TRY(PublishManifest(std::move(next)));
  } else {
    HeadWriter* previous = nullptr;
    const std::uint64_t published = control_->committed_seq();
    for (const ManifestEpoch& epoch : manifest_.epochs) {
      PROM_ASSIGN(const bool there, io_.Exists(JoinPath(EpochDir(dir_, epoch.number), "series")));
      if (!there) warnings_.push_back(EpochDir(dir_, epoch.number) + "/series: is not there; samples of this epoch are lost");
      PROM_ASSIGN(auto opened, HeadWriter::Open(io_, dir_, epoch.number, control_, options_.head, trusted, previous, published));
      std::shared_ptr<HeadWriter> head = std::move(opened);
      for (const std::string& w : head->warnings()) warnings_.push_back(w);
      if (previous != nullptr) head->set_next_seq(previous->next_seq());
      previous = head.get();
      closed_.push_back(std::move(head));
    }
    head_ = closed_.back();
    closed_.pop_back();
    const std::int64_t start = manifest_.epochs.back().start_ms;
    const std::int64_t anchor = start != 0 ? start : std::min(head_->max_t(), clock_.NowMs());
    if (anchor != kMinTimeMs) window_end_ = AlignDown(anchor, options_.block_ms) + options_.block_ms;
  }
  // Blocks cover what came before the oldest epoch: new samples must not fall into them.
  // A block that lies behind its start did not come out of the head: an import.
  for (const ManifestBlock& block : manifest_.blocks) {
    const std::int64_t start = manifest_.epochs.empty() ? kMaxTimeMs : manifest_.epochs.front().start_ms;
    if (start == 0) break;  // no epoch has become a block yet
    const std::int64_t end = std::min(block.max_ms, start - 1);
    min_valid_ = std::max(min_valid_, end + 1);
  }
  for (const auto& head : closed_) head->set_min_valid(min_valid_);
  head_->set_min_valid(min_valid_);
  if (control_->generation() > manifest_.generation) {
    // The manifest in force cannot be read; readers, too, are to go by the one before.
    Manifest next = manifest_;
    manifest_.generation = control_->generation();
    PROM_TRY(PublishManifest(std::move(next)));
  }
  return {};
}

Result<void> Writer::RemoveLeftovers() {
  MutexLock lock(mutex_);
  PROM_TRY(RemoveTree(io_, JoinPath(dir_, "tmp")));
  PROM_TRY(RemoveDeadStaging(io_, dir_));
  const auto entries = io_.List(JoinPath(dir_, "head"));
  if (!entries) return {};
  for (const DirEntry& entry : *entries) {
    const auto n = ParseUint64(entry.name);
    const bool named = n && std::any_of(manifest_.epochs.begin(), manifest_.epochs.end(), [&](const ManifestEpoch& e) { return e.number == *n; });
    if (named || !entry.is_dir) continue;
    const std::string path = JoinPath(JoinPath(dir_, "head"), entry.name);
    if (!manifest_lost_) {
      PROM_TRY(RemoveTree(io_, path));
    } else if (n) {
      // The manifest that cannot be read may have named it: out of the way of new epochs, but kept.
      PROM_TRY(io_.Rename(path, path + ".kept"));
      warnings_.push_back(path + ": not named by the manifest that could be read; kept as " + path + ".kept");
    }
  }
  if (manifest_lost_) return {};
  // Blocks that no manifest names: a compaction that ended before it was published, or a removal cut short.
  const auto blocks = io_.List(JoinPath(dir_, "blocks"));
  for (const DirEntry& entry : blocks ? *blocks : std::vector<DirEntry>()) {
    const bool named = std::any_of(manifest_.blocks.begin(), manifest_.blocks.end(), [&](const ManifestBlock& b) { return b.ulid == entry.name; });
    if (!named && entry.is_dir) PROM_TRY(RemoveTree(io_, BlockDir(dir_, entry.name)));
  }
  const auto files = io_.List(dir_);
  if (!files) return {};
  for (const DirEntry& entry : *files) {
    const bool old_tombstones = entry.name.starts_with("tombstones-") && entry.name != manifest_.tombstones;
    // A killed writer's WriteFileAtomic.
    const bool half_written = entry.name.starts_with("manifest-") && entry.name.find(".tmp") != std::string::npos;
    if (!entry.is_dir && (old_tombstones || half_written)) (void)io_.Remove(JoinPath(dir_, entry.name));
  }
  return {};
}

Result<void> Writer::PublishManifest(Manifest next) {
  next.generation = manifest_.generation + 1;
  next.Sort();
  PROM_TRY(WriteManifest(io_, dir_, next));
  const std::uint64_t old = manifest_.generation;
  manifest_ = std::move(next);
  control_->set_generation(manifest_.generation);
  // The one before stays for readers that have just read its number, and as a spare.
  if (old > 1) (void)io_.Remove(ManifestPath(dir_, old - 1));
  return {};
}

Manifest Writer::manifest() const {
  MutexLock lock(mutex_);
  return manifest_;
}

std::vector<std::string> Writer::warnings() const {
  MutexLock lock(mutex_);
  return warnings_;
}

std::unique_ptr<Appender> Writer::NewAppender() { return std::unique_ptr<Appender>(new Appender(*this)); }

// ---- Committing -----------------------------------------------------------

bool Writer::RolloverDue() {
  if (head_->max_t() == kMinTimeMs) return false;
  if (window_end_ == kMaxTimeMs) {
    const std::int64_t anchor = std::min(head_->max_t(), clock_.NowMs());
    if (anchor > kMaxTimeMs - 2 * options_.block_ms || anchor < kMinTimeMs + 2 * options_.block_ms) return false;
    window_end_ = AlignDown(anchor, options_.block_ms) + options_.block_ms;
  }
  // A clock that runs ahead somewhere must not close epochs for all.
  const std::int64_t newest = std::min(head_->max_t(), clock_.NowMs() + options_.slack_ms);
  return newest >= window_end_ && newest - window_end_ >= options_.slack_ms;
}

Result<std::uint64_t> Writer::CommitBatch(Appender* appender) {
  std::uint64_t seq = 0;
  {
    MutexLock lock(mutex_);
    appender->Bind();
    const HeadCounters before = head_->counters();
    head_->set_horizon(clock_.NowMs() + options_.slack_ms);
    auto committed = head_->Commit(&appender->batch_);
    if (!committed && committed.error().code == Errc::kNoSpace) space_short_.store(true);
    PROM_ASSIGN(seq, std::move(committed));
    const HeadCounters& after = head_->counters();
    Appender::Outcome& outcome = appender->outcome_;
    outcome.appended += after.appended - before.appended;
    outcome.repeated += after.repeated - before.repeated;
    outcome.out_of_order += after.out_of_order - before.out_of_order;
    outcome.duplicates += after.duplicates - before.duplicates;
    outcome.too_old += after.too_old - before.too_old;
    if (RolloverDue()) {
      // The batch is stored; a rollover that fails is tried again with the next one.
      const std::int64_t newest = std::min(head_->max_t(), clock_.NowMs() + options_.slack_ms);
      if (auto done = RollOver(AlignDown(newest, options_.block_ms)); !done) other_.last_error = done.error().message;
    }
  }
  if (options_.fsync == FsyncMode::kAlways) PROM_TRY(SyncTo(seq));
  return seq;
}

Result<void> Writer::RollOver(std::int64_t start_ms) {
  const std::uint64_t number = head_->epoch() + 1;
  PROM_TRY(RemoveTree(io_, EpochDir(dir_, number)));  // of a rollover that did not get far
  PROM_ASSIGN(auto opened, HeadWriter::Open(io_, dir_, number, control_, options_.head, true, head_.get(), control_->committed_seq()));
  opened->set_next_seq(head_->next_seq());
  opened->set_min_valid(min_valid_);
  opened->CopyMetadata(*head_);
  Manifest next = manifest_;
  next.epochs.push_back({number, start_ms});
  PROM_TRY(PublishManifest(std::move(next)));
  closed_.push_back(head_);
  head_ = std::move(opened);
  window_end_ = start_ms + options_.block_ms;
  return {};
}

// ---- Durability -----------------------------------------------------------

bool Writer::InHead(const std::shared_ptr<HeadWriter>& head) const { return head == head_ || std::find(closed_.begin(), closed_.end(), head) != closed_.end(); }

Result<void> Writer::SyncHead(const std::shared_ptr<HeadWriter>& head) {
  HeadWriter::SyncJob job;
  {
    MutexLock lock(mutex_);
    if (!InHead(head)) return {};  // it has become a block
    job = head->PrepareSync();
  }
  head->RunSync(&job);
  MutexLock lock(mutex_);
  ++other_.syncs;
  // One that has become a block meanwhile is safe there, and its files are gone.
  if (!InHead(head)) return {};
  if (!job.result) ++other_.failed_syncs;
  auto done = head->FinishSync(&job);
  if (head->broken() && head == head_) {
    // Its definitions cannot be trusted to survive a power cut any more: the next
    // epoch writes them anew, and compaction saves what the page cache still has.
    const std::int64_t newest = std::min(head->max_t(), clock_.NowMs() + options_.slack_ms);
    if (auto rolled = RollOver(head->max_t() == kMinTimeMs ? 0 : AlignDown(newest, options_.block_ms)); !rolled) return rolled;
  }
  return done;
}

Result<void> Writer::SyncTo(std::uint64_t seq) {
  if (durable_.load() >= seq) return {};
  MutexLock sync(sync_mutex_);
  if (durable_.load() >= seq) return {};  // another caller's fsync covered it
  std::vector<std::shared_ptr<HeadWriter>> heads;
  std::uint64_t reached = 0;
  {
    MutexLock lock(mutex_);
    reached = control_->committed_seq();
    heads.assign(closed_.begin(), closed_.end());
    heads.push_back(head_);
  }
  for (const auto& head : heads) PROM_TRY(SyncHead(head));
  durable_.store(std::max(durable_.load(), reached));
  MutexLock lock(mutex_);
  other_.last_sync_ms = clock_.NowMs();
  return {};
}

Result<void> Writer::Sync() { return SyncTo(control_->committed_seq()); }

// ---- Background -----------------------------------------------------------

Result<void> Writer::Maintain() {
  PROM_TRY(MaintainHead());
  return MaintainBlocks();
}

void Writer::ForgetRetired() {
  std::vector<std::shared_ptr<HeadWriter>> gone;  // goes after the lock
  MutexLock lock(mutex_);
  for (auto it = retired_.begin(); it != retired_.end();) {
    if (it->use_count() > 1) {
      ++it;
      continue;
    }
    gone.push_back(std::move(*it));
    it = retired_.erase(it);
  }
}

Result<void> Writer::MaintainHead() {
  MutexLock work(head_work_mutex_);
  ForgetRetired();
  {
    MutexLock lock(mutex_);
    if (RolloverDue()) {
      const std::int64_t newest = std::min(head_->max_t(), clock_.NowMs() + options_.slack_ms);
      PROM_TRY(RollOver(AlignDown(newest, options_.block_ms)));
    }
    PROM_TRY(head_->Seal(false));
  }
  PROM_TRY(BuildIndex());
  // Segments of the log are dropped after a sync, also with fsync off.
  bool long_log = false;
  {
    MutexLock lock(mutex_);
    long_log = head_->log_segments() > 2;
  }
  if (options_.fsync == FsyncMode::kNever && long_log) PROM_TRY(Sync());
  PROM_TRY(CompactClosed());
  return DropOldBlocks();
}

Result<void> Writer::Flush() {
  MutexLock work(head_work_mutex_);
  {
    MutexLock lock(mutex_);
    if (head_->max_t() != kMinTimeMs) {
      // A clock that runs ahead somewhere must not make the samples of all others too old.
      const std::int64_t end = std::min(head_->max_t(), clock_.NowMs() + options_.slack_ms);
      PROM_TRY(RollOver(AlignDown(end, options_.block_ms)));
    }
  }
  return CompactClosed();
}

Result<void> Writer::BuildIndex() {
  std::uint64_t epoch = 0;
  std::uint32_t series = 0;
  {
    MutexLock lock(mutex_);
    epoch = head_->epoch();
    series = head_->published_series();
  }
  return BuildHeadIndex(io_, EpochDir(dir_, epoch), series);
}

Result<void> Writer::CompactClosed(std::size_t leave) {
  while (true) {
    std::shared_ptr<HeadWriter> head;
    {
      MutexLock lock(mutex_);
      if (closed_.size() <= leave) return {};
      head = closed_.front();
    }
    auto done = CompactEpoch(head);
    MutexLock lock(mutex_);
    ++(done ? other_.compactions : other_.failed_compactions);
    if (!done) return done;
  }
}

Result<void> Writer::CompactEpoch(const std::shared_ptr<HeadWriter>& head) {
  PROM_ASSIGN(auto reader, HeadReader::Open(io_, dir_, head->epoch(), control_));
  const Manifest before = manifest();
  PROM_ASSIGN(const Tombstones tombstones, ReadTombstones(io_, dir_, before));
  const Tombstones deleted = OfEpoch(tombstones, head->epoch());
  std::shared_ptr<const Queryable> snapshot;  // when there is no other way
  PROM_ASSIGN(std::unique_ptr<BlockSource> source, MakeEpochSource(*reader, deleted));
  const std::vector<std::shared_ptr<const Queryable>> parts;
  if (source == nullptr) {
    PROM_ASSIGN(snapshot, reader->Snapshot());
    snapshot = HideDeleted(std::move(snapshot), deleted);
    source = SelectionSource(*snapshot, parts);
  }
  std::vector<ManifestBlock> blocks;
  const auto [min_t, max_t] = source->TimeRange();
  if (min_t <= max_t) {
    // One block, unless an import has put much more than a window into the epoch, and
    // not too many when some samples are years away. Those of a clock that runs ahead
    // have a block of their own, so that the others' can be merged and dropped in time.
    const std::int64_t ahead = clock_.NowMs() + options_.slack_ms;
    const std::int64_t now_end = min_t > ahead ? max_t : std::min(max_t, ahead);  // all of it: then it is our clock that is behind
    const auto span = static_cast<std::uint64_t>(now_end) - static_cast<std::uint64_t>(min_t);
    const auto window = static_cast<std::uint64_t>(options_.block_ms);
    std::int64_t width = options_.block_ms;
    while (span / static_cast<std::uint64_t>(width) > kMaxBlocksOfEpoch) width *= 2;
    const std::int64_t newest = max_t;
    const auto last_of = [&](std::int64_t from) {
      if (from > now_end) return newest;
      const std::int64_t start = AlignDown(from, width);
      return span <= window + window / 2 || now_end - start < width ? now_end : start + width - 1;
    };
    for (std::int64_t from = min_t; from <= max_t;) {
      const std::int64_t to = last_of(from);
      BlockWriterOptions block;
      block.ulid = NewUlid(clock_.NowMs());
      block.slice_ms = options_.block_ms;
      PROM_ASSIGN(const BlockInfo info, WriteBlock(io_, dir_, *source, from, to, block));
      for (const std::string& w : info.warnings) LogWarn("store", "samples lost to damage", {{"what", w}});
      if (info.samples != 0) blocks.push_back(info.ForManifest());
      if (to == max_t) break;
      from = to + 1;
    }
  }
  std::shared_ptr<const void> rest;
  {
    MutexLock lock(mutex_);
    Manifest next = manifest_;
    if (next.tombstones != before.tombstones) {
      for (const ManifestBlock& b : blocks) (void)RemoveTree(io_, BlockDir(dir_, b.ulid));
      return Error{Errc::kUnavailable, "samples were deleted while a block was made of them; it will be made again"};
    }
    std::erase_if(next.epochs, [&](const ManifestEpoch& e) { return e.number == head->epoch(); });
    next.blocks.insert(next.blocks.end(), blocks.begin(), blocks.end());
    PROM_TRY(PublishManifest(std::move(next)));
    // From here on the newest samples of its series are known by the block only:
    // what is older than the next epoch cannot be told from a repetition. The same
    // bound as after a restart, and no stray sample of the future raises it.
    if (min_t <= max_t && manifest_.epochs.front().start_ms != 0) min_valid_ = std::max(min_valid_, std::min(max_t, manifest_.epochs.front().start_ms - 1) + 1);
    closed_.pop_front();
    HeadWriter& after = closed_.empty() ? *head_ : *closed_.front();
    after.DropPrevious();
    for (const auto& other : closed_) other->set_min_valid(min_valid_);
    head_->set_min_valid(min_valid_);
    AddCounters(head->counters(), &past_);
    retired_.push_back(head);
    rest = head->Retire();
  }
  rest.reset();  // not under the mutex: removing large files takes a while
  return RemoveTree(io_, EpochDir(dir_, head->epoch()));
}

void Writer::NoteError(const Error& e) {
  {
    MutexLock lock(mutex_);
    if (other_.last_error == e.message) return;  // said already
    other_.last_error = e.message;
  }
  LogError("store", e.message);
}

template <typename Step, typename Pause>
void Writer::Repeat(std::stop_token stop, bool at_once, Step step, Pause pause) {
  Mutex idle;
  std::condition_variable_any wake;
  bool failed = false;
  for (bool first = true; !stop.stop_requested(); first = false) {
    const std::int64_t start_ns = clock_.MonotonicNs();
    if (!first || at_once) {
      const Result<void> done = step();
      if (!done) {
        NoteError(done.error());
      } else if (failed) {
        MutexLock lock(mutex_);
        other_.last_error.clear();
      }
      failed = !done;
    }
    std::unique_lock<Mutex> lock(idle);
    const std::int64_t left_ms = pause(failed, (clock_.MonotonicNs() - start_ns) / 1'000'000);
    wake.wait_for(lock, stop, std::chrono::milliseconds(std::max<std::int64_t>(left_ms, 1)), [] { return false; });
  }
}

void Writer::Reconfigure(const WriterSettings& settings) {
  MutexLock lock(mutex_);
  settings_ = settings;
  ++settings_version_;
  options_.head.out_of_order_window_ms = settings.out_of_order_window_ms;  // of the epochs to come
  options_.head.max_exemplars = settings.max_exemplars;
  head_->Reconfigure(settings.out_of_order_window_ms, settings.max_exemplars);
}

RetentionSettings Writer::retention() const {
  MutexLock lock(mutex_);
  return settings_.retention;
}

WriterCounters Writer::counters() const {
  MutexLock lock(mutex_);
  WriterCounters c = other_;
  c.head = past_;
  for (const auto& head : closed_) AddCounters(head->counters(), &c.head);
  AddCounters(head_->counters(), &c.head);
  c.series = head_->series_count();
  c.layouts = head_->layout_count();
  c.log_segments = head_->log_segments();
  const HeadWriter& oldest = closed_.empty() ? *head_ : *closed_.front();
  c.head_min_ms = std::min(oldest.min_t(), head_->min_t());
  c.head_max_ms = std::max(oldest.max_t(), head_->max_t());
  c.epochs = manifest_.epochs.size();
  c.blocks = manifest_.blocks.size();
  c.min_valid_ms = min_valid_;
  return c;
}

Result<void> Writer::Close() {
  if (closed_in_order_ || control_ == nullptr) return {};
  stopping_.store(true);
  for (std::jthread* thread : {&sync_thread_, &head_thread_, &merge_thread_}) thread->request_stop();
  for (std::jthread* thread : {&sync_thread_, &head_thread_, &merge_thread_})
    if (thread->joinable()) thread->join();
  closed_in_order_ = true;
  {
    MutexLock lock(mutex_);
    if (head_ == nullptr) return {};
  }
  {
    MutexLock sync(sync_mutex_);
    std::vector<std::shared_ptr<HeadWriter>> heads;
    {
      MutexLock lock(mutex_);
      heads.assign(closed_.begin(), closed_.end());
      heads.push_back(head_);
    }
    for (const auto& head : heads) {
      PROM_TRY(SyncHead(head));
      MutexLock lock(mutex_);
      PROM_TRY(head->SyncDerived());
    }
  }
  control_->SetWriter(boot_id_, static_cast<std::uint64_t>(::getpid()), true);
  return control_->Sync();
}

Writer::~Writer() {
  // Nobody is left to tell; the next opening recovers what was not synced.
  (void)Close();
}

}  // namespace prom::store
