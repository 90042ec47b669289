#include "store/head_view.h"

#include <algorithm>
#include <bit>

#include "base/lost_pages.h"
#include "base/number.h"
#include "base/time.h"
#include "model/sort_labels.h"

namespace prom::store {

namespace {
// Series that are scanned for matchers rather than looked up, at most, before the
// directory is searched for new index segments.
constexpr std::uint32_t kTailBeforeListing = 4096;
constexpr std::uint32_t kMaxTailPart = 65'536;

std::string At(const std::string& dir, std::string_view stem, Position p) {
  return dir + "/" + std::string(stem) + std::to_string(p.file) + ": byte " + std::to_string(p.offset);
}
}  // namespace

std::string IndexName(std::uint32_t first, std::uint32_t end) { return "index-" + std::to_string(first) + "-" + std::to_string(end); }

bool ParseIndexName(std::string_view name, std::uint32_t* first, std::uint32_t* end) {
  if (name.substr(0, 6) != "index-") return false;
  name.remove_prefix(6);
  const std::size_t dash = name.find('-');
  if (dash == std::string_view::npos) return false;
  const auto a = ParseUint64(name.substr(0, dash)), b = ParseUint64(name.substr(dash + 1));
  if (!a || !b || *a >= *b || *b > 0xffffffff) return false;
  *first = static_cast<std::uint32_t>(*a);
  *end = static_cast<std::uint32_t>(*b);
  return true;
}

Result<std::shared_ptr<HeadFiles>> HeadFiles::Open(Io& io, std::string dir) {
  auto out = std::shared_ptr<HeadFiles>(new HeadFiles(io, std::move(dir)));
  const auto open = [&](const char* name, std::string_view magic, std::uint64_t reserve) -> Result<std::shared_ptr<MappedFile>> {
    PROM_ASSIGN(auto file, MappedFile::Open(io, JoinPath(out->dir_, name), reserve));
    PROM_TRY(CheckFileHeader(file->At(0, kFileHeaderSize), magic, file->path()));
    return file;
  };
  PROM_ASSIGN(out->series_, open("series", kSeriesMagic, 4u << 20));
  PROM_ASSIGN(out->layouts_, open("layouts", kLayoutsMagic, 1u << 20));
  PROM_ASSIGN(out->homes_, open("homes", kHomesMagic, 4u << 20));
  PROM_ASSIGN(out->homes_more_, open("homes_more", kHomesMoreMagic, 1u << 20));
  PROM_ASSIGN(out->tiles_, io.Open(JoinPath(out->dir_, "tiles"), Io::Mode::kRead));
  char header[kFileHeaderSize] = {};
  PROM_ASSIGN(const std::size_t n, out->tiles_->ReadAt(0, header, sizeof header));
  PROM_TRY(CheckFileHeader({header, n}, kTilesMagic, out->tiles_->path()));
  return out;
}

std::shared_ptr<MappedFile> HeadFiles::Numbered(NumberedFiles* files, std::string_view stem, std::string_view magic, std::uint32_t n) {
  const auto it = files->find(n);
  if (it != files->end()) return it->second;
  auto opened = MappedFile::Open(io_, JoinPath(dir_, std::string(stem) + std::to_string(n)), kSegmentBytes);
  if (!opened) return nullptr;
  // A damaged header costs nothing, as records and groups have checksums of their own.
  if (auto sound = CheckFileHeader((*opened)->At(0, kFileHeaderSize), magic, (*opened)->path()); !sound && sound.error().code == Errc::kUnsupported) {
    newer_format_ = std::move(sound.error());
    return nullptr;
  }
  return files->emplace(n, std::move(*opened)).first->second;
}

std::optional<Error> HeadFiles::newer_format() {
  MutexLock lock(files_mutex_);
  return newer_format_;
}
std::shared_ptr<MappedFile> HeadFiles::Log(std::uint32_t n) {
  MutexLock lock(files_mutex_);
  return Numbered(&logs_, "log-", kLogMagic, n);
}
std::shared_ptr<MappedFile> HeadFiles::Chunks(std::uint32_t n) {
  MutexLock lock(files_mutex_);
  return Numbered(&chunks_, "chunks-", kChunksMagic, n);
}
void HeadFiles::ForgetLogsBelow(std::uint32_t n) {
  MutexLock lock(files_mutex_);
  logs_.erase(logs_.begin(), logs_.lower_bound(n));
}
NumberedFiles HeadFiles::AllChunks() {
  MutexLock lock(files_mutex_);
  return chunks_;
}
std::shared_ptr<MappedFile> HeadFiles::ExtrasFile(std::uint32_t number) {
  MutexLock lock(files_mutex_);
  auto file = Numbered(&extras_files_, "extras-", kExtrasMagic, number);
  extras_files_.erase(extras_files_.begin(), extras_files_.lower_bound(number));
  return file;
}

// Whether a series up to this one, or beyond, is in a layout: then the homes file must be long enough.
bool HeadFiles::InSomeLayout(std::uint32_t series, std::uint64_t layouts_bytes) {
  MutexLock lock(members_mutex_);
  if (members_bytes_ < kFileHeaderSize) members_bytes_ = kFileHeaderSize;
  if (members_bytes_ < layouts_bytes) {
    const std::string_view bytes = layouts_->At(members_bytes_, layouts_bytes - members_bytes_);
    for (std::size_t at = 0; at + kLayoutHeaderBytes <= bytes.size();) {
      const auto r = ParseLayoutRecord(bytes.substr(at));
      if (!r) {
        at += 4;
        continue;
      }
      for (std::uint32_t i = 0; i < r->count; ++i) members_end_ = std::max(members_end_, LoadLe<std::uint32_t>(r->series + std::size_t{4} * i) + 1);
      at += r->size;
    }
    members_bytes_ = layouts_bytes;
  }
  return series < members_end_;
}

bool HeadFiles::Homes(std::uint32_t series, const ExtentState& extents, std::vector<std::pair<std::uint32_t, std::uint32_t>>* out) {
  const std::uint32_t layouts = extents.layouts;
  out->clear();
  // An entry that is being written may not hold for a moment.
  for (int attempt = 0; attempt < 100; ++attempt) {
    out->clear();
    const std::string_view bytes = homes_->At(HomeOffset(series), kHomeBytes);
    if (bytes.empty()) {
      if (!InSomeLayout(series, extents.layouts_bytes)) return true;
      break;  // cut off
    }
    const auto home = DecodeHome(bytes.data(), series);
    if (!home) continue;
    if (BytesLost(bytes)) break;  // zeros, as of a series without a layout
    if (home->layout == kNoLayout) return true;
    if (home->layout < layouts) out->emplace_back(home->layout, home->slot);
    bool ok = true;
    std::uint32_t more = home->more;
    for (std::uint32_t steps = 0; more != 0 && ok; ++steps) {
      const std::string_view link = homes_more_->At(HomeOffset(more - 1), kHomeBytes);
      const auto next = link.empty() ? std::nullopt : DecodeHome(link.data(), more - 1);
      ok = next && !BytesLost(link) && next->more < more && steps < layouts;  // links lead to older entries
      if (!ok) break;
      if (next->layout < layouts) out->emplace_back(next->layout, next->slot);
      more = next->more;
    }
    if (ok) return true;
  }
  MutexLock lock(fallback_mutex_);
  if (!fallback_loaded_) {
    fallback_loaded_ = true;
    const std::string_view bytes = layouts_->From(0);
    for (std::size_t at = kFileHeaderSize; at + kLayoutHeaderBytes <= bytes.size();) {
      const auto r = ParseLayoutRecord(bytes.substr(at));
      if (!r) {
        at += 4;
        continue;
      }
      for (std::uint32_t i = 0; i < r->count; ++i) fallback_homes_[LoadLe<std::uint32_t>(r->series + std::size_t{4} * i)].emplace_back(r->layout, r->first_slot + i);
      at += r->size;
    }
  }
  out->clear();
  if (const auto it = fallback_homes_.find(series); it != fallback_homes_.end())
    for (const auto& home : it->second)
      if (home.first < layouts) out->push_back(home);
  return false;
}

void HeadFiles::LoadSegments(std::uint32_t series) {
  listed_at_ = series;
  auto entries = io_.List(dir_);
  if (!entries) return;
  std::vector<IndexSegment> found;
  for (const DirEntry& entry : *entries) {
    IndexSegment s;
    if (ParseIndexName(entry.name, &s.first, &s.end)) found.push_back(s);
  }
  // From id 0 on, always the longest one that goes on from there.
  std::sort(found.begin(), found.end(), [](const IndexSegment& a, const IndexSegment& b) { return a.first != b.first ? a.first < b.first : a.end > b.end; });
  std::vector<IndexSegment> cover;
  std::uint32_t next = 0;
  for (IndexSegment& s : found) {
    if (s.first != next || s.end > series) continue;
    for (const IndexSegment& old : segments_)
      if (old.first == s.first && old.end == s.end) s.index = old.index;
    if (s.index == nullptr) {
      auto opened = IndexReader::Open(io_, JoinPath(dir_, IndexName(s.first, s.end)));
      if (!opened) {
        if (opened.error().code != Errc::kNotFound) index_warnings_.push_back(opened.error().message + "; series are scanned instead");
        continue;
      }
      s.index = std::move(*opened);
    }
    // The series file also ends there: what an index covers is found by its last record.
    cover.push_back(s);
    next = s.end;
  }
  segments_ = std::move(cover);
  std::erase_if(tail_, [&](const std::shared_ptr<const TailPart>& part) { return part->end <= next; });
}

SeriesView HeadFiles::Series(const ExtentState& extents) {
  MutexLock lock(series_mutex_);
  SeriesView out;
  const std::uint32_t covered = segments_.empty() ? 0 : segments_.back().end;
  if ((listed_at_ == 0 && extents.series != 0) || (extents.series > covered + kTailBeforeListing && extents.series > listed_at_ + kTailBeforeListing)) LoadSegments(extents.series);
  out.segments = segments_;
  out.warnings = index_warnings_;
  const std::uint32_t first = segments_.empty() ? 0 : segments_.back().end;

  // Where in the file the tail begins: behind the last part, or behind what the
  // index covers, which its extra says.
  std::uint32_t next = first;
  std::uint64_t offset = kFileHeaderSize;
  if (!segments_.empty()) {
    const IndexReader& index = *segments_.back().index;
    if (auto extra = index.Extra(0, 8); extra) offset = LoadLe<std::uint64_t>(extra->data());
  }
  std::vector<std::shared_ptr<const TailPart>> parts;
  for (const auto& part : tail_) {
    if (part->first != next) continue;
    parts.push_back(part);
    next = part->end;
    offset = part->end_offset;
  }
  if (next < extents.series) {
    auto part = std::make_shared<TailPart>();
    // A short last part is read again together with the new ones, so that parts stay few.
    if (!parts.empty() && parts.back()->end - parts.back()->first < kMaxTailPart / 16) {
      next = parts.back()->first;
      parts.pop_back();
      offset = !parts.empty() ? parts.back()->end_offset : kFileHeaderSize;
      if (parts.empty() && !segments_.empty()) {
        if (auto extra = segments_.back().index->Extra(0, 8); extra) offset = LoadLe<std::uint64_t>(extra->data());
      }
    }
    part->first = next;
    part->end = extents.series;
    std::string_view bytes = extents.series_bytes > offset ? series_->At(offset, extents.series_bytes - offset) : std::string_view();
    if (bytes.empty()) bytes = series_->From(offset);  // cut off
    for (std::size_t at = 0; at + kSeriesHeaderBytes <= bytes.size();) {
      const auto r = ParseSeriesRecord(bytes.substr(at));
      auto labels = r ? Labels::FromBytes(r->labels) : Result<Labels>(Error{Errc::kCorrupt, ""});
      if (!r || !labels) {
        if (part->damaged_at == 0) part->damaged_at = offset + at;
        at += 4;
        continue;
      }
      at += r->size;
      if (r->id < part->first || r->id >= part->end) continue;
      part->series.emplace_back(std::move(*labels), r->id);
    }
    if (part->series.size() < part->end - part->first && part->damaged_at == 0) part->damaged_at = offset + bytes.size();
    part->end_offset = std::max(offset, extents.series_bytes);
    SortByLabels(&part->series);  // once, rather than for each query
    for (std::uint32_t i = 0; i < part->series.size(); ++i) part->by_name[part->series[i].first.metric_name()].push_back(i);
    parts.push_back(std::move(part));
  }
  tail_ = parts;
  out.tail = std::move(parts);
  for (const auto& part : out.tail)
    if (part->damaged_at != 0) out.losses.push_back(series_->path() + ": byte " + std::to_string(part->damaged_at) + ": damaged; its series are left out");
  return out;
}

void LayoutView::IndexOpen() {
  std::uint32_t columns = 0;
  bool whole = true;
  for (const RowView& row : open) {
    whole &= row.bitmap == nullptr && row.columns == open.front().columns;
    columns = std::max(columns, row.columns);
  }
  if (whole) return;
  const std::size_t words = (std::size_t{columns} + 63) / 64;
  open_words.resize(words * open.size());
  open_spans.resize(words);
  for (std::uint32_t r = 0; r < open.size(); ++r) {
    const RowView& row = open[r];
    std::uint32_t before = 0;
    for (std::uint32_t w = 0; w * 64 < row.columns; ++w) {
      std::uint64_t bits = row.columns - w * 64 >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << (row.columns - w * 64)) - 1;
      if (row.bitmap != nullptr) bits &= LoadLe<std::uint64_t>(row.bitmap + std::size_t{8} * w);
      if (bits == 0) continue;
      open_words[w * open.size() + r] = {bits, before};
      before += static_cast<std::uint32_t>(std::popcount(bits));
      auto& [first, end] = open_spans[w];
      if (first == end) first = r;
      end = r + 1;
    }
  }
}

