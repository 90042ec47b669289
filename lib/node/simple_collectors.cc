// Collectors that are little more than their parser: stat, meminfo, vmstat,
// loadavg, filefd, pressure, uname, time.
#include <algorithm>
#include <cerrno>
#include <ctime>
#include <sys/utsname.h>

#include "base/io.h"
#include "node/collector.h"
#include "node/fields.h"
#include "node/filter.h"
#include "node/parse_proc.h"
#include "node/parse_stat.h"

namespace prom::node {
namespace {

// An error of a parser, which knows the line only, with the file in front.
Result<void> InFile(const ProcFile& file, Result<void> parsed) {
  if (parsed) return parsed;
  return parsed.error().Wrap(file.path() + ":");
}

class StatCollector : public Collector {
 public:
  explicit StatCollector(const NodeOptions& options) : softirq_(options.stat_softirq) {}
  Result<void> Update(Scrape& scrape, Page* page) override {
    Result<void> error;
    const KernelStat& stat = scrape.stat->Get(scrape.buffer, &error);
    if (!error && error.error().code != Errc::kCorrupt) return error;  // no file at all: no zeros
    const auto value = [](std::uint64_t v) { return static_cast<double>(v); };
    page->Single("node_intr_total", "Total number of interrupts serviced.", kCounter, value(stat.interrupts));
    page->Single("node_context_switches_total", "Total number of context switches.", kCounter, value(stat.context_switches));
    page->Single("node_forks_total", "Total number of forks.", kCounter, value(stat.forks));
    page->Single("node_boot_time_seconds", "Node boot time, in unixtime.", kGauge, value(stat.boot_time_s));
    page->Single("node_procs_running", "Number of processes in runnable state.", kGauge, value(stat.procs_running));
    page->Single("node_procs_blocked", "Number of processes blocked waiting for I/O to complete.", kGauge, value(stat.procs_blocked));
    if (softirq_) {
      struct Vector {
        std::string_view name;
        std::size_t column;
      };
      static constexpr Vector kVectors[] = {{"block", 4}, {"block_iopoll", 5}, {"hi", 0},    {"hrtimer", 8}, {"net_rx", 3},
                                            {"net_tx", 2}, {"rcu", 9},         {"sched", 7}, {"tasklet", 6}, {"timer", 1}};
      page->Family("node_softirqs_total", "Number of softirq calls.", kCounter);
      for (const Vector& v : kVectors) page->Sample({{"vector", v.name}}, value(stat.softirqs[v.column]));
    }
    return error;
  }

 private:
  const bool softirq_;
};

class MeminfoCollector : public Collector {
 public:
  explicit MeminfoCollector(const NodeOptions& options) : file_(JoinPath(options.procfs, "meminfo")) {}
  Result<void> Update(Scrape& scrape, Page* page) override {
    PROM_ASSIGN(const std::string_view text, file_.Read(scrape.buffer));
    Result<void> parsed = InFile(file_, ParseMeminfo(text, &fields_));
    std::string key, name, help;
    for (const MeminfoField& f : fields_) {
      // "Active(anon)" -> "Active_anon"; nothing but letters, digits and _ is left.
      key.clear();
      for (char c : f.name) {
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) {
          key.push_back(c);
        } else if (c != ')') {
          key.push_back('_');
        }
      }
      if (f.bytes) key += "_bytes";
      name.assign("node_memory_").append(key);
      help.assign("Memory information field ").append(key).append(".");
      page->Single(name, help, kGauge, f.value);
    }
    return parsed;
  }

 private:
  ProcFile file_;
  std::vector<MeminfoField> fields_;
};

class VmstatCollector : public Collector {
 public:
  static Result<std::unique_ptr<Collector>> Make(const NodeOptions& options) {
    auto c = std::make_unique<VmstatCollector>(options);
    PROM_ASSIGN(c->filter_, NameMatcher::Make(options.vmstat_fields, "collector.vmstat.fields"));
    // As in Go, the empty expression matches every field.
    c->all_ = options.vmstat_fields.empty();
    return std::unique_ptr<Collector>(std::move(c));
  }
  explicit VmstatCollector(const NodeOptions& options) : file_(JoinPath(options.procfs, "vmstat")) {}
  Result<void> Update(Scrape& scrape, Page* page) override {
    PROM_ASSIGN(const std::string_view text, file_.Read(scrape.buffer));
    Result<void> parsed = InFile(file_, ParseVmstat(text, &fields_));
    std::string name, help;
    for (const VmstatField& f : fields_) {
      if (!all_ && !filter_.Matches(f.name)) continue;
      if (!std::all_of(f.name.begin(), f.name.end(), [](char c) { return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }))
        continue;  // no metric name can be made of it
      name.assign("node_vmstat_").append(f.name);
      help.assign("/proc/vmstat information field ").append(f.name).append(".");
      page->Single(name, help, kUntyped, f.value);
    }
    return parsed;
  }

