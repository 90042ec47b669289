// IndexPages: lazily checked 64 KiB pages of a mapped file. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/lost_pages.h"

namespace prom::store {

class IndexPages {
 public:
  IndexPages() = default;
  // `covered`: bytes under the checksums; `table`: one little-endian CRC32C a page.
  IndexPages(std::string_view covered, const char* table);

  // Whether the pages of [offset, offset + size), which must lie in the covered
  // bytes, hold; *bad_page is the offset of the first that does not.
  bool Check(std::uint64_t offset, std::uint64_t size, std::uint64_t* bad_page) const {
    if (unchecked_->load(std::memory_order_acquire) == 0 && LostPageCount() == 0) return true;
    return CheckSlow(offset, size, bad_page);
  }
  std::uint64_t page_count() const { return page_count_; }

 private:
  bool CheckSlow(std::uint64_t offset, std::uint64_t size, std::uint64_t* bad_page) const;

  std::string_view covered_;
  const char* table_ = nullptr;
  std::uint64_t page_count_ = 0;
  std::unique_ptr<std::atomic<std::uint64_t>[]> checked_;         // a bit a page
  std::unique_ptr<std::atomic<std::uint64_t>> unchecked_;         // pages left
};

}  // namespace prom::store
