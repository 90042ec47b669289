// SeriesReader reads the labels and payloads of many series of an index. It remembers
// the text of names and of their last values, which neighbours in the order of ranks
// mostly share. Internal to lib/store.
//
// Not thread-safe; must not outlive the index. Errors as IndexReader's.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "store/index_record.h"

namespace prom::store {

class IndexReader::SeriesReader {
 public:
  explicit SeriesReader(const IndexReader& index) : index_(index), names_(index.name_count_) {}

  Result<void> Read(std::uint32_t rank, Labels* labels, std::uint64_t* payload) {
    RecordReader record;
    PROM_TRY(record.Open(index_, rank));
    row_.clear();
    std::uint32_t i = 0, value = 0;
    while (record.Next(&i, &value)) {
      Remembered& name = names_[i];
      if (!name.known) {
        PROM_ASSIGN(name.entry, index_.NameAt(i));
        PROM_ASSIGN(name.text, index_.Symbol(name.entry.symbol));
        PROM_ASSIGN(name.value_text, index_.ValueAt(name.entry, value));
        name.value = value;
        name.known = true;
      } else if (name.value != value) {
        PROM_ASSIGN(name.value_text, index_.ValueAt(name.entry, value));
        name.value = value;
      }
      row_.push_back({name.text, name.value_text});
    }
    PROM_TRY(record.Check(index_, rank));
    *labels = Labels::FromSorted(row_);
    *payload = record.payload();
    return {};
  }

 private:
  struct Remembered {
    bool known = false;
    std::uint32_t value = 0;
    Name entry;
    std::string_view text, value_text;
  };
  const IndexReader& index_;
  std::vector<Remembered> names_;  // by index of the name
  std::vector<Label> row_;
};

}  // namespace prom::store