 private:
  ProcFile file_;
  NameMatcher filter_;
  bool all_ = false;
  std::vector<VmstatField> fields_;
};

class LoadavgCollector : public Collector {
 public:
  explicit LoadavgCollector(const NodeOptions& options) : file_(JoinPath(options.procfs, "loadavg")) {}
  Result<void> Update(Scrape& scrape, Page* page) override {
    PROM_ASSIGN(const std::string_view text, file_.Read(scrape.buffer));
    auto loads = ParseLoadavg(text);
    if (!loads) return loads.error().Wrap(file_.path() + ":");
    page->Single("node_load1", "1m load average.", kGauge, (*loads)[0]);
    page->Single("node_load5", "5m load average.", kGauge, (*loads)[1]);
    page->Single("node_load15", "15m load average.", kGauge, (*loads)[2]);
    return {};
  }

 private:
  ProcFile file_;
};

class FilefdCollector : public Collector {
 public:
  explicit FilefdCollector(const NodeOptions& options) : file_(JoinPath(options.procfs, "sys/fs/file-nr")) {}
  Result<void> Update(Scrape& scrape, Page* page) override {
    PROM_ASSIGN(const std::string_view text, file_.Read(scrape.buffer));
    auto nr = ParseFileNr(text);
    if (!nr) return nr.error().Wrap(file_.path() + ":");
    page->Single("node_filefd_allocated", "File descriptor statistics: allocated.", kGauge, nr->allocated);
    page->Single("node_filefd_maximum", "File descriptor statistics: maximum.", kGauge, nr->maximum);
    return {};
  }

 private:
  ProcFile file_;
};

class PressureCollector : public Collector {
 public:
  explicit PressureCollector(const NodeOptions& options) {
    const auto file = [&](const char* resource) { return ProcFile(JoinPath(options.procfs, "pressure/") + resource); };
    resources_.push_back({file("cpu"), "node_pressure_cpu_waiting_seconds_total",
                          "Total time in seconds that processes have waited for CPU time", "", ""});
    resources_.push_back({file("io"), "node_pressure_io_waiting_seconds_total",
                          "Total time in seconds that processes have waited due to IO congestion",
                          "node_pressure_io_stalled_seconds_total",
                          "Total time in seconds no process could make progress due to IO congestion"});
    resources_.push_back({file("memory"), "node_pressure_memory_waiting_seconds_total",
                          "Total time in seconds that processes have waited for memory",
                          "node_pressure_memory_stalled_seconds_total",
                          "Total time in seconds no process could make progress due to memory congestion"});
    resources_.push_back({file("irq"), "", "", "node_pressure_irq_stalled_seconds_total",
                          "Total time in seconds no process could make progress due to IRQ congestion"});
  }

  Result<void> Update(Scrape& scrape, Page* page) override {
    Result<void> failed;
    bool found = false;
    const auto fail = [&](Error e) {
      if (failed) failed = std::move(e);
    };
    for (Resource& r : resources_) {
      auto text = r.file.Read(scrape.buffer);
      if (!text) {
        if (text.error().code != Errc::kNotFound) fail(std::move(text.error()));
        continue;
      }
      PressureTotals totals;
      if (auto parsed = InFile(r.file, ParsePressure(*text, &totals)); !parsed) {
        fail(std::move(parsed.error()));
        continue;
      }
      if ((!r.some.empty() && !totals.has_some) || (!r.full.empty() && !totals.has_full)) {
        fail(Error{Errc::kNotFound, r.file.path() + ": no pressure information"});
        continue;
      }
      found = true;
      // Two divisions, as upstream: one by 1e6 rounds differently.
      if (!r.some.empty()) page->Single(r.some, r.some_help, kCounter, static_cast<double>(totals.some_us) / 1000.0 / 1000.0);
      if (!r.full.empty()) page->Single(r.full, r.full_help, kCounter, static_cast<double>(totals.full_us) / 1000.0 / 1000.0);
    }
    if (failed && !found) return Error{Errc::kNotFound, "no pressure information: needs Linux 4.20 with CONFIG_PSI"};
    return failed;
  }

