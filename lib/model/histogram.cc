#include "model/histogram.h"

#include <bit>
#include <cmath>
#include <cstring>

namespace prom {
namespace {

bool SameBits(double a, double b) { return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b); }
bool SameBits(const std::vector<double>& a, const std::vector<double>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0);
}

Result<void> CheckSide(std::string_view side, const std::vector<Histogram::Span>& spans, const std::vector<double>& buckets) {
  std::uint64_t want = 0;
  for (std::size_t i = 0; i < spans.size(); ++i) {
    if (i > 0 && spans[i].offset < 0)
      return Error{Errc::kInvalid, std::string(side) + " side: span number " + std::to_string(i + 1) + " with offset " + std::to_string(spans[i].offset) +
                                       ": histogram has a span whose offset is negative"};
    want += spans[i].length;
  }
  if (want != buckets.size())
    return Error{Errc::kInvalid, std::string(side) + " side: spans need " + std::to_string(want) + " buckets, have " + std::to_string(buckets.size()) +
                                     " buckets: histogram spans specify different number of buckets than provided"};
  for (std::size_t i = 0; i < buckets.size(); ++i)
    if (buckets[i] < 0)
      return Error{Errc::kInvalid, std::string(side) + " side: bucket number " + std::to_string(i + 1) + ": observation count is negative"};
  return {};
}

}  // namespace

bool operator==(const Histogram& a, const Histogram& b) {
  return a.schema == b.schema && a.reset_hint == b.reset_hint && a.is_float == b.is_float && SameBits(a.zero_threshold, b.zero_threshold) &&
         SameBits(a.zero_count, b.zero_count) && SameBits(a.count, b.count) && SameBits(a.sum, b.sum) && a.positive_spans == b.positive_spans &&
         a.negative_spans == b.negative_spans && SameBits(a.positive_buckets, b.positive_buckets) &&
         SameBits(a.negative_buckets, b.negative_buckets) && SameBits(a.custom_values, b.custom_values);
}

Result<void> Histogram::Validate() const {
  if (uses_custom_buckets()) {
    for (std::size_t i = 0; i < custom_values.size(); ++i) {
      if (std::isinf(custom_values[i]) && custom_values[i] > 0) return Error{Errc::kInvalid, "custom bounds: last +Inf bound must not be explicitly defined"};
      if (std::isnan(custom_values[i]) || (i > 0 && custom_values[i] <= custom_values[i - 1]))
        return Error{Errc::kInvalid, "custom bounds: histogram custom bounds must be in strictly increasing order"};
    }
    if (!negative_spans.empty() || !negative_buckets.empty()) return Error{Errc::kInvalid, "histogram with custom buckets must not have negative buckets"};
    if (zero_count != 0 || zero_threshold != 0) return Error{Errc::kInvalid, "histogram with custom buckets must not have a zero bucket"};
    std::int64_t bucket = 0;
    for (const Span& s : positive_spans) bucket += static_cast<std::int64_t>(s.offset) + s.length;
    if (bucket > static_cast<std::int64_t>(custom_values.size()) + 1) return Error{Errc::kInvalid, "histogram has more buckets than custom bounds"};
  } else {
    if (schema < -4 || schema > 8) return Error{Errc::kInvalid, "histogram schema " + std::to_string(schema) + " is not between -4 and 8"};
    if (!custom_values.empty()) return Error{Errc::kInvalid, "histogram with exponential schema must not have custom bounds"};
  }
  PROM_TRY(CheckSide("positive", positive_spans, positive_buckets));
  PROM_TRY(CheckSide("negative", negative_spans, negative_buckets));
  if (count < 0 || zero_count < 0) return Error{Errc::kInvalid, "histogram has a negative count"};
  return {};
}

}  // namespace prom
