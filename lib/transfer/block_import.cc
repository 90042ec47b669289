#include "transfer/block_import.h"

#include <algorithm>

#include "base/ulid.h"
#include "store/block_reader.h"
#include "store/merged.h"

namespace prom::transfer {
namespace {

constexpr std::int64_t kBlockMs = 2 * 3'600'000;
constexpr std::int64_t kWidestMs = 486 * 3'600'000ll;  // 2 h x 3^5: the widest window under 31 days
constexpr double kSamplesPerChunk = 480;
constexpr double kPoorSamples = 120;  // of a series in a block: fewer are worth merging

std::int64_t AlignDown(std::int64_t t, std::int64_t width) {
  const std::int64_t into = ((t % width) + width) % width;
  return t < kMinTimeMs + into ? kMinTimeMs : t - into;
}

double Span(std::int64_t min_ms, std::int64_t max_ms) { return static_cast<double>(max_ms) - static_cast<double>(min_ms) + 1; }

// Slices that hold about 480 samples of a series.
std::int64_t SliceMs(double samples, double series, double span_ms) {
  const double per_ms = samples / std::max(series, 1.0) / std::max(span_ms, static_cast<double>(kBlockMs));
  std::int64_t width = kBlockMs;
  while (width < kWidestMs && per_ms * 2 * static_cast<double>(width) <= kSamplesPerChunk * 1.1) width *= 2;
  return width;
}

}  // namespace

Result<std::unique_ptr<BlockImport>> BlockImport::Start(Io& io, Clock& clock, const BlockImportOptions& options) {
  auto self = std::unique_ptr<BlockImport>(new BlockImport(io, clock, options));
  {
    // Hours of reading are not for nothing: whether blocks can be handed over is seen first.
    PROM_ASSIGN(auto access, store::WriterAccess::Open(io, clock, options.data_dir, {}));
    PROM_TRY(access->Close());
  }
  PROM_ASSIGN(self->staging_, store::Staging::Make(io, options.data_dir, clock.NowMs()));
  return self;
}

Result<void> BlockImport::Check(std::uint32_t series) const {
  if (series >= ids_.size() || ids_[series] == UINT32_MAX) return Error{Errc::kInvalid, "series " + std::to_string(series) + " is not defined"};
  return {};
}

Result<void> BlockImport::DefineSeries(std::uint32_t id, const Labels& labels) {
  if (id >= ids_.size()) ids_.resize(std::max<std::size_t>(std::size_t{id} + 1, ids_.size() + ids_.size() / 2), UINT32_MAX);
  ids_[id] = buffer_.SeriesOf(labels);
  return {};
}

Result<void> BlockImport::DefineLayout(std::uint32_t id, std::span<const std::uint32_t> series) {
  if (id >= layouts_.size()) layouts_.resize(std::size_t{id} + 1);
  for (const std::uint32_t s : series) PROM_TRY(Check(s));
  layouts_[id].insert(layouts_[id].end(), series.begin(), series.end());
  return {};
}

Result<void> BlockImport::Reset() {
  PROM_TRY(Spill());
  buffer_.Clear();
  ids_.clear();
  layouts_.clear();
  return {};
}

Result<void> BlockImport::Row(std::uint32_t layout, std::int64_t t_ms, std::span<const double> values, std::span<const std::uint64_t> present) {
  if (layout >= layouts_.size() || values.size() > layouts_[layout].size()) return Error{Errc::kInvalid, "a row does not fit its layout"};
  const auto& series = layouts_[layout];
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!present.empty() && (present[i / 64] >> (i % 64) & 1) == 0) continue;
    buffer_.Add(ids_[series[i]], t_ms, values[i]);
    ++taken_;
  }
  if (buffer_.samples() >= options_.max_samples) return Spill();
  return {};
}

Result<void> BlockImport::Sample(std::uint32_t series, std::int64_t t_ms, double v, std::int64_t st_ms) {
  PROM_TRY(Check(series));
  buffer_.Add(ids_[series], t_ms, v);
  if (st_ms != 0) buffer_.AddStart(ids_[series], t_ms, st_ms);
  ++taken_;
  if (buffer_.samples() >= options_.max_samples) return Spill();
  return {};
}

Result<void> BlockImport::HistogramAt(std::uint32_t series, std::int64_t t_ms, const Histogram& h, std::int64_t st_ms) {
  PROM_TRY(Check(series));
  buffer_.Add(ids_[series], t_ms, std::make_shared<const Histogram>(h), st_ms);
  ++taken_;
  if (buffer_.memory_bytes() >= options_.max_bytes) return Spill();
  return {};
}