 private:
  struct Resource {
    ProcFile file;
    std::string_view some, some_help, full, full_help;  // families; an empty name: not printed
  };
  std::vector<Resource> resources_;
};

class UnameCollector : public Collector {
 public:
  Result<void> Update(Scrape&, Page* page) override {
    struct utsname u;
    if (::uname(&u) != 0) return ErrnoError("uname", "", errno);
    page->Family("node_uname_info", "Labeled system information as provided by the uname system call.", kGauge);
    page->Sample({{"domainname", u.domainname}, {"machine", u.machine}, {"nodename", u.nodename}, {"release", u.release},
                  {"sysname", u.sysname}, {"version", u.version}},
                 1);
    return {};
  }
};

class TimeCollector : public Collector {
 public:
  explicit TimeCollector(const NodeOptions& options) {
    const std::string dir = JoinPath(options.sysfs, "devices/system/clocksource");
    for (const std::string& name : ListNumbered(dir, "clocksource")) {
      const std::string base = dir + "/" + name;
      sources_.push_back({std::to_string(sources_.size()), ProcFile(base + "/available_clocksource"), ProcFile(base + "/current_clocksource")});
    }
  }

  Result<void> Update(Scrape& scrape, Page* page) override {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    const std::int64_t ns = static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
    page->Single("node_time_seconds", "System time in seconds since epoch (1970).", kGauge, static_cast<double>(ns) / 1e9);
    tm local{};
    ::localtime_r(&now.tv_sec, &local);
    page->Family("node_time_zone_offset_seconds", "System time zone offset in seconds.", kGauge);
    page->Sample({{"time_zone", local.tm_zone != nullptr ? local.tm_zone : "UTC"}}, static_cast<double>(local.tm_gmtoff));

    struct Info {
      std::string clocksource;
      std::string_view device;
      bool operator<(const Info& other) const { return std::tie(clocksource, device) < std::tie(other.clocksource, other.device); }
    };
    std::vector<Info> available, current;
    Result<void> failed;
    for (Source& s : sources_) {
      auto text = s.available.Read(scrape.buffer);
      if (!text) {
        failed = std::move(text.error());
        continue;
      }
      Fields fields(text->substr(0, text->find('\n')));
      for (std::string_view f = fields.Next(); !f.empty(); f = fields.Next()) available.push_back({std::string(f), s.device});
      text = s.current.Read(scrape.buffer);
      if (text) {
        current.push_back({std::string(TrimSpace(*text)), s.device});
      } else {
        failed = std::move(text.error());
      }
    }
    std::sort(available.begin(), available.end());
    std::sort(current.begin(), current.end());
    page->Family("node_time_clocksource_available_info", "Available clocksources read from '/sys/devices/system/clocksource'.", kGauge);
    for (const Info& i : available) page->Sample({{"clocksource", i.clocksource}, {"device", i.device}}, 1);
    page->Family("node_time_clocksource_current_info", "Current clocksource read from '/sys/devices/system/clocksource'.", kGauge);
    for (const Info& i : current) page->Sample({{"clocksource", i.clocksource}, {"device", i.device}}, 1);
    return failed;
  }

 private:
  struct Source {
    std::string device;
    ProcFile available, current;
  };
  std::vector<Source> sources_;
};

template <typename T>
Result<std::unique_ptr<Collector>> Make(const NodeOptions& options) {
  return std::unique_ptr<Collector>(std::make_unique<T>(options));
}

}  // namespace

Result<std::unique_ptr<Collector>> MakeStatCollector(const NodeOptions& o) { return Make<StatCollector>(o); }
Result<std::unique_ptr<Collector>> MakeMeminfoCollector(const NodeOptions& o) { return Make<MeminfoCollector>(o); }
Result<std::unique_ptr<Collector>> MakeVmstatCollector(const NodeOptions& o) { return VmstatCollector::Make(o); }
Result<std::unique_ptr<Collector>> MakeLoadavgCollector(const NodeOptions& o) { return Make<LoadavgCollector>(o); }
Result<std::unique_ptr<Collector>> MakeFilefdCollector(const NodeOptions& o) { return Make<FilefdCollector>(o); }
Result<std::unique_ptr<Collector>> MakePressureCollector(const NodeOptions& o) { return Make<PressureCollector>(o); }
Result<std::unique_ptr<Collector>> MakeTimeCollector(const NodeOptions& o) { return Make<TimeCollector>(o); }
Result<std::unique_ptr<Collector>> MakeUnameCollector(const NodeOptions&) {
  return std::unique_ptr<Collector>(std::make_unique<UnameCollector>());
}

}  // namespace prom::node
