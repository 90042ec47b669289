// Encoders of XOR and histogram chunks, as every Prometheus since 2.40 reads them.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/number.h"
#include "tsdb/chunk.h"

namespace prom::tsdb {
namespace {

// The bits of `v` against those before: same, in the window of the last one, or in its own.
void WriteXorBits(BitWriter& bits, std::uint64_t v, std::uint64_t* before, int* leading, int* trailing) {
  const std::uint64_t x = v ^ *before;
  *before = v;
  if (x == 0) return bits.Write(0, 1);
  const int lead = std::min(std::countl_zero(x), 31), trail = std::countr_zero(x);
  if (*leading != 0xff && lead >= *leading && trail >= *trailing) {
    bits.Write(0b10, 2);
    return bits.Write(x >> *trailing, 64 - *leading - *trailing);
  }
  *leading = lead;
  *trailing = trail;
  const int width = 64 - lead - trail;
  bits.Write(0b11, 2);
  bits.Write(static_cast<std::uint64_t>(lead), 5);
  bits.Write(static_cast<std::uint64_t>(width) & 63, 6);
  bits.Write(x >> trail, width);
}

void WriteZeroThreshold(BitWriter& bits, double threshold) {
  if (std::bit_cast<std::uint64_t>(threshold) == 0) return bits.Byte(0);  // -0 is written in full
  int exponent = 0;
  const double fraction = std::frexp(threshold, &exponent);
  if (fraction != 0.5 || exponent < -242 || exponent > 11) {
    bits.Byte(255);
    return bits.Double(threshold);
  }
  bits.Byte(static_cast<std::uint8_t>(exponent + 243));
}

void WriteSpans(BitWriter& bits, const std::vector<Histogram::Span>& spans) {
  bits.VarbitUint(spans.size());
  for (const auto& s : spans) {
    bits.VarbitUint(s.length);
    bits.VarbitInt(s.offset);
  }
}

// Thousandths up to 33554.430 take a varbit; anything else a zero bit and its double.
void WriteCustomValue(BitWriter& bits, double v) {
  const double thousandths = v * 1000;
  if (thousandths >= 0 && thousandths <= 33554430 && std::round(thousandths) / 1000 == v && std::bit_cast<std::uint64_t>(v) != std::uint64_t{1} << 63) {
    return bits.VarbitUint(static_cast<std::uint64_t>(std::round(thousandths)) + 1);
  }
  bits.Write(0, 1);
  bits.Double(v);
}

std::uint64_t Whole(double v) { return static_cast<std::uint64_t>(static_cast<std::int64_t>(v)); }

}  // namespace

void XorEncoder::Reset() {
  bytes_.assign(2, '\0');
  bits_ = BitWriter(&bytes_);
  count_ = 0;
  leading_ = 0xff;
  trailing_ = 0;
}

void XorEncoder::Append(std::int64_t t_ms, double v) {
  const auto raw = std::bit_cast<std::uint64_t>(v);
  const std::uint64_t delta = static_cast<std::uint64_t>(t_ms) - static_cast<std::uint64_t>(t_);
  if (count_ == 0) {
    bits_.Varint(t_ms);
    bits_.Write(raw, 64);
    v_ = raw;
  } else {
    if (count_ == 1) {
      bits_.Uvarint(delta);
    } else {
      const auto dod = static_cast<std::int64_t>(delta - delta_);
      const auto d = static_cast<std::uint64_t>(dod);
      if (dod == 0) {
        bits_.Write(0, 1);
      } else if (BitWriter::Fits(dod, 14)) {
        bits_.Write(std::uint64_t{0b10} << 14 | (d & 0x3fff), 16);
      } else if (BitWriter::Fits(dod, 17)) {
        bits_.Write(std::uint64_t{0b110} << 17 | (d & 0x1ffff), 20);
      } else if (BitWriter::Fits(dod, 20)) {
        bits_.Write(std::uint64_t{0b1110} << 20 | (d & 0xfffff), 24);
      } else {
        bits_.Write(0b1111, 4);
        bits_.Write(d, 64);
      }
    }
    delta_ = delta;
    WriteXorBits(bits_, raw, &v_, &leading_, &trailing_);
  }
  t_ = t_ms;
  ++count_;
}

const std::string& XorEncoder::Finish() {
  bits_.Flush();
  StoreBe16(bytes_.data(), static_cast<std::uint16_t>(count_));
  return bytes_;
}

struct HistogramEncoder::XorField {
  std::uint64_t v = 0;
  int leading = 0xff, trailing = 0;
};

struct HistogramEncoder::State {
  Histogram last;  // the layout is that of the first
  std::uint64_t t = 0, t_delta = 0, n = 0, n_delta = 0, zero = 0, zero_delta = 0;
  std::vector<std::uint64_t> deltas, steps;  // integers: positive, then negative buckets
  std::vector<XorField> fields;              // floats: the same
  XorField sum, x_count, x_zero;
};

HistogramEncoder::HistogramEncoder() : state_(std::make_unique<State>()) { Reset(); }
HistogramEncoder::~HistogramEncoder() = default;

void HistogramEncoder::Reset() {
  bytes_.assign(3, '\0');
  bits_ = BitWriter(&bytes_);
  count_ = 0;
  *state_ = State();
}

Encoding HistogramEncoder::encoding() const { return state_->last.is_float ? Encoding::kFloatHistogram : Encoding::kHistogram; }

bool HistogramEncoder::Fits(const Histogram& h) const {
  if (count_ == 0) return true;
  const Histogram& last = state_->last;
  const bool gauge = h.reset_hint == Histogram::ResetHint::kGauge, was_gauge = last.reset_hint == Histogram::ResetHint::kGauge;
  if (h.is_float != last.is_float) return false;
  if (IsStaleNan(h.sum)) return true;  // has no buckets of its own
  if (IsStaleNan(last.sum) || gauge != was_gauge || h.reset_hint == Histogram::ResetHint::kReset) return false;
  if (h.schema != last.schema || std::bit_cast<std::uint64_t>(h.zero_threshold) != std::bit_cast<std::uint64_t>(last.zero_threshold) ||
      h.positive_spans != last.positive_spans || h.negative_spans != last.negative_spans || h.custom_values != last.custom_values)
    return false;
  if (gauge) return true;
  // Readers take every sample but the first of a chunk for "no reset".
  if (!(h.count >= last.count) || !(h.zero_count >= last.zero_count)) return false;
  const auto fell = [](const std::vector<double>& now, const std::vector<double>& before) {
    for (std::size_t i = 0; i < now.size(); ++i)
      if (!(now[i] >= before[i])) return true;
    return false;
  };
  return !fell(h.positive_buckets, last.positive_buckets) && !fell(h.negative_buckets, last.negative_buckets);
}

void HistogramEncoder::WriteXor(double v, XorField* field) { WriteXorBits(bits_, std::bit_cast<std::uint64_t>(v), &field->v, &field->leading, &field->trailing); }

void HistogramEncoder::Append(std::int64_t t_ms, const Histogram& given) {
  State& s = *state_;
  const bool stale = IsStaleNan(given.sum);
  Histogram bare;
  if (stale) {
    bare.is_float = given.is_float;
    bare.sum = given.sum;
  }
  const Histogram& h = stale ? bare : given;
  if (count_ == 0) {
    using Hint = Histogram::ResetHint;
    bytes_[2] = static_cast<char>(given.reset_hint == Hint::kGauge ? 0xc0 : given.reset_hint == Hint::kReset ? 0x80 : 0);
    WriteZeroThreshold(bits_, h.zero_threshold);
    bits_.VarbitInt(h.schema);
    WriteSpans(bits_, h.positive_spans);
    WriteSpans(bits_, h.negative_spans);
    if (h.uses_custom_buckets()) {
      bits_.VarbitUint(h.custom_values.size());
      for (const double v : h.custom_values) WriteCustomValue(bits_, v);
    }
    bits_.VarbitInt(t_ms);
    if (h.is_float) {
      for (const auto& [v, field] : {std::pair(h.count, &s.x_count), std::pair(h.zero_count, &s.x_zero)}) {
        field->v = std::bit_cast<std::uint64_t>(v);
        bits_.Double(v);
      }
    } else {
      s.n = Whole(h.count);
      s.zero = Whole(h.zero_count);
      bits_.VarbitUint(s.n);
      bits_.VarbitUint(s.zero);
    }
    s.sum.v = std::bit_cast<std::uint64_t>(h.sum);
    bits_.Double(h.sum);
  } else {
    // Differences of any two times, modulo 2^64, as the reader adds them.
    const std::uint64_t delta = static_cast<std::uint64_t>(t_ms) - s.t;
    bits_.VarbitInt(static_cast<std::int64_t>(delta - s.t_delta));
    s.t_delta = delta;
    if (h.is_float) {
      WriteXor(h.count, &s.x_count);
      WriteXor(h.zero_count, &s.x_zero);
    } else {
      const auto write = [&](double v, std::uint64_t* at, std::uint64_t* step) {
        const std::uint64_t d = Whole(v) - *at;
        bits_.VarbitInt(static_cast<std::int64_t>(d - *step));
        *step = d;
        *at = Whole(v);
      };
      write(h.count, &s.n, &s.n_delta);
      write(h.zero_count, &s.zero, &s.zero_delta);
    }
    WriteXor(h.sum, &s.sum);
  }
  if (!stale) {
    const bool first = count_ == 0;
    std::size_t at = 0;
    for (const auto* side : {&h.positive_buckets, &h.negative_buckets}) {
      std::uint64_t before = 0;
      for (const double v : *side) {
        if (h.is_float) {
          if (first) {
            s.fields.push_back({std::bit_cast<std::uint64_t>(v), 0xff, 0});
            bits_.Double(v);
          } else {
            WriteXor(v, &s.fields[at]);
          }
        } else {
          const std::uint64_t d = Whole(v) - before;
          before = Whole(v);
          if (first) {
            s.deltas.push_back(d);
            s.steps.push_back(0);
            bits_.VarbitInt(static_cast<std::int64_t>(d));
          } else {
            const std::uint64_t step = d - s.deltas[at];
            bits_.VarbitInt(static_cast<std::int64_t>(step - s.steps[at]));
            s.steps[at] = step;
            s.deltas[at] = d;
          }
        }
        ++at;
      }
    }
  }
  s.t = static_cast<std::uint64_t>(t_ms);
  s.last = h;
  if (count_ == 0 || !stale) s.last.reset_hint = given.reset_hint;
  ++count_;
}

const std::string& HistogramEncoder::Finish() {
  bits_.Flush();
  StoreBe16(bytes_.data(), static_cast<std::uint16_t>(count_));
  return bytes_;
}

}  // namespace prom::tsdb
