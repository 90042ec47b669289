#include "store/deletion.h"

#include <algorithm>
#include <set>

#include "store/head_format.h"
#include "store/report.h"
#include "store/tombstones.h"

namespace prom::store {
namespace {

class Measure {
 public:
  Measure(const std::vector<Matchers>& any_of, std::int64_t min_ms, std::int64_t max_ms) : any_of_(any_of), min_ms_(min_ms), max_ms_(max_ms) {}

  // Samples in this part, each once however many lists it matches.
  Result<std::uint64_t> Part(const Queryable& part) {
    std::uint64_t samples = 0;
    std::set<Labels> seen;
    const auto [oldest, newest] = part.TimeRange();
    const std::int64_t from = std::max(min_ms_, oldest), to = std::min(max_ms_, newest);
    if (from > to) return samples;
    for (const Matchers& matchers : any_of_) {
      PROM_ASSIGN(const auto selection, part.Select(matchers, from, to));
      for (std::size_t i = 0; i < selection->size(); ++i) {
        if (any_of_.size() > 1 && !seen.insert(selection->labels(i)).second) continue;
        PROM_TRY(selection->Read(i, from, to, &columns_));
        const std::uint64_t n = columns_.t.size() + columns_.histograms.size();
        if (n != 0) series_.insert(selection->labels(i));
        samples += n;
      }
    }
    return samples;
  }
  std::uint64_t series() const { return series_.size(); }

 private:
  const std::vector<Matchers>& any_of_;
  std::int64_t min_ms_, max_ms_;
  std::set<Labels> series_;
  SeriesColumns columns_;
};

std::uint64_t Share(std::uint64_t bytes, std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<std::uint64_t>(static_cast<double>(bytes) * static_cast<double>(part) / static_cast<double>(whole));
}

}  // namespace

Result<DeletionSize> MeasureDeletion(Io& io, const std::string& data_dir, const DataDir::Parts& parts, const std::vector<Matchers>& any_of, std::int64_t min_ms, std::int64_t max_ms) {
  DeletionSize size;
  Measure measure(any_of, min_ms, max_ms);
  for (const auto& block : parts.blocks) {
    if (block.reader == nullptr) return Error{Errc::kCorrupt, block.error};
    PROM_ASSIGN(const std::uint64_t n, measure.Part(*HideDeleted(block.reader, OfBlock(parts.tombstones, block.entry.ulid))));
    size.samples += n;
    size.bytes += Share(block.entry.bytes, n, block.entry.samples);
  }
  for (const auto& epoch : parts.epochs) {
    if (epoch.snapshot == nullptr) return Error{Errc::kCorrupt, epoch.error};
    PROM_ASSIGN(const std::uint64_t n, measure.Part(*HideDeleted(epoch.snapshot, OfEpoch(parts.tombstones, epoch.entry.number))));
    size.samples += n;
    if (n == 0) continue;
    PROM_ASSIGN(const std::uint64_t whole, CountSamples(*epoch.snapshot));
    PROM_ASSIGN(const std::uint64_t bytes, DirBytes(io, EpochDir(data_dir, epoch.entry.number)));
    size.bytes += Share(bytes, n, whole);
  }
  size.series = measure.series();
  return size;
}

std::vector<PendingDeletion> PendingDeletions(const DataDir::Parts& parts) {
  std::vector<PendingDeletion> out;
  for (const Tombstone& t : parts.tombstones) {
    if (out.empty() || out.back().id != t.id) {
      PendingDeletion d;
      d.id = t.id;
      d.min_ms = t.min_ms;
      d.max_ms = t.max_ms;
      for (const auto& b : parts.manifest.blocks) d.parts += t.CoversBlock(b.ulid) ? 1 : 0;
      for (const auto& e : parts.manifest.epochs) d.parts += t.CoversEpoch(e.number) ? 1 : 0;
      d.compacted = t.blocks.size() + t.epochs.size() - d.parts;
      out.push_back(std::move(d));
    }
    out.back().any_of.push_back(t.matchers);
  }
  std::erase_if(out, [](const PendingDeletion& d) { return d.parts == 0; });
  return out;
}

}  // namespace prom::store
