// Reading integer columns. Open walks all blocks once (a byte or a few each), so
// that Next has no error path.
#include <algorithm>
#include <cstring>

#include "base/bytes.h"
#include "chunk/int_column.h"
#include "chunk/int_column_format.h"

namespace prom::chunk {
namespace {

std::size_t PackedBytes(std::size_t n, unsigned width) { return (n * width + 7) / 8; }

// Unpacks n values at p; the bytes of the n values lie before end, what the
// kernel reads further may not.
void UnpackValues(const Kernels& kernels, const std::uint8_t* p, const std::uint8_t* end, std::size_t n, unsigned width, std::uint64_t* out) {
  const std::size_t groups = (n + 7) / 8;
  if (static_cast<std::size_t>(end - p) >= groups * width + kUnpackSlack) {
    kernels.unpack[width](p, groups, out);
    return;
  }
  std::uint8_t copy[kBlockValues * 8 + kUnpackSlack];
  const std::size_t bytes = PackedBytes(n, width);
  std::memcpy(copy, p, bytes);
  std::memset(copy + bytes, 0, groups * width + kUnpackSlack - bytes);
  kernels.unpack[width](copy, groups, out);
}

// A varint known to be well formed.
std::uint64_t TrustedVarint(const std::uint8_t** p) {
  std::uint64_t v = 0;
  for (int shift = 0;; shift += 7) {
    const std::uint8_t byte = *(*p)++;
    v |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return v;
  }
}

std::string_view View(const std::uint8_t* p, const std::uint8_t* end) {
  return {reinterpret_cast<const char*>(p), static_cast<std::size_t>(end - p)};
}

}  // namespace

// The first byte behind a block of n values, or null when it is malformed.
const std::uint8_t* IntColumnReader::BlockEnd(const std::uint8_t* p, const std::uint8_t* end, std::size_t n) {
  if (p == end) return nullptr;
  const unsigned width = *p & 0x7f;
  const bool patched = (*p & kBlockPatched) != 0;
  ++p;
  if (width > 64) return nullptr;
  std::size_t bytes = PackedBytes(n, width);
  if (static_cast<std::size_t>(end - p) < bytes) return nullptr;
  p += bytes;
  if (!patched) return p;
  if (end - p < 2) return nullptr;
  const std::size_t count = p[0];
  const unsigned high = p[1];
  if (count == 0 || count > n || high == 0 || width + high > 64) return nullptr;
  p += 2;
  bytes = count + PackedBytes(count, high);
  if (static_cast<std::size_t>(end - p) < bytes) return nullptr;
  for (std::size_t i = 0; i < count; ++i)
    if (p[i] >= n) return nullptr;
  return p + bytes;
}

bool IntColumnReader::Open(const std::uint8_t** p, const std::uint8_t* end, std::size_t count, const Kernels& kernels) {
  if (*p == end || count == 0) return false;
  kernels_ = &kernels;
  end_ = end;
  left_ = count;
  const std::uint8_t header = **p;
  if (header & kColumnReserved) return false;
  mode_ = static_cast<ColumnMode>(header & kColumnModeMask);
  form_ = (header >> kColumnFormShift) & kColumnFormMask;
  ByteReader r(View(*p + 1, end));
  unstored_ = 0;
  base_ = 0;
  factor_ = 1;
  value_ = delta_ = 0;
  if (mode_ == ColumnMode::kConstant) {
    if (header != 0) return false;
    value_ = static_cast<std::uint64_t>(r.SignedVarint());
    *p = reinterpret_cast<const std::uint8_t*>(r.cursor());
    return r.ok();
  }
  const std::uint64_t first = mode_ == ColumnMode::kFrame ? 0 : static_cast<std::uint64_t>(r.SignedVarint());
  const std::uint64_t first_delta = mode_ == ColumnMode::kDelta2 ? static_cast<std::uint64_t>(r.SignedVarint()) : 0;
  if (form_ == kFormBased) base_ = static_cast<std::uint64_t>(r.SignedVarint());
  if (header & kColumnFactorBit) factor_ = r.Varint();
  if (!r.ok() || factor_ == 0) return false;
  // Residuals of samples whose value is in the header are stored as u = 0, so
  // that block i covers values 128i.. in every mode. Start the sums so that they cancel.
  if (mode_ == ColumnMode::kDelta) {
    value_ = first - base_;
  } else if (mode_ == ColumnMode::kDelta2) {
    delta_ = first_delta - 2 * base_;
    value_ = first - (delta_ + base_);
  }
  const auto* q = reinterpret_cast<const std::uint8_t*>(r.cursor());
  p_ = q;
  if (form_ == kFormList) {
    unstored_ = std::min<std::size_t>(count, mode_ == ColumnMode::kFrame ? 0 : mode_ == ColumnMode::kDelta ? 1 : 2);
    for (std::size_t i = unstored_; i < count; ++i) r.Varint();
    if (!r.ok()) return false;
    q = reinterpret_cast<const std::uint8_t*>(r.cursor());
  } else {
    for (std::size_t i = 0; i < count; i += kBlockValues) {
      q = BlockEnd(q, end, std::min(kBlockValues, count - i));
      if (q == nullptr) return false;
    }
  }
  *p = q;
  return true;
}

void IntColumnReader::NextResiduals(std::uint64_t* u, std::size_t n) {
  if (form_ == kFormList) {
    for (std::size_t i = 0; i < n; ++i) {
      if (unstored_ > 0) {
        u[i] = 0;
        --unstored_;
      } else {
        u[i] = TrustedVarint(&p_);
      }
    }
    return;
  }
  const unsigned width = *p_ & 0x7f;
  const bool patched = (*p_ & kBlockPatched) != 0;
  ++p_;
  UnpackValues(*kernels_, p_, end_, n, width, u);
  p_ += PackedBytes(n, width);
  if (!patched) return;
  const std::size_t count = p_[0];
  const unsigned high = p_[1];
  const std::uint8_t* positions = p_ + 2;
  p_ = positions + count;
  std::uint64_t highs[kBlockValues];
  UnpackValues(*kernels_, p_, end_, count, high, highs);
  p_ += PackedBytes(count, high);
  for (std::size_t i = 0; i < count; ++i) u[positions[i]] |= highs[i] << width;  // width <= 63: high >= 1
}

std::size_t IntColumnReader::Next(std::uint64_t* x) {
  const std::size_t n = std::min(kBlockValues, left_);
  left_ -= n;
  if (n == 0) return 0;
  if (mode_ == ColumnMode::kConstant) {
    std::fill_n(x, n, value_);
    return n;
  }
  NextResiduals(x, n);
  const bool zigzag = form_ == kFormZigZag || form_ == kFormList;
  if (zigzag && mode_ == ColumnMode::kDelta && factor_ == 1) {
    value_ = kernels_->prefix_sum_zigzag(x, n, value_);
    return n;
  }
  if (zigzag) kernels_->unzigzag(x, n);
  if (factor_ != 1) kernels_->scale(x, n, factor_);
  switch (mode_) {
    case ColumnMode::kConstant: break;
    case ColumnMode::kFrame:
      if (base_ != 0) kernels_->add(x, n, base_);
      break;
    case ColumnMode::kDelta: value_ = kernels_->prefix_sum(x, n, base_, value_); break;
    case ColumnMode::kDelta2:
      delta_ = kernels_->prefix_sum(x, n, base_, delta_);
      value_ = kernels_->prefix_sum(x, n, 0, value_);
      break;
  }
  return n;
}

void IntColumnReader::Skip() {
  if (mode_ == ColumnMode::kConstant) {
    left_ -= std::min(kBlockValues, left_);
  } else if (mode_ == ColumnMode::kFrame && form_ != kFormList) {
    const std::size_t n = std::min(kBlockValues, left_);
    left_ -= n;
    if (n > 0) p_ = BlockEnd(p_, end_, n);
  } else if (mode_ == ColumnMode::kDelta) {
    std::uint64_t u[kBlockValues];
    const std::size_t n = std::min(kBlockValues, left_);
    left_ -= n;
    if (n == 0) return;
    NextResiduals(u, n);
    std::uint64_t sum = 0;
    if (form_ == kFormZigZag || form_ == kFormList) {
      for (std::size_t i = 0; i < n; ++i) sum += (u[i] >> 1) ^ (0 - (u[i] & 1));
    } else {
      for (std::size_t i = 0; i < n; ++i) sum += u[i];
    }
    value_ += sum * factor_ + n * base_;
  } else {
    std::uint64_t x[kBlockValues];
    Next(x);
  }
}

}  // namespace prom::chunk
