#include "store/mapped_file.h"

#include <algorithm>

namespace prom::store {

Result<std::shared_ptr<MappedFile>> MappedFile::Open(Io& io, const std::string& path, std::uint64_t reserve_bytes) {
  auto out = std::shared_ptr<MappedFile>(new MappedFile());
  out->path_ = path;
  out->reserve_ = std::max<std::uint64_t>(reserve_bytes, 4096);
  PROM_ASSIGN(out->file_, io.Open(path, Io::Mode::kRead));
  return out;
}

bool MappedFile::Cover(std::uint64_t end) const {
  if (end <= readable_.load(std::memory_order_acquire)) return true;
  MutexLock lock(mutex_);
  auto size = file_->Size();
  if (!size || *size < end) return false;
  if (mappings_.empty() || mappings_.back().size() < *size) {
    std::uint64_t want = mappings_.empty() ? reserve_ : mappings_.back().size() * 2;
    while (want < *size) want *= 2;
    auto mapping = file_->Map(want);
    if (!mapping) return false;
    mappings_.push_back(std::move(*mapping));
    data_.store(mappings_.back().data(), std::memory_order_release);
  }
  readable_.store(*size, std::memory_order_release);
  return true;
}

std::string_view MappedFile::At(std::uint64_t offset, std::uint64_t size) const {
  if (size == 0 || offset + size < offset || !Cover(offset + size)) return {};
  return {data_.load(std::memory_order_acquire) + offset, static_cast<std::size_t>(size)};
}

std::string_view MappedFile::From(std::uint64_t offset) const {
  auto size = file_->Size();
  if (!size || *size <= offset) return {};
  return At(offset, *size - offset);
}

}  // namespace prom::store
