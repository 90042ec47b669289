// HeadWriter: files, sealing, syncing.
#include <algorithm>

#include "base/lost_pages.h"
#include "store/head_group.h"
#include "store/head_writer.h"

namespace prom::store {

Result<std::shared_ptr<File>> HeadWriter::CreateFile(const std::string& name, std::string_view magic) {
  // The number is not published yet, so nobody maps what a failed attempt left there.
  PROM_ASSIGN(auto file, io_.Open(JoinPath(dir_, name), Io::Mode::kTruncate));
  PROM_TRY(file->WriteAt(0, FileHeader(magic)));
  dir_dirty_ = true;
  return std::shared_ptr<File>(std::move(file));
}

Result<void> HeadWriter::StartSegment(std::uint64_t valid_seq) {
  PROM_ASSIGN(auto file, CreateFile("log-" + std::to_string(segment_ + 1), kLogMagic));
  // What older segments hold behind the newest published batch is void: a writer
  // that was killed may have left a batch there that nobody saw.
  char record[kSegmentRecordBytes] = {};
  InitRecord(record, RecordType::kSegment, 0, kSegmentRecordBytes);
  StoreLe<std::uint64_t>(record + kRecordHead, valid_seq);
  FinishRecord(record, control_->committed_seq());
  PROM_TRY(file->WriteAt(kFileHeaderSize, {record, sizeof record}));
  if (log_file_ != nullptr && log_dirty_ && !log_failed_) older_dirty_.push_back(log_file_);
  log_file_ = std::move(file);
  ++segment_;
  log_offset_ = kFileHeaderSize + kSegmentRecordBytes;
  log_dirty_ = true;
  log_failed_ = false;
  return {};
}

Result<void> HeadWriter::StartChunks() {
  PROM_ASSIGN(auto file, CreateFile("chunks-" + std::to_string(chunks_number_ + 1), kChunksMagic));
  if (chunks_file_ != nullptr && chunks_dirty_ && !chunks_failed_) older_dirty_.push_back(chunks_file_);
  chunks_file_ = std::move(file);
  ++chunks_number_;
  chunks_offset_ = kFileHeaderSize;
  chunks_failed_ = false;
  return {};
}

Result<Position> HeadWriter::WriteGroup(const std::string& bytes) {
  if (chunks_file_ == nullptr || chunks_failed_ || chunks_offset_ > options_.segment_bytes) PROM_TRY(StartChunks());
  PROM_TRY(chunks_file_->WriteAt(chunks_offset_, bytes));
  const Position at{chunks_offset_, chunks_number_};
  chunks_offset_ += bytes.size();
  chunks_dirty_ = true;
  counters_.chunk_bytes += bytes.size();
  ++counters_.sealed_groups;
  return at;
}

Result<void> HeadWriter::SealLayout(std::uint32_t id, std::uint64_t seq, bool all) {
  Touched& touched = Touch(id);
  Layout& layout = layouts_[id];
  const std::uint32_t tile = TileRows(layout_columns(id));
  std::vector<RowView> rows;
  std::string group;
  while (true) {
    const std::size_t left = layout.open.size() - touched.sealed;
    if (left == 0 || (!all && left < tile)) return {};
    rows.clear();
    std::uint32_t columns = 0;
    for (std::size_t i = 0; i < std::min<std::size_t>(left, tile); ++i) {
      const auto row = ReadRow(layout.open[touched.sealed + i].at);
      if (!row) return Error{Errc::kIo, dir_ + ": log record at " + std::to_string(layout.open[touched.sealed + i].at.offset) + " cannot be read back"};
      columns = std::max(columns, row->columns);
      rows.push_back(*row);
    }
    // The values of log records are taken here without their checksums.
    const std::uint64_t lost = LostPageCount();
    hints_.resize(series_.size());
    group.clear();
    AppendRowGroup(rows, id, columns, layout.group, seq, layout.series, &hints_, &group);
    if (LostPageCount() != lost) return LostPageError();
    PROM_ASSIGN(layout.group, WriteGroup(group));
    touched.sealed += rows.size();
  }
}

Result<void> HeadWriter::SealLoose(std::uint64_t seq) {
  while (sealed_loose_ < pending_loose_.size()) {
    const std::size_t n = std::min<std::size_t>(pending_loose_.size() - sealed_loose_, chunk::kMaxValues);
    const auto first = pending_loose_.begin() + static_cast<std::ptrdiff_t>(sealed_loose_);
    std::vector<LooseSample> samples(first, first + static_cast<std::ptrdiff_t>(n));
    std::string group;
    AppendLooseGroup(&samples, loose_group_, seq, &group);
    PROM_ASSIGN(loose_group_, WriteGroup(group));
    sealed_loose_ += n;
  }
  return {};
}

// A tile that cannot be sealed now stays open: it is in the log, and the next commit tries again.
void HeadWriter::SealFull(std::uint64_t seq) {
  for (std::size_t i = 0; i < touched_.size(); ++i) {
    const std::uint32_t id = touched_[i].layout;
    if (layouts_[id].open.size() < TileRows(layout_columns(id))) continue;
    if (!SealLayout(id, seq, false)) ++counters_.seal_failures;
  }
  if (pending_loose_.size() >= options_.max_pending_loose && !SealLoose(seq)) ++counters_.seal_failures;
}

Result<void> HeadWriter::Seal(bool all) {
  if (broken_) return *broken_;
  PROM_TRY(RepairSlots());
  HeadBatch nothing;
  Stage(&nothing);
  const std::uint64_t seq = next_seq_;
  const auto old = [&](std::uint32_t segment) { return all || (segment != 0 && segment + 1 < segment_); };
  Result<void> done;
  for (std::uint32_t id = 0; id < layouts_.size() && done; ++id) {
    const Layout& layout = layouts_[id];
    if (!layout.open.empty() && old(layout.open.front().at.file)) done = SealLayout(id, seq, true);
  }
  if (done && !pending_loose_.empty() && old(loose_segment_)) done = SealLoose(seq);
  const bool sealed = !touched_.empty() || sealed_loose_ != 0;
  if (done && sealed) done = LogEmptyCommit(seq);
  if (done && sealed) done = Publish(seq);
  if (!done) {
    Undo();
    ++next_seq_;
    return done;
  }
  if (sealed) {
    log_offset_ += kCommitRecordBytes;
    logged_seq_ = seq;
    Finish(seq);
  }
  return {};
}

HeadWriter::SyncJob HeadWriter::PrepareSync() {
  SyncJob job;
  job.seq = control_->committed_seq();
  const auto add = [&](const std::shared_ptr<File>& file, bool data) {
    if (file != nullptr) job.files.emplace_back(file, data);
  };
  // Definitions first: rows without them mean nothing.
  if (series_dirty_) add(series_file_, false);
  if (layouts_dirty_) add(layouts_file_, false);
  for (const auto& file : older_dirty_) add(file, true);
  if (chunks_dirty_) add(chunks_file_, true);
  if (log_dirty_) add(log_file_, true);
  if (extras_.dirty()) add(extras_.file(), true);
  job.sync_dir = dir_dirty_ || extras_.new_file();
  series_dirty_ = layouts_dirty_ = chunks_dirty_ = log_dirty_ = dir_dirty_ = false;
  older_dirty_.clear();
  extras_.Synced();
  job.needed_segment = segment_;
  for (const Layout& layout : layouts_)
    if (!layout.open.empty()) job.needed_segment = std::min(job.needed_segment, layout.open.front().at.file);
  if (loose_segment_ != 0) job.needed_segment = std::min(job.needed_segment, loose_segment_);
  return job;
}

void HeadWriter::RunSync(SyncJob* job) {
  for (job->failed = 0; job->failed < job->files.size(); ++job->failed) {
    job->result = job->files[job->failed].first->Sync();
    if (!job->result) return;
  }
  if (job->sync_dir) job->result = io_.SyncDir(dir_);
}

Result<void> HeadWriter::FinishSync(SyncJob* job) {
  if (job->result) {
    durable_seq_ = std::max(durable_seq_, job->seq);
    if (keep_log_ || job->needed_segment <= first_segment_ || broken_ || !RepairSlots()) return {};
    // Published first: a reader that misses a segment then knows that its state is old.
    const std::uint32_t old = first_segment_;
    first_segment_ = job->needed_segment;
    HeadBatch nothing;
    Stage(&nothing);
    if (!Publish(next_seq_)) {
      first_segment_ = old;
      ++next_seq_;
      return {};  // tried again after the next sync
    }
    Finish(next_seq_);
    for (std::uint32_t n = old; n < first_segment_; ++n) {
      logs_.erase(n);
      (void)io_.Remove(JoinPath(dir_, "log-" + std::to_string(n)));  // one that stays goes with the epoch
    }
    return {};
  }
  // A failed fsync may have dropped pages while calling them clean: that file is
  // never trusted again. What is still in the page cache is written a second time:
  // open rows as groups of a new file, and the log goes on in a new segment.
  if (job->failed < job->files.size() && !job->files[job->failed].second) {
    broken_ = job->result.error().Wrap("series and layouts could not be synced: ");
    return job->result;
  }
  dir_dirty_ = dir_dirty_ || job->sync_dir;
  for (std::size_t i = job->failed; i < job->files.size(); ++i) {
    const auto& file = job->files[i].first;
    if (file == log_file_) log_failed_ = true;
    else if (file == chunks_file_) chunks_failed_ = keep_log_ = true;
    else if (i != job->failed) older_dirty_.push_back(file);
    else keep_log_ = true;
  }
  chunks_failed_ = chunks_file_ != nullptr;  // the copies go to a file without a past
  PROM_TRY(Seal(true));
  return job->result;
}

Result<void> HeadWriter::SyncDerived() {
  for (const auto& file : {homes_more_file_, homes_file_, tiles_file_}) PROM_TRY(file->Sync());
  return {};
}

void HeadWriter::CopyMetadata(const HeadWriter& from) {
  for (const auto& [metric, metadata] : from.extras_.metadata()) extras_.SetMetadata(metric, metadata);
}

void HeadWriter::Warn(std::string text) {
  ++counters_.damaged;
  if (warnings_.size() < 100) warnings_.push_back(std::move(text));
}

}  // namespace prom::store
