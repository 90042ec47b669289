// The head of an HTTP/1.x request, parsed strictly. Part of promnode's own small
// responder (see http_responder.h).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace prom::node {

inline constexpr std::size_t kMaxHeadBytes = 16u << 10;
inline constexpr std::size_t kMaxHeaders = 100;

struct HttpRequest {
  std::string method;  // "GET" or "HEAD"
  std::string path;    // percent-decoded, without the query
  std::string query;   // as sent, without '?'
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  bool keep_alive = true;  // what the client asks for
  bool has_body = false;   // one follows, which nobody reads: answer and close

  std::string_view Header(std::string_view lower_name) const;  // the first such, or empty
  // True if Accept-Encoding allows gzip.
  bool AcceptsGzip() const;
  // Values of a query parameter, decoded, in order.
  std::vector<std::string> Query(std::string_view name) const;
};

// Where the head in `bytes` ends (behind the empty line), or npos when it is not complete.
std::size_t FindHeadEnd(std::string_view bytes);

// `head` with its empty line. 0, or the status to refuse it with: 400 malformed,
// 405 not GET or HEAD, 431 too many headers, 505 not HTTP/1.0 or 1.1.
int ParseHttpRequest(std::string_view head, HttpRequest* out);

// Undoes %xx, and + as a blank where `plus_is_blank`. False: a bad escape.
bool PercentDecode(std::string_view s, bool plus_is_blank, std::string* out);

}  // namespace prom::node
