// Decoders of all chunk encodings. The loops have no error paths: a bit reader that ran
// over its end gives zeros, and that it did is seen once at the end of a chunk (once a
// sample for histograms, whose samples are large).
#include <cmath>

#include "base/number.h"
#include "tsdb/chunk.h"

namespace prom::tsdb {
namespace {

// State of one XOR-coded column.
struct XorColumn {
  std::uint64_t v = 0;
  int leading = 0, trailing = 0;
  bool bad = false;

  void ReadWindow(BitReader& r) {
    const std::uint64_t head = r.Take(11);
    leading = static_cast<int>(head >> 6);
    int width = static_cast<int>(head & 63);
    if (width == 0) width = 64;
    trailing = 64 - leading - width;
    if (trailing < 0) {
      bad = true;
      trailing = 0;
      leading = 64 - width;
    }
    v ^= r.Read(width) << trailing;
  }
  void ReadInWindow(BitReader& r) { v ^= r.Read(64 - leading - trailing) << trailing; }
  // 16 bits must be ready.
  void Next(BitReader& r) {
    const std::uint64_t bits = r.Peek();
    if (static_cast<std::int64_t>(bits) >= 0) {
      r.Skip(1);
      return;
    }
    r.Skip(2);
    if ((bits >> 62) == 2) {
      ReadInWindow(r);
    } else {
      ReadWindow(r);
    }
  }
  double value() const { return std::bit_cast<double>(v); }
};

Error Bad(const char* what) { return {Errc::kCorrupt, what}; }

void AppendSt(std::vector<std::int64_t>* st, std::size_t before, std::size_t i, std::int64_t v) {
  if (v == 0 && st->empty()) return;
  if (st->size() < before + i) st->resize(before + i, 0);
  st->push_back(v);
}

// Start timestamps of XOR2 and the histogram encodings with ST.
struct StReader {
  bool first_known = false;
  std::uint32_t change_on = 0;  // from this sample on there is one each; 0: never
  std::int64_t st = 0, diff = 0;

