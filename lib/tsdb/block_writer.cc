#include "tsdb/block_writer.h"


#include <algorithm>
#include <set>

#include "base/crc32c.h"
#include "base/ulid.h"
#include "tsdb/big_endian.h"
#include "tsdb/block_meta.h"
#include "tsdb/chunk.h"
#include "tsdb/file_writer.h"
#include "tsdb/index_writer.h"
#include "tsdb/tombstones.h"

namespace prom::tsdb {
namespace {

constexpr std::uint32_t kChunksMagic = 0x85BD40DD;
// As upstream cuts them: larger chunks would cost queries of short ranges.
constexpr std::uint32_t kChunkSamples = 120, kMinHistograms = 10;
constexpr std::size_t kHistogramBytes = 1024;
constexpr std::int64_t kMaxBlocks = 1'000'000;
constexpr std::size_t kProgressSeries = 1000;

std::int64_t FloorTo(std::int64_t t, std::int64_t step) { return t - ((t % step) + step) % step; }

// The files of chunks/.
class ChunkFiles {
 public:
  ChunkFiles(Io& io, std::string dir, const WriteBlocksOptions& options) : io_(io), dir_(std::move(dir)), options_(options) {}

  // Appends a chunk; its reference.
  Result<std::uint64_t> Append(Encoding encoding, const std::string& data) {
    record_.clear();
    AppendVarint(&record_, data.size());
    const std::size_t body = record_.size();
    record_.push_back(static_cast<char>(encoding));
    record_ += data;
    AppendBe32(&record_, Crc32c(std::string_view(record_).substr(body)));
    if (files_.empty() || files_.back().size() + record_.size() > options_.max_segment_bytes) PROM_TRY(Cut());
    const std::uint64_t ref = (files_.size() - 1) << 32 | files_.back().size();
    PROM_TRY(files_.back().Append(record_));
    return ref;
  }
  Result<void> Finish() {
    if (!files_.empty()) PROM_TRY(files_.back().Finish(options_.sync));
    return options_.sync ? io_.SyncDir(dir_) : Result<void>();
  }
  std::uint64_t size() const {
    std::uint64_t n = 0;
    for (const auto& f : files_) n += f.size();
    return n;
  }

 private:
  Result<void> Cut() {
    if (!files_.empty()) PROM_TRY(files_.back().Finish(options_.sync));
    std::string name = std::to_string(files_.size() + 1);
    name.insert(0, 6 - std::min<std::size_t>(6, name.size()), '0');
    PROM_ASSIGN(auto file, FileWriter::Create(io_, JoinPath(dir_, name)));
    files_.push_back(std::move(file));
    std::string header;
    AppendBe32(&header, kChunksMagic);
    header.append("\1\0\0\0", 4);
    return files_.back().Append(header);
  }

  Io& io_;
  const std::string dir_;
  const WriteBlocksOptions& options_;
  std::vector<FileWriter> files_;
  std::string record_;
};

// Cuts the samples of a series into chunks.
class SeriesChunks {
 public:
  explicit SeriesChunks(ChunkFiles* files) : files_(files) {}

  Result<void> Encode(const SeriesColumns& c, std::vector<ChunkMeta>* out) {
    out->clear();
    std::size_t f = 0, h = 0;
    while (f < c.t.size() || h < c.histograms.size()) {
      if (h == c.histograms.size() || (f < c.t.size() && c.t[f] < c.histograms[h].t_ms)) {
        PROM_TRY(CutHistograms(out));
        if (floats_.count() == 0) begin_ = c.t[f];
        floats_.Append(c.t[f], c.v[f]);
        end_ = c.t[f++];
        if (floats_.count() == kChunkSamples) PROM_TRY(CutFloats(out));
      } else {
        PROM_TRY(CutFloats(out));
        const HistogramSample& s = c.histograms[h++];
        const std::uint32_t n = histograms_.count();
        if (!histograms_.Fits(*s.h) || n == kChunkSamples || (n >= kMinHistograms && histograms_.size() >= kHistogramBytes)) PROM_TRY(CutHistograms(out));
        if (histograms_.count() == 0) begin_ = s.t_ms;
        histograms_.Append(s.t_ms, *s.h);
        end_ = s.t_ms;
      }
    }
    PROM_TRY(CutFloats(out));
    return CutHistograms(out);
  }

