#include "store/block_part.h"

#include <algorithm>
#include <numeric>

#include "store/block_selection.h"

namespace prom::store {

Result<std::unique_ptr<Selection>> BlockPart::Select(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const {
  std::vector<std::uint32_t> ranks;
  if (min_ms <= block_->head().max_ms && max_ms >= block_->head().min_ms) {
    if (matchers.empty()) {
      ranks.resize(end_ - begin_);
      std::iota(ranks.begin(), ranks.end(), begin_);
    } else {
      PROM_ASSIGN(ranks, block_->index().Select(matchers));
      std::erase_if(ranks, [this](std::uint32_t rank) { return rank < begin_ || rank >= end_; });
    }
  }
  return BlockSelection::Make(block_, ranks);
}

namespace {

// The first rank whose labels are not below `labels`.
Result<std::uint32_t> LowerBound(const IndexReader& index, const Labels& labels) {
  std::uint32_t low = 0, high = index.series_count();
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    PROM_ASSIGN(const Labels at, index.ReadLabels(middle));
    if (at < labels) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

}  // namespace

Result<std::vector<std::vector<std::uint32_t>>> PartBlocks(std::span<const std::shared_ptr<const BlockReader>> blocks, std::uint32_t most) {
  std::vector<Labels> borders;
  for (const auto& block : blocks) {
    for (std::uint64_t rank = most; rank < block->index().series_count(); rank += most) {
      PROM_ASSIGN(borders.emplace_back(), block->index().ReadLabels(static_cast<std::uint32_t>(rank)));
    }
  }
  std::sort(borders.begin(), borders.end());
  borders.erase(std::unique(borders.begin(), borders.end()), borders.end());
  std::vector<std::vector<std::uint32_t>> out;
  for (const auto& block : blocks) {
    auto& ranks = out.emplace_back(1, 0);
    for (const Labels& border : borders) {
      PROM_ASSIGN(ranks.emplace_back(), LowerBound(block->index(), border));
    }
    ranks.push_back(block->index().series_count());
    if (!std::is_sorted(ranks.begin(), ranks.end())) return Error{Errc::kCorrupt, block->index().path() + ": series are not in order"};
  }
  return out;
}

}  // namespace prom::store
