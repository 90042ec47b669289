// RecordReader walks one series record of an index. Internal to IndexReader.
#pragma once

#include <string>

#include "base/bytes.h"
#include "store/index_reader.h"

namespace prom::store {

class IndexReader::RecordReader {
 public:
  Result<void> Open(const IndexReader& index, std::uint32_t rank) {
    PROM_ASSIGN(const char* p, index.At(IndexSection::kSeriesOffsets, std::uint64_t{rank} * 4, 8));
    const auto begin = LoadLe<std::uint32_t>(p), end = LoadLe<std::uint32_t>(p + 4);
    PROM_ASSIGN(const char* bytes, index.At(IndexSection::kSeries, begin, end < begin ? ~std::uint64_t{0} : end - begin));
    values_ = ByteReader(std::string_view(bytes, end - begin));
    payload_ = values_.Varint();
    const std::uint64_t shape = values_.Varint();
    if (!values_.ok() || shape >= index.shape_count_) return Bad(index, rank);
    shape_ = static_cast<std::uint32_t>(shape);
    PROM_ASSIGN(p, index.At(IndexSection::kShapeOffsets, shape * 4, 8));
    const auto from = LoadLe<std::uint32_t>(p), to = LoadLe<std::uint32_t>(p + 4);
    PROM_ASSIGN(bytes, index.At(IndexSection::kShapes, from, to < from ? ~std::uint64_t{0} : to - from));
    names_ = ByteReader(std::string_view(bytes, to - from));
    name_count_ = index.name_count_;
    return {};
  }
  std::uint64_t payload() const { return payload_; }
  std::uint32_t shape() const { return shape_; }

  // The next label as indexes of its name and of its value within the name. False at the end.
  bool Next(std::uint32_t* name, std::uint32_t* value) {
    if (names_.remaining() == 0) return false;
    const std::uint64_t n = names_.Varint(), v = values_.Varint();
    if (!names_.ok() || !values_.ok() || n >= name_count_ || v > 0xffffffffu) {
      bad_ = true;
      return false;
    }
    *name = static_cast<std::uint32_t>(n);
    *value = static_cast<std::uint32_t>(v);
    return true;
  }
  // The value of a name; false when the series lacks it.
  bool Find(std::uint32_t name, std::uint32_t* value) {
    std::uint32_t n = 0;
    while (Next(&n, value)) {
      if (n == name) return true;
    }
    return false;
  }
  // Whether all that was read held.
  Result<void> Check(const IndexReader& index, std::uint32_t rank) const {
    if (bad_) return Bad(index, rank);
    return {};
  }

 private:
  static Error Bad(const IndexReader& index, std::uint32_t rank) {
    return {Errc::kCorrupt, index.path_ + ": series " + std::to_string(rank) + ": damaged record"};
  }

  ByteReader names_, values_;
  std::uint64_t payload_ = 0;
  std::uint32_t shape_ = 0, name_count_ = 0;
  bool bad_ = false;
};

}  // namespace prom::store
