// Writing value chunks.
//
// Order of decisions, cheapest first: all equal (one memcmp); NaNs and infinities
// taken out as patches; runs when no more than 5 of 8 values change; an exponent
// at which nearly all values are decimals; only when there is none, decimal + ulp
// against ordered bits, compared on a sample. A hint remembers kind, exponent and
// column modes, which leaves one pass each for conversion, differences, widths and
// packing.
#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/number.h"
#include "chunk/decimal.h"
#include "chunk/scratch.h"
#include "chunk/value_body.h"
#include "chunk/value_chunk.h"

namespace prom::chunk {
namespace {

// Misfits tolerated before another exponent or kind is tried: one patch is about
// 10 bytes, so one in 32 costs a third of a byte a value.
constexpr std::size_t kMisfitShare = 32;
// From this exponent on a fit may be chance (grid finer than the doubles), so that
// the other kinds are compared too.
constexpr int kSuspectExponent = 10;
constexpr std::size_t kCompareValues = 48;
constexpr int kUlpExponents[] = {3, 6, 9};

std::uint64_t Bits(double v) { return std::bit_cast<std::uint64_t>(v); }

// EncoderHint.choice: kind (2 bits), exponent (4), mode of the integer column (2).
// EncoderHint.state: mode of the ulp column (2), uses until the next trial (5), known (1).
struct Choice {
  ValueKind kind = ValueKind::kConstant;  // kConstant: nothing known
  int exponent = 0;
  ColumnMode mode = ColumnMode::kConstant;      // kConstant: choose
  ColumnMode ulp_mode = ColumnMode::kConstant;  // likewise
};
constexpr std::uint8_t kHintKnown = 0x80;
constexpr unsigned kHintUsesMask = 31;
// Uses after a trial that changed its mind, and after one that confirmed the choice: a
// trial costs as much as three to six uses.
constexpr unsigned kHintUses = 7, kConfirmedUses = 31;

Choice ReadHint(const EncoderHint* hint) {
  if (hint == nullptr || !(hint->state & kHintKnown) || (hint->state >> 2 & kHintUsesMask) == 0) return {};
  const Choice c{static_cast<ValueKind>(hint->choice & 3), hint->choice >> 2 & 15, static_cast<ColumnMode>(hint->choice >> 6 & 3),
                 static_cast<ColumnMode>(hint->state & 3)};
  const bool sound = c.kind == ValueKind::kDecimal || (c.exponent == 0 ? c.kind == ValueKind::kOrdered : c.exponent % 3 == 0 && c.exponent <= 9);
  return sound ? c : Choice{};
}

void WriteHint(const Choice& c, bool reused, EncoderHint* hint) {
  if (hint == nullptr) return;
  const auto choice = static_cast<std::uint8_t>(static_cast<unsigned>(c.kind) | static_cast<unsigned>(c.exponent) << 2 | static_cast<unsigned>(c.mode) << 6);
  const bool confirmed = (hint->state & kHintKnown) != 0 && hint->choice == choice && (hint->state & 3) == static_cast<unsigned>(c.ulp_mode);
  const unsigned uses = reused ? (hint->state >> 2 & kHintUsesMask) - 1 : confirmed ? kConfirmedUses : kHintUses;
  hint->choice = choice;
  hint->state = static_cast<std::uint8_t>(static_cast<unsigned>(c.ulp_mode) | uses << 2 | kHintKnown);
}

// Values to be restored after decoding; kept in ascending order of position.
class PatchList {
 public:
  void Add(std::size_t at, std::size_t length, std::uint64_t bits) {
    if (!items_.empty() && items_.back().bits == bits && items_.back().at + items_.back().length == at) {
      items_.back().length += length;
    } else {
      items_.push_back({at, length, bits});
    }
  }
  bool empty() const { return items_.empty(); }
  // Patches that need their eight bytes.
  std::size_t raw() const {
    return static_cast<std::size_t>(std::count_if(items_.begin(), items_.end(), [](const Item& item) { return Tag(item.bits) == kPatchRaw; }));
  }
  // Adds patches that may cover patches of this list, which then stay as they are:
  // a NaN inside a run of misfits is still a NaN. None covers only part of another.
  void AddUnder(const PatchList& other) {
    PatchList merged;
    std::size_t i = 0;
    const auto take = [&](const Item& item) { merged.Add(item.at, item.length, item.bits); };
    for (const Item& under : other.items_) {
      std::size_t at = under.at;
      const std::size_t end = at + under.length;
      for (; i < items_.size() && items_[i].at < end; ++i) {
        if (items_[i].at > at) merged.Add(at, items_[i].at - at, under.bits);
        at = std::max(at, items_[i].at + items_[i].length);
        take(items_[i]);
      }
      if (at < end) merged.Add(at, end - at, under.bits);
    }
    for (; i < items_.size(); ++i) take(items_[i]);
    items_ = std::move(merged.items_);
  }
  void Append(std::string* out) const {
    AppendVarint(out, items_.size());
    std::size_t at = 0;
    for (const Item& item : items_) {
      const PatchTag tag = Tag(item.bits);
      const bool repeated = item.length > 1;
      AppendVarint(out, (item.at - at) << 3 | static_cast<unsigned>(tag) << 1 | (repeated ? 1 : 0));
      if (repeated) AppendVarint(out, item.length - 2);
      if (tag == kPatchRaw) AppendLe(out, item.bits);
      at = item.at + item.length;
    }
  }

