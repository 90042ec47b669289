// Any bytes as an index, once as they are and once with all checksums put right, so
// that the code behind the checksums is reached.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "store/file_header.h"
#include "store/index_reader.h"

namespace {

using namespace prom;
using namespace prom::store;

void Use(std::string bytes) {
  const auto index = IndexReader::FromBytes(std::move(bytes), "index");
  if (!index) return;
  if ((*index)->series_count() > 100'000) return;
  static const Matchers kMatchers = {*Matcher::Make(Matcher::Type::kRegex, "instance", "host.*1.*"), *Matcher::Make(Matcher::Type::kNotEqual, "job", "node")};
  static const Matchers kOthers = {*Matcher::Make(Matcher::Type::kNotRegex, "job", "a|b"), *Matcher::Make(Matcher::Type::kRegex, "__name__", "metric_1|metric_2")};
  (void)(*index)->Select({});
  (void)(*index)->Select(kMatchers);
  (void)(*index)->Select(kOthers);
  std::vector<std::uint32_t> ranks((*index)->series_count());
  std::iota(ranks.begin(), ranks.end(), 0);
  (void)(*index)->LabelNames(ranks);
  (void)(*index)->LabelValues("instance", ranks);
  (void)(*index)->Verify();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  Use(bytes);
  if (size < kFileHeaderSize + kIndexTrailerBytes) return 0;
  bytes.replace(0, kFileHeaderSize, FileHeader(kIndexMagic));
  char* const crc = bytes.data() + size - 4;
  const std::uint64_t end = size - kIndexTrailerBytes;
  // The largest covered size whose page checksums fit in front of the trailer.
  std::uint64_t covered = LoadLe<std::uint64_t>(crc - 12);
  if (covered > end || end - covered != (covered + kIndexPageBytes - 1) / kIndexPageBytes * 4) {
    if (end < kFileHeaderSize + 4) return 0;
    covered = end - std::max<std::uint64_t>(4, (end + kIndexPageBytes - 1) / kIndexPageBytes * 4);
    if (end - covered != (covered + kIndexPageBytes - 1) / kIndexPageBytes * 4) return 0;
    StoreLe<std::uint64_t>(crc - 12, covered);
  }
  for (std::uint64_t page = 0; page * kIndexPageBytes < covered; ++page) {
    const std::size_t n = std::min<std::uint64_t>(kIndexPageBytes, covered - page * kIndexPageBytes);
    StoreLe<std::uint32_t>(bytes.data() + covered + page * 4, Crc32c(bytes.data() + page * kIndexPageBytes, n));
  }
  StoreLe<std::uint32_t>(crc, Crc32c(bytes.data() + covered, size - 4 - covered));
  Use(std::move(bytes));
  return 0;
}
