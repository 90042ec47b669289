// Index segments of a head: index-<first>-<end> files that let readers answer
// matchers for those series ids without reading the series file. They follow from
// the series file, so one that is missing or damaged costs time only.
#pragma once

#include <cstdint>
#include <string>

#include "base/io.h"
#include "base/result.h"

namespace prom::store {

// Makes the segments that are worth it for the first `series` series: readers scan
// at most about kUnindexedSeries of them. Segments double in size, so that each
// series is indexed about log2(n) times in all. One caller at a time.
inline constexpr std::uint32_t kUnindexedSeries = 4096;
Result<void> BuildHeadIndex(Io& io, const std::string& epoch_dir, std::uint32_t series);

}  // namespace prom::store
