// Records of the write-ahead log. Decoders are safe on any bytes, append to *out, and
// fail with kCorrupt: what was decoded before the damage stays in *out.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/labels.h"
#include "model/sample.h"

namespace prom::tsdb {

enum class RecordType : std::uint8_t {
  kSeries = 1,
  kSamples = 2,
  kTombstones = 3,
  kExemplars = 4,
  kMmapMarkers = 5,
  kMetadata = 6,
  kHistograms = 7,
  kFloatHistograms = 8,
  kCustomHistograms = 9,
  kCustomFloatHistograms = 10,
  kSamplesV2 = 11,  // V2: with start timestamps
  kHistogramsV2 = 12,
  kFloatHistogramsV2 = 13,
};

struct RefSeries {
  std::uint64_t ref = 0;
  Labels labels;
};
struct RefSample {
  std::uint64_t ref = 0;
  std::int64_t t_ms = 0, st_ms = 0;
  double v = 0;
};
struct RefHistogram {
  std::uint64_t ref = 0;
  std::int64_t t_ms = 0, st_ms = 0;
  std::shared_ptr<const Histogram> h;
};
struct RefTombstone {
  std::uint64_t ref = 0;
  std::int64_t min_ms = 0, max_ms = 0;
};
struct RefExemplar {
  std::uint64_t ref = 0;
  Exemplar exemplar;
};
struct RefMetadata {
  std::uint64_t ref = 0;
  Metadata metadata;
};
struct RefMarker {
  std::uint64_t ref = 0, chunk = 0;  // chunk: file << 32 | offset in chunks_head/
};

Result<void> DecodeSeries(std::string_view record, std::vector<RefSeries>* out);
Result<void> DecodeSamples(std::string_view record, std::vector<RefSample>* out);  // both versions
// Integer and float, all versions. Histograms that are not valid in themselves are left
// out and counted in *invalid.
Result<void> DecodeHistogramRecord(std::string_view record, std::vector<RefHistogram>* out, std::uint64_t* invalid);
Result<void> DecodeTombstoneRecord(std::string_view record, std::vector<RefTombstone>* out);
Result<void> DecodeExemplars(std::string_view record, std::vector<RefExemplar>* out);
Result<void> DecodeMetadata(std::string_view record, std::vector<RefMetadata>* out);
Result<void> DecodeMmapMarkers(std::string_view record, std::vector<RefMarker>* out);

}  // namespace prom::tsdb
