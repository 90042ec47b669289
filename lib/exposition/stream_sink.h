// StreamSink: samples in flight, contract 1 (prom-stream(5)), as calls.
//
// Whoever produces samples (a scrape loop, a stream decoder, an importer) calls a
// sink; whoever consumes them (the text and binary encoders, the store's appender)
// is one. So programs compose in memory the way they do in a pipe.
//
// Ids of series and layouts are chosen by the producer, dense from 0, and hold
// until Reset. Everything between two Commits is one batch: a reader of the store
// sees all of it or nothing. Times are ms. Not thread-safe.
//
// An error means the sink can take no more (disk, closed pipe); a sample that is
// refused for itself (out of order, too old) is counted by the sink, not an error.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "base/result.h"
#include "model/labels.h"
#include "model/sample.h"

namespace prom {

class StreamSink {
 public:
  virtual ~StreamSink() = default;

  // Series `id` from now on means `labels`. Defined before use; ids are not redefined before Reset.
  virtual Result<void> DefineSeries(std::uint32_t id, const Labels& labels) = 0;
  // Layout `id` is this list of series. Naming an existing layout appends to it:
  // rows before had fewer columns.
  virtual Result<void> DefineLayout(std::uint32_t id, std::span<const std::uint32_t> series) = 0;
  // Forgets all ids, series and layouts.
  virtual Result<void> Reset() = 0;

  // One scrape: values[i] belongs to the layout's i-th series. `present` has one bit
  // per value, bit i of word i/64; empty means all. An absent value is no sample
  // (a stale marker is a present value with kStaleNanBits).
  virtual Result<void> Row(std::uint32_t layout, std::int64_t t_ms, std::span<const double> values,
                           std::span<const std::uint64_t> present) = 0;
  // One sample outside any layout. st_ms: start timestamp, 0 when unknown.
  virtual Result<void> Sample(std::uint32_t series, std::int64_t t_ms, double v, std::int64_t st_ms = 0) = 0;
  virtual Result<void> HistogramAt(std::uint32_t series, std::int64_t t_ms, const Histogram& h, std::int64_t st_ms = 0) = 0;
  virtual Result<void> ExemplarOf(std::uint32_t series, const Exemplar& exemplar) = 0;
  virtual Result<void> MetadataOf(std::string_view metric, const Metadata& metadata) = 0;

  // Ends a batch. `sequence` is the producer's own number, growing; an
  // acknowledgement names the last one that is durable.
  virtual Result<void> Commit(std::uint64_t sequence) = 0;
};

// Takes bytes of a stream to where they go (a pipe, a socket). An error ends the stream.
using StreamWriteFn = std::function<Result<void>(std::string_view bytes)>;

}  // namespace prom
