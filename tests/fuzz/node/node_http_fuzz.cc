// The HTTP request parser, and the netlink parser, which also reads what it did not write.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "node/http_request.h"
#include "node/netlink.h"

using namespace prom::node;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  HttpRequest request;
  const int status = ParseHttpRequest(bytes, &request);
  if (status == 0) {
    if (request.headers.size() > kMaxHeaders || (request.method != "GET" && request.method != "HEAD")) std::abort();
    if (request.path.empty() || request.path[0] != '/') std::abort();
    [[maybe_unused]] const auto values = request.Query("collect[]");
    [[maybe_unused]] const bool gzip = request.AcceptsGzip();
  } else if (status != 400 && status != 405 && status != 431 && status != 505) {
    std::abort();
  }
  bool done = false;
  std::vector<Link> links;
  std::vector<Address> addresses;
  [[maybe_unused]] auto parsed = ParseLinks(bytes, &links, &done);
  parsed = ParseAddresses(bytes, &addresses, &done);
  if (links.size() > size || addresses.size() > size) std::abort();
  return 0;
}
