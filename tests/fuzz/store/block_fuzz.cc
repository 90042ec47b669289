// Any bytes as what a group of values or of times unpacks to, and their chunks decoded.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "chunk/block_compress.h"
#include "chunk/histogram_chunk.h"
#include "chunk/time_column.h"
#include "chunk/value_chunk.h"
#include "store/block_entries.h"
#include "store/block_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace prom;
  using namespace prom::store;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  std::string buffer;
  const auto group = chunk::ReadGroup(bytes, 1 << 20, &buffer);
  for (const std::string_view raw : {bytes, group ? *group : std::string_view()}) {
    for (const auto kind : {BlockGroupKind::kValues1, BlockGroupKind::kValues}) {
      std::vector<BlockEntry> entries;
      if (!ParseEntries(kind, raw, 7, &entries)) continue;
      for (BlockEntry& e : entries) {
        if (e.histogram) {
          std::vector<Histogram> histograms;
          (void)chunk::DecodeHistograms(raw.substr(e.offset, e.size), &histograms);
          continue;
        }
        // Without the times nobody knows the rows of a chunk that has all of them.
        const auto info = e.counted ? chunk::PeekValues(raw.substr(e.offset, e.size)) : Result<chunk::ValueChunkInfo>(chunk::ValueChunkInfo{});
        if (e.count == 0) e.count = !e.counted ? 3 : info ? static_cast<std::uint32_t>(info->count) : 0;
        if (e.count == 0 || e.count > chunk::kMaxValues) continue;
        std::vector<double> values(e.count);
        (void)DecodeEntry(e, raw, 0, values);
        (void)DecodeEntry(e, raw, e.count / 2, std::span(values).first(e.count - e.count / 2));
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
