// BlockImport: samples of any age and order into blocks of their own, beside whatever
// the store holds and beside a running writer. A StreamSink, so any reader of samples
// can feed it.
//
// Samples gather in memory; when there are `max_samples`, they become a block under
// DATA/staging/. Finish merges what overlaps, and puts all blocks in force at once:
// an import that is stopped or killed leaves nothing. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/io.h"
#include "base/result.h"
#include "base/time.h"
#include "exposition/stream_sink.h"
#include "store/block_writer.h"
#include "store/requests.h"
#include "store/staging.h"
#include "transfer/sample_buffer.h"

namespace prom::transfer {

struct BlockImportOptions {
  std::string data_dir;
  std::size_t max_samples = 4u << 20;      // in memory: 128 MiB
  std::size_t max_bytes = 512u << 20;      // with labels and histograms
  std::function<bool()> canceled;          // asked now and then; true stops with kCanceled
};

struct BlockImportSummary {
  std::uint64_t samples = 0;   // in the new blocks
  std::uint64_t series = 0;    // of the largest block
  std::uint64_t replaced = 0;  // had the time of a later sample of their series, and another value
  std::uint64_t blocks = 0, bytes = 0;
  std::int64_t min_ms = 0, max_ms = 0;
  bool through_writer = false;    // a running one
  std::int64_t retention_ms = 0;  // of it; 0: for ever
  std::vector<std::string> warnings;  // of a source: damage that cost samples
};

class BlockImport : public StreamSink {
 public:
  // kUnavailable: another process is the writer and takes no requests.
  static Result<std::unique_ptr<BlockImport>> Start(Io& io, Clock& clock, const BlockImportOptions& options);

  Result<void> DefineSeries(std::uint32_t id, const Labels& labels) override;
  Result<void> DefineLayout(std::uint32_t id, std::span<const std::uint32_t> series) override;
  Result<void> Reset() override;
  Result<void> Row(std::uint32_t layout, std::int64_t t_ms, std::span<const double> values, std::span<const std::uint64_t> present) override;
  Result<void> Sample(std::uint32_t series, std::int64_t t_ms, double v, std::int64_t st_ms = 0) override;
  Result<void> HistogramAt(std::uint32_t series, std::int64_t t_ms, const Histogram& h, std::int64_t st_ms = 0) override;
  Result<void> ExemplarOf(std::uint32_t series, const Exemplar& exemplar) override;
  Result<void> MetadataOf(std::string_view metric, const Metadata& metadata) override;
  Result<void> Commit(std::uint64_t sequence) override;

  // Samples taken so far.
  std::uint64_t samples() const { return taken_; }
  // A Queryable's samples as further blocks, without passing through memory as a whole.
  Result<void> Copy(const Queryable& source, std::int64_t min_ms, std::int64_t max_ms);
  Result<BlockImportSummary> Finish();

 private:
  BlockImport(Io& io, Clock& clock, BlockImportOptions options) : io_(io), clock_(clock), options_(std::move(options)) {}
  Result<void> Check(std::uint32_t series) const;
  Result<void> Spill();
  Result<std::vector<store::BlockInfo>> WriteWindows(const Queryable& source, std::int64_t width_ms, std::int64_t slice_ms, bool best);
  bool MustMerge() const;
  Result<void> Merge();

  Io& io_;
  Clock& clock_;
  const BlockImportOptions options_;
  std::unique_ptr<store::Staging> staging_;
  SampleBuffer buffer_;
  std::vector<std::uint32_t> ids_;  // of buffer_, by the producer's
  std::vector<std::vector<std::uint32_t>> layouts_;
  std::vector<store::BlockInfo> blocks_;
  std::uint64_t taken_ = 0, commits_ = 0;
};

}  // namespace prom::transfer
