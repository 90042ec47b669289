// /proc/PID/mountinfo, proc(5).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace prom::node {

struct Mount {
  std::uint32_t major = 0, minor = 0;
  std::string mount_point;  // with \040 and its like undone
  std::string device;       // the source field as it stands
  std::string fs_type;
  bool read_only = false;   // by mount or superblock options ("ro", "emergency_ro")
};

// Replaces *out by all good lines, in the order of the file; kCorrupt names the
// first bad one.
Result<void> ParseMountinfo(std::string_view text, std::vector<Mount>* out);

}  // namespace prom::node
