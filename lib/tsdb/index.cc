// Layout: tsdb/docs/format/index.md of upstream. Version 1 differs in that symbols are
// named by their offset in the file (2: by number), series by their offset (2: in units
// of 16 bytes), and that the postings table need not be sorted. Version 3 is read as 2.
#include "tsdb/index.h"

#include <algorithm>
#include <numeric>

#include "base/crc32c.h"
#include "tsdb/big_endian.h"

namespace prom::tsdb {
namespace {

constexpr std::uint32_t kMagic = 0xBAAAD700;
constexpr std::size_t kHeaderBytes = 5, kTocBytes = 6 * 8 + 4;

}  // namespace

std::uint32_t Index::List::operator[](std::size_t i) const { return LoadBe32(data + i * 4); }

Error Index::Corrupt(std::uint64_t offset, std::string_view what) const {
  return {Errc::kCorrupt, path_ + ": offset " + std::to_string(offset) + ": " + std::string(what)};
}

Result<std::unique_ptr<const Index>> Index::Open(std::string_view bytes, std::string path) {
  std::unique_ptr<Index> index(new Index());
  index->bytes_ = bytes;
  index->path_ = std::move(path);
  if (bytes.size() < kHeaderBytes + kTocBytes) return index->Corrupt(0, "too short for an index (" + std::to_string(bytes.size()) + " bytes)");
  if (LoadBe32(bytes.data()) != kMagic) return index->Corrupt(0, "not an index: wrong magic number");
  index->version_ = static_cast<std::uint8_t>(bytes[4]);
  if (index->version_ < 1 || index->version_ > 3)
    return Error{Errc::kUnsupported, index->path_ + ": index version " + std::to_string(index->version_) + "; this program reads 1 to 3"};
  const std::uint64_t toc = bytes.size() - kTocBytes;
  const char* p = bytes.data() + toc;
  if (Crc32c(p, kTocBytes - 4) != LoadBe32(p + kTocBytes - 4)) return index->Corrupt(toc, "table of contents: wrong checksum");
  const std::uint64_t symbols = LoadBe64(p), postings = LoadBe64(p + 40);
  if (symbols != 0) PROM_TRY(index->OpenSymbols(symbols));
  if (postings != 0) PROM_TRY(index->OpenPostings(postings));
  return std::unique_ptr<const Index>(std::move(index));
}

Result<std::string_view> Index::Section(std::uint64_t offset, const char* what) const {
  if (offset > bytes_.size() || bytes_.size() - offset < 8) return Corrupt(offset, std::string(what) + " lies outside of the file");
  const std::uint64_t size = LoadBe32(bytes_.data() + offset);
  if (size > bytes_.size() - offset - 8) return Corrupt(offset, std::string(what) + " reaches beyond the end of the file");
  const char* body = bytes_.data() + offset + 4;
  if (Crc32c(body, size) != LoadBe32(body + size)) return Corrupt(offset, std::string(what) + ": wrong checksum");
  return std::string_view(body, size);
}

Result<void> Index::OpenSymbols(std::uint64_t offset) {
  PROM_ASSIGN(symbols_, Section(offset, "symbol table"));
  ByteReader r(symbols_);
  const std::uint32_t count = Be32(r);
  if (!r.ok() || count > r.remaining()) return Corrupt(offset, "symbol table: more symbols than bytes");
  symbol_starts_.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    symbol_starts_.push_back(static_cast<std::uint32_t>(r.offset()));
    (void)r.LengthPrefixed();
  }
  if (!r.ok()) return Corrupt(offset, "symbol table ends early");
  return {};
}

bool Index::ParseEntry(ByteReader* r, Entry* entry) const {
  if (r->Varint() != 2) r->Fail();  // strings: name and value
  entry->name = r->LengthPrefixed();
  entry->value = r->LengthPrefixed();
  entry->offset = r->Varint();
  return r->ok();
}

Index::Entry Index::EntryAt(std::uint32_t i) const {
  ByteReader r(table_.substr(entries_[i]));
  Entry entry;
  (void)ParseEntry(&r, &entry);
  return entry;
}

Result<void> Index::OpenPostings(std::uint64_t offset) {
  PROM_ASSIGN(table_, Section(offset, "postings table"));
  ByteReader r(table_);
  const std::uint32_t count = Be32(r);
  if (!r.ok() || count > r.remaining() / 4) return Corrupt(offset, "postings table: more entries than bytes");
  entries_.reserve(count);
  bool sorted = true;
  Entry entry, before;
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto at = static_cast<std::uint32_t>(r.offset());
    if (!ParseEntry(&r, &entry)) return Corrupt(offset, "postings table: damaged entry " + std::to_string(i));
    if (entry.name.empty() && entry.value.empty()) {
      all_postings_ = entry.offset;
      continue;
    }
    if (!entries_.empty()) {
      const int order = before.name.compare(entry.name);
      sorted = sorted && (order < 0 || (order == 0 && before.value < entry.value));
    }
    entries_.push_back(at);
    before = entry;
  }
  if (!sorted) {
    std::sort(entries_.begin(), entries_.end(), [&](std::uint32_t a, std::uint32_t b) {
      Entry x, y;
      ByteReader ra(table_.substr(a)), rb(table_.substr(b));
      (void)ParseEntry(&ra, &x), (void)ParseEntry(&rb, &y);
      return x.name != y.name ? x.name < y.name : x.value < y.value;
    });
  }
  for (std::uint32_t i = 0; i < entries_.size(); ++i) {
    const std::string_view name = EntryAt(i).name;
    if (names_.empty() || names_.back().name != name) names_.push_back({name, i, 0});
    ++names_.back().count;
  }
  return {};
}

