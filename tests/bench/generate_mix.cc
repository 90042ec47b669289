// generate_mix: the realistic mix that sizes, imports and queries are compared on, as text with timestamps in
// the order of time: 500 series a target (node_exporter's shapes and request histograms), every 15 s.
//
// The same arguments give the same bytes. About 20 % of the series do not change, 4.4 % of the samples are
// doubles of full precision, times are exactly regular.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/number.h"

namespace {

constexpr const char* kUsage =
    "usage: generate_mix [flags]\n"
    "\n"
    "  --targets N      of 500 series each (10)\n"
    "  --hours N        how many to print (24)\n"
    "  --from-hour N    the first one (0)\n"
    "  --start T        unix time in seconds of hour 0 (1795132800)\n"
    "  --openmetrics    times in seconds and # EOF; otherwise milliseconds\n";

constexpr std::int64_t kStepMs = 15'000;

class Random {
 public:
  explicit Random(std::uint64_t seed) : x_(seed * 0x9e3779b97f4a7c15ull + 0x2545f4914f6cdd1dull) {}
  std::uint64_t Next() {
    x_ ^= x_ << 13, x_ ^= x_ >> 7, x_ ^= x_ << 17;
    return x_;
  }
  double Unit() { return static_cast<double>(Next() >> 11) * 0x1p-53; }
  std::uint64_t Below(std::uint64_t n) { return Next() % n; }

