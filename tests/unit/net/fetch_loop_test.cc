#include "net/fetch_loop.h"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <future>
#include <mutex>
#include <netinet/in.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include "../../testing.h"
#include "net/http_server.h"

using namespace prom;
using namespace prom::net;

namespace {

FetchResult Get(FetchLoop& loop, FetchRequest request) {
  auto got = std::make_shared<std::promise<FetchResult>>();
  auto future = got->get_future();
  loop.Fetch(std::move(request), {}, [got](FetchResult r) { got->set_value(std::move(r)); });
  BOOST_TEST_REQUIRE((future.wait_for(std::chrono::seconds(20)) == std::future_status::ready));
  return future.get();
}

FetchRequest Url(const std::string& url, std::int64_t timeout_ms = 5000) {
  FetchRequest r;
  r.url = url;
  r.timeout_ms = timeout_ms;
  return r;
}

}  // namespace

BOOST_AUTO_TEST_CASE(fetches_and_limits) {
  auto server = HttpServer::Listen({"127.0.0.1:0"}, {}, [](const HttpRequest& r) {
    if (r.path == "/big") return HttpResponse::Text(200, std::string(5 << 20, 'x'));
    if (r.path == "/slow") std::this_thread::sleep_for(std::chrono::milliseconds(500));
    if (r.path == "/loop") {
      HttpResponse out = HttpResponse::Text(302, "");
      out.headers.emplace_back("Location", "/loop");
      return out;
    }
    if (r.path == "/file") {
      HttpResponse out = HttpResponse::Text(302, "");
      out.headers.emplace_back("Location", "file:///etc/passwd");
      return out;
    }
    if (r.path.starts_with("/cut") || r.path == "/flip") {
      HttpResponse out = HttpResponse::Text(200, Gzip(std::string(3000, 'x') + "end"));
      out.headers.emplace_back("Content-Encoding", "gzip");
      if (r.path == "/flip") out.body[out.body.size() - 6] ^= 1;  // in the CRC
      if (r.path.starts_with("/cut")) out.body.resize(out.body.size() - static_cast<std::size_t>(std::stoi(r.path.substr(4))));
      return out;
    }
    if (r.path == "/status") return HttpResponse::Text(503, "down");
    return HttpResponse::Text(200, std::string(r.Header("X-Test")) + "|" + std::string(r.Header("Accept-Encoding")) + "|" + std::string(r.Header("Authorization")));
  });
  BOOST_TEST_REQUIRE(bool(server));
  const std::string base = "http://127.0.0.1:" + std::to_string((*server)->port());
  FetchLoop loop;

  FetchRequest r = Url(base + "/echo");
  r.headers = {{"X-Test", "yes"}};
  r.username = "u";
  r.password = "p";
  FetchResult got = Get(loop, r);
  BOOST_TEST(bool(got.done));
  BOOST_TEST(got.status == 200);
  BOOST_TEST(got.body == "yes|gzip|Basic dTpw");
  BOOST_TEST(got.content_type == "text/plain; charset=utf-8");

  r = Url(base + "/big");
  got = Get(loop, r);
  BOOST_TEST(got.body.size() == std::size_t{5 << 20});
  // The server compresses 5 MiB to a few KiB: the limit counts what it inflates to.
  r.max_body_bytes = 1 << 20;
  got = Get(loop, r);
  BOOST_TEST(got.done.error().code == Errc::kLimit);
  BOOST_TEST(got.body.size() <= std::size_t{1 << 20});

  // A compressed body is whole, to its check sum, or it is an error.
  BOOST_TEST(Get(loop, Url(base + "/cut0")).body.size() == 3003u);
  for (const char* path : {"/cut1", "/cut4", "/cut8", "/cut20", "/flip"})
    BOOST_TEST_CONTEXT(path) BOOST_TEST(Get(loop, Url(base + path)).done.error().code == Errc::kCorrupt);

  BOOST_TEST(Get(loop, Url(base + "/slow", 100)).done.error().code == Errc::kTimeout);
  BOOST_TEST(Get(loop, Url(base + "/status")).status == 503);
  BOOST_TEST(Get(loop, Url(base + "/loop")).done.error().message == "stopped after 10 redirects");
  BOOST_TEST(Get(loop, Url(base + "/file")).done.error().code == Errc::kInvalid);
  BOOST_TEST(Get(loop, Url("file:///etc/passwd")).done.error().code == Errc::kInvalid);
  BOOST_TEST(Get(loop, Url("http://127.0.0.1:1/")).done.error().code == Errc::kUnavailable);
}

