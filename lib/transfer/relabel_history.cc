#include "transfer/relabel_history.h"

#include <algorithm>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/ulid.h"
#include "store/block_writer.h"
#include "store/compact.h"
#include "store/merged.h"
#include "store/requests.h"
#include "store/staging.h"
#include "store/tombstones.h"

namespace prom::transfer {
namespace {

constexpr std::int64_t kBlockMs = 2 * 3'600'000;
constexpr int kAttempts = 20;

Error Stopped() { return {Errc::kCanceled, "stopped: nothing was relabelled"}; }
Error Damaged(const std::string& what) { return {Errc::kCorrupt, "not relabelled, as samples would be lost: " + what + " (see promstore verify --repair)"}; }

class Measurer {
 public:
  Measurer(const store::DataDir::Parts& parts, const RelabelOptions& options) : parts_(parts), options_(options), job_(options.job) {}

  Result<RelabelSummary> Run() {
    PROM_TRY(OpenSources());
    const store::MergedQueryable before(sources_);
    PROM_TRY(ReadMatching(before));
    if (!targets_.empty()) PROM_TRY(CountMerged(before));
    return summary_;
  }

 private:
  struct Target {
    std::uint64_t series = 0;   // that get these labels, or have and keep them
    std::uint64_t samples = 0;  // of these
  };

  // Blocks by the time they were made, then the head, as DataDir::Merge has them.
  Result<void> OpenSources() {
    if (!parts_.warnings.empty()) return Damaged(parts_.warnings[0]);
    std::vector<const store::DataDir::Parts::Block*> blocks;
    for (const auto& block : parts_.blocks) {
      if (block.reader == nullptr) return Damaged(block.error);
      blocks.push_back(&block);
    }
    std::sort(blocks.begin(), blocks.end(), [](const auto* a, const auto* b) { return a->entry.ulid < b->entry.ulid; });
    for (const auto* block : blocks) {
      sources_.push_back(store::HideDeleted(block->reader, store::OfBlock(parts_.tombstones, block->entry.ulid)));
      total_ += block->entry.samples;
    }
    for (const auto& epoch : parts_.epochs) {
      if (epoch.snapshot == nullptr) return Damaged(epoch.error);
      if (const auto losses = epoch.snapshot->losses(); !losses.empty()) return Damaged(losses[0]);
      sources_.push_back(store::HideDeleted(epoch.snapshot, store::OfEpoch(parts_.tombstones, epoch.entry.number)));
    }
    return {};
  }

  Result<std::uint64_t> Samples(const Selection& selection, std::size_t i) {
    if (i % 64 == 0 && options_.canceled && options_.canceled()) return Stopped();
    PROM_TRY(selection.Read(i, job_.min_ms, job_.max_ms, &columns_));
    if (!columns_.warnings.empty()) return Damaged(columns_.warnings[0]);
    const std::uint64_t n = columns_.t.size() + columns_.histograms.size();
    read_ += n;
    if (options_.on_progress) options_.on_progress("reading", read_, total_);
    return n;
  }

  Result<void> ReadMatching(const Queryable& before) {
    PROM_ASSIGN(const auto matching, before.Select(job_.matchers, job_.min_ms, job_.max_ms));
    for (std::size_t i = 0; i < matching->size(); ++i) {
      PROM_ASSIGN(const std::uint64_t samples, Samples(*matching, i));
      if (samples == 0) continue;
      const Labels& from = matching->labels(i);
      const auto to = Relabel(job_, from);
      ++summary_.series;
      if (to == from) continue;
      if (to) {
        ++summary_.changed;
        summary_.changed_samples += samples;
        Target& target = targets_[*to];
        ++target.series;
        target.samples += samples;
      } else {
        ++summary_.dropped;
        summary_.dropped_samples += samples;
      }
      if (options_.on_change) options_.on_change(from, to ? &*to : nullptr, samples);
    }
    return {};
  }

  // What becomes one, and what of it lies at the same times.
  Result<void> CountMerged(const Queryable& before) {
    {
      PROM_ASSIGN(const auto all, before.Select({}, job_.min_ms, job_.max_ms));
      for (std::size_t i = 0; i < all->size(); ++i) {
        const auto target = targets_.find(all->labels(i));
        if (target == targets_.end() || Relabel(job_, all->labels(i)) != all->labels(i)) continue;
        PROM_ASSIGN(const std::uint64_t samples, Samples(*all, i));
        if (samples == 0) continue;
        ++target->second.series;
        target->second.samples += samples;
      }
    }
    std::erase_if(targets_, [](const auto& t) { return t.second.series < 2; });
    if (targets_.empty()) return {};
    std::vector<std::shared_ptr<const Queryable>> views;
    for (const auto& source : sources_) {
      PROM_ASSIGN(auto view, RelabelView::Make(source, job_));
      views.push_back(std::move(view));
    }
    const store::MergedQueryable after(std::move(views));
    PROM_ASSIGN(const auto relabelled, after.Select({}, job_.min_ms, job_.max_ms));
    for (std::size_t i = 0; i < relabelled->size(); ++i) {
      const auto target = targets_.find(relabelled->labels(i));
      if (target == targets_.end()) continue;
      PROM_ASSIGN(const std::uint64_t samples, Samples(*relabelled, i));
      summary_.merged += target->second.series - 1;
      summary_.overlaps += target->second.samples - samples;
    }
    return {};
  }

