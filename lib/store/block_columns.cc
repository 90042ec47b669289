#include "store/block_columns.h"

#include <algorithm>

#include "chunk/time_column.h"

namespace prom::store {
namespace {

// Columns looked at that share only the first or last time.
constexpr int kCandidates = 8;
// Columns whose rows are looked at for stretches of others, and how many rows at most.
constexpr std::size_t kLongColumn = 32, kMaxIndexedRows = 2'000'000;

}  // namespace

ColumnTable::Ref ColumnTable::Find(std::span<const std::int64_t> t, std::uint64_t id) {
  if (id == 0) return Search(t);
  Known& known = known_[(id * 0x9e3779b97f4a7c15ull) >> 52];
  if (known.id != id) known = {id, Search(t)};
  return known.ref;
}

// Neighbours are mostly of one target, whatever rows of it they have.
ColumnTable::Ref ColumnTable::Search(std::span<const std::int64_t> t) {
  if (last_ != nullptr && t.size() <= last_->size()) {
    const auto row = std::lower_bound(last_->begin(), last_->end(), t.front()) - last_->begin();
    if (t.size() <= last_->size() - static_cast<std::size_t>(row) && std::equal(t.begin(), t.end(), last_->begin() + row))
      return {last_id_, static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(last_->size())};
  }
  const Ref found = Look(t);
  last_id_ = found.column;
  last_ = &columns_[found.column - first_id_];
  return found;
}

ColumnTable::Ref ColumnTable::Look(std::span<const std::int64_t> t) {
  const auto size_of = [&](std::uint32_t i) { return static_cast<std::uint32_t>(columns_[i].size()); };
  const std::uint64_t hash = chunk::HashTimes(t);
  for (auto [it, end] = by_content_.equal_range(hash); it != end; ++it) {
    if (std::ranges::equal(columns_[it->second], t)) return {first_id_ + it->second, 0, size_of(it->second)};
  }
  int left = kCandidates;
  for (auto [it, end] = by_front_.equal_range(t.front()); it != end && left > 0; ++it, --left) {
    const auto& column = columns_[it->second];
    if (column.size() > t.size() && std::equal(t.begin(), t.end(), column.begin())) return {first_id_ + it->second, 0, size_of(it->second)};
  }
  left = kCandidates;
  for (auto [it, end] = by_back_.equal_range(t.back()); it != end && left > 0; ++it, --left) {
    const auto& column = columns_[it->second];
    if (column.size() > t.size() && std::equal(t.rbegin(), t.rend(), column.rbegin())) {
      return {first_id_ + it->second, static_cast<std::uint32_t>(column.size() - t.size()), size_of(it->second)};
    }
  }
  // Series that came and went meanwhile have a stretch out of the middle.
  left = kCandidates;
  for (auto [it, end] = by_row_.equal_range(t.front()); it != end && left > 0; ++it, --left) {
    const auto& [column_index, row] = it->second;
    const auto& column = columns_[column_index];
    if (column.size() - row >= t.size() && std::equal(t.begin(), t.end(), column.begin() + row)) return {first_id_ + column_index, row, size_of(column_index)};
  }
  const auto index = static_cast<std::uint32_t>(columns_.size());
  if (t.size() >= kLongColumn && t.size() <= kMaxIndexedRows - by_row_.size())
    for (std::uint32_t row = 1; row < t.size(); ++row) by_row_.emplace(t[row], std::pair{index, row});
  columns_.emplace_back(t.begin(), t.end());
  by_content_.emplace(hash, index);
  by_front_.emplace(t.front(), index);
  by_back_.emplace(t.back(), index);
  return {first_id_ + index, 0, static_cast<std::uint32_t>(t.size())};
}

}  // namespace prom::store
