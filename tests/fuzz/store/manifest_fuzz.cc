// Any bytes as a manifest and as tombstones: as they are, and with a right checksum.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/crc32c.h"
#include "base/strings.h"
#include "store/manifest.h"
#include "store/tombstones.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace prom;
  using namespace prom::store;
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  for (const std::string& text : {bytes, bytes + StringPrintf("crc %08x\n", Crc32c(bytes))}) {
    // What is accepted must print and read back as the same.
    if (const auto m = ParseManifest(text, "m"); m) {
      const auto again = ParseManifest(FormatManifest(*m), "m");
      if (!again || !(*again == *m)) std::abort();
    }
    if (const auto t = ParseTombstones(text, "t"); t) {
      const auto again = ParseTombstones(FormatTombstones(*t), "t");
      if (!again || again->size() != t->size()) std::abort();
    }
  }
  return 0;
}
