// /proc/cpuinfo as x86 has it. Other architectures have other fields; those they
// share are read, the rest stays empty.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace prom::node {

struct CpuInfo {
  std::uint32_t processor = 0;
  std::string_view vendor, family, model, model_name, microcode, stepping, cache_size, physical_id, core_id;
  std::string_view flags, bugs;  // blank-separated lists
  double mhz = 0;
};

// Views point into `text`. kCorrupt names the first bad line.
Result<void> ParseCpuinfo(std::string_view text, std::vector<CpuInfo>* out);

// "1,3-5,9" as numbers, in the order given; blanks around are fine, as is nothing
// at all. kCorrupt: not such a list, or a number over 65535.
Result<std::vector<std::uint32_t>> ParseCpuList(std::string_view text);

}  // namespace prom::node