void LayoutView::TransposeOpen() {
  std::uint32_t columns = 0;
  for (const RowView& row : open) columns = std::max(columns, row.columns);
  open_columns.assign(columns, {});
  // Calls f(column, value) for what a row has.
  const auto each = [](const RowView& row, auto f) {
    const char* value = row.values;
    for (std::uint32_t w = 0; w * 64 < row.columns; ++w) {
      std::uint64_t bits = row.columns - w * 64 >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << (row.columns - w * 64)) - 1;
      if (row.bitmap != nullptr) bits &= LoadLe<std::uint64_t>(row.bitmap + std::size_t{8} * w);
      for (; bits != 0; bits &= bits - 1, value += 8) f(w * 64 + static_cast<std::uint32_t>(std::countr_zero(bits)), value);
    }
  };
  OpenColumn* const all = open_columns.data();
  for (std::uint32_t r = 0; r < open.size(); ++r) each(open[r], [=](std::uint32_t column, const char*) { all[column].rows[r / 64] |= std::uint64_t{1} << (r % 64); });
  std::vector<std::uint64_t> next(columns);
  std::uint64_t values_before = 0;
  for (std::uint32_t c = 0; c < columns; ++c) {
    all[c].start = next[c] = values_before;
    for (const std::uint64_t word : all[c].rows) values_before += static_cast<unsigned>(std::popcount(word));
  }
  open_values.resize(values_before);
  double* values = open_values.data();
  for (const RowView& row : open) {
    std::uint64_t* at = next.data();
    each(row, [=](std::uint32_t column, const char* value) { values[at[column]++] = LoadLe<double>(value); });
  }
  open_words = {};
  open_spans = {};
}

