// cpu: /proc/stat, /sys/devices/system/cpu and, when asked, /proc/cpuinfo.
//
// Counters of a CPU may step back a little (idle and iowait are estimated); the
// page holds them until the kernel has caught up, so that no rate sees a reset.
// Idle time that steps back 3 s or more is a CPU that was replugged: its counters
// start over. That memory lives in the process: a one-shot run has none.
//
// What topology says (package, core) cannot change while a CPU is there, so it is
// read when the set of CPUs changes; after that a scrape reads one file a core
// and one a package.
#include <algorithm>
#include <charconv>
#include <map>
#include <optional>

#include "base/io.h"
#include "node/collector.h"
#include "node/fields.h"
#include "node/filter.h"
#include "node/parse_cpuinfo.h"
#include "node/parse_stat.h"

namespace prom::node {
namespace {

constexpr double kJumpBackSeconds = 3;
constexpr std::size_t kIdle = 3;

// Modes as labels, in label order, with their column in the file.
struct Mode {
  std::string_view name;
  std::size_t column;
};
constexpr Mode kModes[] = {{"idle", 3}, {"iowait", 4}, {"irq", 5}, {"nice", 1}, {"softirq", 6}, {"steal", 7}, {"system", 2}, {"user", 0}};
constexpr Mode kGuestModes[] = {{"nice", 9}, {"user", 8}};

// A file with a counter that goes with a core or a package.
struct Throttle {
  std::string package, core;  // core empty: of the package
  ProcFile file;
};

class CpuCollector : public Collector {
 public:
  static Result<std::unique_ptr<Collector>> Make(const NodeOptions& options) {
    auto c = std::make_unique<CpuCollector>(options);
    PROM_ASSIGN(c->flags_, NameMatcher::Make(options.cpu_flags_include, "collector.cpu.info.flags-include"));
    PROM_ASSIGN(c->bugs_, NameMatcher::Make(options.cpu_bugs_include, "collector.cpu.info.bugs-include"));
    return std::unique_ptr<Collector>(std::move(c));
  }

  explicit CpuCollector(const NodeOptions& options)
      : guest_(options.cpu_guest),
        // Asking for flags or bugs asks for the information they are part of.
        info_(options.cpu_info || !options.cpu_flags_include.empty() || !options.cpu_bugs_include.empty()),
        frequency_(options.cpu_frequency),
        cpu_dir_(JoinPath(options.sysfs, "devices/system/cpu")),
        cpuinfo_(JoinPath(options.procfs, "cpuinfo")) {
    ReadBuffer buffer;
    ProcFile isolated(cpu_dir_ + "/isolated");  // set at boot
    if (auto text = isolated.Read(&buffer))
      if (auto list = ParseCpuList(*text))
        for (std::uint32_t cpu : *list) isolated_.push_back(std::to_string(cpu));
    std::sort(isolated_.begin(), isolated_.end());
    isolated_.erase(std::unique(isolated_.begin(), isolated_.end()), isolated_.end());
  }

  Result<void> Update(Scrape& scrape, Page* page) override {
    // A bad cpuinfo must not cost the times, so both are tried.
    Result<void> info = info_ ? UpdateInfo(scrape, page) : Result<void>();
    Result<void> stat = UpdateTimes(scrape, page);
    page->Family("node_cpu_isolated", "Whether each core is isolated, information from /sys/devices/system/cpu/isolated.", kGauge);
    for (const std::string& cpu : isolated_) page->Sample({{"cpu", cpu}}, 1);
    UpdateThrottles(scrape, page);
    UpdateOnline(scrape, page);
    return stat ? info : stat;
  }

 private:
  struct State {
    CpuTimes shown;
    std::string label;
  };

  Result<void> UpdateTimes(Scrape& scrape, Page* page) {
    Result<void> error;
    const KernelStat& stat = scrape.stat->Get(scrape.buffer, &error);
    Remember(stat.cpus);
    page->Family("node_cpu_seconds_total", "Seconds the CPUs spent in each mode.", kCounter);
    for (const State* s : label_order_)
      for (const Mode& m : kModes)
        page->Sample({{"cpu", s->label}, {"mode", m.name}}, static_cast<double>(s->shown.ticks[m.column]) / kTicksPerSecond);
    if (guest_) {
      page->Family("node_cpu_guest_seconds_total", "Seconds the CPUs spent in guests (VMs) for each mode.", kCounter);
      for (const State* s : label_order_)
        for (const Mode& m : kGuestModes)
          page->Sample({{"cpu", s->label}, {"mode", m.name}}, static_cast<double>(s->shown.ticks[m.column]) / kTicksPerSecond);
    }
    return error;
  }

