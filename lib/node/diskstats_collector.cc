// diskstats: /proc/diskstats, with what udev knows of each device
// (/run/udev/data/bMAJOR:MINOR) and /sys/block/DEV/queue/rotational.
//
// udev replaces its files by rename, so inode and modification time tell whether
// the facts read last still hold: a stat(2) instead of open, read, close and a
// parse. The rotational flag is an attribute of the hardware that a rule may
// correct later; it is read again after kRotationalTtlNs.
#include <algorithm>
#include <map>
#include <sys/stat.h>

#include "base/io.h"
#include "base/log.h"
#include "base/time.h"
#include "node/collector.h"
#include "node/fields.h"
#include "node/filter.h"
#include "node/parse_proc.h"
#include "node/udev_data.h"

namespace prom::node {
namespace {

constexpr std::int64_t kRotationalTtlNs = 60'000'000'000;

constexpr double kSectorBytes = 512;             // of /proc/diskstats, whatever the device has
constexpr double kSecondsPerTick = 1.0 / 1000.0;  // multiplied, as upstream: a division rounds differently

struct Statistic {
  std::string_view name, help, type;
  double factor;
};
constexpr Statistic kStatistics[kDiskColumns] = {
    {"node_disk_reads_completed_total", "The total number of reads completed successfully.", kCounter, 1},
    {"node_disk_reads_merged_total", "The total number of reads merged.", kCounter, 1},
    {"node_disk_read_bytes_total", "The total number of bytes read successfully.", kCounter, kSectorBytes},
    {"node_disk_read_time_seconds_total", "The total number of seconds spent by all reads.", kCounter, kSecondsPerTick},
    {"node_disk_writes_completed_total", "The total number of writes completed successfully.", kCounter, 1},
    {"node_disk_writes_merged_total", "The number of writes merged.", kCounter, 1},
    {"node_disk_written_bytes_total", "The total number of bytes written successfully.", kCounter, kSectorBytes},
    {"node_disk_write_time_seconds_total", "This is the total number of seconds spent by all writes.", kCounter, kSecondsPerTick},
    {"node_disk_io_now", "The number of I/Os currently in progress.", kGauge, 1},
    {"node_disk_io_time_seconds_total", "Total seconds spent doing I/Os.", kCounter, kSecondsPerTick},
    {"node_disk_io_time_weighted_seconds_total", "The weighted # of seconds spent doing I/Os.", kCounter, kSecondsPerTick},
    {"node_disk_discards_completed_total", "The total number of discards completed successfully.", kCounter, 1},
    {"node_disk_discards_merged_total", "The total number of discards merged.", kCounter, 1},
    {"node_disk_discarded_sectors_total", "The total number of sectors discarded successfully.", kCounter, 1},
    {"node_disk_discard_time_seconds_total", "This is the total number of seconds spent by all discards.", kCounter, kSecondsPerTick},
    {"node_disk_flush_requests_total", "The total number of flush requests completed successfully", kCounter, 1},
    {"node_disk_flush_requests_time_seconds_total", "This is the total number of seconds spent by all flush requests.", kCounter, kSecondsPerTick},
};

class DiskstatsCollector : public Collector {
 public:
  static Result<std::unique_ptr<Collector>> Make(const NodeOptions& options) {
    auto c = std::make_unique<DiskstatsCollector>(options);
    PROM_ASSIGN(c->filter_, DeviceFilter::Make(options.disk_devices, "collector.diskstats.device"));
    return std::unique_ptr<Collector>(std::move(c));
  }

  explicit DiskstatsCollector(const NodeOptions& options)
      : file_(JoinPath(options.procfs, "diskstats")), block_dir_(JoinPath(options.sysfs, "block")), udev_dir_(options.udev_data) {
    struct stat st;
    have_udev_ = ::stat(udev_dir_.c_str(), &st) == 0 && S_ISDIR(st.st_mode);
    // In containers and minimal systems there is no udev: known, and no error.
    if (!have_udev_) LogInfo("diskstats", "no udev data, device properties are left out", {{"path", udev_dir_}});
  }

  Result<void> Update(Scrape& scrape, Page* page) override {
    PROM_ASSIGN(const std::string_view text, file_.Read(scrape.buffer));
    std::vector<DiskLine> lines;
    Result<void> parsed = ParseDiskstats(text, &lines);
    if (!parsed) parsed = parsed.error().Wrap(file_.path() + ":");
    // The names point into the buffer that reading the facts reuses: copied first.
    std::vector<Disk> disks;
    for (const DiskLine& line : lines)
      if (!filter_.Ignored(line.name)) disks.push_back({line, std::string(line.name), nullptr});
    std::sort(disks.begin(), disks.end(), [](const Disk& a, const Disk& b) { return a.name < b.name; });
    disks.erase(std::unique(disks.begin(), disks.end(), [](const Disk& a, const Disk& b) { return a.name == b.name; }), disks.end());
    ++round_;
    for (Disk& d : disks) d.facts = &Facts(scrape, d);
    std::erase_if(facts_, [this](const auto& entry) { return entry.second.round != round_; });

    for (std::size_t i = 0; i < kDiskColumns; ++i) {
      const Statistic& s = kStatistics[i];
      page->Family(s.name, s.help, s.type);
      for (const Disk& d : disks)
        if (i < d.line.count) page->Sample({{"device", d.name}}, static_cast<double>(d.line.values[i]) * s.factor);
    }
    WriteInfo(disks, page);
    return parsed;
  }

