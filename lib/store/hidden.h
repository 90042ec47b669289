// What tombstones hide of one series. Internal to lib/store.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "model/queryable.h"
#include "store/tombstones.h"

namespace prom::store {

// Closed ranges of milliseconds, ascending, not overlapping.
using HiddenRanges = std::vector<std::pair<std::int64_t, std::int64_t>>;

HiddenRanges HiddenOf(const Labels& labels, const Tombstones& tombstones);
bool Hides(const HiddenRanges& hidden, std::int64_t t_ms);
bool HidesAll(const HiddenRanges& hidden, std::int64_t min_ms, std::int64_t max_ms);
// Takes hidden samples out; the columns stand in buffers of their own then, without a time column.
void RemoveHidden(const HiddenRanges& hidden, SeriesColumns* columns);

}  // namespace prom::store