 private:
  Result<void> CutFloats(std::vector<ChunkMeta>* out) {
    if (floats_.count() == 0) return {};
    PROM_ASSIGN(const std::uint64_t ref, files_->Append(Encoding::kXor, floats_.Finish()));
    out->push_back({begin_, end_, ref});
    floats_.Reset();
    return {};
  }
  Result<void> CutHistograms(std::vector<ChunkMeta>* out) {
    if (histograms_.count() == 0) return {};
    PROM_ASSIGN(const std::uint64_t ref, files_->Append(histograms_.encoding(), histograms_.Finish()));
    out->push_back({begin_, end_, ref});
    histograms_.Reset();
    return {};
  }

  ChunkFiles* const files_;
  XorEncoder floats_;
  HistogramEncoder histograms_;
  std::int64_t begin_ = 0, end_ = 0;
};

class Writer {
 public:
  Writer(Io& io, const Queryable& source, const std::string& dir, const WriteBlocksOptions& options, const WriteBlocksProgressFn& progress)
      : io_(io), source_(source), dir_(dir), options_(options), progress_(progress) {}

  Result<WriteBlocksSummary> Run(std::int64_t min_ms, std::int64_t max_ms) {
    const auto range = source_.TimeRange();
    min_ms = std::max(min_ms, range.first);
    max_ms = std::min(max_ms, range.second);
    if (min_ms > max_ms) return std::move(summary_);
    // Far ends of int64 have no aligned block around them.
    min_ms = std::max(min_ms, kMinTimeMs + 2 * options_.block_ms);
    max_ms = std::min(max_ms, kMaxTimeMs - 2 * options_.block_ms);
    if ((max_ms / options_.block_ms) - (min_ms / options_.block_ms) > kMaxBlocks)
      return Error{Errc::kLimit, "the range spans more than " + std::to_string(kMaxBlocks) + " blocks; give a shorter one or larger blocks"};
    PROM_TRY(MakeDirs(io_, dir_));
    done_.total_ms = max_ms - min_ms + 1;
    for (std::int64_t begin = FloorTo(min_ms, options_.block_ms); begin <= max_ms; begin += options_.block_ms) {
      const std::int64_t first = std::max(begin, min_ms), last = std::min(begin + options_.block_ms - 1, max_ms);
      PROM_TRY(WriteBlock(first, last));
      done_.done_ms = last - min_ms + 1;
      if (progress_ && !progress_(done_)) return Error{Errc::kCanceled, "canceled"};
    }
    return std::move(summary_);
  }

 private:
  Result<void> WriteBlock(std::int64_t min_ms, std::int64_t max_ms) {
    PROM_ASSIGN(const auto selection, source_.Select(options_.matchers, min_ms, max_ms));
    if (selection->size() == 0) return {};
    WrittenBlock block;
    block.ulid = NewUlid((options_.clock != nullptr ? *options_.clock : SystemClock()).NowMs());
    const std::string tmp = JoinPath(dir_, block.ulid + ".tmp-for-creation");
    auto done = WriteFiles(*selection, min_ms, max_ms, tmp, &block);
    if (done && block.samples > 0) done = Publish(tmp, block);
    if (!done || block.samples == 0) {
      (void)bool(RemoveTree(io_, tmp));
      return done;
    }
    summary_.samples += block.samples;
    summary_.bytes += block.bytes;
    summary_.blocks.push_back(std::move(block));
    return {};
  }

