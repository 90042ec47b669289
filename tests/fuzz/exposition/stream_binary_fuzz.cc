// First byte even: the rest is fed as it is. Odd: it is cut into payloads (type,
// length, bytes), which get frames whose checksums hold. What is decoded must be
// taken by an encoder, decode again, and encode to the same bytes.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "both_ways.h"
#include "exposition/stream_binary.h"

namespace {

std::string Recode(std::string_view bytes, std::size_t step, bool* good) {
  std::string out;
  prom::StreamEncoder encoder([&](std::string_view b) { return out.append(b), prom::Result<void>(); });
  prom::StreamLimits limits;
  limits.max_frame_bytes = 1u << 20;
  prom::StreamDecoder decoder(&encoder, limits);
  *good = true;
  for (; !bytes.empty() && *good; bytes.remove_prefix(std::min(step, bytes.size()))) {
    if (auto done = decoder.Feed(bytes.substr(0, step)); !done) {
      using prom::Errc;
      prom::testing::Require(done.error().code == Errc::kCorrupt || done.error().code == Errc::kUnsupported, "only the decoder refuses");
      *good = false;
    }
  }
  prom::testing::Require(bool(encoder.Flush()), "flush");
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 2, size - 2);
  std::string stream;
  if ((data[0] & 1) == 0) {
    stream = rest;
  } else {
    prom::AppendStreamHeader(&stream);
    for (std::size_t at = 0; at + 2 <= rest.size();) {
      const auto type = static_cast<std::uint8_t>(rest[at]);
      const auto payload = rest.substr(at + 2, static_cast<std::uint8_t>(rest[at + 1]));
      at += 2 + payload.size();
      const std::size_t begin = stream.size();
      prom::AppendLe<std::uint32_t>(&stream, static_cast<std::uint32_t>(payload.size()));
      prom::AppendLe<std::uint32_t>(&stream, type);
      prom::AppendLe<std::uint32_t>(&stream, prom::Crc32c(payload, prom::Crc32c(std::string_view(stream).substr(begin, 8))));
      stream.append(payload);
    }
  }
  bool good = false, again = false;
  const std::string once = Recode(stream, data[1] + 1u, &good);
  const std::string twice = Recode(once, 1u << 20, &again);
  prom::testing::Require(again, "what was encoded decodes");
  prom::testing::Require(once == twice, "the same bytes");
  prom::ReplyDecoder replies;
  (void)replies.Feed(stream, [](const prom::StreamAck&) {}, [](const prom::StreamFailure&) {});
  return 0;
}
