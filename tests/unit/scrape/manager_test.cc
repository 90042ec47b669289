// Schedules, discovery, reload and hostile targets, over real sockets.
#include "scrape/manager.h"

#include <boost/test/unit_test.hpp>

#include <arpa/inet.h>
#include <chrono>
#include <mutex>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include "../../testing.h"
#include "collect_sink.h"
#include "net/http_server.h"

using namespace prom;
using namespace prom::scrape;

namespace {

// Counts up series by target and remembers the gaps between scrapes.
class UpSink : public testing::CollectSink {
 public:
  Result<void> Row(std::uint32_t layout, std::int64_t t, std::span<const double> values, std::span<const std::uint64_t> present) override {
    PROM_TRY(CollectSink::Row(layout, t, values, present));
    std::lock_guard lock(mutex);
    for (const auto& [series, value] : Take(true))
      if (series.starts_with("up{")) ups[series].emplace_back(t, value);
    return {};
  }
  std::mutex mutex;
  std::map<std::string, std::vector<std::pair<std::int64_t, std::string>>> ups;
};

std::shared_ptr<const config::Config> Parse(const std::string& yaml) {
  auto c = config::ParseConfig(yaml, "test.yml");
  BOOST_TEST_REQUIRE(bool(c), (c ? "" : c.error().message));
  return std::make_shared<const config::Config>(std::move(*c));
}

// A listener that answers every connection with raw bytes, then keeps it open or not.
class RawServer {
 public:
  RawServer(std::string reply, bool endless) : reply_(std::move(reply)), endless_(endless) {
    fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(fd_, reinterpret_cast<sockaddr*>(&a), sizeof a);
    ::listen(fd_, 16);
    socklen_t size = sizeof a;
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&a), &size);
    port = ntohs(a.sin_port);
    thread_ = std::thread([this] {
      for (;;) {
        const int c = ::accept(fd_, nullptr, nullptr);
        if (c < 0) return;
        clients_.emplace_back([this, c] {
          char buffer[4096];
          (void)!::recv(c, buffer, sizeof buffer, 0);
          do {
            if (::send(c, reply_.data(), reply_.size(), MSG_NOSIGNAL) < 0) break;
          } while (endless_ && !done_);
          // Without an answer the client waits until its own deadline.
          if (!endless_) (void)!::recv(c, buffer, sizeof buffer, 0);
          ::close(c);
        });
      }
    });
  }
  ~RawServer() {
    done_ = true;
    ::shutdown(fd_, SHUT_RDWR);
    ::close(fd_);
    thread_.join();
    for (auto& t : clients_) t.join();
  }
  int port = 0;

 private:
  std::string reply_;
  bool endless_;
  std::atomic<bool> done_{false};
  int fd_;
  std::thread thread_;
  std::vector<std::thread> clients_;
};

}  // namespace

BOOST_AUTO_TEST_CASE(hostile_targets_delay_nobody) {
  auto good = net::HttpServer::Listen({"127.0.0.1:0"}, {}, [](const net::HttpRequest&) { return net::HttpResponse::Text(200, "a 1\n"); });
  RawServer silent("", false), slow_header("HTTP/1.1 200 OK\r\nX: ", false), garbage("\x01\x02\x03 nonsense\r\n\r\n", false);
  RawServer endless_body("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n\r\n" + std::string(65536, 'x'), true);
  RawServer cut("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: 100\r\n\r\na 1\n", false);
  std::string yaml = "global: {scrape_interval: 200ms, scrape_timeout: 150ms}\nscrape_configs:\n- job_name: j\n  body_size_limit: 1MB\n  static_configs:\n  - targets:\n";
  const std::string good_address = "127.0.0.1:" + std::to_string((*good)->port());
  yaml += "    - " + good_address + "\n";
  for (const RawServer* s : {&silent, &slow_header, &garbage, &endless_body, &cut}) yaml += "    - 127.0.0.1:" + std::to_string(s->port) + "\n";
  UpSink sink;
  SinkOutput output(sink);
  Metrics metrics;
  {
    Manager manager(output, metrics, SystemClock(), {});
    manager.Apply(Parse(yaml));
    std::this_thread::sleep_for(std::chrono::milliseconds(2500));
    BOOST_TEST(manager.active_targets() == 6u);
    manager.Stop();
  }
  for (const auto& [series, samples] : sink.ups) BOOST_TEST_CONTEXT(series) {
      BOOST_TEST(samples.size() >= 9u);
      const bool is_good = series.find(good_address) != std::string::npos;
      for (const auto& [t, value] : samples) BOOST_TEST(value == (is_good ? "1" : "0"));
    }
  BOOST_TEST(sink.ups.size() == 6u);
}