std::shared_ptr<const GroupList> HeadFiles::Groups(std::uint32_t layout, Position newest) {
  std::shared_ptr<const GroupList> known;
  {
    MutexLock lock(groups_mutex_);
    known = groups_[layout];
  }
  if (known != nullptr && LostPageCount() != 0 &&
      std::any_of(known->items.begin(), known->items.end(), [](const GroupList::Item& item) { return BytesLost(item.group.bytes()); })) {
    known = nullptr;  // verified before it was lost
  }
  if (known != nullptr && known->newest == newest) return known;
  auto out = std::make_shared<GroupList>();
  out->newest = newest;

  struct Found {
    Position at;
    GroupHeader header;
    std::string_view bytes;
    std::shared_ptr<MappedFile> file;
  };
  std::vector<Found> found;  // newest first
  bool joined = false, broken = false;
  for (Position at = newest; at.valid();) {
    if (known != nullptr && at == known->newest) {
      joined = true;
      break;
    }
    Found f;
    f.at = at;
    f.file = Chunks(at.file);
    const std::string_view head = f.file != nullptr ? f.file->At(at.offset, kGroupHeaderBytes) : std::string_view();
    const auto header = ParseGroupHeader(head);
    if (!header || header->kind != GroupKind::kRows || header->layout != layout || found.size() > (1u << 20)) {
      out->warnings.push_back(At(dir_, "chunks-", at) + ": damaged group header; older groups were searched for");
      broken = true;
      break;
    }
    f.header = *header;
    f.bytes = f.file->At(at.offset, header->size);
    found.push_back(f);
    at = header->prev;
  }
  if (broken) {
    // What lies behind the damage is found by reading the files front to back.
    const std::int64_t before = found.empty() ? kMaxTimeMs : found.back().header.min_t;
    const NumberedFiles files = AllChunks();
    const ChunkScan scan = ScanChunks(files);
    for (auto it = scan.groups.rbegin(); it != scan.groups.rend(); ++it) {
      if (it->header.kind != GroupKind::kRows || it->header.layout != layout || it->header.max_t >= before) continue;
      if (std::any_of(found.begin(), found.end(), [&](const Found& f) { return f.at == it->at || f.header.min_t <= it->header.max_t; })) continue;
      const auto& file = files.at(it->at.file);
      found.push_back({it->at, it->header, file->At(it->at.offset, it->header.size), file});
    }
  }
  if (joined) {
    out->items = known->items;
    out->t = known->t;
    out->warnings.insert(out->warnings.end(), known->warnings.begin(), known->warnings.end());
    out->pins = known->pins;
  }
  for (auto it = found.rbegin(); it != found.rend(); ++it) {
    auto group = RowGroup::Parse(it->bytes);
    const std::size_t start = out->t.size();
    auto times = group ? group->Times(&out->t) : Result<void>(group.error());
    if (times && start != 0 && start < out->t.size() && out->t[start] <= out->t[start - 1]) times = Error{Errc::kCorrupt, "times that overlap the group before"};
    if (!times) {
      out->t.resize(start);
      out->warnings.push_back(At(dir_, "chunks-", it->at) + ": " + times.error().message + ": rows from " + FormatTimeRfc3339(it->header.min_t) + " to " +
                              FormatTimeRfc3339(it->header.max_t) + " are left out");
      continue;
    }
    out->items.push_back({std::move(*group), start});
    if (out->pins.empty() || out->pins.back() != it->file) out->pins.push_back(it->file);
  }
  MutexLock lock(groups_mutex_);
  groups_[layout] = out;
  return out;
}

