#include "node/collector.h"

namespace prom::node {
namespace {

using Maker = Result<std::unique_ptr<Collector>> (*)(const NodeOptions&);
struct Entry {
  std::string_view name;
  Maker make;
};

constexpr Entry kCollectors[] = {
    {"cpu", MakeCpuCollector},           {"diskstats", MakeDiskstatsCollector}, {"filefd", MakeFilefdCollector},
    {"filesystem", MakeFilesystemCollector}, {"loadavg", MakeLoadavgCollector}, {"meminfo", MakeMeminfoCollector},
    {"netdev", MakeNetdevCollector},     {"pressure", MakePressureCollector},   {"stat", MakeStatCollector},
    {"time", MakeTimeCollector},         {"uname", MakeUnameCollector},         {"vmstat", MakeVmstatCollector},
};

}  // namespace

const std::vector<std::string_view>& CollectorNames() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> all;
    for (const Entry& e : kCollectors) all.push_back(e.name);
    return all;
  }();
  return names;
}

const std::vector<std::string_view>& UnavailableCollectorNames() {
  static const std::vector<std::string_view> names = {
      "arp", "bcache", "bcachefs", "bonding", "btrfs", "buddyinfo", "cgroups", "conntrack", "cpu_vulnerabilities", "cpufreq",
      "dmi", "dmmultipath", "drbd", "drm", "edac", "entropy", "ethtool", "fibrechannel", "hwmon", "infiniband", "interrupts",
      "ipvs", "kernel_hung", "ksmd", "lnstat", "logind", "mdadm", "meminfo_numa", "mountstats", "netclass", "netstat",
      "network_route", "nfs", "nfsd", "ntp", "nvme", "nvmesubsystem", "os", "pcidevice", "perf", "powersupplyclass",
      "processes", "qdisc", "rapl", "runit", "schedstat", "selinux", "slabinfo", "sockstat", "softirqs", "softnet",
      "supervisord", "swap", "sysctl", "systemd", "tapestats", "tcpstat", "textfile", "thermal_zone", "timex", "udp_queues",
      "watchdog", "wifi", "xfrm", "xfs", "zfs", "zoneinfo"};
  return names;
}

Result<std::unique_ptr<Collector>> MakeCollector(std::string_view name, const NodeOptions& options) {
  for (const Entry& e : kCollectors)
    if (e.name == name) return e.make(options);
  return Error{Errc::kNotFound, "missing collector: " + std::string(name)};
}

}  // namespace prom::node
