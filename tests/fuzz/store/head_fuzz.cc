// Sealed groups from bytes of any origin, with the checksums made right.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/crc32c.h"
#include "store/head_group.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace prom;
  using namespace prom::store;
  std::string bytes(reinterpret_cast<const char*>(data), size);
  if (size >= kGroupHeaderBytes) {
    StoreLe<std::uint32_t>(bytes.data(), kGroupMagic);
    StoreLe<std::uint32_t>(bytes.data() + 8, static_cast<std::uint32_t>(size));
    StoreLe<std::uint32_t>(bytes.data() + 28, Crc32c(bytes.data() + kGroupHeaderBytes, size - kGroupHeaderBytes));
    StoreLe<std::uint32_t>(bytes.data() + 4, Crc32c(bytes.data() + 8, kGroupHeaderBytes - 8));
  }
  if (const auto group = RowGroup::Parse(bytes)) {
    std::array<double, kMaxTileRows> values;
    std::array<std::uint8_t, kMaxTileRows / 8> mask;
    std::vector<std::int64_t> times;
    (void)group->Times(&times);
    for (std::uint32_t slot = 0; slot < group->header().columns && slot < 1000; ++slot) {
      std::uint32_t count = 0;
      bool no_resets = true;
      (void)group->Column(slot, values.data(), &count, mask.data(), &no_resets);
      (void)group->FullColumn(slot, 0, group->header().rows / 2, values.data(), &no_resets);
    }
  }
  if (const auto group = LooseGroup::Parse(bytes)) {
    std::vector<LooseSample> samples;
    for (std::uint32_t i = 0; i < group->size() && i < 1000; ++i) (void)group->Read(group->series(i), &samples);
  }
  return 0;
}
