// std::mutex with clang's thread-safety annotations (checked in CI with clang).
#pragma once

#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define PROM_ANNOTATE(x) __attribute__((x))
#else
#define PROM_ANNOTATE(x)
#endif
#define GUARDED_BY(m) PROM_ANNOTATE(guarded_by(m))
#define REQUIRES(m) PROM_ANNOTATE(requires_capability(m))
#define EXCLUDES(m) PROM_ANNOTATE(locks_excluded(m))

namespace prom {

class PROM_ANNOTATE(capability("mutex")) Mutex {
 public:
  void lock() PROM_ANNOTATE(acquire_capability()) { mutex_.lock(); }
  void unlock() PROM_ANNOTATE(release_capability()) { mutex_.unlock(); }
  bool try_lock() PROM_ANNOTATE(try_acquire_capability(true)) { return mutex_.try_lock(); }

 private:
  std::mutex mutex_;
};

class PROM_ANNOTATE(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& m) PROM_ANNOTATE(acquire_capability(m)) : mutex_(m) { mutex_.lock(); }
  ~MutexLock() PROM_ANNOTATE(release_capability()) { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// Waits on a Mutex that the caller holds.
using ConditionVariable = std::condition_variable_any;

}  // namespace prom
