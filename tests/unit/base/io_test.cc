#include "base/io.h"

#include <boost/test/unit_test.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include "../../testing.h"
#include "base/lost_pages.h"
#include "base/metrics.h"
#include "base/run_dir.h"

using namespace prom;

BOOST_AUTO_TEST_CASE(files_round_trip) {
  prom::testing::TempDir dir;
  BOOST_TEST_REQUIRE(bool(MakeDirs(SystemIo(), dir / "a/b/c")));
  BOOST_TEST_REQUIRE(bool(WriteFileAtomic(SystemIo(), dir / "a/b/c/f", "hello")));
  BOOST_TEST(*ReadFile(SystemIo(), dir / "a/b/c/f") == "hello");
  BOOST_TEST(ReadFile(SystemIo(), dir / "none").error().code == Errc::kNotFound);
  BOOST_TEST(ReadFile(SystemIo(), dir / "a").error().code == Errc::kInvalid);
  BOOST_TEST(ReadFile(SystemIo(), dir / "a/b/c/f", 4).error().code == Errc::kLimit);
  BOOST_TEST_REQUIRE(::mkfifo((dir / "fifo").c_str(), 0600) == 0);
  BOOST_TEST(!ReadFile(SystemIo(), dir / "fifo"));  // and does not hang
  BOOST_TEST(SystemIo().List(dir / "a/b/c")->size() == 1u);
  BOOST_TEST_REQUIRE(bool(RemoveTree(SystemIo(), dir / "a")));
  BOOST_TEST(!*SystemIo().Exists(dir / "a"));
}

// The file of a mapping is cut off behind our back: zeros and an error, not SIGBUS.
BOOST_AUTO_TEST_CASE(lost_pages) {
  prom::testing::TempDir dir;
  prom::testing::WriteFile(dir / "f", std::string(5 * 4096, 'x'));
  const std::uint64_t before = LostPageCount();
  {
    auto file = SystemIo().Open(dir / "f", Io::Mode::kReadWrite);
    BOOST_TEST_REQUIRE(bool(file));
    auto mapping = (*file)->Map();
    BOOST_TEST_REQUIRE(bool(mapping));
    BOOST_TEST(!BytesLost(mapping->bytes()));
    BOOST_TEST_REQUIRE(bool((*file)->Truncate(4096)));
    const volatile char* p = mapping->data();
    BOOST_TEST(p[4095] == 'x');
    BOOST_TEST(LostPageCount() == before);
    BOOST_TEST(p[2 * 4096 + 5] == '\0');
    BOOST_TEST(p[2 * 4096 + 6] == '\0');  // once lost, no fault any more
    BOOST_TEST(LostPageCount() == before + 1);
    BOOST_TEST(LostPageError().message.find(dir / "f: byte 8192: cannot be read") == 0u);
    BOOST_TEST(BytesLost(mapping->bytes().substr(0, 8193)));
    BOOST_TEST(!BytesLost(mapping->bytes().substr(0, 8192)));
    BOOST_TEST(!BytesLost(mapping->bytes().substr(3 * 4096)));
    BOOST_TEST(!BytesLost(mapping->bytes().substr(0, 0)));

    // A shared page that is lost takes stores, in vain.
    auto shared = (*file)->MapShared(2 * 4096);
    BOOST_TEST_REQUIRE(bool(shared));
    auto* q = static_cast<volatile char*>(*shared);
    q[4096] = 'y';
    BOOST_TEST(q[4096] == 'y');
    BOOST_TEST(BytesLost(const_cast<const char*>(q), 8192));
    BOOST_TEST(LostPageCount() == before + 2);
  }
  // With the mapping goes the memory of what it lost: its addresses may serve another file.
  auto other = SystemIo().Open(dir / "g", Io::Mode::kCreate);
  BOOST_TEST_REQUIRE(bool(other));
  BOOST_TEST_REQUIRE(bool((*other)->WriteAt(0, std::string(5 * 4096, 'z'))));
  auto mapping = (*other)->Map();
  BOOST_TEST_REQUIRE(bool(mapping));
  BOOST_TEST(!BytesLost(mapping->bytes()));
  BOOST_TEST(mapping->data()[8192] == 'z');
}

BOOST_AUTO_TEST_CASE(paths) {
  BOOST_TEST(JoinPath("a", "b") == "a/b");
  BOOST_TEST(JoinPath("a/", "b") == "a/b");
  BOOST_TEST(JoinPath("a", "/b") == "/b");
  BOOST_TEST(DirName("a/b") == "a");
  BOOST_TEST(DirName("b") == ".");
  BOOST_TEST(DirName("/b") == "/");
  BOOST_TEST(BaseName("a/b/") == "b");
}

BOOST_AUTO_TEST_CASE(run_directory_round_trip) {
  prom::testing::TempDir dir;
  RunDir run(dir / "run");
  BOOST_TEST_REQUIRE(bool(run.Create()));
  ToolState s;
  s.tool = "unit_base";
  s.pid = ::getpid();
  s.flags = {{"web.listen-address", "127.0.0.1:1"}};
  s.config_yaml = "a: \"b\"\n";
  s.reload_error = "x.yml:1:2: bad";
  s.reload_ok = false;
  s.reload_count = 3;
  BOOST_TEST_REQUIRE(bool(run.PublishState(s)));
  auto got = run.ReadState("unit_base");
  BOOST_TEST_REQUIRE(bool(got));
  BOOST_TEST(got->config_yaml == s.config_yaml);
  BOOST_TEST(got->reload_error == s.reload_error);
  BOOST_TEST(got->reload_count == 3u);
  BOOST_TEST(!got->reload_ok);
  BOOST_TEST(RunDir::IsAlive(*got));
  got->tool = "another";
  BOOST_TEST(!RunDir::IsAlive(*got));  // the pid is somebody else's by now
  prom::testing::WriteFile(dir / "run/unit_base.json", "{\"format\":\"promkit-run\",\"format_version\":2}");
  BOOST_TEST(run.ReadState("unit_base").error().code == Errc::kUnsupported);
  prom::testing::WriteFile(dir / "run/unit_base.json", "{");
  BOOST_TEST(run.ReadState("unit_base").error().code == Errc::kCorrupt);
}

BOOST_AUTO_TEST_CASE(metrics_page) {
  Metrics m;
  m.AddCounter("b_total", "Help \\ with\nnewline.", {{"l", "a\"b"}}).Add(2);
  m.AddCounter("b_total", "", {{"l", "a\"b"}}).Add(1);
  m.AddGauge("a", "A.").Set(1.5);
  m.AddHistogram("c", "C.", {1, 2}).Observe(1);
  m.AddHistogram("c", "C.", {1, 2}).Observe(5);
  BOOST_TEST(m.Print() ==
             "# HELP a A.\n# TYPE a gauge\na 1.5\n"
             "# HELP b_total Help \\\\ with\\nnewline.\n# TYPE b_total counter\nb_total{l=\"a\\\"b\"} 3\n"
             "# HELP c C.\n# TYPE c histogram\nc_bucket{le=\"1\"} 1\nc_bucket{le=\"2\"} 1\nc_bucket{le=\"+Inf\"} 2\nc_sum 6\nc_count 2\n");
}
