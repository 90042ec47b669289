// node_exporter's own end-to-end data: collectors run on its fixture tree must
// print what it prints, line by line.
#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <map>
#include <set>
#include <sstream>

#include "base/time.h"
#include "node/exporter.h"
#include "node/parse_mountinfo.h"
#include "../../testing.h"

using namespace prom;
using namespace prom::node;

namespace {

const std::set<std::string> kOurs = {"cpu", "diskstats", "filefd", "loadavg", "meminfo", "netdev", "pressure", "stat", "time", "vmstat"};

// Family name -> its lines: HELP, TYPE, samples.
std::map<std::string, std::vector<std::string>> Families(const std::string& page) {
  std::map<std::string, std::vector<std::string>> out;
  std::istringstream in(page);
  std::string line, current;
  while (std::getline(in, line)) {
    if (line.rfind("# HELP ", 0) == 0) current = line.substr(7, line.find(' ', 7) - 7);
    out[current].push_back(line);
  }
  return out;
}

// Values that are not the same twice; upstream's script leaves them out as well.
bool IsLive(const std::string& line) {
  for (const char* prefix : {"node_exporter_build_info", "node_scrape_collector_duration_seconds", "node_time_zone", "node_time_seconds",
                             "node_network_receive_bytes_total", "node_network_receive_packets_total", "node_network_transmit_bytes_total",
                             "node_network_transmit_packets_total"})
    if (line.rfind(prefix, 0) == 0) return true;
  return false;
}

void DropLive(std::vector<std::string>* lines) { std::erase_if(*lines, IsLive); }

// The fixture tree, unpacked once for all cases.
const std::string& Fixtures() {
  static testing::TempDir dir;
  static const std::string path = [] {
    const std::string command = "tar -xzf '" + testing::ConformanceDir() + "/node/fixtures.tar.gz' -C '" + dir.path() + "'";
    BOOST_REQUIRE_EQUAL(std::system(command.c_str()), 0);
    return dir.path();
  }();
  return path;
}

NodeOptions FixtureOptions() {
  const std::string& root = Fixtures();
  NodeOptions o;
  o.procfs = root + "/proc";
  o.sysfs = root + "/sys";
  o.rootfs = root;
  o.udev_data = root + "/udev/data";
  o.exporter_metrics = false;
  // As upstream's end-to-end-test.sh.
  o.cpu_info = true;
  o.cpu_bugs_include = "^(cpu_meltdown|spectre_.*|mds)$";
  o.cpu_flags_include = "^(aes|avx.?|constant_tsc)$";
  o.stat_softirq = true;
  o.net_devices.include = "lo";
  o.enabled.assign(kOurs.begin(), kOurs.end());
  return o;
}

std::string PageOf(const NodeOptions& options, int* failed = nullptr) {
  auto exporter = NodeExporter::Make(options);
  BOOST_REQUIRE(exporter);
  std::string page;
  const int n = (*exporter)->Collect((*exporter)->SelectAll(), SystemClock().MonotonicNs() + 5'000'000'000, nullptr, &page);
  if (failed != nullptr) *failed = n;
  return page;
}

}  // namespace

BOOST_AUTO_TEST_CASE(end_to_end_output) {
  const std::string data = testing::ConformanceDir() + "/node/";
  // Which families are ours says the inventory of upstream, not our output.
  std::set<std::string> wanted = {"node_cpu_frequency_hertz"};  // printed by cpu, listed under cpufreq
  std::istringstream inventory(testing::ReadFile(data + "metrics.tsv"));
  std::string line;
  while (std::getline(inventory, line)) {
    std::istringstream fields(line);
    std::string collector, metric;
    std::getline(fields, collector, '\t');
    std::getline(fields, metric, '\t');
    if (kOurs.count(collector) > 0) wanted.insert(metric);
  }
  wanted.erase("node_network_transmit_queue_length");  // of netclass, listed under netdev by its name
  auto want = Families(testing::ReadFile(data + "e2e-output.txt"));
  BOOST_REQUIRE_GT(want.size(), 1000u);
  int failed = 0;
  auto got = Families(PageOf(FixtureOptions(), &failed));
  BOOST_TEST(failed == 0);

  std::size_t compared = 0, samples = 0;
  for (const std::string& name : wanted) {
    if (want.count(name) == 0) continue;  // known from upstream's source only
    BOOST_TEST_CONTEXT("family=" << name) {
      auto expected = want[name], actual = got[name];
      DropLive(&expected);
      DropLive(&actual);
      BOOST_TEST(actual == expected, boost::test_tools::per_element());
      ++compared;
      samples += expected.size() - 2;
    }
  }
  BOOST_TEST_MESSAGE(compared << " families, " << samples << " samples compared");
  BOOST_TEST(compared >= 120u);
  BOOST_TEST(samples > 400u);
  // Nothing on our page that upstream does not have.
  for (const auto& [name, lines] : got)
    BOOST_TEST_CONTEXT("family=" << name) BOOST_TEST((want.count(name) > 0 || name.rfind("node_scrape_", 0) == 0 || name == "node_exporter_build_info"));
  const auto& success = want["node_scrape_collector_success"];
  for (const std::string& ours : got["node_scrape_collector_success"])
    BOOST_TEST_CONTEXT(ours) BOOST_TEST((std::find(success.begin(), success.end(), ours) != success.end()));
}

// Mount points of upstream's unit tests (filesystem_linux_test.go), which are the
// fixtures' own lines with the fields cut out.
BOOST_AUTO_TEST_CASE(mount_points_of_the_fixture) {
  std::vector<Mount> mounts;
  BOOST_REQUIRE(ParseMountinfo(testing::ReadFile(Fixtures() + "/proc/1/mountinfo"), &mounts));
  std::set<std::string> points;
  for (const Mount& m : mounts) points.insert(m.mount_point);
  BOOST_TEST(mounts.size() == 32u);
  for (const char* want : {"/", "/sys", "/proc", "/dev", "/run", "/sys/fs/cgroup/cpu,cpuacct", "/boot", "/run/user/1000/gvfs",
                           "/var/lib/kubelet/plugins/kubernetes.io/vsphere-volume/mounts/[vsanDatastore] bafb9e5a-8856-7e6c-699c-801844e77a4a/"
                           "kubernetes-dynamic-pvc-3eba5bba-48a3-11e8-89ab-005056b92113.vmdk",
                           "/var/lib/kubelet/plugins/kubernetes.io/vsphere-volume/mounts/[vsanDatastore]\tbafb9e5a-8856-7e6c-699c-801844e77a4a/"
                           "kubernetes-dynamic-pvc-3eba5bba-48a3-11e8-89ab-005056b92113.vmdk",
                           "/var/lib/containers/storage/overlay"})
    BOOST_TEST_CONTEXT(want) BOOST_TEST(points.count(want) == 1u);
  for (const Mount& m : mounts)
    if (m.mount_point == "/sys/fs/cgroup") BOOST_TEST(m.read_only);
}

BOOST_AUTO_TEST_CASE(filesystem_of_a_bind_mounted_root) {
  NodeOptions o;
  o.procfs = Fixtures() + "/fixtures_bindmount/proc";
  o.rootfs = "/host";
  o.enabled = {"filesystem"};
  o.exporter_metrics = false;
  const auto got = Families(PageOf(o));
  // /host is not there: statfs fails, but the prefix is off and every mount shown.
  const auto& errors = got.at("node_filesystem_device_error");
  const std::vector<std::string> want = {
      "# HELP node_filesystem_device_error Whether an error occurred while getting statistics for the given device.",
      "# TYPE node_filesystem_device_error gauge",
      R"(node_filesystem_device_error{device="/dev/nvme1n0",device_error="no such file or directory",fstype="ext4",mountpoint="/"} 1)",
      R"(node_filesystem_device_error{device="/dev/nvme1n1",device_error="no such file or directory",fstype="ext4",mountpoint="/media/volume1"} 1)",
      R"(node_filesystem_device_error{device="/dev/nvme1n2",device_error="no such file or directory",fstype="ext4",mountpoint="/media/volume2"} 1)",
  };
  // The fixture's tmpfs lines have no /host in front and no such folder behind it.
  std::vector<std::string> nvme;
  for (const std::string& line : errors)
    if (line.find("tmpfs") == std::string::npos) nvme.push_back(line);
  BOOST_TEST(nvme == want, boost::test_tools::per_element());
  BOOST_TEST(got.count("node_filesystem_size_bytes") == 0u);
}

BOOST_AUTO_TEST_CASE(filesystem_with_hidepid) {
  NodeOptions o;
  o.procfs = Fixtures() + "/fixtures_hidepid/proc";  // has no 1/mountinfo
  o.enabled = {"filesystem"};
  o.exporter_metrics = false;
  const auto got = Families(PageOf(o));
  const auto& readonly = got.at("node_filesystem_readonly");
  const std::string want = R"(node_filesystem_readonly{device="/dev/nvme0n1p2",device_error="",fstype="ext4",mountpoint="/"} 0)";
  BOOST_TEST((std::find(readonly.begin(), readonly.end(), want) != readonly.end()));
  BOOST_TEST(got.count("node_filesystem_size_bytes") == 1u);
}
