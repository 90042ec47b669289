// meta.json of a block of Prometheus's TSDB.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace prom::tsdb {

struct BlockMeta {
  std::string ulid;
  std::int64_t min_ms = 0, max_ms = 0;  // closed, exclusive
  std::uint64_t samples = 0, float_samples = 0, histogram_samples = 0, series = 0, chunks = 0, tombstones = 0;
  int level = 1;
  std::vector<std::string> sources, parents, hints;

  bool FromOutOfOrder() const;  // made of out-of-order samples only
};

// kCorrupt: no JSON, or without ulid or times; kUnsupported: a version other than 1.
// `path` is for messages.
Result<BlockMeta> ParseBlockMeta(std::string_view json, const std::string& path);
// With a line feed at the end; parents are not written.
std::string FormatBlockMeta(const BlockMeta& meta);

}  // namespace prom::tsdb
