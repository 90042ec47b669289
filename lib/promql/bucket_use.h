// How many buckets of histograms ever hold something: what `promql buckets` prints. Classic histograms
// are series of <name>_bucket with a label le that counts up; native ones are samples of their own.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "promql/engine.h"

namespace prom::promql {

struct BucketUse {
  std::string series;  // name{...}, without le
  bool native = false;
  std::size_t samples = 0;             // times at which it was looked at, at least 1
  std::size_t least = 0, most = 0;     // buckets that are not empty, at one time
  double average = 0;
  std::size_t buckets = 0;             // a classic histogram's; those of a native one that were ever not empty
};

// `matrix` is the result of a range selector. Other series than histograms are left out. A classic histogram is
// looked at when all of its buckets have a sample of that time; buckets whose le is no number do not count.
// Sorted by series, classic before native.
std::vector<BucketUse> CountBucketUse(const std::vector<ResultSeries>& matrix);

// One for all of a kind: the least, the average of averages, the most, the most buckets; `series` is empty.
// samples is the number of histograms; 0: there is none.
BucketUse Together(const std::vector<BucketUse>& all, bool native);

}  // namespace prom::promql
