#include "store/block_writer.h"

#include <algorithm>
#include <memory>

#include "base/crc32c.h"
#include "base/json.h"
#include "base/number.h"
#include "base/time.h"
#include "base/ulid.h"
#include "chunk/block_compress.h"
#include "chunk/histogram_chunk.h"
#include "chunk/time_column.h"
#include "chunk/value_chunk.h"
#include "store/block_columns.h"
#include "store/block_entries.h"
#include "store/block_format.h"
#include "store/block_source.h"
#include "store/file_header.h"

namespace prom::store {
namespace {

constexpr std::size_t kChunkSamples = 480;
constexpr std::size_t kWriteBytes = 1 << 20;
// Synced as it grows, so that the disk has this much to write at a time: a gigabyte at
// the end would hold up the syncs of what is being ingested for as long as it takes.
constexpr std::uint64_t kSyncBytes = 8 << 20;
constexpr std::size_t kMaxColumnRows = chunk::kMaxValues;  // what a time column can hold
constexpr std::size_t kMaxWarnings = 1000;

class BlockMaker {
 public:
  BlockMaker(Io& io, const std::string& data_dir, const BlockWriterOptions& options)
      : io_(io), data_dir_(data_dir), options_(options), tmp_(JoinPath(data_dir, "tmp/" + options.ulid)) {}

  Result<BlockInfo> Run(BlockSource& source, std::int64_t min_ms, std::int64_t max_ms);
  void Clean() { (void)RemoveTree(io_, tmp_); }

 private:
  Result<void> WriteSlices(BlockSource& source, std::int64_t min_ms, std::int64_t max_ms);
  Result<void> WriteSlice(BlockSource& source, std::int64_t lo, std::int64_t hi);
  Result<void> AddSeries(std::uint32_t number, SeriesColumns& columns);
  Result<void> AddFloats(std::uint32_t number, const SeriesColumns& columns, std::size_t begin, std::size_t end);
  Result<void> AddHistograms(std::uint32_t number, const SeriesColumns& columns, std::size_t begin, std::size_t end);
  Result<void> AddChunk(const BlockEntry& entry, std::string_view chunk, std::string_view starts);
  Result<void> FlushValues();
  Result<void> WriteTimes();
  Result<void> WriteExemplars(BlockSource& source, std::int64_t min_ms, std::int64_t max_ms);
  Result<void> WriteMetadata(BlockSource& source);
  Result<void> AppendGroup(BlockGroupKind kind, std::string_view raw, std::uint32_t first, std::uint32_t last, std::vector<BlockGroup>* list);
  Result<void> Flush();
  Result<void> WriteIndex(BlockSource& source);
  Result<void> WriteWhole(std::string_view name, std::string_view bytes);
  void SeeTime(std::int64_t t) {
    slice_.min_ms = std::min(slice_.min_ms, t);
    slice_.max_ms = std::max(slice_.max_ms, t);
  }

  Io& io_;
  const std::string& data_dir_;
  const BlockWriterOptions& options_;
  const std::string tmp_;

  std::unique_ptr<File> chunks_;
  std::string buffer_;
  std::uint64_t written_ = 0;  // bytes of the chunks file before buffer_
  std::uint64_t synced_ = 0;   // those of them that a sync covered while it was written

  std::vector<bool> has_samples_;            // by number, as are the hints
  std::vector<chunk::EncoderHint> hints_;
  std::unique_ptr<ColumnTable> times_;
  std::uint32_t next_column_ = 0;

  BlockValuesWriter group_;
  std::string chunk_bytes_, start_bytes_, raw_;

