// NodeOptions: what promnode's flags say, with upstream's defaults (node_exporter
// 1.12). A plain struct: main fills it, MakeCollectors and Serve read it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace prom::node {

// A pair of --collector.X.Y-include and -exclude. Both set is an error of the
// user; a default exclusion gives way to an inclusion (see DeviceFilter::Make).
struct FilterOptions {
  std::string include;
  std::string exclude;
  bool exclude_set = false;  // given on the command line, even if empty
};

inline constexpr char kDefaultDiskExclude[] = R"(^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$)";
inline constexpr char kDefaultMountExclude[] =
    "^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)";
inline constexpr char kDefaultFsTypeExclude[] =
    "^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|iso9660|mqueue|nsfs|overlay|"
    "proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|erofs|sysfs|tracefs)$";
inline constexpr char kDefaultVmstatFields[] = "^(oom_kill|pgpg|pswp|pg.*fault).*";

struct NodeOptions {
  std::string procfs = "/proc";
  std::string sysfs = "/sys";
  std::string rootfs = "/";
  std::string udev_data = "/run/udev/data";

  // Collectors to run, of CollectorNames(), in any order.
  std::vector<std::string> enabled;
  // Upstream collectors asked for by name that promnode does not have: each is
  // reported with node_scrape_collector_success 0, so that the gap is on the page.
  std::vector<std::string> unavailable;

  bool cpu_guest = true;
  bool cpu_info = false;
  std::string cpu_flags_include;
  std::string cpu_bugs_include;
  // node_cpu_frequency_hertz goes with cpu_info unless --no-collector.cpufreq.
  bool cpu_frequency = true;

  FilterOptions disk_devices{"", kDefaultDiskExclude, false};

  FilterOptions mount_points{"", kDefaultMountExclude, false};
  FilterOptions fs_types{"", kDefaultFsTypeExclude, false};
  std::int64_t mount_timeout_ms = 5000;
  int stat_workers = 4;

  FilterOptions net_devices;
  bool net_netlink = true;
  bool net_label_ifalias = false;
  bool net_address_info = false;
  bool net_detailed = false;

  bool stat_softirq = false;
  std::string vmstat_fields = kDefaultVmstatFields;

  // process_* and promhttp_*.
  bool exporter_metrics = true;
};

}  // namespace prom::node
