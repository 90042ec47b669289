// What a writer deletes when it opens a directory, and what it must keep.
#include <unistd.h>

#include "../../testing.h"
#include "base/fault_io.h"
#include "head_testing.h"
#include "store/control_page.h"
#include "store/data_dir.h"

using namespace prom;
using namespace prom::store;
using namespace prom::store::testing;

BOOST_AUTO_TEST_CASE(leftovers_are_removed_but_not_what_a_lost_manifest_may_name) {
  prom::testing::TempDir dir;
  FixedClock clock;
  const auto open = [&](const std::string& boot) {
    WriterOptions options = Quiet();
    options.boot_id = boot;
    return Writer::Open(SystemIo(), clock, dir.path(), options);
  };
  REQUIRE_OK(open("one"));

  // An epoch that no manifest names is what a killed writer left.
  REQUIRE_OK(MakeDirs(SystemIo(), dir / "head/00000077"));
  prom::testing::WriteFile(dir / "manifest-9.tmp123", "half");
  REQUIRE_OK(open("one"));
  BOOST_TEST(!*SystemIo().Exists(dir / "head/00000077"));
  BOOST_TEST(!*SystemIo().Exists(dir / "manifest-9.tmp123"));

  // After a power cut, with a newer manifest that cannot be read, it may be data.
  REQUIRE_OK(MakeDirs(SystemIo(), dir / "head/00000077"));
  REQUIRE_OK(MakeDirs(SystemIo(), dir / "blocks/01HF00000000000000000000AB"));
  const auto generations = ListManifests(SystemIo(), dir.path());
  REQUIRE_OK(generations);
  prom::testing::WriteFile(ManifestPath(dir.path(), generations->back() + 1), "damaged");
  {
    auto control = ControlPage::OpenWrite(SystemIo(), dir.path());
    REQUIRE_OK(control);
    (*control)->SetWriter("one", 1, false);  // that writer did not get to close
  }
  auto writer = open("two");
  REQUIRE_OK(writer);
  BOOST_TEST((*writer)->warnings().size() >= 1u);
  BOOST_TEST(*SystemIo().Exists(dir / "head/00000077.kept"));
  BOOST_TEST(*SystemIo().Exists(dir / "blocks/01HF00000000000000000000AB"));
}

// The manifest in force is damaged and the one before is there: the writer goes by that one, and so do readers afterwards.
BOOST_AUTO_TEST_CASE(a_damaged_manifest_in_force_is_replaced) {
  prom::testing::TempDir dir;
  FixedClock clock;
  {
    auto writer = Writer::Open(SystemIo(), clock, dir.path(), Quiet());
    REQUIRE_OK(writer);
    REQUIRE_OK((*writer)->EditManifest([](Manifest*) { return true; }));  // the next generation, with the same contents
    REQUIRE_OK((*writer)->Close());
  }
  const auto generations = ListManifests(SystemIo(), dir.path());
  REQUIRE_OK(generations);
  BOOST_REQUIRE(generations->size() == 2u);
  prom::testing::WriteFile(ManifestPath(dir.path(), generations->back()), "damaged");
  {
    auto writer = Writer::Open(SystemIo(), clock, dir.path(), Quiet());
    REQUIRE_OK(writer);
    BOOST_TEST((*writer)->warnings().size() == 1u);
    BOOST_TEST((*writer)->manifest().generation == generations->back() + 1);
  }
  auto reader = DataDir::Open(SystemIo(), dir.path());
  REQUIRE_OK(reader);
  REQUIRE_OK((*reader)->Snapshot());
}

