#include "store/repair.h"

#include <algorithm>
#include <set>

#include "base/strings.h"
#include "base/ulid.h"
#include "store/block_reader.h"
#include "store/block_selection.h"
#include "store/block_writer.h"
#include "store/data_dir.h"
#include "store/head_format.h"
#include "store/requests.h"
#include "store/staging.h"
#include "store/tombstones.h"

namespace prom::store {
namespace {

// A block with those series whose labels can be read; what else is damaged costs
// chunks, which reading leaves out.
class SoundPart : public Queryable {
 public:
  explicit SoundPart(std::shared_ptr<const BlockReader> block) : block_(std::move(block)) {
    for (std::uint32_t rank = 0; rank < block_->index().series_count(); ++rank) {
      if (block_->index().ReadLabels(rank) && block_->index().ReadPayload(rank)) ranks_.push_back(rank);
    }
    // Ranks are in the order of labels; a damaged page could break that.
    for (std::size_t i = 1; i < ranks_.size(); ++i) {
      const auto a = block_->index().ReadLabels(ranks_[i - 1]), b = block_->index().ReadLabels(ranks_[i]);
      if (!(*a < *b)) {
        ranks_.erase(ranks_.begin() + static_cast<std::ptrdiff_t>(i));
        --i;
      }
    }
  }
  std::uint64_t lost_series() const { return block_->index().series_count() - ranks_.size(); }

  Result<std::unique_ptr<Selection>> Select(const Matchers&, std::int64_t, std::int64_t) const override { return BlockSelection::Make(block_, ranks_); }
  Result<std::vector<std::string>> LabelNames(const Matchers& m, std::int64_t lo, std::int64_t hi) const override { return block_->LabelNames(m, lo, hi); }
  Result<std::vector<std::string>> LabelValues(std::string_view n, const Matchers& m, std::int64_t lo, std::int64_t hi) const override { return block_->LabelValues(n, m, lo, hi); }
  Result<std::vector<std::pair<std::string, Metadata>>> ListMetadata() const override {
    auto all = block_->ListMetadata();
    return all ? std::move(*all) : std::vector<std::pair<std::string, Metadata>>{};
  }
  Result<std::vector<SeriesExemplars>> Exemplars(const std::vector<Matchers>& any_of, std::int64_t lo, std::int64_t hi) const override {
    auto all = block_->Exemplars(any_of, lo, hi);
    return all ? std::move(*all) : std::vector<SeriesExemplars>{};
  }
  std::pair<std::int64_t, std::int64_t> TimeRange() const override { return block_->TimeRange(); }

 private:
  std::shared_ptr<const BlockReader> block_;
  std::vector<std::uint32_t> ranks_;
};

class Repairer {
 public:
  Repairer(Io& io, Clock& clock, const std::string& dir, RepairSummary* out) : io_(io), clock_(clock), dir_(dir), out_(out) {}

  Result<void> Run() {
    // Becoming the writer mends the control page by itself; then there is something to look at.
    auto before = VerifyDataDir(io_, dir_);
    if (!before && before.error().code != Errc::kCorrupt) return std::move(before.error());
    if (before && before->problems.empty()) {
      out_->before = out_->after = std::move(*before);
      return {};
    }
    PROM_ASSIGN(access_, WriterAccess::Open(io_, clock_, dir_, {}));
    PROM_ASSIGN(const bool set_aside, SetTombstonesAside());
    if (!before) {
      if (!set_aside) out_->done.push_back(before.error().message + ": made anew");
      before = VerifyDataDir(io_, dir_);
      if (!before) return std::move(before.error());
    }
    out_->before = std::move(*before);
    PROM_TRY(Blocks());
    PROM_TRY(Head());
    PROM_TRY(access_->Close());
    PROM_ASSIGN(out_->after, VerifyDataDir(io_, dir_));
    return {};
  }

 private:
  bool Damaged(const std::string& path) const {
    return std::any_of(out_->before.problems.begin(), out_->before.problems.end(), [&](const Problem& p) { return p.file == path || p.file.starts_with(path + "/"); });
  }