Result<void> BlockImport::ExemplarOf(std::uint32_t series, const Exemplar& exemplar) {
  PROM_TRY(Check(series));
  buffer_.Add(ids_[series], exemplar);
  return {};
}

Result<void> BlockImport::MetadataOf(std::string_view metric, const Metadata& metadata) {
  buffer_.SetMetadata(metric, metadata);
  return {};
}

Result<void> BlockImport::Commit(std::uint64_t) {
  // A batch means nothing here: all of an import is one.
  if (++commits_ % 16 == 0 && options_.canceled && options_.canceled()) return Error{Errc::kCanceled, "stopped: nothing was imported"};
  if (buffer_.samples() > 0 && buffer_.memory_bytes() >= options_.max_bytes) return Spill();
  return {};
}

Result<std::vector<store::BlockInfo>> BlockImport::WriteWindows(const Queryable& source, std::int64_t width_ms, std::int64_t slice_ms, bool best) {
  std::vector<store::BlockInfo> out;
  const auto [min_ms, max_ms] = source.TimeRange();
  for (std::int64_t from = min_ms; from <= max_ms;) {
    const std::int64_t start = AlignDown(from, width_ms);
    // One that sticks out a little over its window stays whole.
    const bool rest = Span(start, max_ms) <= static_cast<double>(width_ms) || Span(from, max_ms) <= static_cast<double>(width_ms) / 2;
    const std::int64_t to = rest ? max_ms : start + width_ms - 1;
    store::BlockWriterOptions write;
    write.ulid = NewUlid(clock_.NowMs());
    write.slice_ms = slice_ms;
    write.best_compression = best;
    write.canceled = [](void* self) {
      const auto& canceled = static_cast<BlockImport*>(self)->options_.canceled;
      return canceled && canceled();
    };
    write.canceled_argument = this;
    auto info = store::WriteBlock(io_, staging_->dir(), source, from, to, write);
    if (!info && info.error().code == Errc::kCanceled) return Error{Errc::kCanceled, "stopped: nothing was imported"};
    if (!info) return std::move(info.error());
    if (info->samples != 0) out.push_back(std::move(*info));
    if (to >= max_ms) break;
    from = to + 1;
    // Over years without samples in one step.
    PROM_ASSIGN(const auto left, source.Select({}, from, max_ms));
    if (left->size() == 0) break;
  }
  return out;
}

Result<void> BlockImport::Spill() {
  if (buffer_.samples() == 0) return {};
  buffer_.Freeze();
  const auto [min_ms, max_ms] = buffer_.TimeRange();
  const std::int64_t slice = SliceMs(static_cast<double>(buffer_.samples()), static_cast<double>(buffer_.series()), Span(min_ms, max_ms));
  PROM_ASSIGN(auto blocks, WriteWindows(buffer_, kWidestMs, slice, false));
  blocks_.insert(blocks_.end(), std::make_move_iterator(blocks.begin()), std::make_move_iterator(blocks.end()));
  buffer_.DropSamples();
  return {};
}

Result<void> BlockImport::Copy(const Queryable& source, std::int64_t min_ms, std::int64_t max_ms) {
  const auto range = source.TimeRange();
  min_ms = std::max(min_ms, range.first);
  max_ms = std::min(max_ms, range.second);
  if (min_ms > max_ms) return {};
  class Part : public Queryable {
   public:
    Part(const Queryable& whole, std::int64_t from, std::int64_t to) : whole_(whole), from_(from), to_(to) {}
    Result<std::unique_ptr<Selection>> Select(const Matchers& m, std::int64_t lo, std::int64_t hi) const override { return whole_.Select(m, std::max(lo, from_), std::min(hi, to_)); }
    Result<std::vector<std::string>> LabelNames(const Matchers& m, std::int64_t lo, std::int64_t hi) const override { return whole_.LabelNames(m, lo, hi); }
    Result<std::vector<std::string>> LabelValues(std::string_view n, const Matchers& m, std::int64_t lo, std::int64_t hi) const override { return whole_.LabelValues(n, m, lo, hi); }
    Result<std::vector<std::pair<std::string, Metadata>>> ListMetadata() const override { return whole_.ListMetadata(); }
    Result<std::vector<SeriesExemplars>> Exemplars(const std::vector<Matchers>& m, std::int64_t lo, std::int64_t hi) const override { return whole_.Exemplars(m, std::max(lo, from_), std::min(hi, to_)); }
    std::pair<std::int64_t, std::int64_t> TimeRange() const override { return {from_, to_}; }

   private:
    const Queryable& whole_;
    std::int64_t from_, to_;
  };
  PROM_ASSIGN(auto blocks, WriteWindows(Part(source, min_ms, max_ms), 27 * kBlockMs, kBlockMs, true));
  for (store::BlockInfo& b : blocks) {
    taken_ += b.samples;
    blocks_.push_back(std::move(b));
  }
  return {};
}