 private:
  std::uint64_t x_;
};

enum class Kind {
  kConstant,     // never changes
  kRare,         // a counter that moves once in fifty steps
  kCentis,       // a counter of seconds in hundredths: CPU time
  kMillis,       // a counter of seconds in thousandths: disk time
  kCounter,      // a counter of events
  kBytes,        // a counter of bytes
  kPages,        // a gauge of memory, multiples of 4096
  kTenths,       // a temperature
  kGauge,        // a small integer
  kRatio,        // a gauge of full precision
  kFloatSum,     // a sum of durations of full precision
  kBucket,       // cumulative; `part` of the requests of a handler fall into it
};

struct Series {
  std::string text;  // name and labels, with a space behind
  Kind kind;
  double rate = 0;   // a step: events, hundredths, ... or the size of a change
  double value = 0;
  std::uint32_t handler = 0;
  double part = 0;
};

struct Target {
  std::vector<Series> series;
  std::vector<double> requests;  // of each handler, in this step
  Random random{0};
  double load = 1;
};

Target MakeTarget(int number) {
  Target t;
  t.random = Random(static_cast<std::uint64_t>(number) + 1);
  static constexpr const char* kRegions[] = {"eu-west-1", "us-east-1", "ap-northeast-2"};
  static constexpr const char* kTiers[] = {"frontend", "backend"};
  char common[256];
  std::snprintf(common, sizeof common, "environment=\"production\",instance=\"web-%02d.%s.example.com:9100\",job=\"node\",region=\"%s\",tier=\"%s\"", number, kRegions[number % 3], kRegions[number % 3],
                kTiers[number % 2]);
  const auto add = [&](std::string_view name, const std::string& labels, Kind kind, double rate, double value = 0) -> Series& {
    Series s;
    s.text = std::string(name) + "{" + labels + (labels.empty() ? "" : ",") + common + "} ";
    s.kind = kind;
    s.rate = rate;
    s.value = value;
    t.series.push_back(std::move(s));
    return t.series.back();
  };
  const auto label = [](const char* name, const std::string& value) { return std::string(name) + "=\"" + value + "\""; };

  static constexpr struct { const char* mode; double rate; } kModes[] = {{"idle", 1200}, {"user", 200}, {"system", 80}, {"iowait", 6}, {"softirq", 3}, {"steal", 1.5}, {"nice", 0}, {"irq", 0}};
  for (int cpu = 0; cpu < 8; ++cpu)
    for (const auto& m : kModes)
      add("node_cpu_seconds_total", label("cpu", std::to_string(cpu)) + "," + label("mode", m.mode), m.rate == 0 ? Kind::kConstant : Kind::kCentis, m.rate, m.rate == 0 ? 0 : 1e4 + t.random.Unit() * 1e5);
  static constexpr const char* kDevices[] = {"eth0", "eth1", "lo", "docker0"};
  for (const char* device : kDevices) {
    for (const char* way : {"receive", "transmit"}) {
      const std::string name = std::string("node_network_") + way;
      add(name + "_bytes_total", label("device", device), Kind::kBytes, 4e5 * (0.1 + t.random.Unit()), 1e9 * t.random.Unit());
      add(name + "_packets_total", label("device", device), Kind::kCounter, 600 * (0.1 + t.random.Unit()), 1e6);
      for (const char* bad : {"_errs_total", "_drop_total", "_fifo_total"}) add(name + bad, label("device", device), Kind::kConstant, 0);
    }
  }
  for (const char* device : {"nvme0n1", "nvme1n1", "sda"}) {
    for (const char* what : {"reads_completed", "writes_completed", "reads_merged", "writes_merged"}) add(std::string("node_disk_") + what + "_total", label("device", device), Kind::kCounter, 40 * (0.1 + t.random.Unit()), 1e5);
    for (const char* what : {"read_bytes", "written_bytes"}) add(std::string("node_disk_") + what + "_total", label("device", device), Kind::kBytes, 2e5 * (0.1 + t.random.Unit()), 1e9);
    for (const char* what : {"io_time", "read_time", "write_time", "io_time_weighted"}) add(std::string("node_disk_") + what + "_seconds_total", label("device", device), Kind::kMillis, 300 * (0.1 + t.random.Unit()), 1e4);
  }
  for (const char* what : {"MemFree", "MemAvailable", "Buffers", "Cached", "Active", "Inactive", "Active_anon", "Inactive_anon", "Active_file", "Inactive_file", "Dirty", "AnonPages", "Mapped", "Slab", "SReclaimable", "PageTables"})
    add(std::string("node_memory_") + what + "_bytes", "", Kind::kPages, 200, 4096 * std::floor(1e6 * t.random.Unit()));
  for (const char* what : {"MemTotal", "SwapTotal", "SwapFree", "HugePages_Total", "VmallocTotal", "CommitLimit", "Hugepagesize", "Mlocked"}) add(std::string("node_memory_") + what + "_bytes", "", Kind::kConstant, 0, 4096 * std::floor(1e6 * t.random.Unit()));
  for (const char* mount : {"/", "/var", "/home", "/boot"}) {
    const std::string at = label("device", "/dev/sda1") + "," + label("fstype", "ext4") + "," + label("mountpoint", mount);
    add("node_filesystem_size_bytes", at, Kind::kConstant, 0, 1e11);
    add("node_filesystem_avail_bytes", at, Kind::kPages, 40, 4096 * 1e7);
    add("node_filesystem_free_bytes", at, Kind::kPages, 40, 4096 * 1e7);
    add("node_filesystem_files", at, Kind::kConstant, 0, 6553600);
    add("node_filesystem_files_free", at, Kind::kRare, 20, 6000000);
    add("node_filesystem_readonly", at, Kind::kConstant, 0, 0);
  }
  for (int sensor = 0; sensor < 12; ++sensor) add("node_hwmon_temp_celsius", label("chip", "platform_coretemp_0") + "," + label("sensor", "temp" + std::to_string(sensor)), Kind::kTenths, 8, 45);
  for (const char* what : {"context_switches", "intr", "forks", "processes_blocked", "softirqs"}) add(std::string("node_") + what + "_total", "", Kind::kCounter, 8000 * t.random.Unit(), 1e8);
  for (const char* what : {"load1", "load5", "load15"}) add(std::string("node_") + what, "", Kind::kTenths, 4, 2);
  add("app_cache_hit_ratio", "", Kind::kRatio, 0.01, 0.85);
  for (int pool = 0; pool < 13; ++pool) add("app_pool_utilization_ratio", label("pool", "pool-" + std::to_string(pool)), Kind::kRatio, 0.02, 0.4);
  for (int queue = 0; queue < 7; ++queue) add("app_queue_length", label("queue", "q-" + std::to_string(queue)), Kind::kGauge, 10, 40);

  static constexpr const char* kHandlers[] = {"/", "/login", "/search", "/api/v1/orders", "/api/v1/items", "/static", "/metrics"};
  static constexpr double kBounds[] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, HUGE_VAL};
  static constexpr double kParts[] = {0.05, 0.15, 0.35, 0.6, 0.8, 0.91, 0.96, 0.985, 0.995, 0.998, 0.9995, 1};
  t.requests.resize(std::size(kHandlers));
  for (std::uint32_t h = 0; h < std::size(kHandlers); ++h) {
    const double rate = 300 * (0.05 + t.random.Unit());
    for (std::size_t b = 0; b < std::size(kBounds); ++b) {
      Series& s = add("app_request_duration_seconds_bucket", label("handler", kHandlers[h]) + "," + label("le", prom::FormatFloatG(kBounds[b])), Kind::kBucket, rate);
      s.handler = h;
      s.part = kParts[b];
    }
    Series& sum = add("app_request_duration_seconds_sum", label("handler", kHandlers[h]), Kind::kFloatSum, 0.12);
    sum.handler = h;
    Series& count = add("app_request_duration_seconds_count", label("handler", kHandlers[h]), Kind::kBucket, rate);
    count.handler = h;
    count.part = 1;
    for (const char* code : {"200", "404", "500"}) add("app_requests_total", label("code", code) + "," + label("handler", kHandlers[h]), code[0] == '5' ? Kind::kRare : Kind::kCounter, code[0] == '2' ? rate : rate / 30);
  }
  for (int i = 0; t.series.size() < 500; ++i)
    add("app_worker_jobs_total", label("queue", "q-" + std::to_string(i % 7)) + "," + label("worker", "worker-" + std::to_string(i)), i % 3 == 0 ? Kind::kRare : i % 8 == 1 ? Kind::kConstant : Kind::kCounter, 20 * (0.2 + t.random.Unit()));
  return t;
}

