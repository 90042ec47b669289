// Any bytes as a log segment, and as one record of each kind.
#include <cstddef>
#include <cstdint>
#include <string>

#include "tsdb/wal_reader.h"
#include "tsdb/wal_records.h"

namespace {

using namespace prom;
using namespace prom::tsdb;

template <typename Item>
void Read(Result<void> (*decode)(std::string_view, std::vector<Item>*), std::string_view record) {
  std::vector<Item> items;
  (void)bool(decode(record, &items));
}

void Decode(std::string_view record) {
  if (record.empty()) return;
  switch (static_cast<RecordType>(record[0])) {
    case RecordType::kSeries: return Read(DecodeSeries, record);
    case RecordType::kSamples:
    case RecordType::kSamplesV2: return Read(DecodeSamples, record);
    case RecordType::kTombstones: return Read(DecodeTombstoneRecord, record);
    case RecordType::kExemplars: return Read(DecodeExemplars, record);
    case RecordType::kMmapMarkers: return Read(DecodeMmapMarkers, record);
    case RecordType::kMetadata: return Read(DecodeMetadata, record);
    default: break;  // histograms, and what no reader takes
  }
  std::vector<RefHistogram> histograms;
  std::uint64_t invalid = 0;
  (void)bool(DecodeHistogramRecord(record, &histograms, &invalid));
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
