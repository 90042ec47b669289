#include "tsdb/index_writer.h"

#include <algorithm>

#include "base/crc32c.h"
#include "tsdb/big_endian.h"

namespace prom::tsdb {
namespace {

constexpr std::uint32_t kMagic = 0xBAAAD700;
constexpr std::size_t kSeriesAlignment = 16, kMaxRecent = 1 << 16;

}  // namespace

Result<void> IndexWriter::AppendSection(std::string_view body) {
  if (body.size() > UINT32_MAX) return Error{Errc::kLimit, "an index section of more than 4 GiB; write smaller blocks"};
  std::string head, tail;
  AppendBe32(&head, static_cast<std::uint32_t>(body.size()));
  AppendBe32(&tail, Crc32c(body));
  PROM_TRY(file_.Append(head));
  PROM_TRY(file_.Append(body));
  return file_.Append(tail);
}

Result<IndexWriter> IndexWriter::Create(Io& io, const std::string& path, std::vector<std::string_view> symbols) {
  PROM_ASSIGN(FileWriter file, FileWriter::Create(io, path));
  IndexWriter w(std::move(file));
  w.symbols_ = std::move(symbols);
  std::string body;
  AppendBe32(&body, kMagic);
  body.push_back(2);
  PROM_TRY(w.file_.Append(body));
  body.clear();
  AppendBe32(&body, static_cast<std::uint32_t>(w.symbols_.size()));
  for (const auto s : w.symbols_) AppendLengthPrefixed(&body, s);
  PROM_TRY(w.AppendSection(body));
  PROM_TRY(w.file_.Pad(kSeriesAlignment));
  w.series_offset_ = w.file_.size();
  return w;
}

std::uint32_t IndexWriter::IdOf(std::string_view symbol) {
  const auto it = recent_.find(symbol);
  if (it != recent_.end()) return it->second;
  const auto found = std::lower_bound(symbols_.begin(), symbols_.end(), symbol);
  assert(found != symbols_.end() && *found == symbol);
  const auto id = static_cast<std::uint32_t>(found - symbols_.begin());
  if (recent_.size() >= kMaxRecent) recent_.clear();
  recent_.emplace(*found, id);
  return id;
}

Result<void> IndexWriter::AddSeries(const Labels& labels, const std::vector<ChunkMeta>& chunks) {
  PROM_TRY(file_.Pad(kSeriesAlignment));
  const std::uint64_t number = file_.size() / kSeriesAlignment;
  if (number > UINT32_MAX) return Error{Errc::kLimit, "an index of more than 64 GiB; write smaller blocks"};
  const auto id = static_cast<std::uint32_t>(number);
  series_.push_back(id);

  std::string& body = scratch_;
  body.clear();
  AppendVarint(&body, labels.size());
  for (const Label& l : labels) {
    const std::uint32_t name = IdOf(l.name), value = IdOf(l.value);
    AppendVarint(&body, name);
    AppendVarint(&body, value);
    postings_[std::uint64_t{name} << 32 | value].push_back(id);
  }
  AppendVarint(&body, chunks.size());
  std::int64_t t = 0;
  std::uint64_t ref = 0;
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    const ChunkMeta& c = chunks[i];
    if (i == 0) {
      AppendSignedVarint(&body, c.min_ms);
    } else {
      AppendVarint(&body, static_cast<std::uint64_t>(c.min_ms) - static_cast<std::uint64_t>(t));
    }
    AppendVarint(&body, static_cast<std::uint64_t>(c.max_ms) - static_cast<std::uint64_t>(c.min_ms));
    if (i == 0) {
      AppendVarint(&body, c.ref);
    } else {
      AppendSignedVarint(&body, static_cast<std::int64_t>(c.ref - ref));
    }
    t = c.max_ms;
    ref = c.ref;
  }
  std::string head, tail;
  AppendVarint(&head, body.size());
  AppendBe32(&tail, Crc32c(body));
  PROM_TRY(file_.Append(head));
  PROM_TRY(file_.Append(body));
  return file_.Append(tail);
}

Result<void> IndexWriter::Finish(bool sync) {
  // Label offset table: nobody reads it any more, but its place is part of the format.
  const std::uint64_t label_table = file_.size();
  std::string body;
  AppendBe32(&body, 0);
  PROM_TRY(AppendSection(body));

  // Symbols are sorted, so keys in the order of numbers are in that of names and values.
  std::vector<std::uint64_t> keys;
  keys.reserve(postings_.size());
  for (const auto& [key, ids] : postings_) keys.push_back(key);
  std::sort(keys.begin(), keys.end());

  PROM_TRY(file_.Pad(4));
  const std::uint64_t postings = file_.size();
  std::string table;
  AppendBe32(&table, static_cast<std::uint32_t>(keys.size() + 1));
  const auto add = [&](std::string_view name, std::string_view value, const std::vector<std::uint32_t>& ids) -> Result<void> {
    PROM_TRY(file_.Pad(4));
    table.push_back(2);
    AppendLengthPrefixed(&table, name);
    AppendLengthPrefixed(&table, value);
    AppendVarint(&table, file_.size());
    body.clear();
    AppendBe32(&body, static_cast<std::uint32_t>(ids.size()));
    for (const std::uint32_t id : ids) AppendBe32(&body, id);
    return AppendSection(body);
  };
  PROM_TRY(add("", "", series_));
  for (const std::uint64_t key : keys) PROM_TRY(add(symbols_[key >> 32], symbols_[key & UINT32_MAX], postings_[key]));

  const std::uint64_t postings_table = file_.size();
  PROM_TRY(AppendSection(table));
  std::string toc;
  AppendBe64(&toc, 5);  // symbols
  AppendBe64(&toc, series_offset_);
  AppendBe64(&toc, label_table);  // label indices: none
  AppendBe64(&toc, label_table);
  AppendBe64(&toc, postings);
  AppendBe64(&toc, postings_table);
  AppendBe32(&toc, Crc32c(toc));
  PROM_TRY(file_.Append(toc));
  return file_.Finish(sync);
}

}  // namespace prom::tsdb
