// Answers of a server to the plain way of FetchLoop. Read in pieces they must come to the same end as in one,
// with the same body, and the body is never longer than what came.
#include "net/plain_http.h"

#include <cstdint>
#include <cstdlib>
#include <string>

using prom::net::PlainResponse;

namespace {

struct Outcome {
  PlainResponse::State state = PlainResponse::State::kMore;
  std::string body;
  int status = 0;
};

Outcome Read(std::string_view bytes, std::size_t piece) {
  PlainResponse response;
  Outcome out;
  while (!bytes.empty() && out.state == PlainResponse::State::kMore) {
    const auto part = bytes.substr(0, piece);
    bytes.remove_prefix(part.size());
    out.state = response.Take(part, [&](const char* data, std::size_t size) {
      out.body.append(data, size);
      return true;
    });
  }
  if (response.head_done()) out.status = response.status();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Outcome whole = Read(bytes, size + 1), pieces = Read(bytes, 1), sevens = Read(bytes, 7);
  if (whole.body.size() > size) std::abort();
  for (const Outcome* other : {&pieces, &sevens})
    if (other->state != whole.state || (whole.state == PlainResponse::State::kDone && (other->body != whole.body || other->status != whole.status))) std::abort();
  return 0;
}
