#include "store/head_series.h"

#include "base/hash.h"
#include "base/lost_pages.h"
#include "store/head_format.h"

namespace prom::store {

namespace {
constexpr std::uint64_t kHighHalf = 0xffffffff00000000ull;
}

std::string_view SeriesTable::LabelBytes(std::uint32_t id) const {
  if (id >= offset4_.size() || offset4_[id] == 0) return {};
  const std::uint64_t offset = std::uint64_t{offset4_[id]} * 4;
  if (offset >= pending_offset_) {
    const auto record = std::string_view(pending_).substr(offset - pending_offset_);
    return record.substr(kSeriesHeaderBytes, LoadLe<std::uint32_t>(record.data() + 4));
  }
  // Checked when it was loaded or written by this process.
  const std::string_view head = file_->At(offset, kSeriesHeaderBytes);
  if (head.empty() || BytesLost(head)) return {};
  return file_->At(offset + kSeriesHeaderBytes, LoadLe<std::uint32_t>(head.data() + 4));
}

std::optional<std::uint32_t> SeriesTable::Find(std::string_view label_bytes, std::uint64_t hash) const {
  if (slots_.empty()) return std::nullopt;
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t i = Place(hash);; i = (i + 1) & mask) {
    const std::uint64_t slot = slots_[i];
    if (slot == 0) return std::nullopt;
    if ((slot & kHighHalf) != (hash & kHighHalf)) continue;
    const auto id = static_cast<std::uint32_t>(slot) - 1;
    if (LabelBytes(id) == label_bytes) return id;
  }
}

void SeriesTable::Grow() {
  std::vector<std::uint64_t> old = std::move(slots_);
  slots_.assign(old.empty() ? 1024 : old.size() * 2, 0);
  const std::size_t mask = slots_.size() - 1;
  for (const std::uint64_t slot : old) {
    if (slot == 0) continue;
    std::size_t i = Place(slot);
    while (slots_[i] != 0) i = (i + 1) & mask;
    slots_[i] = slot;
  }
}

void SeriesTable::Insert(std::uint32_t id, std::uint64_t hash) {
  if ((used_ + 1) * 4 > slots_.size() * 3) Grow();
  const std::size_t mask = slots_.size() - 1;
  std::size_t i = Place(hash);
  while (slots_[i] != 0) i = (i + 1) & mask;
  slots_[i] = (hash & kHighHalf) | (std::uint64_t{id} + 1);
  ++used_;
}

std::uint32_t SeriesTable::Add(std::string_view label_bytes, std::uint64_t hash) {
  const std::uint32_t id = size();
  const std::uint64_t offset = pending_offset_ + pending_.size();
  AppendSeriesRecord(id, label_bytes, &pending_);
  offset4_.push_back(static_cast<std::uint32_t>(offset / 4));
  Insert(id, hash);
  return id;
}

void SeriesTable::Load(std::uint32_t id, std::string_view label_bytes, std::uint64_t file_offset) {
  if (id < offset4_.size()) return;
  offset4_.resize(std::size_t{id} + 1, 0);
  offset4_[id] = static_cast<std::uint32_t>(file_offset / 4);
  Insert(id, XxHash64(label_bytes));
}

}  // namespace prom::store
