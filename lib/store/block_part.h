// BlockPart: the series of a block from one label set to another, as a Queryable, so
// that a merge has the labels of a part in memory and not those of the whole block.
// Internal to lib/store.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "store/block_reader.h"

namespace prom::store {

class BlockPart : public Queryable {
 public:
  // Ranks [begin, end).
  BlockPart(std::shared_ptr<const BlockReader> block, std::uint32_t begin, std::uint32_t end) : block_(std::move(block)), begin_(begin), end_(end) {}

  Result<std::unique_ptr<Selection>> Select(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const override;
  // Of the whole block: what is no series is not parted.
  Result<std::vector<std::string>> LabelNames(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const override {
    return block_->LabelNames(matchers, min_ms, max_ms);
  }
  Result<std::vector<std::string>> LabelValues(std::string_view name, const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const override {
    return block_->LabelValues(name, matchers, min_ms, max_ms);
  }
  std::pair<std::int64_t, std::int64_t> TimeRange() const override { return block_->TimeRange(); }

 private:
  std::shared_ptr<const BlockReader> block_;
  std::uint32_t begin_, end_;
};

// Ranks at which to part each of the blocks, so that part p of all of them holds the
// same label sets, parts ascend, and no part of a block has more than `most` series:
// out[b][p] to out[b][p + 1] is part p of block b. Errors as IndexReader's.
Result<std::vector<std::vector<std::uint32_t>>> PartBlocks(std::span<const std::shared_ptr<const BlockReader>> blocks, std::uint32_t most);

}  // namespace prom::store
