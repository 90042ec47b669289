#include "store/epoch_source.h"

#include <algorithm>
#include <set>
#include <unordered_map>

#include "store/head_snapshot.h"
#include "store/hidden.h"

namespace prom::store {
namespace {

class EpochSource : public BlockSource {
 public:
  explicit EpochSource(std::shared_ptr<const HeadSnapshotImpl> snapshot) : snapshot_(std::move(snapshot)) {}

  // False: some series cannot be read.
  bool Load(const Tombstones& deleted) {
    const ExtentState& extents = snapshot_->state().extents;
    const std::string_view records = snapshot_->SeriesRecords();
    std::uint32_t id = 0;
    for (std::size_t at = 0; at < records.size(); ++id) {
      const auto record = ParseSeriesRecord(records.substr(at));
      if (!record || record->id != id || !index_.Add(record->labels, id)) return false;
      at += record->size;
      if (!deleted.empty() && !Hide(record->labels, deleted)) return false;
    }
    if (id != extents.series) return false;
    auto ids = index_.Sort();
    if (ids) ids_ = std::move(*ids);
    return static_cast<bool>(ids);
  }

  std::pair<std::int64_t, std::int64_t> TimeRange() const override { return snapshot_->TimeRange(); }

  Result<void> Begin(std::int64_t, std::int64_t) override { return {}; }

  Result<void> Read(std::int64_t min_ms, std::int64_t max_ms, const Each& each) override {
    SeriesColumns columns;
    HeadSnapshotImpl::Room room;
    for (std::uint32_t number = 0; number < ids_.size(); ++number) {
      const HiddenRanges& hidden = HiddenIn(ids_[number]);
      if (HidesAll(hidden, min_ms, max_ms)) continue;
      PROM_TRY(snapshot_->Read(ids_[number], min_ms, max_ms, &room, &columns));
      RemoveHidden(hidden, &columns);
      PROM_TRY(each(number, columns));
    }
    return {};
  }

  Result<NumberedExemplars> Exemplars(std::int64_t min_ms, std::int64_t max_ms) override {
    std::unordered_map<std::uint32_t, std::vector<Exemplar>> by_id;
    const auto all = snapshot_->AllExemplars();
    if (all != nullptr)
      for (const SeriesExemplar& e : all->exemplars)
        if (e.exemplar.t_ms >= min_ms && e.exemplar.t_ms <= max_ms && !Hides(HiddenIn(e.series), e.exemplar.t_ms)) by_id[e.series].push_back(e.exemplar);
    NumberedExemplars out;
    for (std::uint32_t number = 0; number < ids_.size() && out.size() < by_id.size(); ++number)
      if (const auto it = by_id.find(ids_[number]); it != by_id.end()) out.emplace_back(number, std::move(it->second));
    return out;
  }

  Result<std::vector<std::pair<std::string, Metadata>>> ListMetadata() override { return snapshot_->ListMetadata(); }

  Result<void> WriteIndex(const std::vector<bool>& keep, std::string_view extra, const IndexWriter::Sink& sink) override {
    return index_.Write(keep, extra, sink);
  }

 private:
  // Of the next id. False: bytes that are no labels.
  bool Hide(std::string_view label_bytes, const Tombstones& deleted) {
    const auto labels = Labels::FromBytes(label_bytes);
    if (!labels) return false;
    hidden_of_.push_back(&*hidden_.insert(HiddenOf(*labels, deleted)).first);
    return true;
  }
  const HiddenRanges& HiddenIn(std::uint32_t id) const {
    static const HiddenRanges kNothing;
    return id < hidden_of_.size() ? *hidden_of_[id] : kNothing;
  }

  std::shared_ptr<const HeadSnapshotImpl> snapshot_;
  IndexWriter index_;
  std::vector<std::uint32_t> ids_;  // by number
  // What is deleted: few different lists of ranges, and the one of each id. Empty: nothing is.
  std::set<HiddenRanges> hidden_;
  std::vector<const HiddenRanges*> hidden_of_;
};

}  // namespace

Result<std::unique_ptr<BlockSource>> MakeEpochSource(HeadReader& reader, const Tombstones& deleted) {
  PROM_ASSIGN(const auto snapshot, reader.Snapshot(false));
  auto source = std::make_unique<EpochSource>(std::static_pointer_cast<const HeadSnapshotImpl>(snapshot));
  if (!source->Load(deleted)) return std::unique_ptr<BlockSource>();
  return std::unique_ptr<BlockSource>(std::move(source));
}

}  // namespace prom::store