namespace {

// Says the same to every request on as many connections as come; counts both.
class ScriptedServer {
 public:
  explicit ScriptedServer(std::vector<std::string> answers, bool close_after = false) : answers_(std::move(answers)), close_(close_after) {
    fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    BOOST_TEST_REQUIRE(::bind(fd_, reinterpret_cast<sockaddr*>(&a), sizeof a) == 0);
    ::listen(fd_, 16);
    socklen_t size = sizeof a;
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&a), &size);
    url = "http://127.0.0.1:" + std::to_string(ntohs(a.sin_port)) + "/m?a=b";
    thread_ = std::thread([this] {
      for (;;) {
        const int c = ::accept(fd_, nullptr, nullptr);
        if (c < 0) return;
        ++connections;
        clients_.emplace_back([this, c] {
          std::string got;
          char buffer[4096];
          for (ssize_t n; (n = ::recv(c, buffer, sizeof buffer, 0)) > 0;) {
            got.append(buffer, static_cast<std::size_t>(n));
            if (!got.ends_with("\r\n\r\n")) continue;
            const std::string answer = answers_[std::min<std::size_t>(requests++, answers_.size() - 1)];
            {
              std::lock_guard lock(mutex_);
              last_ = std::exchange(got, {});
            }
            for (std::size_t at = 0; at < answer.size(); at += 7) {  // in small pieces, as a network may have it
              if (::send(c, answer.data() + at, std::min<std::size_t>(7, answer.size() - at), MSG_NOSIGNAL) < 0) break;
            }
            if (close_) break;
          }
          ::shutdown(c, SHUT_RDWR);
          ::close(c);
        });
      }
    });
  }
  ~ScriptedServer() {
    ::shutdown(fd_, SHUT_RDWR);
    ::close(fd_);
    thread_.join();
    for (auto& t : clients_) t.join();
  }
  std::string last() {
    std::lock_guard lock(mutex_);
    return last_;
  }
  std::string url;
  std::atomic<std::size_t> connections{0}, requests{0};

 private:
  std::vector<std::string> answers_;
  bool close_;
  int fd_;
  std::mutex mutex_;
  std::string last_;
  std::thread thread_;
  std::vector<std::thread> clients_;
};

}  // namespace