// Blocks that lie mostly inside of others, as of a file that goes series by series; or
// that have few samples of each series, as of very many series.
bool BlockImport::MustMerge() const {
  std::vector<std::pair<std::int64_t, std::int64_t>> ranges;
  bool poor = false;
  for (const auto& b : blocks_) {
    ranges.emplace_back(b.min_ms, b.max_ms);
    poor = poor || static_cast<double>(b.samples) < kPoorSamples * static_cast<double>(b.series);
  }
  std::sort(ranges.begin(), ranges.end());
  bool overlap = false;
  std::int64_t end = kMinTimeMs, start = kMinTimeMs;
  for (const auto& [min_ms, max_ms] : ranges) {
    if (min_ms <= end && Span(min_ms, std::min(end, max_ms)) * 2 > std::min(Span(start, end), Span(min_ms, max_ms))) overlap = true;
    if (max_ms > end) {
      start = min_ms;
      end = max_ms;
    }
  }
  return blocks_.size() > 1 && (overlap || poor);
}

Result<void> BlockImport::Merge() {
  std::vector<std::shared_ptr<const Queryable>> sources;
  double samples = 0, series = 0;
  std::int64_t min_ms = kMaxTimeMs, max_ms = kMinTimeMs;
  for (const auto& b : blocks_) {
    PROM_ASSIGN(auto reader, store::BlockReader::Open(io_, store::BlockDir(staging_->dir(), b.ulid)));
    sources.push_back(std::move(reader));
    samples += static_cast<double>(b.samples);
    series = std::max(series, static_cast<double>(b.series));
    min_ms = std::min(min_ms, b.min_ms);
    max_ms = std::max(max_ms, b.max_ms);
  }
  const store::MergedQueryable merged(std::move(sources));
  PROM_ASSIGN(const auto all, merged.Select({}, min_ms, max_ms));
  series = std::max(series, static_cast<double>(all->size()));
  std::int64_t width = kBlockMs;
  while (width < kWidestMs && static_cast<double>(width) < Span(min_ms, max_ms)) width *= 3;
  PROM_ASSIGN(auto blocks, WriteWindows(merged, width, SliceMs(samples, series, Span(min_ms, max_ms)), true));
  for (const auto& b : blocks_) PROM_TRY(RemoveTree(io_, store::BlockDir(staging_->dir(), b.ulid)));
  blocks_ = std::move(blocks);
  return {};
}

Result<BlockImportSummary> BlockImport::Finish() {
  PROM_TRY(Spill());
  BlockImportSummary s;
  s.replaced = buffer_.replaced();
  if (MustMerge()) PROM_TRY(Merge());
  if (options_.canceled && options_.canceled()) return Error{Errc::kCanceled, "stopped: nothing was imported"};
  store::BlockSwap swap;
  swap.staging = staging_->name();
  s.min_ms = kMaxTimeMs;
  s.max_ms = kMinTimeMs;
  for (const auto& b : blocks_) {
    swap.add.push_back(b.ulid);
    s.samples += b.samples;
    s.bytes += b.bytes;
    s.series = std::max(s.series, b.series);
    s.min_ms = std::min(s.min_ms, b.min_ms);
    s.max_ms = std::max(s.max_ms, b.max_ms);
    s.warnings.insert(s.warnings.end(), b.warnings.begin(), b.warnings.end());
  }
  s.blocks = blocks_.size();
  if (swap.add.empty()) return s;
  PROM_ASSIGN(auto access, store::WriterAccess::Open(io_, clock_, options_.data_dir, {}));
  s.through_writer = access->remote();
  PROM_TRY(access->ReplaceBlocks(swap, &s.retention_ms));
  PROM_TRY(access->Close());
  return s;
}

}  // namespace prom::transfer
