// What of a data directory cannot be read, and how look-ups over the rest tell of it. Shared by the stores that read
// several parts as one: ours (store/merged.h) and Prometheus's (tsdb/part.h).
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace prom {

// Why a part cannot be read, and the time range it held, ms.
struct MissingPart {
  std::string what;
  std::int64_t min_ms = 0, max_ms = 0;
};

inline bool Overlaps(const std::pair<std::int64_t, std::int64_t>& range, std::int64_t min_ms, std::int64_t max_ms) {
  return range.first <= max_ms && range.second >= min_ms;
}

// kCorrupt when one of them lies in the range: for questions that have no place for a warning.
inline Result<void> RefuseMissing(const std::vector<MissingPart>& missing, std::int64_t min_ms, std::int64_t max_ms) {
  for (const MissingPart& m : missing)
    if (Overlaps({m.min_ms, m.max_ms}, min_ms, max_ms)) return Error{Errc::kCorrupt, m.what};
  return {};
}

// The union of what get(source), sorted strings, finds in the sources of the range. Missing parts, and sources that turn
// out to be damaged, go to *warnings; null warnings: they are an error.
template <typename Sources, typename Get>
Result<std::vector<std::string>> UniteStrings(const Sources& sources, const std::vector<MissingPart>& missing, std::int64_t min_ms, std::int64_t max_ms,
                                              std::vector<std::string>* warnings, Get get) {
  if (warnings == nullptr) {
    PROM_TRY(RefuseMissing(missing, min_ms, max_ms));
  } else {
    for (const MissingPart& m : missing)
      if (Overlaps({m.min_ms, m.max_ms}, min_ms, max_ms)) warnings->push_back(m.what);
  }
  std::vector<std::string> out, before;
  for (const auto& source : sources) {
    if (!Overlaps(source->TimeRange(), min_ms, max_ms)) continue;
    auto found = get(*source);
    if (found) {
      before.swap(out);
      out.clear();
      std::set_union(std::make_move_iterator(before.begin()), std::make_move_iterator(before.end()), std::make_move_iterator(found->begin()),
                     std::make_move_iterator(found->end()), std::back_inserter(out));
    } else if (warnings != nullptr && (found.error().code == Errc::kCorrupt || found.error().code == Errc::kUnsupported)) {
      warnings->push_back(found.error().message);
    } else {
      return std::move(found.error());
    }
  }
  return out;
}

}  // namespace prom
