// MountStatter: statfs(2) on many mount points without ever hanging.
//
// statfs on a dead NFS or FUSE mount blocks until the server comes back, and
// nothing can interrupt it. So it runs on helper threads. A scrape waits for them
// until its deadline; a mount that has not answered by then is "stuck": it keeps
// the one thread that is blocked in it, and later scrapes are told so at once,
// without a further thread, until that statfs returns. So the number of threads
// is bounded by the number of dead mounts, whatever the number of scrapes.
//
// Thread-safe: concurrent scrapes share the answer of a call under way.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <sys/vfs.h>

namespace prom::node {

struct MountStat {
  bool stuck = false;  // no answer in time
  int error = 0;       // errno of statfs, 0 when `stat` is set
  struct statfs stat {};
};

class MountStatter {
 public:
  // Returns 0 or an errno. The default is statfs(2); tests give their own.
  using StatFunction = std::function<int(const std::string& path, struct statfs* out)>;

  // `workers`: calls that may be under way at once before more are started for
  // want of progress (stuck ones do not count). At least 1.
  explicit MountStatter(int workers, StatFunction stat = nullptr);
  // Returns at once: threads blocked in a dead mount are left to end by themselves.
  ~MountStatter();

  // One result for each path, in order, by `deadline_ns` (SystemClock().MonotonicNs()).
  std::vector<MountStat> Run(const std::vector<std::string>& paths, std::int64_t deadline_ns);

  // Threads alive now, blocked or idle. For tests and metrics.
  int threads() const;

  // Never more threads than this; mounts beyond it are reported stuck.
  static constexpr int kMaxThreads = 64;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace prom::node
