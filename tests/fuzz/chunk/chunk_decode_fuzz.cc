// Any bytes into every decoder of lib/chunk. The first byte chooses which; results
// are only looked at where they must agree with each other.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include "chunk/block_compress.h"
#include "chunk/histogram_chunk.h"
#include "chunk/time_column.h"
#include "chunk/value_chunk.h"

namespace {

void Values(std::string_view bytes) {
  auto info = prom::chunk::PeekValues(bytes);
  if (!info) return;
  std::vector<double> all(info->count);
  if (!prom::chunk::DecodeValues(bytes, all)) return;
  const std::size_t first = info->count / 3, n = info->count / 2;
  std::vector<double> part(n);
  if (!prom::chunk::DecodeValueRange(bytes, first, part)) std::abort();
  if (n > 0 && std::memcmp(part.data(), all.data() + first, n * sizeof part[0]) != 0) std::abort();
  if (info->all_equal)
    for (const double& v : all)
      if (std::memcmp(&v, &info->constant_value, sizeof v) != 0) std::abort();
}

void Times(std::string_view bytes) {
  auto count = prom::chunk::CountTimes(bytes);
  if (!count) return;
  std::vector<std::int64_t> t(*count);
  (void)prom::chunk::DecodeStartTimes(bytes, t);
  (void)prom::chunk::DecodeTimes(bytes, t);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0: Values(bytes); break;
    case 1: Times(bytes); break;
    case 2: {
      std::vector<prom::Histogram> histograms;
      (void)prom::chunk::DecodeHistograms(bytes, &histograms);
      break;
    }
    default: {
      std::string buffer;
      (void)prom::chunk::ReadGroup(bytes, 1 << 20, &buffer);
    }
  }
  return 0;
}
