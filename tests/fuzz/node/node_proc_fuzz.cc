// All parsers of /proc and udev text: any bytes, no crash, results within bounds.
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "node/parse_cpuinfo.h"
#include "node/parse_mountinfo.h"
#include "node/parse_proc.h"
#include "node/parse_stat.h"
#include "node/udev_data.h"

using namespace prom;
using namespace prom::node;

namespace {
void Check(bool holds) {
  if (!holds) std::abort();
}
bool Inside(std::string_view whole, std::string_view part) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);

  KernelStat stat;
  [[maybe_unused]] auto done = ParseKernelStat(text, &stat);
  for (std::size_t i = 1; i < stat.cpus.size(); ++i) Check(stat.cpus[i - 1].id < stat.cpus[i].id);

  std::vector<MeminfoField> memory;
  done = ParseMeminfo(text, &memory);
  for (const auto& f : memory) Check(!f.name.empty() && Inside(text, f.name) && f.value >= 0);

  std::vector<VmstatField> vm;
  done = ParseVmstat(text, &vm);
  for (const auto& f : vm) Check(!f.name.empty() && Inside(text, f.name));

  std::vector<NetDevLine> net;
  done = ParseNetDev(text, &net);
  for (const auto& d : net) Check(!d.name.empty() && Inside(text, d.name));

  std::vector<DiskLine> disks;
  done = ParseDiskstats(text, &disks);
  for (const auto& d : disks) Check(!d.name.empty() && d.count >= 11 && d.count <= kDiskColumns);

  PressureTotals pressure;
  done = ParsePressure(text, &pressure);
  [[maybe_unused]] const auto loads = ParseLoadavg(text);
  [[maybe_unused]] const auto nr = ParseFileNr(text);

  std::vector<Mount> mounts;
  done = ParseMountinfo(text, &mounts);
  for (const auto& m : mounts) Check(!m.mount_point.empty() && !m.fs_type.empty() && m.mount_point.size() <= size);

  std::vector<CpuInfo> cpus;
  done = ParseCpuinfo(text, &cpus);
  if (const auto list = ParseCpuList(text)) Check(list->size() <= 131072);
  [[maybe_unused]] const UdevProperties udev = ParseUdevProperties(text);
  return 0;
}
