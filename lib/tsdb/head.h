// Head: what Prometheus has not yet put into a block, replayed from chunks_head/, the
// checkpoint and segments of wal/, and wbl/ (out-of-order samples).
//
// Samples that are in a chunk of chunks_head/ stay there; only those behind it are kept
// in memory, at most some hundred a series. Later refreshes go on where the last ended.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/io.h"
#include "tsdb/head_chunks.h"
#include "tsdb/part.h"
#include "tsdb/wal_records.h"

namespace prom::tsdb {

struct HeadColumns {
  std::vector<std::int64_t> t, st;  // st: empty when none is known
  std::vector<double> v;
  std::vector<HistogramSample> histograms;
  std::vector<std::int64_t> histogram_st;
  std::int64_t min_ms = 0, max_ms = -1;  // min > max: empty

  std::size_t size() const { return t.size() + histograms.size(); }
  void Add(const RefSample& s);
  void Add(const RefHistogram& s);

 private:
  void Widen(std::int64_t t_ms);
};

struct HeadSeries {
  std::shared_ptr<const Labels> labels;  // shared by all versions of the series
  std::vector<ChunkMeta> chunks, out_of_order_chunks;  // in chunks_head/
  HeadColumns samples, out_of_order;                   // from the log
  Intervals deleted;
  std::vector<Exemplar> exemplars;
  std::int64_t last_ms = 0;  // newest in-order sample
  bool any = false;          // there is one
  bool dropped = false;      // deleted whole: other series of these labels may follow
  std::uint32_t epoch = 0;   // refresh that may write to it; older ones are in snapshots
};

// The head at one moment. Thread-safe.
class HeadSnapshot : public Part {
 public:
  Result<std::vector<PartSeries>> SelectSeries(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const override;
  Result<std::vector<std::string>> LabelNames(const Matchers& matchers) const override;
  Result<std::vector<std::string>> LabelValues(std::string_view name, const Matchers& matchers) const override;
  void ReadChunk(const PartSeries& series, const ChunkMeta& chunk, SeriesColumns* out) const override;
  std::pair<std::int64_t, std::int64_t> TimeRange() const override { return {min_ms_, max_ms_}; }
  std::vector<std::pair<std::string, Metadata>> ListMetadata() const override;
  std::vector<Queryable::SeriesExemplars> Exemplars(const std::vector<Matchers>& any_of, std::int64_t min_ms, std::int64_t max_ms) const override;

  std::uint64_t series() const { return series_.size(); }
  std::uint64_t samples() const { return samples_; }  // in memory
  std::uint64_t chunks() const { return chunks_ == nullptr ? 0 : chunks_->count(); }

 private:
  friend class Head;
  // Positions in series_ that match, in no order.
  std::vector<std::uint32_t> Match(const Matchers& matchers) const;

  std::vector<std::shared_ptr<const HeadSeries>> series_;
  std::unordered_map<std::string_view, std::vector<std::uint32_t>> by_metric_;  // views into the labels
  std::shared_ptr<const HeadChunks> chunks_;
  std::shared_ptr<const std::map<std::string, Metadata>> metadata_;
  std::int64_t min_ms_ = 0, max_ms_ = -1;
  std::uint64_t samples_ = 0;
};

class Head {
 public:
  Head(Io& io, std::string dir) : io_(io), dir_(std::move(dir)) {}

  // Samples before `min_valid_ms` are in blocks already and are left out. kNotFound: a
  // file went away meanwhile; the caller lists the directory again.
  Result<std::shared_ptr<const HeadSnapshot>> Refresh(std::int64_t min_valid_ms);
  // Of the last Refresh: damage, with file and offset.
  const std::vector<std::string>& warnings() const { return warnings_; }
  // Samples read from the log by the last Refresh, kept or not: what it cost.
  std::uint64_t replayed() const { return replayed_; }

 private:
  struct Log {
    std::string dir;
    std::string checkpoint;                // path; empty: none
    std::vector<std::uint64_t> segments;  // behind the checkpoint
  };
  struct Position {
    std::uint64_t segment = 0, offset = 0;
  };
  Result<Log> ListLog(const std::string& name) const;
  Result<std::vector<std::uint64_t>> ListSegments(const std::string& dir) const;
  void Reset();
  void Warn(std::string what);
  Result<void> Replay(std::int64_t min_valid_ms);
  // Reads records of one segment from *offset on.
  Result<void> ReplaySegment(const std::string& path, bool last, bool out_of_order, std::uint64_t* offset);
  Result<void> Apply(std::string_view record, bool out_of_order);
  void AddSeries(RefSeries series);
  void AddMetadata(const RefMetadata& m);
  // Position in series_ plus 1; 0: no such series, which is counted.
  std::uint32_t Position1(std::uint64_t ref);
  // Null: no such series.
  HeadSeries* Find(std::uint64_t ref);
  HeadSeries* Writable(std::uint32_t at);
  template <typename Sample>
  void AddSample(const Sample& s, bool out_of_order);
  std::shared_ptr<const HeadSnapshot> MakeSnapshot();

  Io& io_;
  const std::string dir_;
  std::vector<std::shared_ptr<HeadSeries>> series_;
  std::unordered_map<std::string_view, std::uint32_t> by_labels_;  // views into the labels
  std::vector<std::uint32_t> dense_refs_;                          // ref -> position + 1; 0: none
  std::unordered_map<std::uint64_t, std::uint32_t> sparse_refs_;   // refs beyond
  std::shared_ptr<const HeadChunks> chunks_;
  std::shared_ptr<std::map<std::string, Metadata>> metadata_;
  std::uint32_t epoch_ = 0;

  bool replayed_once_ = false;
  std::string checkpoint_;
  std::uint64_t first_segment_ = 0;
  Position wal_, wbl_;
  std::int64_t min_valid_ms_ = 0;
  std::uint64_t samples_ = 0, samples_after_replay_ = 0;  // in memory
  std::shared_ptr<const HeadSnapshot> snapshot_;

  bool writer_alive_ = false;
  std::uint64_t records_ = 0, replayed_ = 0, unknown_ = 0, invalid_ = 0;
  std::vector<std::string> warnings_;
  std::vector<RefSeries> series_records_;
  std::vector<RefSample> sample_records_;
  std::vector<RefHistogram> histogram_records_;
};

}  // namespace prom::tsdb
