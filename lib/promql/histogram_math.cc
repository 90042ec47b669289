#include "promql/histogram_math.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "promql/exec/kernels.h"
#include "promql/histogram_wide.h"

namespace prom::promql {

double ExponentialBound(std::int32_t index, std::int32_t schema) {
  if (schema < 0) {
    const std::int64_t exponent = static_cast<std::int64_t>(index) * (std::int64_t{1} << -schema);
    if (exponent == 1024) return std::numeric_limits<double>::max();
    return std::ldexp(1.0, static_cast<int>(std::clamp<std::int64_t>(exponent, -5000, 5000)));
  }
  const std::int64_t per_power = std::int64_t{1} << schema;
  const std::int64_t part = index & (per_power - 1);
  const double fraction = std::exp2(static_cast<double>(part) / static_cast<double>(per_power)) / 2;
  const int exponent = static_cast<int>(std::int64_t{index} >> schema) + 1;
  if (part == 0 && exponent == 1025) return std::numeric_limits<double>::max();
  return std::ldexp(fraction, exponent);
}

double BucketBound(std::int32_t index, std::int32_t schema, const std::vector<double>& custom) {
  if (schema != Histogram::kCustomSchema) return ExponentialBound(index, schema);
  if (index < 0) return -std::numeric_limits<double>::infinity();
  if (static_cast<std::size_t>(index) >= custom.size()) return std::numeric_limits<double>::infinity();
  return custom[static_cast<std::size_t>(index)];
}

std::int32_t TargetIndex(std::int32_t index, std::int32_t from, std::int32_t to) {
  return static_cast<std::int32_t>(((std::int64_t{index} - 1) >> (from - to)) + 1);
}

std::vector<WideBucket> ExpandBuckets(const std::vector<Histogram::Span>& spans, const std::vector<double>& buckets) {
  std::vector<WideBucket> out;
  out.reserve(buckets.size());
  std::uint32_t index = 0;  // unsigned: damaged spans wrap instead of being undefined
  std::size_t next = 0;
  for (const Histogram::Span& span : spans) {
    index += static_cast<std::uint32_t>(span.offset);
    for (std::uint32_t i = 0; i < span.length && next < buckets.size(); ++i) out.push_back({static_cast<std::int32_t>(index++), buckets[next++], 0});
  }
  return out;
}

void CollapseBuckets(const std::vector<WideBucket>& in, std::vector<Histogram::Span>* spans, std::vector<double>* buckets) {
  spans->clear();
  buckets->clear();
  std::int32_t end = 0;  // one past the last bucket so far
  for (const WideBucket& b : in) {
    if (spans->empty() || b.index != end) {
      spans->push_back({b.index - end, 1});
    } else {
      ++spans->back().length;
    }
    buckets->push_back(b.v);
    end = b.index + 1;
  }
}

WideHistogram::WideHistogram(const Histogram& h)
    : schema(h.schema),
      hint(h.reset_hint),
      zero_threshold(h.zero_threshold),
      zero_count(h.zero_count),
      count(h.count),
      sum(h.sum),
      positive(ExpandBuckets(h.positive_spans, h.positive_buckets)),
      negative(ExpandBuckets(h.negative_spans, h.negative_buckets)),
      bounds(h.custom_values) {}

namespace {

void Plus(double inc, double* v, double* c, bool compensated) {
  if (compensated) {
    KahanAdd(inc, v, c);
  } else {
    *v += inc;
  }
}

std::vector<WideBucket> Reduce(const std::vector<WideBucket>& in, std::int32_t from, std::int32_t to, bool compensated) {
  std::vector<WideBucket> out;
  for (const WideBucket& b : in) {
    const std::int32_t index = TargetIndex(b.index, from, to);
    if (out.empty() || out.back().index != index) {
      out.push_back({index, b.v, b.c});
      continue;
    }
    Plus(b.v, &out.back().v, &out.back().c, compensated);
    if (compensated) Plus(b.c, &out.back().v, &out.back().c, true);
  }
  return out;
}

struct ZeroBucket {
  double count, c, threshold;
};

// The zero bucket if it reached to `threshold`; that moves outwards when it lies inside a populated bucket.
ZeroBucket WiderZero(const WideHistogram& h, double threshold) {
  if (threshold == h.zero_threshold) return {h.zero_count, h.zero_c, threshold};
  for (;;) {
    bool again = false;
    ZeroBucket out{h.zero_count, h.zero_c, threshold};
    for (const WideBucket& b : h.positive) {
      if (ExponentialBound(b.index - 1, h.schema) >= threshold) break;
      KahanAdd(b.v, &out.count, &out.c);
      KahanAdd(b.c, &out.count, &out.c);
      const double upper = ExponentialBound(b.index, h.schema);
      if (upper > threshold) {
        if (b.v != 0) threshold = upper;
        break;
      }
    }
    for (const WideBucket& b : h.negative) {
      if (ExponentialBound(b.index - 1, h.schema) >= threshold) break;
      KahanAdd(b.v, &out.count, &out.c);
      KahanAdd(b.c, &out.count, &out.c);
      const double reach = ExponentialBound(b.index, h.schema);
      if (reach > threshold) {
        if (b.v != 0) {
          threshold = reach;  // what was taken of the positive side is no longer right
          again = true;
        }
        break;
      }
    }
    out.threshold = threshold;
    if (!again) return out;
  }
}

// Buckets that lie inside the zero bucket.
void DropInsideZero(WideHistogram* h) {
  auto inside = [h](const WideBucket& b) { return ExponentialBound(b.index - 1, h->schema) < h->zero_threshold; };
  std::erase_if(h->positive, inside);
  std::erase_if(h->negative, inside);
}

// Finds a zero bucket that suits both; gives what `other` has in it.
ZeroBucket ReconcileZero(WideHistogram* h, const WideHistogram& other) {
  ZeroBucket theirs{other.zero_count, other.zero_c, other.zero_threshold};
  // Written so that a NaN ends it.
  while (theirs.threshold > h->zero_threshold || theirs.threshold < h->zero_threshold) {
    if (h->zero_threshold > theirs.threshold) theirs = WiderZero(other, h->zero_threshold);
    if (theirs.threshold > h->zero_threshold) {
      const ZeroBucket ours = WiderZero(*h, theirs.threshold);
      h->zero_count = ours.count;
      h->zero_c = ours.c;
      h->zero_threshold = ours.threshold;
      DropInsideZero(h);
    }
  }
  return theirs;
}

std::vector<WideBucket> Merge(const std::vector<WideBucket>& a, const std::vector<WideBucket>& b, double sign, bool compensated) {
  std::vector<WideBucket> out;
  out.reserve(a.size() + b.size());
  std::size_t i = 0, j = 0;
  while (i < a.size() || j < b.size()) {
    if (j == b.size() || (i < a.size() && a[i].index < b[j].index)) {
      out.push_back(a[i++]);
    } else if (i == a.size() || b[j].index < a[i].index) {
      out.push_back({b[j].index, sign * b[j].v, sign * b[j].c});
      ++j;
    } else {
      WideBucket sum = a[i++];
      Plus(sign * b[j].v, &sum.v, &sum.c, compensated);
      if (b[j].c != 0) Plus(sign * b[j].c, &sum.v, &sum.c, compensated);
      ++j;
      out.push_back(sum);
    }
  }
  return out;
}

std::vector<double> Intersect(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> out;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
  return out;
}

// Buckets of `in` over `from`, put into the buckets of the coarser bounds `to`.
void MapBounds(const std::vector<WideBucket>& in, const std::vector<double>& from, const std::vector<double>& to, double sign, bool compensated,
               std::vector<WideBucket>* target) {
  for (const WideBucket& b : in) {
    std::size_t at = to.size();  // +Inf
    if (static_cast<std::size_t>(b.index) < from.size()) {
      at = static_cast<std::size_t>(std::lower_bound(to.begin(), to.end(), from[static_cast<std::size_t>(b.index)]) - to.begin());
    }
    WideBucket& into = (*target)[at];
    Plus(sign * b.v, &into.v, &into.c, compensated);
    if (compensated && b.c != 0) Plus(sign * b.c, &into.v, &into.c, true);
  }
}

}  // namespace

void WideHistogram::ReduceTo(std::int32_t target, bool compensated) {
  if (target >= schema) return;
  positive = Reduce(positive, schema, target, compensated);
  negative = Reduce(negative, schema, target, compensated);
  schema = target;
}

HistogramNotes WideHistogram::Add(WideHistogram other, double sign, bool compensated) {
  HistogramNotes notes;
  if (custom() != other.custom()) {
    notes.incompatible = true;
    return notes;
  }
  using Hint = Histogram::ResetHint;
  if (other.hint != hint && hint != Hint::kGauge) {
    if (other.hint == Hint::kGauge) {
      hint = Hint::kGauge;
    } else if (hint != Hint::kUnknown) {
      notes.reset_collision = other.hint != Hint::kUnknown;
      hint = Hint::kUnknown;
    }
  }
  if (!custom()) {
    const ZeroBucket theirs = ReconcileZero(this, other);
    Plus(sign * theirs.count, &zero_count, &zero_c, compensated);
    if (compensated) Plus(sign * theirs.c, &zero_count, &zero_c, true);
  }
  Plus(sign * other.count, &count, &count_c, compensated);
  Plus(sign * other.sum, &sum, &sum_c, compensated);

  if (custom()) {
    if (bounds == other.bounds) {
      positive = Merge(positive, other.positive, sign, compensated);
      return notes;
    }
    notes.bounds_reconciled = true;
    const std::vector<double> common = Intersect(bounds, other.bounds);
    std::vector<WideBucket> target(common.size() + 1);
    for (std::size_t i = 0; i < target.size(); ++i) target[i].index = static_cast<std::int32_t>(i);
    MapBounds(positive, bounds, common, 1, compensated, &target);
    MapBounds(other.positive, other.bounds, common, sign, compensated, &target);
    std::erase_if(target, [](const WideBucket& b) { return b.v == 0 && b.c == 0; });
    positive = std::move(target);
    bounds = common;
    return notes;
  }
  if (other.schema < schema) ReduceTo(other.schema, compensated);
  if (other.schema > schema) other.ReduceTo(schema, compensated);
  // What lies inside the (common) zero bucket was counted there.
  auto inside = [this](const WideBucket& b) { return ExponentialBound(b.index, schema) <= zero_threshold; };
  auto cut = [&](std::vector<WideBucket>* side) {
    std::size_t n = 0;
    while (n < side->size() && inside((*side)[n])) ++n;
    side->erase(side->begin(), side->begin() + static_cast<std::ptrdiff_t>(n));
  };
  cut(&other.positive);
  cut(&other.negative);
  positive = Merge(positive, other.positive, sign, compensated);
  negative = Merge(negative, other.negative, sign, compensated);
  return notes;
}

void WideHistogram::Scale(double f) {
  for (double* v : {&zero_count, &zero_c, &count, &count_c, &sum, &sum_c}) *v *= f;
  for (auto* side : {&positive, &negative}) {
    for (WideBucket& b : *side) {
      b.v *= f;
      b.c *= f;
    }
  }
  if (f < 0) hint = Histogram::ResetHint::kGauge;
}

void WideHistogram::Divide(double d) {
  for (double* v : {&zero_count, &zero_c, &count, &count_c, &sum, &sum_c}) *v /= d;
  for (auto* side : {&positive, &negative}) {
    for (WideBucket& b : *side) {
      b.v /= d;
      b.c /= d;
    }
  }
}

bool WideHistogram::HasOverflow() const {
  if (IsInf(zero_count) || IsInf(count) || IsInf(sum)) return true;
  for (const auto* side : {&positive, &negative}) {
    for (const WideBucket& b : *side) {
      if (IsInf(b.v)) return true;
    }
  }
  return std::any_of(bounds.begin(), bounds.end(), IsInf);
}

Histogram WideHistogram::Build(bool with_errors) const {
  Histogram out;
  out.schema = schema;
  out.reset_hint = hint;
  out.zero_threshold = zero_threshold;
  out.zero_count = with_errors ? zero_count + zero_c : zero_count;
  out.count = with_errors ? count + count_c : count;
  out.sum = with_errors ? sum + sum_c : sum;
  out.custom_values = bounds;
  std::vector<WideBucket> p = positive, n = negative;
  if (with_errors) {
    for (auto* side : {&p, &n}) {
      for (WideBucket& b : *side) b.v += b.c;
    }
  }
  CollapseBuckets(p, &out.positive_spans, &out.positive_buckets);
  CollapseBuckets(n, &out.negative_spans, &out.negative_buckets);
  return out;
}

HistogramNotes AddHistogram(Histogram* h, const Histogram& other) {
  WideHistogram wide(*h);
  const HistogramNotes notes = wide.Add(WideHistogram(other), 1, false);
  if (!notes.incompatible) *h = wide.Build(false);
  return notes;
}

HistogramNotes SubtractHistogram(Histogram* h, const Histogram& other) {
  WideHistogram wide(*h);
  const HistogramNotes notes = wide.Add(WideHistogram(other), -1, false);
  if (!notes.incompatible) *h = wide.Build(false);
  return notes;
}

std::shared_ptr<Histogram> MultiplyHistogram(const Histogram& h, double factor) {
  auto out = std::make_shared<Histogram>(h);
  out->zero_count *= factor;
  out->count *= factor;
  out->sum *= factor;
  for (double& v : out->positive_buckets) v *= factor;
  for (double& v : out->negative_buckets) v *= factor;
  if (factor < 0) out->reset_hint = Histogram::ResetHint::kGauge;
  return out;
}

std::shared_ptr<Histogram> DivideHistogram(const Histogram& h, double divisor) {
  auto out = std::make_shared<Histogram>(h);
  out->zero_count /= divisor;
  out->count /= divisor;
  out->sum /= divisor;
  if (divisor == 0) {
    out->positive_buckets.clear();
    out->negative_buckets.clear();
    out->positive_spans.clear();
    out->negative_spans.clear();
    return out;
  }
  for (double& v : out->positive_buckets) v /= divisor;
  for (double& v : out->negative_buckets) v /= divisor;
  if (divisor < 0) out->reset_hint = Histogram::ResetHint::kGauge;
  return out;
}

void CompactInPlace(Histogram* h) {
  auto compact = [](std::vector<Histogram::Span>* spans, std::vector<double>* buckets) {
    std::vector<WideBucket> wide = ExpandBuckets(*spans, *buckets);
    std::erase_if(wide, [](const WideBucket& b) { return b.v == 0; });
    CollapseBuckets(wide, spans, buckets);
  };
  compact(&h->positive_spans, &h->positive_buckets);
  compact(&h->negative_spans, &h->negative_buckets);
}

std::shared_ptr<const Histogram> CompactHistogram(std::shared_ptr<Histogram> h) {
  CompactInPlace(h.get());
  return h;
}

Histogram ReduceSchema(const Histogram& h, std::int32_t schema) {
  if (schema == h.schema) return h;
  WideHistogram wide(h);
  wide.ReduceTo(schema, false);
  Histogram out = wide.Build(false);
  out.reset_hint = Histogram::ResetHint::kUnknown;
  return out;
}

bool EqualHistograms(const Histogram& a, const Histogram& b) {
  auto bits = [](double x) { return std::bit_cast<std::uint64_t>(x); };
  if (a.schema != b.schema || bits(a.count) != bits(b.count) || bits(a.sum) != bits(b.sum)) return false;
  if (a.uses_custom_buckets() && a.custom_values != b.custom_values) return false;
  if (a.zero_threshold != b.zero_threshold || bits(a.zero_count) != bits(b.zero_count)) return false;
  auto same = [&](const std::vector<WideBucket>& x, const std::vector<WideBucket>& y) {
    return std::equal(x.begin(), x.end(), y.begin(), y.end(), [&](const WideBucket& p, const WideBucket& q) { return p.index == q.index && bits(p.v) == bits(q.v); });
  };
  return same(ExpandBuckets(a.positive_spans, a.positive_buckets), ExpandBuckets(b.positive_spans, b.positive_buckets)) &&
         same(ExpandBuckets(a.negative_spans, a.negative_buckets), ExpandBuckets(b.negative_spans, b.negative_buckets));
}

namespace {

// A populated bucket of `before` is missing or larger than in `now`.
bool Fell(const std::vector<WideBucket>& now, const std::vector<WideBucket>& before) {
  std::size_t i = 0;
  for (const WideBucket& b : before) {
    while (i < now.size() && now[i].index < b.index) ++i;
    if (i < now.size() && now[i].index == b.index ? now[i].v < b.v : b.v != 0) return true;
  }
  return false;
}

}  // namespace

bool DetectReset(const Histogram& now, const Histogram& before) {
  if (now.reset_hint == Histogram::ResetHint::kReset) return true;
  if (now.reset_hint == Histogram::ResetHint::kNotReset) return false;
  if (now.count < before.count) return true;
  WideHistogram n(now), b(before);
  if (n.custom()) {
    if (!b.custom()) return true;
    if (n.bounds != b.bounds) {
      const std::vector<double> common = Intersect(n.bounds, b.bounds);
      std::vector<WideBucket> n_target(common.size() + 1), b_target(common.size() + 1);
      MapBounds(n.positive, n.bounds, common, 1, false, &n_target);
      MapBounds(b.positive, b.bounds, common, 1, false, &b_target);
      for (std::size_t i = 0; i < n_target.size(); ++i) {
        if (n_target[i].v < b_target[i].v) return true;
      }
      return false;
    }
    return Fell(n.positive, b.positive);
  }
  if (b.custom() || n.schema > b.schema || n.zero_threshold < b.zero_threshold) return true;
  const ZeroBucket zero = WiderZero(b, n.zero_threshold);
  if (zero.threshold != n.zero_threshold || n.zero_count < zero.count) return true;
  b.ReduceTo(n.schema, false);
  auto inside = [&](const WideBucket& x) { return ExponentialBound(x.index, n.schema) <= n.zero_threshold; };
  for (auto* side : {&n.positive, &n.negative, &b.positive, &b.negative}) std::erase_if(*side, inside);
  return Fell(n.positive, b.positive) || Fell(n.negative, b.negative);
}

HistogramAverage::HistogramAverage() = default;
HistogramAverage::HistogramAverage(HistogramAverage&&) noexcept = default;
HistogramAverage& HistogramAverage::operator=(HistogramAverage&&) noexcept = default;
HistogramAverage::~HistogramAverage() = default;

HistogramNotes HistogramAverage::Add(const Histogram& h, bool average) {
  HistogramNotes notes;
  if (failed_) return notes;
  reset_seen_ |= h.reset_hint == Histogram::ResetHint::kReset;
  not_reset_seen_ |= h.reset_hint == Histogram::ResetHint::kNotReset;
  count_ += 1;
  if (!sum_) {
    sum_ = std::make_unique<WideHistogram>(h);
    return notes;
  }
  if (!incremental_) {
    WideHistogram next = *sum_;
    notes = next.Add(WideHistogram(h), 1, true);
    if (notes.incompatible) {
      failed_ = true;
      return notes;
    }
    if (!average || !next.HasOverflow()) {
      *sum_ = std::move(next);
      return notes;
    }
    incremental_ = true;
    sum_->Divide(count_ - 1);
  }
  sum_->Scale((count_ - 1) / count_);
  WideHistogram part(h);
  part.Divide(count_);
  notes = sum_->Add(std::move(part), 1, true);
  failed_ = notes.incompatible;
  return notes;
}

std::shared_ptr<const Histogram> HistogramAverage::Sum() const {
  if (failed_ || !sum_) return nullptr;
  return CompactHistogram(std::make_shared<Histogram>(sum_->Build(true)));
}

std::shared_ptr<const Histogram> HistogramAverage::Average() const {
  if (failed_ || !sum_) return nullptr;
  WideHistogram out = *sum_;
  if (!incremental_) out.Divide(count_);
  return CompactHistogram(std::make_shared<Histogram>(out.Build(true)));
}

}  // namespace prom::promql
