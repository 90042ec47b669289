#include "store/head_index.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "store/head_format.h"
#include "store/head_view.h"
#include "store/index_reader.h"
#include "store/index_writer.h"
#include "store/mapped_file.h"

namespace prom::store {

namespace {

struct Segment {
  std::uint32_t first = 0, end = 0;
};

// Where the record of id `end` begins in the series file, as the segment says; 0: it cannot be read.
std::uint64_t EndOffset(Io& io, const std::string& dir, const Segment& s) {
  const auto index = IndexReader::Open(io, JoinPath(dir, IndexName(s.first, s.end)));
  if (!index) return 0;
  const auto extra = (*index)->Extra(0, 8);
  return extra ? LoadLe<std::uint64_t>(extra->data()) : 0;
}

}  // namespace

Result<void> BuildHeadIndex(Io& io, const std::string& dir, std::uint32_t series) {
  PROM_ASSIGN(const auto entries, io.List(dir));
  std::vector<Segment> found;
  for (const DirEntry& entry : entries) {
    Segment s;
    if (ParseIndexName(entry.name, &s.first, &s.end)) found.push_back(s);
  }
  std::sort(found.begin(), found.end(), [](const Segment& a, const Segment& b) { return a.first != b.first ? a.first < b.first : a.end > b.end; });
  std::vector<Segment> cover;
  for (const Segment& s : found)
    if (s.first == (cover.empty() ? 0 : cover.back().end) && s.end <= series) cover.push_back(s);
  const std::uint32_t covered = cover.empty() ? 0 : cover.back().end;
  if (series - covered < kUnindexedSeries) return {};

  // The new segment takes in the ones before it that are not larger than what it has so far.
  std::uint32_t first = covered;
  while (!cover.empty() && cover.back().end - cover.back().first <= series - first) {
    first = cover.back().first;
    cover.pop_back();
  }
  std::uint64_t offset = kFileHeaderSize;
  if (!cover.empty()) offset = EndOffset(io, dir, cover.back());
  if (offset == 0) {  // damaged: start over from the first series
    cover.clear();
    first = 0;
    offset = kFileHeaderSize;
  }

  PROM_ASSIGN(const auto file, MappedFile::Open(io, JoinPath(dir, "series"), 4u << 20));
  const std::string_view bytes = file->From(offset);
  IndexWriter writer;
  std::size_t at = 0, end = 0;
  while (at + kSeriesHeaderBytes <= bytes.size()) {
    const auto r = ParseSeriesRecord(bytes.substr(at));
    if (!r) {
      at += 4;
      continue;
    }
    if (r->id >= series) break;
    at += r->size;
    end = at;
    if (r->id < first) continue;
    if (auto done = writer.Add(r->labels, r->id); !done && done.error().code != Errc::kInvalid) return done;
  }
  std::string extra;
  AppendLe<std::uint64_t>(&extra, offset + end);
  // Not synced: it can be made again, and its pages carry checksums.
  const std::string path = JoinPath(dir, IndexName(first, series)), fresh = path + ".tmp";
  const auto write = [&]() -> Result<void> {
    PROM_ASSIGN(const auto out, io.Open(fresh, Io::Mode::kTruncate));
    std::uint64_t size = 0;
    return writer.Write(extra, [&](std::string_view piece) {
      size += piece.size();
      return out->WriteAt(size - piece.size(), piece);
    });
  };
  auto done = write();
  if (done) done = io.Rename(fresh, path);
  if (!done) {
    (void)io.Remove(fresh);
    return done;
  }
  for (const Segment& s : found)
    if (s.first >= first) (void)io.Remove(JoinPath(dir, IndexName(s.first, s.end)));
  return {};
}

}  // namespace prom::store