  explicit StReader(std::uint8_t header) : first_known((header & 0x80) != 0), change_on(header & 0x7f) {}
  void Next(BitReader& r, std::uint32_t i, std::int64_t t, std::int64_t previous_t) {
    if (i == 0) {
      if (!first_known) return;
      diff = r.Varint();
      st = static_cast<std::int64_t>(static_cast<std::uint64_t>(t) - static_cast<std::uint64_t>(diff));
      return;
    }
    if (change_on == 0 || i < change_on) return;
    const auto d = static_cast<std::uint64_t>(r.VarbitInt());
    diff = i == change_on ? static_cast<std::int64_t>(d) : static_cast<std::int64_t>(static_cast<std::uint64_t>(diff) + d);
    st = static_cast<std::int64_t>(static_cast<std::uint64_t>(previous_t) - static_cast<std::uint64_t>(diff));
  }
};

// Signed value of n bits whose range is -(2^(n-1) - 1) to 2^(n-1).
std::uint64_t Widen(std::uint64_t v, int n) { return v > (std::uint64_t{1} << (n - 1)) ? v - (std::uint64_t{1} << n) : v; }

Result<void> DecodeXor(std::string_view data, SeriesColumns* out) {
  if (data.size() < 2) return Bad("chunk without a header");
  const std::uint32_t count = LoadBe16(data.data());
  if (count == 0) return {};
  if (count - 1 > data.size() * 4) return Bad("more samples than bits");
  BitReader r(data.substr(2));
  const std::size_t before = out->t_buffer.size();
  out->t_buffer.resize(before + count);
  out->v_buffer.resize(before + count);
  std::int64_t* ts = out->t_buffer.data() + before;
  double* vs = out->v_buffer.data() + before;
  // Unsigned: times of damaged chunks wrap around.
  auto t = static_cast<std::uint64_t>(r.Varint());
  XorColumn x;
  x.v = r.Read(64);
  ts[0] = static_cast<std::int64_t>(t);
  vs[0] = x.value();
  std::uint64_t delta = 0;
  if (count > 1) {
    delta = r.Uvarint();
    t += delta;
    r.Refill();
    x.Next(r);
    ts[1] = static_cast<std::int64_t>(t);
    vs[1] = x.value();
  }
  for (std::uint32_t i = 2; i < count; ++i) {
    r.Refill();
    const std::uint64_t bits = r.Peek();
    if (static_cast<std::int64_t>(bits) < 0) {
      switch (bits >> 60) {
        case 0b1000: case 0b1001: case 0b1010: case 0b1011:
          r.Skip(2);
          delta += Widen(r.Take(14), 14);
          break;
        case 0b1100: case 0b1101:
          r.Skip(3);
          delta += Widen(r.Take(17), 17);
          break;
        case 0b1110:
          r.Skip(4);
          delta += Widen(r.Take(20), 20);
          break;
        default:
          r.Skip(4);
          delta += r.Read(64);
          r.Refill();
      }
    } else {
      r.Skip(1);
    }
    t += delta;
    x.Next(r);
    ts[i] = static_cast<std::int64_t>(t);
    vs[i] = x.value();
  }
  if (r.overrun() || x.bad) {
    out->t_buffer.resize(before);
    out->v_buffer.resize(before);
    return Bad(x.bad ? "a value is wider than 64 bits" : "chunk ends early");
  }
  if (!out->st_buffer.empty()) out->st_buffer.resize(out->t_buffer.size(), 0);
  return {};
}

// XOR2: time and value share their control bits; stale markers take none for the value,
// and leave the value that the next ones refer to.
class Xor2Decoder {
 public:
  explicit Xor2Decoder(std::string_view data) : r_(data) {}
  double First() {
    const std::uint64_t v = r_.Read(64);
    if (v != kStaleNanBits) x_.v = v;
    return std::bit_cast<double>(v);
  }
  // Value behind a time that changed its rhythm.
  double Value() {
    r_.Refill();
    const std::uint64_t bits = r_.Peek();
    switch (bits >> 61) {
      case 0b100: case 0b101: r_.Skip(2); x_.ReadInWindow(r_); break;
      case 0b110: r_.Skip(3); x_.ReadWindow(r_); break;
      case 0b111: r_.Skip(3); return std::bit_cast<double>(kStaleNanBits);
      default: r_.Skip(1);
    }
    return x_.value();
  }
  double Sample(std::uint64_t* delta) {
    r_.Refill();
    const int ones = std::countl_one(r_.Peek() & (std::uint64_t{0xf8} << 56));
    switch (ones) {
      case 0: r_.Skip(1); return x_.value();
      case 1:
        r_.Skip(2);
        if (r_.Take(1) == 0) {
          x_.ReadInWindow(r_);
        } else {
          r_.Refill();
          x_.ReadWindow(r_);
        }
        return x_.value();
      case 2: r_.Skip(3); *delta += Signed(r_.Take(13), 13); break;
      case 3: r_.Skip(4); *delta += Signed(r_.Take(20), 20); break;
      case 4: r_.Skip(5); *delta += r_.Read(64); break;
      default: r_.Skip(5); return std::bit_cast<double>(kStaleNanBits);
    }
    return Value();
  }
  BitReader& bits() { return r_; }
  bool bad() const { return x_.bad; }

