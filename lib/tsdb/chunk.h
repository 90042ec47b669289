// Chunks of Prometheus's TSDB: a few minutes to hours of one series, Gorilla-coded.
// Decoding is safe on any bytes. Not thread-safe: one object, one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/queryable.h"
#include "tsdb/bits.h"

namespace prom::tsdb {

// As stored, one byte.
enum class Encoding : std::uint8_t { kXor = 1, kHistogram = 2, kFloatHistogram = 3, kXor2 = 4, kHistogramSt = 5, kFloatHistogramSt = 6 };
const char* EncodingName(std::uint8_t encoding);  // "XOR"; "unknown"

// Appends the samples of a chunk to the buffers of *out: t_buffer and v_buffer (and
// st_buffer, once any sample has a start timestamp), or histograms and histogram_st.
// Histograms get the reset hints that upstream's reader gives: the first of a chunk
// "unknown", the others "no reset", all of a gauge chunk "gauge".
// kCorrupt, kUnsupported: nothing was appended; the message says what is wrong inside.
Result<void> DecodeChunk(std::uint8_t encoding, std::string_view data, SeriesColumns* out);

// Makes one XOR chunk.
class XorEncoder {
 public:
  XorEncoder() { Reset(); }
  XorEncoder(const XorEncoder&) = delete;
  XorEncoder& operator=(const XorEncoder&) = delete;
  void Reset();
  void Append(std::int64_t t_ms, double v);
  std::uint32_t count() const { return count_; }
  // The chunk's data; valid until the next call of Append or Reset.
  const std::string& Finish();

 private:
  std::string bytes_;
  BitWriter bits_{&bytes_};
  std::uint32_t count_ = 0;
  std::int64_t t_ = 0;
  std::uint64_t delta_ = 0, v_ = 0;
  int leading_ = 0xff, trailing_ = 0;
};

// Makes one histogram chunk, of integer or float histograms.
class HistogramEncoder {
 public:
  HistogramEncoder();
  ~HistogramEncoder();
  HistogramEncoder(const HistogramEncoder&) = delete;
  HistogramEncoder& operator=(const HistogramEncoder&) = delete;
  void Reset();
  // False: `h` begins a new chunk, as its kind, layout or schema differs, counts fell,
  // or the one before was stale.
  bool Fits(const Histogram& h) const;
  void Append(std::int64_t t_ms, const Histogram& h);
  std::uint32_t count() const { return count_; }
  Encoding encoding() const;
  std::size_t size() const { return bytes_.size(); }
  const std::string& Finish();

 private:
  struct State;
  struct XorField;
  void WriteXor(double v, XorField* field);

  std::string bytes_;
  BitWriter bits_{&bytes_};
  std::uint32_t count_ = 0;
  std::unique_ptr<State> state_;
};

}  // namespace prom::tsdb
