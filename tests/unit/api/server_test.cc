#include "api/server.h"

#include <boost/test/unit_test.hpp>

#include <csignal>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../testing.h"
#include "fixture.h"

using namespace prom;
using testing::Get;
using testing::Post;

namespace {

struct Fixture {
  Fixture() { source.Load("up 1"); }
  api::Server& Make(bool lifecycle, std::int64_t reload_wait_ms = 5000) {
    api::ServerOptions options;
    options.enable_lifecycle = lifecycle;
    options.reload_wait_ms = reload_wait_ms;
    server = std::make_unique<api::Server>(source, run, metrics, clock, options);
    return *server;
  }
  testing::TempDir dir;
  RunDir run{dir.path()};
  testing::MemorySource source;
  testing::FixedClock clock{0};
  Metrics metrics;
  std::unique_ptr<api::Server> server;
};

std::string Answer(const net::HttpResponse& r) { return std::to_string(r.status) + " " + r.body; }

// A process named like a program of the stack, with its state file; answers SIGHUP as `hup` says.
enum class OnHup { kReload, kRefuse, kIgnore, kDie };
class FakeTool {
 public:
  FakeTool(RunDir& run, const char* name, OnHup hup) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, nullptr);  // before fork: no signal finds the child unready
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_NAME, name);
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ToolState state;
      state.tool = name;
      state.pid = ::getpid();
      state.reload_count = 1;
      (void)bool(run.PublishState(state));
      for (;;) {
        int signal = 0;
        sigwait(&set, &signal);
        if (hup == OnHup::kDie) ::_exit(0);
        if (hup == OnHup::kIgnore) continue;
        ++state.reload_count;
        state.reload_ok = hup == OnHup::kReload;
        state.reload_error = state.reload_ok ? "" : "prometheus.yml:3: field \"x\" not found";
        (void)bool(run.PublishState(state));
      }
    }
    sigprocmask(SIG_UNBLOCK, &set, nullptr);
    BOOST_TEST_REQUIRE(pid_ > 0);
    for (int i = 0; i < 2000; ++i) {
      if (auto state = run.ReadState(name); state && state->pid == pid_) return;
      ::usleep(1000);
    }
    BOOST_FAIL("the child has not written its state");
  }
  ~FakeTool() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

 private:
  pid_t pid_ = -1;
};

}  // namespace

// Texts and codes from upstream's web/web.go.
BOOST_FIXTURE_TEST_CASE(health, Fixture) {
  auto& s = Make(false);
  BOOST_TEST(Answer(s.Handle(Get("/-/healthy"))) == "200 Prometheus Server is Healthy.\n");
  BOOST_TEST(Answer(s.Handle(Get("/-/ready"))) == "200 Prometheus Server is Ready.\n");
  source.store.reset();
  BOOST_TEST(Answer(s.Handle(Get("/-/ready"))) == "503 Service Unavailable: no data directory at data\n");
  BOOST_TEST(s.Handle(Get("/-/healthy")).status == 200);
  auto head = Get("/-/healthy");
  head.method = "HEAD";
  BOOST_TEST(s.Handle(head).status == 200);
}

BOOST_FIXTURE_TEST_CASE(paths, Fixture) {
  auto& s = Make(false);
  BOOST_TEST(s.Handle(Get("/")).status == 200);
  BOOST_TEST(Answer(s.Handle(Get("/nothing"))) == "404 404 page not found\n");
  BOOST_TEST(s.Handle(Get("/-/healthy/x")).status == 404);
  const auto answer = s.Handle(Get("/api/v1/query", {{"query", "1"}}));
  BOOST_TEST(answer.status == 200);
  bool cors = false;
  for (const auto& [name, value] : answer.headers) cors |= name == "Access-Control-Allow-Origin" && value == "*";
  BOOST_TEST(cors);
}

BOOST_FIXTURE_TEST_CASE(lifecycle_disabled, Fixture) {
  auto& s = Make(false);
  for (const char* path : {"/-/reload", "/-/quit"}) {
    BOOST_TEST_CONTEXT(path) {
      BOOST_TEST(Answer(s.Handle(Post(path))) == "403 Lifecycle API is not enabled.\n");
      BOOST_TEST(s.Handle(Get(path)).status == 405);
    }
  }
  BOOST_TEST(!s.quit_requested());
}

BOOST_FIXTURE_TEST_CASE(quit, Fixture) {
  auto& s = Make(true);
  BOOST_TEST(s.Handle(Get("/-/quit")).status == 405);
  BOOST_TEST(!s.quit_requested());
  BOOST_TEST(Answer(s.Handle(Post("/-/quit"))) == "200 Requesting termination... Goodbye!\n");
  BOOST_TEST(s.quit_requested());
}

BOOST_FIXTURE_TEST_CASE(reload, Fixture) {
  auto& s = Make(true);
  BOOST_TEST(Answer(s.Handle(Post("/-/reload"))) == "500 failed to reload config: no program that reads it is running\n");
  {
    FakeTool tool(run, "promscrape", OnHup::kReload);
    BOOST_TEST(Answer(s.Handle(Post("/-/reload"))) == "200 ");
    auto put = Post("/-/reload");
    put.method = "PUT";
    BOOST_TEST(Answer(s.Handle(put)) == "200 ");
    BOOST_TEST(run.ReadState("promscrape")->reload_count == 3u);
  }
  // Its state file is still there; the process is not.
  BOOST_TEST(Answer(s.Handle(Post("/-/reload"))) == "500 failed to reload config: no program that reads it is running\n");
}

BOOST_FIXTURE_TEST_CASE(reload_refused, Fixture) {
  auto& s = Make(true);
  FakeTool scrape(run, "promscrape", OnHup::kRefuse);
  FakeTool rule(run, "promrule", OnHup::kReload);
  BOOST_TEST(Answer(s.Handle(Post("/-/reload"))) == "500 failed to reload config: prometheus.yml:3: field \"x\" not found\n");
}

BOOST_FIXTURE_TEST_CASE(reload_unanswered, Fixture) {
  auto& s = Make(true, 100);
  FakeTool tool(run, "promscrape", OnHup::kIgnore);
  BOOST_TEST(Answer(s.Handle(Post("/-/reload"))) == "500 failed to reload config: promscrape did not answer\n");
}

BOOST_FIXTURE_TEST_CASE(metrics_of_all_programs, Fixture) {
  auto& s = Make(false);
  metrics.AddCounter("prometheus_http_requests_total", "Counter of HTTP requests.").Add(3);
  BOOST_TEST_REQUIRE(bool(run.PublishMetrics("promscrape", "# TYPE prometheus_targets gauge\nprometheus_targets 5\n")));
  BOOST_TEST_REQUIRE(bool(run.PublishMetrics("promstore", "# TYPE gone gauge\ngone 1\n")));
  FakeTool tool(run, "promscrape", OnHup::kIgnore);
  const auto page = s.Handle(Get("/metrics"));
  BOOST_TEST(page.content_type == "text/plain; version=0.0.4; charset=utf-8");
  BOOST_TEST(page.body.find("\nprometheus_http_requests_total 3\n") != std::string::npos, page.body);
  BOOST_TEST(page.body.find("\nprometheus_targets 5\n") != std::string::npos, page.body);
  BOOST_TEST(page.body.find("gone") == std::string::npos);  // of a program that does not run
}
