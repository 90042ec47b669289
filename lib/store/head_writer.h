// HeadWriter: the write side of one epoch of the head, prom-data(5) "Head". It
// owns the files of DATA/head/<epoch>; Writer (writer.h) owns the epochs.
//
// A commit is one contiguous write to the log, then the tile slots of the layouts
// it touched, then the committed sequence in the control page: readers see all of
// it or nothing. A refused commit (no space, I/O error) leaves the state before it.
//
// Not thread-safe: the Writer's mutex is held around every call but SyncJob::Run.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/io.h"
#include "base/result.h"
#include "base/time.h"
#include "chunk/value_chunk.h"
#include "model/labels.h"
#include "store/control_page.h"
#include "store/head_batch.h"
#include "store/head_extras.h"
#include "store/head_format.h"
#include "store/head_series.h"
#include "store/mapped_file.h"

namespace prom::store {

struct HeadOptions {
  std::int64_t out_of_order_window_ms = 0;
  std::size_t max_exemplars = 100'000;
  std::uint64_t segment_bytes = kSegmentBytes;
  std::uint64_t max_batch_bytes = 256u << 20;
  std::uint32_t max_pending_loose = 65'535;  // also the most a chunk takes
};

// The newest sample of a series, as the rules of order need it.
struct LastSample {
  std::int64_t t = kMinTimeMs;
  std::uint64_t bits = 0;
  bool is_histogram = false;  // then bits is a hash of the encoded histogram
};

class HeadWriter {
 public:
  // Opens or makes the epoch. `trusted`: the machine has not gone down since the
  // last writer, so what the page cache holds is what was written; otherwise the
  // tile table is rebuilt from the log and the groups. `previous`, when given, is
  // the epoch before, whose newest samples still count for order; it must outlive
  // this object or be taken away with DropPrevious. `published`: the committed sequence
  // as the last writer left it; mending one epoch raises the page's own, and what
  // nobody had seen of the next epoch must not come to count by that.
  static Result<std::unique_ptr<HeadWriter>> Open(Io& io, const std::string& data_dir, std::uint64_t epoch, std::shared_ptr<ControlPage> control,
                                                  const HeadOptions& options, bool trusted, HeadWriter* previous, std::uint64_t published);
  ~HeadWriter();

  std::uint64_t epoch() const { return epoch_; }
  std::uint32_t series_count() const { return series_.size(); }
  std::uint32_t layout_count() const { return static_cast<std::uint32_t>(layouts_.size()); }
  std::int64_t min_t() const { return min_t_; }  // of all samples; min > max: none
  std::int64_t max_t() const { return max_t_; }
  std::uint64_t log_segments() const { return segment_ - first_segment_ + 1; }
  const HeadCounters& counters() const { return counters_; }
  const std::vector<std::string>& warnings() const { return warnings_; }  // damage found when opening

  // The id of a label set, new or known.
  std::uint32_t SeriesId(std::string_view label_bytes, std::uint64_t hash);
  bool HasSeries(std::string_view label_bytes, std::uint64_t hash) const { return series_.Find(label_bytes, hash).has_value(); }
  std::string_view LabelBytes(std::uint32_t series) const { return series_.LabelBytes(series); }

  // Gives a list of series (all different) a layout: an unowned one that most of
  // them live in already, else a new one. slots[i] is the column of series[i].
  // The caller owns the layout until ReleaseLayout: two owners would race.
  std::uint32_t TakeLayout(std::span<const std::uint32_t> series, std::vector<std::uint32_t>* slots);
  // Columns for further series of an owned layout.
  void ExtendLayout(std::uint32_t layout, std::span<const std::uint32_t> series, std::vector<std::uint32_t>* slots);
  void ReleaseLayout(std::uint32_t layout) { layouts_[layout].owned = false; }

  // For the samples to come.
  void Reconfigure(std::int64_t out_of_order_window_ms, std::size_t max_exemplars) {
    options_.out_of_order_window_ms = out_of_order_window_ms;
    options_.max_exemplars = max_exemplars;
    extras_.SetMaxExemplars(max_exemplars);
  }
  std::uint32_t layout_series(std::uint32_t layout, std::uint32_t slot) const { return layouts_[layout].series[slot]; }
  std::uint32_t layout_columns(std::uint32_t layout) const { return static_cast<std::uint32_t>(layouts_[layout].series.size()); }

  // Writes the batch; the result is its sequence (that of the newest commit when
  // nothing of it had to be written). The batch is consumed on success, kept on error.
  Result<std::uint64_t> Commit(HeadBatch* batch);

  // Seals tiles and loose samples that keep old log segments alive (all: everything),
  // as a commit of its own.
  Result<void> Seal(bool all);