 private:
  static std::uint64_t Signed(std::uint64_t v, int n) { return v >> (n - 1) != 0 ? v - (std::uint64_t{1} << n) : v; }
  BitReader r_;
  XorColumn x_;
};

Result<void> DecodeXor2(std::string_view data, SeriesColumns* out) {
  if (data.size() < 3) return Bad("chunk without a header");
  const std::uint32_t count = LoadBe16(data.data());
  if (count == 0) return {};
  if (count - 1 > data.size() * 8) return Bad("more samples than bits");
  const std::size_t before = out->t_buffer.size(), st_before = out->st_buffer.size();
  StReader st(static_cast<std::uint8_t>(data[2]));
  Xor2Decoder d(data.substr(3));
  std::uint64_t t = 0, delta = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint64_t previous = t;
    double v = 0;
    if (i == 0) {
      t = static_cast<std::uint64_t>(d.bits().Varint());
      v = d.First();
    } else if (i == 1) {
      delta = d.bits().Uvarint();
      t += delta;
      v = d.Value();
    } else {
      v = d.Sample(&delta);
      t += delta;
    }
    st.Next(d.bits(), i, static_cast<std::int64_t>(t), static_cast<std::int64_t>(previous));
    out->t_buffer.push_back(static_cast<std::int64_t>(t));
    out->v_buffer.push_back(v);
    AppendSt(&out->st_buffer, before, i, st.st);
  }
  if (d.bits().overrun() || d.bad()) {
    out->t_buffer.resize(before);
    out->v_buffer.resize(before);
    out->st_buffer.resize(st_before);
    return Bad(d.bad() ? "a value is wider than 64 bits" : "chunk ends early");
  }
  return {};
}

// Spans of one side; false: damaged.
bool ReadSpans(BitReader& r, std::vector<Histogram::Span>* spans, std::size_t* buckets) {
  const std::uint64_t n = r.VarbitUint();
  if (n > r.remaining_bits()) return false;
  std::uint64_t total = 0;
  for (std::uint64_t i = 0; i < n; ++i) {
    const std::uint64_t length = r.VarbitUint();
    const std::int64_t offset = r.VarbitInt();
    total += length;
    if (r.overrun() || length > UINT32_MAX || offset != static_cast<std::int32_t>(offset) || total > r.remaining_bits()) return false;
    spans->push_back({static_cast<std::int32_t>(offset), static_cast<std::uint32_t>(length)});
  }
  *buckets = total;
  return true;
}

double ReadZeroThreshold(BitReader& r) {
  const auto b = static_cast<int>(r.Read(8));
  if (b == 0) return 0;
  return b == 255 ? r.Double() : std::ldexp(0.5, b - 243);
}

bool ReadCustomValues(BitReader& r, std::vector<double>* values) {
  const std::uint64_t n = r.VarbitUint();
  if (n > r.remaining_bits()) return false;
  for (std::uint64_t i = 0; i < n; ++i) {
    const std::uint64_t v = r.VarbitUint();
    values->push_back(v == 0 ? r.Double() : static_cast<double>(v - 1) / 1000);
    if (r.overrun()) return false;
  }
  return true;
}

Result<void> DecodeHistograms(std::uint8_t encoding, std::string_view data, SeriesColumns* out) {
  if (data.size() < 3) return Bad("chunk without a header");
  const auto kind = static_cast<Encoding>(encoding);
  const bool is_float = kind == Encoding::kFloatHistogram || kind == Encoding::kFloatHistogramSt;
  const bool with_st = kind == Encoding::kHistogramSt || kind == Encoding::kFloatHistogramSt;
  const auto reset = static_cast<unsigned>(static_cast<std::uint8_t>(data[with_st ? 0 : 2]) >> 6);
  const std::uint32_t count = LoadBe16(data.data()) & (with_st ? 0x3fffu : 0xffffu);
  if (count == 0) return {};
  if (count > data.size() * 8) return Bad("more samples than bits");
  StReader st(with_st ? static_cast<std::uint8_t>(data[2]) : 0);
  BitReader r(data.substr(3));

  Histogram layout;
  layout.is_float = is_float;
  layout.zero_threshold = ReadZeroThreshold(r);
  const std::int64_t schema = r.VarbitInt();
  if (schema != Histogram::kCustomSchema && (schema < -4 || schema > 8)) {
    if (r.overrun()) return Bad("chunk ends early");
    return Error{Errc::kUnsupported, "histogram schema " + std::to_string(schema)};
  }
  layout.schema = static_cast<std::int32_t>(schema);
  std::size_t positive = 0, negative = 0;
  if (!ReadSpans(r, &layout.positive_spans, &positive) || !ReadSpans(r, &layout.negative_spans, &negative)) return Bad("damaged spans");
  if (layout.uses_custom_buckets() && !ReadCustomValues(r, &layout.custom_values)) return Bad("damaged bucket bounds");

  const std::size_t buckets = positive + negative;
  // Integers: bucket deltas, and how each changed last. Floats: XOR state a field.
  std::vector<std::uint64_t> deltas(is_float ? 0 : buckets), steps(is_float ? 0 : buckets);
  std::vector<XorColumn> columns(is_float ? buckets : 0);
  XorColumn sum, x_count, x_zero;
  std::uint64_t t = 0, t_delta = 0, n = 0, n_delta = 0, zero = 0, zero_delta = 0;
  const std::size_t before = out->histograms.size(), st_before = out->histogram_st.size();
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint64_t previous = t;
    if (i == 0) {
      t = static_cast<std::uint64_t>(r.VarbitInt());
      if (is_float) {
        x_count.v = r.Read(64);
        x_zero.v = r.Read(64);
      } else {
        n = r.VarbitUint();
        zero = r.VarbitUint();
      }
      sum.v = r.Read(64);
      for (auto& d : deltas) d = static_cast<std::uint64_t>(r.VarbitInt());
      for (auto& c : columns) c.v = r.Read(64);
    } else {
      t_delta += static_cast<std::uint64_t>(r.VarbitInt());
      t += t_delta;
      const auto next = [&](XorColumn& c) {
        r.Refill();
        c.Next(r);
      };
      if (is_float) {
        next(x_count);
        next(x_zero);
      } else {
        n_delta += static_cast<std::uint64_t>(r.VarbitInt());
        n += n_delta;
        zero_delta += static_cast<std::uint64_t>(r.VarbitInt());
        zero += zero_delta;
      }
      next(sum);
      if (sum.v != kStaleNanBits) {
        for (std::size_t b = 0; b < deltas.size(); ++b) {
          steps[b] += static_cast<std::uint64_t>(r.VarbitInt());
          deltas[b] += steps[b];
        }
        for (auto& c : columns) {
          next(c);
          if (c.bad) break;
        }
      }
    }
    std::shared_ptr<Histogram> h;
    if (sum.v == kStaleNanBits) {
      h = std::make_shared<Histogram>();
      h->is_float = is_float;
    } else {
      h = std::make_shared<Histogram>(layout);
      h->count = is_float ? x_count.value() : static_cast<double>(n);
      h->zero_count = is_float ? x_zero.value() : static_cast<double>(zero);
      const auto fill = [&](std::vector<double>* to, std::size_t from, std::size_t size) {
        to->resize(size);
        std::uint64_t at = 0;
        for (std::size_t b = 0; b < size; ++b) {
          if (is_float) {
            (*to)[b] = columns[from + b].value();
          } else {
            at += deltas[from + b];
            (*to)[b] = static_cast<double>(static_cast<std::int64_t>(at));
          }
        }
      };
      fill(&h->positive_buckets, 0, positive);
      fill(&h->negative_buckets, positive, negative);
      using Hint = Histogram::ResetHint;
      h->reset_hint = reset == 3 ? Hint::kGauge : i > 0 ? Hint::kNotReset : Hint::kUnknown;
    }
    h->sum = sum.value();
    // The layout is that of the first; engines rely on it.
    if (i == 0 && !r.overrun() && !IsStaleNan(h->sum)) {
      if (auto valid = h->Validate(); !valid) return Error{Errc::kCorrupt, valid.error().message};
    }
    if (with_st) st.Next(r, i, static_cast<std::int64_t>(t), static_cast<std::int64_t>(previous));
    bool bad = sum.bad || x_count.bad || x_zero.bad;
    for (const auto& c : columns) bad = bad || c.bad;
    if (r.overrun() || bad) {
      out->histograms.resize(before);
      out->histogram_st.resize(st_before);
      return Bad(bad ? "a value is wider than 64 bits" : "chunk ends early");
    }
    out->histograms.push_back({static_cast<std::int64_t>(t), std::move(h)});
    AppendSt(&out->histogram_st, before, i, st.st);
  }
  return {};
}

}  // namespace

const char* EncodingName(std::uint8_t encoding) {
  switch (static_cast<Encoding>(encoding)) {
    case Encoding::kXor: return "XOR";
    case Encoding::kHistogram: return "histogram";
    case Encoding::kFloatHistogram: return "float histogram";
    case Encoding::kXor2: return "XOR2";
    case Encoding::kHistogramSt: return "histogram with start timestamps";
    case Encoding::kFloatHistogramSt: return "float histogram with start timestamps";
  }
  return "unknown";
}

Result<void> DecodeChunk(std::uint8_t encoding, std::string_view data, SeriesColumns* out) {
  switch (static_cast<Encoding>(encoding)) {
    case Encoding::kXor: return DecodeXor(data, out);
    case Encoding::kXor2: return DecodeXor2(data, out);
    case Encoding::kHistogram:
    case Encoding::kFloatHistogram:
    case Encoding::kHistogramSt:
    case Encoding::kFloatHistogramSt: return DecodeHistograms(encoding, data, out);
  }
  return Error{Errc::kUnsupported, "chunk encoding " + std::to_string(encoding)};
}

}  // namespace prom::tsdb