  // With deletions that nobody can read nothing may be compacted or rewritten, not even the head.
  Result<bool> SetTombstonesAside() {
    PROM_ASSIGN(const auto control, ControlPage::OpenRead(io_, dir_));
    PROM_ASSIGN(const Manifest m, ReadManifest(io_, dir_, control->generation()));
    const auto read = ReadTombstones(io_, dir_, m);
    if (read) return false;
    if (read.error().code != Errc::kCorrupt && read.error().code != Errc::kNotFound) return read.error();
    const std::string path = JoinPath(dir_, m.tombstones);
    const auto text = ReadFile(io_, path);
    PROM_TRY(access_->SetTombstonesAside(m.tombstones));
    std::string said = read.error().message + ": deleted samples that have not been compacted show again";
    if (text) said += "; the original is in " + JoinPath(dir_, "damaged/" + m.tombstones);
    out_->done.push_back(said);
    for (const Tombstone& t : GuessTombstones(text ? *text : std::string())) {
      std::vector<std::string> matchers;
      for (const Matcher& matcher : t.matchers) matchers.push_back(matcher.ToString());
      said = path + ": it may have deleted {" + Join(matchers, ",") + "}";
      if (t.min_ms != kMinTimeMs) said += " from " + FormatTimeRfc3339(t.min_ms);
      if (t.max_ms != kMaxTimeMs) said += " to " + FormatTimeRfc3339(t.max_ms);
      out_->done.push_back(said + ": delete it again if so");
    }
    return true;
  }

  Result<void> Blocks() {
    PROM_ASSIGN(const auto data, DataDir::Open(io_, dir_));
    PROM_ASSIGN(const auto parts, data->OpenParts());
    PROM_ASSIGN(const Tombstones tombstones, ReadTombstones(io_, dir_, parts->manifest));
    std::unique_ptr<Staging> staging;
    for (const auto& block : parts->blocks) {
      const std::string path = BlockDir(dir_, block.entry.ulid);
      if (!Damaged(path)) continue;
      BlockSwap swap;
      swap.remove = {block.entry.ulid};
      swap.tombstones = parts->manifest.tombstones;
      swap.keep_removed = true;
      std::string said = path + ": ";
      if (block.reader == nullptr) {
        said += "cannot be opened, none of its " + std::to_string(block.entry.samples) + " samples could be saved";
      } else {
        if (staging == nullptr) {
          PROM_ASSIGN(staging, Staging::Make(io_, dir_, clock_.NowMs()));
        }
        auto sound = std::make_shared<SoundPart>(block.reader);
        BlockWriterOptions write;
        write.ulid = UlidAfter(block.entry.ulid);
        write.level = block.entry.level;
        write.sources = {block.entry.ulid};
        write.best_compression = true;
        PROM_ASSIGN(const BlockInfo info, WriteBlock(io_, staging->dir(), *HideDeleted(sound, OfBlock(tombstones, block.entry.ulid)), kMinTimeMs, kMaxTimeMs, write));
        swap.staging = staging->name();
        if (info.samples != 0) swap.add = {info.ulid};
        said += std::to_string(info.samples) + " of " + std::to_string(block.entry.samples) + " samples saved";
        if (info.samples != 0) said += " as block " + info.ulid;
        if (sound->lost_series() != 0) said += "; the labels of " + std::to_string(sound->lost_series()) + " series are lost";
      }
      PROM_TRY(access_->ReplaceBlocks(swap));
      out_->done.push_back(said + "; the original is in " + JoinPath(dir_, "damaged/" + block.entry.ulid));
      // Taking a block out may have taken the file of tombstones with it.
      PROM_ASSIGN(const auto now, data->OpenParts());
      if (now->manifest.tombstones != parts->manifest.tombstones) return Blocks();
    }
    return {};
  }

  Result<void> Head() {
    PROM_ASSIGN(const auto data, DataDir::Open(io_, dir_));
    PROM_ASSIGN(const auto parts, data->OpenParts());
    bool damaged = false;
    for (const auto& epoch : parts->epochs) {
      const std::string path = EpochDir(dir_, epoch.entry.number);
      if (!Damaged(path)) continue;
      damaged = true;
      // Links: the files are never changed once the epoch is a block.
      const std::string kept = JoinPath(dir_, "damaged/head-" + std::to_string(epoch.entry.number));
      PROM_TRY(MakeDirs(io_, kept));
      PROM_ASSIGN(const auto files, io_.List(path));
      for (const DirEntry& file : files)
        if (!file.is_dir) (void)io_.Link(JoinPath(path, file.name), JoinPath(kept, file.name));
      out_->done.push_back(path + ": what could be read became a block; the original is in " + kept);
    }
    if (damaged) PROM_TRY(access_->Flush());
    return {};
  }

  Io& io_;
  Clock& clock_;
  const std::string& dir_;
  RepairSummary* out_;
  std::unique_ptr<WriterAccess> access_;
};

}  // namespace

Result<RepairSummary> RepairDataDir(Io& io, Clock& clock, const std::string& data_dir) {
  RepairSummary out;
  PROM_TRY(Repairer(io, clock, data_dir, &out).Run());
  return out;
}

}  // namespace prom::store
