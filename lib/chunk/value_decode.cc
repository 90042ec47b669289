// Reading value chunks: every length is checked by Open; Read then streams blocks
// of 128 through buffers on the stack.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/bytes.h"
#include "base/number.h"
#include "chunk/decimal.h"
#include "chunk/value_body.h"
#include "chunk/value_chunk.h"

namespace prom::chunk {
namespace {

std::string_view View(const std::uint8_t* p, const std::uint8_t* end) {
  return {reinterpret_cast<const char*>(p), static_cast<std::size_t>(end - p)};
}
const std::uint8_t* Bytes(const char* p) { return reinterpret_cast<const std::uint8_t*>(p); }

struct Header {
  ValueKind kind;
  bool runs, patches, no_resets;
  int exponent;
  bool raw;
};

bool ParseHeader(std::uint8_t byte, Header* h) {
  const std::uint8_t form = byte & kBodyFormMask;
  *h = {ValueKind::kDecimal, false, (byte & kBodyPatchesBit) != 0, (byte & kBodyNoResetsBit) != 0, 0, false};
  if (form < kFormConstantDecimal) {
    h->runs = form >= kFormDecimalRuns;
    h->exponent = form % 16;
  } else if (form < kFormConstantRaw) {
    h->kind = ValueKind::kConstant;
    h->exponent = form % 16;
  } else if (form == kFormConstantRaw) {
    h->kind = ValueKind::kConstant;
    h->raw = true;
  } else if (form <= kFormOrderedRuns) {
    h->kind = ValueKind::kOrdered;
    h->runs = form == kFormOrderedRuns;
  } else if (form < kFormEnd) {
    h->kind = ValueKind::kDecimalUlp;
    h->runs = form >= kFormUlpRuns;
    h->exponent = ((form - kFormUlp) % 3 + 1) * 3;
  } else {
    return false;
  }
  return true;
}

double ReadConstant(ByteReader* r, const Header& h) { return h.raw ? r->F64() : DecimalValue(r->SignedVarint(), h.exponent); }

// One entry of the patch list.
struct Patch {
  std::size_t gap, length;
  std::uint64_t bits;
};
Patch ReadPatch(ByteReader* r) {
  const std::uint64_t head = r->Varint();
  Patch patch{static_cast<std::size_t>(head >> 3), 1, 0};
  if (head & 1) {
    const std::uint64_t more = r->Varint();
    patch.length = static_cast<std::size_t>(std::min<std::uint64_t>(more, kMaxValues)) + 2;
  }
  switch ((head >> 1) & 3) {
    case kPatchStale: patch.bits = kStaleNanBits; break;
    case kPatchNan: patch.bits = kNormalNanBits; break;
    case kPatchRaw: patch.bits = r->U64(); break;
    case kPatchNegativeZero: patch.bits = 1ull << 63; break;
  }
  return patch;
}

Error Corrupt(const char* what) { return {Errc::kCorrupt, std::string("value chunk: ") + what}; }

}  // namespace

bool ValueBodyReader::OpenPatches(const std::uint8_t** p, const std::uint8_t* end) {
  patches_ = *p;
  ByteReader r(View(*p, end));
  const std::uint64_t entries = r.Varint();
  if (!r.ok() || entries == 0 || entries > count_) return false;
  std::size_t at = 0;
  for (std::uint64_t i = 0; i < entries; ++i) {
    const Patch patch = ReadPatch(&r);
    if (!r.ok() || patch.gap > count_ - at || patch.length > count_ - at - patch.gap) return false;
    at += patch.gap + patch.length;
  }
  *p = Bytes(r.cursor());
  return true;
}

bool ValueBodyReader::Open(const std::uint8_t** p, const std::uint8_t* end, std::size_t count, const Kernels& kernels) {
  Header h;
  if (*p == end || count == 0 || count > kMaxValues || !ParseHeader(**p, &h)) return false;
  ++*p;
  kernels_ = &kernels;
  end_ = end;
  count_ = count;
  kind_ = h.kind;
  no_resets_ = h.no_resets;
  patched_ = h.patches;
  runs_ = h.runs;
  exponent_ = h.exponent;
  if (kind_ == ValueKind::kConstant) {
    ByteReader r(View(*p, end));
    constant_ = ReadConstant(&r, h);
    if (!r.ok()) return false;
    *p = Bytes(r.cursor());
  } else {
    std::size_t n = count;
    if (runs_) {
      ByteReader r(View(*p, end));
      const std::uint64_t run_count = r.Varint();
      if (!r.ok() || run_count < 2 || run_count > count) return false;
      run_count_ = n = static_cast<std::size_t>(run_count);
      *p = Bytes(r.cursor());
      if (!lengths_.Open(p, end, n - 1, kernels)) return false;
    }
    if (!ints_.Open(p, end, n, kernels)) return false;
    if (kind_ == ValueKind::kDecimalUlp && !ulps_.Open(p, end, n, kernels)) return false;
  }
  return !patched_ || OpenPatches(p, end);
}

void ValueBodyReader::Convert(const std::uint64_t* x, const std::uint64_t* ulps, std::size_t n, double* out) const {
  switch (kind_) {
    case ValueKind::kConstant: break;
    case ValueKind::kDecimal: kernels_->to_decimal(x, n, exponent_, out); break;
    case ValueKind::kDecimalUlp: kernels_->to_decimal_ulp(x, ulps, n, exponent_, out); break;
    case ValueKind::kOrdered:
      for (std::size_t i = 0; i < n; ++i) {
        const std::uint64_t bits = OrderedBits(x[i]);
        std::memcpy(out + i, &bits, sizeof bits);
      }
      break;
  }
}

bool ValueBodyReader::ReadRuns(std::size_t first, std::size_t n, double* out) {
  std::uint64_t x[kBlockValues], ulps[kBlockValues], lengths[kBlockValues];
  double values[kBlockValues];
  const std::size_t last = first + n;
  std::size_t at = 0;  // where the next run starts
  for (std::size_t done = 0; done < run_count_;) {
    const std::size_t block = ints_.Next(x);
    if (kind_ == ValueKind::kDecimalUlp) ulps_.Next(ulps);
    Convert(x, ulps, block, values);
    lengths_.Next(lengths);
    done += block;
    for (std::size_t i = 0; i < block; ++i) {
      const bool final_run = done == run_count_ && i + 1 == block;
      // Lengths are stored less one; the last is what is left.
      const std::uint64_t length = final_run ? count_ - at : lengths[i] + 1;
      if (length == 0 || length > count_ - at) return false;
      const std::size_t begin = std::max(at, first);
      at += static_cast<std::size_t>(length);
      const std::size_t end = std::min(at, last);
      if (begin >= end) continue;
      double* q = out + (begin - first);
      const std::size_t fill = end - begin;
      const double v = values[i];
      if (last - begin >= 4) {
        // Short runs are the rule: write four without looking, the rest in a loop.
        q[0] = q[1] = q[2] = q[3] = v;
        for (std::size_t k = 4; k < fill; ++k) q[k] = v;
      } else {
        for (std::size_t k = 0; k < fill; ++k) q[k] = v;
      }
    }
    if (at >= last && last < count_) return true;
  }
  return at == count_;
}

void ValueBodyReader::ReadPatches(std::size_t first, std::size_t n, double* out) const {
  ByteReader r(View(patches_, end_));
  const std::uint64_t entries = r.Varint();
  std::size_t at = 0;
  for (std::uint64_t i = 0; i < entries; ++i) {
    const Patch patch = ReadPatch(&r);
    at += patch.gap;
    const std::size_t begin = std::max(at, first), end = std::min(at + patch.length, first + n);
    for (std::size_t k = begin; k < end; ++k) std::memcpy(out + (k - first), &patch.bits, sizeof patch.bits);
    at += patch.length;
  }
}

bool ValueBodyReader::Read(std::size_t first, std::size_t n, double* out) {
  if (n == 0) return true;
  if (kind_ == ValueKind::kConstant) {
    std::fill_n(out, n, constant_);
  } else if (runs_) {
    if (!ReadRuns(first, n, out)) return false;
  } else {
    std::uint64_t x[kBlockValues], ulps[kBlockValues];
    double partial[kBlockValues];
    const std::size_t last = first + n;
    for (std::size_t at = 0; at < last; at += kBlockValues) {
      if (at + kBlockValues <= first) {
        ints_.Skip();
        if (kind_ == ValueKind::kDecimalUlp) ulps_.Skip();
        continue;
      }
      const std::size_t block = ints_.Next(x);
      if (kind_ == ValueKind::kDecimalUlp) ulps_.Next(ulps);
      if (at >= first && at + block <= last) {
        Convert(x, ulps, block, out + (at - first));
        continue;
      }
      Convert(x, ulps, block, partial);
      const std::size_t begin = std::max(at, first), end = std::min(at + block, last);
      std::memcpy(out + (begin - first), partial + (begin - at), (end - begin) * sizeof *out);
    }
  }
  if (patched_) ReadPatches(first, n, out);
  return true;
}

Result<ValueChunkInfo> PeekValueBody(std::string_view body, std::size_t count) {
  ByteReader r(body);
  ValueChunkInfo info;
  const std::uint8_t byte = r.U8();
  Header h;
  if (!r.ok() || count == 0 || count > kMaxValues || !ParseHeader(byte, &h)) return Corrupt("bad header");
  info.count = count;
  info.kind = h.kind;
  info.no_resets = h.no_resets;
  if (h.kind == ValueKind::kConstant) {
    info.all_equal = !h.patches;
    info.constant_value = ReadConstant(&r, h);
    if (!r.ok()) return Corrupt("bad constant");
  }
  return info;
}

Result<void> DecodeValueBody(std::string_view body, std::size_t count, std::size_t first, std::span<double> out) {
  if (count == 0 || count > kMaxValues) return Corrupt("bad count");
  if (first > count || out.size() > count - first) return Error{Errc::kInvalid, "value chunk: range outside the chunk"};
  const std::uint8_t* p = Bytes(body.data());
  const std::uint8_t* end = p + body.size();
  ValueBodyReader reader;
  if (!reader.Open(&p, end, count)) return Corrupt("bad layout");
  if (p != end) return Corrupt("bytes behind the end");
  if (!reader.Read(first, out.size(), out.data())) return Corrupt("run lengths do not add up");
  return {};
}

Result<ValueChunkInfo> PeekValues(std::string_view chunk) {
  ByteReader r(chunk);
  const std::uint64_t count = r.Varint();
  if (!r.ok() || count > kMaxValues) return Corrupt("bad header");
  return PeekValueBody(chunk.substr(r.offset()), static_cast<std::size_t>(count));
}

Result<void> DecodeValueRange(std::string_view chunk, std::size_t first, std::span<double> out) {
  ByteReader r(chunk);
  const std::uint64_t count = r.Varint();
  if (!r.ok() || count > kMaxValues) return Corrupt("bad count");
  return DecodeValueBody(chunk.substr(r.offset()), static_cast<std::size_t>(count), first, out);
}

Result<void> DecodeValues(std::string_view chunk, std::span<double> out) {
  ByteReader r(chunk);
  const std::uint64_t count = r.Varint();
  if (!r.ok() || count != out.size()) return Corrupt("count differs from the expected one");
  return DecodeValueBody(chunk.substr(r.offset()), out.size(), 0, out);
}

}  // namespace prom::chunk
