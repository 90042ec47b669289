#include "store/recovery.h"

#include <algorithm>
#include <limits>

#include "base/number.h"

namespace prom::store {

namespace {

// Behind damage: the next place that begins with `magic`, 8-byte aligned, or the end.
std::size_t NextMagic(std::string_view bytes, std::size_t at, std::uint32_t magic) {
  for (at = (at + 8) & ~std::size_t{7}; at + 8 <= bytes.size(); at += 8)
    if (LoadLe<std::uint32_t>(bytes.data() + at) == magic) return at;
  return bytes.size();
}

bool AllZero(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == 0; });
}

struct FileScan {
  struct Batch {
    std::vector<ScannedRecord> rows, loose;
    std::uint64_t seq = 0, prev = 0, durable = 0;
    bool whole = false;
  };
  std::vector<Batch> batches;
  std::uint64_t base_seq = std::numeric_limits<std::uint64_t>::max();  // older files' batches above this are void
};

FileScan ScanLog(std::uint32_t number, const MappedFile& file, const KnownRecord& known, std::vector<ScanDamage>* damage) {
  FileScan out;
  const std::string_view bytes = file.From(0);
  FileScan::Batch batch;
  std::uint64_t records = 0, size = 0, last_seq = 0;
  const auto close = [&] {
    if (batch.seq != 0) out.batches.push_back(std::move(batch));
    batch = {};
    records = size = 0;
  };
  for (std::size_t at = kFileHeaderSize; at + kRecordHead <= bytes.size();) {
    const auto r = ParseRecord(bytes.substr(at));
    if (!r) {
      const std::size_t next = NextMagic(bytes, at, kRecordMagic);
      if (next == bytes.size() && AllZero(bytes.substr(at))) break;  // room nothing was written to
      damage->push_back({number, at, next - at, next == bytes.size()});
      at = next;
      continue;
    }
    const Position here{at, number};
    at += r->size;
    if (r->type == RecordType::kSegment) {
      out.base_seq = std::min(out.base_seq, LoadLe<std::uint64_t>(r->p + kRecordHead));
      continue;
    }
    if (r->seq <= last_seq) continue;  // left over from a refused batch that was written over
    if (r->seq != batch.seq) {
      close();
      batch.seq = r->seq;
    }
    if (r->type == RecordType::kCommit) {
      batch.prev = LoadLe<std::uint64_t>(r->p + kCommitPrevAt);
      batch.durable = LoadLe<std::uint64_t>(r->p + kCommitDurableAt);
      batch.whole = records == LoadLe<std::uint32_t>(r->p + kRecordHead) && size == LoadLe<std::uint32_t>(r->p + kRecordHead + 4);
      last_seq = batch.seq;
      close();
      continue;
    }
    if (known && !known(*r)) continue;
    ++records;
    size += r->size;
    ScannedRecord s;
    s.at = here;
    s.seq = r->seq;
    if (r->type == RecordType::kRow) {
      const RowView row = ParseRow(*r);
      s.layout = row.layout;
      s.t = row.t;
      s.columns = row.columns;
      s.samples = row.value_count;
      batch.rows.push_back(s);
    } else {
      s.samples = r->type == RecordType::kHistogram ? 1 : LoadLe<std::uint32_t>(r->p + kLooseCountAt);
      batch.loose.push_back(s);
    }
  }
  close();
  return out;
}

}  // namespace

LogScan ScanLogs(const NumberedFiles& logs, std::uint64_t max_seq, std::uint64_t durable, const KnownRecord& known) {
  LogScan out;
  std::vector<FileScan> files;
  for (const auto& [number, file] : logs) {
    if (file == nullptr) continue;
    files.push_back(ScanLog(number, *file, known, &out.damage));
  }
  std::uint64_t limit = max_seq;
  for (auto it = files.rbegin(); it != files.rend(); ++it) {
    std::erase_if(it->batches, [&](const FileScan::Batch& b) { return b.seq > limit; });
    limit = std::min(limit, it->base_seq);
    for (const auto& b : it->batches) durable = std::max(durable, b.durable);
  }
  out.durable = durable;
  bool first = true;  // what was in front of the first batch has been dropped, so it was synced
  for (FileScan& file : files) {
    for (const auto& b : file.batches) {
      const bool follows = first || b.prev == 0 || b.prev == out.last_seq || b.prev <= durable;
      first = false;
      if (b.seq > durable && (!b.whole || !follows)) return out;
      out.last_seq = b.seq;
      out.commits.push_back(b.seq);
      out.rows.insert(out.rows.end(), b.rows.begin(), b.rows.end());
      out.loose.insert(out.loose.end(), b.loose.begin(), b.loose.end());
    }
  }
  return out;
}

ChunkScan ScanChunks(const NumberedFiles& chunks) {
  ChunkScan out;
  for (const auto& [number, file] : chunks) {
    if (file == nullptr) continue;
    const std::string_view bytes = file->From(0);
    for (std::size_t at = kFileHeaderSize; at + kGroupHeaderBytes <= bytes.size();) {
      const auto header = ParseGroupHeader(bytes.substr(at));
      if (!header || header->size > bytes.size() - at || header->size % 8 != 0) {
        const std::size_t next = NextMagic(bytes, at, kGroupMagic);
        if (next == bytes.size() && AllZero(bytes.substr(at))) break;
        out.damage.push_back({number, at, next - at, next == bytes.size()});
        at = next;
        continue;
      }
      ScannedGroup g;
      g.at = {at, number};
      g.header = *header;
      g.intact = Crc32c(bytes.substr(at + kGroupHeaderBytes, header->size - kGroupHeaderBytes)) == header->payload_crc;
      if (!g.intact) out.damage.push_back({number, at, header->size, at + header->size == bytes.size(), header->min_t, header->max_t});
      out.groups.push_back(g);
      at += header->size;
    }
  }
  return out;
}

std::uint32_t NumberOf(std::string_view name, std::string_view stem) {
  if (name.substr(0, stem.size()) != stem) return 0;
  const auto n = ParseUint64(name.substr(stem.size()));
  return n && *n < 0xffffffff ? static_cast<std::uint32_t>(*n) : 0;
}

}  // namespace prom::store
