#include "api/open_data.h"

#include <boost/test/unit_test.hpp>

#include "../../testing.h"

using namespace prom;

BOOST_AUTO_TEST_CASE(errors_say_what_to_do) {
  testing::TempDir dir;
  const auto message = [](const std::string& path) {
    auto data = api::OpenDataDir(path);
    BOOST_TEST_REQUIRE(!data);
    BOOST_TEST(data.error().code == Errc::kNotFound);
    return data.error().message;
  };
  BOOST_TEST(message(dir / "none") == "no data directory at " + (dir / "none") + " (promstore append -d " + (dir / "none") + " makes one)");
  BOOST_TEST(message(dir.path()).starts_with("no data directory at "));
  testing::WriteFile(dir / "file", "x");
  BOOST_TEST(message(dir / "file") == (dir / "file") + " is not a directory");
}

BOOST_AUTO_TEST_CASE(directories_of_prometheus_are_opened) {
  testing::TempDir dir;
  std::filesystem::create_directories(dir / "wal");
  std::filesystem::create_directories(dir / "chunks_head");
  auto data = api::OpenDataDir(dir.path());
  BOOST_REQUIRE_MESSAGE(bool(data), (data ? "" : data.error().message));
  auto snapshot = (*data)->Snapshot();
  BOOST_REQUIRE_MESSAGE(bool(snapshot), (snapshot ? "" : snapshot.error().message));
  BOOST_TEST((*(*snapshot)->Select({}, 0, 1))->size() == 0u);
  // A block by itself: upstream's of index version 1.
  data = api::OpenDataDir(testing::ConformanceDir() + "/tsdb-blocks/index_format_v1");
  BOOST_REQUIRE_MESSAGE(bool(data), (data ? "" : data.error().message));
  snapshot = (*data)->Snapshot();
  BOOST_REQUIRE_MESSAGE(bool(snapshot), (snapshot ? "" : snapshot.error().message));
  BOOST_TEST((*(*snapshot)->Select({}, 0, 1))->size() == 101u);
}
