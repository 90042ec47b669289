// Taking a snapshot: the committed sequence C, a copy of the tile table, and of
// each entry the newest state that is not above C. If the writer has moved on so
// far that an entry has none, start again: that costs the writer two commits of
// one layout for each try, so it ends. A writer that died holds nobody up: it
// leaves C and one good slot an entry.
#include "store/head_reader.h"

#include <sched.h>

#include <algorithm>

#include "store/head_impl.h"
#include "store/head_snapshot.h"

namespace prom::store {

HeadReader::~HeadReader() = default;

Result<std::shared_ptr<HeadReader>> HeadReader::Open(Io& io, const std::string& data_dir, std::uint64_t epoch, std::shared_ptr<ControlPage> control) {
  auto impl = std::make_shared<Impl>();
  impl->control = std::move(control);
  PROM_ASSIGN(impl->files, HeadFiles::Open(io, EpochDir(data_dir, epoch)));
  return std::shared_ptr<HeadReader>(new HeadReader(std::move(impl)));
}

namespace {

// A slot may be in the middle of being written; after so many tries it is damaged.
constexpr int kTriesBeforeDamage = 50;
constexpr int kTriesBeforeGivingUp = 10'000;

template <typename State>
struct Choice {
  bool found = false;    // a state not above C
  bool damaged = false;  // a slot does not hold
  bool ahead = false;    // a state above C
  State state;
};

template <typename State, typename Decode>
Choice<State> Choose(const char* entry, std::uint32_t number, std::uint64_t committed, Decode decode) {
  Choice<State> out;
  if (BlankTileEntry(entry)) {
    out.damaged = true;
    return out;
  }
  for (int slot = 0; slot < 2; ++slot) {
    const auto s = decode(entry + slot * kTileSlotBytes, number);
    if (!s) {
      out.damaged = true;
    } else if (s->seq > committed) {
      out.ahead = true;
    } else if (!out.found || s->seq > out.state.seq) {
      out.found = true;
      out.state = *s;
    }
  }
  return out;
}

}  // namespace

Result<std::shared_ptr<const HeadSnapshot>> HeadReader::Snapshot(bool find_series) {
  HeadFiles& files = *impl_->files;
  std::string table;
  for (int attempt = 0;; ++attempt) {
    if (attempt > kTriesBeforeGivingUp) return Error{Errc::kCorrupt, files.dir() + "/tiles: no state of the head holds"};
    if (attempt > 3) ::sched_yield();
    const bool last_word = attempt >= kTriesBeforeDamage;  // take what is there, and say what is not
    HeadState state;
    state.seq = impl_->control->committed_seq();
    PROM_ASSIGN(const std::uint64_t size, files.tiles().Size());
    const std::uint64_t begin = TileEntryOffset(0);
    const std::size_t entries = size > begin ? (size - begin + kTileEntryBytes - 1) / kTileEntryBytes : 0;
    table.assign(std::max<std::size_t>(entries, kFirstLayoutEntry) * kTileEntryBytes, '\0');
    PROM_ASSIGN(const std::size_t read, files.tiles().ReadAt(begin, table.data(), table.size()));
    (void)read;
    const auto warn = [&](std::uint32_t entry, const char* lost) {
      state.warnings.push_back(files.dir() + "/tiles: byte " + std::to_string(TileEntryOffset(entry)) + ": damaged entry; " + lost);
    };

    const auto extents = Choose<ExtentState>(table.data() + kExtentEntry * kTileEntryBytes, kExtentEntry, state.seq, DecodeExtentSlot);
    if ((!extents.found || extents.damaged) && !last_word) continue;
    if (!extents.found && extents.ahead) continue;
    if (extents.damaged) warn(kExtentEntry, extents.found ? "newest series may be missing" : "what is not in blocks yet is missing");
    state.extents = extents.state;
    // What is published has an entry, whole.
    if (size < TileEntryOffset(std::uint64_t{kFirstLayoutEntry} + state.extents.layouts)) {
      if (!last_word) continue;
      state.warnings.push_back(files.dir() + "/tiles: byte " + std::to_string(size) + ": cut off; newest samples may be missing");
    }
    const auto loose = Choose<TileState>(table.data() + kLooseEntry * kTileEntryBytes, kLooseEntry, state.seq, DecodeTileSlot);
    if ((!loose.found || loose.damaged) && !last_word) continue;
    if (!loose.found && loose.ahead) continue;
    if (loose.damaged) warn(kLooseEntry, "newest loose samples may be missing");
    state.loose = loose.found ? loose.state : kNoSamples;

    bool again = false;
    state.layouts.reserve(state.extents.layouts);
    for (std::uint32_t id = 0; id < state.extents.layouts; ++id) {
      const std::uint32_t entry = kFirstLayoutEntry + id;
      Choice<TileState> c;
      if (entry < entries) c = Choose<TileState>(table.data() + std::size_t{entry} * kTileEntryBytes, entry, state.seq, DecodeTileSlot);
      else c.damaged = true;  // cut off
      if ((!c.found && c.ahead) || ((!c.found || c.damaged) && !last_word)) {
        again = true;
        break;
      }
      if (c.damaged) warn(entry, "newest rows may be missing");
      state.layouts.push_back(c.found ? c.state : kNoSamples);
    }
    if (again) continue;

    // Files the writer may drop are held from here on. One that is gone already
    // means that the state is old.
    for (std::uint32_t n = state.extents.first_log; n <= state.extents.last_log && n != 0 && !again; ++n) {
      auto file = files.Log(n);
      if (file == nullptr && !last_word) again = true;
      state.logs.emplace(n, std::move(file));
    }
    if (auto newer = files.newer_format()) return std::move(*newer);
    if (again) continue;
    files.ForgetLogsBelow(state.extents.first_log);
    if (state.extents.extras != 0) {
      state.extras = files.ExtrasFile(state.extents.extras);
      if (state.extras == nullptr) {
        if (!last_word) continue;
        state.warnings.push_back(files.dir() + "/" + ExtrasName(state.extents.extras) + ": cannot be opened; exemplars and metadata are left out");
      }
    }
    std::uint32_t newest_chunks = state.loose.group.file;
    for (const TileState& s : state.layouts) newest_chunks = std::max(newest_chunks, s.group.file);
    for (std::uint32_t n = 1; n <= newest_chunks && n < 1u << 20; ++n) (void)files.Chunks(n);

    if (auto newer = files.newer_format()) return std::move(*newer);
    SeriesView series = find_series ? files.Series(state.extents) : SeriesView();
    return std::shared_ptr<const HeadSnapshot>(std::make_shared<HeadSnapshotImpl>(impl_->files, std::move(state), std::move(series), !find_series));
  }
}

}  // namespace prom::store
