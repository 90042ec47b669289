// CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), as iSCSI, ext4 and
// Prometheus use it. SSE4.2 where the CPU has it, tables otherwise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace prom {

// CRC of `size` bytes; `seed` is the CRC of what came before (0 to start).
std::uint32_t Crc32c(const void* data, std::size_t size, std::uint32_t seed = 0);
inline std::uint32_t Crc32c(std::string_view bytes, std::uint32_t seed = 0) { return Crc32c(bytes.data(), bytes.size(), seed); }

}  // namespace prom
