// filesystem: the mounts of process 1 (of our own when /proc is mounted with
// hidepid) and statfs(2) of each, see MountStatter.
#include <algorithm>
#include <cstring>
#include <tuple>

#include "base/io.h"
#include "base/mutex.h"
#include "base/strings.h"
#include "base/time.h"
#include "node/collector.h"
#include "node/filter.h"
#include "node/mount_statter.h"
#include "node/parse_mountinfo.h"

namespace prom::node {
namespace {

// Texts of errno as Go has them: glibc's, but not capitalized.
std::string GoErrorText(int error) {
  if (error == ESTALE) return "stale NFS file handle";
  std::string text = ErrnoText(error);
  if (text.size() > 1 && text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'a' && text[1] <= 'z') text[0] = static_cast<char>(text[0] - 'A' + 'a');
  return text;
}

class FilesystemCollector : public Collector {
 public:
  static Result<std::unique_ptr<Collector>> Make(const NodeOptions& options) {
    auto c = std::make_unique<FilesystemCollector>(options);
    MutexLock lock(c->mutex_);
    PROM_ASSIGN(c->mount_filter_, DeviceFilter::Make(options.mount_points, "collector.filesystem.mount-points"));
    PROM_ASSIGN(c->type_filter_, DeviceFilter::Make(options.fs_types, "collector.filesystem.fs-types"));
    return std::unique_ptr<Collector>(std::move(c));
  }

  explicit FilesystemCollector(const NodeOptions& options)
      : rootfs_(options.rootfs),
        mount_timeout_ns_(options.mount_timeout_ms * 1'000'000),
        init_mounts_(JoinPath(options.procfs, "1/mountinfo")),
        self_mounts_(JoinPath(options.procfs, "self/mountinfo")),
        statter_(options.stat_workers) {}

  bool MayBlock() const override { return true; }

  Result<void> Update(Scrape& scrape, Page* page) override {
    std::vector<Mount> mounts;
    Result<void> parsed = ReadMounts(scrape.buffer, &mounts);
    if (!parsed && mounts.empty()) return parsed;

    std::vector<std::string> paths;
    for (const Mount& m : mounts) paths.push_back(rootfs_ == "/" ? m.mount_point : rootfs_ + m.mount_point);
    const std::int64_t patience_end = SystemClock().MonotonicNs() + mount_timeout_ns_;
    const std::vector<MountStat> stats = statter_.Run(paths, std::min(scrape.deadline_ns, patience_end));

    std::vector<Row> rows;
    for (std::size_t i = 0; i < mounts.size(); ++i) {
      Row r{&mounts[i], &stats[i], ToValidUtf8(mounts[i].device), "", ToValidUtf8(mounts[i].fs_type), ToValidUtf8(mounts[i].mount_point)};
      if (stats[i].stuck) {
        r.error = "mountpoint timeout";
      } else if (stats[i].error != 0) {
        r.error = GoErrorText(stats[i].error);
      }
      rows.push_back(std::move(r));
    }
    std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.Key() < b.Key(); });
    // The same device on the same place more than once (bind mounts, remounts with
    // other options) is one series: of the mount made last, which hides the others.
    std::vector<const Row*> shown;
    for (const Row& r : rows) {
      if (!shown.empty() && shown.back()->Key() == r.Key()) {
        shown.back() = &r;
      } else {
        shown.push_back(&r);
      }
    }
    Write(shown, page);
    return parsed;
  }

 private:
  struct Row {
    const Mount* mount;
    const MountStat* stat;
    std::string device, error, fs_type, mount_point;
    std::tuple<const std::string&, const std::string&, const std::string&, const std::string&> Key() const {
      return std::tie(device, error, fs_type, mount_point);
    }
  };

  // Mounts that pass the filters, with the rootfs prefix taken off.
  Result<void> ReadMounts(ReadBuffer* buffer, std::vector<Mount>* out) {
    MutexLock lock(mutex_);
    const ProcFile* file = &init_mounts_;
    auto text = init_mounts_.Read(buffer);
    if (!text && text.error().code == Errc::kNotFound) {
      file = &self_mounts_;
      text = self_mounts_.Read(buffer);
    }
    if (!text) return std::move(text.error());
    std::vector<Mount> all;
    Result<void> parsed = ParseMountinfo(*text, &all);
    if (!parsed) parsed = parsed.error().Wrap(file->path() + ":");
    for (Mount& m : all) {
      if (rootfs_ != "/" && m.mount_point.starts_with(rootfs_)) m.mount_point.erase(0, rootfs_.size());
      if (m.mount_point.empty()) m.mount_point = "/";
      if (!mount_filter_.Ignored(m.mount_point) && !type_filter_.Ignored(m.fs_type)) out->push_back(std::move(m));
    }
    return parsed;
  }

  static void Write(const std::vector<const Row*>& rows, Page* page) {
    const auto family = [&](std::string_view name, std::string_view help, bool even_failed, auto value) {
      page->Family(name, help, kGauge);
      for (const Row* r : rows)
        if (even_failed || r->error.empty())
          page->Sample({{"device", r->device}, {"device_error", r->error}, {"fstype", r->fs_type}, {"mountpoint", r->mount_point}}, value(*r));
    };
    const auto bytes = [](const Row& r, auto blocks) { return static_cast<double>(blocks) * static_cast<double>(r.stat->stat.f_bsize); };
    family("node_filesystem_avail_bytes", "Filesystem space available to non-root users in bytes.", false,
           [&](const Row& r) { return bytes(r, r.stat->stat.f_bavail); });
    family("node_filesystem_device_error", "Whether an error occurred while getting statistics for the given device.", true,
           [](const Row& r) { return r.error.empty() ? 0.0 : 1.0; });
    family("node_filesystem_files", "Filesystem total file nodes.", false, [](const Row& r) { return static_cast<double>(r.stat->stat.f_files); });
    family("node_filesystem_files_free", "Filesystem total free file nodes.", false,
           [](const Row& r) { return static_cast<double>(r.stat->stat.f_ffree); });
    family("node_filesystem_free_bytes", "Filesystem free space in bytes.", false, [&](const Row& r) { return bytes(r, r.stat->stat.f_bfree); });
    family("node_filesystem_readonly", "Filesystem read-only status.", true, [](const Row& r) { return r.mount->read_only ? 1.0 : 0.0; });
    family("node_filesystem_size_bytes", "Filesystem size in bytes.", false, [&](const Row& r) { return bytes(r, r.stat->stat.f_blocks); });
    page->Family("node_filesystem_mount_info", "Filesystem mount information.", kGauge);
    for (const Row* r : rows)
      if (r->error.empty())
        page->Sample({{"device", r->device}, {"major", std::to_string(r->mount->major)}, {"minor", std::to_string(r->mount->minor)},
                      {"mountpoint", r->mount_point}},
                     1);
  }

  const std::string rootfs_;
  const std::int64_t mount_timeout_ns_;
  Mutex mutex_;
  ProcFile init_mounts_ GUARDED_BY(mutex_);
  ProcFile self_mounts_ GUARDED_BY(mutex_);
  DeviceFilter mount_filter_ GUARDED_BY(mutex_);
  DeviceFilter type_filter_ GUARDED_BY(mutex_);
  MountStatter statter_;
};

}  // namespace

Result<std::unique_ptr<Collector>> MakeFilesystemCollector(const NodeOptions& options) { return FilesystemCollector::Make(options); }

}  // namespace prom::node
