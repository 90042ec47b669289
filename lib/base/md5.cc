// Apart from hash.cc, so that a program which only needs the other hashes does not
// load libcrypto (2 MB resident, 2 ms of start-up).
#include <openssl/evp.h>

#include "base/hash.h"

namespace prom {

std::uint64_t Md5Tail64(std::string_view bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE] = {};
  unsigned int size = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_md5(), nullptr);
  std::uint64_t out = 0;
  for (int i = 8; i < 16; ++i) out = out << 8 | digest[i];
  return out;
}

}  // namespace prom
