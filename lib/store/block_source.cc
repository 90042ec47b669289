#include "store/block_source.h"

#include <algorithm>

namespace prom::store {
namespace {

class PartedSource : public BlockSource {
 public:
  PartedSource(const Queryable& source, const std::vector<std::shared_ptr<const Queryable>>& parts) : source_(source), parts_(parts) {}

  std::pair<std::int64_t, std::int64_t> TimeRange() const override { return source_.TimeRange(); }

  Result<void> Begin(std::int64_t min_ms, std::int64_t max_ms) override {
    min_ms_ = min_ms;
    max_ms_ = max_ms;
    return {};
  }

  Result<void> Read(std::int64_t min_ms, std::int64_t max_ms, const Each& each) override {
    SeriesColumns columns;
    for (std::size_t part = 0; part < parts(); ++part) {
      PROM_TRY(Open(part));
      for (std::size_t i = 0; i < selection_->size(); ++i) {
        columns.Clear();
        PROM_TRY(selection_->Read(i, min_ms, max_ms, &columns));
        columns.time_column = 0;  // each selection has its own, and parts are not to show
        PROM_TRY(each(static_cast<std::uint32_t>(first_number_ + i), columns));
      }
    }
    return {};
  }

  Result<NumberedExemplars> Exemplars(std::int64_t min_ms, std::int64_t max_ms) override {
    PROM_ASSIGN(auto all, source_.Exemplars({Matchers{}}, min_ms, max_ms));
    NumberedExemplars out;
    for (std::size_t part = 0; part < parts() && !all.empty(); ++part) {
      PROM_TRY(Open(part));
      for (auto& series : all) {
        if (series.exemplars.empty()) continue;
        // The selection is sorted by labels.
        std::size_t low = 0, high = selection_->size();
        while (low < high) {
          const std::size_t middle = low + (high - low) / 2;
          (selection_->labels(middle) < series.series ? low = middle + 1 : high = middle);
        }
        if (low < selection_->size() && selection_->labels(low) == series.series)
          out.emplace_back(static_cast<std::uint32_t>(first_number_ + low), std::move(series.exemplars));
      }
    }
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    return out;
  }

  Result<std::vector<std::pair<std::string, Metadata>>> ListMetadata() override { return source_.ListMetadata(); }

  Result<void> WriteIndex(const std::vector<bool>& keep, std::string_view extra, const IndexWriter::Sink& sink) override {
    IndexWriter index;
    for (std::size_t part = 0; part < parts(); ++part) {
      PROM_TRY(Open(part));
      for (std::size_t i = 0; i < selection_->size(); ++i) {
        const std::size_t number = first_number_ + i;
        if (keep[number]) PROM_TRY(index.Add(selection_->labels(i), static_cast<std::uint32_t>(number - index.series_count())));
      }
    }
    return index.Write(extra, sink);
  }

 private:
  std::size_t parts() const { return std::max<std::size_t>(1, parts_.size()); }
  // Makes selection_ the series of a part, and first_number_ the number of its first.
  Result<void> Open(std::size_t part) {
    if (selection_ != nullptr && part_ == part) return {};
    selection_.reset();  // before the next one takes its place in memory
    const Queryable& from = parts_.empty() ? source_ : *parts_[part];
    PROM_ASSIGN(selection_, from.Select({}, min_ms_, max_ms_));
    part_ = part;
    if (first_numbers_.empty()) first_numbers_.push_back(0);
    first_number_ = first_numbers_[part];  // parts are first opened in their order
    const std::size_t next = first_number_ + selection_->size();
    if (next > 0xffffffffu) return Error{Errc::kLimit, "too many series for one block"};
    if (part + 1 == first_numbers_.size()) {
      first_numbers_.push_back(next);
    } else if (first_numbers_[part + 1] != next) {
      return Error{Errc::kCorrupt, "the series of a block's source changed while it was written"};
    }
    return {};
  }

  const Queryable& source_;
  const std::vector<std::shared_ptr<const Queryable>>& parts_;
  std::int64_t min_ms_ = 0, max_ms_ = 0;
  std::unique_ptr<Selection> selection_;
  std::size_t part_ = 0;                    // that selection_ is of
  std::vector<std::size_t> first_numbers_;  // of the parts seen so far, and of the next
  std::size_t first_number_ = 0;
};

}  // namespace

std::unique_ptr<BlockSource> SelectionSource(const Queryable& source, const std::vector<std::shared_ptr<const Queryable>>& parts) {
  return std::make_unique<PartedSource>(source, parts);
}

}  // namespace prom::store
