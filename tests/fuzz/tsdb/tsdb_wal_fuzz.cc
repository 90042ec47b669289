// Any bytes as a log segment, and as one record of each kind.
#include <cstddef>
#include <cstdint>
#include <string>

#include "tsdb/wal_reader.h"
#include "tsdb/wal_records.h"

namespace {

using namespace prom::tsdb;

void Decode(std::string_view record) {
  std::vector<RefSeries> series;
  std::vector<RefSample> samples;
  std::vector<RefHistogram> histograms;
  std::vector<RefTombstone> tombstones;
  std::vector<RefExemplar> exemplars;
  std::vector<RefMetadata> metadata;
  std::vector<RefMarker> markers;
  std::uint64_t invalid = 0;
  (void)bool(DecodeSeries(record, &series));
  (void)bool(DecodeSamples(record, &samples));
  (void)bool(DecodeHistogramRecord(record, &histograms, &invalid));
  (void)bool(DecodeTombstoneRecord(record, &tombstones));
  (void)bool(DecodeExemplars(record, &exemplars));
  (void)bool(DecodeMetadata(record, &metadata));
  (void)bool(DecodeMmapMarkers(record, &markers));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  SegmentReader reader(bytes);
  std::string_view record;
  for (;;) {
    const auto status = reader.Next(&record);
    if (status == SegmentReader::Status::kBad) continue;
    if (status != SegmentReader::Status::kRecord) break;
    Decode(record);
  }
  std::string one(bytes);
  if (one.empty()) return 0;
  for (char type = 1; type <= 13; ++type) {
    one[0] = type;
    Decode(one);
  }
  return 0;
}
