#include <cstddef>
#include <cstdint>

#include "both_ways.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  prom::testing::ReadBothWays({reinterpret_cast<const char*>(data), size}, prom::TextFormat::kPrometheus);
  return 0;
}
