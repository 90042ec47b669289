// Layout: magic, version 1, entries (series, first and last time as varints), CRC of the entries.
#include "tsdb/tombstones.h"

#include "base/bytes.h"
#include "base/crc32c.h"
#include "tsdb/big_endian.h"

namespace prom::tsdb {
namespace {

constexpr std::uint32_t kMagic = 0x0130BA30;
constexpr std::size_t kHeaderBytes = 5;

}  // namespace

Result<TombstoneMap> ParseTombstones(std::string_view bytes, const std::string& path) {
  const auto corrupt = [&](std::size_t offset, const char* what) {
    return Error{Errc::kCorrupt, path + ": offset " + std::to_string(offset) + ": " + what};
  };
  if (bytes.size() < kHeaderBytes + 4) return corrupt(0, "too short for tombstones");
  if (LoadBe32(bytes.data()) != kMagic) return corrupt(0, "not tombstones: wrong magic number");
  if (bytes[4] != 1) return Error{Errc::kUnsupported, path + ": tombstones of version " + std::to_string(static_cast<std::uint8_t>(bytes[4])) + "; this program reads 1"};
  const std::string_view body = bytes.substr(kHeaderBytes, bytes.size() - kHeaderBytes - 4);
  if (Crc32c(body) != LoadBe32(body.data() + body.size())) return corrupt(kHeaderBytes, "wrong checksum");
  TombstoneMap out;
  ByteReader r(body);
  while (r.remaining() > 0) {
    const std::uint64_t series = r.Varint();
    const std::int64_t min = r.SignedVarint(), max = r.SignedVarint();
    if (!r.ok()) return corrupt(kHeaderBytes, "damaged entry");
    if (min <= max) out[series].emplace_back(min, max);
  }
  for (auto& [series, intervals] : out) NormalizeIntervals(&intervals);
  return out;
}

std::string EmptyTombstones() {
  std::string out;
  AppendBe32(&out, kMagic);
  out.push_back(1);
  AppendBe32(&out, Crc32c(std::string_view()));
  return out;
}

}  // namespace prom::tsdb
