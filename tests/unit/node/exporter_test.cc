// Collectors on trees made here, and what the exporter does around them.
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <filesystem>
#include <thread>

#include "../../testing.h"
#include "base/time.h"
#include "node/exporter.h"
#include "node/filter.h"
#include "node/gzip.h"

using namespace prom;
using namespace prom::node;

namespace {

void Put(const std::string& path, const std::string& text) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  testing::WriteFile(path, text);
}

struct Machine {
  testing::TempDir dir;
  NodeOptions options;
  explicit Machine(std::vector<std::string> collectors) {
    options.procfs = dir / "proc";
    options.sysfs = dir / "sys";
    options.udev_data = dir / "udev";
    options.exporter_metrics = false;
    options.enabled = std::move(collectors);
    std::filesystem::create_directories(options.procfs);
  }
  std::unique_ptr<NodeExporter> Make() const {
    auto e = NodeExporter::Make(options);
    BOOST_REQUIRE(e);
    return std::move(*e);
  }
};

std::string PageOf(NodeExporter& e, int* failed = nullptr) {
  std::string out;
  const int n = e.Collect(e.SelectAll(), SystemClock().MonotonicNs() + 1'000'000'000, nullptr, &out);
  if (failed != nullptr) *failed = n;
  return out;
}

bool Has(const std::string& page, const std::string& line) { return ("\n" + page).find("\n" + line + "\n") != std::string::npos; }

}  // namespace

BOOST_AUTO_TEST_CASE(cpu_counters_never_step_back) {
  Machine m({"cpu"});
  const std::string stat = m.options.procfs + "/stat";
  Put(stat, "cpu0 100 0 0 1000 50 0 0 0 0 0\ncpu1 1 0 0 2000 0 0 0 0 0 0\n");
  auto e = m.Make();
  std::string page = PageOf(*e);
  BOOST_TEST(Has(page, R"(node_cpu_seconds_total{cpu="0",mode="idle"} 10)"));
  // A little back, as iowait does: held.
  Put(stat, "cpu0 110 0 0 990 40 0 0 0 0 0\ncpu1 1 0 0 2000 0 0 0 0 0 0\n");
  page = PageOf(*e);
  BOOST_TEST(Has(page, R"(node_cpu_seconds_total{cpu="0",mode="idle"} 10)"));
  BOOST_TEST(Has(page, R"(node_cpu_seconds_total{cpu="0",mode="iowait"} 0.5)"));
  BOOST_TEST(Has(page, R"(node_cpu_seconds_total{cpu="0",mode="user"} 1.1)"));
  // 3 s or more: replugged, all its counters start over.
  Put(stat, "cpu0 5 0 0 690 1 0 0 0 0 0\ncpu1 1 0 0 2000 0 0 0 0 0 0\n");
  page = PageOf(*e);
  BOOST_TEST(Has(page, R"(node_cpu_seconds_total{cpu="0",mode="idle"} 6.9)"));
  BOOST_TEST(Has(page, R"(node_cpu_seconds_total{cpu="0",mode="user"} 0.05)"));
  // Unplugged: gone; plugged in again: no memory of it.
  Put(stat, "cpu0 5 0 0 690 1 0 0 0 0 0\n");
  BOOST_TEST(PageOf(*e).find("cpu=\"1\"") == std::string::npos);
  Put(stat, "cpu0 5 0 0 690 1 0 0 0 0 0\ncpu1 0 0 0 1900 0 0 0 0 0 0\n");
  BOOST_TEST(Has(PageOf(*e), R"(node_cpu_seconds_total{cpu="1",mode="idle"} 19)"));
}

BOOST_AUTO_TEST_CASE(cpu_online_and_order) {
  Machine m({"cpu"});
  Put(m.options.procfs + "/stat", "cpu0 1 1 1 1 1 1 1 1 1 1\ncpu2 1 1 1 1 1 1 1 1 1 1\ncpu10 1 1 1 1 1 1 1 1 1 1\n");
  Put(m.options.sysfs + "/devices/system/cpu/cpu0/online", "1\n");
  Put(m.options.sysfs + "/devices/system/cpu/cpu2/online", "1\n");
  Put(m.options.sysfs + "/devices/system/cpu/cpu3/online", "0\n");
  auto e = m.Make();
  const std::string page = PageOf(*e);
  BOOST_TEST(Has(page, R"(node_cpu_online{cpu="0"} 1)"));
  BOOST_TEST(Has(page, R"(node_cpu_online{cpu="3"} 0)"));
  // Labels sort as text, as upstream's do.
  BOOST_TEST(page.find("node_cpu_seconds_total{cpu=\"10\"") < page.find("node_cpu_seconds_total{cpu=\"2\""));
}