const Index::Name* Index::FindName(std::string_view name) const {
  const auto it = std::lower_bound(names_.begin(), names_.end(), name, [](const Name& n, std::string_view v) { return n.name < v; });
  return it != names_.end() && it->name == name ? &*it : nullptr;
}

std::uint32_t Index::LowerBound(const Name& name, std::string_view value) const {
  std::uint32_t low = name.first, high = name.first + name.count;
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    if (EntryAt(middle).value < value) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

Result<Index::List> Index::ListAt(std::uint64_t offset) const {
  PROM_ASSIGN(const std::string_view body, Section(offset, "postings list"));
  if (body.size() < 4) return Corrupt(offset, "postings list without a count");
  const std::uint64_t count = LoadBe32(body.data());
  if (count != (body.size() - 4) / 4) return Corrupt(offset, "postings list: count and size disagree");
  return List{body.data() + 4, static_cast<std::size_t>(count)};
}

Result<std::string_view> Index::Symbol(std::uint64_t ref) const {
  ByteReader r;
  if (version_ == 1) {
    if (ref >= bytes_.size()) return Corrupt(ref, "symbol outside of the file");
    r = ByteReader(bytes_.substr(ref));
  } else {
    if (ref >= symbol_starts_.size()) return Corrupt(0, "symbol " + std::to_string(ref) + " of " + std::to_string(symbol_starts_.size()));
    r = ByteReader(symbols_.substr(symbol_starts_[ref]));
  }
  const std::string_view s = r.LengthPrefixed();
  if (!r.ok()) return Corrupt(ref, "symbol reaches beyond the end of the file");
  return s;
}

Result<void> Index::ReadSeries(std::uint32_t id, Labels* labels, std::vector<ChunkMeta>* chunks) const {
  const std::uint64_t offset = version_ == 1 ? id : std::uint64_t{id} * 16;
  if (offset >= bytes_.size()) return Corrupt(offset, "series outside of the file");
  ByteReader r(bytes_.substr(offset));
  const std::uint64_t size = r.Varint();
  const std::string_view body = r.Bytes(size > r.remaining() ? 0 : static_cast<std::size_t>(size));
  const std::uint32_t crc = Be32(r);
  if (!r.ok() || body.size() != size) return Corrupt(offset, "series reaches beyond the end of the file");
  if (Crc32c(body) != crc) return Corrupt(offset, "series: wrong checksum");

  r = ByteReader(body);
  const std::uint64_t n = r.Varint();
  if (n > r.remaining() / 2) return Corrupt(offset, "series: more labels than bytes");
  std::vector<Label> pairs;
  pairs.reserve(labels != nullptr ? static_cast<std::size_t>(n) : 0);
  for (std::uint64_t i = 0; i < n; ++i) {
    const std::uint64_t name = r.Varint(), value = r.Varint();
    if (labels == nullptr) continue;
    PROM_ASSIGN(const std::string_view name_text, Symbol(name));
    PROM_ASSIGN(const std::string_view value_text, Symbol(value));
    if (!pairs.empty() && !(pairs.back().name < name_text)) return Corrupt(offset, "series: labels are not sorted");
    if (!value_text.empty()) pairs.push_back({name_text, value_text});
  }
  if (labels != nullptr && r.ok()) *labels = Labels::FromSorted(pairs);
  if (chunks == nullptr) {
    if (!r.ok()) return Corrupt(offset, "series ends early");
    return {};
  }
  chunks->clear();
  const std::uint64_t count = r.Varint();
  if (count > r.remaining() / 3) return Corrupt(offset, "series: more chunks than bytes");
  chunks->reserve(static_cast<std::size_t>(count));
  std::uint64_t t = 0, ref = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    ChunkMeta c;
    t = i == 0 ? static_cast<std::uint64_t>(r.SignedVarint()) : t + r.Varint();
    c.min_ms = static_cast<std::int64_t>(t);
    t += r.Varint();
    c.max_ms = static_cast<std::int64_t>(t);
    ref = i == 0 ? r.Varint() : ref + static_cast<std::uint64_t>(r.SignedVarint());
    c.ref = ref;
    chunks->push_back(c);
  }
  if (!r.ok()) return Corrupt(offset, "series ends early");
  return {};
}

std::vector<std::string> Index::LabelNames() const {
  std::vector<std::string> out;
  out.reserve(names_.size());
  for (const Name& n : names_) out.emplace_back(n.name);
  return out;
}

Result<std::vector<std::string>> Index::LabelValues(std::string_view name) const {
  std::vector<std::string> out;
  if (const Name* n = FindName(name)) {
    out.reserve(n->count);
    for (std::uint32_t i = 0; i < n->count; ++i) out.emplace_back(EntryAt(n->first + i).value);
  }
  return out;
}

}  // namespace prom::tsdb