  // What must reach the disk for everything committed so far to survive a power cut.
  struct SyncJob {
    std::vector<std::pair<std::shared_ptr<File>, bool>> files;  // true: the log or chunks, whose failure can be survived
    bool sync_dir = false;
    std::uint64_t seq = 0;
    std::uint32_t needed_segment = 0;  // older log segments may go once this is done
    Result<void> result;
    std::size_t failed = 0;  // index of the file whose sync failed
  };
  SyncJob PrepareSync();
  // May run without the mutex, one at a time.
  void RunSync(SyncJob* job);
  // Notes the outcome; drops log segments.
  Result<void> FinishSync(SyncJob* job);
  // Syncs what is derived too, so that the epoch can be opened again without a scan after any boot.
  Result<void> SyncDerived();
  std::uint32_t published_series() const { return extents_.series; }
  std::uint64_t durable_seq() const { return durable_seq_; }
  std::uint64_t next_seq() const { return next_seq_; }
  void set_next_seq(std::uint64_t seq) { next_seq_ = std::max(next_seq_, seq); }

  bool broken() const { return broken_.has_value(); }  // takes no more commits

  // Samples before this are too old.
  void set_min_valid(std::int64_t t) { min_valid_ = t; }
  // Times behind this are of a clock that runs ahead: one such sample must not make others too old.
  void set_horizon(std::int64_t t) { horizon_ = t; }
  void DropPrevious() { previous_ = nullptr; }
  // It has become a block: only label sets and layouts are asked for from now on. What is
  // let go with the result is the rest, whose removal takes a while.
  std::shared_ptr<const void> Retire();
  std::optional<LastSample> Last(std::uint32_t series) const;
  std::optional<LastSample> LastOf(std::string_view label_bytes, std::uint64_t hash) const;
  const HeadExtras& extras() const { return extras_; }
  void CopyMetadata(const HeadWriter& from);

 private:
  struct OpenRow {
    Position at;
    std::int64_t t;
  };
  struct Layout {
    std::vector<std::uint32_t> series;      // by column
    std::vector<OpenRow> open;              // oldest first
    std::vector<std::uint32_t> siblings;    // layouts that share series with this one
    Position group;
    std::int64_t last_t = kMinTimeMs;       // of the newest row
    // No sample of these series from elsewhere (loose, siblings) is newer than this.
    std::int64_t foreign_t = kMinTimeMs;
    std::int64_t min_t = kMaxTimeMs, max_t = kMinTimeMs;
    std::size_t touched = 0;                // index in touched_ + 1
    std::uint32_t row_columns = 0;
    std::uint8_t newest_slot = 1;           // the published one
    bool owned = false;
  };
  // What a commit changes in a layout; `open` to `group` are from before.
  struct Touched {
    std::uint32_t layout;
    std::size_t open;
    std::size_t sealed;  // oldest open rows that this commit has sealed
    std::int64_t last_t, min_t, max_t;
    std::uint32_t row_columns;
    Position group;
  };
  // The rest of the state before a commit.
  struct Before {
    HeadCounters counters;
    std::size_t pending = 0;
    Position loose_row, loose_group;
    std::uint32_t loose_segment = 0;
    std::int64_t loose_min = 0, loose_max = 0, min_t = 0, max_t = 0;
  };

  HeadWriter(Io& io, std::string dir, std::uint64_t epoch, std::shared_ptr<ControlPage> control, const HeadOptions& options);
  Result<void> OpenFiles(bool trusted, std::uint64_t published);
  Result<void> LoadSeries(std::uint64_t end);
  Result<void> LoadLayouts(std::uint64_t end);
  Result<void> RepairHomes();
  Result<bool> LoadTiles(std::uint64_t published);    // false: damaged, rebuild
  Result<void> RebuildTiles(bool same_boot, std::uint64_t published);
  bool LoadPendingLoose(std::uint32_t count);
  void TakeLoose(LooseSample s);
  void AddHome(std::uint32_t series, std::uint32_t layout, std::uint32_t slot);
  std::optional<std::uint32_t> SlotIn(std::uint32_t layout, std::uint32_t series) const;

  Result<std::shared_ptr<File>> CreateFile(const std::string& name, std::string_view magic);
  Result<void> StartSegment(std::uint64_t valid_seq);  // older segments' batches above it are void
  Result<void> StartChunks();
  Result<void> WriteDefinitions();
  Result<void> WriteCommit(std::uint64_t seq);
  void AppendCommitRecord(std::string* log, std::uint32_t records, std::uint64_t seq);
  Result<void> LogEmptyCommit(std::uint64_t seq);
  std::vector<std::size_t> AppendLooseRecords(std::string* log);
  void Link(std::string* log, const std::vector<std::size_t>& loose, std::uint64_t seq);
  void Finish(std::uint64_t seq);

