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
  std::filesystem::create_directories(dir / "upstream/wal");
  std::filesystem::create_directories(dir / "upstream/chunks_head");
  BOOST_TEST(message(dir / "upstream") == (dir / "upstream") + " is a data directory of Prometheus itself, not of promstore");
}
