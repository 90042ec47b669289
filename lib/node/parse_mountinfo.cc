#include "node/parse_mountinfo.h"

#include "node/fields.h"

namespace prom::node {
namespace {

// The kernel writes blank, tab, newline and backslash as three octal digits.
std::string Unescape(std::string_view s) {
  std::string out;
  out.reserve(s.size());
  const auto octal = [&](std::size_t i) { return s[i] >= '0' && s[i] <= '7'; };
  for (std::size_t i = 0; i < s.size(); ++i) {
    if (s[i] == '\\' && i + 3 < s.size() && s[i + 1] <= '3' && octal(i + 1) && octal(i + 2) && octal(i + 3)) {
      out.push_back(static_cast<char>((s[i + 1] - '0') * 64 + (s[i + 2] - '0') * 8 + (s[i + 3] - '0')));
      i += 3;
    } else {
      out.push_back(s[i]);
    }
  }
  return out;
}

bool HasReadOnlyOption(std::string_view options) {
  while (!options.empty()) {
    const std::size_t end = options.find(',');
    const std::string_view option = options.substr(0, end);
    if (option == "ro" || option == "emergency_ro") return true;
    options.remove_prefix(end == std::string_view::npos ? options.size() : end + 1);
  }
  return false;
}

bool ParseDevice(std::string_view s, Mount* m) {
  const std::size_t colon = s.find(':');
  if (colon == std::string_view::npos) return false;
  const auto major = ParseUint64(s.substr(0, colon)), minor = ParseUint64(s.substr(colon + 1));
  if (!major || !minor || *major > UINT32_MAX || *minor > UINT32_MAX) return false;
  m->major = static_cast<std::uint32_t>(*major);
  m->minor = static_cast<std::uint32_t>(*minor);
  return true;
}

// Fields end at single blanks here: the source of a mount may be empty.
std::string_view NextField(std::string_view* rest) {
  const std::size_t end = rest->find(' ');
  const std::string_view field = rest->substr(0, end);
  rest->remove_prefix(end == std::string_view::npos ? rest->size() : end + 1);
  return field;
}

}  // namespace

Result<void> ParseMountinfo(std::string_view text, std::vector<Mount>* out) {
  out->clear();
  LineErrors errors;
  Lines lines(text);
  std::string_view line;
  while (lines.Next(&line)) {
    if (line.empty()) continue;
    // id parent major:minor root mount_point options [optional...] - type source super_options
    std::string_view rest = line;
    NextField(&rest);
    NextField(&rest);
    const std::string_view device_number = NextField(&rest);
    NextField(&rest);
    const std::string_view mount_point = NextField(&rest);
    const std::string_view options = NextField(&rest);
    bool separated = false;
    while (!rest.empty() && !separated) separated = NextField(&rest) == "-";
    const std::string_view type = NextField(&rest);
    const std::string_view source = NextField(&rest);
    const std::string_view super_options = NextField(&rest);
    Mount m;
    if (!separated || mount_point.empty() || type.empty() || super_options.empty() || !ParseDevice(device_number, &m)) {
      errors.Bad(lines.number(), "malformed mount", line);
      continue;
    }
    m.mount_point = Unescape(mount_point);
    m.device = source;
    m.fs_type = type;
    // emergency_ro is an option of the superblock only, but costs nothing to look for in both.
    m.read_only = HasReadOnlyOption(options) || HasReadOnlyOption(super_options);
    out->push_back(std::move(m));
  }
  return std::move(errors).Take();
}

}  // namespace prom::node
