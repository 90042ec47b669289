// By libmd, as an archive: libcrypto would cost each start of a program 2 ms and 2 MB,
// and refuses MD5 altogether where it is set to FIPS.
#include <md5.h>

#include "base/bytes.h"
#include "base/hash.h"

namespace prom {

std::uint64_t Md5Tail64(std::string_view bytes) {
  MD5_CTX context;
  MD5Init(&context);
  MD5Update(&context, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  std::uint8_t digest[MD5_DIGEST_LENGTH];
  MD5Final(digest, &context);
  return __builtin_bswap64(LoadLe<std::uint64_t>(reinterpret_cast<const char*>(digest) + 8));
}

}  // namespace prom