void Step(Target* t) {
  Random& r = t->random;
  t->load += (r.Unit() - 0.5) * 0.1 + (1 - t->load) * 0.02;  // wanders about 1
  for (double& n : t->requests) n = -1;
  for (Series& s : t->series) {
    const double u = r.Unit();
    switch (s.kind) {
      case Kind::kConstant: break;
      case Kind::kRare:
        if (r.Below(50) == 0) s.value += 1 + std::floor(u * s.rate);
        break;
      case Kind::kCentis: s.value = std::round(s.value * 100 + std::floor(s.rate * t->load * (0.7 + 0.6 * u))) / 100; break;
      case Kind::kMillis: s.value = std::round(s.value * 1000 + std::floor(s.rate * t->load * (0.5 + u))) / 1000; break;
      case Kind::kCounter: s.value += std::floor(s.rate * t->load * (0.5 + u)); break;
      case Kind::kBytes: s.value += std::floor(s.rate * t->load * (0.5 + u)); break;
      case Kind::kPages: s.value = std::max(0.0, s.value + 4096 * std::floor((u - 0.5) * s.rate)); break;
      case Kind::kTenths: s.value = std::round(std::max(0.0, s.value * 10 + std::floor((u - 0.5) * s.rate + 0.5))) / 10; break;
      case Kind::kGauge: s.value = std::max(0.0, s.value + std::floor((u - 0.5) * s.rate + 0.5)); break;
      case Kind::kRatio: s.value = std::min(1.0, std::max(0.0, s.value + (u - 0.5) * s.rate)); break;
      case Kind::kFloatSum: s.value += t->requests[s.handler] * s.rate * (0.5 + u); break;
      case Kind::kBucket: {
        double& n = t->requests[s.handler];
        if (n < 0) n = std::floor(s.rate * t->load * (0.5 + u));
        s.value += s.part == 1 ? n : std::floor(n * s.part);
        break;
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  long targets = 10, hours = 24, from_hour = 0;
  std::int64_t start = 1'795'132'800;
  bool openmetrics = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    const auto number = [&](auto* out) {
      const auto v = i + 1 < argc ? prom::ParseInt64(argv[++i]) : std::nullopt;
      if (!v || *v < 0) {
        std::fputs(kUsage, stderr);
        std::exit(2);
      }
      *out = static_cast<std::remove_pointer_t<decltype(out)>>(*v);
    };
    if (flag == "--targets") number(&targets);
    else if (flag == "--hours") number(&hours);
    else if (flag == "--from-hour") number(&from_hour);
    else if (flag == "--start") number(&start);
    else if (flag == "--openmetrics") openmetrics = true;
    else return std::fputs(kUsage, stderr), 2;
  }
  std::vector<Target> all;
  for (long i = 0; i < targets; ++i) all.push_back(MakeTarget(static_cast<int>(i)));
  std::string out;
  const long first = from_hour * 240, end = (from_hour + hours) * 240;
  for (long step = 0; step < end; ++step) {
    const std::int64_t t_ms = start * 1000 + step * kStepMs;
    const std::string time = openmetrics ? std::to_string(t_ms / 1000) : std::to_string(t_ms);
    for (Target& t : all) {
      Step(&t);
      if (step < first) continue;
      for (const Series& s : t.series) {
        out += s.text;
        char number[prom::kMaxFloatText];
        out.append(number, prom::WriteFloatG(number, s.value));
        out += ' ';
        out += time;
        out += '\n';
      }
    }
    if (out.size() < (1u << 20) && step + 1 < end) continue;
    if (std::fwrite(out.data(), 1, out.size(), stdout) != out.size()) return std::perror("generate_mix"), 1;
    out.clear();
  }
  if (openmetrics) std::fputs("# EOF\n", stdout);
  return std::fflush(stdout) == 0 ? 0 : 1;
}
