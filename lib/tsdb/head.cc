// Replay, as upstream's tsdb/head_wal.go does it: chunks of chunks_head/ first; then the
// log, of which samples up to a series' last chunk are skipped; a series record with
// labels that are known makes its reference another name of that series; a tombstone
// over all times ends a series.
#include "tsdb/head.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cstdio>

#include "base/time.h"
#include "tsdb/wal_reader.h"

namespace prom::tsdb {
namespace {

constexpr std::string_view kCheckpoint = "checkpoint.";
// References are given out one after the other, so they index an array; those that are
// far beyond the number of series (churn, damage) are kept in a map.
constexpr std::uint64_t kDenseRefs = 1u << 20, kDenseRefsPerSeries = 16;
// Exemplars of a series; upstream keeps a ring of all series' (100,000 by default).
constexpr std::size_t kMaxExemplars = 1000;
// More samples in memory than this after a full replay make the next one full again,
// which moves to chunks what is in chunks_head/ by then.
constexpr std::uint64_t kSlackSamples = 4u << 20;

bool IsNumber(std::string_view s) { return !s.empty() && s.size() <= 18 && s.find_first_not_of("0123456789") == s.npos; }

// Whether a process holds a lock on the file, from /proc/locks: asking the kernel by
// locking would stand in the way of a Prometheus that starts right now.
bool IsLocked(Io& io, const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return false;
  auto locks = ReadFile(io, "/proc/locks");
  if (!locks) return false;
  char id[64];
  std::snprintf(id, sizeof id, " %02x:%02x:%llu ", major(info.st_dev), minor(info.st_dev), static_cast<unsigned long long>(info.st_ino));
  return locks->find(id) != std::string::npos;
}

std::string SegmentPath(const std::string& dir, std::uint64_t number) {
  std::string name = std::to_string(number);
  return JoinPath(dir, std::string(8 - std::min<std::size_t>(8, name.size()), '0') + name);
}

}  // namespace

void HeadColumns::Widen(std::int64_t t_ms) {
  if (min_ms > max_ms) {
    min_ms = max_ms = t_ms;
  } else {
    min_ms = std::min(min_ms, t_ms);
    max_ms = std::max(max_ms, t_ms);
  }
}

void HeadColumns::Add(const RefSample& s) {
  Widen(s.t_ms);
  t.push_back(s.t_ms);
  v.push_back(s.v);
  if (s.st_ms != 0 || !st.empty()) {
    st.resize(t.size() - 1, 0);
    st.push_back(s.st_ms);
  }
}

void HeadColumns::Add(const RefHistogram& s) {
  Widen(s.t_ms);
  histograms.push_back({s.t_ms, s.h});
  if (s.st_ms != 0 || !histogram_st.empty()) {
    histogram_st.resize(histograms.size() - 1, 0);
    histogram_st.push_back(s.st_ms);
  }
}

Result<std::vector<std::uint64_t>> Head::ListSegments(const std::string& dir) const {
  std::vector<std::uint64_t> out;
  auto list = io_.List(dir);
  if (!list) {
    if (list.error().code == Errc::kNotFound) return out;
    return std::move(list.error());
  }
  for (const DirEntry& e : *list)
    if (!e.is_dir && IsNumber(e.name)) out.push_back(std::stoull(e.name));
  std::sort(out.begin(), out.end());
  return out;
}

Result<Head::Log> Head::ListLog(const std::string& name) const {
  Log log;
  log.dir = JoinPath(dir_, name);
  PROM_ASSIGN(log.segments, ListSegments(log.dir));
  auto list = io_.List(log.dir);
  if (!list) return log;
  std::uint64_t newest = 0;
  for (const DirEntry& e : *list) {
    if (!e.is_dir || !e.name.starts_with(kCheckpoint)) continue;
    const std::string_view number = std::string_view(e.name).substr(kCheckpoint.size());
    if (!IsNumber(number)) continue;  // one that is being made: checkpoint.N.tmp
    const std::uint64_t n = std::stoull(std::string(number));
    if (log.checkpoint.empty() || n > newest) {
      newest = n;
      log.checkpoint = JoinPath(log.dir, e.name);
    }
  }
  if (!log.checkpoint.empty()) std::erase_if(log.segments, [&](std::uint64_t n) { return n <= newest; });
  return log;
}

void Head::Reset() {
  series_.clear();
  by_labels_.clear();
  dense_refs_.clear();
  sparse_refs_.clear();
  chunks_.reset();
  metadata_ = std::make_shared<std::map<std::string, Metadata>>();
  wal_ = wbl_ = {};
  samples_ = unknown_ = invalid_ = 0;
  warnings_.clear();
  replayed_once_ = false;
  snapshot_.reset();
}

HeadSeries* Head::Writable(std::uint32_t at) {
  auto& s = series_[at];
  if (s->epoch != epoch_) {
    s = std::make_shared<HeadSeries>(*s);
    s->epoch = epoch_;
  }
  return s.get();
}

std::uint32_t Head::Position1(std::uint64_t ref) {
  std::uint32_t at = 0;
  if (ref < dense_refs_.size()) at = dense_refs_[ref];
  if (at == 0 && !sparse_refs_.empty()) {
    if (const auto it = sparse_refs_.find(ref); it != sparse_refs_.end()) at = it->second;
  }
  if (at == 0) ++unknown_;
  return at;
}

HeadSeries* Head::Find(std::uint64_t ref) {
  const std::uint32_t at = Position1(ref);
  return at == 0 ? nullptr : Writable(at - 1);
}

void Head::AddSeries(RefSeries record) {
  const auto position = static_cast<std::uint32_t>(series_.size());
  const auto known = by_labels_.find(record.labels.bytes());
  std::uint32_t at = position;
  if (known != by_labels_.end()) {
    at = known->second;
  } else {
    auto s = std::make_shared<HeadSeries>();
    s->labels = std::make_shared<const Labels>(std::move(record.labels));
    s->epoch = epoch_;
    series_.push_back(std::move(s));
  }
  HeadSeries* const s = Writable(at);
  if (known == by_labels_.end()) by_labels_.emplace(s->labels->bytes(), at);

  if (record.ref < dense_refs_.size() || record.ref < kDenseRefs + kDenseRefsPerSeries * series_.size()) {
    if (record.ref >= dense_refs_.size()) dense_refs_.resize(std::max<std::size_t>(record.ref + 1, dense_refs_.size() * 2), 0);
    if (dense_refs_[record.ref] == at + 1) return;  // the same record again, in a segment behind its checkpoint
    dense_refs_[record.ref] = at + 1;
  } else if (!sparse_refs_.insert_or_assign(record.ref, at + 1).second) {
    return;
  }
  const auto found = chunks_->by_series().find(record.ref);
  if (found == chunks_->by_series().end()) return;
  for (const ChunkMeta& c : found->second.in_order) {
    if (c.max_ms < min_valid_ms_) continue;
    s->chunks.push_back(c);
    if (!s->any || c.max_ms > s->last_ms) s->last_ms = c.max_ms;
    s->any = true;
  }
  s->out_of_order_chunks.insert(s->out_of_order_chunks.end(), found->second.out_of_order.begin(), found->second.out_of_order.end());
}

void Head::AddMetadata(const RefMetadata& m) {
  const HeadSeries* const s = Find(m.ref);
  if (s == nullptr) return;
  const std::string_view name = s->labels->metric_name();
  if (name.empty()) return;
  auto& to = (*metadata_)[std::string(name)];
  if (to == m.metadata) return;
  if (metadata_.use_count() > 1) {  // a snapshot has it
    metadata_ = std::make_shared<std::map<std::string, Metadata>>(*metadata_);
    (*metadata_)[std::string(name)] = m.metadata;
  } else {
    to = m.metadata;
  }
}

template <typename Sample>
void Head::AddSample(const Sample& sample, bool out_of_order) {
  ++replayed_;
  if (!out_of_order && sample.t_ms < min_valid_ms_) return;
  const std::uint32_t at = Position1(sample.ref);
  if (at == 0) return;
  if (out_of_order) {
    Writable(at - 1)->out_of_order.Add(sample);
  } else {
    // Most are in a chunk already.
    if (const HeadSeries& known = *series_[at - 1]; known.any && sample.t_ms <= known.last_ms) return;
    HeadSeries* const s = Writable(at - 1);
    s->last_ms = sample.t_ms;
    s->any = true;
    s->samples.Add(sample);
  }
  ++samples_;
}

Result<void> Head::Apply(std::string_view record, bool out_of_order) {
  ++records_;
  if (record.empty()) return {};
  switch (static_cast<RecordType>(record[0])) {
    case RecordType::kSeries: {
      series_records_.clear();
      auto done = DecodeSeries(record, &series_records_);
      for (auto& s : series_records_) AddSeries(std::move(s));
      return done;
    }
    case RecordType::kSamples:
    case RecordType::kSamplesV2: {
      sample_records_.clear();
      auto done = DecodeSamples(record, &sample_records_);
      for (const auto& s : sample_records_) AddSample(s, out_of_order);
      return done;
    }
    case RecordType::kHistograms:
    case RecordType::kFloatHistograms:
    case RecordType::kCustomHistograms:
    case RecordType::kCustomFloatHistograms:
    case RecordType::kHistogramsV2:
    case RecordType::kFloatHistogramsV2: {
      histogram_records_.clear();
      auto done = DecodeHistogramRecord(record, &histogram_records_, &invalid_);
      for (const auto& s : histogram_records_) AddSample(s, out_of_order);
      return done;
    }
    case RecordType::kTombstones: {
      std::vector<RefTombstone> all;
      auto done = DecodeTombstoneRecord(record, &all);
      for (const auto& t : all) {
        if (t.max_ms < min_valid_ms_ || t.min_ms > t.max_ms) continue;
        HeadSeries* const s = Find(t.ref);
        if (s == nullptr) continue;
        if (t.min_ms == kMinTimeMs && t.max_ms == kMaxTimeMs) {
          samples_ -= s->samples.size() + s->out_of_order.size();
          if (!s->dropped) by_labels_.erase(s->labels->bytes());
          const auto labels = s->labels;
          *s = HeadSeries();
          s->labels = labels;
          s->epoch = epoch_;
          s->dropped = true;
          continue;
        }
        s->deleted.emplace_back(t.min_ms, t.max_ms);
        NormalizeIntervals(&s->deleted);
      }
      return done;
    }
    case RecordType::kExemplars: {
      std::vector<RefExemplar> all;
      auto done = DecodeExemplars(record, &all);
      for (auto& e : all) {
        if (e.exemplar.t_ms < min_valid_ms_) continue;
        HeadSeries* const s = Find(e.ref);
        if (s == nullptr) continue;
        if (!s->exemplars.empty() && e.exemplar.t_ms < s->exemplars.back().t_ms) continue;
        if (s->exemplars.size() == kMaxExemplars) s->exemplars.erase(s->exemplars.begin());
        s->exemplars.push_back(std::move(e.exemplar));
      }
      return done;
    }
    case RecordType::kMetadata: {
      std::vector<RefMetadata> all;
      auto done = DecodeMetadata(record, &all);
      for (const auto& m : all) AddMetadata(m);
      return done;
    }
    case RecordType::kMmapMarkers: {
      std::vector<RefMarker> all;
      auto done = DecodeMmapMarkers(record, &all);
      for (const auto& m : all) {
        if (m.chunk > chunks_->last_ref()) continue;  // that chunk never reached its file
        HeadSeries* const s = Find(m.ref);
        if (s == nullptr) continue;
        samples_ -= s->out_of_order.size();
        s->out_of_order = {};
      }
      return done;
    }
  }
  return {};  // a kind of record from the future: upstream skips it, too
}

// Once each: a torn end is met again at every refresh.
void Head::Warn(std::string what) {
  if (std::find(warnings_.begin(), warnings_.end(), what) == warnings_.end()) warnings_.push_back(std::move(what));
}

Result<void> Head::ReplaySegment(const std::string& path, bool last, bool out_of_order, std::uint64_t* offset) {
  PROM_ASSIGN(auto file, io_.Open(path, Io::Mode::kRead));
  PROM_ASSIGN(const std::uint64_t size, file->Size());
  if (size <= *offset) return {};
  PROM_ASSIGN(const Mapping map, file->Map(size));
  SegmentReader reader(map.bytes(), *offset);
  std::string_view record;
  using Status = SegmentReader::Status;
  const auto warn = [&](std::uint64_t at, const std::string& what) { Warn(path + ": offset " + std::to_string(at) + ": " + what); };
  for (;;) {
    const std::uint64_t begin = reader.offset();
    const Status status = reader.Next(&record);
    if (status == Status::kRecord) {
      if (auto done = Apply(record, out_of_order); !done) warn(begin, done.error().message);
      continue;
    }
    if (status == Status::kBad) {
      warn(begin, reader.error() + "; its samples are missing");
      continue;
    }
    *offset = reader.offset();
    if (status == Status::kCorrupt) {
      warn(reader.error_offset(), reader.error() + "; the rest of the segment is missing");
      *offset = size;
    } else if (status == Status::kTorn && !(last && writer_alive_)) {
      warn(reader.error_offset(), reader.error());
    }
    return {};
  }
}

Result<void> Head::Replay(std::int64_t min_valid_ms) {
  Reset();
  min_valid_ms_ = min_valid_ms;
  std::vector<std::string> chunk_warnings;
  PROM_ASSIGN(chunks_, HeadChunks::Open(io_, JoinPath(dir_, "chunks_head"), &chunk_warnings));
  warnings_ = std::move(chunk_warnings);
  PROM_ASSIGN(const Log wal, ListLog("wal"));
  checkpoint_ = wal.checkpoint;
  first_segment_ = wal.segments.empty() ? 0 : wal.segments.front();
  if (!wal.checkpoint.empty()) {
    PROM_ASSIGN(const auto segments, ListSegments(wal.checkpoint));
    for (const std::uint64_t n : segments) {
      std::uint64_t offset = 0;
      PROM_TRY(ReplaySegment(SegmentPath(wal.checkpoint, n), false, false, &offset));
    }
  }
  replayed_once_ = true;
  return {};
}

Result<std::shared_ptr<const HeadSnapshot>> Head::Refresh(std::int64_t min_valid_ms) {
  writer_alive_ = IsLocked(io_, JoinPath(dir_, "lock"));
  replayed_ = records_ = 0;
  ++epoch_;
  PROM_ASSIGN(Log wal, ListLog("wal"));
  PROM_ASSIGN(Log wbl, ListLog("wbl"));
  const std::uint64_t first = wal.segments.empty() ? 0 : wal.segments.front();
  const bool grown = samples_ > 3 * samples_after_replay_ + kSlackSamples;
  const bool wbl_gone = wbl_.segment != 0 && !std::binary_search(wbl.segments.begin(), wbl.segments.end(), wbl_.segment);
  const bool full = !replayed_once_ || wal.checkpoint != checkpoint_ || first != first_segment_ || min_valid_ms != min_valid_ms_ || grown || wbl_gone;
  if (full) {
    PROM_TRY(Replay(min_valid_ms));
    PROM_ASSIGN(wal, ListLog("wal"));
    if (wal.checkpoint != checkpoint_) return Error{Errc::kNotFound, wal.dir + ": the checkpoint changed"};
  }
  for (const auto& [log, position, out_of_order] : {std::tuple(&wal, &wal_, false), std::tuple(&wbl, &wbl_, true)}) {
    std::uint64_t before = 0;
    for (const std::uint64_t n : log->segments) {
      if (before != 0 && n != before + 1) Warn(log->dir + ": segment " + std::to_string(before + 1) + " is missing");
      before = n;
      if (n < position->segment) continue;
      if (n > position->segment) *position = {n, 0};
      PROM_TRY(ReplaySegment(SegmentPath(log->dir, n), n == log->segments.back(), out_of_order, &position->offset));
    }
  }
  if (full) {
    samples_after_replay_ = samples_;
    if (unknown_ != 0) Warn(wal.dir + ": " + std::to_string(unknown_) + " samples or other items of series that the log does not describe were left out");
    if (invalid_ != 0) Warn(wal.dir + ": " + std::to_string(invalid_) + " invalid histograms were left out");
  }
  if (snapshot_ == nullptr || records_ != 0) snapshot_ = MakeSnapshot();
  return snapshot_;
}

std::shared_ptr<const HeadSnapshot> Head::MakeSnapshot() {
  auto out = std::make_shared<HeadSnapshot>();
  out->series_.reserve(series_.size());
  out->chunks_ = chunks_;
  out->metadata_ = metadata_;
  out->samples_ = samples_;
  bool any = false;
  const auto widen = [&](std::int64_t min, std::int64_t max) {
    if (min > max) return;
    out->min_ms_ = any ? std::min(out->min_ms_, min) : min;
    out->max_ms_ = any ? std::max(out->max_ms_, max) : max;
    any = true;
  };
  for (const auto& s : series_) {
    if (!s->dropped) out->by_metric_[s->labels->metric_name()].push_back(static_cast<std::uint32_t>(out->series_.size()));
    out->series_.push_back(s);
    for (const auto* list : {&s->chunks, &s->out_of_order_chunks})
      for (const ChunkMeta& c : *list) widen(c.min_ms, c.max_ms);
    widen(s->samples.min_ms, s->samples.max_ms);
    widen(s->out_of_order.min_ms, s->out_of_order.max_ms);
  }
  return out;
}

}  // namespace prom::tsdb
