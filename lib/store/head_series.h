// SeriesTable: label set -> series id of one epoch, in about 16 bytes a series of
// private memory: a hash table of (32 bits of hash, id) and the offset of each
// label set in the mapped `series` file. Not thread-safe. Internal to lib/store.
#pragma once

#include <bit>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/labels.h"
#include "store/mapped_file.h"

namespace prom::store {

class SeriesTable {
 public:
  std::uint32_t size() const { return static_cast<std::uint32_t>(offset4_.size()); }
  std::optional<std::uint32_t> Find(std::string_view label_bytes, std::uint64_t hash) const;
  // The next id. Its record goes to `offset` of the file, and until Written into
  // pending(), whose bytes start at file offset pending_offset().
  std::uint32_t Add(std::string_view label_bytes, std::uint64_t hash);
  // Takes a record that is in the file already. An id that was skipped stands for no series.
  void Load(std::uint32_t id, std::string_view label_bytes, std::uint64_t file_offset);
  // Makes ids below `size` taken: series whose records are lost.
  void Reserve(std::uint32_t size) {
    if (offset4_.size() < size) offset4_.resize(size, 0);
  }
  // Label bytes as Labels::bytes() has them; empty for a series whose record was damaged.
  std::string_view LabelBytes(std::uint32_t id) const;

  void SetFile(std::shared_ptr<MappedFile> file, std::uint64_t end_offset) {
    file_ = std::move(file);
    pending_offset_ = end_offset;
  }
  const std::string& pending() const { return pending_; }
  std::uint64_t pending_offset() const { return pending_offset_; }
  void Written() {
    pending_offset_ += pending_.size();
    pending_.clear();
  }

 private:
  // Where the search for a hash begins: by its highest bits, which slots have too, so that
  // a larger table is made without a look at label sets. Up to 2^32 slots.
  std::size_t Place(std::uint64_t hash) const { return static_cast<std::size_t>(hash >> (64 - std::countr_zero(slots_.size()))); }
  void Insert(std::uint32_t id, std::uint64_t hash);
  void Grow();

  std::shared_ptr<MappedFile> file_;
  std::vector<std::uint64_t> slots_;     // hash's high half, id + 1; 0: free
  std::vector<std::uint32_t> offset4_;   // of the record in the file, in units of 4 bytes; 0: lost
  std::size_t used_ = 0;
  std::string pending_;
  std::uint64_t pending_offset_ = 0;
};

}  // namespace prom::store
