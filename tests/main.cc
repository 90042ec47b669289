// The main of every unit and conformance program. A conformance program whose
// data is not there ends with 77, which ctest reports as skipped.
#define BOOST_TEST_NO_MAIN
#include <boost/test/unit_test.hpp>

#include <cstdio>
#include <cstdlib>
#include <sys/stat.h>

#include "testing.h"

int main(int argc, char** argv) {
  if (std::getenv("PROMKIT_NEEDS_CONFORMANCE") != nullptr) {
    const std::string dir = prom::testing::ConformanceDir();
    struct stat st {};
    if (::stat(dir.c_str(), &st) != 0) {
      std::printf("skipped: no conformance data at %s (set PROMKIT_CONFORMANCE)\n", dir.c_str());
      return 77;
    }
  }
  return boost::unit_test::unit_test_main([] { return true; }, argc, argv);
}
