// The request parser row by row, and the responder over real sockets.
#include <boost/test/unit_test.hpp>

#include <arpa/inet.h>
#include <atomic>
#include <chrono>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include "node/http_responder.h"
#include "node/serve.h"

using namespace prom;
using namespace prom::node;

BOOST_AUTO_TEST_CASE(request_heads) {
  struct Row {
    const char* head;
    int want;  // 0: good
  };
  static const Row kRows[] = {
      {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 0},
      {"HEAD /metrics?collect[]=cpu HTTP/1.0\r\n\r\n", 0},
      {"GET http://proxy:80/metrics HTTP/1.1\r\nHost: x\r\n\r\n", 0},
      {"GET / HTTP/1.1\r\nHost: x\r\nX-Tab: a\tb\r\n\r\n", 0},
      {"GET / HTTP/1.1\r\n\r\n", 400},                              // no Host
      {"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400},        // two
      {"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400},                  // blank before the colon
      {"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", 400},        // obsolete folding
      {"GET / HTTP/1.1\r\nHost: x\x01\r\n\r\n", 400},               // control character
      {"GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n", 400},             // bare newline
      {"GET metrics HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"GET /%2 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"GET /\r\nHost: x\r\n\r\n", 400},                            // HTTP/0.9
      {"\x16\x03\x01 garbage\r\n\r\n", 400},                        // TLS on a plain port
      {"", 400},
      {"POST / HTTP/1.1\r\nHost: x\r\n\r\n", 405},
      {"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505},
      {"GET / HTTP/1.10\r\nHost: x\r\n\r\n", 505},
  };
  for (const Row& row : kRows) {
    BOOST_TEST_CONTEXT("head=" << row.head) {
      HttpRequest r;
      BOOST_TEST(ParseHttpRequest(row.head, &r) == row.want);
    }
  }
  std::string many = "GET / HTTP/1.1\r\nHost: x\r\n";
  for (int i = 0; i < 99; ++i) many += "A: b\r\n";
  HttpRequest r;
  BOOST_TEST(ParseHttpRequest(many + "\r\n", &r) == 0);
  BOOST_TEST(ParseHttpRequest(many + "A: b\r\n\r\n", &r) == 431);
}

BOOST_AUTO_TEST_CASE(request_contents) {
  HttpRequest r;
  BOOST_REQUIRE_EQUAL(ParseHttpRequest("GET /a%20b?collect%5B%5D=cpu&collect[]=a+b&x&collect[]=%zz HTTP/1.1\r\nHost: h\r\nAccept-Encoding: deflate, GZIP;q=0.5\r\n\r\n", &r), 0);
  BOOST_TEST(r.path == "/a b");
  const std::vector<std::string> want = {"cpu", "a b"};
  BOOST_TEST(r.Query("collect[]") == want, boost::test_tools::per_element());
  BOOST_TEST(r.AcceptsGzip());
  BOOST_TEST(r.keep_alive);
  BOOST_REQUIRE_EQUAL(ParseHttpRequest("GET / HTTP/1.1\r\nHost: h\r\nConnection: foo, Close\r\nAccept-Encoding: gzip;q=0\r\n\r\n", &r), 0);
  BOOST_TEST(!r.keep_alive);
  BOOST_TEST(!r.AcceptsGzip());
  BOOST_REQUIRE_EQUAL(ParseHttpRequest("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", &r), 0);
  BOOST_TEST(r.keep_alive);
  BOOST_REQUIRE_EQUAL(ParseHttpRequest("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n", &r), 0);
  BOOST_TEST(!r.keep_alive);
}

BOOST_AUTO_TEST_CASE(scrape_budget) {
  BOOST_TEST(ScrapeBudgetNs("10", 7) == 9'500'000'000);
  BOOST_TEST(ScrapeBudgetNs("1", 7) == 900'000'000);
  BOOST_TEST(ScrapeBudgetNs("0.05", 7) == 25'000'000);
  for (const char* bad : {"", "x", "0", "-1", "nan", "inf", "1e9"}) BOOST_TEST_CONTEXT(bad) BOOST_TEST(ScrapeBudgetNs(bad, 7) == 7);
}

namespace {

// A responder on a free port of the loopback, run by a thread.
class Server {
 public:
  explicit Server(HttpHandler handler, HttpLimits limits = {}) {
    auto made = HttpResponder::Listen({"127.0.0.1:0"}, std::move(handler), limits);
    BOOST_REQUIRE(made);
    responder_ = std::move(*made);
    const std::string& a = responder_->addresses()[0];
    port_ = static_cast<std::uint16_t>(std::stoi(a.substr(a.rfind(':') + 1)));
    stop_ = ::eventfd(0, 0);
    thread_ = std::thread([this] { responder_->Run(stop_); });
  }
  ~Server() {
    Stop();
    ::close(stop_);
  }
  void Stop() {
    if (!thread_.joinable()) return;
    const std::uint64_t one = 1;
    BOOST_TEST(::write(stop_, &one, sizeof one) == 8);
    thread_.join();
  }
  int Connect() const {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_port = htons(port_);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    BOOST_REQUIRE_EQUAL(::connect(fd, reinterpret_cast<sockaddr*>(&a), sizeof a), 0);
    return fd;
  }

 private:
  std::unique_ptr<HttpResponder> responder_;
  std::uint16_t port_ = 0;
  int stop_ = -1;
  std::thread thread_;
};

void Send(int fd, const std::string& s) { BOOST_TEST(::send(fd, s.data(), s.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(s.size())); }

// One reply with its body by Content-Length, or what came before the end or `timeout_ms`.
std::string Receive(int fd, bool head = false, int timeout_ms = 3000) {
  std::string in;
  for (;;) {
    const std::size_t end = in.find("\r\n\r\n");
    if (end != std::string::npos) {
      const std::size_t at = in.find("Content-Length: ");
      const std::size_t length = head || at == std::string::npos ? 0 : std::stoul(in.substr(at + 16));
      if (in.size() >= end + 4 + length) return in;
    }
    pollfd p{fd, POLLIN, 0};
    if (::poll(&p, 1, timeout_ms) <= 0) return in + "<timeout>";
    char buffer[4096];
    const ssize_t n = ::recv(fd, buffer, sizeof buffer, 0);
    if (n <= 0) return in + "<end>";
    in.append(buffer, static_cast<std::size_t>(n));
  }
}

HttpReply Echo(const HttpRequest& r) {
  HttpReply reply;
  reply.body = r.method + " " + r.path + "\n";
  return reply;
}

constexpr char kGet[] = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

}  // namespace

BOOST_AUTO_TEST_CASE(replies) {
  Server server(Echo);
  const int fd = server.Connect();
  for (int i = 0; i < 3; ++i) {  // one connection, kept
    Send(fd, kGet);
    const std::string got = Receive(fd);
    BOOST_TEST(got.starts_with("HTTP/1.1 200 OK\r\n"));
    BOOST_TEST(got.ends_with("\r\n\r\nGET /a\n"));
  }
  Send(fd, "HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string head = Receive(fd, true);
  BOOST_TEST(head.find("Content-Length: 8\r\n") != std::string::npos);
  BOOST_TEST(head.ends_with("\r\n\r\n"));
  // Byte by byte.
  for (const char* p = kGet; *p != 0; ++p) Send(fd, std::string(1, *p));
  BOOST_TEST(Receive(fd).ends_with("GET /a\n"));
  // Two at once: answered in order.
  Send(fd, std::string(kGet) + "GET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  std::string both = Receive(fd);
  if (both.find("GET /b") == std::string::npos) both += Receive(fd);
  BOOST_TEST(both.find("GET /a\n") < both.find("GET /b\n"));
  BOOST_TEST(both.find("GET /b\n") != std::string::npos);
  BOOST_TEST(Receive(fd) == "<end>");
  ::close(fd);
}

BOOST_AUTO_TEST_CASE(refusals) {
  Server server(Echo);
  struct Row {
    std::string request;
    const char* status;
  };
  const Row kRows[] = {
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 405 "},
      {"garbage\r\n\r\n", "HTTP/1.1 400 "},
      {"GET / HTTP/1.1\r\nHost: x\r\nA: " + std::string(17 << 10, 'a'), "HTTP/1.1 431 "},
      {"GET / HTTP/1.1\r\nHost: x\r\nA: " + std::string(17 << 10, 'a') + "\r\n\r\n", "HTTP/1.1 431 "},
      {"GET / HTTP/9.9\r\nHost: x\r\n\r\n", "HTTP/1.1 505 "},
  };
  for (const Row& row : kRows) {
    BOOST_TEST_CONTEXT("request=" << row.request.substr(0, 40)) {
      const int fd = server.Connect();
      Send(fd, row.request);
      const std::string got = Receive(fd);
      BOOST_TEST(got.starts_with(row.status));
      BOOST_TEST(got.find("Connection: close\r\n") != std::string::npos);
      BOOST_TEST(Receive(fd) == "<end>");
      ::close(fd);
    }
  }
}

BOOST_AUTO_TEST_CASE(slow_clients_and_crowds) {
  HttpLimits limits;
  limits.connections = 4;
  limits.header_timeout_ms = 150;
  Server server(Echo, limits);
  // Half a head: told after the timeout, and closed.
  const int slow = server.Connect();
  Send(slow, "GET / HT");
  BOOST_TEST(Receive(slow).starts_with("HTTP/1.1 408 "));
  ::close(slow);
  // Ten silent clients: the eleventh is still served.
  std::vector<int> silent;
  for (int i = 0; i < 10; ++i) silent.push_back(server.Connect());
  const int fd = server.Connect();
  Send(fd, kGet);
  BOOST_TEST(Receive(fd).starts_with("HTTP/1.1 200 "));
  for (int s : silent) ::close(s);
  ::close(fd);
}

BOOST_AUTO_TEST_CASE(a_slow_handler_holds_up_nobody) {
  std::atomic<bool> release{false};
  std::atomic<int> busy{0}, running{0};
  HttpLimits limits;
  limits.requests = 2;
  limits.on_busy = [&] { ++busy; };
  Server server(
      [&](const HttpRequest& r) {
        if (r.path == "/wait") ++running;
        while (r.path == "/wait" && !release) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        return Echo(r);
      },
      limits);
  const int waiting = server.Connect(), other = server.Connect();
  Send(waiting, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
  Send(other, kGet);
  BOOST_TEST(Receive(other).starts_with("HTTP/1.1 200 "));
  Send(other, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
  for (int i = 0; i < 3000 && running < 2; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  BOOST_REQUIRE_EQUAL(running.load(), 2);
  // Two under way: a third is one too many.
  const int third = server.Connect();
  Send(third, kGet);
  const std::string got = Receive(third);
  BOOST_TEST(got.starts_with("HTTP/1.1 503 "));
  BOOST_TEST(got.ends_with("Limit of concurrent requests reached (2), try again later.\n"));
  BOOST_TEST(busy.load() >= 1);
  release = true;
  BOOST_TEST(Receive(waiting).starts_with("HTTP/1.1 200 "));
  BOOST_TEST(Receive(other).starts_with("HTTP/1.1 200 "));
  for (int fd : {waiting, other, third}) ::close(fd);
  server.Stop();
}

BOOST_AUTO_TEST_CASE(listen_addresses) {
  for (const char* bad : {"", "9100", "host:", ":70000", "::1:9100", ":x", "127.0.0.1:-1"}) {
    BOOST_TEST_CONTEXT("address=" << bad) {
      const auto r = HttpResponder::Listen({bad}, Echo);
      BOOST_REQUIRE(!r);
      BOOST_TEST((r.error().code == Errc::kInvalid));
    }
  }
  const auto all = HttpResponder::Listen({":0", "127.0.0.1:0", "localhost:0"}, Echo);
  BOOST_REQUIRE(all);
  BOOST_TEST((*all)->addresses().size() == 3u);
  const auto twice = HttpResponder::Listen({(*all)->addresses()[1]}, Echo);
  BOOST_REQUIRE(!twice);
  BOOST_TEST((twice.error().code == Errc::kIo));
}
