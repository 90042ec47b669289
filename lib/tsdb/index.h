// Index of a block of Prometheus's TSDB, versions 1 to 3, read right in the mapped file.
//
// Opening checks and walks the symbols and the table of postings (some ns each); series
// and postings lists are checked when they are read. Thread-safe. Errors are kCorrupt
// with path and offset.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "model/labels.h"
#include "model/matcher.h"
#include "tsdb/part.h"

namespace prom::tsdb {

class Index {
 public:
  // `bytes` must outlive the index. kUnsupported: a newer version.
  static Result<std::unique_ptr<const Index>> Open(std::string_view bytes, std::string path);

  int version() const { return version_; }
  // Ids of the series that match all, ascending; of all series when `matchers` is empty.
  Result<std::vector<std::uint32_t>> Select(const Matchers& matchers) const;
  // Any of the outputs may be null.
  Result<void> ReadSeries(std::uint32_t id, Labels* labels, std::vector<ChunkMeta>* chunks) const;
  // Sorted, unique.
  std::vector<std::string> LabelNames() const;
  Result<std::vector<std::string>> LabelValues(std::string_view name) const;
  const std::string& path() const { return path_; }

 private:
  struct Name {
    std::string_view name;
    std::uint32_t first = 0, count = 0;  // in entries_
  };
  struct Entry {
    std::string_view name, value;
    std::uint64_t offset = 0;  // of its list, in the file
  };
  // A list in the file: big-endian ids, ascending.
  struct List {
    const char* data = nullptr;
    std::size_t size = 0;
    std::uint32_t operator[](std::size_t i) const;
  };
  using Ids = std::vector<std::uint32_t>;
  struct Condition;

  Index() = default;
  // A section with its length in front and CRC behind; checked.
  Result<std::string_view> Section(std::uint64_t offset, const char* what) const;
  Result<void> OpenSymbols(std::uint64_t offset);
  Result<void> OpenPostings(std::uint64_t offset);
  bool ParseEntry(ByteReader* r, Entry* entry) const;
  Entry EntryAt(std::uint32_t i) const;  // was walked once: cannot fail
  const Name* FindName(std::string_view name) const;
  // First entry of the name whose value is not below `value`; may be its end.
  std::uint32_t LowerBound(const Name& name, std::string_view value) const;
  Result<List> ListAt(std::uint64_t offset) const;
  Result<std::string_view> Symbol(std::uint64_t ref) const;
  Result<void> AppendUnion(const std::vector<std::uint32_t>& entries, Ids* out) const;
  Result<Condition> Resolve(const Matcher& m) const;
  static void Intersect(const List& list, Ids* ids);
  Error Corrupt(std::uint64_t offset, std::string_view what) const;

  std::string path_;
  std::string_view bytes_;
  int version_ = 0;
  std::string_view symbols_;                  // version 2 on: the section's body
  std::vector<std::uint32_t> symbol_starts_;  // in symbols_
  std::string_view table_;                    // postings table: the section's body
  std::vector<std::uint32_t> entries_;        // positions in table_, by name and value
  std::vector<Name> names_;                   // by name
  std::uint64_t all_postings_ = 0;            // offset of the list of all series; 0: none
};

}  // namespace prom::tsdb