  // Merges new times into what was shown last; forgets CPUs that are gone.
  void Remember(const std::vector<CpuTimes>& now) {
    const bool same = std::equal(now.begin(), now.end(), states_.begin(), states_.end(),
                                 [](const CpuTimes& a, const State& b) { return a.id == b.shown.id; });
    if (!same) {
      std::vector<State> next;
      auto old = states_.begin();
      for (const CpuTimes& cpu : now) {  // both by id
        while (old != states_.end() && old->shown.id < cpu.id) ++old;
        if (old != states_.end() && old->shown.id == cpu.id) {
          next.push_back(std::move(*old));
        } else {
          State fresh;
          fresh.shown.id = cpu.id;
          fresh.label = std::to_string(cpu.id);
          next.push_back(std::move(fresh));
        }
      }
      states_ = std::move(next);
      label_order_.clear();
      for (const State& s : states_) label_order_.push_back(&s);
      std::sort(label_order_.begin(), label_order_.end(), [](const State* a, const State* b) { return a->label < b->label; });
      topology_known_ = false;
    }
    for (std::size_t i = 0; i < now.size(); ++i) {
      CpuTimes& shown = states_[i].shown;
      const double shown_idle = static_cast<double>(shown.ticks[kIdle]) / kTicksPerSecond;
      const double now_idle = static_cast<double>(now[i].ticks[kIdle]) / kTicksPerSecond;
      if (shown_idle - now_idle >= kJumpBackSeconds) shown.ticks = {};
      for (std::size_t m = 0; m < kCpuModes; ++m) shown.ticks[m] = std::max(shown.ticks[m], now[i].ticks[m]);
    }
  }

  void ReadTopology(ReadBuffer* buffer) {
    core_throttles_.clear();
    package_throttles_.clear();
    online_.clear();
    std::map<std::pair<std::string, std::string>, bool> cores;
    std::map<std::string, bool> packages;
    for (const std::string& name : ListNumbered(cpu_dir_, "cpu")) {
      const std::string dir = cpu_dir_ + "/" + name;
      online_.push_back({name.substr(3), ProcFile(dir + "/online")});
      const auto package = ProcFile(dir + "/topology/physical_package_id").ReadUint(buffer);
      const auto core = ProcFile(dir + "/topology/core_id").ReadUint(buffer);
      if (!package || !core) continue;
      const std::string package_id = std::to_string(*package), core_id = std::to_string(*core);
      // Threads of a core show the same count: the first that has it speaks for all.
      const auto add = [&](std::vector<Throttle>* to, bool* have, const char* file, const std::string& core_label) {
        Throttle t{package_id, core_label, ProcFile(dir + "/thermal_throttle/" + file)};
        if (*have || !t.file.ReadUint(buffer)) return;
        *have = true;
        to->push_back(std::move(t));
      };
      add(&core_throttles_, &cores[{core_id, package_id}], "core_throttle_count", core_id);
      add(&package_throttles_, &packages[package_id], "package_throttle_count", "");
    }
    std::sort(core_throttles_.begin(), core_throttles_.end(),
              [](const Throttle& a, const Throttle& b) { return std::tie(a.core, a.package) < std::tie(b.core, b.package); });
    std::sort(package_throttles_.begin(), package_throttles_.end(), [](const Throttle& a, const Throttle& b) { return a.package < b.package; });
    // The first CPU cannot be taken offline on most machines and then has no such
    // file; upstream takes that for "not supported".
    if (!online_.empty() && !online_.front().file.Read(buffer)) online_.clear();
    topology_known_ = true;
  }

  void UpdateThrottles(Scrape& scrape, Page* page) {
    if (!topology_known_) ReadTopology(scrape.buffer);
    page->Family("node_cpu_core_throttles_total", "Number of times this CPU core has been throttled.", kCounter);
    for (Throttle& t : core_throttles_)
      if (auto count = t.file.ReadUint(scrape.buffer))
        page->Sample({{"core", t.core}, {"package", t.package}}, static_cast<double>(*count));
    page->Family("node_cpu_package_throttles_total", "Number of times this CPU package has been throttled.", kCounter);
    for (Throttle& t : package_throttles_)
      if (auto count = t.file.ReadUint(scrape.buffer)) page->Sample({{"package", t.package}}, static_cast<double>(*count));
  }

