// The 16 bytes every binary file of a data directory begins with, prom-data(5)
// "File header": 8-byte magic, u32 format version, u32 CRC32C of those 12 bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/result.h"

namespace prom::store {

inline constexpr std::size_t kFileHeaderSize = 16;
inline constexpr std::uint32_t kFormatVersion = 1;

inline std::string FileHeader(std::string_view magic, std::uint32_t version = kFormatVersion) {
  std::string out(magic);
  out.resize(8, '\0');
  AppendLe<std::uint32_t>(&out, version);
  AppendLe<std::uint32_t>(&out, Crc32c(out));
  return out;
}

// Versions 1 to `newest` are known. kCorrupt: too short, another magic, bad checksum.
// kUnsupported: a newer version, named.
inline Result<void> CheckFileHeader(std::string_view bytes, std::string_view magic, const std::string& path, std::uint32_t newest = kFormatVersion) {
  if (bytes.size() < kFileHeaderSize) return Error{Errc::kCorrupt, path + ": no file header: " + std::to_string(bytes.size()) + " bytes"};
  std::string want(magic);
  want.resize(8, '\0');
  if (bytes.substr(0, 8) != want) return Error{Errc::kCorrupt, path + ": byte 0: not a " + std::string(magic) + " file"};
  if (Crc32c(bytes.substr(0, 12)) != LoadLe<std::uint32_t>(bytes.data() + 12))
    return Error{Errc::kCorrupt, path + ": byte 0: checksum of the file header does not match"};
  const auto version = LoadLe<std::uint32_t>(bytes.data() + 8);
  if (version == 0 || version > newest) {
    return Error{Errc::kUnsupported, path + " has format version " + std::to_string(version) + "; this program reads " + std::to_string(newest)};
  }
  return {};
}

}  // namespace prom::store
