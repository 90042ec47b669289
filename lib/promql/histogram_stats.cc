// What is read off a native histogram: buckets in order, quantiles, fractions,
// variance, trimming, text.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/number.h"
#include "promql/exec/kernels.h"
#include "promql/histogram_math.h"
#include "promql/histogram_wide.h"

namespace prom::promql {

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

HistogramBucket PositiveBucket(const Histogram& h, const WideBucket& b) {
  return {BucketBound(b.index - 1, h.schema, h.custom_values), BucketBound(b.index, h.schema, h.custom_values), b.v};
}

HistogramBucket NegativeBucket(const Histogram& h, const WideBucket& b) {
  return {-ExponentialBound(b.index, h.schema), -ExponentialBound(b.index - 1, h.schema), b.v};
}

// The share of a bucket at or below v, which lies inside it.
double FractionBelow(const HistogramBucket& b, double v, bool linear) {
  if (linear) return (v - b.lower) / (b.upper - b.lower);
  const double low = std::log2(std::fabs(b.lower)), high = std::log2(std::fabs(b.upper)), at = std::log2(std::fabs(v));
  return v > 0 ? (at - low) / (high - low) : 1 - (at - high) / (low - high);
}

}  // namespace

std::vector<HistogramBucket> AllBuckets(const Histogram& h) {
  std::vector<HistogramBucket> out;
  const std::vector<WideBucket> negative = ExpandBuckets(h.negative_spans, h.negative_buckets);
  const std::vector<WideBucket> positive = ExpandBuckets(h.positive_spans, h.positive_buckets);
  auto cut = [&h](HistogramBucket b) {
    if (b.upper < 0 && b.upper > -h.zero_threshold) {
      b.upper = -h.zero_threshold;
    } else if (b.lower > 0 && b.lower < h.zero_threshold) {
      b.lower = h.zero_threshold;
    }
    return b;
  };
  for (auto it = negative.rbegin(); it != negative.rend(); ++it) out.push_back(cut(NegativeBucket(h, *it)));
  if (h.zero_count > 0) out.push_back({-h.zero_threshold, h.zero_threshold, h.zero_count});
  for (const WideBucket& b : positive) out.push_back(cut(PositiveBucket(h, b)));
  return out;
}

double HistogramVariance(const Histogram& h) {
  const double mean = h.sum / h.count;
  double variance = 0, c = 0;
  for (const HistogramBucket& b : AllBuckets(h)) {
    if (b.count == 0) continue;
    double value = 0;
    if (h.uses_custom_buckets()) {
      value = (b.upper + b.lower) / 2.0;
    } else if (!(b.lower <= 0 && b.upper >= 0)) {
      value = std::sqrt(b.upper * b.lower);
      if (b.upper < 0) value = -value;
    }
    const double delta = value - mean;
    KahanAdd(b.count * delta * delta, &variance, &c);
  }
  variance += c;
  return variance / h.count;
}

double HistogramQuantile(double q, const Histogram& h, HistogramNanNote* note) {
  if (q < 0) return -kInf;
  if (q > 1) return kInf;
  if (h.count == 0 || std::isnan(q)) return kNaN;
  const std::vector<HistogramBucket> buckets = AllBuckets(h);
  // NaN observations are in the count but in no bucket: only from below can a rank be found.
  const bool forward = std::isnan(h.sum) || q < 0.5;
  double rank = (forward ? q : 1 - q) * h.count;
  double count = 0;
  HistogramBucket bucket;
  std::size_t seen = 0;
  for (; seen < buckets.size(); ++seen) {
    bucket = buckets[forward ? seen : buckets.size() - 1 - seen];
    if (bucket.count == 0) continue;
    count += bucket.count;
    if (count >= rank) {
      ++seen;
      break;
    }
  }
  if (!h.uses_custom_buckets() && bucket.lower < 0 && bucket.upper > 0) {
    if (h.negative_buckets.empty() && !h.positive_buckets.empty()) {
      bucket.lower = 0;
    } else if (h.positive_buckets.empty() && !h.negative_buckets.empty()) {
      bucket.upper = 0;
    }
  } else if (h.uses_custom_buckets()) {
    if (bucket.lower == -kInf) {
      if (bucket.upper <= 0) return bucket.upper;
      bucket.lower = 0;
    } else if (bucket.upper == kInf) {
      return bucket.lower;
    }
  }
  count = std::min(count, h.count);
  if (count < rank) {
    if (std::isnan(h.sum)) {
      *note = HistogramNanNote::kResult;
      return kNaN;
    }
    return bucket.upper;
  }
  rank = forward ? rank - (count - bucket.count) : count - rank;
  if (std::isnan(h.sum)) {
    // Upstream goes on with the last bucket of this walk.
    for (; seen < buckets.size(); ++seen) {
      bucket = buckets[seen];
      count += bucket.count;
    }
    if (count < h.count) *note = HistogramNanNote::kSkew;
  }
  const double fraction = rank / bucket.count;
  if (h.uses_custom_buckets() || (bucket.lower <= 0 && bucket.upper >= 0)) return bucket.lower + (bucket.upper - bucket.lower) * fraction;
  // On a logarithmic scale all buckets of a schema are equally wide.
  const double low = std::log2(std::fabs(bucket.lower)), high = std::log2(std::fabs(bucket.upper));
  if (bucket.lower > 0) return std::exp2(low + (high - low) * fraction);
  return -std::exp2(high + (low - high) * (1 - fraction));
}