  BlockSlice slice_;
  std::vector<BlockSlice> slices_;
  std::vector<BlockGroup> values_, time_groups_, exemplars_, metadata_;
  BlockInfo info_;
};

// Chunks of a column of n rows end at multiples of this, which is the same for all series of the column.
std::size_t RowsPerChunk(std::size_t n) {
  const std::size_t parts = std::max<std::size_t>(1, (n + kChunkSamples / 2) / kChunkSamples);
  return (n + parts - 1) / parts;
}

Result<void> BlockMaker::Flush() {
  PROM_TRY(chunks_->WriteAt(written_, buffer_));
  written_ += buffer_.size();
  buffer_.clear();
  if (!options_.sync || written_ - synced_ < kSyncBytes) return {};
  synced_ = written_;
  return chunks_->Sync();
}

Result<void> BlockMaker::AppendGroup(BlockGroupKind kind, std::string_view raw, std::uint32_t first, std::uint32_t last, std::vector<BlockGroup>* list) {
  if (raw.size() > kMaxGroupRawBytes) return Error{Errc::kLimit, "a chunk of " + std::to_string(raw.size()) + " bytes does not fit into a block"};
  const std::size_t start = buffer_.size();
  AppendLe<std::uint32_t>(&buffer_, kBlockGroupMagic);
  buffer_.resize(start + kBlockGroupHead);
  chunk::AppendGroup(raw, &buffer_, options_.best_compression ? chunk::CompressLevel::kBest : chunk::CompressLevel::kFast);
  char* head = buffer_.data() + start;
  const std::size_t size = buffer_.size() - start - kBlockGroupHead;
  StoreLe<std::uint32_t>(head + 8, static_cast<std::uint32_t>(size));
  StoreLe<std::uint32_t>(head + 12, static_cast<std::uint32_t>(kind));
  StoreLe<std::uint32_t>(head + 4, Crc32c(head + 8, size + 8));
  list->push_back({written_ + start, static_cast<std::uint32_t>(size), first, last});
  return buffer_.size() >= kWriteBytes ? Flush() : Result<void>();
}

Result<void> BlockMaker::FlushValues() {
  if (group_.count() == 0) return {};
  raw_.clear();
  group_.AppendTo(&raw_);
  PROM_TRY(AppendGroup(BlockGroupKind::kValues, raw_, group_.first_series(), group_.last_series(), &values_));
  group_.Clear();
  return {};
}

Result<void> BlockMaker::AddChunk(const BlockEntry& entry, std::string_view bytes, std::string_view starts) {
  if (group_.count() > 0 && group_.bytes() + bytes.size() > chunk::kGroupBytes) PROM_TRY(FlushValues());
  group_.Add(entry, bytes, starts);
  ++info_.chunks;
  return {};
}

Result<void> BlockMaker::AddFloats(std::uint32_t number, const SeriesColumns& columns, std::size_t begin, std::size_t end) {
  const auto t = columns.t.subspan(begin, end - begin);
  const ColumnTable::Ref ref = times_->Find(t, t.size() == columns.t.size() ? columns.time_column : 0);
  const std::size_t rows = RowsPerChunk(ref.size);
  for (std::size_t row = ref.first, stop = ref.first + t.size(); row < stop;) {
    const std::size_t next = std::min(stop, (row / rows + 1) * rows), n = next - row, at = begin + row - ref.first;
    chunk_bytes_.clear();
    start_bytes_.clear();
    BlockEntry entry;
    auto v = columns.v.subspan(at, n);
    entry.stale = IsStaleNan(v.back());
    if (entry.stale) v = v.first(n - 1);
    if (!v.empty()) chunk::EncodeValueBody(v, &chunk_bytes_, &hints_[number]);
    if (!columns.st.empty()) {
      const auto st = columns.st.subspan(at, n);
      if (std::any_of(st.begin(), st.end(), [](auto s) { return s != 0; })) chunk::EncodeStartTimes(st, &start_bytes_);
    }
    entry.series = number;
    entry.column = ref.column;
    if (n != ref.size) {
      entry.first = static_cast<std::uint32_t>(row);
      entry.count = static_cast<std::uint32_t>(n);
    }
    PROM_TRY(AddChunk(entry, chunk_bytes_, start_bytes_));
    row = next;
  }
  info_.samples += t.size();
  SeeTime(t.front());
  SeeTime(t.back());
  return {};
}

Result<void> BlockMaker::AddHistograms(std::uint32_t number, const SeriesColumns& columns, std::size_t begin, std::size_t end) {
  std::vector<std::int64_t> t;
  std::vector<const Histogram*> all;
  for (std::size_t i = begin; i < end; ++i) {
    t.push_back(columns.histograms[i].t_ms);
    all.push_back(columns.histograms[i].h.get());
  }
  const ColumnTable::Ref ref = times_->Find(t);
  const std::size_t rows = RowsPerChunk(ref.size);
  std::size_t most = rows;  // less when the histograms are huge
  for (std::size_t row = ref.first, stop = ref.first + t.size(); row < stop;) {
    const std::size_t n = std::min({stop - row, (row / rows + 1) * rows - row, most}), at = row - ref.first;
    chunk_bytes_.clear();
    start_bytes_.clear();
    if (auto done = chunk::EncodeHistograms(std::span(all).subspan(at, n), &chunk_bytes_); !done) {
      if (done.error().code != Errc::kLimit || n == 1) return std::move(done.error());
      most = n / 2;
      continue;
    }
    if (!columns.histogram_st.empty()) {
      const auto st = std::span(columns.histogram_st).subspan(begin + at, n);
      if (std::any_of(st.begin(), st.end(), [](auto s) { return s != 0; })) chunk::EncodeStartTimes(st, &start_bytes_);
    }
    BlockEntry entry;
    entry.series = number;
    entry.histogram = true;
    entry.column = ref.column;
    if (n != ref.size) {
      entry.first = static_cast<std::uint32_t>(row);
      entry.count = static_cast<std::uint32_t>(n);
    }
    PROM_TRY(AddChunk(entry, chunk_bytes_, start_bytes_));
    row += n;
  }
  info_.samples += t.size();
  info_.histogram_samples += t.size();
  SeeTime(t.front());
  SeeTime(t.back());
  return {};
}

Result<void> BlockMaker::AddSeries(std::uint32_t number, SeriesColumns& columns) {
  if (options_.canceled != nullptr && number % 256 == 0 && options_.canceled(options_.canceled_argument)) {
    return Error{Errc::kCanceled, "block " + options_.ulid + ": canceled"};
  }
  if (number >= hints_.size()) {
    const std::size_t size = std::max<std::size_t>(std::size_t{number} + 1, hints_.size() * 2);
    has_samples_.resize(size, false);
    hints_.resize(size);
  }
  for (auto& warning : columns.warnings) {
    if (info_.warnings.size() < kMaxWarnings) info_.warnings.push_back(std::move(warning));
  }
  if (columns.t.empty() && columns.histograms.empty()) return {};
  has_samples_[number] = true;
  for (std::size_t i = 0; i < columns.t.size(); i += kMaxColumnRows) PROM_TRY(AddFloats(number, columns, i, std::min(columns.t.size(), i + kMaxColumnRows)));
  for (std::size_t i = 0; i < columns.histograms.size(); i += kMaxColumnRows) {
    PROM_TRY(AddHistograms(number, columns, i, std::min(columns.histograms.size(), i + kMaxColumnRows)));
  }
  return {};
}

Result<void> BlockMaker::WriteTimes() {
  std::string lengths, data;
  std::uint32_t first = times_->first_id(), id = first;
  const auto flush = [&]() -> Result<void> {
    raw_.clear();
    AppendVarint(&raw_, id - first);
    raw_ += lengths;
    raw_ += data;
    PROM_TRY(AppendGroup(BlockGroupKind::kTimes, raw_, first, id - 1, &time_groups_));
    lengths.clear();
    data.clear();
    first = id;
    return {};
  };
  for (const auto& column : times_->columns()) {
    const std::size_t before = data.size();
    chunk::EncodeTimes(column, &data);
    AppendVarint(&lengths, data.size() - before);
    ++id;
    // Smaller than groups of values: whoever reads one series needs one column.
    if (data.size() >= chunk::kGroupBytes / 4) PROM_TRY(flush());
  }
  if (id > first) PROM_TRY(flush());
  next_column_ = id;
  return {};
}

Result<void> BlockMaker::WriteSlice(BlockSource& source, std::int64_t lo, std::int64_t hi) {
  slice_ = {kMaxTimeMs, kMinTimeMs, static_cast<std::uint32_t>(values_.size()), 0};
  times_ = std::make_unique<ColumnTable>(next_column_);
  PROM_TRY(source.Read(lo, hi, [this](std::uint32_t number, SeriesColumns& columns) { return AddSeries(number, columns); }));
  PROM_TRY(FlushValues());
  PROM_TRY(WriteTimes());
  slice_.groups = static_cast<std::uint32_t>(values_.size()) - slice_.first_group;
  if (slice_.groups > 0) slices_.push_back(slice_);
  return {};
}

Result<void> BlockMaker::WriteSlices(BlockSource& source, std::int64_t min_ms, std::int64_t max_ms) {
  const auto [oldest, newest] = source.TimeRange();
  min_ms = std::max(min_ms, oldest);
  max_ms = std::min(max_ms, newest);
  if (min_ms > max_ms) return {};
  PROM_TRY(source.Begin(min_ms, max_ms));
  // Slices as wide as needed to have at most a thousand: one stray sample years away must not make a million.
  std::int64_t width = std::max<std::int64_t>(options_.slice_ms, 1);
  while ((static_cast<long double>(max_ms) - static_cast<long double>(min_ms)) / static_cast<long double>(width) > 1000) width *= 2;
  for (std::int64_t lo = min_ms;;) {
    // To the last ms before the next multiple of width; without overflow at the ends of int64.
    const std::int64_t rest = width - 1 - ((lo % width) + width) % width;
    const std::uint64_t left = static_cast<std::uint64_t>(max_ms) - static_cast<std::uint64_t>(lo);
    const std::int64_t hi = left <= static_cast<std::uint64_t>(rest) ? max_ms : lo + rest;
    PROM_TRY(WriteSlice(source, lo, hi));
    if (hi >= max_ms) return {};
    lo = hi + 1;
  }
}

Result<void> BlockMaker::WriteExemplars(BlockSource& source, std::int64_t min_ms, std::int64_t max_ms) {
  PROM_ASSIGN(auto found, source.Exemplars(min_ms, max_ms));
  std::erase_if(found, [this](const auto& series) { return !has_samples_[series.first]; });
  std::string raw;
  std::uint32_t first = 0, last = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto& [number, exemplars] = found[i];
    if (raw.empty()) first = last = number;
    AppendVarint(&raw, number - last);
    last = number;
    AppendVarint(&raw, exemplars.size());
    std::int64_t t = 0;
    for (const Exemplar& e : exemplars) {
      AppendLengthPrefixed(&raw, e.labels.bytes());
      AppendLe<double>(&raw, e.value);
      raw.push_back(e.has_time ? 1 : 0);
      AppendVarint(&raw, ZigZag(static_cast<std::int64_t>(static_cast<std::uint64_t>(e.t_ms) - static_cast<std::uint64_t>(t))));
      t = e.t_ms;
    }
    if (raw.size() >= chunk::kGroupBytes || i + 1 == found.size()) {
      PROM_TRY(AppendGroup(BlockGroupKind::kExemplars, raw, first, last, &exemplars_));
      raw.clear();
    }
  }
  return {};
}

Result<void> BlockMaker::WriteMetadata(BlockSource& source) {
  PROM_ASSIGN(const auto all, source.ListMetadata());
  std::string raw;
  std::size_t left = all.size();
  for (const auto& [name, m] : all) {
    AppendLengthPrefixed(&raw, name);
    raw.push_back(static_cast<char>(m.type));
    AppendLengthPrefixed(&raw, m.help);
    AppendLengthPrefixed(&raw, m.unit);
    if (raw.size() >= chunk::kGroupBytes || --left == 0) {
      PROM_TRY(AppendGroup(BlockGroupKind::kMetadata, raw, 0, 0, &metadata_));
      raw.clear();
    }
  }
  return {};
}

Result<void> BlockMaker::WriteWhole(std::string_view name, std::string_view bytes) {
  PROM_ASSIGN(const auto file, io_.Open(JoinPath(tmp_, name), Io::Mode::kCreateNew));
  PROM_TRY(file->WriteAt(0, bytes));
  if (options_.sync) PROM_TRY(file->Sync());
  info_.bytes += bytes.size();
  return {};
}

Result<void> BlockMaker::WriteIndex(BlockSource& source) {
  BlockHead head;
  head.slices = static_cast<std::uint32_t>(slices_.size());
  head.columns = next_column_;
  head.level = options_.level;
  head.min_ms = info_.min_ms;
  head.max_ms = info_.max_ms;
  head.samples = info_.samples;
  head.histogram_samples = info_.histogram_samples;
  head.chunks = info_.chunks;
  head.ulid = options_.ulid;
  std::string extra, groups;
  for (const auto* list : {&values_, &time_groups_, &exemplars_, &metadata_}) {
    for (const auto& group : *list) group.AppendTo(&groups);
    head.groups += static_cast<std::uint32_t>(list->size());
    if (list == &values_) head.first_times = head.groups;
    if (list == &time_groups_) head.first_exemplars = head.groups;
    if (list == &exemplars_) head.first_metadata = head.groups;
  }
  head.AppendTo(&extra);
  for (const auto& slice : slices_) slice.AppendTo(&extra);
  extra += groups;

  info_.series = static_cast<std::uint64_t>(std::count(has_samples_.begin(), has_samples_.end(), true));
  PROM_ASSIGN(const auto file, io_.Open(JoinPath(tmp_, kBlockIndexFile), Io::Mode::kCreateNew));
  std::uint64_t bytes = 0;
  const IndexWriter::Sink write = [&](std::string_view piece) {
    bytes += piece.size();
    return file->WriteAt(bytes - piece.size(), piece);
  };
  // Groups name series by their number in the source; the index has, as payload, by
  // how much that is above the rank: 0 until a series without samples was left out.
  PROM_TRY(source.WriteIndex(has_samples_, extra, write));
  info_.bytes += bytes;
  if (options_.sync) PROM_TRY(file->Sync());
  return {};
}

std::string MetaJson(const BlockInfo& info, const std::vector<std::string>& sources) {
  std::string out;
  JsonWriter w(&out);
  w.BeginObject().Field("version", 1).Field("ulid", info.ulid).Field("minTime", info.min_ms).Field("maxTime", info.max_ms);
  w.Key("stats").BeginObject().Field("numSamples", info.samples).Field("numFloatSamples", info.samples - info.histogram_samples);
  w.Field("numHistogramSamples", info.histogram_samples).Field("numSeries", info.series).Field("numChunks", info.chunks).EndObject();
  w.Key("compaction").BeginObject().Field("level", std::uint64_t{info.level}).Key("sources").BeginArray();
  for (const auto& source : sources) w.String(source);
  w.EndArray().EndObject().EndObject();
  return out + "\n";
}

Result<BlockInfo> BlockMaker::Run(BlockSource& source, std::int64_t min_ms, std::int64_t max_ms) {
  if (!IsUlid(options_.ulid)) return Error{Errc::kInvalid, "not a block name: " + options_.ulid};
  info_.ulid = options_.ulid;
  info_.level = options_.level;
  PROM_TRY(RemoveTree(io_, tmp_));  // of an attempt that could not even clean up
  PROM_TRY(MakeDirs(io_, tmp_));
  PROM_ASSIGN(chunks_, io_.Open(JoinPath(tmp_, kBlockChunksFile), Io::Mode::kCreateNew));
  buffer_ = FileHeader(kBlockChunksMagic, kBlockChunksVersion);
  PROM_TRY(WriteSlices(source, min_ms, max_ms));
  if (info_.samples == 0) {
    Clean();
    return std::move(info_);
  }
  info_.min_ms = kMaxTimeMs;
  info_.max_ms = kMinTimeMs;
  for (const auto& slice : slices_) {
    info_.min_ms = std::min(info_.min_ms, slice.min_ms);
    info_.max_ms = std::max(info_.max_ms, slice.max_ms);
  }
  info_.columns = next_column_;
  PROM_TRY(WriteExemplars(source, min_ms, max_ms));
  PROM_TRY(WriteMetadata(source));
  PROM_TRY(Flush());
  if (options_.sync) PROM_TRY(chunks_->Sync());
  info_.bytes += written_;
  PROM_TRY(WriteIndex(source));
  std::vector<std::string> sources = options_.sources;
  if (sources.empty()) sources.push_back(options_.ulid);
  PROM_TRY(WriteWhole(kBlockMetaFile, MetaJson(info_, sources)));

  if (options_.sync) PROM_TRY(io_.SyncDir(tmp_));
  PROM_TRY(MakeDirs(io_, JoinPath(data_dir_, "blocks")));
  PROM_TRY(io_.Rename(tmp_, BlockDir(data_dir_, options_.ulid)));
  if (options_.sync) PROM_TRY(io_.SyncDir(JoinPath(data_dir_, "blocks")));
  return std::move(info_);
}

}  // namespace

std::string BlockDir(std::string_view data_dir, std::string_view ulid) { return JoinPath(JoinPath(data_dir, "blocks"), ulid); }

Result<BlockInfo> WriteBlock(Io& io, const std::string& data_dir, BlockSource& source, std::int64_t min_ms, std::int64_t max_ms,
                             const BlockWriterOptions& options) {
  BlockMaker writer(io, data_dir, options);
  auto info = writer.Run(source, min_ms, max_ms);
  if (!info) writer.Clean();
  return info;
}

Result<BlockInfo> WriteBlock(Io& io, const std::string& data_dir, const Queryable& source, std::int64_t min_ms, std::int64_t max_ms,
                             const BlockWriterOptions& options) {
  return WriteBlock(io, data_dir, *SelectionSource(source, options.parts), min_ms, max_ms, options);
}

}  // namespace prom::store
