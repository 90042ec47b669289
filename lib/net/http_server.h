// HttpServer: HTTP/1.1 for the daemons' APIs (Boost.Beast inside).
//
// One thread does the network, `workers` threads run handlers; a handler may take
// as long as it likes and sees on HttpRequest::canceled when its client has gone.
// Limits are on by default: header 16 KiB and 100 fields, 10 s to send them, body
// and connections as in the options. A malformed request, or one with both
// Content-Length and Transfer-Encoding, gets 400 and the connection is closed.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace prom::net {

using Params = std::vector<std::pair<std::string, std::string>>;  // decoded, in order

struct HttpRequest {
  std::string method;  // "GET"
  std::string path;    // decoded, without the query: "/api/v1/query"
  std::string raw_path;  // as sent, without the query
  std::string query;   // as sent, without '?'
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::string remote;  // "127.0.0.1:54321"
  std::shared_ptr<const std::atomic<bool>> canceled;  // true once the client has closed

  std::string_view Header(std::string_view name) const;  // case-insensitive; empty when absent
  // Parameters of the query string and, for a form body, of the body before them (as Go's ParseForm).
  // kInvalid: a bad % escape.
  Result<Params> ParseForm() const;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;  // compressed by the server when the client accepts gzip and it is over 1 KiB
  // When set, what follows `body` comes in pieces, each made when the one before has been sent, so that a large
  // answer is never in memory as a whole. Called on a worker thread, one call at a time, with an empty string to
  // fill; false: that was the last piece. Not called again once the client has gone.
  std::function<bool(std::string* piece)> more;

  static HttpResponse Text(int status, std::string body);
  static HttpResponse Json(int status, std::string body);
};

struct HttpServerOptions {
  std::size_t workers = 4;
  std::size_t max_connections = 512;
  std::uint64_t max_body_bytes = 64u << 20;
  std::int64_t idle_timeout_ms = 300'000;   // between requests
  std::int64_t header_timeout_ms = 10'000;  // from the first byte to the end of the header
};

class HttpServer {
 public:
  using Handler = std::function<HttpResponse(const HttpRequest&)>;
  // Listens on each "host:port", ":port" or "[v6]:port"; port 0 takes a free one.
  // kInvalid: an address that cannot be parsed; kIo: it cannot be bound.
  static Result<std::unique_ptr<HttpServer>> Listen(const std::vector<std::string>& addresses, HttpServerOptions options, Handler handler);
  ~HttpServer();  // Stop()
  // Stops accepting, cancels running handlers, waits for them.
  void Stop();
  // What was bound, in the order of `addresses`: "127.0.0.1:9090".
  std::vector<std::string> addresses() const;
  int port() const;  // of the first address

 private:
  struct Impl;
  explicit HttpServer(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

// application/x-www-form-urlencoded: '+' is a space. kInvalid: a bad escape.
Result<Params> ParseQuery(std::string_view query);
// %-escapes undone; plus_is_space as in forms. kInvalid: a bad escape.
Result<std::string> PercentDecode(std::string_view s, bool plus_is_space);
std::string PercentEncode(std::string_view s);  // all but unreserved characters

// gzip at a fast level; and back, with a limit on the inflated size (kLimit).
std::string Gzip(std::string_view bytes);
class GzipStream {  // the same for what comes in pieces
 public:
  GzipStream();
  ~GzipStream();
  // Appends to *out what is ready, after the last piece all of it. A piece has less than 4 GiB.
  void Append(std::string_view piece, bool last, std::string* out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};
Result<std::string> Gunzip(std::string_view bytes, std::uint64_t max_bytes);

}  // namespace prom::net
