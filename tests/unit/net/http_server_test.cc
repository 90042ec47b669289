#include "net/http_server.h"

#include <boost/test/unit_test.hpp>
#include <arpa/inet.h>
#include <chrono>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

using namespace prom;
using namespace prom::net;

namespace {

// A raw client: what a server must survive cannot be said with a polite one.
class Client {
 public:
  explicit Client(int port) {
    fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
    timeval limit{5, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_port = htons(static_cast<std::uint16_t>(port));
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    BOOST_TEST_REQUIRE(::connect(fd_, reinterpret_cast<sockaddr*>(&a), sizeof a) == 0);
  }
  ~Client() { ::close(fd_); }
  void Send(const std::string& s) { (void)!::send(fd_, s.data(), s.size(), MSG_NOSIGNAL); }
  std::string ReadAll() {  // until the server closes
    std::string out;
    char buffer[4096];
    for (ssize_t n; (n = ::recv(fd_, buffer, sizeof buffer, 0)) > 0;) out.append(buffer, static_cast<std::size_t>(n));
    return out;
  }
  // Up to `end` of what comes; less when the server closes.
  std::string ReadUntil(const std::string& end) {
    std::string out;
    char buffer[4096];
    while (!out.ends_with(end)) {
      const ssize_t n = ::recv(fd_, buffer, sizeof buffer, 0);
      if (n <= 0) break;
      out.append(buffer, static_cast<std::size_t>(n));
    }
    return out;
  }
  std::string Ask(const std::string& request) {
    Send(request);
    return ReadAll();
  }

 private:
  int fd_;
};

std::unique_ptr<HttpServer> Start(HttpServer::Handler handler, HttpServerOptions options = {}) {
  auto server = HttpServer::Listen({"127.0.0.1:0"}, options, std::move(handler));
  BOOST_TEST_REQUIRE(bool(server));
  return std::move(*server);
}

HttpResponse Echo(const HttpRequest& r) {
  std::string out = r.method + " " + r.path + "\n";
  auto form = r.ParseForm();
  if (!form) return HttpResponse::Text(400, form.error().message);
  for (const auto& [k, v] : *form) out += k + "=" + v + "\n";
  return HttpResponse::Text(200, out);
}

}  // namespace

BOOST_AUTO_TEST_CASE(get_post_head) {
  auto server = Start(Echo);
  const std::string end = "Host: x\r\nConnection: close\r\n\r\n";
  std::string got = Client(server->port()).Ask("GET /a%20b?q=1%2B1&q=a+b HTTP/1.1\r\n" + end);
  BOOST_TEST(got.starts_with("HTTP/1.1 200 OK\r\n"));
  BOOST_TEST(got.ends_with("GET /a b\nq=1+1\nq=a b\n"));
  got = Client(server->port()).Ask("POST /p?z=2 HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n" + end + "a=1");
  BOOST_TEST(got.ends_with("POST /p\na=1\nz=2\n"));
  got = Client(server->port()).Ask("HEAD /h HTTP/1.1\r\n" + end);
  BOOST_TEST(got.find("Content-Length: 8\r\n") != std::string::npos);
  BOOST_TEST(got.ends_with("\r\n\r\n"));
  // Two in one write on one connection.
  got = Client(server->port()).Ask("GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\n" + end);
  BOOST_TEST(got.find("GET /1\n") != std::string::npos);
  BOOST_TEST(got.ends_with("GET /2\n"));
}

BOOST_AUTO_TEST_CASE(hostile_requests_get_an_error_and_the_server_lives) {
  HttpServerOptions options;
  options.max_body_bytes = 1000;
  options.header_timeout_ms = 300;
  auto server = Start(Echo, options);
  struct Row { std::string request; const char* want; };
  std::string many = "GET / HTTP/1.1\r\nHost: x\r\n";
  for (int i = 0; i < 150; ++i) many += "A" + std::to_string(i) + ": b\r\n";
  const Row rows[] = {
      {"nonsense\r\n\r\n", "HTTP/1.1 400"},
      {"GET / HTTP/1.1\r\nbad header line\r\n\r\n", "HTTP/1.1 400"},
      {"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 400"},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 400"},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", "HTTP/1.1 400"},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n", "HTTP/1.1 413"},
      {"GET / HTTP/1.1\r\nX: " + std::string(40000, 'a') + "\r\n\r\n", "HTTP/1.1 431"},
      {many + "\r\n", "HTTP/1.1 431"},
      {"GET / HTTP/1.1\r\nHost:", ""},  // never finished: closed at the header deadline
  };
  for (const Row& row : rows) BOOST_TEST_CONTEXT(row.request.substr(0, 40)) {
      const std::string got = Client(server->port()).Ask(row.request);
      BOOST_TEST(got.starts_with(row.want));
    }
  BOOST_TEST(Client(server->port()).Ask("GET /ok HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ends_with("GET /ok\n"));
}

BOOST_AUTO_TEST_CASE(handler_learns_that_its_client_left) {
  std::atomic<bool> seen{false};
  auto server = Start([&](const HttpRequest& r) {
    for (int i = 0; i < 500 && !r.canceled->load(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    seen = r.canceled->load();
    return HttpResponse::Text(200, "late");
  });
  {
    Client c(server->port());
    c.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  for (int i = 0; i < 100 && !seen; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  BOOST_TEST(seen);
}

BOOST_AUTO_TEST_CASE(stop_ends_running_handlers) {
  auto server = Start([&](const HttpRequest& r) {
    while (!r.canceled->load()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return HttpResponse::Text(200, "");
  });
  Client c(server->port());
  c.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const auto start = std::chrono::steady_clock::now();
  server->Stop();
  BOOST_TEST((std::chrono::steady_clock::now() - start < std::chrono::seconds(1)));
}

// On one connection: one after the other, all at once, and all at once to a client that does not read for a while, so
// that what the kernel takes in one go ends within an answer.
BOOST_AUTO_TEST_CASE(many_requests_of_a_connection) {
  const std::string filler(60'000, 'x');
  auto server = Start([&](const HttpRequest& r) { return HttpResponse::Text(200, r.path + (r.query.empty() ? "" : filler) + "."); });
  const std::string last = "GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  {
    Client c(server->port());
    std::string got;
    for (int i = 0; i < 50; ++i) {
      c.Send("GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: x\r\n\r\n");
      got = c.ReadUntil(".");
      BOOST_TEST(got.ends_with("\r\n\r\n/" + std::to_string(i) + "."));
    }
    BOOST_TEST(c.Ask(last).ends_with("/last."));
  }
  for (const bool large : {false, true}) {
    constexpr int kRequests = 200;
    std::string all;
    for (int i = 0; i < kRequests; ++i) all += "GET /" + std::to_string(i) + (large ? "?large" : "") + " HTTP/1.1\r\nHost: x\r\n\r\n";
    Client c(server->port());
    c.Send(all + last);
    if (large) std::this_thread::sleep_for(std::chrono::milliseconds(200));
    const std::string got = c.ReadAll();
    std::size_t at = 0;
    for (int i = 0; i < kRequests; ++i) {
      const std::string body = "\r\n\r\n/" + std::to_string(i) + (large ? filler : "") + ".";
      at = got.find(body, at);
      BOOST_TEST_REQUIRE(at != std::string::npos);
      at += body.size();
    }
    BOOST_TEST(got.ends_with("/last."));
  }
}

BOOST_AUTO_TEST_CASE(an_idle_connection_is_closed_in_time) {
  HttpServerOptions options;
  options.idle_timeout_ms = 300;
  options.header_timeout_ms = 100;
  auto server = Start(Echo, options);
  Client fresh(server->port()), used(server->port()), begun(server->port());
  used.Send("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n");
  BOOST_TEST(used.ReadUntil("GET /1\n").ends_with("GET /1\n"));
  begun.Send("GET /");
  const auto start = std::chrono::steady_clock::now();
  BOOST_TEST(begun.ReadAll() == "");
  BOOST_TEST((std::chrono::steady_clock::now() - start < std::chrono::milliseconds(290)));  // before those that are idle
  BOOST_TEST(fresh.ReadAll() == "");
  BOOST_TEST(used.ReadAll() == "");
  BOOST_TEST((std::chrono::steady_clock::now() - start < std::chrono::seconds(3)));
  // A handler may take longer than that.
  auto slow = Start([](const HttpRequest&) { return std::this_thread::sleep_for(std::chrono::milliseconds(600)), HttpResponse::Text(200, "late"); }, options);
  BOOST_TEST(Client(slow->port()).Ask("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ends_with("late"));
}

BOOST_AUTO_TEST_CASE(stop_while_clients_ask) {
  for (int round = 0; round < 20; ++round) {
    auto server = Start(Echo);
    std::vector<std::thread> clients;
    for (int k = 0; k < 4; ++k) {
      clients.emplace_back([client = std::make_shared<Client>(server->port()), k] {
        const std::string ask = "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n";
        for (int i = 0; i < 1000; ++i) {
          const bool two = k % 2 == 0 && i % 7 == 6;
          client->Send(two ? "GET /2 HTTP/1.1\r\nHost: x\r\n\r\n" + ask : ask);
          if (!client->ReadUntil("GET /1\n").ends_with("GET /1\n")) return;
        }
      });
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(round));
    server->Stop();
    for (std::thread& t : clients) t.join();
  }
}

BOOST_AUTO_TEST_CASE(gzip_round_trip_and_limit) {
  const std::string text(100'000, 'x');
  const std::string packed = Gzip(text);
  BOOST_TEST(packed.size() < 1000u);
  BOOST_TEST((*Gunzip(packed, 1 << 20) == text));
  BOOST_TEST(int(Gunzip(packed, 1000).error().code) == int(Errc::kLimit));
  BOOST_TEST(int(Gunzip(packed.substr(0, packed.size() / 2), 1 << 20).error().code) == int(Errc::kCorrupt));
  BOOST_TEST(!Gunzip("not gzip", 1000));
}

// "a\nbb\n" of a body in chunks.
static std::string Unchunk(std::string_view s) {
  std::string out;
  while (!s.empty()) {
    const std::size_t end = s.find("\r\n");
    BOOST_TEST_REQUIRE(end != std::string_view::npos);
    const std::size_t size = std::stoul(std::string(s.substr(0, end)), nullptr, 16);
    out += s.substr(end + 2, size);
    s.remove_prefix(end + 2 + size + 2);
    if (size == 0) break;
  }
  BOOST_TEST(s.empty());
  return out;
}

BOOST_AUTO_TEST_CASE(an_answer_in_pieces) {
  std::string whole = "start,";
  for (int i = 0; i < 50; ++i) whole += std::string(static_cast<std::size_t>(i) * 1000, static_cast<char>('a' + i % 26));
  auto server = Start([&](const HttpRequest&) {
    HttpResponse r = HttpResponse::Text(200, "start,");
    r.more = [i = 0](std::string* piece) mutable {  // the first one is empty
      *piece = std::string(static_cast<std::size_t>(i) * 1000, static_cast<char>('a' + i % 26));
      return ++i < 50;
    };
    return r;
  });
  const auto ask = [&](const std::string& request) { return Client(server->port()).Ask(request); };
  const auto body = [](const std::string& answer) { return answer.substr(answer.find("\r\n\r\n") + 4); };
  const std::string chunked = ask("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  BOOST_TEST(chunked.find("Transfer-Encoding: chunked\r\n") != std::string::npos);
  BOOST_TEST((Unchunk(body(chunked)) == whole));
  const std::string packed = ask("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAccept-Encoding: gzip\r\n\r\n");
  const auto unpacked = Gunzip(Unchunk(body(packed)), 10 << 20);
  BOOST_TEST_REQUIRE(bool(unpacked));
  BOOST_TEST((*unpacked == whole));
  // No chunks in HTTP/1.0; HEAD tells the length.
  const std::string old = ask("GET / HTTP/1.0\r\n\r\n");
  BOOST_TEST(old.find("Content-Length: " + std::to_string(whole.size()) + "\r\n") != std::string::npos);
  BOOST_TEST((body(old) == whole));
  const std::string head = ask("HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  BOOST_TEST(head.find("Content-Length: " + std::to_string(whole.size()) + "\r\n") != std::string::npos);
  BOOST_TEST(body(head).empty());
  // The connection goes on.
  const std::string two = ask("GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const std::size_t second = two.find("HTTP/1.1 200", 1);
  BOOST_TEST_REQUIRE(second != std::string::npos);
  BOOST_TEST((Unchunk(body(two.substr(second))) == whole));
}

BOOST_AUTO_TEST_CASE(pieces_end_when_the_client_goes_or_they_fail) {
  std::atomic<int> made{0}, freed{0};
  auto server = Start([&](const HttpRequest& r) {
    HttpResponse out = HttpResponse::Text(200, "x");
    auto counted = std::shared_ptr<int>(new int(0), [&](int* p) { delete p, ++freed; });
    out.more = [&made, counted, fail = r.path == "/fail"](std::string* piece) {
      if (fail) throw std::runtime_error("no");
      ++made;
      piece->assign(1 << 20, 'x');
      return true;
    };
    return out;
  });
  { Client(server->port()).Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n"); }
  const std::string cut = Client(server->port()).Ask("GET /fail HTTP/1.1\r\nHost: x\r\n\r\n");
  BOOST_TEST(cut.ends_with("1\r\nx\r\n"));  // no last chunk: the client sees that it is cut off
  for (int i = 0; i < 500 && freed < 2; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  BOOST_TEST(freed == 2);
  BOOST_TEST(made < 1000);
}

BOOST_AUTO_TEST_CASE(bad_addresses) {
  for (const char* a : {"", "x", "127.0.0.1", "127.0.0.1:99999", "127.0.0.1:x"})
    BOOST_TEST_CONTEXT(a) BOOST_TEST(!HttpServer::Listen({a}, {}, Echo));
  auto first = Start(Echo);
  auto second = HttpServer::Listen({"127.0.0.1:" + std::to_string(first->port())}, {}, Echo);
  BOOST_TEST_REQUIRE(!second);
  BOOST_TEST(second.error().message.find("Address already in use") != std::string::npos);
}