 private:
  struct DiskFacts {
    std::string major, minor;
    UdevProperties udev;
    std::uint64_t inode = 0;
    timespec changed{};
    bool rotational = false;
    std::int64_t rotational_at_ns = 0;
    std::uint64_t round = 0;  // of the last scrape that saw the device
  };
  struct Disk {
    DiskLine line;  // its name is not valid any more
    std::string name;
    const DiskFacts* facts;
  };

  const DiskFacts& Facts(Scrape& scrape, const Disk& d) {
    auto [it, fresh] = facts_.try_emplace(d.name);
    DiskFacts& f = it->second;
    f.round = round_;
    const std::string major = std::to_string(d.line.major), minor = std::to_string(d.line.minor);
    if (fresh || f.major != major || f.minor != minor) {
      f = {};
      f.round = round_;
      f.major = major;
      f.minor = minor;
    }
    if (have_udev_) ReadUdev(scrape, &f);
    const std::int64_t now = SystemClock().MonotonicNs();
    if (f.rotational_at_ns == 0 || now - f.rotational_at_ns > kRotationalTtlNs) {
      // A '/' in a device's name stands as '!' in sysfs (cciss!c0d0); partitions have no queue.
      std::string dir = d.name;
      std::replace(dir.begin(), dir.end(), '/', '!');
      const auto rotational = ProcFile(block_dir_ + "/" + dir + "/queue/rotational").ReadUint(scrape.buffer);
      f.rotational = rotational && *rotational == 1;
      f.rotational_at_ns = now;
    }
    return f;
  }

  void ReadUdev(Scrape& scrape, DiskFacts* f) {
    const std::string path = udev_dir_ + "/b" + f->major + ":" + f->minor;
    struct stat st;
    if (::stat(path.c_str(), &st) != 0) {
      f->udev = {};
      f->inode = 0;
      return;
    }
    if (f->inode == st.st_ino && f->changed.tv_sec == st.st_mtim.tv_sec && f->changed.tv_nsec == st.st_mtim.tv_nsec) return;
    auto text = ProcFile(path).Read(scrape.buffer);
    if (!text) {
      LogDebug("diskstats", "cannot read udev data", {{"err", text.error().message}});
      f->udev = {};
      return;
    }
    f->udev = ParseUdevProperties(*text);
    f->inode = st.st_ino;
    f->changed = st.st_mtim;
  }

  static void WriteInfo(const std::vector<Disk>& disks, Page* page) {
    page->Family("node_disk_info", "Info of /sys/block/<block_device>.", kGauge);
    for (const Disk& d : disks) {
      const UdevProperties& u = d.facts->udev;
      // What is printed on the disk, else what udev makes of it (virtio has the last only).
      const std::string& serial = !u.scsi_ident_serial.empty() ? u.scsi_ident_serial : !u.serial_short.empty() ? u.serial_short : u.serial;
      page->Sample({{"device", d.name}, {"major", d.facts->major}, {"minor", d.facts->minor}, {"model", u.model}, {"path", u.path},
                    {"revision", u.revision}, {"rotational", d.facts->rotational ? "1" : "0"}, {"serial", serial}, {"wwn", u.wwn}},
                   1);
    }
    page->Family("node_disk_filesystem_info", "Info about disk filesystem.", kGauge);
    for (const Disk& d : disks) {
      const UdevProperties& u = d.facts->udev;
      if (!u.fs_type.empty())
        page->Sample({{"device", d.name}, {"type", u.fs_type}, {"usage", u.fs_usage}, {"uuid", u.fs_uuid}, {"version", u.fs_version}}, 1);
    }
    page->Family("node_disk_device_mapper_info", "Info about disk device mapper.", kGauge);
    for (const Disk& d : disks) {
      const UdevProperties& u = d.facts->udev;
      if (!u.dm_name.empty())
        page->Sample({{"device", d.name}, {"lv_layer", u.dm_lv_layer}, {"lv_name", u.dm_lv_name}, {"name", u.dm_name}, {"uuid", u.dm_uuid},
                      {"vg_name", u.dm_vg_name}},
                     1);
    }
    const auto ata = [&](std::string_view name, std::string_view help, std::optional<double> UdevProperties::*value) {
      page->Family(name, help, kGauge);
      for (const Disk& d : disks)
        if (d.facts->udev.ata && d.facts->udev.*value) page->Sample({{"device", d.name}}, *(d.facts->udev.*value));
    };
    ata("node_disk_ata_write_cache", "ATA disk has a write cache.", &UdevProperties::ata_write_cache);
    ata("node_disk_ata_write_cache_enabled", "ATA disk has its write cache enabled.", &UdevProperties::ata_write_cache_enabled);
    ata("node_disk_ata_rotation_rate_rpm", "ATA disk rotation rate in RPMs (0 for SSDs).", &UdevProperties::ata_rotation_rate_rpm);
  }

  ProcFile file_;
  const std::string block_dir_, udev_dir_;
  bool have_udev_ = false;
  DeviceFilter filter_;
  std::map<std::string, DiskFacts> facts_;
  std::uint64_t round_ = 0;
};

}  // namespace

Result<std::unique_ptr<Collector>> MakeDiskstatsCollector(const NodeOptions& options) { return DiskstatsCollector::Make(options); }

}  // namespace prom::node
