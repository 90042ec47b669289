// /proc/stat: processor times, interrupts, context switches, forks, boot time.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "node/proc_file.h"

namespace prom::node {

// Time since boot in ticks of 1/100 s, in the order of the file.
inline constexpr std::size_t kCpuModes = 10;  // user nice system idle iowait irq softirq steal guest guest_nice
inline constexpr double kTicksPerSecond = 100;

struct CpuTimes {
  std::uint32_t id = 0;
  std::array<std::uint64_t, kCpuModes> ticks{};
};

// hi timer net_tx net_rx block block_iopoll tasklet sched hrtimer rcu
inline constexpr std::size_t kSoftirqs = 10;

struct KernelStat {
  std::vector<CpuTimes> cpus;  // by id, each once; the sum line is left out
  std::uint64_t interrupts = 0;
  std::uint64_t context_switches = 0;
  std::uint64_t boot_time_s = 0;
  std::uint64_t forks = 0;
  std::uint64_t procs_running = 0;
  std::uint64_t procs_blocked = 0;
  std::array<std::uint64_t, kSoftirqs> softirqs{};
};

// Replaces *out by all that could be read. kCorrupt names the first bad line,
// "3: bad number ..."; lines of unknown kind are none.
Result<void> ParseKernelStat(std::string_view text, KernelStat* out);

// /proc/stat for one scrape: read and parsed once, whoever asks first.
class StatSource {
 public:
  explicit StatSource(std::string path) : file_(std::move(path)) {}
  void NewScrape() { fresh_ = false; }
  // What could be read; *error is set when the file or a line of it was bad.
  const KernelStat& Get(ReadBuffer* buffer, Result<void>* error);

 private:
  ProcFile file_;
  KernelStat stat_;
  Result<void> error_;
  bool fresh_ = false;
};

}  // namespace prom::node
