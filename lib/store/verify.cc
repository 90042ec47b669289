#include "store/verify.h"

#include <unordered_map>

#include "base/strings.h"
#include "base/time.h"
#include "chunk/histogram_chunk.h"
#include "chunk/time_column.h"
#include "store/block_reader.h"
#include "store/data_dir.h"

namespace prom::store {
namespace {

class BlockWalk {
 public:
  BlockWalk(const BlockReader& block, VerifyResult* out) : block_(block), out_(out) {}
  void Run();

 private:
  void Note(std::uint64_t offset, std::string what, std::string series = {}, std::int64_t min_ms = 0, std::int64_t max_ms = -1) {
    if (out_->problems.size() >= kMaxProblems) {
      out_->more = true;
      return;
    }
    out_->problems.push_back({block_.chunks_path(), offset, std::move(what), std::move(series), min_ms, max_ms});
  }
  void WalkTimes();
  void WalkSlice(const BlockSlice& slice);
  void WalkGroup(std::uint32_t i, const BlockSlice& slice);
  std::string SeriesName(std::uint32_t number) const;

  const BlockReader& block_;
  VerifyResult* out_;
  struct Column {
    std::uint32_t rows = 0;
    std::int64_t min_ms = 0, max_ms = -1;
  };
  std::unordered_map<std::uint32_t, Column> columns_;  // those that are sound
  std::uint64_t samples_ = 0, histogram_samples_ = 0, chunks_ = 0;
};

// Errors of the reader begin with "path: byte N: "; a Problem has those apart.
std::string WithoutPlace(const std::string& message, const std::string& path) {
  if (!message.starts_with(path + ": byte ")) return message;
  const std::size_t end = message.find(": ", path.size() + 2);
  return end == std::string::npos ? message : message.substr(end + 2);
}

// Numbers in the groups are ranks plus the series left out before them.
std::string BlockWalk::SeriesName(std::uint32_t number) const {
  const IndexReader& index = block_.index();
  std::uint32_t low = 0, high = index.series_count();
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    const auto skipped = index.ReadPayload(middle);
    if (!skipped) return {};
    if (middle + *skipped == number) {
      const auto labels = index.ReadLabels(middle);
      return labels ? labels->ToSeries() : std::string();
    }
    if (middle + *skipped < number) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return {};
}

void BlockWalk::WalkTimes() {
  std::string buffer;
  std::vector<std::string_view> encoded;
  std::vector<std::int64_t> times;
  for (std::uint32_t i = block_.head().first_times; i < block_.head().first_exemplars; ++i) {
    const BlockGroup g = block_.group(i);
    const auto raw = block_.ReadGroup(i, BlockGroupKind::kTimes, &buffer);
    if (!raw) {
      Note(g.offset, WithoutPlace(raw.error().message, block_.chunks_path()));
      continue;
    }
    if (g.last < g.first || !BlockReader::ParseTimes(*raw, g.last - g.first + 1, &encoded)) {
      Note(g.offset, "damaged group of times");
      continue;
    }
    for (std::uint32_t n = 0; n < encoded.size(); ++n) {
      const auto count = chunk::CountTimes(encoded[n]);
      times.resize(count ? *count : 0);
      if (times.empty() || !chunk::DecodeTimes(encoded[n], times)) {
        Note(g.offset, "damaged time column " + std::to_string(g.first + n));
        continue;
      }
      columns_[g.first + n] = {static_cast<std::uint32_t>(times.size()), times.front(), times.back()};
    }
  }
}

void BlockWalk::WalkGroup(std::uint32_t i, const BlockSlice& slice) {
  const BlockGroup g = block_.group(i);
  std::string buffer;
  std::vector<BlockEntry> entries;
  const auto raw = block_.ReadValues(i, &buffer, &entries);
  if (!raw) {
    const std::string first = SeriesName(g.first), last = SeriesName(g.last);
    Note(g.offset, WithoutPlace(raw.error().message, block_.chunks_path()), first == last ? first : first + " to " + last, slice.min_ms, slice.max_ms);
    return;
  }
  std::vector<double> values;
  std::vector<Histogram> histograms;
  std::vector<std::int64_t> starts;
  for (BlockEntry& e : entries) {
    ++chunks_;
    const auto column = columns_.find(e.column);
    if (column == columns_.end()) {
      Note(g.offset, "time column " + std::to_string(e.column) + " is damaged or not there", SeriesName(e.series), slice.min_ms, slice.max_ms);
      continue;
    }
    const std::uint32_t rows = e.count == 0 ? column->second.rows : e.count;
    std::string bad;
    if (e.first > column->second.rows || rows > column->second.rows - e.first) {
      bad = "chunk of rows that its times do not have";
    } else if (e.histogram) {
      const auto done = chunk::DecodeHistograms(raw->substr(e.offset, e.size), &histograms);
      if (!done || histograms.size() != rows) bad = done ? "chunk with another number of histograms than times" : done.error().message;
      histogram_samples_ += rows;
    } else {
      e.count = rows;
      values.resize(rows);
      if (const auto done = DecodeEntry(e, *raw, 0, values); !done) bad = done.error().message;
    }
    if (bad.empty() && e.start_size > 0) {
      starts.resize(rows);
      if (!chunk::DecodeStartTimes(raw->substr(e.offset + e.size, e.start_size), starts)) bad = "damaged start timestamps";
    }
    if (!bad.empty()) Note(g.offset, std::move(bad), SeriesName(e.series), column->second.min_ms, column->second.max_ms);
    samples_ += rows;
  }
}

void BlockWalk::WalkSlice(const BlockSlice& slice) {
  for (std::uint32_t n = 0; n < slice.groups; ++n) WalkGroup(slice.first_group + n, slice);
}

void BlockWalk::Run() {
  const BlockHead& head = block_.head();
  ++out_->blocks;
  out_->series += block_.index().series_count();
  for (auto& what : block_.index().Verify()) out_->problems.push_back({block_.index().path(), 0, WithoutPlace(what, block_.index().path()), {}, 0, -1});
  WalkTimes();
  for (std::uint32_t s = 0; s < head.slices; ++s) WalkSlice(block_.slice(s));
  std::string buffer;
  for (std::uint32_t i = head.first_exemplars; i < head.groups; ++i) {
    const auto kind = i < head.first_metadata ? BlockGroupKind::kExemplars : BlockGroupKind::kMetadata;
    if (const auto raw = block_.ReadGroup(i, kind, &buffer); !raw) Note(block_.group(i).offset, WithoutPlace(raw.error().message, block_.chunks_path()));
  }
  if (out_->problems.empty() && (samples_ != head.samples || histogram_samples_ != head.histogram_samples || chunks_ != head.chunks)) {
    Note(0, "has " + std::to_string(samples_) + " samples; its index says " + std::to_string(head.samples));
  }
  out_->samples += samples_;
  out_->chunks += chunks_;
}

}  // namespace

std::string Problem::ToString() const {
  std::string out = file + ": byte " + std::to_string(offset) + ": " + what;
  if (!series.empty()) out += "; " + series;
  if (min_ms <= max_ms) out += "; " + FormatTimeRfc3339(min_ms) + " to " + FormatTimeRfc3339(max_ms);
  return out;
}

Result<VerifyResult> VerifyBlock(Io& io, const std::string& block_dir) {
  PROM_ASSIGN(const auto block, BlockReader::Open(io, block_dir));
  VerifyResult out;
  BlockWalk(*block, &out).Run();
  return out;
}

Result<VerifyResult> VerifyDataDir(Io& io, const std::string& dir) {
  PROM_ASSIGN(const auto data, DataDir::Open(io, dir));
  PROM_ASSIGN(const auto parts, data->OpenParts());
  VerifyResult out;
  for (const auto& w : parts->warnings) out.problems.push_back({dir, 0, w, {}, 0, -1});
  for (const auto& block : parts->blocks) {
    if (block.reader == nullptr) {
      out.problems.push_back({JoinPath(dir, "blocks/" + block.entry.ulid), 0, block.error, {}, block.entry.min_ms, block.entry.max_ms});
      continue;
    }
    // Counted apart, so that sums of one block are compared with that block only.
    VerifyResult one;
    BlockWalk(*block.reader, &one).Run();
    out.blocks += one.blocks;
    out.series += one.series;
    out.chunks += one.chunks;
    out.samples += one.samples;
    out.more = out.more || one.more;
    for (auto& p : one.problems) out.problems.push_back(std::move(p));
  }
  for (const auto& epoch : parts->epochs) {
    if (epoch.reader == nullptr) {
      out.problems.push_back({EpochDir(dir, epoch.entry.number), 0, epoch.error, {}, 0, -1});
      continue;
    }
    ++out.epochs;
    out.series += epoch.snapshot->stats().series;
    std::uint64_t samples = 0;
    PROM_ASSIGN(auto found, epoch.reader->Verify(&samples));
    out.samples += samples;
    for (auto& p : found) out.problems.push_back({std::move(p.file), p.offset, std::move(p.what), std::move(p.series), p.min_ms, p.max_ms});
  }
  return out;
}

}  // namespace prom::store
