#include "store/block_reader.h"

#include <algorithm>
#include <map>

#include "base/crc32c.h"
#include "base/lost_pages.h"
#include "base/strings.h"
#include "chunk/block_compress.h"
#include "store/block_selection.h"
#include "store/file_header.h"

namespace prom::store {

Result<std::shared_ptr<const BlockReader>> BlockReader::Open(Io& io, const std::string& dir) {
  auto self = std::shared_ptr<BlockReader>(new BlockReader);
  self->dir_ = dir;
  self->chunks_path_ = JoinPath(dir, kBlockChunksFile);
  PROM_ASSIGN(self->index_, IndexReader::Open(io, JoinPath(dir, kBlockIndexFile)));
  const IndexReader& index = *self->index_;
  const auto fail = [&] { return Error{Errc::kCorrupt, index.path() + ": the block's directory is damaged"}; };
  if (index.extra_size() < BlockHead::kBytes) return fail();
  PROM_ASSIGN(const std::string_view extra, index.Extra(0, index.extra_size()));
  BlockHead& head = self->head_;
  if (!head.Parse(extra.substr(0, BlockHead::kBytes))) return fail();
  if (BlockHead::kBytes + std::uint64_t{head.slices} * BlockSlice::kBytes + std::uint64_t{head.groups} * BlockGroup::kBytes != extra.size()) return fail();
  self->slices_ = extra.data() + BlockHead::kBytes;
  self->groups_ = self->slices_ + std::size_t{head.slices} * BlockSlice::kBytes;
  for (std::uint32_t i = 0; i < head.slices; ++i) {
    const BlockSlice slice = self->slice(i);
    if (slice.first_group > head.first_times || slice.groups > head.first_times - slice.first_group || slice.min_ms > slice.max_ms) return fail();
  }
  self->checked_.reset(new std::atomic<std::uint64_t>[head.groups / 64 + 1]());

  PROM_ASSIGN(const auto file, io.Open(self->chunks_path_, Io::Mode::kRead));
  PROM_ASSIGN(const std::uint64_t size, file->Size());
  if (size < kFileHeaderSize) return Error{Errc::kCorrupt, self->chunks_path_ + ": no file header: " + std::to_string(size) + " bytes"};
  PROM_ASSIGN(self->chunks_, file->Map(size));
  PROM_TRY(CheckFileHeader(self->chunks_.bytes(), kBlockChunksMagic, self->chunks_path_, kBlockChunksVersion));
  return std::shared_ptr<const BlockReader>(std::move(self));
}

Error BlockReader::GroupError(const BlockGroup& group, const std::string& what) const {
  return {Errc::kCorrupt, chunks_path_ + ": byte " + std::to_string(group.offset) + ": " + what};
}

Result<std::string_view> BlockReader::CheckGroup(std::uint32_t i, BlockGroupKind* kind) const {
  const BlockGroup g = group(i);
  const std::string_view file = chunks_.bytes();
  if (g.offset > file.size() || file.size() - g.offset < kBlockGroupHead + std::uint64_t{g.size}) return GroupError(g, "group outside of the file; the file is cut off or damaged");
  const char* head = file.data() + g.offset;
  std::atomic<std::uint64_t>& word = checked_[i / 64];
  const std::uint64_t bit = std::uint64_t{1} << (i % 64);
  if ((word.load(std::memory_order_acquire) & bit) == 0 || BytesLost(head, kBlockGroupHead + std::size_t{g.size})) {
    if (LoadLe<std::uint32_t>(head) != kBlockGroupMagic || LoadLe<std::uint32_t>(head + 8) != g.size ||
        LoadLe<std::uint32_t>(head + 4) != Crc32c(head + 8, std::size_t{g.size} + 8)) {
      return GroupError(g, "checksum of the group does not match");
    }
    word.fetch_or(bit, std::memory_order_acq_rel);
  }
  *kind = static_cast<BlockGroupKind>(LoadLe<std::uint32_t>(head + 12));
  return std::string_view(head + kBlockGroupHead, g.size);
}

Result<std::string_view> BlockReader::ReadGroup(std::uint32_t i, BlockGroupKind kind, std::string* buffer) const {
  BlockGroupKind found{};
  PROM_ASSIGN(const std::string_view payload, CheckGroup(i, &found));
  if (found != kind) return GroupError(group(i), "group of another kind");
  auto raw = chunk::ReadGroup(payload, kMaxGroupRawBytes, buffer);
  if (!raw) return GroupError(group(i), raw.error().message);
  return raw;
}

Result<std::string_view> BlockReader::ReadValues(std::uint32_t i, std::string* buffer, std::vector<BlockEntry>* entries) const {
  BlockGroupKind kind{};
  PROM_TRY(CheckGroup(i, &kind));
  if (kind != BlockGroupKind::kValues1) kind = BlockGroupKind::kValues;
  PROM_ASSIGN(const std::string_view raw, ReadGroup(i, kind, buffer));
  if (!ParseEntries(kind, raw, group(i).first, entries)) return GroupError(group(i), "damaged directory of a group");
  return raw;
}

std::uint32_t BlockReader::GroupOfColumn(std::uint32_t column) const {
  std::uint32_t low = head_.first_times, high = head_.first_exemplars;
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    if (group(middle).last < column) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < head_.first_exemplars && group(low).first <= column ? low : head_.first_exemplars;
}

bool BlockReader::ParseTimes(std::string_view raw, std::uint32_t columns, std::vector<std::string_view>* out) {
  ByteReader r(raw);
  const std::uint64_t count = r.Varint();
  if (count != columns || count > r.remaining()) return false;
  std::vector<std::uint64_t> lengths(count);
  for (auto& length : lengths) length = r.Varint();
  out->clear();
  for (const std::uint64_t length : lengths) {
    if (length > r.remaining()) return false;
    out->push_back(r.Bytes(length));
  }
  return r.ok() && r.remaining() == 0;
}

Result<std::unique_ptr<Selection>> BlockReader::Select(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const {
  if (!Overlaps(min_ms, max_ms)) return BlockSelection::Make(shared_from_this(), std::vector<std::uint32_t>{});
  PROM_ASSIGN(auto series, Find(matchers));
  return BlockSelection::Make(shared_from_this(), std::move(series));
}

Result<std::shared_ptr<const BlockSeries>> BlockReader::Find(const Matchers& matchers) const {
  std::string key;
  for (const Matcher& m : matchers) key += m.ToString() + '\0';
  const std::uint64_t lost_pages = LostPageCount();
  {
    MutexLock lock(kept_mutex_);
    for (auto it = kept_.begin(); it != kept_.end(); ++it) {
      if (it->matchers != key || it->lost_pages != lost_pages) continue;
      kept_.splice(kept_.begin(), kept_, it);
      return it->series;
    }
  }
  PROM_ASSIGN(const auto ranks, index_->Select(matchers));
  PROM_ASSIGN(auto series, BlockSelection::SeriesOf(*this, ranks));
  Kept found{std::move(key), series, lost_pages, 0};
  for (const Labels& labels : series->labels) found.bytes += sizeof(Labels) + 16 + labels.bytes().size();
  if (found.bytes > kMaxKeptBytes) return series;
  MutexLock lock(kept_mutex_);
  kept_.push_front(std::move(found));
  std::size_t bytes = 0, count = 0;
  for (auto it = kept_.begin(); it != kept_.end();) {
    bytes += it->bytes;
    it = ++count > kMaxKept || bytes > kMaxKeptBytes ? kept_.erase(it) : std::next(it);
  }
  return series;
}

Result<std::vector<std::string>> BlockReader::LabelNames(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const {
  if (!Overlaps(min_ms, max_ms)) return std::vector<std::string>{};
  if (matchers.empty()) return index_->LabelNames();
  PROM_ASSIGN(const auto ranks, index_->Select(matchers));
  return index_->LabelNames(ranks);
}

Result<std::vector<std::string>> BlockReader::LabelValues(std::string_view name, const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const {
  if (!Overlaps(min_ms, max_ms)) return std::vector<std::string>{};
  if (matchers.empty()) return index_->LabelValues(name);
  PROM_ASSIGN(const auto ranks, index_->Select(matchers));
  return index_->LabelValues(name, ranks);
}

Result<std::vector<std::pair<std::string, Metadata>>> BlockReader::ListMetadata() const {
  std::map<std::string, Metadata> all;
  std::string buffer;
  for (std::uint32_t i = head_.first_metadata; i < head_.groups; ++i) {
    const auto raw = ReadGroup(i, BlockGroupKind::kMetadata, &buffer);
    if (!raw) continue;
    ByteReader r(*raw);
    while (r.ok() && r.remaining() > 0) {
      std::string name(r.LengthPrefixed());
      Metadata m;
      m.type = static_cast<MetricType>(std::min<std::uint8_t>(r.U8(), static_cast<std::uint8_t>(MetricType::kStateSet)));
      m.help = r.LengthPrefixed();
      m.unit = r.LengthPrefixed();
      if (r.ok()) all[std::move(name)] = std::move(m);
    }
  }
  return std::vector<std::pair<std::string, Metadata>>(all.begin(), all.end());
}

std::vector<std::string> BlockReader::warnings() const {
  std::vector<std::string> out;
  std::string buffer;
  for (std::uint32_t i = head_.first_exemplars; i < head_.groups; ++i) {
    const bool exemplars = i < head_.first_metadata;
    if (const auto raw = ReadGroup(i, exemplars ? BlockGroupKind::kExemplars : BlockGroupKind::kMetadata, &buffer); !raw)
      out.push_back(raw.error().message + (exemplars ? "; exemplars are left out" : "; metadata are left out"));
  }
  return out;
}

Result<std::vector<Queryable::SeriesExemplars>> BlockReader::Exemplars(const std::vector<Matchers>& any_of, std::int64_t min_ms, std::int64_t max_ms) const {
  std::vector<SeriesExemplars> out;
  if (head_.first_exemplars == head_.first_metadata) return out;
  std::vector<std::uint32_t> ranks;
  for (const Matchers& matchers : any_of) {
    PROM_ASSIGN(const auto some, index_->Select(matchers));
    ranks.insert(ranks.end(), some.begin(), some.end());
  }
  std::sort(ranks.begin(), ranks.end());
  ranks.erase(std::unique(ranks.begin(), ranks.end()), ranks.end());
  std::map<std::uint32_t, std::uint32_t> rank_of;  // by number
  for (const std::uint32_t rank : ranks) {
    PROM_ASSIGN(const std::uint64_t skipped, index_->ReadPayload(rank));
    rank_of.emplace(static_cast<std::uint32_t>(rank + skipped), rank);
  }
  std::string buffer;
  for (std::uint32_t i = head_.first_exemplars; i < head_.first_metadata; ++i) {
    const BlockGroup g = group(i);
    const auto it = rank_of.lower_bound(g.first);
    if (it == rank_of.end() || it->first > g.last) continue;
    const auto raw = ReadGroup(i, BlockGroupKind::kExemplars, &buffer);
    if (!raw) continue;
    ByteReader r(*raw);
    std::uint64_t number = g.first;
    while (r.ok() && r.remaining() > 0) {
      number += r.Varint();
      const std::uint64_t count = r.Varint();
      std::vector<Exemplar> exemplars;
      std::int64_t t = 0;
      for (std::uint64_t n = 0; n < count && r.ok(); ++n) {
        const auto labels = Labels::FromBytes(r.LengthPrefixed());
        Exemplar e;
        e.value = r.F64();
        e.has_time = r.U8() != 0;
        t = static_cast<std::int64_t>(static_cast<std::uint64_t>(t) + static_cast<std::uint64_t>(r.SignedVarint()));
        e.t_ms = t;
        if (!r.ok() || !labels) break;
        e.labels = *labels;
        if (t >= min_ms && t <= max_ms) exemplars.push_back(std::move(e));
      }
      const auto found = number <= 0xffffffffu ? rank_of.find(static_cast<std::uint32_t>(number)) : rank_of.end();
      if (found == rank_of.end() || exemplars.empty()) continue;
      PROM_ASSIGN(Labels labels, index_->ReadLabels(found->second));
      out.push_back({std::move(labels), std::move(exemplars)});
    }
  }
  return out;
}

}  // namespace prom::store
