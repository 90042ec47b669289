// Any bytes as the index of a block: as they are, and with the checksums of the table of
// contents and its sections put right, so that the code behind them is reached.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/crc32c.h"
#include "tsdb/big_endian.h"
#include "tsdb/index.h"

namespace {

using namespace prom;
using namespace prom::tsdb;

void Use(const std::string& bytes) {
  const auto index = Index::Open(bytes, "index");
  if (!index) return;
  static const Matchers kSome = {*Matcher::Make(Matcher::Type::kRegex, "instance", ".*1.*"), *Matcher::Make(Matcher::Type::kNotEqual, "job", "node")};
  static const Matchers kOthers = {*Matcher::Make(Matcher::Type::kNotRegex, "job", "a|b"), *Matcher::Make(Matcher::Type::kRegex, "__name__", "metric_1|metric_2")};
  Labels labels;
  std::vector<ChunkMeta> chunks;
  for (const Matchers& m : {Matchers{}, kSome, kOthers}) {
    auto ids = (*index)->Select(m);
    if (!ids) continue;
    for (const std::uint32_t id : *ids) (void)(*index)->ReadSeries(id, &labels, &chunks);
  }
  for (std::uint32_t id = 0; id < 100; ++id) (void)(*index)->ReadSeries(id, &labels, &chunks);
  for (const auto& name : (*index)->LabelNames()) (void)(*index)->LabelValues(name);
}

void Seal(std::string* bytes, std::uint64_t offset) {
  if (offset > bytes->size() || bytes->size() - offset < 8) return;
  const std::uint64_t size = LoadBe32(bytes->data() + offset);
  if (size > bytes->size() - offset - 8) return;
  StoreBe32(bytes->data() + offset + 4 + size, Crc32c(bytes->data() + offset + 4, size));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  Use(bytes);
  if (size < 5 + 52) return 0;
  StoreBe32(bytes.data(), 0xBAAAD700);
  char* const toc = bytes.data() + size - 52;
  Seal(&bytes, LoadBe64(toc));
  Seal(&bytes, LoadBe64(toc + 40));
  StoreBe32(toc + 48, Crc32c(toc, 48));
  Use(bytes);
  return 0;
}
