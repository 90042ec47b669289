#include "net/fetch_loop.h"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <future>
#include <thread>

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
