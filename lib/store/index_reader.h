// IndexReader answers matchers from an index, prom-block(5) "Index", right in the
// mapped file: opening reads some hundred bytes, whatever the number of series.
// Each 64 KiB page is checked once, when it is first needed.
//
// Ranks count series from 0 in the order of their labels. All methods are
// thread-safe. Errors are kCorrupt with path and offset: the index is damaged there.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/io.h"
#include "base/result.h"
#include "model/labels.h"
#include "model/matcher.h"
#include "store/index_format.h"
#include "store/index_pages.h"
#include "store/postings.h"

namespace prom::store {

class IndexReader {
 public:
  class SeriesReader;

  // kUnsupported: a newer version.
  static Result<std::shared_ptr<const IndexReader>> Open(Io& io, const std::string& path);
  // Of bytes in memory; `path` is for messages.
  static Result<std::shared_ptr<const IndexReader>> FromBytes(std::string bytes, std::string path);

  std::uint32_t series_count() const { return series_count_; }
  // Ranks of the series that match all, ascending; of all series when `matchers` is empty.
  Result<std::vector<std::uint32_t>> Select(const Matchers& matchers) const;

  // One series. For many, SeriesReader of index_series.h is several times as fast.
  Result<Labels> ReadLabels(std::uint32_t rank) const;
  Result<std::uint64_t> ReadPayload(std::uint32_t rank) const;
  // Sorted, unique.
  Result<std::vector<std::string>> LabelNames() const;
  Result<std::vector<std::string>> LabelValues(std::string_view name) const;
  // Of these series only.
  Result<std::vector<std::string>> LabelNames(const std::vector<std::uint32_t>& ranks) const;
  Result<std::vector<std::string>> LabelValues(std::string_view name, const std::vector<std::uint32_t>& ranks) const;

  // What the writer was given; `size` bytes of it from `offset`, checked.
  std::uint64_t extra_size() const { return section(IndexSection::kExtra).size; }
  Result<std::string_view> Extra(std::uint64_t offset, std::uint64_t size) const;

  // Walks everything. Empty: all is well. Stops after 100 findings.
  std::vector<std::string> Verify() const;
  const std::string& path() const { return path_; }
  std::uint64_t file_size() const { return bytes_.size(); }

 private:
  // A label name: its values are entries [first_value, first_value + value_count).
  struct Name {
    std::uint32_t symbol = 0, first_value = 0, value_count = 0, presence = 0;
  };
  class RecordReader;
  class ValueSet;

  IndexReader() = default;
  static Result<std::shared_ptr<const IndexReader>> Init(std::shared_ptr<IndexReader> self);
  const SectionRange& section(IndexSection s) const { return sections_[static_cast<std::size_t>(s)]; }
  // Checked bytes of a section.
  Result<const char*> At(IndexSection s, std::uint64_t offset, std::uint64_t size) const;
  Result<std::uint32_t> U32At(IndexSection s, std::uint64_t index) const;
  Result<std::string_view> Symbol(std::uint32_t id) const;
  Result<Name> NameAt(std::uint32_t index) const;
  // name_count_ when there is none.
  Result<std::uint32_t> FindName(std::string_view name) const;
  Result<std::string_view> ValueAt(const Name& name, std::uint32_t i) const;
  // First value of the name that is not below `value`.
  Result<std::uint32_t> LowerBound(const Name& name, std::string_view value) const;
  Result<Postings> PostingsAt(std::uint32_t ref) const;
  Result<Postings> ValuePostings(const Name& name, std::uint32_t i) const;

  // index_match.cc
  struct Condition;
  Result<Condition> Resolve(const Matcher& m) const;
  Result<void> Accepted(const Matcher& m, const Name& name, ValueSet* out) const;
  Result<std::vector<std::uint32_t>> Union(const Name& name, const ValueSet& values) const;
  Result<void> FilterByValue(const Condition& c, std::vector<std::uint32_t>* ranks) const;

  std::string path_;
  Mapping mapping_;
  std::string owned_;
  std::string_view bytes_;
  IndexPages pages_;
  SectionRange sections_[kIndexSections];
  std::uint32_t series_count_ = 0, name_count_ = 0, value_count_ = 0, symbol_count_ = 0, shape_count_ = 0;
};

}  // namespace prom::store