double HistogramFraction(double lower, double upper, const Histogram& h, HistogramNanNote* note) {
  if (h.count == 0 || std::isnan(lower) || std::isnan(upper)) return kNaN;
  if (lower >= upper) return 0;
  double count = 0, rank = 0, lower_rank = 0, upper_rank = 0;
  bool lower_set = false, upper_set = false;
  const std::vector<HistogramBucket> buckets = AllBuckets(h);
  std::size_t i = 0;
  for (; i < buckets.size(); ++i) {
    HistogramBucket b = buckets[i];
    count += b.count;
    bool zero = false;
    if (b.lower <= 0 && b.upper >= 0) {
      zero = true;
      if (h.negative_buckets.empty() && !h.positive_buckets.empty()) {
        b.lower = 0;
      } else if (h.positive_buckets.empty() && !h.negative_buckets.empty()) {
        b.upper = 0;
      }
    }
    const bool linear = h.uses_custom_buckets() || zero;
    auto interpolate = [&](double v) {
      if (linear && b.lower == -kInf) return b.count;
      return rank + b.count * FractionBelow(b, v, linear);
    };
    if (!lower_set && b.lower >= lower) {
      lower_rank = rank;
      lower_set = true;
    }
    if (!upper_set && b.lower >= upper) {
      upper_rank = rank;
      upper_set = true;
    }
    if (lower_set && upper_set) break;
    if (!lower_set && b.lower < lower && b.upper > lower) {
      lower_rank = interpolate(lower);
      lower_set = true;
    }
    if (!upper_set && b.lower < upper && b.upper > upper) {
      upper_rank = interpolate(upper);
      upper_set = true;
    }
    if (lower_set && upper_set) break;
    rank += b.count;
  }
  if (std::isnan(h.sum)) {
    for (++i; i < buckets.size(); ++i) count += buckets[i].count;
    if (count < h.count) *note = HistogramNanNote::kFraction;
  } else {
    count = h.count;
  }
  if (!lower_set || lower_rank > count) lower_rank = count;
  if (!upper_set || upper_rank > count) upper_rank = count;
  return (upper_rank - lower_rank) / h.count;
}

std::string HistogramText(const Histogram& h) {
  std::string out = "{count:" + FormatFloatG(h.count) + ", sum:" + FormatFloatG(h.sum);
  auto add = [&out](double lower, double upper, double count, bool lower_in, bool upper_in) {
    out += ", ";
    out += lower_in ? '[' : '(';
    out += FormatFloatG(lower) + "," + FormatFloatG(upper);
    out += upper_in ? ']' : ')';
    out += ":" + FormatFloatG(count);
  };
  const std::vector<WideBucket> negative = ExpandBuckets(h.negative_spans, h.negative_buckets);
  for (auto it = negative.rbegin(); it != negative.rend(); ++it) {
    const HistogramBucket b = NegativeBucket(h, *it);
    if (b.count != 0) add(b.lower, b.upper, b.count, true, false);
  }
  if (h.zero_count != 0) add(-h.zero_threshold, h.zero_threshold, h.zero_count, true, true);
  for (const WideBucket& wide : ExpandBuckets(h.positive_spans, h.positive_buckets)) {
    const HistogramBucket b = PositiveBucket(h, wide);
    if (b.count != 0) add(b.lower, b.upper, b.count, b.lower < 0, b.upper > 0);
  }
  return out + "}";
}

