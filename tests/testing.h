// What tests of all modules share: where data lies, and a directory that goes away.
#pragma once

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <ostream>
#include <sstream>
#include <string>
#include <unistd.h>

#include "base/result.h"

namespace prom {
inline std::ostream& operator<<(std::ostream& out, Errc code) { return out << "Errc " << static_cast<int>(code); }
}  // namespace prom

namespace prom::testing {

// Rounds of a test of random cases: fewer under a sanitizer, where each takes ten times as long.
constexpr int Rounds(int n) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return (n + 7) / 8;
#else
  return n;
#endif
}

// CPU time of this process, which other work of the machine does not add to: for bounds that tell linear from quadratic.
inline double CpuSeconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

// Upstream's test data: $PROMKIT_CONFORMANCE, or ../shared/conformance beside the source tree.
inline std::string ConformanceDir() {
  if (const char* dir = std::getenv("PROMKIT_CONFORMANCE")) return dir;
  return std::string(PROMKIT_SOURCE_DIR) + "/../shared/conformance";
}

// Data sets of our own, in tests/data.
inline std::string DataDir() { return std::string(PROMKIT_SOURCE_DIR) + "/tests/data"; }

inline std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

inline void WriteFile(const std::string& path, const std::string& bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << bytes;
}

// A fresh directory under $TMPDIR, removed with all it holds at the end of the scope.
class TempDir {
 public:
  TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "promkit-test-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace prom::testing