BOOST_AUTO_TEST_CASE(file_discovery_and_reload) {
  auto good = net::HttpServer::Listen({"127.0.0.1:0"}, {}, [](const net::HttpRequest&) { return net::HttpResponse::Text(200, "a 1\n"); });
  const std::string address = "127.0.0.1:" + std::to_string((*good)->port());
  testing::TempDir dir;
  testing::WriteFile(dir / "t.yml", "- targets: [" + address + "]\n  labels: {env: one}\n");
  const std::string head = "global: {scrape_interval: 100ms, scrape_timeout: 100ms}\nscrape_configs:\n";
  const std::string file_job = "- job_name: f\n  file_sd_configs: [{files: [" + (dir / "*.yml") + "]}]\n";
  UpSink sink;
  SinkOutput output(sink);
  Metrics metrics;
  Manager manager(output, metrics, SystemClock(), {});
  manager.Apply(Parse(head + file_job));
  const auto wait_for = [&](const std::string& series, const char* value) {
    for (int i = 0; i < 100; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(30));
      std::lock_guard lock(sink.mutex);
      if (const auto it = sink.ups.find(series); it != sink.ups.end() && it->second.back().second == value) return true;
    }
    return false;
  };
  BOOST_TEST(wait_for("up{env=\"one\", instance=\"" + address + "\", job=\"f\"}", "1"));
  testing::WriteFile(dir / "t.yml", "- targets: [" + address + "]\n  labels: {env: two}\n");
  BOOST_TEST(wait_for("up{env=\"two\", instance=\"" + address + "\", job=\"f\"}", "1"));
  // The target that went gets its stale marker after two intervals and a tenth.
  BOOST_TEST(wait_for("up{env=\"one\", instance=\"" + address + "\", job=\"f\"}", "stale"));
  manager.Apply(Parse(head + file_job + "- job_name: s\n  static_configs: [{targets: ['" + address + "']}]\n"));
  BOOST_TEST(wait_for("up{instance=\"" + address + "\", job=\"s\"}", "1"));
  BOOST_TEST(manager.active_targets() == 2u);
  BOOST_TEST(manager.TargetsJson().find("\"health\":\"up\"") != std::string::npos);
  manager.Apply(Parse(head + file_job));
  BOOST_TEST(wait_for("up{instance=\"" + address + "\", job=\"s\"}", "stale"));
  manager.Stop();
}

BOOST_AUTO_TEST_CASE(target_limit_fails_the_job) {
  auto good = net::HttpServer::Listen({"127.0.0.1:0"}, {}, [](const net::HttpRequest&) { return net::HttpResponse::Text(200, "a 1\n"); });
  const std::string address = "127.0.0.1:" + std::to_string((*good)->port());
  UpSink sink;
  SinkOutput output(sink);
  Metrics metrics;
  Manager manager(output, metrics, SystemClock(), {});
  manager.Apply(Parse("global: {scrape_interval: 100ms, scrape_timeout: 100ms}\nscrape_configs:\n- job_name: j\n  target_limit: 1\n  static_configs: [{targets: ['" + address +
                      "', 'localhost:1']}]\n"));
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  manager.Stop();
  BOOST_TEST_REQUIRE(sink.ups.size() == 2u);
  for (const auto& [series, samples] : sink.ups)
    for (const auto& [t, value] : samples) BOOST_TEST(value == "0");
  BOOST_TEST(manager.TargetsJson().find("target_limit exceeded (number of targets: 2, limit: 1)") != std::string::npos);
}

namespace {

// The system's clock, with a wall clock that a test can set.
class SetClock : public Clock {
 public:
  std::atomic<std::int64_t> ahead_ms{0};
  std::int64_t NowMs() override { return SystemClock().NowMs() + ahead_ms; }
  std::int64_t MonotonicNs() override { return SystemClock().MonotonicNs(); }
};

}  // namespace

// The wall clock is set back by an hour, then ahead by two: scrapes go on at once, with its times.
BOOST_AUTO_TEST_CASE(clock_jumps_stop_nothing) {
  auto good = net::HttpServer::Listen({"127.0.0.1:0"}, {}, [](const net::HttpRequest&) { return net::HttpResponse::Text(200, "a 1\n"); });
  const std::string address = "127.0.0.1:" + std::to_string((*good)->port());
  constexpr std::int64_t kHour = 3600 * 1000;
  UpSink sink;
  SinkOutput output(sink);
  Metrics metrics;
  SetClock clock;
  Manager manager(output, metrics, clock, {});
  manager.Apply(Parse("global: {scrape_interval: 100ms, scrape_timeout: 100ms}\nscrape_configs:\n- job_name: j\n  static_configs: [{targets: ['" + address + "']}]\n"));
  const std::string up = "up{instance=\"" + address + "\", job=\"j\"}";
  for (const std::int64_t ahead : {std::int64_t{0}, -kHour, kHour, std::int64_t{0}}) BOOST_TEST_CONTEXT("ahead by " << ahead) {
      {
        std::lock_guard lock(sink.mutex);
        sink.ups.clear();
      }
      clock.ahead_ms = ahead;
      const std::int64_t now = clock.NowMs();
      std::size_t right = 0;
      for (int i = 0; i < 100 && right < 3; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(30));
        std::lock_guard lock(sink.mutex);
        right = 0;
        for (const auto& [t, value] : sink.ups[up]) right += t >= now - 200 && t < now + 10'000;
      }
      BOOST_TEST(right >= 3u);
    }
  manager.Stop();
}

