// One queue, threads that take from it. A scrape normally wakes one thread, which
// answers all mounts in a few microseconds each. While nothing moves for a while
// the scrape starts another thread for what is left in the queue, so that dead
// mounts do not keep the healthy ones waiting: soon (kPatience) up to the number of
// workers asked for, then at a tenth of that rate. State is shared with the
// threads and outlives the MountStatter while one of them is blocked.
#include "node/mount_statter.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <deque>
#include <thread>
#include <unordered_map>

#include "base/log.h"
#include "base/mutex.h"
#include "base/time.h"

namespace prom::node {
namespace {

constexpr std::chrono::milliseconds kPatience{10};
constexpr std::chrono::milliseconds kLongPatience{100};

struct Call {
  std::string path;
  bool started = false;
  bool done = false;
  bool stuck = false;
  int waiters = 0;
  MountStat result;
};

}  // namespace

struct MountStatter::State {
  Mutex mutex;
  ConditionVariable work;      // something in the queue, or time to end
  ConditionVariable progress;  // the queue ran empty or a call ended
  std::deque<std::shared_ptr<Call>> queue GUARDED_BY(mutex);
  std::unordered_map<std::string, std::shared_ptr<Call>> active GUARDED_BY(mutex);  // queued or under way, by path
  int threads GUARDED_BY(mutex) = 0;
  int idle GUARDED_BY(mutex) = 0;
  int stuck GUARDED_BY(mutex) = 0;
  bool ending GUARDED_BY(mutex) = false;
  int workers = 1;
  StatFunction stat;

  static void Work(const std::shared_ptr<State>& self);
  // Threads that are neither idle nor known to be blocked.
  int Busy() const REQUIRES(mutex) { return threads - idle - stuck; }
  // Wakes an idle thread or starts one.
  static void Hire(const std::shared_ptr<State>& self) REQUIRES(self->mutex);
};

void MountStatter::State::Work(const std::shared_ptr<State>& self) {
  self->mutex.lock();
  for (;;) {
    if (self->queue.empty()) {
      // One thread waits for the next scrape; more would only cost memory.
      if (self->ending || self->idle > 0) break;
      ++self->idle;
      while (self->queue.empty() && !self->ending) self->work.wait(self->mutex);
      --self->idle;
      continue;
    }
    const std::shared_ptr<Call> call = self->queue.front();
    self->queue.pop_front();
    call->started = true;
    self->mutex.unlock();
    MountStat result;
    result.error = self->stat(call->path, &result.stat);
    self->mutex.lock();
    call->result = result;
    call->done = true;
    self->active.erase(call->path);
    if (call->stuck) {
      --self->stuck;
      LogInfo("filesystem", "mount point answers again", {{"mountpoint", call->path}});
    }
    if (self->queue.empty()) self->progress.notify_all();
  }
  --self->threads;
  self->mutex.unlock();
}

void MountStatter::State::Hire(const std::shared_ptr<State>& self) {
  if (self->idle > 0) {
    self->work.notify_one();
    return;
  }
  if (self->threads >= kMaxThreads) return;
  ++self->threads;
  try {
    std::thread([self] { Work(self); }).detach();
  } catch (const std::system_error&) {
    --self->threads;  // out of threads: those at work go on, the deadline does the rest
  }
}

MountStatter::MountStatter(int workers, StatFunction stat) : state_(std::make_shared<State>()) {
  state_->workers = std::max(workers, 1);
  state_->stat = stat ? std::move(stat) : [](const std::string& path, struct statfs* out) {
    int r;
    do {
      r = ::statfs(path.c_str(), out);
    } while (r != 0 && errno == EINTR);
    return r == 0 ? 0 : errno;
  };
}

MountStatter::~MountStatter() {
  MutexLock lock(state_->mutex);
  state_->ending = true;
  state_->queue.clear();
  state_->work.notify_all();
}

int MountStatter::threads() const {
  MutexLock lock(state_->mutex);
  return state_->threads;
}

std::vector<MountStat> MountStatter::Run(const std::vector<std::string>& paths, std::int64_t deadline_ns) {
  std::vector<MountStat> results(paths.size());
  std::vector<std::shared_ptr<Call>> calls(paths.size());
  const std::shared_ptr<State> s = state_;
  MutexLock lock(s->mutex);
  for (std::size_t i = 0; i < paths.size(); ++i) {
    std::shared_ptr<Call>& call = s->active[paths[i]];
    if (!call) {
      call = std::make_shared<Call>();
      call->path = paths[i];
      s->queue.push_back(call);
    } else if (call->stuck) {
      results[i].stuck = true;
      continue;
    }
    ++call->waiters;
    calls[i] = call;
  }
  if (!s->queue.empty() && s->Busy() <= 0) State::Hire(s);

  const auto all_done = [&] { return std::all_of(calls.begin(), calls.end(), [](const auto& c) { return !c || c->done; }); };
  std::size_t queued = s->queue.size();
  std::int64_t moved_ns = SystemClock().MonotonicNs();
  while (!all_done()) {
    std::int64_t now_ns = SystemClock().MonotonicNs();
    if (now_ns >= deadline_ns) break;
    s->progress.wait_for(s->mutex, std::min<std::chrono::nanoseconds>(kPatience, std::chrono::nanoseconds(deadline_ns - now_ns)));
    if (s->queue.empty()) continue;
    now_ns = SystemClock().MonotonicNs();
    const std::chrono::nanoseconds patience = s->Busy() < s->workers ? kPatience : kLongPatience;
    if (s->queue.size() < queued) {
      moved_ns = now_ns;
    } else if (std::chrono::nanoseconds(now_ns - moved_ns) >= patience) {
      State::Hire(s);
      moved_ns = now_ns;
    }
    queued = s->queue.size();
  }
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const std::shared_ptr<Call>& call = calls[i];
    if (!call) continue;
    --call->waiters;
    if (call->done) {
      results[i] = call->result;
      continue;
    }
    results[i].stuck = true;
    if (call->started) {
      if (!call->stuck) {
        call->stuck = true;
        ++s->stuck;
        LogWarn("filesystem", "mount point does not answer, left out until it does", {{"mountpoint", call->path}});
      }
    } else if (call->waiters == 0) {
      // Nobody got to it; the next scrape shall ask anew.
      std::erase(s->queue, call);
      s->active.erase(call->path);
    }
  }
  return results;
}

}  // namespace prom::node
