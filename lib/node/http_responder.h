// HttpResponder: HTTP/1.1 for one small read-only service. Not a web server: GET
// and HEAD, no bodies of requests, no TLS.
//
// promnode has its own because of its budgets: a Boost.Beast server alone makes a
// program of 660 kB where this makes 98 kB (stripped, libstdc++ linked in), and
// 0.9 MB more resident.
//
// One thread (the caller of Run) moves bytes; handlers run on a few others, so a
// handler that waits for a device keeps nobody else waiting. Hostile clients get
// 16 KiB and 100 lines of header, 10 s to send them, and a connection out of
// kConnections, of which the one idle longest gives way to a new one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "node/http_request.h"

namespace prom::node {

struct HttpReply {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string content_encoding;  // empty: none
  std::string body;
};

// Called from several threads at once.
using HttpHandler = std::function<HttpReply(const HttpRequest&)>;

struct HttpLimits {
  int connections = 64;
  int workers = 16;              // threads that run handlers
  int requests = 40;             // waiting and running; over it 503. 0: no limit
  std::function<void()> on_busy; // called for each 503, may be empty
  std::int64_t header_timeout_ms = 10'000;
  std::int64_t idle_timeout_ms = 120'000;  // between requests of a connection
  std::int64_t write_timeout_ms = 10'000;  // without the client taking a byte
};

class HttpResponder {
 public:
  // `addresses`: "host:port", ":port" (all addresses, IPv6 and IPv4), "[v6]:port".
  // kInvalid: not an address; kIo: cannot listen there.
  static Result<std::unique_ptr<HttpResponder>> Listen(const std::vector<std::string>& addresses, HttpHandler handler,
                                                       const HttpLimits& limits = {});
  ~HttpResponder();
  HttpResponder(const HttpResponder&) = delete;
  HttpResponder& operator=(const HttpResponder&) = delete;

  // Where it listens, ports resolved: "127.0.0.1:9100".
  const std::vector<std::string>& addresses() const { return addresses_; }
  // Serves until `stop_fd` is readable, then gives requests under way `grace_ms`.
  void Run(int stop_fd, std::int64_t grace_ms = 1000);

 private:
  struct Connection;
  struct Shared;
  HttpResponder(HttpHandler handler, const HttpLimits& limits);

  void Accept(int listener, std::int64_t now_ms);
  void OnReadable(Connection* c, std::int64_t now_ms);
  void OnWritable(Connection* c, std::int64_t now_ms);
  void HandleInput(Connection* c, std::int64_t now_ms);
  bool Dispatch(Connection* c);
  void Refuse(Connection* c, int status, std::int64_t now_ms);
  void StartReply(Connection* c, std::int64_t now_ms);
  void FinishReply(Connection* c, std::int64_t now_ms);
  void TakeBack(std::int64_t now_ms);
  bool MakeRoom();

  const HttpLimits limits_;
  std::vector<int> listeners_;
  std::vector<std::string> addresses_;
  std::vector<std::shared_ptr<Connection>> connections_;
  std::shared_ptr<Shared> shared_;
  std::int64_t accept_after_ms_ = 0;  // out of descriptors: not before this
};

}  // namespace prom::node
