// Native histograms. One type serves integer and float histograms: counts are
// doubles (integers are exact to 2^53, as upstream's FloatHistogram), and
// `is_float` says which kind was stored, so that it is written back as it came.
//
// Schema -4..8: bucket i covers (base^(i-1), base^i], base = 2^(2^-schema).
// kCustomSchema (-53): classic bounds in custom_values, positive side only.
// Spans as upstream: offset to the previous span's end, length.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace prom {

struct Histogram {
  static constexpr std::int32_t kCustomSchema = -53;
  enum class ResetHint : std::uint8_t { kUnknown, kReset, kNotReset, kGauge };
  struct Span {
    std::int32_t offset = 0;
    std::uint32_t length = 0;
    friend bool operator==(const Span&, const Span&) = default;
  };

  std::int32_t schema = 0;
  ResetHint reset_hint = ResetHint::kUnknown;
  bool is_float = true;
  double zero_threshold = 0;
  double zero_count = 0;
  double count = 0;
  double sum = 0;  // kStaleNanBits here marks a stale histogram
  std::vector<Span> positive_spans, negative_spans;
  std::vector<double> positive_buckets, negative_buckets;  // absolute counts, one per span bucket
  std::vector<double> custom_values;                       // upper bounds, ascending, without +Inf

  bool uses_custom_buckets() const { return schema == kCustomSchema; }
  friend bool operator==(const Histogram& a, const Histogram& b);  // bit for bit
  // kInvalid: spans and buckets disagree, negative counts, bounds not ascending, unknown schema.
  Result<void> Validate() const;
};

}  // namespace prom
