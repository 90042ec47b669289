// ColumnTable: the distinct time columns of one slice while a block is written. A
// series whose times are a stretch of a column that is there uses that part of it, so
// that a target's late and gone series share too. Not thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

namespace prom::store {

class ColumnTable {
 public:
  struct Ref {
    std::uint32_t column = 0;
    std::uint32_t first = 0;  // row in the column
    std::uint32_t size = 0;   // rows of the column
  };
  // `first_id`: the number of the next new column.
  explicit ColumnTable(std::uint32_t first_id) : first_id_(first_id) {}
  // A column that holds these times (strictly ascending, not empty), perhaps a new one.
  // `id`: equal for equal times, or 0.
  Ref Find(std::span<const std::int64_t> t, std::uint64_t id = 0);
  const std::deque<std::vector<std::int64_t>>& columns() const { return columns_; }
  std::uint32_t first_id() const { return first_id_; }

 private:
  Ref Search(std::span<const std::int64_t> t);
  Ref Look(std::span<const std::int64_t> t);

  std::uint32_t first_id_;
  struct Known {
    std::uint64_t id = 0;
    Ref ref;
  };
  std::vector<Known> known_ = std::vector<Known>(4096);  // by a hash of the id, the last one
  std::deque<std::vector<std::int64_t>> columns_;
  const std::vector<std::int64_t>* last_ = nullptr;  // the column found last
  std::uint32_t last_id_ = 0;
  std::unordered_multimap<std::uint64_t, std::uint32_t> by_content_;
  std::unordered_multimap<std::int64_t, std::uint32_t> by_front_, by_back_;
  std::unordered_multimap<std::int64_t, std::pair<std::uint32_t, std::uint32_t>> by_row_;  // column and row, of long columns
};

}  // namespace prom::store