  void UpdateOnline(Scrape& scrape, Page* page) {
    page->Family("node_cpu_online", "CPUs that are online and being scheduled.", kGauge);
    for (Online& cpu : online_) {
      auto text = cpu.file.Read(scrape.buffer);
      page->Sample({{"cpu", cpu.label}}, text && TrimSpace(*text) == "1" ? 1 : 0);
    }
  }

  Result<void> UpdateInfo(Scrape& scrape, Page* page) {
    PROM_ASSIGN(const std::string_view text, cpuinfo_.Read(scrape.buffer));
    std::vector<CpuInfo> cpus;
    Result<void> parsed = ParseCpuinfo(text, &cpus);
    if (!parsed) parsed = parsed.error().Wrap(cpuinfo_.path() + ":");
    if (!cpus.empty()) {  // before sorting: of the first CPU in the file
      WriteList(page, "node_cpu_flag_info", "The `flags` field of CPU information from /proc/cpuinfo taken from the first core.", "flag",
                cpus[0].flags, &flags_);
      WriteList(page, "node_cpu_bug_info", "The `bugs` field of CPU information from /proc/cpuinfo taken from the first core.", "bug",
                cpus[0].bugs, &bugs_);
    }
    std::vector<std::string> numbers(cpus.size());
    std::vector<std::size_t> order(cpus.size());
    for (std::size_t i = 0; i < cpus.size(); ++i) {
      numbers[i] = std::to_string(cpus[i].processor);
      order[i] = i;
    }
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return std::tie(cpus[a].cache_size, cpus[a].core_id, numbers[a]) < std::tie(cpus[b].cache_size, cpus[b].core_id, numbers[b]);
    });
    page->Family("node_cpu_info", "CPU information from /proc/cpuinfo.", kGauge);
    for (std::size_t i : order) {
      const CpuInfo& c = cpus[i];
      page->Sample({{"cachesize", c.cache_size}, {"core", c.core_id}, {"cpu", numbers[i]}, {"family", c.family},
                    {"microcode", c.microcode}, {"model", c.model}, {"model_name", c.model_name}, {"package", c.physical_id},
                    {"stepping", c.stepping}, {"vendor", c.vendor}},
                   1);
    }
    if (frequency_) {
      page->Family("node_cpu_frequency_hertz", "CPU frequency in hertz from /proc/cpuinfo.", kGauge);
      std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return std::tie(cpus[a].core_id, numbers[a]) < std::tie(cpus[b].core_id, numbers[b]);
      });
      for (std::size_t i : order)
        page->Sample({{"core", cpus[i].core_id}, {"cpu", numbers[i]}, {"package", cpus[i].physical_id}}, cpus[i].mhz * 1e6);
    }
    return parsed;
  }

  static void WriteList(Page* page, std::string_view name, std::string_view help, std::string_view label, std::string_view list,
                        NameMatcher* filter) {
    if (filter->empty()) return;
    std::vector<std::string_view> values;
    Fields fields(list);
    for (std::string_view v = fields.Next(); !v.empty(); v = fields.Next())
      if (filter->Matches(v)) values.push_back(v);
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    page->Family(name, help, kGauge);
    for (std::string_view v : values) page->Sample({{label, v}}, 1);
  }

  struct Online {
    std::string label;
    ProcFile file;
  };

  const bool guest_, info_, frequency_;
  const std::string cpu_dir_;
  ProcFile cpuinfo_;
  NameMatcher flags_, bugs_;
  std::vector<std::string> isolated_;
  std::vector<State> states_;              // by id
  std::vector<const State*> label_order_;  // as the page has them: "10" before "2"
  bool topology_known_ = false;
  std::vector<Throttle> core_throttles_, package_throttles_;
  std::vector<Online> online_;
};

}  // namespace

Result<std::unique_ptr<Collector>> MakeCpuCollector(const NodeOptions& options) { return CpuCollector::Make(options); }

}  // namespace prom::node