  const store::DataDir::Parts& parts_;
  const RelabelOptions& options_;
  const RelabelJob& job_;
  std::vector<std::shared_ptr<const Queryable>> sources_;
  std::unordered_map<Labels, Target> targets_;  // labels that some series get
  SeriesColumns columns_;
  std::uint64_t read_ = 0, total_ = 0;
  RelabelSummary summary_;
};

class Rewriter {
 public:
  Rewriter(Io& io, Clock& clock, const RelabelOptions& options) : io_(io), clock_(clock), options_(options) {}

  Result<RelabelSummary> Run() {
    PROM_ASSIGN(const auto dir, store::DataDir::Open(io_, options_.data_dir));
    {
      PROM_ASSIGN(const auto access, store::WriterAccess::Open(io_, clock_, options_.data_dir, {}));
      PROM_TRY(access->Flush());
      PROM_TRY(access->Close());
    }
    PROM_ASSIGN(auto parts, dir->OpenParts());
    PROM_ASSIGN(summary_, MeasureRelabel(*parts, options_));
    if (summary_.changed == 0 && summary_.dropped == 0) return summary_;
    PROM_ASSIGN(staging_, store::Staging::Make(io_, options_.data_dir, clock_.NowMs()));
    for (int attempt = 1;; ++attempt) {
      PROM_TRY(Write(*parts));
      auto done = Swap(*parts);
      if (done) return summary_;
      if (done.error().code != Errc::kUnavailable || attempt == kAttempts) return std::move(done.error());
      // The running store has merged or dropped some of them: what came in their place is to be written as well.
      PROM_ASSIGN(parts, dir->OpenParts());
    }
  }

 private:
  bool InRange(const store::ManifestBlock& b) const { return b.min_ms <= options_.job.max_ms && b.max_ms >= options_.job.min_ms; }

  // What of `parts` has not been written yet.
  Result<void> Write(const store::DataDir::Parts& parts) {
    if (parts.manifest.tombstones != tombstones_) {
      // Samples were deleted, or that was taken back: in all of the blocks, maybe.
      for (const auto& [old, written] : written_)
        if (!written.empty()) PROM_TRY(RemoveTree(io_, store::BlockDir(staging_->dir(), written)));
      written_.clear();
      tombstones_ = parts.manifest.tombstones;
    }
    std::uint64_t done = 0, total = 0;
    for (const auto& block : parts.blocks) total += InRange(block.entry) ? block.entry.samples : 0;
    for (const auto& block : parts.blocks) {
      if (!InRange(block.entry)) continue;
      if (!written_.contains(block.entry.ulid)) PROM_TRY(WriteOne(parts, block, done, total));
      done += block.entry.samples;
    }
    return {};
  }

  Result<void> WriteOne(const store::DataDir::Parts& parts, const store::DataDir::Parts::Block& block, std::uint64_t done, std::uint64_t total) {
    if (block.reader == nullptr) return Damaged(block.error);
    PROM_ASSIGN(const auto view, RelabelView::Make(store::HideDeleted(block.reader, store::OfBlock(parts.tombstones, block.entry.ulid)), options_.job));
    if (!view->changes()) return {};
    struct Asked {
      const RelabelOptions& options;
      const RelabelView& view;
      std::uint64_t done, total;
    } asked{options_, *view, done, total};
    store::BlockWriterOptions write;
    write.ulid = UlidAfter(block.entry.ulid);
    write.level = block.entry.level;
    write.sources = {block.entry.ulid};
    write.slice_ms = store::SliceWidth({block.reader}, kBlockMs);
    write.best_compression = true;
    write.canceled = [](void* argument) {
      const Asked& a = *static_cast<const Asked*>(argument);
      if (a.options.on_progress) a.options.on_progress("writing", a.done + a.view.samples_read(), a.total);
      return a.options.canceled && a.options.canceled();
    };
    write.canceled_argument = &asked;
    auto info = store::WriteBlock(io_, staging_->dir(), *view, kMinTimeMs, kMaxTimeMs, write);
    if (!info && info.error().code == Errc::kCanceled) return Stopped();
    if (!info) return std::move(info.error());
    if (!info->warnings.empty()) return Damaged(info->warnings[0]);
    written_[block.entry.ulid] = info->samples != 0 ? info->ulid : std::string();
    return {};
  }

  Result<void> Swap(const store::DataDir::Parts& parts) {
    store::BlockSwap swap;
    swap.staging = staging_->name();
    swap.tombstones = parts.manifest.tombstones;
    for (const auto& block : parts.blocks) {
      const auto it = written_.find(block.entry.ulid);
      if (it == written_.end()) continue;
      swap.remove.push_back(it->first);
      if (!it->second.empty()) swap.add.push_back(it->second);
    }
    summary_.blocks = swap.remove.size();
    if (swap.remove.empty()) return {};
    PROM_ASSIGN(const auto access, store::WriterAccess::Open(io_, clock_, options_.data_dir, {}));
    summary_.through_writer = access->remote();
    PROM_TRY(access->ReplaceBlocks(swap));
    return access->Close();
  }

  Io& io_;
  Clock& clock_;
  const RelabelOptions& options_;
  std::unique_ptr<store::Staging> staging_;
  std::map<std::string, std::string> written_;  // ulid of the new block by that of the old one; empty: nothing is left of it
  std::string tombstones_;
  RelabelSummary summary_;
};

}  // namespace

Result<RelabelSummary> MeasureRelabel(const store::DataDir::Parts& parts, const RelabelOptions& options) { return Measurer(parts, options).Run(); }

Result<RelabelSummary> RelabelHistory(Io& io, Clock& clock, const RelabelOptions& options) { return Rewriter(io, clock, options).Run(); }

}  // namespace prom::transfer