// A writer that is killed soon after each start still gets on with its closed epochs.
BOOST_AUTO_TEST_CASE(closed_epochs_do_not_pile_up) {
  for (const int epochs : {2, 6}) {
    BOOST_TEST_CONTEXT(epochs << " epochs") {
      prom::testing::TempDir dir;
      FixedClock clock(kT0 + 10'000'000);
      WriterOptions options = Quiet();
      options.block_ms = 100'000;
      options.slack_ms = 1'000;
      {
        auto writer = Writer::Open(SystemIo(), clock, dir.path(), options);
        REQUIRE_OK(writer);
        auto a = (*writer)->NewAppender();
        REQUIRE_OK(a->DefineSeries(0, Series("m", 0)));
        for (int i = 0; i < epochs; ++i) {
          for (const std::int64_t t : {10'000, 90'000, 101'500}) {
            REQUIRE_OK(a->Sample(0, kT0 + i * 100'000 + t, i));
            REQUIRE_OK(a->Commit(1));
          }
        }
        BOOST_TEST((*writer)->manifest().epochs.size() == static_cast<std::size_t>(epochs) + 1);
      }
      {
        // Before it takes anything, few are left, background or not.
        auto killed = Writer::Open(SystemIo(), clock, dir.path(), options);
        REQUIRE_OK(killed);
        BOOST_TEST((*killed)->manifest().epochs.size() == std::min<std::size_t>(static_cast<std::size_t>(epochs), 3) + 1);
      }
      options.background = true;
      options.maintain_interval_ms = 3'600'000;  // none of its rounds comes in time
      auto writer = Writer::Open(SystemIo(), clock, dir.path(), options);
      REQUIRE_OK(writer);
      for (int i = 0; i < 1000 && (*writer)->manifest().epochs.size() > 1; ++i) ::usleep(10'000);
      BOOST_TEST((*writer)->manifest().epochs.size() == 1u);
      BOOST_TEST((*writer)->manifest().blocks.size() >= 1u);
    }
  }
}

// Two epochs whose tables are damaged, opened in the boot they were written in: mending the
// first raises the committed sequence, which must not make a batch count that the second refused.
BOOST_AUTO_TEST_CASE(mending_an_epoch_does_not_revive_refused_batches_of_the_next) {
  prom::testing::TempDir dir;
  FixedClock clock(kT0 + 10'000'000);
  WriterOptions options = Quiet();
  options.block_ms = 100'000;
  options.slack_ms = 1'000;
  Content want;
  {
    FaultIo io(SystemIo());
    auto writer = Writer::Open(io, clock, dir.path(), options);
    REQUIRE_OK(writer);
    auto a = (*writer)->NewAppender();
    REQUIRE_OK(a->DefineSeries(0, Series("m", 0)));
    REQUIRE_OK(a->DefineLayout(0, std::vector<std::uint32_t>{0}));
    const auto append = [&](std::int64_t t) {
      REQUIRE_OK(a->Row(0, kT0 + t, std::vector<double>{static_cast<double>(t)}, {}));
      return a->Commit(1);
    };
    for (const std::int64_t t : {10'000, 101'500, 110'000, 111'000}) {
      REQUIRE_OK(append(t));
      want[Series("m", 0).ToString()][kT0 + t] = std::bit_cast<std::uint64_t>(static_cast<double>(t));
    }
    BOOST_TEST_REQUIRE((*writer)->manifest().epochs.size() == 2u);
    io.FailCall(2, FaultIo::Fault::kIo, true);  // the log has been written, the table is not
    BOOST_TEST(!append(112'000).has_value());
  }
  for (const char* epoch : {"00000001", "00000002"}) {
    const std::string path = dir / "head/" + epoch + "/tiles";
    std::string bytes = prom::testing::ReadFile(path);
    bytes[16 + 112 + 2 * 128 + 3] ^= 4;  // layout 0
    bytes[16 + 112 + 2 * 128 + 64 + 3] ^= 4;
    prom::testing::WriteFile(path, bytes);
  }
  auto writer = Writer::Open(SystemIo(), clock, dir.path(), options);
  REQUIRE_OK(writer);
  BOOST_TEST(!(*writer)->warnings().empty());
  BOOST_TEST((ReadHeads(dir.path()) == want));
}
