// SeriesTable: dense ids, from 0, for series texts.
//
// Texts are not kept: a series is known by a 128-bit fingerprint, half of it keyed by
// a number drawn when the process starts. A collision has odds below 2^-90 for ten
// million series, and a sender that made one on purpose would mix up only its own.
// 16 bytes a series and about 6 for the table. Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace prom {

class SeriesTable {
 public:
  using Key = std::array<std::uint64_t, 2>;
  static constexpr std::uint32_t kNone = 0xffffffffu;

  // Texts of different kinds are different series.
  static Key MakeKey(std::string_view series, std::uint64_t kind = 0);

  std::uint32_t Find(const Key& key) const {
    if (table_.empty()) return kNone;
    const std::size_t mask = table_.size() - 1;
    for (std::size_t i = key[1] & mask; table_[i] != 0; i = (i + 1) & mask) {
      if (keys_[table_[i] - 1] == key) return table_[i] - 1;
    }
    return kNone;
  }
  // `key` must not be there yet. Its id is the old size().
  std::uint32_t Add(const Key& key);
  void Reserve(std::size_t count);
  // Forgets ids from `count` on.
  void Truncate(std::size_t count);
  // Keeps ids[i], as i.
  void Keep(const std::vector<std::uint32_t>& ids);
  void Clear() { Truncate(0); }

  std::size_t size() const { return keys_.size(); }
  std::size_t memory_bytes() const { return keys_.capacity() * sizeof(Key) + table_.capacity() * sizeof(std::uint32_t); }

 private:
  void Rehash(std::size_t capacity);

  std::vector<Key> keys_;
  std::vector<std::uint32_t> table_;  // open addressing, linear: id + 1, 0 free; at most 3/4 full
};

}  // namespace prom
