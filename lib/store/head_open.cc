// HeadWriter: opening an epoch, with what a killed writer or a power cut left.
//
// Trusted (same boot): the tile table and the committed sequence say what counts;
// what lies behind is written over (definitions) or left behind (log). Not trusted,
// or the table is damaged: series and layouts are read up to their last good record,
// groups and log by their checksums, and the table is made anew.
#include <algorithm>
#include <bit>

#include "base/hash.h"
#include "store/head_group.h"
#include "store/head_reader.h"
#include "store/head_writer.h"
#include "store/recovery.h"

namespace prom::store {

namespace {

Result<std::shared_ptr<File>> OpenOrCreate(Io& io, const std::string& path, std::string_view magic, bool* created, std::vector<std::string>* warnings) {
  PROM_ASSIGN(auto file, io.Open(path, Io::Mode::kCreate));
  char header[kFileHeaderSize] = {};
  PROM_ASSIGN(const std::size_t n, file->ReadAt(0, header, sizeof header));
  const bool blank = std::all_of(header, header + n, [](char c) { return c == 0; });
  if (n < sizeof header || blank) {  // new, or its making was cut short
    PROM_TRY(file->WriteAt(0, FileHeader(magic)));
    *created = true;
  } else if (auto sound = CheckFileHeader({header, sizeof header}, magic, path); !sound) {
    // A damaged header of a file that is ours must not keep the writer from starting:
    // what follows has checksums of its own. Another file is left alone.
    const std::string want = FileHeader(magic);
    std::size_t same = 0;
    for (std::size_t i = 0; i < sizeof header; ++i) same += header[i] == want[i] ? 1 : 0;
    if (sound.error().code != Errc::kCorrupt || same < sizeof header - 4) return std::move(sound.error());
    PROM_TRY(file->WriteAt(0, want));
    PROM_TRY(file->Sync());
    warnings->push_back(sound.error().message + "; written anew");
  }
  return std::shared_ptr<File>(std::move(file));
}

// What a batch that nobody saw left behind must not be taken for records later on.
Result<void> ZeroTail(File& file, std::uint64_t from) {
  PROM_ASSIGN(const std::uint64_t size, file.Size());
  const std::string zeros(1u << 16, '\0');
  for (std::uint64_t at = from; at < size; at += zeros.size()) PROM_TRY(file.WriteAt(at, std::string_view(zeros).substr(0, std::min<std::uint64_t>(zeros.size(), size - at))));
  return from < size ? file.Sync() : Result<void>();
}

// The groups that count, oldest first. The newest one whose commit counts leads back
// to the others; copies that a refused commit left are on no chain. Where one is
// damaged and the log still has what it held (`in_log(group before, group)`), it had
// not reached the disk: it and what came after are taken from the log instead.
template <typename Committed, typename InLog>
std::vector<const ScannedGroup*> Chain(const std::vector<const ScannedGroup*>& groups, Committed committed, InLog in_log) {
  std::vector<const ScannedGroup*> chain;
  auto it = groups.rbegin();
  while (it != groups.rend() && !committed(**it)) ++it;
  std::vector<bool> gap;  // between chain[i] and the one before it
  while (it != groups.rend()) {
    chain.push_back(*it);
    const Position prev = (*it)->header.prev;
    const ScannedGroup* after = *it;
    const auto linked = std::find_if(it, groups.rend(), [&](const ScannedGroup* g) { return g->at == prev; });
    gap.push_back(prev.valid() && linked == groups.rend());
    if (!prev.valid()) break;
    it = linked;
    if (linked == groups.rend())  // its header is gone; the next older one that fits
      it = std::find_if(groups.rbegin(), groups.rend(), [&](const ScannedGroup* g) { return g->header.seq < after->header.seq && committed(*g); });
  }
  std::vector<const ScannedGroup*> out;
  for (std::size_t i = chain.size(); i-- > 0;) {
    if ((gap[i] || !chain[i]->intact) && in_log(out.empty() ? nullptr : out.back(), chain[i])) break;
    out.push_back(chain[i]);
  }
  return out;
}

// Numbers that an earlier process may have used for batches nobody saw are passed over.
constexpr std::uint64_t kSequenceGap = 1u << 20;

}  // namespace

std::string EpochDir(const std::string& data_dir, std::uint64_t epoch) {
  std::string name = std::to_string(epoch);
  name.insert(0, name.size() < 8 ? 8 - name.size() : 0, '0');
  return JoinPath(JoinPath(data_dir, "head"), name);
}

HeadWriter::HeadWriter(Io& io, std::string dir, std::uint64_t epoch, std::shared_ptr<ControlPage> control, const HeadOptions& options)
    : io_(io), dir_(std::move(dir)), epoch_(epoch), control_(std::move(control)), options_(options), extras_(options.max_exemplars) {
  options_.max_pending_loose = std::clamp<std::uint32_t>(options_.max_pending_loose, 1, chunk::kMaxValues);
}
HeadWriter::~HeadWriter() = default;

std::shared_ptr<const void> HeadWriter::Retire() {
  struct Rest {
    std::vector<std::shared_ptr<File>> files;
    std::map<std::uint32_t, std::shared_ptr<MappedFile>> logs, chunks;
    std::vector<Home> homes, homes_more;
    std::vector<LooseSample> pending_loose;
    std::unordered_map<std::uint32_t, LastSample> loose_last;
  };
  auto rest = std::make_shared<Rest>();
  rest->files = std::move(older_dirty_);
  for (auto* file : {&series_file_, &layouts_file_, &homes_file_, &homes_more_file_, &tiles_file_, &log_file_, &chunks_file_}) rest->files.push_back(std::move(*file));
  rest->logs.swap(logs_);
  rest->chunks.swap(chunks_);
  rest->homes.swap(homes_);
  rest->homes_more.swap(homes_more_);
  rest->pending_loose.swap(pending_loose_);
  rest->loose_last.swap(loose_last_);
  return rest;
}

Result<std::unique_ptr<HeadWriter>> HeadWriter::Open(Io& io, const std::string& data_dir, std::uint64_t epoch, std::shared_ptr<ControlPage> control,
                                                     const HeadOptions& options, bool trusted, HeadWriter* previous, std::uint64_t published) {
  auto head = std::unique_ptr<HeadWriter>(new HeadWriter(io, EpochDir(data_dir, epoch), epoch, std::move(control), options));
  head->previous_ = previous;
  PROM_TRY(head->OpenFiles(trusted, published));
  return head;
}

Result<void> HeadWriter::OpenFiles(bool trusted, std::uint64_t published) {
  PROM_TRY(MakeDirs(io_, dir_));
  bool created = false, new_series = false, new_tiles = false;
  PROM_ASSIGN(series_file_, OpenOrCreate(io_, JoinPath(dir_, "series"), kSeriesMagic, &new_series, &warnings_));
  PROM_ASSIGN(layouts_file_, OpenOrCreate(io_, JoinPath(dir_, "layouts"), kLayoutsMagic, &created, &warnings_));
  PROM_ASSIGN(homes_file_, OpenOrCreate(io_, JoinPath(dir_, "homes"), kHomesMagic, &created, &warnings_));
  PROM_ASSIGN(homes_more_file_, OpenOrCreate(io_, JoinPath(dir_, "homes_more"), kHomesMoreMagic, &created, &warnings_));
  PROM_ASSIGN(tiles_file_, OpenOrCreate(io_, JoinPath(dir_, "tiles"), kTilesMagic, &new_tiles, &warnings_));
  created = created || new_series || new_tiles;
  dir_dirty_ = series_dirty_ = layouts_dirty_ = created;
  if (created) {  // the epoch must be found again before a manifest names it
    PROM_TRY(series_file_->Sync());
    PROM_TRY(layouts_file_->Sync());
    PROM_TRY(io_.SyncDir(dir_));
  }

  // New segments and chunk files never take a number that was in use.
  PROM_ASSIGN(const auto entries, io_.List(dir_));
  std::uint32_t lowest_log = 0;
  for (const DirEntry& entry : entries) {
    if (const std::uint32_t n = NumberOf(entry.name, "log-"); n != 0) {
      segment_ = std::max(segment_, n);
      lowest_log = lowest_log == 0 ? n : std::min(lowest_log, n);
      (void)MapNumbered(&logs_, "log-", n);
    }
    if (const std::uint32_t n = NumberOf(entry.name, "chunks-"); n != 0) {
      chunks_number_ = std::max(chunks_number_, n);
      (void)MapNumbered(&chunks_, "chunks-", n);
    }
  }
  first_segment_ = lowest_log == 0 ? 1 : lowest_log;
  for (const auto& [files, magic] : {std::pair{&logs_, kLogMagic}, std::pair{&chunks_, kChunksMagic}}) {
    for (const auto& [n, file] : *files) {
      if (file == nullptr) continue;
      auto sound = CheckFileHeader(file->At(0, kFileHeaderSize), magic, file->path());
      if (!sound && sound.error().code == Errc::kUnsupported) return sound;
    }
  }

  // What an earlier process left unsynced is part of the next sync.
  series_dirty_ = layouts_dirty_ = true;
  for (const auto* files : {&logs_, &chunks_}) {
    for (const auto& [n, mapped] : *files) {
      if (mapped == nullptr) continue;
      if (auto file = io_.Open(mapped->path(), Io::Mode::kReadWrite)) older_dirty_.push_back(std::move(*file));
    }
  }

  // The extents first: they say how far the definitions are published.
  std::optional<ExtentState> extents;
  const bool same_boot = trusted;
  const bool fresh = new_series && new_tiles && lowest_log == 0;
  if (fresh) {
    extents = ExtentState{};
  } else if (trusted) {
    char entry[kTileEntryBytes] = {};
    PROM_ASSIGN(const std::size_t n, tiles_file_->ReadAt(TileEntryOffset(kExtentEntry), entry, sizeof entry));
    (void)n;
    if (BlankTileEntry(entry)) {
      trusted = false;
      Warn(dir_ + "/tiles: byte " + std::to_string(TileEntryOffset(kExtentEntry)) + ": the entry of extents is gone");
    }
    for (int slot = 0; slot < 2; ++slot) {
      const auto s = DecodeExtentSlot(entry + slot * kTileSlotBytes, kExtentEntry);
      if (!s) {
        trusted = false;
        Warn(dir_ + "/tiles: byte " + std::to_string(TileEntryOffset(kExtentEntry)) + ": damaged entry of extents");
      } else if (s->seq <= published && (!extents || s->seq > extents->seq)) {
        extents = *s;
        extent_slot_ = static_cast<std::uint8_t>(slot);
      }
    }
    if (!extents) trusted = false;
  }
  if (trusted) {
    extents_ = *extents;
    table_layouts_ = extents_.layouts;
  }
  PROM_TRY(LoadSeries(trusted ? std::max<std::uint64_t>(extents_.series_bytes, kFileHeaderSize) : 0));
  PROM_TRY(LoadLayouts(trusted ? std::max<std::uint64_t>(extents_.layouts_bytes, kFileHeaderSize) : 0));
  if (trusted && !fresh) {
    PROM_ASSIGN(trusted, LoadTiles(published));
  }
  if (!trusted) {
    PROM_TRY(RebuildTiles(same_boot, published));
  } else if (fresh) {
    PROM_TRY(StartTable(published));
  }
  PROM_TRY(RepairHomes());

  // Extras: the file the extents name, else the newest.
  std::uint32_t extras = trusted ? extents_.extras : 0;
  if (!trusted)
    for (const DirEntry& entry : entries) extras = std::max(extras, NumberOf(entry.name, "extras-"));
  if (extras != 0) {
    auto file = io_.Open(JoinPath(dir_, ExtrasName(extras)), Io::Mode::kReadWrite);
    auto bytes = ReadFile(io_, JoinPath(dir_, ExtrasName(extras)), 1u << 30);
    if (file && bytes && CheckFileHeader(*bytes, kExtrasMagic, "extras")) {
      if (trusted && extents_.extras_bytes < bytes->size()) bytes->resize(extents_.extras_bytes);
      ExtrasContent content = ParseExtras(*bytes);
      if (content.damaged != 0) Warn(JoinPath(dir_, ExtrasName(extras)) + ": " + std::to_string(content.damaged) + " damaged records left out");
      if (trusted) content.end = std::max<std::uint64_t>(content.end, extents_.extras_bytes);
      extras_.Load(extras, std::shared_ptr<File>(std::move(*file)), std::move(content));
    } else {
      Warn(JoinPath(dir_, ExtrasName(extras)) + ": cannot be read; exemplars and metadata before now are left out");
      extras_.Load(extras, nullptr, {});
    }
  }

  // Bounds for the fast check of order.
  for (Layout& layout : layouts_) {
    if (loose_max_ >= loose_min_) layout.foreign_t = std::max(layout.foreign_t, loose_max_);
    for (const std::uint32_t other : layout.siblings) layout.foreign_t = std::max(layout.foreign_t, layouts_[other].last_t);
    min_t_ = std::min(min_t_, layout.min_t);
    max_t_ = std::max(max_t_, layout.max_t);
  }
  if (loose_max_ >= loose_min_) {
    min_t_ = std::min(min_t_, loose_min_);
    max_t_ = std::max(max_t_, loose_max_);
  }
  next_seq_ = std::max(next_seq_, control_->committed_seq() + (segment_ == 0 ? 1 : kSequenceGap));
  return {};
}

Result<void> HeadWriter::LoadSeries(std::uint64_t end) {
  const std::string path = JoinPath(dir_, "series");
  PROM_ASSIGN(auto map, MappedFile::Open(io_, path, 1u << 20));
  std::string_view bytes = map->From(0);
  if (end != 0) bytes = bytes.substr(0, std::min<std::uint64_t>(end, bytes.size()));
  series_.SetFile(map, bytes.size());  // the table hashes label sets again when it grows
  std::uint64_t at = kFileHeaderSize, good = at;
  bool lost = false;
  while (at + kSeriesHeaderBytes <= bytes.size()) {
    const auto r = ParseSeriesRecord(bytes.substr(at));
    // Ids grow; a gap is as wide as the records that were lost in it.
    if (r && r->id >= series_.size() && r->id - series_.size() <= (at - good) / kSeriesHeaderBytes) {
      if (lost) Warn(path + ": byte " + std::to_string(good) + ": damaged, " + std::to_string(r->id - series_.size()) + " series lost");
      lost = false;
      series_.Load(r->id, r->labels, at);
      at += r->size;
      good = at;
      continue;
    }
    lost = true;
    at += 4;
  }
  series_.SetFile(map, end != 0 ? std::max(end, good) : good);
  if (end != 0 && good < end) {  // the last records are damaged: their ids stay taken
    Warn(path + ": byte " + std::to_string(good) + ": damaged up to byte " + std::to_string(end));
    series_.Reserve(extents_.series);
  }
  homes_.resize(series_.size());
  return ZeroTail(*series_file_, series_.pending_offset());
}

Result<void> HeadWriter::LoadLayouts(std::uint64_t end) {
  const std::string path = JoinPath(dir_, "layouts");
  PROM_ASSIGN(auto map, MappedFile::Open(io_, path, 1u << 20));
  std::string_view bytes = map->From(0);
  if (end != 0) bytes = bytes.substr(0, std::min<std::uint64_t>(end, bytes.size()));
  std::uint64_t at = kFileHeaderSize, good = at;
  bool lost = false;
  while (at + kLayoutHeaderBytes <= bytes.size()) {
    const auto r = ParseLayoutRecord(bytes.substr(at));
    if (r && r->layout <= layouts_.size() + (at - good) / kLayoutHeaderBytes) {
      if (lost) Warn(path + ": byte " + std::to_string(good) + ": damaged, columns of a layout lost");
      lost = false;
      if (r->layout >= layouts_.size()) layouts_.resize(r->layout + std::size_t{1});
      auto& columns = layouts_[r->layout].series;
      columns.resize(std::max<std::size_t>(columns.size(), std::size_t{r->first_slot} + r->count), kNoLayout);
      for (std::uint32_t i = 0; i < r->count; ++i) columns[r->first_slot + i] = LoadLe<std::uint32_t>(r->series + std::size_t{4} * i);
      at += r->size;
      good = at;
      continue;
    }
    lost = true;
    at += 4;
  }
  layouts_bytes_ = end != 0 ? std::max(end, good) : good;
  if (end != 0 && good < end) Warn(path + ": byte " + std::to_string(good) + ": damaged up to byte " + std::to_string(end));
  if (end != 0 && extents_.layouts > layouts_.size()) layouts_.resize(extents_.layouts);
  // Memberships in the order of the file, as AddHome made them.
  for (std::uint32_t id = 0; id < layouts_.size(); ++id) {
    for (std::uint32_t slot = 0; slot < layouts_[id].series.size(); ++slot) {
      const std::uint32_t series = layouts_[id].series[slot];
      if (series == kNoLayout) continue;
      if (series >= homes_.size()) {  // its record did not reach the disk; nothing will ever name it
        series_.Reserve(series + 1);
        homes_.resize(series_.size());
      }
      AddHome(series, id, slot);
    }
  }
  return ZeroTail(*layouts_file_, layouts_bytes_);
}

// Homes follow from the layouts; the files are made to agree.
Result<void> HeadWriter::RepairHomes() {
  const auto repair = [&](File& file, const std::vector<Home>& homes, std::vector<std::uint32_t>* dirty) -> Result<void> {
    dirty->clear();
    std::string bytes(homes.size() * kHomeBytes, '\0');
    PROM_ASSIGN(const std::size_t n, file.ReadAt(kFileHeaderSize, bytes.data(), bytes.size()));
    (void)n;
    if (&homes == &homes_) {
      // A damaged layout record: the entry still knows where the series is.
      for (std::uint32_t i = 0; i < homes.size(); ++i) {
        const auto h = DecodeHome(bytes.data() + std::size_t{i} * kHomeBytes, i);
        if (homes[i].layout != kNoLayout || !h || h->layout >= layouts_.size() || h->slot >= kMaxColumns) continue;
        auto& columns = layouts_[h->layout].series;
        if (columns.size() <= h->slot) columns.resize(h->slot + std::size_t{1}, kNoLayout);
        if (columns[h->slot] != kNoLayout) continue;
        columns[h->slot] = i;
        homes_[i].layout = h->layout;
        homes_[i].slot = h->slot;
      }
    }
    for (std::uint32_t i = 0; i < homes.size(); ++i) {
      char entry[kHomeBytes];
      EncodeHome(homes[i], i, entry);
      const char* have = bytes.data() + std::size_t{i} * kHomeBytes;
      if (homes[i].layout == kNoLayout && std::all_of(have, have + kHomeBytes, [](char c) { return c == 0; })) continue;
      if (std::memcmp(entry, have, kHomeBytes) != 0) dirty->push_back(i);
    }
    return {};
  };
  PROM_TRY(repair(*homes_more_file_, homes_more_, &dirty_homes_more_));
  PROM_TRY(repair(*homes_file_, homes_, &dirty_homes_));
  return WriteDefinitions();
}

Result<bool> HeadWriter::LoadTiles(std::uint64_t published) {
  const std::string path = JoinPath(dir_, "tiles");
  std::string bytes((kFirstLayoutEntry + layouts_.size()) * kTileEntryBytes, '\0');
  PROM_ASSIGN(const std::size_t n, tiles_file_->ReadAt(TileEntryOffset(0), bytes.data(), bytes.size()));
  (void)n;
  // The newest published state of an entry; slots of a commit nobody saw are wiped.
  const auto newest = [&](std::uint32_t entry, std::uint8_t* newest_slot) -> Result<std::optional<TileState>> {
    std::optional<TileState> best;
    if (BlankTileEntry(bytes.data() + std::size_t{entry} * kTileEntryBytes)) {
      Warn(path + ": byte " + std::to_string(TileEntryOffset(entry)) + ": the entry of layout " + std::to_string(static_cast<std::int64_t>(entry) - kFirstLayoutEntry) + " is gone");
      return std::optional<TileState>();
    }
    for (std::uint8_t slot = 0; slot < 2; ++slot) {
      const std::uint64_t offset = TileEntryOffset(entry) + slot * kTileSlotBytes;
      const auto s = DecodeTileSlot(bytes.data() + offset - TileEntryOffset(0), entry);
      if (!s) {
        Warn(path + ": byte " + std::to_string(offset) + ": damaged entry of layout " + std::to_string(static_cast<std::int64_t>(entry) - kFirstLayoutEntry));
        return std::optional<TileState>();
      }
      if (s->seq > published) {
        PROM_TRY(tiles_file_->WriteAt(offset, std::string(kTileSlotBytes, '\0')));
      } else if (!best || s->seq > best->seq) {
        best = *s;
        *newest_slot = slot;
      }
    }
    if (!best) best = kNoSamples;
    return best;
  };
  {
    PROM_ASSIGN(const auto s, newest(kLooseEntry, &loose_slot_));
    if (!s) return false;
    loose_row_ = s->row;
    loose_group_ = s->group;
    if (s->min_t <= s->max_t) {
      loose_min_ = s->min_t;
      loose_max_ = s->max_t;
    }
    if (!LoadPendingLoose(s->rows)) return false;
  }
  for (std::uint32_t id = 0; id < layouts_.size(); ++id) {
    Layout& layout = layouts_[id];
    PROM_ASSIGN(const auto s, newest(kFirstLayoutEntry + id, &layout.newest_slot));
    if (!s) return false;
    layout.group = s->group;
    layout.row_columns = s->columns;
    if (s->min_t <= s->max_t) {
      layout.min_t = s->min_t;
      layout.max_t = layout.last_t = s->max_t;
    }
    Position at = s->row;
    for (std::uint32_t i = 0; i < s->rows; ++i) {
      const auto r = ParseRecord(LogBytes(at));
      if (!r || r->type != RecordType::kRow) {
        Warn(dir_ + "/log-" + std::to_string(at.file) + ": byte " + std::to_string(at.offset) + ": damaged row of layout " + std::to_string(id));
        return false;
      }
      const RowView row = ParseRow(*r);
      layout.open.push_back({at, row.t});
      at = row.prev;
    }
    std::reverse(layout.open.begin(), layout.open.end());
  }
  return true;
}

bool HeadWriter::LoadPendingLoose(std::uint32_t count) {
  std::vector<std::vector<LooseSample>> records;  // newest first
  std::uint64_t have = 0;
  for (Position at = loose_row_; have < count;) {
    const auto r = ParseRecord(LogBytes(at));
    Position prev;
    records.emplace_back();
    if (!r || !ParseLoose(*r, &records.back(), &prev)) {
      Warn(dir_ + "/log-" + std::to_string(at.file) + ": byte " + std::to_string(at.offset) + ": damaged loose samples");
      return false;
    }
    loose_segment_ = at.file;
    have += records.back().size();
    at = prev;
  }
  std::uint64_t skip = have - count;  // sealed already
  for (auto it = records.rbegin(); it != records.rend(); ++it) {
    for (LooseSample& s : *it) {
      if (skip != 0) {
        --skip;
        continue;
      }
      TakeLoose(std::move(s));
    }
  }
  for (Position at = loose_group_; at.valid();) {
    const auto header = ParseGroupHeader(GroupBytes(at));
    if (!header) {
      Warn(dir_ + "/chunks-" + std::to_string(at.file) + ": byte " + std::to_string(at.offset) + ": damaged loose group");
      return false;
    }
    old_loose_groups_.push_back(at);
    at = header->prev;
  }
  return true;
}

void HeadWriter::TakeLoose(LooseSample s) {
  if (s.series >= homes_.size()) return;  // its definition did not reach the disk
  const bool histogram = !s.histogram.empty();
  const LastSample now{s.t, histogram ? Xxh3(s.histogram) : std::bit_cast<std::uint64_t>(s.v), histogram};
  auto& last = loose_last_[s.series];
  if (now.t >= last.t) last = now;
  loose_min_ = std::min(loose_min_, s.t);
  loose_max_ = std::max(loose_max_, s.t);
  pending_loose_.push_back(std::move(s));
}

Result<void> HeadWriter::RebuildTiles(bool same_boot, std::uint64_t published) {
  pending_loose_.clear();
  loose_last_.clear();
  old_loose_groups_.clear();
  loose_row_ = loose_group_ = {};
  loose_segment_ = 0;
  loose_min_ = kMaxTimeMs;
  loose_max_ = kMinTimeMs;
  // Same boot: what was published is all there, and nothing else counts.
  std::vector<LooseSample> named;
  const KnownRecord known = [&](const RecordView& r) {
    if (r.type == RecordType::kRow) {
      const RowView row = ParseRow(r);
      return row.layout < layouts_.size() && row.columns <= layouts_[row.layout].series.size();
    }
    Position prev;
    named.clear();
    return ParseLoose(r, &named, &prev) && std::all_of(named.begin(), named.end(), [&](const LooseSample& s) { return s.series < series_.size(); });
  };
  const LogScan log = same_boot ? ScanLogs(logs_, published, published, known) : ScanLogs(logs_, ~std::uint64_t{0}, 0, known);
  // A group counts when its commit does; one from before the log begins when the chain leads to it.
  const auto committed_group = [&](const ScannedGroup& g) {
    return log.commits.empty() ? same_boot : g.header.seq < log.commits.front() || std::binary_search(log.commits.begin(), log.commits.end(), g.header.seq);
  };
  const ChunkScan chunks = ScanChunks(chunks_);
  for (const ScanDamage& d : log.damage)
    Warn(dir_ + "/log-" + std::to_string(d.file) + ": byte " + std::to_string(d.offset) + ": " + std::to_string(d.size) + " bytes are not a record");
  for (const ScanDamage& d : chunks.damage)
    Warn(dir_ + "/chunks-" + std::to_string(d.file) + ": byte " + std::to_string(d.offset) + ": " + std::to_string(d.size) + " bytes are not a group");

  std::vector<std::vector<const ScannedRecord*>> rows(layouts_.size());
  for (const ScannedRecord& r : log.rows)
    rows[r.layout].push_back(&r);
  std::vector<std::vector<const ScannedGroup*>> groups(layouts_.size());
  std::vector<const ScannedGroup*> loose_groups;
  for (const ScannedGroup& g : chunks.groups) {
    if (g.header.kind == GroupKind::kLoose) loose_groups.push_back(&g);
    else if (g.header.layout < layouts_.size()) groups[g.header.layout].push_back(&g);
  }
  std::uint64_t newest = std::max(log.last_seq, control_->committed_seq());

  for (std::uint32_t id = 0; id < layouts_.size(); ++id) {
    Layout& layout = layouts_[id];
    layout.open.clear();
    layout.group = {};
    layout.min_t = kMaxTimeMs;
    layout.max_t = layout.last_t = kMinTimeMs;
    for (const ScannedGroup* g : Chain(groups[id], committed_group, [&](const ScannedGroup* before, const ScannedGroup* g) {
           const std::int64_t from = before != nullptr ? before->header.max_t : kMinTimeMs;
           return std::any_of(rows[id].begin(), rows[id].end(), [&](const ScannedRecord* r) { return r->t > from && r->t <= g->header.max_t; });
         })) {
      layout.group = g->at;
      layout.min_t = std::min(layout.min_t, g->header.min_t);
      layout.max_t = layout.last_t = g->header.max_t;
      newest = std::max(newest, g->header.seq);
    }
    for (const ScannedRecord* r : rows[id]) {
      if (r->t <= layout.last_t) continue;
      layout.open.push_back({r->at, r->t});
      layout.last_t = r->t;
      layout.min_t = std::min(layout.min_t, r->t);
      layout.max_t = r->t;
      layout.row_columns = r->columns;
    }
  }
  std::uint64_t sealed_seq = 0;
  for (const ScannedGroup* g : Chain(loose_groups, committed_group, [&](const ScannedGroup* before, const ScannedGroup* g) {
         const std::uint64_t from = before != nullptr ? before->header.seq : 0;
         return std::any_of(log.loose.begin(), log.loose.end(), [&](const ScannedRecord& r) { return r.seq > from && r.seq <= g->header.seq; });
       })) {
    loose_group_ = g->at;
    old_loose_groups_.push_back(g->at);
    sealed_seq = g->header.seq;
    newest = std::max(newest, g->header.seq);
    loose_min_ = std::min(loose_min_, g->header.min_t);
    loose_max_ = std::max(loose_max_, g->header.max_t);
  }
  std::vector<LooseSample> samples;
  for (const ScannedRecord& r : log.loose) {
    if (r.seq <= sealed_seq) continue;
    const auto record = ParseRecord(LogBytes(r.at));
    Position prev;
    samples.clear();
    if (!record || !ParseLoose(*record, &samples, &prev)) continue;
    for (LooseSample& s : samples) TakeLoose(std::move(s));
    loose_row_ = r.at;
    if (loose_segment_ == 0) loose_segment_ = r.at.file;
  }

  // The old chains may lead through what is lost, so everything open is sealed into
  // groups of a new file, and the table written whole under a new number.
  // Readers of the same boot may be looking on: each entry's newest state stays until the new one is published.
  const std::uint32_t entries = kFirstLayoutEntry + layout_count();
  std::string table(entries * kTileEntryBytes, '\0');
  PROM_ASSIGN(const std::size_t have, tiles_file_->ReadAt(TileEntryOffset(0), table.data(), table.size()));
  (void)have;
  const std::string zeros(kTileSlotBytes, '\0');
  for (std::uint32_t entry = 0; entry < entries; ++entry) {
    std::uint64_t seqs[2] = {};
    for (std::uint8_t slot = 0; slot < 2; ++slot) {
      const char* bytes = table.data() + std::size_t{entry} * kTileEntryBytes + slot * kTileSlotBytes;
      if (std::all_of(bytes, bytes + kTileSlotBytes, [](char c) { return c == 0; })) continue;
      // The sequence is the first field of both kinds; a damaged slot counts as the oldest.
      const bool holds = entry == kExtentEntry ? DecodeExtentSlot(bytes, entry).has_value() : DecodeTileSlot(bytes, entry).has_value();
      if (!holds) continue;
      seqs[slot] = LoadLe<std::uint64_t>(bytes);
      newest = std::max(newest, seqs[slot]);
      if (seqs[slot] <= published) continue;
      seqs[slot] = 0;
      PROM_TRY(tiles_file_->WriteAt(TileEntryOffset(entry) + slot * kTileSlotBytes, zeros));
    }
    const std::uint8_t best = seqs[0] > seqs[1] ? 0 : 1;
    if (entry == kLooseEntry) loose_slot_ = best;
    else if (entry == kExtentEntry) extent_slot_ = best;
    else layouts_[entry - kFirstLayoutEntry].newest_slot = best;
  }
  const std::uint64_t seq = newest + kSequenceGap;
  next_seq_ = seq;
  HeadBatch nothing;
  Stage(&nothing);
  for (std::uint32_t id = 0; id < layouts_.size(); ++id) {
    Touch(id);
    PROM_TRY(SealLayout(id, seq, true));
  }
  PROM_TRY(SealLoose(seq));
  loose_rewrite_ = true;
  extents_ = ExtentState{};
  table_layouts_ = layout_count();
  auto done = Publish(seq);
  loose_rewrite_ = false;
  if (!done) {
    Undo();
    return done;
  }
  Finish(seq);
  const auto wipe = [&](std::uint32_t entry, std::uint8_t newest_slot) {
    return tiles_file_->WriteAt(TileEntryOffset(entry) + (newest_slot ^ 1) * kTileSlotBytes, zeros);
  };
  PROM_TRY(wipe(kLooseEntry, loose_slot_));
  PROM_TRY(wipe(kExtentEntry, extent_slot_));
  for (std::uint32_t id = 0; id < layouts_.size(); ++id) PROM_TRY(wipe(kFirstLayoutEntry + id, layouts_[id].newest_slot));
  // Batches of older segments that were not taken now must not be later, when more is known to be synced.
  PROM_TRY(StartSegment(log.last_seq));
  PROM_TRY(LogEmptyCommit(seq));
  log_offset_ += kCommitRecordBytes;
  logged_seq_ = seq;
  return {};
}

}  // namespace prom::store