BOOST_AUTO_TEST_CASE(failures_are_written_to_their_log) {
  testing::TempDir dir;
  const std::string head = "global: {scrape_interval: 50ms, scrape_timeout: 50ms}\nscrape_configs:\n- job_name: j\n  scrape_failure_log_file: " + (dir / "fail.jsonl") +
                           "\n  static_configs: [{targets: ['127.0.0.1:1']}]\n";
  UpSink sink;
  SinkOutput output(sink);
  Metrics metrics;
  Manager manager(output, metrics, SystemClock(), {});
  const auto line = [&](const std::string& path) {
    for (int i = 0; i < 100; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      const std::string text = testing::ReadFile(path);
      if (const std::size_t end = text.find('\n'); end != std::string::npos) return text.substr(0, end);
    }
    return std::string();
  };
  manager.Apply(Parse(head));
  const std::string first = line(dir / "fail.jsonl");
  BOOST_TEST(first.starts_with("{\"time\":\"2"));
  BOOST_TEST(first.find("\"level\":\"ERROR\",\"msg\":\"") != std::string::npos);
  BOOST_TEST(first.ends_with("\"job_name\":\"j\",\"target\":\"http://127.0.0.1:1/metrics\"}"));
  // A rotated file is left behind when the configuration is loaded again.
  BOOST_TEST_REQUIRE(std::rename((dir / "fail.jsonl").c_str(), (dir / "fail.old").c_str()) == 0);
  manager.Apply(Parse(head));
  BOOST_TEST(line(dir / "fail.jsonl") != "");
  manager.Stop();
}

// Every name that the dashboards and alerts of upstream's mixin ask for.
BOOST_AUTO_TEST_CASE(metrics_have_upstreams_names) {
  auto good = net::HttpServer::Listen({"127.0.0.1:0"}, {}, [](const net::HttpRequest&) { return net::HttpResponse::Text(200, "# HELP a A metric.\n# TYPE a counter\na 1\n"); });
  const std::string target = "  static_configs: [{targets: ['127.0.0.1:" + std::to_string((*good)->port()) + "']}]\n";
  const std::string one = "global: {scrape_interval: 100ms, scrape_timeout: 100ms}\nscrape_configs:\n- job_name: one\n" + target;
  UpSink sink;
  SinkOutput output(sink, true);
  Metrics metrics;
  Manager manager(output, metrics, SystemClock(), {});
  manager.Apply(Parse(one + "- job_name: two\n" + target));
  std::string page;
  for (int i = 0; i < 100 && (page.find("prometheus_target_metadata_cache_entries{scrape_job=\"one\"} 1\n") == std::string::npos ||
                              page.find("prometheus_target_interval_length_seconds_count{interval=\"100ms\"}") == std::string::npos); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    page = metrics.Print();
  }
  for (const char* line : {"prometheus_target_interval_length_seconds{interval=\"100ms\",quantile=\"0.99\"} ", "prometheus_target_interval_length_seconds_sum{interval=\"100ms\"} ",
                           "prometheus_target_interval_length_seconds_count{interval=\"100ms\"} ", "prometheus_target_sync_length_seconds_sum{scrape_job=\"one\"} ",
                           "prometheus_target_sync_failed_total{scrape_job=\"one\"} 0\n", "prometheus_target_metadata_cache_entries{scrape_job=\"one\"} 1\n",
                           "prometheus_target_metadata_cache_bytes{scrape_job=\"one\"} 10\n", "prometheus_target_scrapes_exceeded_sample_limit_total 0\n",
                           "prometheus_target_scrapes_exceeded_body_size_limit_total 0\n", "prometheus_target_scrapes_sample_duplicate_timestamp_total 0\n",
                           "prometheus_target_scrapes_sample_out_of_bounds_total 0\n", "prometheus_target_scrape_pool_exceeded_target_limit_total 0\n",
                           "prometheus_target_scrape_pool_exceeded_label_limits_total 0\n", "prometheus_target_scrape_pool_targets{scrape_job=\"two\"} 1\n",
                           "prometheus_target_scrape_pools_total 2\n", "prometheus_target_scrape_pools_failed_total 0\n", "prometheus_target_scrape_pool_reloads_failed_total 0\n",
                           "prometheus_target_scrape_pool_sync_total{scrape_job=\"one\"} 1\n", "prometheus_target_scrapes_cache_flush_forced_total 0\n"})
    BOOST_TEST(page.find(std::string("\n") + line) != std::string::npos, line);
  manager.Apply(Parse(one));
  page = metrics.Print();
  BOOST_TEST(page.find("prometheus_target_scrape_pool_targets{scrape_job=\"two\"} 0\n") != std::string::npos);
  BOOST_TEST(page.find("prometheus_target_scrape_pool_reloads_total 1\n") != std::string::npos);
  manager.Stop();
}
