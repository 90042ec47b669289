#include "base/ulid.h"

#include <random>

namespace prom {
namespace {

constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

}  // namespace

std::string NewUlid(std::int64_t now_ms) {
  std::random_device random;
  std::string out(26, '0');
  auto time = static_cast<std::uint64_t>(now_ms) & 0xffffffffffffull;
  for (int i = 9; i >= 0; --i, time >>= 5) out[static_cast<std::size_t>(i)] = kAlphabet[time & 31];
  for (std::size_t i = 10; i < 26; ++i) out[i] = kAlphabet[random() & 31];
  return out;
}

bool IsUlid(std::string_view s) {
  return s.size() == 26 && s[0] <= '7' && s.find_first_not_of(kAlphabet) == std::string_view::npos;
}

std::string UlidAfter(std::string_view ulid) {
  std::string out(ulid);
  for (std::size_t i = out.size(); i-- > 0;) {
    const std::size_t digit = kAlphabet.find(out[i]);
    if (digit != 31) {
      out[i] = kAlphabet[digit + 1];
      break;
    }
    out[i] = kAlphabet[0];
  }
  return out;
}

std::int64_t UlidTimeMs(std::string_view s) {
  if (!IsUlid(s)) return 0;
  std::uint64_t time = 0;
  for (std::size_t i = 0; i < 10; ++i) time = time << 5 | kAlphabet.find(s[i]);
  return static_cast<std::int64_t>(time);
}

}  // namespace prom
