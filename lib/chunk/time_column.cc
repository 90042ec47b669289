#include "chunk/time_column.h"

#include <cassert>
#include <cstring>

#include "base/bytes.h"
#include "base/hash.h"
#include "chunk/int_column.h"
#include "chunk/value_chunk.h"

namespace prom::chunk {
namespace {

Error Corrupt(const char* what) { return {Errc::kCorrupt, std::string("time column: ") + what}; }

// int64 and uint64 may alias.
const std::uint64_t* Unsigned(const std::int64_t* p) { return reinterpret_cast<const std::uint64_t*>(p); }

void Encode(std::span<const std::int64_t> t, std::string* out) {
  assert(!t.empty() && t.size() <= kMaxValues);
  AppendVarint(out, t.size());
  AppendIntColumn({Unsigned(t.data()), t.size()}, out);
}

Result<void> Decode(std::string_view column, std::span<std::int64_t> out) {
  ByteReader r(column);
  const std::uint64_t count = r.Varint();
  if (!r.ok() || count == 0 || count > kMaxValues || count != out.size()) return Corrupt("count differs from the expected one");
  const auto* p = reinterpret_cast<const std::uint8_t*>(r.cursor());
  const auto* end = reinterpret_cast<const std::uint8_t*>(column.data() + column.size());
  IntColumnReader reader;
  if (!reader.Open(&p, end, out.size())) return Corrupt("bad layout");
  if (p != end) return Corrupt("bytes behind the end");
  std::uint64_t block[kBlockValues];
  std::int64_t* q = out.data();
  while (const std::size_t n = reader.Next(block)) {
    std::memcpy(q, block, n * sizeof *q);
    q += n;
  }
  return {};
}

}  // namespace

void EncodeTimes(std::span<const std::int64_t> t_ms, std::string* out) { Encode(t_ms, out); }
void EncodeStartTimes(std::span<const std::int64_t> st_ms, std::string* out) { Encode(st_ms, out); }

Result<std::size_t> CountTimes(std::string_view column) {
  ByteReader r(column);
  const std::uint64_t count = r.Varint();
  if (!r.ok() || count == 0 || count > kMaxValues) return Corrupt("bad count");
  return static_cast<std::size_t>(count);
}

Result<void> DecodeTimes(std::string_view column, std::span<std::int64_t> out) {
  PROM_TRY(Decode(column, out));
  bool ascending = true;
  for (std::size_t i = 1; i < out.size(); ++i) ascending &= out[i] > out[i - 1];
  if (!ascending) return Corrupt("times do not ascend");
  return {};
}

Result<void> DecodeStartTimes(std::string_view column, std::span<std::int64_t> out) { return Decode(column, out); }

std::uint64_t HashTimes(std::span<const std::int64_t> t_ms) {
  return Xxh3({reinterpret_cast<const char*>(t_ms.data()), t_ms.size_bytes()});
}

}  // namespace prom::chunk
