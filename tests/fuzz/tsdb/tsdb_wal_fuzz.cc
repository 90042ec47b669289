// Any bytes as a log segment, and as one record of each kind.
#include <cstddef>
#include <cstdint>
#include <string>

#include "tsdb/wal_reader.h"
#include "tsdb/wal_records.h"

namespace {

using namespace prom::tsdb;

void Decode(std::string_view record) {
  if (record.empty()) return;
  switch (static_cast<RecordType>(record[0])) {
    case RecordType::kSeries: {
      std::vector<RefSeries> series;
      (void)bool(DecodeSeries(record, &series));
      break;
    }
    case RecordType::kSamples:
    case RecordType::kSamplesV2: {
      std::vector<RefSample> samples;
      (void)bool(DecodeSamples(record, &samples));
      break;
    }
    case RecordType::kTombstones: {
      std::vector<RefTombstone> tombstones;
      (void)bool(DecodeTombstoneRecord(record, &tombstones));
      break;
    }
    case RecordType::kExemplars: {
      std::vector<RefExemplar> exemplars;
      (void)bool(DecodeExemplars(record, &exemplars));
      break;
    }
    case RecordType::kMmapMarkers: {
      std::vector<RefMarker> markers;
      (void)bool(DecodeMmapMarkers(record, &markers));
      break;
    }
    case RecordType::kMetadata: {
      std::vector<RefMetadata> metadata;
      (void)bool(DecodeMetadata(record, &metadata));
      break;
    }
    default: {
      std::vector<RefHistogram> histograms;
      std::uint64_t invalid = 0;
      (void)bool(DecodeHistogramRecord(record, &histograms, &invalid));
    }
  }
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
