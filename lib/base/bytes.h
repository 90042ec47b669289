// Little-endian loads and stores, varints and zig-zag, over raw bytes.
// Appenders grow a std::string; ByteReader checks every bound and turns sticky
// on the first overrun, so that a decoder may check ok() once a record.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace prom {

static_assert(std::endian::native == std::endian::little, "formats are little-endian and mapped as they are");

template <typename T>
inline T LoadLe(const void* p) {
  T v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
template <typename T>
inline void StoreLe(void* p, T v) {
  std::memcpy(p, &v, sizeof v);
}
template <typename T>
inline void AppendLe(std::string* out, T v) {
  out->append(reinterpret_cast<const char*>(&v), sizeof v);
}

inline std::uint64_t ZigZag(std::int64_t v) { return (static_cast<std::uint64_t>(v) << 1) ^ static_cast<std::uint64_t>(v >> 63); }
inline std::int64_t UnZigZag(std::uint64_t v) { return static_cast<std::int64_t>(v >> 1) ^ -static_cast<std::int64_t>(v & 1); }

// LEB128, as protobuf writes it: at most 10 bytes.
inline void AppendVarint(std::string* out, std::uint64_t v) {
  while (v >= 0x80) {
    out->push_back(static_cast<char>(v | 0x80));
    v >>= 7;
  }
  out->push_back(static_cast<char>(v));
}
inline void AppendSignedVarint(std::string* out, std::int64_t v) { AppendVarint(out, ZigZag(v)); }
// Length as varint, then the bytes.
inline void AppendLengthPrefixed(std::string* out, std::string_view bytes) {
  AppendVarint(out, bytes.size());
  out->append(bytes);
}

class ByteReader {
 public:
  ByteReader() = default;
  explicit ByteReader(std::string_view bytes) : p_(bytes.data()), begin_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool ok() const { return ok_; }
  std::size_t remaining() const { return static_cast<std::size_t>(end_ - p_); }
  std::size_t offset() const { return static_cast<std::size_t>(p_ - begin_); }
  const char* cursor() const { return p_; }
  void Fail() {
    ok_ = false;
    p_ = end_;
  }

  template <typename T>
  T Le() {
    if (remaining() < sizeof(T)) {
      Fail();
      return T{};
    }
    T v = LoadLe<T>(p_);
    p_ += sizeof(T);
    return v;
  }
  std::uint8_t U8() { return Le<std::uint8_t>(); }
  std::uint32_t U32() { return Le<std::uint32_t>(); }
  std::uint64_t U64() { return Le<std::uint64_t>(); }
  double F64() { return Le<double>(); }

  std::uint64_t Varint() {
    std::uint64_t v = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (p_ == end_) break;
      const auto byte = static_cast<std::uint8_t>(*p_++);
      if (shift == 63 && byte > 1) break;
      v |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return v;
    }
    Fail();
    return 0;
  }
  std::int64_t SignedVarint() { return UnZigZag(Varint()); }

  std::string_view Bytes(std::size_t n) {
    if (remaining() < n) {
      Fail();
      return {};
    }
    std::string_view out(p_, n);
    p_ += n;
    return out;
  }
  std::string_view LengthPrefixed() {
    const std::uint64_t n = Varint();
    if (n > remaining()) {
      Fail();
      return {};
    }
    return Bytes(static_cast<std::size_t>(n));
  }

 private:
  const char* p_ = nullptr;
  const char* begin_ = nullptr;
  const char* end_ = nullptr;
  bool ok_ = true;
};

}  // namespace prom
