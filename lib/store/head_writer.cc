// Definitions and commits. Opening is in head_open.cc, sealing and syncing in head_seal.cc.
#include "store/head_writer.h"

#include <algorithm>
#include <bit>

#include "base/hash.h"
#include "base/lost_pages.h"
#include "store/head_group.h"
#include "store/head_reader.h"
#include "store/recovery.h"

namespace prom::store {

namespace {
// The file number of rows that are not written yet: offset is that in *staging_.
constexpr std::uint32_t kStaged = 0xffffffff;
}  // namespace

std::uint32_t HeadWriter::SeriesId(std::string_view label_bytes, std::uint64_t hash) {
  if (const auto id = series_.Find(label_bytes, hash)) return *id;
  homes_.emplace_back();
  return series_.Add(label_bytes, hash);
}

void HeadWriter::AddHome(std::uint32_t series, std::uint32_t layout, std::uint32_t slot) {
  Home& home = homes_[series];
  dirty_homes_.push_back(series);
  if (home.layout == kNoLayout) {
    home.layout = layout;
    home.slot = slot;
    return;
  }
  // The first membership stays in the entry, further ones are chained behind it, newest first.
  homes_more_.push_back({layout, slot, home.more});
  home.more = static_cast<std::uint32_t>(homes_more_.size());
  dirty_homes_more_.push_back(home.more - 1);
  std::vector<std::uint32_t> others = {home.layout};
  for (std::uint32_t m = homes_more_.back().more; m != 0; m = homes_more_[m - 1].more) others.push_back(homes_more_[m - 1].layout);
  for (const std::uint32_t other : others) {
    if (other == layout) continue;
    auto& mine = layouts_[layout].siblings;
    if (std::find(mine.begin(), mine.end(), other) == mine.end()) {
      mine.push_back(other);
      layouts_[other].siblings.push_back(layout);
    }
    layouts_[layout].foreign_t = std::max(layouts_[layout].foreign_t, layouts_[other].last_t);
  }
}

std::optional<std::uint32_t> HeadWriter::SlotIn(std::uint32_t layout, std::uint32_t series) const {
  const Home& home = homes_[series];
  if (home.layout == layout) return home.slot;
  for (std::uint32_t m = home.more; m != 0; m = homes_more_[m - 1].more)
    if (homes_more_[m - 1].layout == layout) return homes_more_[m - 1].slot;
  return std::nullopt;
}

std::uint32_t HeadWriter::TakeLayout(std::span<const std::uint32_t> series, std::vector<std::uint32_t>* slots) {
  // The free layout in which most of the series live, unless most of it would stay empty.
  std::unordered_map<std::uint32_t, std::uint32_t> votes;
  for (const std::uint32_t s : series) {
    const Home& home = homes_[s];
    if (home.layout != kNoLayout && !layouts_[home.layout].owned) ++votes[home.layout];
    for (std::uint32_t m = home.more; m != 0; m = homes_more_[m - 1].more)
      if (!layouts_[homes_more_[m - 1].layout].owned) ++votes[homes_more_[m - 1].layout];
  }
  std::uint32_t best = kNoLayout, best_votes = 0;
  for (const auto& [layout, count] : votes) {
    if (layout_columns(layout) > 2 * count) continue;
    if (count > best_votes || (count == best_votes && layout > best)) {
      best = layout;
      best_votes = count;
    }
  }
  if (best == kNoLayout || best_votes * 2 < series.size()) {
    best = static_cast<std::uint32_t>(layouts_.size());
    layouts_.emplace_back();
    // Samples that are loose, or of a past life of this process, count for order too.
    if (loose_max_ >= loose_min_) layouts_.back().foreign_t = loose_max_;
  }
  layouts_[best].owned = true;
  ExtendLayout(best, series, slots);
  return best;
}

void HeadWriter::ExtendLayout(std::uint32_t layout, std::span<const std::uint32_t> series, std::vector<std::uint32_t>* slots) {
  const std::uint32_t first = layout_columns(layout);
  std::vector<std::uint32_t> added;
  for (const std::uint32_t s : series) {
    if (const auto slot = SlotIn(layout, s)) {
      slots->push_back(*slot);
      continue;
    }
    const auto slot = static_cast<std::uint32_t>(first + added.size());
    added.push_back(s);
    slots->push_back(slot);
    AddHome(s, layout, slot);
    if (const auto it = loose_last_.find(s); it != loose_last_.end()) layouts_[layout].foreign_t = std::max(layouts_[layout].foreign_t, it->second.t);
  }
  if (added.empty()) return;
  auto& columns = layouts_[layout].series;
  columns.insert(columns.end(), added.begin(), added.end());
  AppendLayoutRecord(layout, first, added.data(), static_cast<std::uint32_t>(added.size()), &pending_layouts_);
}

// ---- Rules of order -------------------------------------------------------

std::optional<RowView> HeadWriter::ReadRow(Position at) const {
  const std::string_view head = LogBytes(at);
  if (head.size() < kRowHead) return std::nullopt;
  const auto size = LoadLe<std::uint32_t>(head.data() + kRecordLenAt);
  if (size > head.size() || BytesLost(head)) return std::nullopt;
  // Written or checked by this process; parsed without the checksum.
  RecordView r;
  r.p = head.data();
  r.size = size;
  r.type = RecordType::kRow;
  r.flags = static_cast<std::uint8_t>(head[kRecordFlagsAt]);
  return ParseRow(r);
}

std::string_view HeadWriter::LogBytes(Position at) const {
  if (at.file == kStaged) return std::string_view(*staging_).substr(at.offset);
  const auto file = MapNumbered(&logs_, "log-", at.file);
  if (file == nullptr) return {};
  const std::string_view head = file->At(at.offset, kRecordHead);
  if (head.empty()) return {};
  return file->At(at.offset, LoadLe<std::uint32_t>(head.data() + kRecordLenAt));
}

std::string_view HeadWriter::GroupBytes(Position at) const {
  const auto file = MapNumbered(&chunks_, "chunks-", at.file);
  if (file == nullptr) return {};
  const std::string_view head = file->At(at.offset, kGroupHeaderBytes);
  if (head.empty()) return {};
  const auto header = ParseGroupHeader(head);
  return header ? file->At(at.offset, header->size) : std::string_view();
}

std::shared_ptr<MappedFile> HeadWriter::MapNumbered(NumberedFiles* files, std::string_view stem, std::uint32_t n) const {
  auto& entry = (*files)[n];
  if (entry == nullptr) {
    auto opened = MappedFile::Open(io_, JoinPath(dir_, std::string(stem) + std::to_string(n)), kSegmentBytes);
    if (!opened) return nullptr;
    entry = std::move(*opened);
  }
  return entry;
}

std::optional<LastSample> HeadWriter::LastInLayout(const Layout& layout, std::uint32_t slot) const {
  for (auto it = layout.open.rbegin(); it != layout.open.rend(); ++it) {
    const auto row = ReadRow(it->at);
    if (row && row->Present(slot)) return LastSample{row->t, std::bit_cast<std::uint64_t>(row->Value(slot)), false};
  }
  std::array<double, kMaxTileRows> values;
  std::array<std::uint8_t, kMaxTileRows / 8> mask;
  std::vector<std::int64_t> times;
  for (Position at = layout.group; at.valid();) {
    const auto group = RowGroup::Parse(GroupBytes(at));
    if (!group) break;  // damaged: rows from here on cannot be compared with; readers tell
    std::uint32_t count = 0;
    bool no_resets = false;
    times.clear();
    if (group->Column(slot, values.data(), &count, mask.data(), &no_resets) && count != 0 && group->Times(&times)) {
      std::uint32_t row = group->header().rows - 1;
      if (count < group->header().rows)
        while (((mask[row / 8] >> (row % 8)) & 1) == 0) --row;
      return LastSample{times[row], std::bit_cast<std::uint64_t>(values[count - 1]), false};
    }
    at = group->header().prev;
  }
  return std::nullopt;
}

std::optional<LastSample> HeadWriter::Last(std::uint32_t series) const {
  std::optional<LastSample> best;
  const auto consider = [&](const std::optional<LastSample>& s) {
    if (s && (!best || s->t > best->t)) best = s;
  };
  if (const auto it = loose_last_.find(series); it != loose_last_.end()) {
    consider(it->second);
  } else {
    // Sealed before this process opened the epoch.
    std::vector<LooseSample> samples;
    for (const Position at : old_loose_groups_) {
      const auto group = LooseGroup::Parse(GroupBytes(at));
      samples.clear();
      if (!group || !group->Read(series, &samples) || samples.empty()) continue;
      const LooseSample& s = samples.back();
      consider(LastSample{s.t, s.histogram.empty() ? std::bit_cast<std::uint64_t>(s.v) : Xxh3(s.histogram), !s.histogram.empty()});
    }
  }
  const Home& home = homes_[series];
  if (home.layout != kNoLayout) {
    consider(LastInLayout(layouts_[home.layout], home.slot));
    for (std::uint32_t m = home.more; m != 0; m = homes_more_[m - 1].more) consider(LastInLayout(layouts_[homes_more_[m - 1].layout], homes_more_[m - 1].slot));
  }
  if (previous_ != nullptr && (!best || best->t <= previous_->max_t())) {
    const std::string_view labels = series_.LabelBytes(series);
    consider(previous_->LastOf(labels, XxHash64(labels)));
  }
  return best;
}

std::optional<LastSample> HeadWriter::LastOf(std::string_view label_bytes, std::uint64_t hash) const {
  const auto id = series_.Find(label_bytes, hash);
  return id ? Last(*id) : std::nullopt;
}

HeadWriter::Verdict HeadWriter::Judge(std::uint32_t series, std::int64_t t, std::uint64_t bits, bool histogram) {
  if (t < min_valid_) {
    ++counters_.too_old;
    return Verdict::kRefuse;
  }
  auto last = Last(series);
  bool behind_stray = false;
  if (last && last->t > horizon_ && t <= horizon_) {
    // A clock was wrong once. Upstream then refuses the series until the time has come;
    // here what follows is taken as if that sample were not there, beside its layout.
    behind_stray = true;
    const auto loose = loose_last_.find(series);
    last = loose != loose_last_.end() && loose->second.t <= horizon_ ? std::optional(loose->second) : std::nullopt;
  }
  if (!last || t > last->t) return behind_stray ? Verdict::kTakeLoose : Verdict::kTake;
  if (t == last->t) {
    if (bits == last->bits && histogram == last->is_histogram) ++counters_.repeated;
    else ++counters_.duplicates;
    return Verdict::kRefuse;
  }
  // As upstream, the window is counted from the newest sample of all series; one from a
  // clock that runs ahead does not count.
  if (options_.out_of_order_window_ms > 0 && t >= std::max(std::min(max_t_, horizon_), last->t) - options_.out_of_order_window_ms) {
    ++counters_.out_of_order_accepted;
    return Verdict::kTakeLoose;
  }
  ++counters_.out_of_order;
  return Verdict::kRefuse;
}

// ---- Commit ---------------------------------------------------------------

HeadWriter::Touched& HeadWriter::Touch(std::uint32_t id) {
  Layout& layout = layouts_[id];
  if (layout.touched == 0) {
    touched_.push_back({id, layout.open.size(), 0, layout.last_t, layout.min_t, layout.max_t, layout.row_columns, layout.group});
    layout.touched = touched_.size();
  }
  return touched_[layout.touched - 1];
}

void HeadWriter::StageRow(Layout& layout, std::uint32_t id, std::int64_t t, std::uint32_t columns, std::uint32_t samples, std::size_t offset) {
  Touch(id);
  layout.open.push_back({{offset, kStaged}, t});
  layout.last_t = t;
  layout.min_t = std::min(layout.min_t, t);
  layout.max_t = std::max(layout.max_t, t);
  layout.row_columns = columns;
  min_t_ = std::min(min_t_, t);
  max_t_ = std::max(max_t_, t);
  for (const std::uint32_t other : layout.siblings) layouts_[other].foreign_t = std::max(layouts_[other].foreign_t, t);
  counters_.appended += samples;
}

void HeadWriter::StageLoose(LooseSample sample) {
  const bool histogram = !sample.histogram.empty();
  const LastSample now{sample.t, histogram ? Xxh3(sample.histogram) : std::bit_cast<std::uint64_t>(sample.v), histogram};
  const auto it = loose_last_.find(sample.series);
  undo_loose_last_.emplace_back(sample.series, it == loose_last_.end() ? std::nullopt : std::optional(it->second));
  if (it == loose_last_.end()) {
    // Older loose samples may be in groups that are not in the map.
    auto newest = now;
    if (!old_loose_groups_.empty())
      if (const auto last = Last(sample.series); last && last->t > now.t) newest = *last;
    loose_last_.emplace(sample.series, newest);
  } else if (it->second.t <= now.t || (it->second.t > horizon_ && now.t <= horizon_)) {
    it->second = now;
  }
  const Home& home = homes_[sample.series];
  if (home.layout != kNoLayout) {
    layouts_[home.layout].foreign_t = std::max(layouts_[home.layout].foreign_t, sample.t);
    for (std::uint32_t m = home.more; m != 0; m = homes_more_[m - 1].more) {
      auto& bound = layouts_[homes_more_[m - 1].layout].foreign_t;
      bound = std::max(bound, sample.t);
    }
  }
  loose_min_ = std::min(loose_min_, sample.t);
  loose_max_ = std::max(loose_max_, sample.t);
  min_t_ = std::min(min_t_, sample.t);
  max_t_ = std::max(max_t_, sample.t);
  ++counters_.appended;
  if (histogram) ++counters_.appended_histograms;
  pending_loose_.push_back(std::move(sample));
}

void HeadWriter::JudgeRow(const RowView& row, std::string* out) {
  Layout& layout = layouts_[row.layout];
  const bool newer = row.t > layout.last_t;
  std::vector<std::uint64_t> words((row.columns + 63) / 64, 0);
  std::vector<double> kept;
  const char* next = row.values;
  for (std::uint32_t slot = 0; slot < row.columns; ++slot) {
    if (!row.Present(slot)) continue;
    const auto v = LoadLe<double>(next);
    next += 8;
    const std::uint32_t series = layout.series[slot];
    if (series == kNoLayout) continue;  // a column lost to damage; no appender was given it
    const Verdict verdict = Judge(series, row.t, std::bit_cast<std::uint64_t>(v), false);
    if (verdict == Verdict::kRefuse) continue;
    if (verdict == Verdict::kTake && newer) {
      words[slot / 64] |= std::uint64_t{1} << (slot % 64);
      kept.push_back(v);
    } else {
      StageLoose({series, row.t, 0, v, {}});
    }
  }
  if (kept.empty()) return;
  const std::size_t at = out->size();
  const std::size_t size = kRowHead + 8 * words.size() + 8 * kept.size();
  out->resize(at + size);
  char* p = out->data() + at;
  InitRecord(p, RecordType::kRow, kRecordBitmap, static_cast<std::uint32_t>(size));
  StoreLe<std::uint32_t>(p + kRowLayoutAt, row.layout);
  StoreLe<std::uint32_t>(p + kRowColumnsAt, row.columns);
  StoreLe<std::int64_t>(p + kRowTimeAt, row.t);
  StoreLe<std::uint32_t>(p + kRowValuesAt, static_cast<std::uint32_t>(kept.size()));
  std::memcpy(p + kRowHead, words.data(), 8 * words.size());
  std::memcpy(p + kRowHead + 8 * words.size(), kept.data(), 8 * kept.size());
  StageRow(layout, row.layout, row.t, row.columns, static_cast<std::uint32_t>(kept.size()), at);
}

void HeadWriter::Stage(HeadBatch* batch) {
  touched_.clear();
  undo_loose_last_.clear();
  undo_ = {counters_, pending_loose_.size(), loose_row_, loose_group_, loose_segment_, loose_min_, loose_max_, min_t_, max_t_};
  sealed_loose_ = 0;
  scratch_.clear();
  staging_ = &batch->rows;
  const std::int64_t floor = std::max(min_valid_ == kMinTimeMs ? kMinTimeMs : min_valid_ - 1, previous_ != nullptr ? previous_->max_t() : kMinTimeMs);
  for (std::size_t at = 0; at < batch->rows.size();) {
    const char* record = batch->rows.data() + at;
    const auto size = LoadLe<std::uint32_t>(record + kRecordLenAt);
    const auto id = LoadLe<std::uint32_t>(record + kRowLayoutAt);
    const auto t = LoadLe<std::int64_t>(record + kRowTimeAt);
    Layout& layout = layouts_[id];
    // The usual case: nothing of these series is newer or as new.
    if (t > layout.last_t && t > layout.foreign_t && t > floor) {
      std::size_t offset = at;
      if (staging_ == &scratch_) {
        offset = scratch_.size();
        scratch_.append(record, size);
      }
      StageRow(layout, id, t, LoadLe<std::uint32_t>(record + kRowColumnsAt), LoadLe<std::uint32_t>(record + kRowValuesAt), offset);
    } else {
      if (staging_ != &scratch_) {  // from here on the log gets other bytes than the batch
        scratch_.assign(batch->rows, 0, at);
        staging_ = &scratch_;
      }
      RecordView r;
      r.p = record;
      r.size = size;
      r.type = RecordType::kRow;
      r.flags = static_cast<std::uint8_t>(record[kRecordFlagsAt]);
      JudgeRow(ParseRow(r), &scratch_);
    }
    at += size;
  }
  for (const LooseSample& s : batch->loose) {
    const bool histogram = !s.histogram.empty();
    const Verdict verdict = Judge(s.series, s.t, histogram ? Xxh3(s.histogram) : std::bit_cast<std::uint64_t>(s.v), histogram);
    if (verdict != Verdict::kRefuse) StageLoose(s);
  }
}

void HeadWriter::Undo() {
  for (const Touched& touched : touched_) {
    Layout& layout = layouts_[touched.layout];
    layout.open.resize(touched.open);
    layout.last_t = touched.last_t;
    layout.min_t = touched.min_t;
    layout.max_t = touched.max_t;
    layout.row_columns = touched.row_columns;
    layout.group = touched.group;
    layout.touched = 0;
  }
  touched_.clear();
  for (auto it = undo_loose_last_.rbegin(); it != undo_loose_last_.rend(); ++it) {
    if (it->second) loose_last_[it->first] = *it->second;
    else loose_last_.erase(it->first);
  }
  undo_loose_last_.clear();
  pending_loose_.resize(undo_.pending);
  loose_row_ = undo_.loose_row;
  loose_group_ = undo_.loose_group;
  loose_segment_ = undo_.loose_segment;
  loose_min_ = undo_.loose_min;
  loose_max_ = undo_.loose_max;
  min_t_ = undo_.min_t;
  max_t_ = undo_.max_t;
  sealed_loose_ = 0;
  const HeadCounters now = counters_;
  counters_ = undo_.counters;
  counters_.failed_commits = now.failed_commits;
  counters_.seal_failures = now.seal_failures;
}

// Records of the loose samples staged in this commit; their offsets in *log.
std::vector<std::size_t> HeadWriter::AppendLooseRecords(std::string* log) {
  std::vector<std::size_t> offsets;
  for (std::size_t i = undo_.pending; i < pending_loose_.size();) {
    const std::size_t at = log->size();
    offsets.push_back(at);
    const LooseSample& first = pending_loose_[i];
    if (!first.histogram.empty()) {
      const std::size_t size = Pad8(kHistHead + first.histogram.size());
      log->resize(at + size, '\0');
      char* p = log->data() + at;
      InitRecord(p, RecordType::kHistogram, 0, static_cast<std::uint32_t>(size));
      StoreLe<std::uint32_t>(p + kHistSeriesAt, first.series);
      StoreLe<std::int64_t>(p + kHistTimeAt, first.t);
      StoreLe<std::int64_t>(p + kHistStartAt, first.st);
      StoreLe<std::uint32_t>(p + kHistSizeAt, static_cast<std::uint32_t>(first.histogram.size()));
      std::memcpy(p + kHistHead, first.histogram.data(), first.histogram.size());
      ++i;
      continue;
    }
    std::size_t end = i;
    bool start = false;
    for (; end < pending_loose_.size() && pending_loose_[end].histogram.empty(); ++end) start |= pending_loose_[end].st != 0;
    const std::size_t each = start ? 32 : 24, size = kLooseHead + each * (end - i);
    log->resize(at + size, '\0');
    char* p = log->data() + at;
    InitRecord(p, RecordType::kLoose, start ? kRecordStart : 0, static_cast<std::uint32_t>(size));
    StoreLe<std::uint32_t>(p + kLooseCountAt, static_cast<std::uint32_t>(end - i));
    for (p += kLooseHead; i < end; ++i, p += each) {
      const LooseSample& s = pending_loose_[i];
      StoreLe<std::uint32_t>(p, s.series);
      StoreLe<std::int64_t>(p + 8, s.t);
      StoreLe<double>(p + 16, s.v);
      if (start) StoreLe<std::int64_t>(p + 24, s.st);
    }
  }
  return offsets;
}

// Back pointers and checksums, now that it is known where the bytes will stand.
void HeadWriter::Link(std::string* log, const std::vector<std::size_t>& loose, std::uint64_t seq) {
  for (const Touched& touched : touched_) {
    auto& open = layouts_[touched.layout].open;
    for (std::size_t k = touched.open; k < open.size(); ++k) {
      char* p = log->data() + open[k].at.offset;
      const Position prev = k > 0 ? open[k - 1].at : Position{};
      StoreLe<std::uint64_t>(p + kRowPrevAt, prev.offset);
      StoreLe<std::uint32_t>(p + kRowPrevFileAt, prev.file);
      FinishRecord(p, seq);
      open[k].at = {log_offset_ + open[k].at.offset, segment_};
    }
  }
  for (const std::size_t at : loose) {
    char* p = log->data() + at;
    StoreLe<std::uint64_t>(p + kLoosePrevAt, loose_row_.offset);
    StoreLe<std::uint32_t>(p + kLoosePrevFileAt, loose_row_.file);
    FinishRecord(p, seq);
    loose_row_ = {log_offset_ + at, segment_};
    if (loose_segment_ == 0) loose_segment_ = segment_;
  }
}

Result<std::uint64_t> HeadWriter::Commit(HeadBatch* batch) {
  if (broken_) return *broken_;
  PROM_TRY(RepairSlots());
  Stage(batch);
  for (const auto& [metric, metadata] : batch->metadata) extras_.SetMetadata(metric, metadata);
  for (const auto& [series, exemplar] : batch->exemplars) {
    switch (extras_.AddExemplar(series, exemplar)) {
      case HeadExtras::Outcome::kAdded: ++counters_.exemplars; break;
      case HeadExtras::Outcome::kRepeated: break;
      case HeadExtras::Outcome::kOutOfOrder: ++counters_.exemplars_out_of_order; break;
    }
  }
  const std::size_t batch_rows_bytes = batch->rows.size();
  const std::uint64_t seq = next_seq_;
  auto done = WriteCommit(seq);
  if (staging_ == &batch->rows) batch->rows.resize(batch_rows_bytes);
  if (!done) {
    ++counters_.failed_commits;
    Undo();
    ++next_seq_;  // records of this one may be in the log: its number is burnt
    return std::move(done.error());
  }
  batch->Clear();
  return control_->committed_seq();
}

Result<void> HeadWriter::WriteCommit(std::uint64_t seq) {
  std::string& log = *staging_;
  const bool samples = !touched_.empty() || pending_loose_.size() > undo_.pending;
  PROM_TRY(WriteDefinitions());
  if (samples) {
    const std::vector<std::size_t> loose = AppendLooseRecords(&log);
    std::uint32_t records = static_cast<std::uint32_t>(loose.size());
    for (const Touched& touched : touched_) records += static_cast<std::uint32_t>(layouts_[touched.layout].open.size() - touched.open);
    const std::size_t body = log.size();
    if (body > options_.max_batch_bytes) return Error{Errc::kLimit, "batch of " + std::to_string(body) + " bytes is over the limit of " + std::to_string(options_.max_batch_bytes)};
    AppendCommitRecord(&log, records, seq);
    if (log_file_ == nullptr || log_failed_ || log_offset_ + log.size() > options_.segment_bytes) PROM_TRY(StartSegment(control_->committed_seq()));
    Link(&log, loose, seq);
    PROM_TRY(log_file_->WriteAt(log_offset_, log));
    log_dirty_ = true;
  }
  PROM_TRY(extras_.Write(io_, dir_));
  if (samples) SealFull(seq);
  PROM_TRY(Publish(seq));
  if (samples) {
    log_offset_ += log.size();
    logged_seq_ = seq;
    counters_.log_bytes += log.size();
  }
  Finish(seq);
  return {};
}

// The record that ends a batch, which is all of *log.
void HeadWriter::AppendCommitRecord(std::string* log, std::uint32_t records, std::uint64_t seq) {
  const std::size_t body = log->size();
  log->resize(body + kCommitRecordBytes);
  char* p = log->data() + body;
  InitRecord(p, RecordType::kCommit, 0, kCommitRecordBytes);
  StoreLe<std::uint32_t>(p + kRecordHead, records);
  StoreLe<std::uint32_t>(p + kRecordHead + 4, static_cast<std::uint32_t>(body));
  StoreLe<std::uint64_t>(p + kCommitPrevAt, logged_seq_);
  StoreLe<std::uint64_t>(p + kCommitDurableAt, durable_seq_);
  FinishRecord(p, seq);
}

// A commit that only seals: after a power cut its groups count because the log has its number.
Result<void> HeadWriter::LogEmptyCommit(std::uint64_t seq) {
  if (log_file_ == nullptr || log_failed_) PROM_TRY(StartSegment(control_->committed_seq()));
  std::string record;
  AppendCommitRecord(&record, 0, seq);
  PROM_TRY(log_file_->WriteAt(log_offset_, record));
  log_dirty_ = true;
  return {};
}

// After everything is published: what the next commit starts from.
void HeadWriter::Finish(std::uint64_t seq) {
  for (const Touched& touched : touched_) {
    Layout& layout = layouts_[touched.layout];
    if (touched.sealed != 0) layout.open.erase(layout.open.begin(), layout.open.begin() + static_cast<std::ptrdiff_t>(touched.sealed));
    layout.newest_slot ^= 1;
    layout.touched = 0;
  }
  touched_.clear();
  if (sealed_loose_ != 0) {
    pending_loose_.erase(pending_loose_.begin(), pending_loose_.begin() + static_cast<std::ptrdiff_t>(sealed_loose_));
    sealed_loose_ = 0;
  }
  undo_loose_last_.clear();
  ++counters_.commits;
  next_seq_ = seq + 1;
  extras_.RemoveOld(io_, dir_);
}

Result<void> HeadWriter::WriteDefinitions() {
  if (!series_.pending().empty()) {
    PROM_TRY(series_file_->WriteAt(series_.pending_offset(), series_.pending()));
    series_.Written();
    series_dirty_ = true;
  }
  if (!pending_layouts_.empty()) {
    PROM_TRY(layouts_file_->WriteAt(layouts_bytes_, pending_layouts_));
    layouts_bytes_ += pending_layouts_.size();
    pending_layouts_.clear();
    layouts_dirty_ = true;
  }
  const auto write_homes = [](File& file, const std::vector<Home>& homes, std::vector<std::uint32_t>* dirty) -> Result<void> {
    std::sort(dirty->begin(), dirty->end());
    dirty->erase(std::unique(dirty->begin(), dirty->end()), dirty->end());
    std::string run;
    for (std::size_t i = 0; i < dirty->size();) {
      const std::uint32_t first = (*dirty)[i];
      run.clear();
      for (; i < dirty->size() && (*dirty)[i] == first + run.size() / kHomeBytes; ++i) {
        char entry[kHomeBytes];
        EncodeHome(homes[(*dirty)[i]], (*dirty)[i], entry);
        run.append(entry, kHomeBytes);
      }
      PROM_TRY(file.WriteAt(HomeOffset(first), run));
    }
    dirty->clear();
    return {};
  };
  // Links before what they are linked from.
  if (!dirty_homes_more_.empty()) PROM_TRY(write_homes(*homes_more_file_, homes_more_, &dirty_homes_more_));
  if (!dirty_homes_.empty()) PROM_TRY(write_homes(*homes_file_, homes_, &dirty_homes_));
  return {};
}

Result<void> HeadWriter::RepairSlots() {
  while (!to_repair_.empty()) {
    static constexpr char kZeros[kTileSlotBytes] = {};
    PROM_TRY(tiles_file_->WriteAt(to_repair_.back(), {kZeros, kTileSlotBytes}));
    to_repair_.pop_back();
  }
  return {};
}

Result<void> HeadWriter::Publish(std::uint64_t seq) {
  if (control_->lost()) return Error{Errc::kIo, control_->path() + ": cannot be read or has been cut off; start the writer again"};
  std::vector<std::uint64_t> written;  // offsets
  const bool loose_changed = pending_loose_.size() != undo_.pending || sealed_loose_ != 0 || loose_rewrite_;
  char bytes[kTileSlotBytes];
  const auto write = [&](std::uint32_t entry, std::uint8_t slot) -> Result<void> {
    const std::uint64_t offset = TileEntryOffset(entry) + slot * kTileSlotBytes;
    written.push_back(offset);
    return tiles_file_->WriteAt(offset, {bytes, kTileSlotBytes});
  };
  const auto all = [&]() -> Result<void> {
    // What is published has an entry, whole, so that a table that was cut off shows.
    std::string fresh;
    for (std::uint32_t id = table_layouts_; id < layout_count(); ++id) {
      TileState s = kNoSamples;
      s.seq = seq;
      EncodeTileSlot(s, kFirstLayoutEntry + id, bytes);
      fresh.append(bytes, kTileSlotBytes).append(kTileSlotBytes, '\0');
      written.push_back(TileEntryOffset(kFirstLayoutEntry + id));
    }
    if (!fresh.empty()) PROM_TRY(tiles_file_->WriteAt(TileEntryOffset(kFirstLayoutEntry + table_layouts_), fresh));
    for (const Touched& touched : touched_) {
      const Layout& layout = layouts_[touched.layout];
      TileState s;
      s.seq = seq;
      s.rows = static_cast<std::uint32_t>(layout.open.size() - touched.sealed);
      if (s.rows != 0) s.row = layout.open.back().at;
      s.group = layout.group;
      s.columns = layout.row_columns;
      s.min_t = layout.min_t;
      s.max_t = layout.max_t;
      EncodeTileSlot(s, kFirstLayoutEntry + touched.layout, bytes);
      PROM_TRY(write(kFirstLayoutEntry + touched.layout, layout.newest_slot ^ 1));
    }
    if (loose_changed) {
      TileState s;
      s.seq = seq;
      s.rows = static_cast<std::uint32_t>(pending_loose_.size() - sealed_loose_);
      if (s.rows != 0) s.row = loose_row_;
      s.group = loose_group_;
      s.min_t = loose_min_;
      s.max_t = loose_max_;
      EncodeTileSlot(s, kLooseEntry, bytes);
      PROM_TRY(write(kLooseEntry, loose_slot_ ^ 1));
    }
    return {};
  };
  const ExtentState extents = Extents(seq);
  ExtentState same = extents;
  same.seq = extents_.seq;
  const bool extents_changed = std::memcmp(&same, &extents_, sizeof same) != 0;
  auto done = all();
  if (done && extents_changed) {
    EncodeTileSlot(extents, kExtentEntry, bytes);
    done = write(kExtentEntry, extent_slot_ ^ 1);
  }
  if (!done) {
    // Slots of a refused commit must be gone before a later number makes them visible.
    to_repair_.insert(to_repair_.end(), written.begin(), written.end());
    (void)RepairSlots();  // else the next commit tries again, before anything else
    return done;
  }
  if (written.empty()) return {};  // nothing to see: no new sequence
  for (; table_layouts_ < layout_count(); ++table_layouts_)
    if (layouts_[table_layouts_].touched == 0) layouts_[table_layouts_].newest_slot = 0;
  if (loose_changed) loose_slot_ ^= 1;
  if (extents_changed) {
    extents_ = extents;
    extent_slot_ ^= 1;
  }
  if (pending_loose_.size() == sealed_loose_) {
    loose_row_ = {};
    loose_segment_ = 0;
  }
  control_->set_committed_seq(seq);
  return {};
}

// The entries that a new epoch has before its first batch.
Result<void> HeadWriter::StartTable(std::uint64_t seq) {
  TileState loose = kNoSamples;
  loose.seq = seq;
  extents_ = Extents(seq);
  char entries[2 * kTileEntryBytes] = {};
  EncodeTileSlot(loose, kLooseEntry, entries);
  EncodeTileSlot(extents_, kExtentEntry, entries + kTileEntryBytes);
  loose_slot_ = extent_slot_ = 0;
  return tiles_file_->WriteAt(TileEntryOffset(kLooseEntry), {entries, sizeof entries});
}

ExtentState HeadWriter::Extents(std::uint64_t seq) const {
  ExtentState s;
  s.seq = seq;
  s.series_bytes = series_.pending_offset();
  s.layouts_bytes = layouts_bytes_;
  s.extras_bytes = extras_.bytes();
  s.series = series_.size();
  s.layouts = layout_count();
  s.first_log = first_segment_;
  s.last_log = segment_;
  s.extras = extras_.number();
  s.homes_more = static_cast<std::uint32_t>(homes_more_.size());
  return s;
}

}  // namespace prom::store
