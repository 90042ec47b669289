// Any bytes as the small files of a directory: tombstones and meta.json; as they are, and
// tombstones with their checksum put right. Then a file of head chunks, through the disk.
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/crc32c.h"
#include "tsdb/big_endian.h"
#include "tsdb/block_meta.h"
#include "tsdb/head_chunks.h"
#include "tsdb/tombstones.h"

namespace {

using namespace prom;
using namespace prom::tsdb;

// One directory for all runs of the process.
struct TempDirectory {
  std::string path = (std::filesystem::temp_directory_path() / "tsdb-fuzz-XXXXXX").string();
  TempDirectory() {
    if (::mkdtemp(path.data()) == nullptr) std::abort();
  }
  ~TempDirectory() { std::filesystem::remove_all(path); }
};
const std::string& Dir() {
  static const TempDirectory dir;
  return dir.path;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  if (auto meta = ParseBlockMeta(bytes, "meta.json"); meta && !ParseBlockMeta(FormatBlockMeta(*meta), "again")) std::abort();
  (void)bool(ParseTombstones(bytes, "tombstones"));
  std::string sealed = bytes;
  if (size >= 9) {
    StoreBe32(sealed.data(), 0x0130BA30);
    sealed[4] = 1;
    StoreBe32(sealed.data() + size - 4, Crc32c(std::string_view(sealed).substr(5, size - 9)));
    (void)bool(ParseTombstones(sealed, "tombstones"));
  }
  if (size >= 8) {
    StoreBe32(bytes.data(), 0x0130BC91);
    bytes[4] = 1;
  }
  // Its chunks with checksums put right, as far as their lengths can be followed.
  for (std::size_t at = 8; at + 30 < bytes.size();) {
    ByteReader r(std::string_view(bytes).substr(at));
    (void)r.Bytes(25);
    const std::uint64_t length = r.Varint();
    if (!r.ok() || length > r.remaining() || r.remaining() - length < 4) break;
    const std::size_t end = at + r.offset() + static_cast<std::size_t>(length);
    StoreBe32(bytes.data() + end, Crc32c(std::string_view(bytes).substr(at, end - at)));
    at = end + 4;
  }
  std::ofstream(Dir() + "/000001", std::ios::binary | std::ios::trunc) << bytes;
  std::vector<std::string> warnings;
  const auto chunks = HeadChunks::Open(SystemIo(), Dir(), &warnings);
  if (!chunks) return 0;
  SeriesColumns out;
  for (const auto& [ref, of] : (*chunks)->by_series()) {
    for (const auto* list : {&of.in_order, &of.out_of_order})
      for (const ChunkMeta& c : *list) (void)bool((*chunks)->Read(c.ref, &out));
  }
  return 0;
}