 private:
  struct Item {
    std::size_t at, length;
    std::uint64_t bits;
  };
  static PatchTag Tag(std::uint64_t bits) {
    switch (bits) {
      case kStaleNanBits: return kPatchStale;
      case kNormalNanBits: return kPatchNan;
      case 1ull << 63: return kPatchNegativeZero;
      default: return kPatchRaw;
    }
  }
  std::vector<Item> items_;
};

void AppendHeader(std::uint8_t form, bool patches, bool no_resets, std::string* out) {
  out->push_back(static_cast<char>(form | (patches ? kBodyPatchesBit : 0) | (no_resets ? kBodyNoResetsBit : 0)));
}

void AppendConstant(double v, const PatchList& patches, bool no_resets, std::string* out) {
  for (int e = 0; e <= kMaxExponent; ++e) {
    std::int64_t m;
    if (!FitDecimal(v, e, &m)) continue;
    AppendHeader(static_cast<std::uint8_t>(kFormConstantDecimal + e), !patches.empty(), no_resets, out);
    AppendSignedVarint(out, m);
    if (!patches.empty()) patches.Append(out);
    return;
  }
  AppendHeader(kFormConstantRaw, !patches.empty(), no_resets, out);
  AppendLe(out, Bits(v));
  if (!patches.empty()) patches.Append(out);
}

// The smallest exponent >= from at which v is a decimal, or -1.
int SmallestExponent(double v, int from) {
  std::int64_t m;
  for (int e = from; e <= kMaxExponent; ++e) {
    if (FitDecimal(v, e, &m)) return e;
    if (e > 0 && std::fabs(v) * kPow10[e] >= 0x1p53) return -1;  // no larger one is in reach
  }
  return -1;
}

// Converts y at `exponent`; a value that does not fit takes its neighbour's integer
// and is listed. Stops when there are more than `limit` of those.
struct Misfits {
  std::size_t count = 0;
  std::uint32_t at[64];  // the first of them
};
void ConvertDecimal(const Kernels& kernels, const double* y, std::size_t n, int exponent, std::size_t limit, std::uint64_t* m, Misfits* misfits) {
  misfits->count = 0;
  std::size_t lead = 0;  // misfits in front take the first value that fits
  for (std::size_t i = kernels.fit_decimal(y, n, exponent, m); i < n;) {
    if (misfits->count < std::size(misfits->at)) misfits->at[misfits->count] = static_cast<std::uint32_t>(i);
    if (++misfits->count > limit) return;
    if (i == lead) ++lead;
    m[i] = i == 0 ? 0 : m[i - 1];
    ++i;
    i += kernels.fit_decimal(y + i, n - i, exponent, m + i);
  }
  if (lead > 0 && lead < n) std::fill_n(m, lead, m[lead]);
}

void ConvertOrdered(const double* y, std::size_t n, std::uint64_t* m) {
  for (std::size_t i = 0; i < n; ++i) m[i] = OrderedBits(Bits(y[i]));
}

// How the values y are to be stored. Fills m (and ulps) for the kind it returns,
// and misfits, which are empty but for kDecimal.
Choice ChooseKind(const Kernels& kernels, const double* y, std::size_t n, const Choice& hint, std::uint64_t* m, std::uint64_t* ulps, Misfits* misfits) {
  misfits->count = 0;
  const std::size_t tolerated = std::min(n / kMisfitShare, std::size(misfits->at));
  if (hint.kind == ValueKind::kDecimal) {
    ConvertDecimal(kernels, y, n, hint.exponent, tolerated, m, misfits);
    if (misfits->count <= tolerated) return hint;
  } else if (hint.kind == ValueKind::kDecimalUlp) {
    if (kernels.fit_decimal_ulp(y, n, hint.exponent, m, ulps)) return hint;
  } else if (hint.kind == ValueKind::kOrdered) {
    ConvertOrdered(y, n, m);
    misfits->count = 0;
    return hint;
  }

  // The largest exponent that one of a few values needs; misfits may raise it.
  int exponent = 0;
  std::size_t without = 0;
  constexpr std::size_t kProbes = 5;
  for (std::size_t i = 0; i < kProbes && without < 3; ++i) {
    const int e = SmallestExponent(y[i * (n - 1) / (kProbes - 1)], 0);
    exponent = std::max(exponent, e);
    without += e < 0;
  }
  bool decimal = false;
  std::size_t patched = 0;  // misfits of the best decimal form
  if (without < 3) {
    const std::size_t limit = std::min(n / 8, std::size(misfits->at));
    for (int round = 0; round < 4; ++round) {
      ConvertDecimal(kernels, y, n, exponent, limit, m, misfits);
      patched = misfits->count;
      if (patched <= tolerated) {
        decimal = true;
        break;
      }
      int needed = -1;
      for (std::size_t i = 0; i < std::min<std::size_t>(patched, 8); ++i) needed = std::max(needed, SmallestExponent(y[misfits->at[i]], exponent + 1));
      if (needed < 0) {
        decimal = patched <= limit;
        break;
      }
      exponent = needed;
    }
  }
  if (decimal && patched <= tolerated && exponent < kSuspectExponent) return {ValueKind::kDecimal, exponent, ColumnMode::kConstant, ColumnMode::kConstant};

  // Compare the kinds on one stretch.
  const std::size_t compared = std::min(n, kCompareValues), from = (n - compared) / 2;
  std::uint64_t sample[kCompareValues], sample_ulps[kCompareValues];
  Choice best{ValueKind::kOrdered, 0, ColumnMode::kConstant, ColumnMode::kConstant};
  ConvertOrdered(y + from, compared, sample);
  std::uint64_t best_bits = EstimateDeltaBits({sample, compared}, kernels);
  for (const int e : kUlpExponents) {
    if (!kernels.fit_decimal_ulp(y + from, compared, e, sample, sample_ulps)) continue;
    const std::uint64_t bits = EstimateDeltaBits({sample, compared}, kernels) + EstimateDeltaBits({sample_ulps, compared}, kernels) + 24;
    if (bits < best_bits) {
      best_bits = bits;
      best.kind = ValueKind::kDecimalUlp;
      best.exponent = e;
    }
  }
  if (decimal) {
    const std::uint64_t bits = EstimateDeltaBits({m + from, compared}, kernels) + patched * 80 * compared / n;
    if (bits <= best_bits) return {ValueKind::kDecimal, exponent, ColumnMode::kConstant, ColumnMode::kConstant};
  }
  misfits->count = 0;
  if (best.kind == ValueKind::kDecimalUlp && kernels.fit_decimal_ulp(y, n, best.exponent, m, ulps)) return best;
  ConvertOrdered(y, n, m);
  return {ValueKind::kOrdered, 0, ColumnMode::kConstant, ColumnMode::kConstant};
}

std::uint8_t FormOf(const Choice& c, bool runs) {
  switch (c.kind) {
    case ValueKind::kDecimal: return static_cast<std::uint8_t>((runs ? kFormDecimalRuns : kFormDecimal) + c.exponent);
    case ValueKind::kDecimalUlp: return static_cast<std::uint8_t>((runs ? kFormUlpRuns : kFormUlp) + c.exponent / 3 - 1);
    case ValueKind::kConstant:
    case ValueKind::kOrdered: break;
  }
  return runs ? kFormOrderedRuns : kFormOrdered;
}

// Values x without patches to make; `patches` are those made already.
void AppendVarying(const Kernels& kernels, const double* x, std::size_t n, std::size_t changes, bool no_resets, PatchList* patches, std::string* out, EncoderHint* hint) {
  // Runs: one value per change and the distances. On recorded pages a limit of 5/8
  // takes 1.2 % less than one of 3/8, and 3/4 only 0.1 % less at more cost to decode.
  const bool runs = (changes + 1) * 8 <= n * 5;
  const std::size_t rows = runs ? changes + 1 : n;
  Scratch<double> run_values(runs ? rows : 0);
  Scratch<std::uint32_t> starts(runs ? rows + 1 : 0);
  const double* y = x;
  if (runs) {
    std::size_t k = 0;
    for (std::size_t i = 0; i < n; ++i) {
      if (i > 0 && Bits(x[i]) == Bits(x[i - 1])) continue;
      run_values[k] = x[i];
      starts[k++] = static_cast<std::uint32_t>(i);
    }
    starts[rows] = static_cast<std::uint32_t>(n);
    y = run_values.data();
  }

  Scratch<std::uint64_t> m(rows), ulps(rows);
  Misfits misfits;
  const Choice known = ReadHint(hint);
  Choice choice = ChooseKind(kernels, y, rows, known, m.data(), ulps.data(), &misfits);
  if (misfits.count > 0) {
    PatchList more;
    for (std::size_t i = 0; i < misfits.count; ++i) {
      const std::size_t row = misfits.at[i];
      const std::size_t at = runs ? starts[row] : row, length = runs ? starts[row + 1] - starts[row] : 1;
      more.Add(at, length, Bits(x[at]));
    }
    patches->AddUnder(more);
  }
  AppendHeader(FormOf(choice, runs), !patches->empty(), no_resets, out);
  if (runs) {
    AppendVarint(out, rows);
    Scratch<std::uint64_t> lengths(rows);
    for (std::size_t i = 0; i + 1 < rows; ++i) lengths[i] = starts[i + 1] - starts[i] - 1;
    AppendIntColumn({lengths.data(), rows - 1}, out, ColumnMode::kConstant, kernels);
  }
  const bool reused = known.kind != ValueKind::kConstant && known.kind == choice.kind && known.exponent == choice.exponent;
  const ColumnMode mode = AppendIntColumn({m.data(), rows}, out, reused ? known.mode : ColumnMode::kConstant, kernels);
  if (mode != ColumnMode::kConstant) choice.mode = mode;
  if (choice.kind == ValueKind::kDecimalUlp) {
    const ColumnMode ulp_mode = AppendIntColumn({ulps.data(), rows}, out, reused ? known.ulp_mode : ColumnMode::kConstant, kernels);
    if (ulp_mode != ColumnMode::kConstant) choice.ulp_mode = ulp_mode;
  }
  if (!patches->empty()) patches->Append(out);
  WriteHint(choice, reused, hint);
}

}  // namespace

void AppendValueBody(std::span<const double> values, std::string* out, EncoderHint* hint, const Kernels& kernels) {
  const std::size_t n = values.size();
  assert(n > 0 && n <= kMaxValues);
  PatchList patches;
  if (n == 1 || std::memcmp(values.data(), values.data() + 1, (n - 1) * sizeof values[0]) == 0) {
    AppendConstant(values[0], patches, !std::isnan(values[0]), out);
    return;
  }
  const ValueSurvey survey = kernels.survey(values.data(), n);
  if (survey.specials == 0) {
    AppendVarying(kernels, values.data(), n, survey.changes, survey.no_resets, &patches, out, hint);
    return;
  }

  // NaNs and infinities become patches over the value before them.
  Scratch<double> clean(n);
  std::size_t lead = 0;
  while (lead < n && IsSpecial(Bits(values[lead]))) ++lead;
  double previous = lead < n ? values[lead] : 0;
  std::size_t changes = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint64_t bits = Bits(values[i]);
    if (IsSpecial(bits)) {
      patches.Add(i, 1, bits);
    } else {
      changes += bits != Bits(previous);
      previous = values[i];
    }
    clean[i] = previous;
  }
  if (patches.raw() > n / 8 + 2) {
    // Payloads all over: not a column with exceptions but bits.
    Scratch<std::uint64_t> m(n);
    ConvertOrdered(values.data(), n, m.data());
    AppendHeader(kFormOrdered, false, survey.no_resets, out);
    AppendIntColumn({m.data(), n}, out, ColumnMode::kConstant, kernels);
  } else if (changes == 0) {
    AppendConstant(clean[0], patches, survey.no_resets, out);
  } else {
    AppendVarying(kernels, clean.data(), n, changes, survey.no_resets, &patches, out, hint);
  }
}

void EncodeValues(std::span<const double> values, std::string* out, EncoderHint* hint) {
  assert(!values.empty() && values.size() <= kMaxValues);
  AppendVarint(out, values.size());
  AppendValueBody(values, out, hint);
}

void EncodeValueBody(std::span<const double> values, std::string* out, EncoderHint* hint) { AppendValueBody(values, out, hint); }

}  // namespace prom::chunk