// The first fetch is libcurl's, the others go the plain way while they can; the results are the same.
BOOST_AUTO_TEST_CASE(plain_answers) {
  const std::string sized = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";
  struct Row {
    const char* what;
    std::string answer;  // from the second on; the first is `sized`
    Errc code;           // kInternal: no error
    int status;
    std::string body;
    std::size_t requests_each;  // 2: libcurl asked again
  };
  const Row rows[] = {
      {"sized", sized, Errc::kInternal, 200, "hello", 1},
      {"odd spelling", "HTTP/1.1 200\r\ncontent-LENGTH:3\r\nX-Empty:\r\n\r\nabc", Errc::kInternal, 200, "abc", 1},
      {"empty", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Errc::kInternal, 200, "", 1},
      {"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0b\r\n0123456789a\r\n0\r\nX: y\r\n\r\n", Errc::kInternal, 200, "abc0123456789a", 1},
      {"not found", "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", Errc::kInternal, 404, "no", 1},
      {"gzip", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: " + std::to_string(Gzip("a body").size()) + "\r\n\r\n" + Gzip("a body"), Errc::kInternal, 200, "a body", 1},
      {"gzip, cut", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 10\r\n\r\n" + Gzip("a body").substr(0, 10), Errc::kCorrupt, 200, "", 1},
      {"too large", "HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + std::string(2000, 'x'), Errc::kLimit, 200, "", 1},
      {"both kinds of length", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", Errc::kInternal, 200, "abc", 2},
      {"bad chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", Errc::kUnavailable, 200, "", 2},
  };
  for (const Row& row : rows) BOOST_TEST_CONTEXT(row.what) {
      ScriptedServer server({sized, row.answer});
      FetchLoop loop;
      FetchRequest r = Url(server.url);
      r.headers = {{"X-Test", "yes"}};
      r.max_body_bytes = 1000;
      BOOST_TEST(Get(loop, r).body == "hello");
      const std::string asked_by_curl = server.last();
      FetchResult got = Get(loop, r);
      BOOST_TEST((got.done ? Errc::kInternal : got.done.error().code) == row.code, (got.done ? "" : got.done.error().message));
      BOOST_TEST(got.status == row.status);
      if (got.done) BOOST_TEST(got.body == row.body);
      BOOST_TEST(server.requests == 1 + row.requests_each);
      // What is asked is the same, too, but for the line that libcurl adds.
      if (row.requests_each == 1) {
        BOOST_TEST(server.last().starts_with("GET /m?a=b HTTP/1.1\r\nHost: 127.0.0.1:"));
        BOOST_TEST(server.last().find("\r\nX-Test: yes\r\n") != std::string::npos);
        BOOST_TEST(server.last().find("\r\nAccept-Encoding: gzip\r\n") != std::string::npos);
        BOOST_TEST(asked_by_curl.starts_with(server.last().substr(0, server.last().find("\r\nX-Test"))));
      }
    }
}

BOOST_AUTO_TEST_CASE(plain_connections_are_kept_and_replaced) {
  const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
  {
    ScriptedServer server({answer});
    FetchLoop loop;
    for (int i = 0; i < 5; ++i) BOOST_TEST(Get(loop, Url(server.url)).body == "hello");
    BOOST_TEST(server.requests == 5u);
    BOOST_TEST(server.connections == 2u);  // libcurl's, and ours
  }
  {
    // It says nothing of closing, and does: no fetch fails for that.
    ScriptedServer server({answer}, true);
    FetchLoop loop;
    for (int i = 0; i < 8; ++i) {
      const FetchResult got = Get(loop, Url(server.url));
      BOOST_TEST(bool(got.done));
      BOOST_TEST(got.body == "hello");
    }
  }
  {
    // Without a length its end is that of the connection: for libcurl alone, asked once each.
    ScriptedServer server({"HTTP/1.1 200 OK\r\n\r\nhello"}, true);
    FetchLoop loop;
    for (int i = 0; i < 4; ++i) BOOST_TEST(Get(loop, Url(server.url)).body == "hello");
    BOOST_TEST(server.requests == 4u);
  }
  {
    // A slow answer on the plain way ends at its deadline.
    ScriptedServer server({answer, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello"});
    FetchLoop loop;
    BOOST_TEST(Get(loop, Url(server.url)).body == "hello");
    const auto start = std::chrono::steady_clock::now();
    const FetchResult got = Get(loop, Url(server.url, 200));
    BOOST_TEST(got.done.error().code == Errc::kTimeout);
    BOOST_TEST(got.done.error().message.starts_with("context deadline exceeded: "));
    BOOST_TEST((std::chrono::steady_clock::now() - start < std::chrono::seconds(2)));
  }
}

BOOST_AUTO_TEST_CASE(a_slow_server_delays_nobody) {
  auto server = HttpServer::Listen({"127.0.0.1:0"}, {}, [](const HttpRequest& r) {
    if (r.path == "/slow") std::this_thread::sleep_for(std::chrono::milliseconds(400));
    return HttpResponse::Text(200, "ok");
  });
  const std::string base = "http://127.0.0.1:" + std::to_string((*server)->port());
  FetchLoop loop;
  std::atomic<int> slow{0};
  for (int i = 0; i < 2; ++i) loop.Fetch(Url(base + "/slow"), {}, [&](FetchResult) { ++slow; });
  const auto start = std::chrono::steady_clock::now();
  BOOST_TEST(Get(loop, Url(base + "/fast")).body == "ok");
  BOOST_TEST((std::chrono::steady_clock::now() - start < std::chrono::milliseconds(300)));
  BOOST_TEST(slow == 0);
}

BOOST_AUTO_TEST_CASE(tasks_run_in_order_of_time) {
  FetchLoop loop;
  std::promise<void> done;
  std::string order;
  loop.After(30, [&] { order += 'b'; done.set_value(); });
  loop.After(0, [&] { order += 'a'; });
  done.get_future().wait();
  BOOST_TEST(order == "ab");
}
