#include "tsdb/block.h"

#include <algorithm>
#include <set>

#include "base/crc32c.h"
#include "base/time.h"
#include "tsdb/big_endian.h"
#include "tsdb/chunk.h"

namespace prom::tsdb {
namespace {

constexpr std::uint32_t kChunksMagic = 0x85BD40DD;
constexpr std::size_t kChunksHeaderBytes = 8;
constexpr std::size_t kMaxSegments = 100'000;

bool IsNumber(std::string_view s) { return !s.empty() && s.size() <= 9 && s.find_first_not_of("0123456789") == s.npos; }

bool DeletedWhole(const Intervals* deleted, const ChunkMeta& c) {
  return deleted != nullptr && std::any_of(deleted->begin(), deleted->end(), [&](const auto& d) { return d.first <= c.min_ms && c.max_ms <= d.second; });
}

}  // namespace

Result<std::shared_ptr<const Block>> Block::Open(Io& io, const std::string& dir) {
  std::shared_ptr<Block> b(new Block());
  b->dir_ = dir;
  const std::string meta_path = JoinPath(dir, "meta.json");
  PROM_ASSIGN(const std::string json, ReadFile(io, meta_path));
  PROM_ASSIGN(b->meta_, ParseBlockMeta(json, meta_path));

  PROM_ASSIGN(auto index, io.Open(JoinPath(dir, "index"), Io::Mode::kRead));
  PROM_ASSIGN(b->index_map_, index->Map());

  const std::string chunks_dir = JoinPath(dir, "chunks");
  auto list = io.List(chunks_dir);
  if (!list && list.error().code != Errc::kNotFound) return std::move(list.error());
  if (list) {
    for (const DirEntry& e : *list) {
      if (e.is_dir || !IsNumber(e.name)) continue;
      // References count segments by their place; files are named from 000001 on.
      const std::size_t number = std::stoul(e.name);
      if (number == 0 || number > kMaxSegments) continue;
      if (b->segments_.size() < number) {
        b->segments_.resize(number);
        b->segment_names_.resize(number);
        b->segment_errors_.resize(number, "no such file");
      }
      const std::string path = JoinPath(chunks_dir, e.name);
      PROM_ASSIGN(auto file, io.Open(path, Io::Mode::kRead));
      PROM_ASSIGN(Mapping map, file->Map());
      std::string& error = b->segment_errors_[number - 1];
      error.clear();
      if (map.size() < kChunksHeaderBytes || LoadBe32(map.data()) != kChunksMagic) {
        error = "not a file of chunks: wrong magic number";
      } else if (map.data()[4] != 1) {
        error = "chunks of version " + std::to_string(static_cast<std::uint8_t>(map.data()[4])) + "; this program reads 1";
      }
      b->segments_[number - 1] = std::move(map);
      b->segment_names_[number - 1] = path;
    }
  }

  const std::string tombstones_path = JoinPath(dir, "tombstones");
  if (auto bytes = ReadFile(io, tombstones_path, 1u << 30)) {
    if (auto tombstones = ParseTombstones(*bytes, tombstones_path)) {
      b->tombstones_ = std::move(*tombstones);
    } else {
      b->warnings_.push_back(tombstones.error().message + "; deleted samples of this block may be seen again");
    }
  } else if (bytes.error().code != Errc::kNotFound) {
    b->warnings_.push_back(bytes.error().message);
  }
  return std::shared_ptr<const Block>(std::move(b));
}

std::uint64_t Block::bytes() const {
  std::uint64_t n = index_map_.size();
  for (const Mapping& m : segments_) n += m.size();
  return n;
}

Result<const Index*> Block::index() const {
  MutexLock lock(mutex_);
  if (index_ == nullptr) {
    if (!index_error_.empty()) return Error{index_errc_, index_error_};
    auto opened = Index::Open(index_map_.bytes(), JoinPath(dir_, "index"));
    if (!opened) {
      index_error_ = opened.error().message;
      index_errc_ = opened.error().code;
      return std::move(opened.error());
    }
    index_ = std::move(*opened);
  }
  return index_.get();
}

Result<std::vector<PartSeries>> Block::SelectSeries(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const {
  PROM_ASSIGN(const Index* const index, this->index());
  PROM_ASSIGN(const auto ids, index->Select(matchers));
  std::vector<PartSeries> out;
  out.reserve(ids.size());
  bool sorted = true;
  for (const std::uint32_t id : ids) {
    PartSeries s;
    PROM_TRY(index->ReadSeries(id, &s.labels, &s.chunks));
    s.id = id;
    if (const auto it = tombstones_.find(id); it != tombstones_.end()) s.deleted = &it->second;
    std::erase_if(s.chunks, [&](const ChunkMeta& c) { return c.min_ms > max_ms || c.max_ms < min_ms || DeletedWhole(s.deleted, c); });
    if (s.chunks.empty()) continue;
    sorted = sorted && (out.empty() || out.back().labels < s.labels);
    out.push_back(std::move(s));
  }
  if (!sorted) {  // an index of version 1 need not be
    std::stable_sort(out.begin(), out.end(), [](const PartSeries& a, const PartSeries& b) { return a.labels < b.labels; });
    const auto same = std::adjacent_find(out.begin(), out.end(), [](const PartSeries& a, const PartSeries& b) { return a.labels == b.labels; });
    if (same != out.end()) return Error{Errc::kCorrupt, index->path() + ": series " + same->labels.ToString() + " is there twice"};
  }
  return out;
}

Result<std::vector<std::string>> Block::LabelNames(const Matchers& matchers) const {
  PROM_ASSIGN(const Index* const index, this->index());
  if (matchers.empty()) return index->LabelNames();
  PROM_ASSIGN(const auto ids, index->Select(matchers));
  std::set<std::string, std::less<>> names;
  Labels labels;
  for (const std::uint32_t id : ids) {
    PROM_TRY(index->ReadSeries(id, &labels, nullptr));
    for (const Label& l : labels)
      if (!names.contains(l.name)) names.emplace(l.name);
  }
  return std::vector<std::string>(names.begin(), names.end());
}

Result<std::vector<std::string>> Block::LabelValues(std::string_view name, const Matchers& matchers) const {
  PROM_ASSIGN(const Index* const index, this->index());
  if (matchers.empty()) return index->LabelValues(name);
  PROM_ASSIGN(const auto ids, index->Select(matchers));
  std::set<std::string, std::less<>> values;
  Labels labels;
  for (const std::uint32_t id : ids) {
    PROM_TRY(index->ReadSeries(id, &labels, nullptr));
    const std::string_view v = labels.Get(name);
    if (!v.empty() && !values.contains(v)) values.emplace(v);
  }
  return std::vector<std::string>(values.begin(), values.end());
}

Result<void> Block::Decode(std::uint64_t ref, SeriesColumns* out) const {
  const std::uint64_t segment = ref >> 32, offset = ref & 0xffffffff;
  if (segment >= segments_.size()) return Error{Errc::kCorrupt, dir_ + "/chunks: no segment " + std::to_string(segment + 1)};
  const auto at = [&] { return segment_names_[segment] + ": offset " + std::to_string(offset) + ": "; };
  if (!segment_errors_[segment].empty()) {
    const std::string& name = segment_names_[segment];
    return Error{Errc::kCorrupt, (name.empty() ? dir_ + "/chunks: segment " + std::to_string(segment + 1) : name) + ": " + segment_errors_[segment]};
  }
  const std::string_view bytes = segments_[segment].bytes();
  if (offset < kChunksHeaderBytes || offset >= bytes.size()) return Error{Errc::kCorrupt, at() + "chunk outside of the file"};
  ByteReader r(bytes.substr(offset));
  const std::uint64_t size = r.Varint();
  if (!r.ok() || size > r.remaining() || r.remaining() - size < 5) return Error{Errc::kCorrupt, at() + "chunk reaches beyond the end of the file"};
  const std::string_view body = r.Bytes(static_cast<std::size_t>(size) + 1);  // encoding and data
  if (Crc32c(body) != Be32(r)) return Error{Errc::kCorrupt, at() + "chunk: wrong checksum"};
  if (auto done = DecodeChunk(static_cast<std::uint8_t>(body[0]), body.substr(1), out); !done) return done.error().Wrap(at() + "chunk: ");
  return {};
}

void Block::ReadChunk(const PartSeries& series, const ChunkMeta& chunk, SeriesColumns* out) const {
  auto done = Decode(chunk.ref, out);
  if (done) return;
  out->warnings.push_back(done.error().message + ": samples of " + series.labels.ToSeries() + " from " + FormatTimeRfc3339(chunk.min_ms) + " to " +
                          FormatTimeRfc3339(chunk.max_ms) + " are missing");
}

}  // namespace prom::tsdb