std::shared_ptr<const HeadFiles::LooseList> HeadFiles::LooseGroups(Position newest) {
  std::shared_ptr<const LooseList> known;
  {
    MutexLock lock(groups_mutex_);
    known = loose_;
  }
  if (known != nullptr && LostPageCount() != 0 && std::any_of(known->groups.begin(), known->groups.end(), [](const LooseGroup& g) { return BytesLost(g.bytes()); }))
    known = nullptr;
  if (known != nullptr && known->newest == newest) return known;
  auto out = std::make_shared<LooseList>();
  out->newest = newest;
  std::vector<std::pair<Position, std::string_view>> found;
  bool joined = false, broken = false;
  for (Position at = newest; at.valid();) {
    if (known != nullptr && at == known->newest) {
      joined = true;
      break;
    }
    const auto file = Chunks(at.file);
    const std::string_view head = file != nullptr ? file->At(at.offset, kGroupHeaderBytes) : std::string_view();
    const auto header = ParseGroupHeader(head);
    if (!header || header->kind != GroupKind::kLoose) {
      out->warnings.push_back(At(dir_, "chunks-", at) + ": damaged group header; older groups were searched for");
      broken = true;
      break;
    }
    out->pins.push_back(file);
    found.emplace_back(at, file->At(at.offset, header->size));
    at = header->prev;
  }
  if (broken) {
    const NumberedFiles files = AllChunks();
    const ChunkScan scan = ScanChunks(files);
    for (auto it = scan.groups.rbegin(); it != scan.groups.rend(); ++it) {
      if (it->header.kind != GroupKind::kLoose || std::any_of(found.begin(), found.end(), [&](const auto& f) { return f.first == it->at; })) continue;
      if (it->at.file > newest.file || (it->at.file == newest.file && it->at.offset > newest.offset)) continue;
      const auto& file = files.at(it->at.file);
      out->pins.push_back(file);
      found.emplace_back(it->at, file->At(it->at.offset, it->header.size));
    }
  }
  if (joined) {
    out->groups = known->groups;
    out->warnings.insert(out->warnings.end(), known->warnings.begin(), known->warnings.end());
    out->pins.insert(out->pins.end(), known->pins.begin(), known->pins.end());
  }
  for (auto it = found.rbegin(); it != found.rend(); ++it) {
    auto group = LooseGroup::Parse(it->second);
    if (group) out->groups.push_back(std::move(*group));
    else out->warnings.push_back(At(dir_, "chunks-", it->first) + ": " + group.error().message + ": its samples are left out");
  }
  MutexLock lock(groups_mutex_);
  loose_ = out;
  return out;
}

std::shared_ptr<const ExtrasContent> HeadFiles::Extras(const MappedFile& file, std::uint32_t number, std::uint64_t bytes) {
  MutexLock lock(extras_mutex_);
  if (extras_ != nullptr && extras_number_ == number && extras_bytes_ == bytes) return extras_;
  auto out = std::make_shared<ExtrasContent>();
  std::string_view all = file.At(0, bytes);
  if (all.empty()) all = file.From(0);  // cut off
  if (CheckFileHeader(all, kExtrasMagic, file.path())) *out = ParseExtras(all);
  if (out->end < bytes) ++out->damaged;
  extras_ = out;
  extras_number_ = number;
  extras_bytes_ = bytes;
  return out;
}

}  // namespace prom::store
