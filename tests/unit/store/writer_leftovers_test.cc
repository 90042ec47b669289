// What a writer deletes when it opens a directory, and what it must keep.
#include "../../testing.h"
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
  REQUIRE_OK(open("one"));
  BOOST_TEST(!*SystemIo().Exists(dir / "head/00000077"));

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
