// The notation for series with values in test scripts and rule unit tests:
//
//   http_requests{job="api"} 0+10x3 _ stale {{schema:1 buckets:[1 2]}}x2
//
// is 0 10 20 30, nothing, a staleness marker, and a native histogram three times.
// Messages are upstream's, with "LINE:COL: parse error: " in front.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/histogram.h"
#include "model/labels.h"

namespace prom::promql {

// More values than this are refused, so that "1x1000000000" does not fill memory. Of "{{...}}+{{...}}x1000" every histogram
// counts as the numbers that it has.
inline constexpr std::size_t kMaxSeriesValues = 1'000'000;

struct SeriesValue {
  bool omitted = false;  // "_"
  double value = 0;      // when there is no histogram; "stale" is StaleNan()
  std::shared_ptr<const Histogram> histogram = nullptr;
  bool reset_hint_set = false;  // counter_reset_hint was written, so a test compares it
};

struct SeriesDescription {
  Labels labels;
  std::vector<SeriesValue> values;
};

// kInvalid: not in the notation, or histograms that cannot be added. kLimit: too many values.
Result<SeriesDescription> ParseSeriesDescription(std::string_view input);

// The start times of a line `metric@st _ -1m -30s-1mx2`: durations before (or
// after) the samples, in milliseconds as value. "_" is omitted.
Result<std::vector<SeriesValue>> ParseStartTimes(std::string_view input);

// {{schema:1 count:3.1 buckets:[5.1 10 7]}}: the notation of a histogram. Gaps
// between its spans are written as zeros.
std::string HistogramNotation(const Histogram& h);

}  // namespace prom::promql
