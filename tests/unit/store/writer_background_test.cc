// The threads of a Writer: what one of them is busy with must not hold up another.
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

#include "../../testing.h"
#include "base/fault_io.h"
#include "head_testing.h"
#include "model_store.h"
#include "store/data_dir.h"
#include "store/writer.h"

namespace prom::store {
namespace {

using testing::kT0;

constexpr std::int64_t kStep = 60'000;

// Holds whoever starts to write a block, or the first one only, as a disk would that is slow.
class HeldIo : public FaultIo {
 public:
  HeldIo() : FaultIo(SystemIo()) {}
  Result<std::unique_ptr<File>> Open(const std::string& path, Mode mode) override {
    if (mode == Mode::kCreateNew && path.find("/tmp/") != std::string::npos) {
      const bool is_first = starts++ == 0;
      while (hold && (is_first || !first_only)) {
        holds = true;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    }
    return FaultIo::Open(path, mode);
  }
  // With a limit: what is free is short as long as a block is being written.
  Result<std::uint64_t> FreeBytes(const std::string& path) override {
    if (room == 0) return FaultIo::FreeBytes(path);
    const auto half_made = List(path + "/tmp");
    if (!half_made || half_made->empty()) return room.load();
    ++short_looks;
    return 1;
  }
  std::atomic<bool> hold{false}, holds{false}, first_only{false};
  std::atomic<int> starts{0}, short_looks{0};
  std::atomic<std::uint64_t> room{0};
};

// Long enough for any machine; a test that works does not wait for it.
bool Within30Seconds(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

void Append(Writer* writer, testing::ModelStore* model, std::int64_t from, std::int64_t to) {
  auto appender = writer->NewAppender();
  REQUIRE_OK(appender->DefineSeries(0, testing::Series("m", 0)));
  for (std::int64_t n = from; n < to; ++n) {
    REQUIRE_OK(appender->Sample(0, kT0 + n * kStep, static_cast<double>(n)));
    REQUIRE_OK(appender->Commit(static_cast<std::uint64_t>(n + 1)));
    model->series[testing::Series("m", 0)][kT0 + n * kStep] = {static_cast<double>(n), 0, nullptr};
  }
}

// Thirteen hours of one series as blocks of 2 h that nobody has merged.
struct Unmerged {
  explicit Unmerged(std::int64_t now_hours = 14) : clock(kT0 + now_hours * 3'600'000) {
    auto writer = Writer::Open(io, clock, dir.path(), testing::Quiet());
    REQUIRE_OK(writer);
    Append(writer->get(), &model, 0, 13 * 60);
    REQUIRE_OK((*writer)->Flush());
    BOOST_TEST_REQUIRE((*writer)->manifest().blocks.size() >= 5u);
    REQUIRE_OK((*writer)->Close());
  }
  // Of a writer whose threads look every other millisecond.
  WriterOptions Busy() const {
    WriterOptions options = testing::Quiet();
    options.background = true;
    options.maintain_interval_ms = 2;
    return options;
  }
  void CheckAll() const {
    auto data = DataDir::Open(SystemIo(), dir.path());
    REQUIRE_OK(data);
    auto snapshot = (*data)->Snapshot();
    REQUIRE_OK(snapshot);
    testing::CheckSame(model, **snapshot, {}, kMinTimeMs, kMaxTimeMs);
  }

  prom::testing::TempDir dir;
  testing::FixedClock clock;
  HeldIo io;
  testing::ModelStore model;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(writer_background)

// What a power cut can take is bounded by the interval of the syncs, also while blocks
// are merged, which may take minutes.
BOOST_AUTO_TEST_CASE(syncs_go_on_during_a_merge) {
  Unmerged store;
  WriterOptions options = store.Busy();
  options.fsync = FsyncMode::kInterval;
  options.fsync_interval_ms = 2;
  store.io.hold = true;
  auto writer = Writer::Open(store.io, store.clock, store.dir.path(), options);
  REQUIRE_OK(writer);
  const std::size_t blocks = (*writer)->manifest().blocks.size();
  BOOST_TEST_REQUIRE(Within30Seconds([&] { return store.io.holds.load(); }));
  for (std::int64_t n = 13 * 60; n < 13 * 60 + 3; ++n) {
    Append(writer->get(), &store.model, n, n + 1);
    BOOST_TEST(Within30Seconds([&] { return (*writer)->durable_sequence() >= (*writer)->committed_sequence(); }));
  }
  BOOST_TEST((*writer)->manifest().blocks.size() == blocks);  // the merge has still not got anywhere
  store.io.hold = false;
  BOOST_TEST(Within30Seconds([&] { return (*writer)->manifest().blocks.size() < blocks; }));
  REQUIRE_OK((*writer)->Close());
  store.CheckAll();
}

// An epoch becomes a block, and samples are deleted, while a merge goes on.
BOOST_AUTO_TEST_CASE(nothing_waits_for_a_merge) {
  Unmerged store(18);
  WriterOptions options = store.Busy();
  store.io.first_only = true;
  store.io.starts = 0;
  store.io.hold = true;
  auto writer = Writer::Open(store.io, store.clock, store.dir.path(), options);
  REQUIRE_OK(writer);
  const std::size_t blocks = (*writer)->manifest().blocks.size();
  BOOST_TEST_REQUIRE(Within30Seconds([&] { return store.io.holds.load(); }));
  Append(writer->get(), &store.model, 13 * 60, 17 * 60);
  REQUIRE_OK((*writer)->Flush());
  BOOST_TEST((*writer)->manifest().blocks.size() > blocks);
  REQUIRE_OK((*writer)->Delete({{Matcher::Equal("__name__", "m")}}, kT0 + 16 * 60 * kStep, kT0 + 16 * 60 * kStep));
  store.model.series[testing::Series("m", 0)].erase(kT0 + 16 * 60 * kStep);
  BOOST_TEST(store.io.holds.load());
  BOOST_TEST((*writer)->counters().compactions >= 1u);
  store.io.hold = false;
  BOOST_TEST(Within30Seconds([&] { return (*writer)->manifest().blocks.size() < blocks; }));
  REQUIRE_OK((*writer)->Close());
  store.CheckAll();
}

// What a merge has written is given back before blocks are dropped for want of space.
BOOST_AUTO_TEST_CASE(a_short_disk_ends_a_merge) {
  Unmerged store;
  WriterOptions options = store.Busy();
  options.retention.min_free_bytes = 1000;
  store.io.starts = 0;
  store.io.hold = true;
  store.io.room = 1 << 30;
  auto writer = Writer::Open(store.io, store.clock, store.dir.path(), options);
  REQUIRE_OK(writer);
  const std::size_t blocks = (*writer)->manifest().blocks.size();
  BOOST_TEST_REQUIRE(Within30Seconds([&] { return store.io.holds.load(); }));
  BOOST_TEST_REQUIRE(Within30Seconds([&] { return store.io.short_looks.load() > 0; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // until what was seen is acted upon
  store.io.hold = false;
  BOOST_TEST(Within30Seconds([&] { return store.io.starts.load() >= 2; }));  // ended, and begun again
  store.io.room = 0;
  BOOST_TEST(Within30Seconds([&] { return (*writer)->manifest().blocks.size() < blocks; }));
  BOOST_TEST((*writer)->counters().dropped_for_space == 0u);
  REQUIRE_OK((*writer)->Close());
  store.CheckAll();
}

// A merge that the disk has no room for is not begun.
BOOST_AUTO_TEST_CASE(a_merge_without_room_is_put_off) {
  prom::testing::TempDir dir;
  testing::FixedClock clock(kT0 + 14 * 3'600'000);
  HeldIo io;
  testing::ModelStore model;
  WriterOptions options = testing::Quiet();
  options.retention.min_free_bytes = 1000;
  io.room = 1001;
  auto writer = Writer::Open(io, clock, dir.path(), options);
  REQUIRE_OK(writer);
  Append(writer->get(), &model, 0, 13 * 60);
  REQUIRE_OK((*writer)->Flush());
  const std::size_t blocks = (*writer)->manifest().blocks.size();
  REQUIRE_OK((*writer)->Maintain());
  BOOST_TEST((*writer)->manifest().blocks.size() == blocks);
  io.room = 1 << 30;
  REQUIRE_OK((*writer)->Maintain());
  BOOST_TEST((*writer)->manifest().blocks.size() < blocks);
}

// A stop does not wait for a merge to end, and what it leaves undone is done later.
BOOST_AUTO_TEST_CASE(a_stop_cancels_a_merge) {
  Unmerged store;
  WriterOptions options = store.Busy();
  store.io.hold = true;
  auto writer = Writer::Open(store.io, store.clock, store.dir.path(), options);
  REQUIRE_OK(writer);
  const std::size_t blocks = (*writer)->manifest().blocks.size();
  BOOST_TEST_REQUIRE(Within30Seconds([&] { return store.io.holds.load(); }));
  (*writer)->CancelMerges();
  store.io.hold = false;
  REQUIRE_OK((*writer)->Close());
  BOOST_TEST((*writer)->manifest().blocks.size() == blocks);
  for ([[maybe_unused]] const auto& left : std::filesystem::directory_iterator(store.dir / "tmp")) BOOST_TEST(false, "left in tmp");
  writer->reset();

  auto again = Writer::Open(store.io, store.clock, store.dir.path(), testing::Quiet());
  REQUIRE_OK(again);
  REQUIRE_OK((*again)->Maintain());
  BOOST_TEST((*again)->manifest().blocks.size() < blocks);
  store.CheckAll();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace prom::store
