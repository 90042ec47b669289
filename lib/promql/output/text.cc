#include "promql/output/text.h"

#include <algorithm>
#include <cstdint>
#include <iterator>

#include "base/strings.h"

namespace prom::promql {
namespace {

struct Rune {
  std::uint32_t cp = 0;  // of a bad byte the byte, and
  bool bad = false;
  std::size_t bytes = 1;
};

Rune Decode(std::string_view s) {
  const auto byte = [&](std::size_t i) { return i < s.size() ? static_cast<unsigned char>(s[i]) : 0u; };
  const std::uint32_t lead = byte(0);
  if (lead < 0x80) return {lead, false, 1};
  const std::size_t n = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || !IsValidUtf8(s.substr(0, n))) return {lead, true, 1};
  std::uint32_t cp = lead & (0xffu >> (n + 1));
  for (std::size_t i = 1; i < n; ++i) cp = cp << 6 | (byte(i) & 0x3f);
  return {cp, false, n};
}

struct Range {
  std::uint32_t first, last;
};
// Of Unicode 15: the blocks whose characters are wide, or take no room. Coarse, but no
// terminal agrees with another on the rest.
constexpr Range kWide[] = {{0x1100, 0x115f}, {0x231a, 0x231b}, {0x2329, 0x232a}, {0x23e9, 0x23ec}, {0x25fd, 0x25fe}, {0x2614, 0x2615}, {0x2648, 0x2653},
                           {0x2705, 0x2705}, {0x274c, 0x274c}, {0x2753, 0x2755}, {0x2795, 0x2797}, {0x2e80, 0x303e}, {0x3041, 0xa4cf}, {0xa960, 0xa97f},
                           {0xac00, 0xd7a3}, {0xf900, 0xfaff}, {0xfe30, 0xfe6f}, {0xff00, 0xff60}, {0xffe0, 0xffe6}, {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff},
                           {0x1f900, 0x1f9ff}, {0x1fa70, 0x1faff}, {0x20000, 0x3fffd}};
constexpr Range kZero[] = {{0x300, 0x36f}, {0x483, 0x489}, {0x591, 0x5bd}, {0x610, 0x61a}, {0x64b, 0x65f}, {0x93c, 0x93c}, {0x941, 0x948}, {0xe31, 0xe31},
                           {0xe34, 0xe3a}, {0xe47, 0xe4e}, {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x200b, 0x200d}, {0x2060, 0x2060}, {0x20d0, 0x20ff},
                           {0x302a, 0x302d}, {0x3099, 0x309a}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xfeff, 0xfeff}};

template <std::size_t n>
bool In(const Range (&ranges)[n], std::uint32_t cp) {
  const auto it = std::upper_bound(std::begin(ranges), std::end(ranges), cp, [](std::uint32_t c, const Range& r) { return c < r.first; });
  return it != std::begin(ranges) && cp <= std::prev(it)->last;
}

std::size_t WidthOf(const Rune& r) {
  if (r.bad || r.cp < 0x300) return 1;
  return In(kZero, r.cp) ? 0 : In(kWide, r.cp) ? 2 : 1;
}

bool Unsafe(std::uint32_t cp) {
  return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0x61c || (cp >= 0x200e && cp <= 0x200f) || (cp >= 0x2028 && cp <= 0x202e) ||
         (cp >= 0x2066 && cp <= 0x2069);
}

void AppendSafe(std::string* out, const Rune& r, std::string_view bytes) {
  if (!r.bad && !Unsafe(r.cp)) *out += bytes;
  else if (!r.bad && r.cp == '\n') *out += "\\n";
  else if (!r.bad && r.cp == '\t') *out += "\\t";
  else if (!r.bad && r.cp == '\r') *out += "\\r";
  else *out += StringPrintf(r.bad || r.cp < 0x80 ? "\\x%02x" : "\\u%04x", r.cp);
}

}  // namespace

std::size_t DisplayWidth(std::string_view utf8) {
  std::size_t out = 0;
  while (!utf8.empty()) {
    const Rune r = Decode(utf8);
    out += WidthOf(r);
    utf8.remove_prefix(r.bytes);
  }
  return out;
}

std::string CutText(std::string_view utf8, std::size_t width) {
  const std::size_t have = DisplayWidth(utf8);
  if (have <= width) return std::string(utf8);
  if (width == 0) return {};
  const std::size_t head = width / 2, tail = width - 1 - head;
  std::size_t head_end = 0, at = 0, tail_start = utf8.size(), column = 0;
  while (at < utf8.size()) {
    const Rune r = Decode(utf8.substr(at));
    const std::size_t w = WidthOf(r);
    if (column + w <= head) head_end = at + r.bytes;
    // What starts behind the cut and is not a mark on a character before it.
    if (w > 0 && tail_start == utf8.size() && column >= have - tail) tail_start = at;
    column += w;
    at += r.bytes;
  }
  return std::string(utf8.substr(0, head_end)) + "…" + std::string(utf8.substr(tail_start));
}

std::string SafeText(std::string_view s) {
  std::string out;
  out.reserve(s.size());
  while (!s.empty()) {
    const Rune r = Decode(s);
    AppendSafe(&out, r, s.substr(0, r.bytes));
    s.remove_prefix(r.bytes);
  }
  return out;
}

std::string SafeLines(std::string_view s) {
  std::string out;
  out.reserve(s.size());
  while (!s.empty()) {
    const Rune r = Decode(s);
    if (s[0] == '\n' || s[0] == '\t') out += s[0];
    else AppendSafe(&out, r, s.substr(0, r.bytes));
    s.remove_prefix(r.bytes);
  }
  return out;
}

}  // namespace prom::promql
