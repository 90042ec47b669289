// IngestSink: what stands between a stream and an Appender. It lets a producer's ids
// run ahead (prom-stream(5) allows it, Appender wants them in order), gathers samples
// that come singly into rows, which the store takes much cheaper than one by one, and
// keeps the account that an acknowledgement needs. Rows are what a page of text is made
// of, and what lies across a text that is sorted by series: of a batch of such, the
// samples of equal time become a row.
// Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "exposition/stream_binary.h"
#include "exposition/stream_sink.h"
#include "store/appender.h"

namespace prom::store {

class IngestSink : public StreamSink {
 public:
  explicit IngestSink(std::unique_ptr<Appender> appender) : appender_(std::move(appender)) {}

  Result<void> DefineSeries(std::uint32_t id, const Labels& labels) override;
  Result<void> DefineLayout(std::uint32_t id, std::span<const std::uint32_t> series) override;
  Result<void> Reset() override;
  Result<void> Row(std::uint32_t layout, std::int64_t t_ms, std::span<const double> values, std::span<const std::uint64_t> present) override;
  Result<void> Sample(std::uint32_t series, std::int64_t t_ms, double v, std::int64_t st_ms = 0) override;
  Result<void> HistogramAt(std::uint32_t series, std::int64_t t_ms, const Histogram& h, std::int64_t st_ms = 0) override;
  Result<void> ExemplarOf(std::uint32_t series, const Exemplar& exemplar) override;
  Result<void> MetadataOf(std::string_view metric, const Metadata& metadata) override;
  Result<void> Commit(std::uint64_t sequence) override;

  // The acknowledgement of what was committed since the last call; sequence 0: nothing.
  StreamAck TakeAck();
  const Appender& appender() const { return *appender_; }
  std::uint64_t refused() const;    // of all commits
  std::uint64_t batches() const { return batches_; }

 private:
  static constexpr std::uint32_t kNone = 0xffffffff;
  // Fewer samples than this at one time go singly.
  static constexpr std::size_t kMinRow = 8;
  // Sets of series that were seen once only; beyond it they go singly, so that input
  // without any pattern does not fill the store with layouts.
  static constexpr std::size_t kMaxUnused = 256;
  static constexpr std::size_t kMaxGathered = 1u << 16;
  static constexpr std::size_t kMaxRow = 1u << 20;

  struct Gathered {
    std::uint32_t layout = 0;
    std::vector<std::uint32_t> series;
    bool again = false;  // seen more than once
  };
  Result<std::uint32_t> SeriesOf(std::uint32_t id) const;
  Result<void> EndRow();
  Result<void> EndGathering();
  Result<void> SendRow();
  Result<void> KeepSingles();
  Result<void> FlushSingles();
  std::uint32_t TimeOf(std::int64_t t_ms);
  Result<void> NewLayout(std::span<const std::uint32_t> series, std::uint32_t* id);

  std::unique_ptr<Appender> appender_;
  std::vector<std::uint32_t> series_;   // the appender's ids by the producer's
  std::vector<std::uint32_t> layouts_;
  std::uint32_t next_series_ = 0, next_layout_ = 0;

  // The row that is gathering.
  std::int64_t row_t_ms_ = 0;
  std::vector<std::uint32_t> row_series_;
  std::vector<double> row_values_;
  std::vector<std::uint32_t> seen_in_;  // by the appender's series: number of the row it was last in
  std::uint32_t row_number_ = 1;
  std::unordered_multimap<std::uint64_t, Gathered> gathered_;  // by hash of the series
  std::size_t unused_ = 0;

  // Samples that made no row as they came; those of one series ascend in time.
  static constexpr std::size_t kMaxSingles = 1u << 20;
  struct Single {
    std::uint32_t series, time;  // the time: index in times_
    double v;
  };
  std::vector<Single> singles_;
  std::vector<std::int64_t> times_;  // in the order they were first seen
  std::unordered_map<std::int64_t, std::uint32_t> time_numbers_;
  std::uint32_t last_time_ = 0;
  struct Newest {
    std::uint32_t round = 0;  // the value of round_ when t_ms was noted
    std::int64_t t_ms = 0;
  };
  std::vector<Newest> newest_;  // by the appender's series, of singles_
  std::uint32_t round_ = 1;

  StreamAck ack_;
  StreamAck acked_;  // counts of what TakeAck has returned
  std::uint64_t batches_ = 0;
};

}  // namespace prom::store