  Result<void> WriteFiles(const Selection& selection, std::int64_t min_ms, std::int64_t max_ms, const std::string& tmp, WrittenBlock* block) {
    PROM_TRY(io_.MakeDir(tmp));
    PROM_TRY(io_.MakeDir(JoinPath(tmp, "chunks")));
    std::vector<std::string_view> symbols;
    {
      std::set<std::string_view> all;
      for (std::size_t i = 0; i < selection.size(); ++i) {
        for (const Label& l : selection.labels(i)) {
          all.insert(l.name);
          all.insert(l.value);
        }
      }
      symbols.assign(all.begin(), all.end());
    }
    PROM_ASSIGN(IndexWriter index, IndexWriter::Create(io_, JoinPath(tmp, "index"), std::move(symbols)));
    ChunkFiles files(io_, JoinPath(tmp, "chunks"), options_);
    SeriesChunks encoder(&files);
    SeriesColumns columns;
    std::vector<ChunkMeta> chunks;
    block->min_ms = kMaxTimeMs;
    block->max_ms = kMinTimeMs;
    for (std::size_t i = 0; i < selection.size(); ++i) {
      PROM_TRY(selection.Read(i, min_ms, max_ms, &columns));
      for (auto& w : columns.warnings) {
        if (summary_.warnings.empty() || summary_.warnings.back() != w) summary_.warnings.push_back(std::move(w));
      }
      PROM_TRY(encoder.Encode(columns, &chunks));
      ++done_.series;
      if (chunks.empty()) continue;
      PROM_TRY(index.AddSeries(selection.labels(i), chunks));
      ++block->series;
      block->chunks += chunks.size();
      block->samples += columns.t.size() + columns.histograms.size();
      block->histogram_samples += columns.histograms.size();
      block->min_ms = std::min(block->min_ms, chunks.front().min_ms);
      block->max_ms = std::max(block->max_ms, chunks.back().max_ms + 1);
      for (const auto st : columns.st) summary_.start_timestamps += st != 0;
      for (const auto st : columns.histogram_st) summary_.start_timestamps += st != 0;
      done_.samples += columns.t.size() + columns.histograms.size();
      if (progress_ && done_.series % kProgressSeries == 0 && !progress_(done_)) return Error{Errc::kCanceled, "canceled"};
    }
    if (block->samples == 0) return {};
    PROM_TRY(files.Finish());
    PROM_TRY(index.Finish(options_.sync));
    block->bytes = files.size() + index.size();
    return {};
  }

  Result<void> Publish(const std::string& tmp, WrittenBlock& block) {
    BlockMeta meta;
    meta.ulid = block.ulid;
    meta.min_ms = block.min_ms;
    meta.max_ms = block.max_ms;
    meta.samples = block.samples;
    meta.histogram_samples = block.histogram_samples;
    meta.float_samples = block.histogram_samples == 0 ? 0 : block.samples - block.histogram_samples;
    meta.series = block.series;
    meta.chunks = block.chunks;
    meta.sources = {block.ulid};
    for (const auto& [name, bytes] : {std::pair("meta.json", FormatBlockMeta(meta)), std::pair("tombstones", EmptyTombstones())}) {
      PROM_ASSIGN(auto file, FileWriter::Create(io_, JoinPath(tmp, name)));
      PROM_TRY(file.Append(bytes));
      PROM_TRY(file.Finish(options_.sync));
      block.bytes += bytes.size();
    }
    if (options_.sync) PROM_TRY(io_.SyncDir(tmp));
    PROM_TRY(io_.Rename(tmp, JoinPath(dir_, block.ulid)));
    return options_.sync ? io_.SyncDir(dir_) : Result<void>();
  }

  Io& io_;
  const Queryable& source_;
  const std::string& dir_;
  const WriteBlocksOptions& options_;
  const WriteBlocksProgressFn& progress_;
  WriteBlocksSummary summary_;
  WriteBlocksProgress done_;
};

}  // namespace

Result<WriteBlocksSummary> WriteBlocks(Io& io, const Queryable& source, std::int64_t min_ms, std::int64_t max_ms, const std::string& dir,
                                       const WriteBlocksOptions& options, const WriteBlocksProgressFn& progress) {
  if (options.block_ms <= 0) return Error{Errc::kInvalid, "blocks must span more than 0 ms"};
  return Writer(io, source, dir, options, progress).Run(min_ms, max_ms);
}

}  // namespace prom::tsdb
