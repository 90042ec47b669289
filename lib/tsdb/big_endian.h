// Big-endian loads and stores: the byte order of Prometheus's files. Varints are the
// same as in base/bytes.h.
#pragma once

#include <bit>
#include <cstdint>
#include <string>

#include "base/bytes.h"

namespace prom::tsdb {

inline std::uint16_t LoadBe16(const void* p) { return __builtin_bswap16(LoadLe<std::uint16_t>(p)); }
inline std::uint32_t LoadBe32(const void* p) { return __builtin_bswap32(LoadLe<std::uint32_t>(p)); }
inline std::uint64_t LoadBe64(const void* p) { return __builtin_bswap64(LoadLe<std::uint64_t>(p)); }
inline void StoreBe16(void* p, std::uint16_t v) { StoreLe(p, __builtin_bswap16(v)); }
inline void StoreBe32(void* p, std::uint32_t v) { StoreLe(p, __builtin_bswap32(v)); }
inline void AppendBe32(std::string* out, std::uint32_t v) { AppendLe(out, __builtin_bswap32(v)); }
inline void AppendBe64(std::string* out, std::uint64_t v) { AppendLe(out, __builtin_bswap64(v)); }

inline std::uint32_t Be32(ByteReader& r) { return __builtin_bswap32(r.U32()); }
inline std::uint64_t Be64(ByteReader& r) { return __builtin_bswap64(r.U64()); }
inline double BeF64(ByteReader& r) { return std::bit_cast<double>(Be64(r)); }

}  // namespace prom::tsdb
