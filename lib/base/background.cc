#include "base/background.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace prom {

void LowerThreadPriority() {
  // On Linux both calls take a thread's id (ioprio_set(2) has no wrapper in glibc).
  const long tid = ::syscall(SYS_gettid);
  (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(tid), 10);
  constexpr int kWhoProcess = 1, kClassBestEffort = 2, kClassShift = 13, kLowest = 7;
  (void)::syscall(SYS_ioprio_set, kWhoProcess, static_cast<int>(tid), kClassBestEffort << kClassShift | kLowest);
}

}  // namespace prom
