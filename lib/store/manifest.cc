#include "store/manifest.h"

#include <algorithm>

#include "base/crc32c.h"
#include "base/number.h"
#include "base/strings.h"
#include "base/ulid.h"

namespace prom::store {
namespace {

constexpr std::string_view kTitle = "promkit manifest ";
constexpr std::string_view kFilePrefix = "manifest-";
constexpr std::uint64_t kMaxManifestBytes = 64u << 20;

// A name of a file right in the data directory, nothing else.
bool IsPlainName(std::string_view s) {
  return !s.empty() && s.size() < 100 && s[0] != '.' && s.find('/') == std::string_view::npos && s.find('\0') == std::string_view::npos;
}

}  // namespace

void Manifest::Sort() {
  std::sort(epochs.begin(), epochs.end(), [](const auto& a, const auto& b) { return a.number < b.number; });
  std::sort(blocks.begin(), blocks.end(), [](const auto& a, const auto& b) { return a.min_ms != b.min_ms ? a.min_ms < b.min_ms : a.ulid < b.ulid; });
}

std::string FormatManifest(const Manifest& m) {
  std::string out = std::string(kTitle) + "1\ngeneration " + std::to_string(m.generation) + "\n";
  for (const auto& e : m.epochs) out += "epoch " + std::to_string(e.number) + " " + std::to_string(e.start_ms) + "\n";
  for (const auto& b : m.blocks) {
    out += "block " + b.ulid + " " + std::to_string(b.min_ms) + " " + std::to_string(b.max_ms) + " " + std::to_string(b.level) + " " +
           std::to_string(b.samples) + " " + std::to_string(b.bytes) + "\n";
  }
  if (!m.tombstones.empty()) out += "tombstones " + m.tombstones + "\n";
  out += StringPrintf("crc %08x\n", Crc32c(out));
  return out;
}

Result<Manifest> ParseManifest(std::string_view text, std::string_view path) {
  std::size_t line_number = 0;
  const auto fail = [&](std::string_view what) {
    return Error{Errc::kCorrupt, std::string(path) + ":" + std::to_string(line_number) + ": " + std::string(what)};
  };
  // The version comes first, as the checksum of a newer one may be another.
  if (!text.starts_with(kTitle)) return (++line_number, fail("not a manifest"));
  const std::string_view version = text.substr(kTitle.size(), text.find('\n') == std::string_view::npos ? 0 : text.find('\n') - kTitle.size());
  if (version != "1") {
    if (ParseUint64(version)) {
      return Error{Errc::kUnsupported, std::string(path) + " has format version " + std::string(version) + "; this program reads 1"};
    }
    return (++line_number, fail("bad version"));
  }
  const std::size_t last = text.size() < 14 ? std::string_view::npos : text.size() - 13;  // "crc xxxxxxxx\n"
  if (last == std::string_view::npos || text[last - 1] != '\n' || text.substr(last, 4) != "crc " || text.back() != '\n') return fail("no checksum at the end");
  if (text.substr(last) != StringPrintf("crc %08x\n", Crc32c(text.substr(0, last)))) return fail("checksum does not match");

  Manifest m;
  for (const std::string_view line : Split(text.substr(0, last - 1), '\n')) {
    if (++line_number == 1) continue;
    const auto words = Split(line, ' ');
    const auto u64 = [&](std::size_t i) { return ParseUint64(words[i]); };
    const auto i64 = [&](std::size_t i) { return ParseInt64(words[i]); };
    if (words[0] == "generation" && words.size() == 2 && u64(1)) {
      m.generation = *u64(1);
    } else if (words[0] == "epoch" && words.size() == 3 && u64(1) && i64(2)) {
      m.epochs.push_back({*u64(1), *i64(2)});
    } else if (words[0] == "block" && words.size() == 7 && IsUlid(words[1]) && i64(2) && i64(3) && u64(4) && *u64(4) < 1000 && u64(5) && u64(6)) {
      m.blocks.push_back({std::string(words[1]), *i64(2), *i64(3), static_cast<std::uint32_t>(*u64(4)), *u64(5), *u64(6)});
      if (m.blocks.back().min_ms > m.blocks.back().max_ms) return fail("block ends before it begins");
    } else if (words[0] == "tombstones" && words.size() == 2 && IsPlainName(words[1])) {
      m.tombstones = words[1];
    } else {
      return fail("bad line " + Quote(line.substr(0, 100)));
    }
  }
  m.Sort();
  return m;
}

std::string ManifestPath(std::string_view data_dir, std::uint64_t generation) {
  return JoinPath(data_dir, std::string(kFilePrefix) + std::to_string(generation));
}

Result<Manifest> ReadManifest(Io& io, std::string_view data_dir, std::uint64_t generation) {
  const std::string path = ManifestPath(data_dir, generation);
  PROM_ASSIGN(const std::string text, ReadFile(io, path, kMaxManifestBytes));
  PROM_ASSIGN(Manifest m, ParseManifest(text, path));
  if (m.generation != generation) return Error{Errc::kCorrupt, path + ": says it is generation " + std::to_string(m.generation)};
  return m;
}

Result<void> WriteManifest(Io& io, std::string_view data_dir, const Manifest& m, bool sync) {
  return WriteFileAtomic(io, ManifestPath(data_dir, m.generation), FormatManifest(m), sync);
}

Result<std::vector<std::uint64_t>> ListManifests(Io& io, std::string_view data_dir) {
  PROM_ASSIGN(const auto entries, io.List(std::string(data_dir)));
  std::vector<std::uint64_t> out;
  for (const auto& e : entries) {
    if (e.is_dir || !std::string_view(e.name).starts_with(kFilePrefix)) continue;
    if (auto n = ParseUint64(std::string_view(e.name).substr(kFilePrefix.size()))) out.push_back(*n);
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace prom::store
