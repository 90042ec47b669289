#include "store/index_reader.h"

#include <algorithm>
#include <unordered_set>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "store/file_header.h"
#include "store/index_record.h"

namespace prom::store {

Result<std::shared_ptr<const IndexReader>> IndexReader::Open(Io& io, const std::string& path) {
  PROM_ASSIGN(const auto file, io.Open(path, Io::Mode::kRead));
  PROM_ASSIGN(const std::uint64_t size, file->Size());
  if (size < kFileHeaderSize + kIndexTrailerBytes) return Error{Errc::kCorrupt, path + ": " + std::to_string(size) + " bytes are no index"};
  auto self = std::shared_ptr<IndexReader>(new IndexReader);
  self->path_ = path;
  PROM_ASSIGN(self->mapping_, file->Map(size));
  self->bytes_ = self->mapping_.bytes();
  return Init(std::move(self));
}

Result<std::shared_ptr<const IndexReader>> IndexReader::FromBytes(std::string bytes, std::string path) {
  auto self = std::shared_ptr<IndexReader>(new IndexReader);
  self->path_ = std::move(path);
  self->owned_ = std::move(bytes);
  self->bytes_ = self->owned_;
  if (self->bytes_.size() < kFileHeaderSize + kIndexTrailerBytes) {
    return Error{Errc::kCorrupt, self->path_ + ": " + std::to_string(self->bytes_.size()) + " bytes are no index"};
  }
  return Init(std::move(self));
}

Result<std::shared_ptr<const IndexReader>> IndexReader::Init(std::shared_ptr<IndexReader> self) {
  const std::string_view bytes = self->bytes_;
  PROM_TRY(CheckFileHeader(bytes, kIndexMagic, self->path_));
  const auto fail = [&](const char* what) {
    return Error{Errc::kCorrupt, self->path_ + ": byte " + std::to_string(bytes.size() - kIndexTrailerBytes) + ": " + what};
  };
  ByteReader trailer(bytes.substr(bytes.size() - kIndexTrailerBytes));
  for (auto& range : self->sections_) {
    range.offset = trailer.U64();
    range.size = trailer.U64();
  }
  const std::uint64_t covered = trailer.U64();
  self->series_count_ = trailer.U32();
  const std::uint32_t crc = trailer.U32();
  const std::uint64_t table_end = bytes.size() - kIndexTrailerBytes;
  if (covered > table_end || table_end - covered != (covered + kIndexPageBytes - 1) / kIndexPageBytes * 4) return fail("no index trailer; the file is cut off or damaged");
  if (Crc32c(bytes.substr(covered, bytes.size() - 4 - covered)) != crc) return fail("checksum of the index trailer does not match");
  for (const auto& range : self->sections_) {
    if (range.offset % 8 != 0 || range.offset > covered || range.size > covered - range.offset) return fail("section outside of the file");
  }
  const auto entries = [&](IndexSection s, std::uint64_t width, std::uint64_t extra, std::uint32_t* out) {
    const std::uint64_t size = self->section(s).size;
    if (size % width != 0 || size / width < extra || size / width - extra > kMaxIndexSeries) return false;
    *out = static_cast<std::uint32_t>(size / width - extra);
    return true;
  };
  std::uint32_t series = 0, postings = 0;
  if (!entries(IndexSection::kSymbolOffsets, 4, 1, &self->symbol_count_) || !entries(IndexSection::kNames, 16, 0, &self->name_count_) ||
      !entries(IndexSection::kValueSymbols, 4, 0, &self->value_count_) || !entries(IndexSection::kValuePostings, 4, 0, &postings) ||
      !entries(IndexSection::kShapeOffsets, 4, 1, &self->shape_count_) || !entries(IndexSection::kSeriesOffsets, 4, 1, &series) ||
      postings != self->value_count_ || series != self->series_count_) {
    return fail("section sizes do not fit together");
  }
  self->pages_ = IndexPages(bytes.substr(0, covered), bytes.data() + covered);
  return std::shared_ptr<const IndexReader>(std::move(self));
}

Result<const char*> IndexReader::At(IndexSection s, std::uint64_t offset, std::uint64_t size) const {
  const SectionRange& range = section(s);
  if (offset > range.size || size > range.size - offset) {
    return Error{Errc::kCorrupt, path_ + ": byte " + std::to_string(range.offset) + ": reference outside of section " + std::to_string(static_cast<int>(s))};
  }
  std::uint64_t bad = 0;
  if (!pages_.Check(range.offset + offset, size, &bad)) {
    return Error{Errc::kCorrupt, path_ + ": byte " + std::to_string(bad) + ": checksum of the index page does not match"};
  }
  return bytes_.data() + range.offset + offset;
}

Result<std::uint32_t> IndexReader::U32At(IndexSection s, std::uint64_t index) const {
  PROM_ASSIGN(const char* p, At(s, index * 4, 4));
  return LoadLe<std::uint32_t>(p);
}

Result<std::string_view> IndexReader::Extra(std::uint64_t offset, std::uint64_t size) const {
  PROM_ASSIGN(const char* p, At(IndexSection::kExtra, offset, size));
  return std::string_view(p, size);
}

Result<std::string_view> IndexReader::Symbol(std::uint32_t id) const {
  PROM_ASSIGN(const char* p, At(IndexSection::kSymbolOffsets, std::uint64_t{id} * 4, 8));
  const auto begin = LoadLe<std::uint32_t>(p), end = LoadLe<std::uint32_t>(p + 4);
  PROM_ASSIGN(const char* text, At(IndexSection::kSymbolBytes, begin, end < begin ? ~std::uint64_t{0} : end - begin));
  return std::string_view(text, end - begin);
}

Result<IndexReader::Name> IndexReader::NameAt(std::uint32_t index) const {
  PROM_ASSIGN(const char* p, At(IndexSection::kNames, std::uint64_t{index} * 16, 16));
  Name name{LoadLe<std::uint32_t>(p), LoadLe<std::uint32_t>(p + 4), LoadLe<std::uint32_t>(p + 8), LoadLe<std::uint32_t>(p + 12)};
  if (name.first_value > value_count_ || name.value_count > value_count_ - name.first_value) {
    return Error{Errc::kCorrupt, path_ + ": label name " + std::to_string(index) + ": values outside of the table"};
  }
  return name;
}

Result<std::uint32_t> IndexReader::FindName(std::string_view name) const {
  std::uint32_t low = 0, high = name_count_;
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    PROM_ASSIGN(const Name entry, NameAt(middle));
    PROM_ASSIGN(const std::string_view text, Symbol(entry.symbol));
    if (text == name) return middle;
    if (text < name) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return name_count_;
}

Result<std::string_view> IndexReader::ValueAt(const Name& name, std::uint32_t i) const {
  if (i >= name.value_count) return Error{Errc::kCorrupt, path_ + ": value " + std::to_string(i) + " of a label with " + std::to_string(name.value_count)};
  PROM_ASSIGN(const std::uint32_t symbol, U32At(IndexSection::kValueSymbols, std::uint64_t{name.first_value} + i));
  return Symbol(symbol);
}

Result<std::uint32_t> IndexReader::LowerBound(const Name& name, std::string_view value) const {
  std::uint32_t low = 0, high = name.value_count;
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    PROM_ASSIGN(const std::string_view text, ValueAt(name, middle));
    if (text < value) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

Result<Postings> IndexReader::PostingsAt(std::uint32_t ref) const {
  const auto bad = [&] { return Error{Errc::kCorrupt, path_ + ": postings at " + std::to_string(ref) + " are damaged"}; };
  if ((ref & kSinglePosting) != 0) {
    if ((ref & ~kSinglePosting) >= series_count_) return bad();
    return Postings::Single(ref & ~kSinglePosting);
  }
  const std::uint64_t offset = std::uint64_t{ref} * 8;
  PROM_ASSIGN(const char* head, At(IndexSection::kPostings, offset, Postings::kHeadBytes));
  const std::uint64_t size = Postings::SizeOf(head);
  if (size == 0) return bad();
  PROM_ASSIGN(const char* bytes, At(IndexSection::kPostings, offset, size));
  Postings out;
  if (!out.Parse(std::string_view(bytes, size), series_count_)) return bad();
  return out;
}

Result<Postings> IndexReader::ValuePostings(const Name& name, std::uint32_t i) const {
  PROM_ASSIGN(const std::uint32_t ref, U32At(IndexSection::kValuePostings, std::uint64_t{name.first_value} + i));
  return PostingsAt(ref);
}

Result<Labels> IndexReader::ReadLabels(std::uint32_t rank) const {
  RecordReader record;
  PROM_TRY(record.Open(*this, rank));
  std::vector<Label> labels;
  labels.reserve(16);
  std::uint32_t name_index = 0, value = 0;
  while (record.Next(&name_index, &value)) {
    PROM_ASSIGN(const Name name, NameAt(name_index));
    Label& label = labels.emplace_back();
    PROM_ASSIGN(label.name, Symbol(name.symbol));
    PROM_ASSIGN(label.value, ValueAt(name, value));
  }
  PROM_TRY(record.Check(*this, rank));
  return Labels::FromSorted(labels);
}

Result<std::uint64_t> IndexReader::ReadPayload(std::uint32_t rank) const {
  RecordReader record;
  PROM_TRY(record.Open(*this, rank));
  return record.payload();
}

Result<std::vector<std::string>> IndexReader::LabelNames() const {
  std::vector<std::string> out;
  for (std::uint32_t i = 0; i < name_count_; ++i) {
    PROM_ASSIGN(const Name name, NameAt(i));
    PROM_ASSIGN(const std::string_view text, Symbol(name.symbol));
    out.emplace_back(text);
  }
  return out;
}

Result<std::vector<std::string>> IndexReader::LabelValues(std::string_view label) const {
  std::vector<std::string> out;
  PROM_ASSIGN(const std::uint32_t index, FindName(label));
  if (index == name_count_) return out;
  PROM_ASSIGN(const Name name, NameAt(index));
  out.reserve(name.value_count);
  for (std::uint32_t i = 0; i < name.value_count; ++i) {
    PROM_ASSIGN(const std::string_view text, ValueAt(name, i));
    out.emplace_back(text);
  }
  return out;
}

Result<std::vector<std::string>> IndexReader::LabelNames(const std::vector<std::uint32_t>& ranks) const {
  std::vector<bool> seen_shapes(shape_count_), seen(name_count_);
  for (const std::uint32_t rank : ranks) {
    RecordReader record;
    PROM_TRY(record.Open(*this, rank));
    if (seen_shapes[record.shape()]) continue;
    seen_shapes[record.shape()] = true;
    std::uint32_t name = 0, value = 0;
    while (record.Next(&name, &value)) seen[name] = true;
    PROM_TRY(record.Check(*this, rank));
  }
  std::vector<std::string> out;
  for (std::uint32_t i = 0; i < name_count_; ++i) {
    if (!seen[i]) continue;
    PROM_ASSIGN(const Name name, NameAt(i));
    PROM_ASSIGN(const std::string_view text, Symbol(name.symbol));
    out.emplace_back(text);
  }
  return out;
}

Result<std::vector<std::string>> IndexReader::LabelValues(std::string_view label, const std::vector<std::uint32_t>& ranks) const {
  std::vector<std::string> out;
  PROM_ASSIGN(const std::uint32_t index, FindName(label));
  if (index == name_count_) return out;
  PROM_ASSIGN(const Name name, NameAt(index));
  std::vector<bool> seen(name.value_count);
  for (const std::uint32_t rank : ranks) {
    RecordReader record;
    PROM_TRY(record.Open(*this, rank));
    std::uint32_t value = 0;
    if (record.Find(index, &value) && value < name.value_count) seen[value] = true;
    PROM_TRY(record.Check(*this, rank));
  }
  for (std::uint32_t i = 0; i < name.value_count; ++i) {
    if (!seen[i]) continue;
    PROM_ASSIGN(const std::string_view text, ValueAt(name, i));
    out.emplace_back(text);
  }
  return out;
}

std::vector<std::string> IndexReader::Verify() const {
  constexpr std::size_t kMaxFindings = 100;
  std::vector<std::string> out;
  std::uint64_t bad = 0;
  for (std::uint64_t page = 0; page < pages_.page_count() && out.size() < kMaxFindings; ++page) {
    if (!pages_.Check(page * kIndexPageBytes, 1, &bad)) out.push_back(path_ + ": byte " + std::to_string(bad) + ": checksum of the index page does not match");
  }
  if (!out.empty()) return out;
  const auto note = [&](const auto& result) {
    if (!result) out.push_back(result.error().message);
    return static_cast<bool>(result);
  };
  // Sums of postings must meet the labels of the series exactly.
  std::uint64_t postings = 0, labels = 0;
  for (std::uint32_t i = 0; i < name_count_ && out.size() < kMaxFindings; ++i) {
    const auto name = NameAt(i);
    if (!note(name)) continue;
    std::string_view previous;
    for (std::uint32_t v = 0; v < name->value_count && out.size() < kMaxFindings; ++v) {
      const auto value = ValueAt(*name, v);
      const auto list = ValuePostings(*name, v);
      if (!note(value) || !note(list)) continue;
      if (v > 0 && *value <= previous) out.push_back(path_ + ": values of label name " + std::to_string(i) + " are not sorted");
      previous = *value;
      std::vector<std::uint32_t> ranks;
      if (!list->AppendTo(&ranks) || ranks.size() != list->count()) {
        out.push_back(path_ + ": postings of value " + std::to_string(v) + " of label name " + std::to_string(i) + " are damaged");
      }
      postings += list->count();
    }
  }
  Labels previous;
  for (std::uint32_t rank = 0; rank < series_count_ && out.size() < kMaxFindings; ++rank) {
    auto series = ReadLabels(rank);
    if (!note(series)) continue;
    if (rank > 0 && !(previous < *series)) out.push_back(path_ + ": series " + std::to_string(rank) + " is not in order");
    labels += series->size();
    previous = std::move(*series);
  }
  if (out.empty() && postings != labels) out.push_back(path_ + ": postings and series do not agree");
  return out;
}

}  // namespace prom::store
