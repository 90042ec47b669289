// HeadReader::Verify: every record, row, group and chunk of an epoch, by its checksum
// and by decoding it; then every chain a query would follow.
#include <algorithm>
#include <array>

#include "store/head_impl.h"
#include "store/head_snapshot.h"
#include "store/recovery.h"

namespace prom::store {

namespace {

// "path: byte N: what" back into its parts.
HeadReader::Problem FromText(const std::string& text) {
  HeadReader::Problem p;
  p.what = text;
  p.max_ms = -1;
  const std::size_t at = text.find(": byte ");
  if (at == std::string::npos) return p;
  p.file = text.substr(0, at);
  std::size_t end = at + 7;
  while (end < text.size() && text[end] >= '0' && text[end] <= '9') p.offset = p.offset * 10 + static_cast<std::uint64_t>(text[end++] - '0');
  if (text.compare(end, 2, ": ") == 0 || text.compare(end, 2, "; ") == 0) p.what = text.substr(end + 2);
  return p;
}

}  // namespace

Result<std::vector<HeadReader::Problem>> HeadReader::Verify(std::uint64_t* samples_shown) {
  PROM_ASSIGN(const auto snapshot, Snapshot());
  const auto& head = static_cast<const HeadSnapshotImpl&>(*snapshot);
  HeadFiles& files = *impl_->files;
  std::vector<Problem> out;
  const auto add = [&](const std::string& file, std::uint64_t offset, const std::string& what, std::int64_t min_ms = 0, std::int64_t max_ms = -1) {
    const bool known = std::any_of(out.begin(), out.end(), [&](const Problem& p) { return p.file == file && p.offset == offset; });
    if (!known && out.size() < 10'000) out.push_back({file, offset, what, "", min_ms, max_ms});
  };
  const auto add_text = [&](const std::string& text) {
    const Problem p = FromText(text);
    add(p.file, p.offset, p.what);
  };
  for (const std::string& w : snapshot->warnings()) add_text(w);

  const ExtentState& extents = head.state().extents;
  const auto walk = [&](const MappedFile& file, std::uint64_t end, auto parse, const char* what) {
    const std::string_view bytes = end > kFileHeaderSize ? file.At(0, end) : std::string_view();
    if (bytes.empty() && end > kFileHeaderSize) add(file.path(), 0, "is shorter than what was published: " + std::to_string(end) + " bytes");
    bool lost = false;
    for (std::size_t at = kFileHeaderSize; at < bytes.size();) {
      const std::uint64_t size = parse(bytes.substr(at));
      if (size == 0 && !lost) add(file.path(), at, what);
      lost = size == 0;
      at += size == 0 ? 4 : size;
    }
  };
  walk(files.series(), extents.series_bytes, [](std::string_view b) { auto r = ParseSeriesRecord(b); return r && Labels::FromBytes(r->labels) ? r->size : 0; }, "damaged series");
  walk(files.layouts(), extents.layouts_bytes, [](std::string_view b) { auto r = ParseLayoutRecord(b); return r ? r->size : 0; }, "damaged layout");
  std::vector<std::pair<std::uint32_t, std::uint32_t>> homes;
  for (std::uint32_t id = 0; id < extents.series; ++id)
    if (!files.Homes(id, extents, &homes)) add(files.dir() + "/homes", HomeOffset(id), "damaged entry of series " + std::to_string(id));
  for (const IndexSegment& segment : head.series().segments)
    for (const std::string& w : segment.index->Verify()) add_text(w);

  // Torn ends are what a killed writer leaves; if a chain leads into one, it is told below.
  const LogScan log = ScanLogs(head.state().logs, head.state().seq, head.state().seq);
  for (const ScanDamage& d : log.damage)
    if (!d.at_end) add(files.dir() + "/log-" + std::to_string(d.file), d.offset, std::to_string(d.size) + " bytes are not a record");
  // A tile table that was cut off may still look like an older one.
  for (const ScannedRecord& row : log.rows) {
    if (row.layout < extents.layouts && row.t <= head.state().layouts[row.layout].max_t && row.t >= head.state().layouts[row.layout].min_t) continue;
    add(files.dir() + "/tiles", TileEntryOffset(std::uint64_t{kFirstLayoutEntry} + row.layout), "does not know rows that the log has", row.t, row.t);
  }
  const NumberedFiles chunk_files = files.AllChunks();
  const ChunkScan chunks = ScanChunks(chunk_files);
  for (const ScanDamage& d : chunks.damage)
    if (!d.at_end) add(files.dir() + "/chunks-" + std::to_string(d.file), d.offset, "damaged group of " + std::to_string(d.size) + " bytes", d.min_t, d.max_t);
  std::array<double, kMaxTileRows> values;
  std::array<std::uint8_t, kMaxTileRows / 8> mask;
  std::vector<std::int64_t> times;
  std::vector<LooseSample> samples;
  for (const ScannedGroup& g : chunks.groups) {
    if (!g.intact) continue;
    const std::string path = files.dir() + "/chunks-" + std::to_string(g.at.file);
    const std::string_view bytes = chunk_files.at(g.at.file)->At(g.at.offset, g.header.size);
    if (g.header.kind == GroupKind::kRows) {
      const auto group = RowGroup::Parse(bytes);
      times.clear();
      auto done = group ? group->Times(&times) : Result<void>(group.error());
      for (std::uint32_t slot = 0; done && slot < g.header.columns; ++slot) {
        std::uint32_t count = 0;
        bool no_resets = false;
        done = group->Column(slot, values.data(), &count, mask.data(), &no_resets);
      }
      if (!done) add(path, g.at.offset, done.error().message, g.header.min_t, g.header.max_t);
      continue;
    }
    const auto group = LooseGroup::Parse(bytes);
    auto done = group ? Result<void>() : Result<void>(group.error());
    for (std::uint32_t i = 0; done && i < group->size(); ++i) {
      samples.clear();
      done = group->Read(group->series(i), &samples);
    }
    if (!done) add(path, g.at.offset, done.error().message, g.header.min_t, g.header.max_t);
  }
  std::uint64_t shown = head.LooseSamples();
  for (std::uint32_t id = 0; id < extents.layouts; ++id) {
    const auto& view = head.View(id);
    for (const std::string& w : view->warnings) add_text(w);
    for (const GroupList::Item& item : view->sealed->items)
      for (std::uint32_t slot = 0; slot < item.group.header().columns; ++slot) shown += item.group.CountSamples(slot);
    for (const RowView& row : view->open) shown += row.value_count;
  }
  for (const std::string& w : head.LooseWarnings()) add_text(w);
  // What checksums of records and groups do not cover. A writer may have been killed before it wrote one.
  const auto header = [&](const MappedFile& file, std::string_view magic) {
    const std::string_view bytes = file.At(0, kFileHeaderSize);
    if (std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == 0; })) return;
    if (auto sound = CheckFileHeader(bytes, magic, file.path()); !sound) add(file.path(), 0, "damaged file header");
  };
  for (const auto& [n, file] : head.state().logs)
    if (file != nullptr) header(*file, kLogMagic);
  for (const auto& [n, file] : chunk_files)
    if (file != nullptr) header(*file, kChunksMagic);
  if (samples_shown != nullptr) *samples_shown = shown;
  return out;
}

}  // namespace prom::store