namespace {

struct Kept {
  double count, middle;
};

double Middle(double lower, double upper, bool positive, bool linear) {
  if (IsInf(lower)) {
    if (IsInf(upper)) return 0;
    return upper > 0 ? upper / 2 : upper;
  }
  if (IsInf(upper)) return lower;
  if (linear) return (lower + upper) / 2;
  const double mean = std::sqrt(std::fabs(lower * upper));
  return positive ? mean : -mean;
}

// What stays of a bucket without an end. Nothing is known of how values lie in it, so it goes whole unless 0 can serve as its edge.
Kept TrimOpenBucket(const HistogramBucket& b, double limit, bool upper_trim) {
  auto finite = [](double x) { return IsInf(x) ? 0 : x; };
  if (b.lower == -kInf) {
    if (upper_trim) {
      if (limit >= b.upper) return {b.count, 0};
      if (limit > 0 && b.upper > 0 && b.upper != kInf) return {b.count * limit / b.upper, limit / 2};
      if (b.upper <= 0) return {b.count, limit};
      return {0, finite(b.upper)};
    }
    if (limit <= b.lower) return {b.count, 0};
    if (limit >= 0 && b.upper > limit && b.upper != kInf) return {b.count * (1 - limit / b.upper), (limit + b.upper) / 2};
    return {0, finite(b.upper)};
  }
  if (upper_trim) return {0, finite(b.lower)};
  if (limit >= b.lower) return {b.count, limit};
  return {0, finite(b.lower)};
}

Kept TrimBucket(const HistogramBucket& b, double limit, bool upper_trim, bool positive, bool custom) {
  if (b.lower == -kInf || b.upper == kInf) return TrimOpenBucket(b, limit, upper_trim);
  const double under = limit <= b.lower ? 0 : limit >= b.upper ? b.count : b.count * FractionBelow(b, limit, custom);
  if (upper_trim) return {under, Middle(b.lower, limit, positive, custom)};
  return {b.count - under, Middle(limit, b.upper, positive, custom)};
}

Kept TrimZeroBucket(const Histogram& h, double limit, bool has_negative, bool has_positive, bool upper_trim) {
  double lower = -h.zero_threshold, upper = h.zero_threshold;
  if (has_negative && !has_positive) upper = 0;
  if (has_positive && !has_negative) lower = 0;
  const Kept all{h.zero_count, (lower + upper) / 2};
  if (upper_trim) {
    if (limit <= lower) return {0, 0};
    if (limit >= upper) return all;
    return {h.zero_count * ((limit - lower) / (upper - lower)), (lower + limit) / 2};
  }
  if (limit <= lower) return all;
  if (limit >= upper) return {0, 0};
  return {h.zero_count * ((upper - limit) / (upper - lower)), (limit + upper) / 2};
}

}  // namespace

std::shared_ptr<const Histogram> TrimHistogram(const Histogram& h, double limit, bool upper) {
  auto out = std::make_shared<Histogram>(h);
  const bool custom = h.uses_custom_buckets();
  double count = 0, sum = 0;
  bool trimmed = false, has[2] = {false, false};
  for (const bool positive : {true, false}) {
    std::vector<double>& counts = positive ? out->positive_buckets : out->negative_buckets;
    const std::vector<WideBucket> wide = positive ? ExpandBuckets(h.positive_spans, h.positive_buckets) : ExpandBuckets(h.negative_spans, h.negative_buckets);
    for (std::size_t i = 0; i < wide.size(); ++i) {
      const HistogramBucket b = positive ? PositiveBucket(h, wide[i]) : NegativeBucket(h, wide[i]);
      if (b.count == 0) continue;
      has[positive] = true;
      const bool whole = upper ? b.upper <= limit : b.lower >= limit;
      const bool part = upper ? b.lower < limit : b.upper > limit;
      if (whole) {
        count += b.count;
        sum += Middle(b.lower, b.upper, positive, custom) * b.count;
      } else if (part) {
        const Kept kept = TrimBucket(b, limit, upper, positive, custom);
        count += kept.count;
        sum += kept.middle * kept.count;
        trimmed |= counts[i] != kept.count;
        counts[i] = kept.count;
      } else {
        counts[i] = 0;
        trimmed = true;
      }
    }
  }
  if (h.zero_count > 0) {
    const Kept kept = TrimZeroBucket(h, limit, has[false], has[true], upper);
    trimmed |= out->zero_count != kept.count;
    out->zero_count = kept.count;
    sum += kept.middle * kept.count;
    count += kept.count;
  }
  if (trimmed) {
    out->count = count;
    out->sum = sum;
    CompactInPlace(out.get());
  }
  return out;
}

}  // namespace prom::promql
