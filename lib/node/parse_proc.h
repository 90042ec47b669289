// Parsers of the smaller /proc files: meminfo, vmstat, net/dev, diskstats,
// pressure, loadavg, sys/fs/file-nr. Each replaces *out by all good lines and
// returns kCorrupt for the first bad one ("3: bad number ..."). Views in the
// results point into the text given.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace prom::node {

struct MeminfoField {
  std::string_view name;  // as the file has it: "Active(anon)"
  double value;           // bytes when `bytes`
  bool bytes;             // the line had the unit kB
};
Result<void> ParseMeminfo(std::string_view text, std::vector<MeminfoField>* out);

struct VmstatField {
  std::string_view name;
  double value;
};
Result<void> ParseVmstat(std::string_view text, std::vector<VmstatField>* out);

// Columns of /proc/net/dev in the order of the file.
enum NetDevColumn {
  kRxBytes, kRxPackets, kRxErrors, kRxDropped, kRxFifo, kRxFrame, kRxCompressed, kRxMulticast,
  kTxBytes, kTxPackets, kTxErrors, kTxDropped, kTxFifo, kTxCollisions, kTxCarrier, kTxCompressed,
  kNetDevColumns,
};
struct NetDevLine {
  std::string_view name;
  std::array<std::uint64_t, kNetDevColumns> values{};
};
Result<void> ParseNetDev(std::string_view text, std::vector<NetDevLine>* out);

// The 17 statistics of Documentation/admin-guide/iostats; kernels before 4.18
// have 11, before 5.5 15.
inline constexpr std::size_t kDiskColumns = 17;
struct DiskLine {
  std::uint32_t major = 0, minor = 0;
  std::string_view name;
  std::array<std::uint64_t, kDiskColumns> values{};
  std::size_t count = 0;  // columns present
};
Result<void> ParseDiskstats(std::string_view text, std::vector<DiskLine>* out);

// Stall time since boot, microseconds.
struct PressureTotals {
  bool has_some = false, has_full = false;
  std::uint64_t some_us = 0, full_us = 0;
};
Result<void> ParsePressure(std::string_view text, PressureTotals* out);

Result<std::array<double, 3>> ParseLoadavg(std::string_view text);

struct FileNr {
  double allocated = 0, maximum = 0;
};
Result<FileNr> ParseFileNr(std::string_view text);

}  // namespace prom::node
