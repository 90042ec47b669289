// FetchLoop: many HTTP GETs (or POSTs of forms) at once from one thread (libcurl's multi
// interface). libcurl is loaded with the first FetchLoop of the process.
//
// Connections are kept and reused. A body is inflated while it comes in and counted
// as inflated bytes: at max_body_bytes the transfer is closed at once. Only http and
// https are spoken, redirects included, at most 10, and credentials are not sent on
// to another host. One deadline covers the whole fetch, from the look-up of the name
// to the last byte. Start and Stop may be called from any thread; callbacks run on
// the loop's thread and should be short.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace prom::net {

struct FetchRequest {
  std::string url;
  std::string post_form;  // when not empty, POST it as application/x-www-form-urlencoded
  std::vector<std::pair<std::string, std::string>> headers;
  std::int64_t timeout_ms = 10'000;
  std::uint64_t max_body_bytes = 256u << 20;
  bool accept_gzip = true;
  bool follow_redirects = true;
  bool enable_http2 = true;
  std::string unix_socket;  // connect there instead of to the URL's host
  std::string username, password;  // basic authentication when either is set
  // Files of PEM, or PEM itself; empty: the system's certificates, no client certificate.
  std::string ca_file, cert_file, key_file, ca_pem, cert_pem, key_pem;
  std::string tls_server_name;
  bool insecure_skip_verify = false;
  std::string tls_min_version, tls_max_version;  // "TLS10".."TLS13"
  std::string proxy_url, no_proxy;
  bool proxy_from_environment = false;
};

struct FetchResult {
  // kTimeout; kLimit: body over max_body_bytes; kUnavailable: no connection, or it broke; kInvalid: the URL.
  // A status other than 2xx is a result, not an error.
  Result<void> done;
  int status = 0;
  std::string content_type;
  std::string body;
  std::uint64_t body_bytes = 0;  // inflated; over the limit: what had come by then
};

class FetchLoop {
 public:
  using Callback = std::function<void(FetchResult)>;
  FetchLoop();
  ~FetchLoop();  // Stop()
  // `buffer` becomes the body's storage, so that a caller can pass its last one in again.
  void Fetch(FetchRequest request, std::string buffer, Callback on_done);
  // Runs `task` on the loop's thread after delay_ms.
  void After(std::int64_t delay_ms, std::function<void()> task);
  // Ends the thread. Fetches under way are dropped without a callback.
  void Stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace prom::net
