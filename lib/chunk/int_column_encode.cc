// Writing integer columns: choose a mode on a sample, a form and a factor on all
// residuals, a width and patches per block from a histogram of bit lengths.
#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>
#include <numeric>

#include "base/bytes.h"
#include "chunk/int_column.h"
#include "chunk/int_column_format.h"
#include "chunk/scratch.h"

namespace prom::chunk {
namespace {

// Modes are compared on this many values: enough to see past a burst, and small
// beside a chunk of 480.
constexpr std::size_t kSampleValues = 64;
// For columns this short the mode is chosen by the varints they would take; they
// are mostly the runs of series that rarely change, where header bytes decide.
constexpr std::size_t kShortColumn = 16;
// More residuals than this are not considered for a list of varints.
constexpr std::size_t kMaxList = 24;

std::int64_t Signed(std::uint64_t v) { return static_cast<std::int64_t>(v); }
unsigned BitLength(std::uint64_t v) { return static_cast<unsigned>(std::bit_width(v)); }
std::size_t VarintBytes(std::uint64_t v) { return (BitLength(v | 1) + 6) / 7; }

struct Plan {
  ColumnForm form = kFormPlain;
  std::uint64_t base = 0;
  std::uint64_t factor = 1;
};

// The form and base for residuals r. The mean magnitude is what tells a wide but
// even range (where a base saves the sign bit) from outliers (best left to patches).
Plan ChooseForm(const IntSummary& summary, std::size_t n) {
  const auto [min, max, negative, magnitude, any] = summary;
  const std::uint64_t low = static_cast<std::uint64_t>(min);
  const unsigned range_bits = BitLength(static_cast<std::uint64_t>(max) - low);
  const unsigned mean_bits = BitLength(magnitude / n);
  if (negative == 0) {
    const unsigned mean_above_bits = BitLength(magnitude / n - std::min(low, magnitude / n));
    const bool pays = n * (mean_bits - std::min(mean_bits, mean_above_bits)) > 8 * VarintBytes(ZigZag(min));
    return pays ? Plan{kFormBased, low, 1} : Plan{};
  }
  // A counter with a reset: the few falls wrap to huge numbers, and are patched.
  if (max > 0 && negative * 72 < n) return Plan{};
  const unsigned zigzag_bits = 1 + BitLength(std::max(static_cast<std::uint64_t>(std::max(max, std::int64_t{0})), ~low));
  if (range_bits < zigzag_bits && range_bits <= mean_bits + 2 && n * (zigzag_bits - range_bits) > 8 * VarintBytes(ZigZag(min)))
    return {kFormBased, low, 1};
  return {kFormZigZag, 0, 1};
}

// The largest number that divides all r[i] - base, or 1 when it would not pay.
// `any`: the bits set in any r[i].
std::uint64_t CommonFactor(const std::uint64_t* r, std::size_t n, std::uint64_t base, std::uint64_t any) {
  std::uint64_t all = any;
  if (base != 0) {
    all = 0;
    for (std::size_t i = 0; i < n; ++i) all |= r[i] - base;
  }
  if (all == 0) return 1;
  const int zeros = std::countr_zero(all);
  const auto odd_part = [&](std::size_t i) {
    const std::int64_t v = Signed(r[i] - base);
    const std::uint64_t magnitude = v < 0 ? 0 - static_cast<std::uint64_t>(v) : static_cast<std::uint64_t>(v);
    return magnitude >> std::min(zeros, 63);
  };
  std::uint64_t odd = 0;
  for (std::size_t i = 0; i < n && odd != 1; ++i) {
    const std::uint64_t v = odd_part(i);
    if (v != 0) odd = odd == 0 || v % odd != 0 ? std::gcd(odd, v) : odd;
  }
  while (odd != 0 && odd % 2 == 0) odd /= 2;
  const std::uint64_t factor = std::max<std::uint64_t>(odd, 1) << zeros;
  // The factor must divide as a signed number as well; 2^63 would not.
  if (factor < 2 || factor > (1ull << 62)) return 1;
  return n * (BitLength(factor) - 1) > 8 * VarintBytes(factor) ? factor : 1;
}

// Makes u[i] of residuals u[i], in place; `factor` divides exactly.
void StoreForm(std::uint64_t* u, std::size_t n, const Plan& plan) {
  const bool zigzag = plan.form == kFormZigZag || plan.form == kFormList;
  if (plan.factor == 1) {
    if (zigzag) {
      for (std::size_t i = 0; i < n; ++i) u[i] = ZigZag(Signed(u[i]));
    } else if (plan.base != 0) {
      for (std::size_t i = 0; i < n; ++i) u[i] -= plan.base;
    }
    return;
  }
  // Exact division: shift, then multiply by the inverse of the odd part modulo 2^64.
  const int shift = std::countr_zero(plan.factor);
  const std::uint64_t odd = plan.factor >> shift;
  std::uint64_t inverse = odd;  // right in 3 bits; each step doubles them
  for (int i = 0; i < 5; ++i) inverse *= 2 - odd * inverse;
  for (std::size_t i = 0; i < n; ++i) {
    const std::int64_t quotient = Signed(static_cast<std::uint64_t>(Signed(u[i] - plan.base) >> shift) * inverse);
    u[i] = zigzag ? ZigZag(quotient) : static_cast<std::uint64_t>(quotient);
  }
}

void AppendBlock(const std::uint64_t* u, std::size_t n, const Kernels& kernels, std::string* out) {
  const BlockWidth w = kernels.choose_width(u, n);
  std::uint64_t low[kBlockValues], high[kBlockValues];
  // Width byte, packed values, patch count and width, positions, packed highs; PackBits may write 8 further.
  std::uint8_t bytes[1 + kBlockValues * 8 + 2 + kBlockValues * 9 + 16];
  std::uint8_t* p = bytes;
  *p++ = static_cast<std::uint8_t>(w.width | (w.patches > 0 ? kBlockPatched : 0));
  const std::size_t groups = (n + 7) / 8;
  const std::uint64_t* packed = u;
  std::uint8_t* positions = p + (n * w.width + 7) / 8 + 2;
  std::uint8_t position_bytes[kBlockValues];
  std::size_t patches = 0;
  if (w.patches > 0 || n % 8 != 0) {
    const std::uint64_t mask = w.width == 64 ? ~0ull : (1ull << w.width) - 1;
    for (std::size_t i = 0; i < n; ++i) low[i] = u[i] & mask;
    std::fill(low + n, low + groups * 8, 0);
    packed = low;
  }
  if (w.patches > 0) {
    for (std::size_t i = 0; i < n && patches < w.patches; ++i) {
      const std::uint64_t above = u[i] >> w.width;
      position_bytes[patches] = static_cast<std::uint8_t>(i);
      high[patches] = above;
      patches += above != 0;
    }
  }
  PackBits(packed, groups, w.width, p);
  p += (n * w.width + 7) / 8;
  if (w.patches > 0) {
    *p++ = static_cast<std::uint8_t>(patches);
    *p++ = static_cast<std::uint8_t>(w.high);
    assert(p == positions);
    std::memcpy(positions, position_bytes, patches);
    p += patches;
    std::fill(high + patches, high + (patches + 7) / 8 * 8, 0);
    PackBits(high, (patches + 7) / 8, w.high, p);
    p += (patches * w.high + 7) / 8;
  }
  out->append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(p - bytes));
}

// Differences of x of the mode's order; the first one or two, which the header
// holds as values, are left out. Returns how many were left out.
std::size_t Residuals(const std::uint64_t* x, std::size_t n, ColumnMode mode, std::uint64_t* r) {
  switch (mode) {
    case ColumnMode::kConstant:
    case ColumnMode::kFrame: std::memcpy(r, x, n * sizeof *x); return 0;
    case ColumnMode::kDelta:
      for (std::size_t i = 1; i < n; ++i) r[i] = x[i] - x[i - 1];
      return 1;
    case ColumnMode::kDelta2:
      for (std::size_t i = 2; i < n; ++i) r[i] = (x[i] - x[i - 1]) - (x[i - 1] - x[i - 2]);
      return 2;
  }
  return 0;
}

void AppendColumn(const std::uint64_t* x, std::size_t n, ColumnMode mode, const Kernels& kernels, std::string* out) {
  Scratch<std::uint64_t> u(n);
  const std::size_t skip = Residuals(x, n, mode, u.data());
  const IntSummary summary = kernels.summarize(u.data() + skip, n - skip);
  Plan plan = ChooseForm(summary, n - skip);
  plan.factor = CommonFactor(u.data() + skip, n - skip, plan.base, summary.any);
  std::fill_n(u.data(), skip, 0);
  std::uint64_t items[kMaxList];
  if (n - skip <= kMaxList) std::copy_n(u.data() + skip, n - skip, items);
  StoreForm(u.data() + skip, n - skip, plan);
  if (n - skip <= kMaxList) {
    Plan list{kFormList, 0, plan.form == kFormBased ? 1 : plan.factor};
    StoreForm(items, n - skip, list);
    std::size_t list_bytes = 0;
    for (std::size_t i = 0; i < n - skip; ++i) list_bytes += VarintBytes(items[i]);
    const std::size_t packed_bytes =
        1 + (kernels.choose_width(u.data(), n).bits + 7) / 8 + (plan.form == kFormBased ? VarintBytes(ZigZag(Signed(plan.base))) : 0);
    if (list_bytes <= packed_bytes) {
      plan = list;
      std::copy_n(items, n - skip, u.data() + skip);
    }
  }
  out->push_back(static_cast<char>(static_cast<unsigned>(mode) | plan.form << kColumnFormShift | (plan.factor != 1 ? kColumnFactorBit : 0)));
  if (mode != ColumnMode::kFrame) AppendSignedVarint(out, Signed(x[0]));
  if (mode == ColumnMode::kDelta2) AppendSignedVarint(out, Signed(x[1] - x[0]));
  if (plan.form == kFormBased) AppendSignedVarint(out, Signed(plan.base));
  if (plan.factor != 1) AppendVarint(out, plan.factor);
  if (plan.form == kFormList) {
    for (std::size_t i = skip; i < n; ++i) AppendVarint(out, u[i]);
    return;
  }
  for (std::size_t i = 0; i < n; i += kBlockValues) AppendBlock(u.data() + i, std::min(kBlockValues, n - i), kernels, out);
}

// Bits for at most kSampleValues residuals, which it overwrites.
std::size_t EstimateResiduals(std::uint64_t* r, std::size_t n, const Kernels& kernels) {
  if (n == 0) return 0;
  StoreForm(r, n, ChooseForm(kernels.summarize(r, n), n));
  return kernels.choose_width(r, n).bits;
}

struct Estimate {
  ColumnMode mode;
  std::size_t bits;  // of the sample
};

Estimate EstimateModes(std::span<const std::uint64_t> x, const Kernels& kernels) {
  const std::size_t n = x.size(), sampled = std::min(n, kSampleValues);
  std::uint64_t sample[kSampleValues], r[kSampleValues];
  // Values over the whole column, because a frame must cover all of its trend;
  // differences from one stretch in the middle.
  const std::size_t step = n / sampled, rest = n % sampled;
  for (std::size_t i = 0, at = 0, left = 0; i < sampled; ++i) {  // x[i * n / sampled], without dividing each time
    sample[i] = x[at];
    at += step;
    left += rest;
    if (left >= sampled) {
      left -= sampled;
      ++at;
    }
  }
  Estimate best{ColumnMode::kFrame, EstimateResiduals(sample, sampled, kernels)};
  const std::uint64_t* middle = x.data() + (n - sampled) / 2;
  for (const ColumnMode mode : {ColumnMode::kDelta, ColumnMode::kDelta2}) {
    const std::size_t skip = Residuals(middle, sampled, mode, r);
    if (skip >= sampled) continue;
    const std::size_t bits = EstimateResiduals(r + skip, sampled - skip, kernels) * sampled / (sampled - skip);
    // Twice the sums to decode, and the estimate is one of a sample: a second
    // difference must be clearly shorter.
    const std::size_t needed = mode == ColumnMode::kDelta2 ? best.bits - best.bits / 16 : best.bits;
    if (bits < needed) best = {mode, bits};
  }
  return best;
}

// The mode with the fewest bytes as head and list of varints.
ColumnMode ShortestList(std::span<const std::uint64_t> x) {
  const auto bytes = [](std::uint64_t v) { return VarintBytes(ZigZag(Signed(v))); };
  std::size_t frame = bytes(x[0]), delta = frame, delta2 = frame;
  for (std::size_t i = 1; i < x.size(); ++i) {
    const std::uint64_t d = x[i] - x[i - 1];
    frame += bytes(x[i]);
    delta += bytes(d);
    delta2 += bytes(i == 1 ? d : d - (x[i - 1] - x[i - 2]));
  }
  if (x.size() < 3) delta2 = delta;  // it has two values in its head
  if (frame <= std::min(delta, delta2)) return ColumnMode::kFrame;
  return delta <= delta2 ? ColumnMode::kDelta : ColumnMode::kDelta2;
}

bool AllEqual(std::span<const std::uint64_t> x) { return x.size() == 1 || std::memcmp(x.data(), x.data() + 1, (x.size() - 1) * sizeof x[0]) == 0; }

}  // namespace

ColumnMode AppendIntColumn(std::span<const std::uint64_t> x, std::string* out, ColumnMode hint, const Kernels& kernels) {
  assert(!x.empty());
  const std::size_t n = x.size();
  if (AllEqual(x)) {
    out->push_back(0);
    AppendSignedVarint(out, Signed(x[0]));
    return ColumnMode::kConstant;
  }
  const ColumnMode mode = n <= kShortColumn ? ShortestList(x) : hint != ColumnMode::kConstant ? hint : EstimateModes(x, kernels).mode;
  AppendColumn(x.data(), n, mode, kernels, out);
  return mode;
}

std::uint64_t EstimateDeltaBits(std::span<const std::uint64_t> x, const Kernels& kernels) {
  const std::size_t n = std::min(x.size(), kSampleValues);
  if (n < 2) return 0;
  std::uint64_t r[kSampleValues];
  Residuals(x.data(), n, ColumnMode::kDelta, r);
  return EstimateResiduals(r + 1, n - 1, kernels);
}

}  // namespace prom::chunk
