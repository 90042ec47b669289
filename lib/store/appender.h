// Appender: a StreamSink into the store, one per producer (connection, scrape
// loop, import). It maps the producer's ids to the store's and gathers a batch;
// Commit writes it. A row of a layout that is known costs a copy of its values.
//
// When Commit returns, readers in other processes see the batch and kill -9 loses
// nothing of it; with FsyncMode::kAlways it is on disk too. On error nothing of it
// is stored and it is kept: call Commit again when there is room, or Discard.
//
// Not thread-safe, but many Appenders of one Writer may be used at once.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/mutex.h"
#include "exposition/stream_sink.h"
#include "store/head_batch.h"

namespace prom::store {

class HeadWriter;
class Writer;

class Appender : public StreamSink {
 public:
  ~Appender() override;
  Appender(const Appender&) = delete;
  Appender& operator=(const Appender&) = delete;

  // kInvalid: an id that is neither new (the next one) nor, for layouts, known;
  // a row longer than its layout; an empty label set.
  Result<void> DefineSeries(std::uint32_t id, const Labels& labels) override;
  // A series that occurs twice in a layout keeps its first value; the others are counted as duplicates.
  Result<void> DefineLayout(std::uint32_t id, std::span<const std::uint32_t> series) override;
  Result<void> Reset() override;
  Result<void> Row(std::uint32_t layout, std::int64_t t_ms, std::span<const double> values, std::span<const std::uint64_t> present) override;
  Result<void> Sample(std::uint32_t series, std::int64_t t_ms, double v, std::int64_t st_ms = 0) override;
  Result<void> HistogramAt(std::uint32_t series, std::int64_t t_ms, const Histogram& h, std::int64_t st_ms = 0) override;
  Result<void> ExemplarOf(std::uint32_t series, const Exemplar& exemplar) override;
  Result<void> MetadataOf(std::string_view metric, const Metadata& metadata) override;
  Result<void> Commit(std::uint64_t sequence) override;

  void Discard() { batch_.Clear(); }
  // The store's own sequence of the last Commit, to be compared with
  // Writer::durable_sequence(); and the producer's.
  std::uint64_t store_sequence() const { return store_sequence_; }
  std::uint64_t sequence() const { return sequence_; }
  std::uint64_t invalid_histograms() const { return invalid_histograms_; }
  // Samples of series that were not taken because WriterOptions::max_series was reached. Such a
  // series is looked at again when it is defined anew: after Reset, or by another Appender.
  std::uint64_t over_limit() const { return over_limit_; }
  std::uint64_t duplicate_columns() const { return duplicate_columns_; }  // values of series that were twice in a row
  // What became of the samples of all commits so far.
  struct Outcome {
    std::uint64_t appended = 0, repeated = 0;                        // taken
    std::uint64_t out_of_order = 0, duplicates = 0, too_old = 0;     // refused for themselves
    std::uint64_t refused() const { return out_of_order + duplicates + too_old; }
  };
  const Outcome& outcome() const { return outcome_; }
  bool series_limited() const { return limited_ != 0; }  // some series are not taken

 private:
  friend class Writer;
  static constexpr std::uint32_t kNoSlot = 0xffffffff;
  static constexpr std::uint32_t kOverLimit = 0xfffffffe;  // in Layout::series: a series that was not taken
  static constexpr std::uint32_t kNoSeries = 0xffffffff;  // in series_: over the limit
  struct Layout {
    std::vector<std::uint32_t> series;  // the producer's ids, kNoSlot: a repetition; or kOverLimit
    std::uint32_t store = 0;
    std::vector<std::uint32_t> slots;   // column in the store's layout; empty while slot i is i
    std::uint32_t columns = 0;          // largest slot + 1
    std::vector<bool> used;             // slots that are taken: extending does not look at what is there
    bool old = false;                   // of an epoch before: only `series` counts
    std::uint32_t size() const { return static_cast<std::uint32_t>(series.size()); }
    std::uint32_t slot(std::uint32_t i) const { return slots.empty() ? i : slots[i]; }
  };

  explicit Appender(Writer& writer);
  // With the writer's mutex held:
  void Bind() PROM_ANNOTATE(no_thread_safety_analysis);  // to the epoch that is being written
  void Place(Layout* layout, std::span<const std::uint32_t> series, bool extend);
  void Release();
  // Series and layouts are said again in terms of a new epoch when they are first used in
  // it: all at once would hold up every producer.
  std::uint32_t Translate(const HeadWriter& from, std::uint32_t id);
  void CarrySeries(std::uint32_t series);
  void CarryLayout(Layout* layout);
  void LeaveEpoch(const std::shared_ptr<HeadWriter>& before);
  // Makes sure that a series or a layout can be used; takes the writer's mutex when it must.
  void UseSeries(std::uint32_t series);
  void UseLayout(std::uint32_t layout);
  void AppendRow(const Layout& layout, std::int64_t t_ms, std::span<const double> values, std::span<const std::uint64_t> present);

  Writer& writer_;
  std::shared_ptr<HeadWriter> head_;
  std::vector<std::uint32_t> series_;  // store ids by the producer's
  // The epoch before, whose ids series_ still has where the bit is set; null: none are left.
  std::shared_ptr<HeadWriter> old_head_;
  std::vector<bool> is_old_;
  std::size_t old_series_ = 0;
  std::vector<Layout> layouts_;
  HeadBatch batch_;
  std::vector<double> scatter_;
  std::vector<std::uint64_t> words_;
  std::uint64_t store_sequence_ = 0, sequence_ = 0;
  std::uint64_t invalid_histograms_ = 0, duplicate_columns_ = 0, over_limit_ = 0;
  std::size_t limited_ = 0;  // of series_: kNoSeries
  Outcome outcome_;
};

}  // namespace prom::store
