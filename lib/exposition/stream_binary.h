// The binary form of the stream, prom-stream(5): an 8-byte header, then frames with
// length, type and CRC32C. StreamEncoder is a StreamSink that makes bytes;
// StreamDecoder takes bytes as they come and calls a StreamSink. The second half is
// the other direction of a socket: what the store answers.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "exposition/stream_sink.h"

namespace prom {

enum class StreamForm { kUnknown, kText, kBinary };
// By the first bytes; one is enough. kUnknown only when there are none.
StreamForm DetectStream(std::string_view first_bytes);

// What a decoder lets a sender make it hold.
struct StreamLimits {
  std::size_t max_frame_bytes = 64u << 20;  // room for a row of 8 million values
  std::size_t max_series = 16u << 20;       // ids between two resets
  std::size_t max_layouts = 1u << 20;
  std::size_t max_columns = 64u << 20;  // of all layouts together
};

// Not thread-safe.
class StreamEncoder : public StreamSink {
 public:
  // Calls `write` at every Commit, and whenever flush_bytes have gathered.
  explicit StreamEncoder(StreamWriteFn write, std::size_t flush_bytes = 256u << 10);

  // kInvalid: an id that was not defined or is far ahead of the others, a row that does
  // not fit its layout, a histogram that Histogram::Validate refuses;
  // kLimit: more than one frame can hold. Nothing of the call is written then.
  Result<void> DefineSeries(std::uint32_t id, const Labels& labels) override;
  Result<void> DefineLayout(std::uint32_t id, std::span<const std::uint32_t> series) override;
  Result<void> Reset() override;
  Result<void> Row(std::uint32_t layout, std::int64_t t_ms, std::span<const double> values, std::span<const std::uint64_t> present) override;
  Result<void> Sample(std::uint32_t series, std::int64_t t_ms, double v, std::int64_t st_ms = 0) override;
  Result<void> HistogramAt(std::uint32_t series, std::int64_t t_ms, const Histogram& h, std::int64_t st_ms = 0) override;
  Result<void> ExemplarOf(std::uint32_t series, const Exemplar& exemplar) override;
  Result<void> MetadataOf(std::string_view metric, const Metadata& metadata) override;
  Result<void> Commit(std::uint64_t sequence) override;

  // Passes on what has gathered.
  Result<void> Flush();

 private:
  std::size_t BeginFrame(std::uint8_t type);
  Result<void> EndFrame(std::size_t begin);
  Result<void> EndOpenFrame();
  Result<void> CheckSeries(std::uint32_t id) const;

  StreamWriteFn write_;
  std::size_t flush_bytes_;
  std::string out_;
  std::vector<bool> series_;
  std::vector<std::uint32_t> columns_;  // by layout
  // Definitions and single samples gather in one frame of their kind.
  std::uint8_t open_type_ = 0;
  std::size_t open_begin_ = 0;
  std::int64_t last_t_ms_ = 0;
};

// Cuts bytes into checked frames; both directions use it. Not thread-safe.
class FrameReader {
 public:
  explicit FrameReader(std::size_t max_frame_bytes) : max_frame_bytes_(max_frame_bytes) {}
  using FrameFn = std::function<Result<void>(std::uint8_t type, std::string_view payload)>;
  // kCorrupt with the byte offset of the frame: bad magic, length, checksum, or what
  // `frame` returned. kUnsupported: a newer version. After an error: the same again.
  Result<void> Feed(std::string_view bytes, const FrameFn& frame);
  // kCorrupt: the bytes end inside a frame.
  Result<void> Finish();
  std::uint64_t offset_bytes() const { return offset_; }  // of the first byte not yet taken

 private:
  Result<std::size_t> TakeOne(std::string_view bytes, const FrameFn& frame);
  Result<void> Fail(Error error);

  std::size_t max_frame_bytes_;
  std::string partial_;
  std::uint64_t offset_ = 0;
  bool header_seen_ = false, failed_ = false;
  Error error_;
};

// Not thread-safe.
class StreamDecoder {
 public:
  // `sink` must outlive the decoder.
  explicit StreamDecoder(StreamSink* sink, StreamLimits limits = {}) : sink_(sink), limits_(limits), frames_(limits.max_frame_bytes) {}

  // The next bytes, cut anywhere. kCorrupt, kUnsupported, kLimit: "... at byte N";
  // other errors are the sink's. After an error the decoder gives it again.
  Result<void> Feed(std::string_view bytes);
  // End of input. kCorrupt: in the middle of a frame. What was not committed before stays uncommitted.
  Result<void> Finish() { return frames_.Finish(); }
  std::uint64_t offset_bytes() const { return frames_.offset_bytes(); }

 private:
  Result<void> TakeFrame(std::uint8_t type, std::string_view payload);
  Result<void> TakeSeries(std::string_view payload);
  Result<void> TakeLayout(std::string_view payload);
  Result<void> TakeRow(std::string_view payload);
  Result<void> TakeSamples(std::string_view payload);
  Result<void> TakeHistogram(std::string_view payload);
  Result<void> TakeExemplar(std::string_view payload);
  Result<void> TakeMetadata(std::string_view payload);
  bool Known(std::uint64_t series) const { return series < series_.size() && series_[series]; }

  StreamSink* sink_;
  StreamLimits limits_;
  FrameReader frames_;
  std::vector<bool> series_;
  std::vector<std::uint32_t> columns_;  // by layout; kUndefined before its first frame
  std::size_t total_columns_ = 0;
  std::vector<double> values_;
  std::vector<std::uint64_t> present_;
  std::vector<std::uint32_t> ids_;
};

// How safe an acknowledged batch is.
enum class Durability : std::uint8_t {
  kProcess = 1,  // survives kill -9 of the store
  kDisk = 2,     // survives power loss
};

struct StreamAck {
  std::uint64_t sequence = 0;  // this batch and all before it
  Durability durability = Durability::kProcess;
  std::uint64_t accepted = 0;  // samples taken since the last acknowledgement
  std::uint64_t refused = 0;   // samples refused for themselves, of which
  std::uint64_t out_of_order = 0, duplicates = 0, too_old = 0;
  std::uint64_t over_limit = 0;  // of series beyond the store's series limit

  void Add(const StreamAck& counts_of) {
    accepted += counts_of.accepted;
    refused += counts_of.refused;
    out_of_order += counts_of.out_of_order;
    duplicates += counts_of.duplicates;
    too_old += counts_of.too_old;
    over_limit += counts_of.over_limit;
  }
};
// "process" or "disk".
std::string_view DurabilityName(Durability durability);

// What ends a connection. `sequence`: the batch it happened in; 0 when unknown.
struct StreamFailure {
  Errc code = Errc::kInternal;
  std::uint64_t sequence = 0;
  std::string message;
};

// The first bytes of either direction.
void AppendStreamHeader(std::string* out);
void AppendAck(std::string* out, const StreamAck& ack);
void AppendFailure(std::string* out, const StreamFailure& failure);

// Reads the store's direction. Not thread-safe.
class ReplyDecoder {
 public:
  ReplyDecoder() : frames_(1u << 20) {}
  using AckFn = std::function<void(const StreamAck&)>;
  using FailureFn = std::function<void(const StreamFailure&)>;
  // The next bytes, cut anywhere; errors as StreamDecoder::Feed.
  Result<void> Feed(std::string_view bytes, const AckFn& ack, const FailureFn& failure);

 private:
  FrameReader frames_;
};

}  // namespace prom
