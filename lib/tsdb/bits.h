// Bit streams of chunks: most significant bit first, the last byte padded with zeros.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

#include "tsdb/big_endian.h"

namespace prom::tsdb {

// Reads any bytes safely: behind the end come zeros, and overrun() tells afterwards.
class BitReader {
 public:
  explicit BitReader(std::string_view bytes) : p_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  // At least 56 bits are ready afterwards.
  void Refill() {
    if (end_ - p_ >= 8) {
      bits_ |= LoadBe64(p_) >> ready_;
      p_ += (63 - ready_) >> 3;
      ready_ |= 56;
      return;
    }
    while (ready_ <= 56) {
      if (p_ < end_) {
        bits_ |= static_cast<std::uint64_t>(static_cast<std::uint8_t>(*p_++)) << (56 - ready_);
      } else {
        past_ += 8;
      }
      ready_ += 8;
    }
  }
  // The following need their bits ready: the next 64 as they stand; n of them, 1 to 56.
  std::uint64_t Peek() const { return bits_; }
  void Skip(int n) {
    bits_ <<= n;
    ready_ -= n;
  }
  std::uint64_t Take(int n) {
    const std::uint64_t v = bits_ >> (64 - n);
    Skip(n);
    return v;
  }

  // These refill: n from 1 to 64.
  std::uint64_t Read(int n) {
    if (n > ready_) {
      Refill();
      if (n > 56) {
        const std::uint64_t high = Take(32);
        Refill();
        return high << (n - 32) | Take(n - 32);
      }
    } else if (n == 64) {
      const std::uint64_t high = Take(32);
      return high << 32 | Take(32);
    }
    return Take(n);
  }
  std::uint64_t Uvarint() {
    std::uint64_t v = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      const std::uint64_t byte = Read(8);
      v |= shift < 64 ? (byte & 0x7f) << shift : 0;
      if (byte < 0x80) return v;
    }
    past_ = ~std::uint64_t{0} >> 1;  // no varint: as good as behind the end
    return 0;
  }
  std::int64_t Varint() { return UnZigZag(Uvarint()); }
  // Upstream's varbit encoding: up to eight ones tell the width.
  std::int64_t VarbitInt() {
    const int n = VarbitWidth();
    if (n == 0) return 0;
    const std::uint64_t v = Read(n);
    // n bits hold -(2^(n-1) - 1) to 2^(n-1).
    if (n < 64 && v > (std::uint64_t{1} << (n - 1))) return static_cast<std::int64_t>(v - (std::uint64_t{1} << n));
    return static_cast<std::int64_t>(v);
  }
  std::uint64_t VarbitUint() {
    const int n = VarbitWidth();
    return n == 0 ? 0 : Read(n);
  }
  double Double() { return std::bit_cast<double>(Read(64)); }

  bool overrun() const { return past_ > static_cast<std::uint64_t>(ready_); }
  std::uint64_t remaining_bits() const {
    const std::uint64_t all = static_cast<std::uint64_t>(end_ - p_) * 8 + static_cast<std::uint64_t>(ready_);
    return all > past_ ? all - past_ : 0;
  }

 private:
  int VarbitWidth() {
    static constexpr std::uint8_t kWidths[] = {0, 3, 6, 9, 12, 18, 25, 56, 64};
    Refill();
    const int ones = std::countl_one(bits_ & (std::uint64_t{0xff} << 56));
    Skip(ones < 8 ? ones + 1 : 8);
    return kWidths[ones];
  }

  const char* p_;
  const char* end_;
  std::uint64_t bits_ = 0;  // the next ones on top; below `ready_` true bits or zeros
  int ready_ = 0;
  std::uint64_t past_ = 0;  // bits made up behind the end
};

// Bits gather in a word and go to the string eight bytes at a time; Flush before reading it.
class BitWriter {
 public:
  explicit BitWriter(std::string* out) : out_(out) {}
  // The lowest n bits of v, 0 to 64.
  void Write(std::uint64_t v, int n) {
    if (n == 0) return;
    if (n < 64) v &= (std::uint64_t{1} << n) - 1;
    if (n <= room_) {
      room_ -= n;
      bits_ |= v << room_;
      if (room_ == 0) Spill();
      return;
    }
    const int rest = n - room_;
    bits_ |= v >> rest;
    Spill();
    room_ = 64 - rest;
    bits_ = v << room_;
  }
  // Everything written so far, the last byte padded; writing may go on.
  void Flush() {
    out_->resize(out_->size() - pending_);
    const int used = (64 - room_ + 7) / 8;
    for (int i = 0; i < used; ++i) out_->push_back(static_cast<char>(bits_ >> (56 - 8 * i)));
    pending_ = static_cast<std::size_t>(used);
  }
  std::size_t bits_pending() const { return static_cast<std::size_t>(64 - room_); }
  void Byte(std::uint8_t v) { Write(v, 8); }
  void Uvarint(std::uint64_t v) {
    for (; v >= 0x80; v >>= 7) Byte(static_cast<std::uint8_t>(v | 0x80));
    Byte(static_cast<std::uint8_t>(v));
  }
  void Varint(std::int64_t v) { Uvarint(ZigZag(v)); }
  void VarbitInt(std::int64_t v) {
    if (v == 0) return Write(0, 1);
    for (int k = 0; k < 7; ++k) {
      if (Fits(v, kWidths[k])) {
        Write((std::uint64_t{1} << (k + 2)) - 2, k + 2);
        return Write(static_cast<std::uint64_t>(v), kWidths[k]);
      }
    }
    Write(0xff, 8);
    Write(static_cast<std::uint64_t>(v), 64);
  }
  void VarbitUint(std::uint64_t v) {
    if (v == 0) return Write(0, 1);
    for (int k = 0; k < 7; ++k) {
      if (v >> kWidths[k] == 0) {
        Write((std::uint64_t{1} << (k + 2)) - 2, k + 2);
        return Write(v, kWidths[k]);
      }
    }
    Write(0xff, 8);
    Write(v, 64);
  }
  void Double(double v) { Write(std::bit_cast<std::uint64_t>(v), 64); }
  static bool Fits(std::int64_t v, int n) { return -((std::int64_t{1} << (n - 1)) - 1) <= v && v <= (std::int64_t{1} << (n - 1)); }

 private:
  static constexpr int kWidths[] = {3, 6, 9, 12, 18, 25, 56};
  void Spill() {
    out_->resize(out_->size() - pending_);
    pending_ = 0;
    AppendBe64(out_, bits_);
    bits_ = 0;
    room_ = 64;
  }

  std::string* out_;
  std::uint64_t bits_ = 0;    // not yet in *out_ for good, on top
  int room_ = 64;             // free bits in it
  std::size_t pending_ = 0;   // bytes at the end of *out_ that Flush put there for them
};

}  // namespace prom::tsdb