  // Rules of order. True: take it.
  enum class Verdict { kTake, kTakeLoose, kRefuse };
  Verdict Judge(std::uint32_t series, std::int64_t t, std::uint64_t bits, bool histogram);
  void Stage(HeadBatch* batch);
  void JudgeRow(const RowView& row, std::string* out);
  void StageRow(Layout& layout, std::uint32_t id, std::int64_t t, std::uint32_t columns, std::uint32_t samples, std::size_t offset);
  void StageLoose(LooseSample sample);
  Touched& Touch(std::uint32_t layout);
  void Undo();

  void SealFull(std::uint64_t seq);
  Result<void> SealLayout(std::uint32_t id, std::uint64_t seq, bool all);
  Result<void> SealLoose(std::uint64_t seq);
  Result<Position> WriteGroup(const std::string& bytes);
  Result<void> Publish(std::uint64_t seq);
  Result<void> StartTable(std::uint64_t seq);
  Result<void> RepairSlots();
  ExtentState Extents(std::uint64_t seq) const;

  std::string_view LogBytes(Position at) const;  // from there to what is known to be written
  std::string_view GroupBytes(Position at) const;
  std::optional<RowView> ReadRow(Position at) const;
  std::optional<LastSample> LastInLayout(const Layout& layout, std::uint32_t slot) const;
  std::shared_ptr<MappedFile> MapNumbered(std::map<std::uint32_t, std::shared_ptr<MappedFile>>* files, std::string_view stem, std::uint32_t n) const;
  void Warn(std::string text);

  Io& io_;
  std::string dir_;
  std::uint64_t epoch_;
  std::shared_ptr<ControlPage> control_;
  HeadOptions options_;
  HeadWriter* previous_ = nullptr;
  HeadCounters counters_;
  std::vector<std::string> warnings_;

  std::shared_ptr<File> series_file_, layouts_file_, homes_file_, homes_more_file_, tiles_file_, log_file_, chunks_file_;
  SeriesTable series_;
  std::vector<Home> homes_;
  std::vector<Home> homes_more_;
  std::vector<std::uint32_t> dirty_homes_, dirty_homes_more_;
  std::vector<Layout> layouts_;
  std::vector<chunk::EncoderHint> hints_;  // by series, grown when sealing
  std::string pending_layouts_;
  std::uint64_t layouts_bytes_ = kFileHeaderSize;

  mutable std::map<std::uint32_t, std::shared_ptr<MappedFile>> logs_, chunks_;
  std::uint32_t segment_ = 0, first_segment_ = 1;
  std::uint64_t log_offset_ = 0;      // where the next batch goes
  std::uint32_t chunks_number_ = 0;
  std::uint64_t chunks_offset_ = 0;
  bool log_failed_ = false, chunks_failed_ = false, keep_log_ = false;
  std::optional<Error> broken_;       // definitions that could not be synced: no more commits

  // Loose samples that are only in the log yet.
  std::vector<LooseSample> pending_loose_;
  Position loose_row_, loose_group_;
  std::uint32_t loose_segment_ = 0;   // of the oldest pending one; 0: none
  std::int64_t loose_min_ = kMaxTimeMs, loose_max_ = kMinTimeMs;
  std::unordered_map<std::uint32_t, LastSample> loose_last_;
  std::uint8_t loose_slot_ = 1;
  std::vector<Position> old_loose_groups_;  // sealed before this object was opened

  HeadExtras extras_;
  ExtentState extents_;
  std::uint8_t extent_slot_ = 1;
  std::uint32_t table_layouts_ = 0;  // the first ones, which have an entry in the table

  // Of the commit in work.
  std::vector<Touched> touched_;
  std::vector<std::pair<std::uint32_t, std::optional<LastSample>>> undo_loose_last_;
  Before undo_;
  bool loose_rewrite_ = false;      // publish the loose chain though nothing changed
  std::size_t sealed_loose_ = 0;    // oldest pending samples that this commit has sealed
  std::string scratch_;
  std::string* staging_ = nullptr;  // what goes to the log: the batch's rows, or scratch_ when some were refused
  std::vector<std::uint64_t> to_repair_;  // offsets of tile slots to be zeroed

  std::int64_t min_t_ = kMaxTimeMs, max_t_ = kMinTimeMs, min_valid_ = kMinTimeMs, horizon_ = kMaxTimeMs;
  std::uint64_t next_seq_ = 1, durable_seq_ = 0;
  std::uint64_t logged_seq_ = 0;  // of the newest commit record; 0: of an earlier process
  bool dir_dirty_ = false, series_dirty_ = false, layouts_dirty_ = false, log_dirty_ = false, chunks_dirty_ = false;
  std::vector<std::shared_ptr<File>> older_dirty_;  // full log and chunk files not synced yet
};

}  // namespace prom::store
