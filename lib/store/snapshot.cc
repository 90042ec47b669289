#include "store/snapshot.h"

#include <algorithm>

#include "base/ulid.h"
#include "store/block_writer.h"
#include "store/data_dir.h"
#include "store/tombstones.h"
#include "store/writer.h"

namespace prom::store {
namespace {

constexpr std::size_t kCopyBytes = 1u << 20;
constexpr int kAttempts = 10;

class SnapshotMaker {
 public:
  SnapshotMaker(Io& io, Clock& clock, const std::string& data_dir, std::string to, const SnapshotOptions& options)
      : io_(io), clock_(clock), data_dir_(data_dir), to_(std::move(to)), options_(options) {}

  Result<SnapshotSummary> Run() {
    PROM_ASSIGN(const auto dir, DataDir::Open(io_, data_dir_));
    for (int attempt = 1;; ++attempt) {
      PROM_TRY(Clean());
      summary_ = {};
      auto done = Fill(*dir);
      if (done) break;
      (void)RemoveTree(io_, to_);
      // A block was merged or dropped under us: again, with those that are there now.
      if (done.error().code != Errc::kNotFound || attempt == kAttempts) return std::move(done.error());
    }
    return std::move(summary_);
  }

 private:
  // What a killed snapshot left, which began with its lock and control page; never something else.
  Result<void> Clean() {
    PROM_ASSIGN(const bool there, io_.Exists(to_));
    if (!there) return {};
    PROM_ASSIGN(const bool begun, io_.Exists(JoinPath(to_, "CURRENT")));
    PROM_ASSIGN(const auto entries, io_.List(to_));
    if (!begun && std::any_of(entries.begin(), entries.end(), [](const DirEntry& e) { return e.name != "lock" && !e.name.starts_with("CURRENT"); })) return Error{Errc::kInvalid, to_ + ": is in the way"};
    return RemoveTree(io_, to_);
  }

  Result<void> Canceled() const {
    if (options_.canceled && options_.canceled()) return Error{Errc::kCanceled, "stopped: no snapshot was made"};
    return {};
  }

  Result<void> Fill(DataDir& dir) {
    PROM_ASSIGN(const auto parts, dir.OpenParts());
    for (const auto& block : parts->blocks) total_ += block.entry.bytes;
    WriterOptions options;
    options.background = false;
    PROM_ASSIGN(const auto writer, Writer::Open(io_, clock_, to_, options));
    std::vector<ManifestBlock> blocks;
    for (const auto& block : parts->blocks) {
      PROM_TRY(Canceled());
      PROM_TRY(TakeBlock(block.entry.ulid));
      if (!block.error.empty()) summary_.warnings.push_back(block.error + "; taken over as it is");
      blocks.push_back(block.entry);
      summary_.bytes += block.entry.bytes;
      if (options_.on_progress) options_.on_progress(summary_.bytes, total_);
    }
    for (const auto& epoch : parts->epochs) {
      PROM_TRY(Canceled());
      if (epoch.snapshot == nullptr) {
        summary_.warnings.push_back(epoch.error + "; left out");
        continue;
      }
      const auto source = HideDeleted(epoch.snapshot, OfEpoch(parts->tombstones, epoch.entry.number));
      const auto [min_ms, max_ms] = source->TimeRange();
      if (min_ms > max_ms) continue;
      BlockWriterOptions write;
      write.ulid = NewUlid(clock_.NowMs());
      PROM_ASSIGN(BlockInfo info, WriteBlock(io_, to_, *source, min_ms, max_ms, write));
      summary_.warnings.insert(summary_.warnings.end(), info.warnings.begin(), info.warnings.end());
      summary_.head_samples += info.samples;
      if (info.samples != 0) blocks.push_back(info.ForManifest());
    }
    summary_.blocks = blocks.size();
    Tombstones tombstones = parts->tombstones;
    for (Tombstone& t : tombstones) {
      t.epochs.clear();  // what they hid is left out of the block
      std::erase_if(t.blocks, [&](const std::string& ulid) { return std::none_of(blocks.begin(), blocks.end(), [&](const auto& b) { return b.ulid == ulid; }); });
    }
    std::erase_if(tombstones, [](const Tombstone& t) { return t.blocks.empty(); });
    Result<void> wrote;
    PROM_TRY(writer->EditManifest([&](Manifest* m) {
      m->blocks = blocks;
      m->Sort();
      if (tombstones.empty()) return true;
      m->tombstones = "tombstones-" + std::to_string(m->generation + 1);
      wrote = WriteFileAtomic(io_, JoinPath(to_, m->tombstones), FormatTombstones(tombstones));
      return static_cast<bool>(wrote);
    }));
    PROM_TRY(std::move(wrote));
    return writer->Close();
  }

  Result<void> TakeBlock(const std::string& ulid) {
    const std::string from = BlockDir(data_dir_, ulid), dir = BlockDir(to_, ulid);
    PROM_ASSIGN(const auto files, io_.List(from));
    PROM_TRY(MakeDirs(io_, dir));
    bool linked = true;
    for (const DirEntry& file : files) {
      if (file.is_dir) continue;
      const std::string source = JoinPath(from, file.name), target = JoinPath(dir, file.name);
      auto done = copy_ ? Result<void>(Error{Errc::kIo, {}}) : io_.Link(source, target);
      if (done) continue;
      if (done.error().code == Errc::kNotFound) return done;
      copy_ = true;  // another file system, or one without links: all that follow as well
      linked = false;
      PROM_TRY(Copy(source, target));
    }
    ++(linked ? summary_.linked : summary_.copied);
    PROM_TRY(io_.SyncDir(dir));
    return io_.SyncDir(JoinPath(to_, "blocks"));
  }

  Result<void> Copy(const std::string& source, const std::string& target) {
    PROM_ASSIGN(const auto in, io_.Open(source, Io::Mode::kRead));
    PROM_ASSIGN(const auto out, io_.Open(target, Io::Mode::kCreateNew));
    std::string buffer(kCopyBytes, '\0');
    for (std::uint64_t at = 0;;) {
      PROM_TRY(Canceled());
      PROM_ASSIGN(const std::size_t n, in->ReadAt(at, buffer.data(), buffer.size()));
      if (n == 0) break;
      PROM_TRY(out->WriteAt(at, std::string_view(buffer).substr(0, n)));
      at += n;
    }
    return out->Sync();
  }

  Io& io_;
  Clock& clock_;
  const std::string& data_dir_;
  const std::string to_;
  const SnapshotOptions& options_;
  SnapshotSummary summary_;
  std::uint64_t total_ = 0;
  bool copy_ = false;
};

}  // namespace

Result<SnapshotSummary> MakeSnapshot(Io& io, Clock& clock, const std::string& data_dir, const std::string& to, const SnapshotOptions& options) {
  std::string target = to;
  while (target.size() > 1 && target.back() == '/') target.pop_back();
  PROM_ASSIGN(const bool there, io.Exists(target));
  if (there) return Error{Errc::kInvalid, target + ": exists already; a snapshot wants a new directory"};
  const std::string partial = target + ".partial";
  PROM_ASSIGN(SnapshotSummary summary, SnapshotMaker(io, clock, data_dir, partial, options).Run());
  PROM_TRY(io.Rename(partial, target));
  PROM_TRY(io.SyncDir(DirName(target)));
  return summary;
}

}  // namespace prom::store