BOOST_AUTO_TEST_CASE(a_bad_line_costs_only_itself) {
  Machine m({"diskstats", "loadavg", "meminfo", "vmstat"});
  Put(m.options.procfs + "/meminfo", "MemTotal: 1 kB\nMemFree: x kB\nMemAvailable: 3 kB\nMemTotal: 9 kB\n");
  Put(m.options.procfs + "/vmstat", "pgpgin 1\npgpg-bad 1\npgpgout\n");
  Put(m.options.procfs + "/loadavg", "1 2\n");
  Put(m.options.procfs + "/diskstats", "8 0 sda 1 2 3 4 5 6 7 8 9 10 11\n8 1 sdb 1 2\n8 2 x\"y 1 2 3 4 5 6 7 8 9 10 11\n");
  auto e = m.Make();
  int failed = 0;
  const std::string page = PageOf(*e, &failed);
  BOOST_TEST(failed == 3);  // diskstats has no bad line: short ones are an old kernel's
  BOOST_TEST(Has(page, "node_memory_MemTotal_bytes 1024"));
  BOOST_TEST(!Has(page, "node_memory_MemTotal_bytes 9216"));  // a family stands once
  BOOST_TEST(Has(page, "node_memory_MemAvailable_bytes 3072"));
  BOOST_TEST(Has(page, "node_vmstat_pgpgin 1"));
  BOOST_TEST(page.find("pgpg-bad") == std::string::npos);
  BOOST_TEST(page.find("node_load1 ") == std::string::npos);
  BOOST_TEST(Has(page, R"(node_disk_io_now{device="x\"y"} 9)"));
  BOOST_TEST(Has(page, R"(node_scrape_collector_success{collector="meminfo"} 0)"));
  BOOST_TEST(Has(page, R"(node_scrape_collector_success{collector="diskstats"} 1)"));
}

BOOST_AUTO_TEST_CASE(absent_files_are_no_failure) {
  Machine m({"cpu", "filefd", "filesystem", "loadavg", "meminfo", "pressure", "stat", "vmstat"});
  auto e = m.Make();
  int failed = -1;
  const std::string page = PageOf(*e, &failed);
  BOOST_TEST(failed == 0);
  BOOST_TEST(Has(page, R"(node_scrape_collector_success{collector="stat"} 0)"));
  BOOST_TEST(page.find("node_boot_time_seconds") == std::string::npos);  // no zeros made up
}

BOOST_AUTO_TEST_CASE(files_may_come_and_change) {
  Machine m({"loadavg"});
  auto e = m.Make();
  BOOST_TEST(PageOf(*e).find("node_load1 ") == std::string::npos);
  Put(m.options.procfs + "/loadavg", "1 2 3\n");
  BOOST_TEST(Has(PageOf(*e), "node_load1 1"));
  std::filesystem::remove(m.options.procfs + "/loadavg");
  Put(m.options.procfs + "/loadavg", "4 5 6\n");  // another file of that name
  BOOST_TEST(Has(PageOf(*e), "node_load1 4"));
}

