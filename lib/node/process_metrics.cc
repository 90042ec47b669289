#include "node/process_metrics.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/fields.h"
#include "node/parse_stat.h"

namespace prom::node {
namespace {

// Fields of /proc/PID/stat behind the command, which is in parentheses and may
// hold anything; proc(5) counts from 1 and the first behind it is 3.
struct SelfStat {
  std::uint64_t cpu_ticks = 0, start_ticks = 0, virtual_bytes = 0, resident_pages = 0;
};

bool ParseSelfStat(std::string_view text, SelfStat* out) {
  const std::size_t close = text.rfind(')');
  if (close == std::string_view::npos) return false;
  Fields fields(text.substr(close + 1));
  for (int number = 3; number <= 24; ++number) {
    const std::string_view field = fields.Next();
    const std::uint64_t value = ParseUint64(field).value_or(0);
    switch (number) {
      case 14:  // utime
      case 15: out->cpu_ticks += value; break;
      case 22: out->start_ticks = value; break;
      case 23: out->virtual_bytes = value; break;
      case 24: out->resident_pages = value; return !field.empty();
      default: break;
    }
  }
  return false;
}

double OpenFds() {
  // Linux 6.2 and later give the number as the size of the directory.
  struct stat st;
  if (::stat("/proc/self/fd", &st) == 0 && st.st_size > 0) return static_cast<double>(st.st_size);
  DIR* dir = ::opendir("/proc/self/fd");
  if (dir == nullptr) return 0;
  int n = -1;  // without the one that reads them
  while (const dirent* e = ::readdir(dir)) n += e->d_name[0] != '.';
  ::closedir(dir);
  return n;
}

double Limit(decltype(RLIMIT_NOFILE) resource) {
  rlimit limit{};
  ::getrlimit(resource, &limit);
  return static_cast<double>(limit.rlim_cur);  // RLIM_INFINITY is 2^64-1, as upstream shows it
}

}  // namespace

ProcessMetrics::ProcessMetrics() : stat_("/proc/self/stat") {
  ReadBuffer buffer;
  SelfStat self;
  if (auto text = stat_.Read(&buffer)) ParseSelfStat(*text, &self);
  KernelStat kernel;
  if (auto text = ProcFile("/proc/stat").Read(&buffer)) {
    [[maybe_unused]] const auto good_lines_are_enough = ParseKernelStat(*text, &kernel);
  }
  start_time_s_ = static_cast<double>(kernel.boot_time_s) + static_cast<double>(self.start_ticks) / kTicksPerSecond;
}

void ProcessMetrics::Write(ReadBuffer* buffer, Page* page) {
  SelfStat self;
  if (auto text = stat_.Read(buffer); text && ParseSelfStat(*text, &self)) {
    page->Single("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", kCounter,
                 static_cast<double>(self.cpu_ticks) / kTicksPerSecond);
    page->Single("process_resident_memory_bytes", "Resident memory size in bytes.", kGauge,
                 static_cast<double>(self.resident_pages) * static_cast<double>(::sysconf(_SC_PAGESIZE)));
    page->Single("process_virtual_memory_bytes", "Virtual memory size in bytes.", kGauge, static_cast<double>(self.virtual_bytes));
    page->Single("process_start_time_seconds", "Start time of the process since unix epoch in seconds.", kGauge, start_time_s_);
  }
  page->Single("process_open_fds", "Number of open file descriptors.", kGauge, OpenFds());
  page->Single("process_max_fds", "Maximum number of open file descriptors.", kGauge, Limit(RLIMIT_NOFILE));
  page->Single("process_virtual_memory_max_bytes", "Maximum amount of virtual memory available in bytes.", kGauge, Limit(RLIMIT_AS));
}

}  // namespace prom::node
