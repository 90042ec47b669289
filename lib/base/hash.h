// Non-cryptographic hashes (XXH64, XXH3) and MD5 where upstream's formats ask for it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace prom {

std::uint64_t XxHash64(std::string_view bytes, std::uint64_t seed = 0);
std::uint64_t Xxh3(std::string_view bytes);
std::uint64_t Fnv1a64(std::string_view bytes, std::uint64_t seed = 14695981039346656037ull);

// The last 8 bytes of the MD5 of `bytes`, big-endian: what `hashmod` takes the modulus of.
std::uint64_t Md5Tail64(std::string_view bytes);

}  // namespace prom
