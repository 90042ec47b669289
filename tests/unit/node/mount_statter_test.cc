// Dead mounts are played by a stat function that blocks until it is released.
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "base/time.h"
#include "node/mount_statter.h"

using namespace prom;
using namespace prom::node;

namespace {

// Copies share their state: a blocked thread may outlive the test's scope.
class Mounts {
 public:
  MountStatter::StatFunction Function() const {
    return [s = state_](const std::string& path, struct statfs* out) {
      ++s->calls;
      if (path.starts_with("/dead")) {
        std::unique_lock lock(s->mutex);
        s->released.wait(lock, [&s] { return s->open; });
      }
      if (path == "/error") return EACCES;
      out->f_blocks = path.size();
      return 0;
    };
  }
  void Release() {
    std::lock_guard lock(state_->mutex);
    state_->open = true;
    state_->released.notify_all();
  }
  int calls() const { return state_->calls; }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable released;
    bool open = false;
    std::atomic<int> calls{0};
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

std::int64_t In(int ms) { return SystemClock().MonotonicNs() + ms * 1'000'000ll; }

template <typename F>
bool Eventually(F f) {
  for (int i = 0; i < 2000; ++i) {
    if (f()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

}  // namespace

BOOST_AUTO_TEST_CASE(healthy_mounts_use_one_thread) {
  Mounts mounts;
  MountStatter statter(4, mounts.Function());
  for (int i = 0; i < 100; ++i) {
    const auto got = statter.Run({"/", "/home", "/error"}, In(2000));
    BOOST_REQUIRE_EQUAL(got.size(), 3u);
    BOOST_TEST(got[0].stat.f_blocks == 1u);
    BOOST_TEST(got[1].stat.f_blocks == 5u);
    BOOST_TEST(got[2].error == EACCES);
    BOOST_TEST(!got[2].stuck);
  }
  BOOST_TEST(mounts.calls() == 300);
  BOOST_TEST(statter.threads() == 1);
  BOOST_TEST(statter.Run({}, In(0)).empty());
}

BOOST_AUTO_TEST_CASE(a_dead_mount_costs_one_thread_and_one_wait) {
  Mounts mounts;
  MountStatter statter(4, mounts.Function());
  const std::int64_t begin = SystemClock().MonotonicNs();
  auto got = statter.Run({"/dead", "/", "/home"}, In(200));
  const std::int64_t took_ms = (SystemClock().MonotonicNs() - begin) / 1'000'000;
  BOOST_TEST(took_ms >= 190);
  BOOST_TEST(took_ms < 2000);
  BOOST_TEST(got[0].stuck);
  BOOST_TEST(!got[1].stuck);  // answered by a second thread
  BOOST_TEST(got[2].stat.f_blocks == 5u);
  // From now on nobody waits, and nobody asks again.
  const int calls = mounts.calls();
  for (int i = 0; i < 1000; ++i) {
    got = statter.Run({"/dead", "/"}, In(5000));
    BOOST_REQUIRE(got[0].stuck);
    BOOST_REQUIRE(!got[1].stuck);
  }
  BOOST_TEST(mounts.calls() == calls + 1000);
  BOOST_TEST(statter.threads() <= 2);
  // The server comes back.
  mounts.Release();
  BOOST_TEST(Eventually([&] { return !statter.Run({"/dead"}, In(1000))[0].stuck; }));
}

BOOST_AUTO_TEST_CASE(many_dead_mounts_do_not_starve_the_healthy) {
  Mounts mounts;
  MountStatter statter(4, mounts.Function());
  std::vector<std::string> paths;
  for (int i = 0; i < 8; ++i) paths.push_back("/dead" + std::to_string(i));
  paths.push_back("/");
  const auto got = statter.Run(paths, In(1500));
  for (int i = 0; i < 8; ++i) BOOST_TEST(got[static_cast<std::size_t>(i)].stuck);
  BOOST_TEST(!got[8].stuck);
  BOOST_TEST(statter.threads() <= 9);
  mounts.Release();
}

BOOST_AUTO_TEST_CASE(threads_are_bounded) {
  Mounts mounts;
  MountStatter statter(200, mounts.Function());
  std::vector<std::string> paths;
  for (int i = 0; i < 100; ++i) paths.push_back("/dead" + std::to_string(i));
  for (int i = 0; i < 5; ++i) {
    const auto got = statter.Run(paths, In(300));
    for (const MountStat& m : got) BOOST_TEST(m.stuck);
  }
  BOOST_TEST(statter.threads() <= MountStatter::kMaxThreads);
  mounts.Release();
  BOOST_TEST(Eventually([&] { return statter.threads() <= 1; }));
}

BOOST_AUTO_TEST_CASE(concurrent_scrapes_share_a_call) {
  Mounts mounts;
  MountStatter statter(4, mounts.Function());
  std::vector<std::thread> scrapes;
  std::atomic<int> stuck{0};  // Boost.Test's macros are for one thread
  for (int i = 0; i < 4; ++i) scrapes.emplace_back([&] { stuck += statter.Run({"/dead"}, In(200))[0].stuck; });
  for (std::thread& t : scrapes) t.join();
  BOOST_TEST(stuck == 4);
  BOOST_TEST(mounts.calls() == 1);
  mounts.Release();
}

BOOST_AUTO_TEST_CASE(ends_without_waiting_for_the_dead) {
  Mounts mounts;
  const std::int64_t begin = SystemClock().MonotonicNs();
  {
    MountStatter statter(1, mounts.Function());
    BOOST_TEST(statter.Run({"/dead"}, In(20))[0].stuck);
  }
  BOOST_TEST((SystemClock().MonotonicNs() - begin) / 1'000'000 < 1000);
  mounts.Release();
}