BOOST_AUTO_TEST_CASE(udev_changes_are_seen) {
  Machine m({"diskstats"});
  Put(m.options.procfs + "/diskstats", "8 0 sda 1 2 3 4 5 6 7 8 9 10 11\n");
  Put(m.options.udev_data + "/b8:0", "E:ID_MODEL=one\n");
  auto e = m.Make();
  BOOST_TEST(PageOf(*e).find("model=\"one\"") != std::string::npos);
  Put(m.options.udev_data + "/new", "E:ID_MODEL=two\n");
  std::filesystem::rename(m.options.udev_data + "/new", m.options.udev_data + "/b8:0");  // as udev does
  BOOST_TEST(PageOf(*e).find("model=\"two\"") != std::string::npos);
  std::filesystem::remove(m.options.udev_data + "/b8:0");
  BOOST_TEST(PageOf(*e).find("model=\"\"") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(net_dev_by_file) {
  Machine m({"netdev"});
  m.options.net_netlink = false;
  Put(m.options.procfs + "/net/dev", "a\nb\nveth1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\nlo: 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n");
  m.options.net_devices.exclude = "^veth";
  BOOST_TEST(PageOf(*m.Make()).find("veth1") == std::string::npos);
  m.options.net_devices = {"^veth", "", false};
  m.options.net_label_ifalias = true;
  Put(m.options.sysfs + "/class/net/veth1/ifalias", "up link\n");
  std::string page = PageOf(*m.Make());
  BOOST_TEST(Has(page, R"(node_network_transmit_carrier_total{device="veth1",ifalias="up link"} 15)"));
  BOOST_TEST(page.find("\"lo\"") == std::string::npos);
  BOOST_TEST(Has(page, R"(node_network_receive_errs_total{device="veth1",ifalias="up link"} 3)"));
  m.options.net_detailed = true;
  BOOST_TEST(Has(PageOf(*m.Make()), R"(node_network_receive_errors_total{device="veth1",ifalias="up link"} 3)"));
}

BOOST_AUTO_TEST_CASE(overmounts_are_one_series) {
  Machine m({"filesystem"});
  m.options.rootfs = m.dir.path() + "/root";
  std::filesystem::create_directories(m.options.rootfs + "/a b");
  Put(m.options.procfs + "/1/mountinfo", "1 0 8:1 / " + m.options.rootfs + "/a\\040b rw - ext4 /dev/sda1 rw\n2 1 8:1 /x " + m.options.rootfs +
                                             "/a\\040b ro - ext4 /dev/sda1 rw\n3 1 0:5 / /proc rw - proc proc rw\n4 1 8:2 / /gone rw - ext4 /dev/sdb rw\n");
  const std::string page = PageOf(*m.Make());
  BOOST_TEST(Has(page, R"(node_filesystem_readonly{device="/dev/sda1",device_error="",fstype="ext4",mountpoint="/a b"} 1)"));
  BOOST_TEST(!Has(page, R"(node_filesystem_readonly{device="/dev/sda1",device_error="",fstype="ext4",mountpoint="/a b"} 0)"));
  BOOST_TEST(Has(page, R"(node_filesystem_device_error{device="/dev/sdb",device_error="no such file or directory",fstype="ext4",mountpoint="/gone"} 1)"));
  BOOST_TEST(Has(page, R"(node_filesystem_mount_info{device="/dev/sda1",major="8",minor="1",mountpoint="/a b"} 1)"));
  BOOST_TEST(page.find("/proc\"") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(selection) {
  Machine m({"loadavg", "meminfo"});
  m.options.unavailable = {"systemd"};
  Put(m.options.procfs + "/loadavg", "1 2 3\n");
  auto e = m.Make();
  struct Row {
    std::vector<std::string> collect, exclude;
    const char* error;
  };
  static const Row kRows[] = {
      {{"bogus"}, {}, "Couldn't create filtered metrics handler: couldn't create collector: missing collector: bogus"},
      {{"loadavg", "cpu"}, {}, "Couldn't create filtered metrics handler: couldn't create collector: disabled collector: cpu"},
      {{"processes"}, {}, "Couldn't create filtered metrics handler: couldn't create collector: disabled collector: processes"},
      {{"loadavg"}, {"meminfo"}, "Combined collect and exclude queries are not allowed."},
  };
  for (const Row& row : kRows) {
    const auto got = e->Select(row.collect, row.exclude);
    BOOST_REQUIRE(!got);
    BOOST_TEST(got.error().message == row.error);
  }
  const NodeExporter::Selection first = {true, false}, none = {false, false};
  BOOST_TEST((*e->Select({"loadavg"}, {}) == first));
  BOOST_TEST((*e->Select({}, {"meminfo", "bogus"}) == first));
  BOOST_TEST((*e->Select({}, {"meminfo", "loadavg"}) == none));
  std::string page;
  e->Collect(first, SystemClock().MonotonicNs() + 1'000'000'000, nullptr, &page);
  BOOST_TEST(Has(page, "node_load15 3"));
  BOOST_TEST(page.find("systemd") == std::string::npos);
  // An upstream collector that was asked for and is not there shows on the whole page.
  BOOST_TEST(Has(PageOf(*e), R"(node_scrape_collector_success{collector="systemd"} 0)"));
}

BOOST_AUTO_TEST_CASE(filters) {
  struct Row {
    FilterOptions options;
    const char* name;
    bool ignored;
  };
  static const Row kRows[] = {
      {{"", "", false}, "x", false},
      {{"", kDefaultDiskExclude, false}, "sda1", true},
      {{"", kDefaultDiskExclude, false}, "sda", false},
      {{"", kDefaultDiskExclude, false}, "nvme0n1", false},
      {{"", kDefaultDiskExclude, false}, "nvme0n1p2", true},
      {{"", kDefaultDiskExclude, false}, "zram0", true},
      {{"1", kDefaultDiskExclude, false}, "sda1", false},  // the default gives way
      {{"1", kDefaultDiskExclude, false}, "sda", true},
      {{"", "", true}, "sda1", false},
      {{"", kDefaultMountExclude, false}, "/run/credentials/x.service", true},
      {{"", kDefaultMountExclude, false}, "/system", false},
      {{"", kDefaultFsTypeExclude, false}, "cgroup2", true},
      {{"", kDefaultFsTypeExclude, false}, "tmpfs", false},
  };
  for (const Row& row : kRows) {
    BOOST_TEST_CONTEXT(row.options.include << " " << row.options.exclude << " " << row.name) {
      auto f = DeviceFilter::Make(row.options, "collector.x.device");
      BOOST_REQUIRE(f);
      BOOST_TEST(f->Ignored(row.name) == row.ignored);
      BOOST_TEST(f->Ignored(row.name) == row.ignored);  // remembered
    }
  }
  const auto both = DeviceFilter::Make({"a", "b", true}, "collector.x.device");
  BOOST_REQUIRE(!both);
  BOOST_TEST(both.error().message == "--collector.x.device-exclude and --collector.x.device-include are mutually exclusive");
  BOOST_TEST(!DeviceFilter::Make({"(", "", false}, "collector.x.device"));
  NodeOptions o;
  o.enabled = {"vmstat"};
  o.vmstat_fields = "[";
  const auto bad = NodeExporter::Make(o);
  BOOST_REQUIRE(!bad);
  BOOST_TEST(bad.error().message.starts_with("--collector.vmstat.fields: "));
}

BOOST_AUTO_TEST_CASE(page_order) {
  prom::node::Page page;
  page.Family("b_total", "B\nC\\.", kCounter);
  page.Sample({{"x", "a\"b\\c\nd"}}, 1e6);
  page.Family("empty", "nothing", kGauge);
  page.Single("a", "A.", kUntyped, 0.1);
  page.Single("a", "again", kGauge, 2);
  std::string out;
  page.Print(&out);
  BOOST_TEST(out == "# HELP a A.\n# TYPE a untyped\na 0.1\n# HELP b_total B\\nC\\\\.\n# TYPE b_total counter\nb_total{x=\"a\\\"b\\\\c\\nd\"} 1e+06\n");
}

BOOST_AUTO_TEST_CASE(concurrent_scrapes) {
  NodeOptions o;
  for (std::string_view name : CollectorNames()) o.enabled.emplace_back(name);
  auto e = NodeExporter::Make(o);
  BOOST_REQUIRE(e);
  std::atomic<int> good{0};
  std::vector<std::thread> scrapes;
  for (int i = 0; i < 4; ++i)
    scrapes.emplace_back([&] {
      for (int n = 0; n < 10; ++n) good += PageOf(**e).find("node_scrape_collector_success{collector=\"filesystem\"} 1") != std::string::npos;
    });
  for (std::thread& t : scrapes) t.join();
  BOOST_TEST(good == 40);
}

BOOST_AUTO_TEST_CASE(live_machine) {
  NodeOptions o;
  for (std::string_view name : CollectorNames()) o.enabled.emplace_back(name);
  auto e = NodeExporter::Make(o);
  BOOST_REQUIRE(e);
  int failed = -1;
  const std::string page = PageOf(**e, &failed);
  BOOST_TEST(failed == 0);
  for (const char* name : {"node_cpu_seconds_total{", "node_memory_MemTotal_bytes ", "node_load1 ", "node_network_receive_bytes_total{", "node_uname_info{",
                           "node_time_seconds ", "node_vmstat_pgfault ", "node_filefd_allocated ", "node_boot_time_seconds ", "process_open_fds ",
                           "node_exporter_build_info{"})
    BOOST_TEST_CONTEXT(name) BOOST_TEST(page.find(name) != std::string::npos);
  std::string packed;
  BOOST_REQUIRE(GzipPage(page, &packed));
  BOOST_TEST(packed.size() < page.size() / 3);
  BOOST_TEST(packed.starts_with("\x1f\x8b"));
}
