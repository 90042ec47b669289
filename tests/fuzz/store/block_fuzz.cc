// Any bytes as what a group of values or of times unpacks to, and their chunks decoded.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "chunk/block_compress.h"
#include "chunk/histogram_chunk.h"
#include "chunk/time_column.h"
#include "chunk/value_chunk.h"
#include "store/block_format.h"
#include "store/block_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace prom;
  using namespace prom::store;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  std::string buffer;
  const auto group = chunk::ReadGroup(bytes, 1 << 20, &buffer);
  for (const std::string_view raw : {bytes, group ? *group : std::string_view()}) {
    std::vector<BlockEntry> entries;
    if (ParseEntries(raw, 7, &entries)) {
      for (const BlockEntry& e : entries) {
        const std::string_view bytes_of = raw.substr(e.offset, e.size);
        if (e.histogram) {
          std::vector<Histogram> histograms;
          (void)chunk::DecodeHistograms(bytes_of, &histograms);
        } else if (const auto info = chunk::PeekValues(bytes_of); info && info->count > 0 && info->count <= chunk::kMaxValues) {
          std::vector<double> values(info->count);
          (void)chunk::DecodeValues(bytes_of, values);
        }
      }
    }
    std::vector<std::string_view> columns;
    for (const std::uint32_t n : {1u, 2u, 5u}) {
      if (!BlockReader::ParseTimes(raw, n, &columns)) continue;
      for (const auto column : columns) {
        const auto count = chunk::CountTimes(column);
        if (!count || *count > chunk::kMaxValues) continue;
        std::vector<std::int64_t> times(*count);
        (void)chunk::DecodeTimes(column, times);
      }
    }
  }
  if (size >= BlockHead::kBytes) {
    BlockHead head;
    (void)head.Parse(bytes.substr(0, BlockHead::kBytes));
  }
  return 0;
}
