#include "chunk/block_compress.h"

#include <lz4.h>
#include <lz4hc.h>

#include <algorithm>
#include <cassert>

#include "base/bytes.h"

namespace prom::chunk {
namespace {

constexpr std::uint8_t kStored = 0;
constexpr std::uint8_t kLz4 = 1;
// LZ4 gains nothing on chunks that are packed already when there are few of them.
constexpr std::size_t kMinBytes = 64;
// One byte of LZ4 stands for at most 255 bytes, so a larger claim is damage.
constexpr std::size_t kMaxRatio = 255;

Error Corrupt(const char* what) { return {Errc::kCorrupt, std::string("chunk group: ") + what}; }

}  // namespace

bool AppendGroup(std::string_view raw, std::string* out, CompressLevel level) {
  const std::size_t start = out->size();
  if (raw.size() >= kMinBytes && raw.size() <= LZ4_MAX_INPUT_SIZE) {
    out->push_back(static_cast<char>(kLz4));
    AppendVarint(out, raw.size());
    const std::size_t header = out->size() - start;
    // Room for what would still be a gain of 5 %; LZ4 gives up when it does not suffice.
    const std::size_t limit = raw.size() - raw.size() / 20;
    if (limit > header) {
      out->resize(start + limit);
      const int capacity = static_cast<int>(limit - header);
      const int size = level == CompressLevel::kBest
                           ? LZ4_compress_HC(raw.data(), out->data() + start + header, static_cast<int>(raw.size()), capacity, LZ4HC_CLEVEL_DEFAULT)
                           : LZ4_compress_default(raw.data(), out->data() + start + header, static_cast<int>(raw.size()), capacity);
      if (size > 0) {
        out->resize(start + header + static_cast<std::size_t>(size));
        return true;
      }
    }
    out->resize(start);
  }
  out->push_back(static_cast<char>(kStored));
  out->append(raw);
  return false;
}

Result<std::string_view> ReadGroup(std::string_view group, std::size_t max_raw_bytes, std::string* buffer) {
  if (group.empty()) return Corrupt("empty");
  const auto codec = static_cast<std::uint8_t>(group[0]);
  group.remove_prefix(1);
  if (codec == kStored) {
    if (group.size() > max_raw_bytes) return Error{Errc::kLimit, "chunk group: larger than allowed"};
    return group;
  }
  if (codec != kLz4) return Error{Errc::kUnsupported, "chunk group: codec " + std::to_string(codec) + " is not known"};
  ByteReader r(group);
  const std::uint64_t size = r.Varint();
  if (!r.ok()) return Corrupt("bad size");
  if (size > max_raw_bytes || size > LZ4_MAX_INPUT_SIZE) return Error{Errc::kLimit, "chunk group: larger than allowed"};
  if (size / kMaxRatio > r.remaining()) return Corrupt("size does not fit its bytes");
  if (r.remaining() > LZ4_MAX_INPUT_SIZE) return Corrupt("too long");
  buffer->resize(static_cast<std::size_t>(size));
  const int got = LZ4_decompress_safe(r.cursor(), buffer->data(), static_cast<int>(r.remaining()), static_cast<int>(size));
  if (got < 0 || static_cast<std::uint64_t>(got) != size) return Corrupt("bad LZ4 data");
  return std::string_view(*buffer);
}

}  // namespace prom::chunk
