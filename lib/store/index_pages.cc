#include "store/index_pages.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/lost_pages.h"
#include "store/index_format.h"

namespace prom::store {

IndexPages::IndexPages(std::string_view covered, const char* table)
    : covered_(covered),
      table_(table),
      page_count_((covered.size() + kIndexPageBytes - 1) / kIndexPageBytes),
      checked_(new std::atomic<std::uint64_t>[page_count_ / 64 + 1]()),
      unchecked_(new std::atomic<std::uint64_t>(page_count_)) {}

bool IndexPages::CheckSlow(std::uint64_t offset, std::uint64_t size, std::uint64_t* bad_page) const {
  if (size == 0) return true;
  const std::uint64_t last = (offset + size - 1) / kIndexPageBytes;
  for (std::uint64_t page = offset / kIndexPageBytes; page <= last; ++page) {
    std::atomic<std::uint64_t>& word = checked_[page / 64];
    const std::uint64_t bit = std::uint64_t{1} << (page % 64);
    const std::string_view bytes = covered_.substr(page * kIndexPageBytes, kIndexPageBytes);
    if ((word.load(std::memory_order_acquire) & bit) != 0 && !BytesLost(bytes)) continue;
    if (Crc32c(bytes) != LoadLe<std::uint32_t>(table_ + page * 4)) {
      *bad_page = page * kIndexPageBytes;
      return false;
    }
    if ((word.fetch_or(bit, std::memory_order_acq_rel) & bit) == 0) unchecked_->fetch_sub(1, std::memory_order_acq_rel);
  }
  return true;
}

}  // namespace prom::store
