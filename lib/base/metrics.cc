#include "base/metrics.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/number.h"

namespace prom {

HistogramMetric::HistogramMetric(std::vector<double> bounds) : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {}

void HistogramMetric::Observe(double v) {
  const auto bucket = static_cast<std::size_t>(std::lower_bound(bounds_.begin(), bounds_.end(), v) - bounds_.begin());
  MutexLock lock(mutex_);
  ++counts_[bucket];
  sum_ += v;
}

// One series of a family: exactly one of the four is set.
struct Metrics::Series {
  MetricLabels labels;
  std::unique_ptr<Counter> counter;
  std::unique_ptr<Gauge> gauge;
  std::unique_ptr<HistogramMetric> histogram;
  std::function<double()> read;
};

Metrics::Metrics() = default;
Metrics::~Metrics() = default;

Metrics::Family& Metrics::FindFamily(std::string_view name, std::string_view help, std::string_view type) {
  for (Family& f : families_)
    if (f.name == name) return f;
  families_.push_back({std::string(name), std::string(help), std::string(type), {}});
  return families_.back();
}

Metrics::Series& Metrics::FindSeries(std::string_view name, std::string_view help, std::string_view type, MetricLabels labels) {
  MutexLock lock(mutex_);
  Family& family = FindFamily(name, help, type);
  for (auto& s : family.series)
    if (s->labels == labels) return *s;
  family.series.push_back(std::make_unique<Series>());
  Series& s = *family.series.back();
  s.labels = std::move(labels);
  // Made here, under the lock: two callers may ask for the same series at once.
  if (type == "counter") s.counter = std::make_unique<Counter>();
  if (type == "gauge") s.gauge = std::make_unique<Gauge>();
  return s;
}

Counter& Metrics::AddCounter(std::string_view name, std::string_view help, MetricLabels labels) {
  return *FindSeries(name, help, "counter", std::move(labels)).counter;
}
Gauge& Metrics::AddGauge(std::string_view name, std::string_view help, MetricLabels labels) {
  return *FindSeries(name, help, "gauge", std::move(labels)).gauge;
}
void Metrics::AddGaugeFunction(std::string_view name, std::string_view help, MetricLabels labels, std::function<double()> read) {
  Series& s = FindSeries(name, help, "gauge", std::move(labels));
  MutexLock lock(mutex_);
  s.read = std::move(read);
}
void Metrics::AddCounterFunction(std::string_view name, std::string_view help, MetricLabels labels, std::function<double()> read) {
  Series& s = FindSeries(name, help, "counter", std::move(labels));
  MutexLock lock(mutex_);
  s.read = std::move(read);
}
HistogramMetric& Metrics::AddHistogram(std::string_view name, std::string_view help, std::vector<double> bounds, MetricLabels labels) {
  Series& s = FindSeries(name, help, "histogram", std::move(labels));
  MutexLock lock(mutex_);
  if (!s.histogram) s.histogram = std::make_unique<HistogramMetric>(std::move(bounds));
  return *s.histogram;
}

namespace {

void AppendEscaped(std::string* out, std::string_view s, bool quotes) {
  for (char c : s) {
    if (c == '\\') *out += "\\\\";
    else if (c == '\n') *out += "\\n";
    else if (c == '"' && quotes) *out += "\\\"";
    else out->push_back(c);
  }
}

void AppendSample(std::string* out, std::string_view name, std::string_view suffix, const MetricLabels& labels, std::string_view le, double v) {
  *out += name;
  *out += suffix;
  if (!labels.empty() || !le.empty()) {
    out->push_back('{');
    bool first = true;
    const auto put = [&](std::string_view k, std::string_view value) {
      if (!first) out->push_back(',');
      first = false;
      *out += k;
      *out += "=\"";
      AppendEscaped(out, value, true);
      out->push_back('"');
    };
    for (const auto& [k, value] : labels) put(k, value);
    if (!le.empty()) put("le", le);
    out->push_back('}');
  }
  out->push_back(' ');
  char buffer[kMaxFloatText];
  out->append(buffer, WriteFloatG(buffer, v));
  out->push_back('\n');
}

// Fields of /proc/self/stat after the command name, which may hold spaces.
bool ReadSelfStat(unsigned long long* cpu_ticks, double* virtual_bytes, double* resident_bytes, unsigned long long* start_ticks) {
  char buffer[1024];
  const int fd = ::open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t n = ::read(fd, buffer, sizeof buffer - 1);
  ::close(fd);
  if (n <= 0) return false;
  buffer[n] = 0;
  const char* p = std::strrchr(buffer, ')');
  unsigned long long utime = 0, stime = 0, vsize = 0;
  long long rss = 0;
  if (p == nullptr || std::sscanf(p + 2,
                                  "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d %llu %llu %lld",
                                  &utime, &stime, start_ticks, &vsize, &rss) != 5)
    return false;
  *cpu_ticks = utime + stime;
  *virtual_bytes = static_cast<double>(vsize);
  *resident_bytes = static_cast<double>(rss) * static_cast<double>(::sysconf(_SC_PAGESIZE));
  return true;
}

double CountOpenFds() {
  DIR* dir = ::opendir("/proc/self/fd");
  if (dir == nullptr) return 0;
  int n = 0;
  while (const dirent* e = ::readdir(dir)) n += e->d_name[0] != '.';
  ::closedir(dir);
  return n - 1;  // without the one that reads them
}

double BootTime() {
  double boot = 0;
  if (FILE* f = std::fopen("/proc/stat", "re")) {
    char line[512];
    while (std::fgets(line, sizeof line, f) != nullptr)
      if (std::sscanf(line, "btime %lf", &boot) == 1) break;
    std::fclose(f);
  }
  return boot;
}

enum class SelfField { kCpu, kVirtual, kResident, kStart };
double ReadSelf(SelfField field) {
  unsigned long long ticks = 0, start = 0;
  double virtual_bytes = 0, resident_bytes = 0;
  if (!ReadSelfStat(&ticks, &virtual_bytes, &resident_bytes, &start)) return 0;
  const auto hz = static_cast<double>(::sysconf(_SC_CLK_TCK));
  switch (field) {
    case SelfField::kCpu: return static_cast<double>(ticks) / hz;
    case SelfField::kVirtual: return virtual_bytes;
    case SelfField::kResident: return resident_bytes;
    case SelfField::kStart: return BootTime() + static_cast<double>(start) / hz;
  }
  return 0;
}

}  // namespace

void Metrics::AddProcessMetrics() {
  AddCounterFunction("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", {}, [] { return ReadSelf(SelfField::kCpu); });
  AddGaugeFunction("process_resident_memory_bytes", "Resident memory size in bytes.", {}, [] { return ReadSelf(SelfField::kResident); });
  AddGaugeFunction("process_virtual_memory_bytes", "Virtual memory size in bytes.", {}, [] { return ReadSelf(SelfField::kVirtual); });
  AddGaugeFunction("process_start_time_seconds", "Start time of the process since unix epoch in seconds.", {}, [start = ReadSelf(SelfField::kStart)] { return start; });
  AddGaugeFunction("process_open_fds", "Number of open file descriptors.", {}, CountOpenFds);
  AddGaugeFunction("process_max_fds", "Maximum number of open file descriptors.", {}, [] {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    return static_cast<double>(limit.rlim_cur);
  });
}

void Metrics::AddBuildInfo(std::string_view tool) {
  AddGauge(std::string(tool) + "_build_info", "A metric with a constant '1' value labeled by the version of " + std::string(tool) + ".",
           {{"version", std::string(kPromkitVersion)}})
      .Set(1);
}

std::string Metrics::Print() const {
  MutexLock lock(mutex_);
  std::vector<const Family*> families;
  for (const Family& f : families_) families.push_back(&f);
  std::sort(families.begin(), families.end(), [](const Family* a, const Family* b) { return a->name < b->name; });
  std::string out;
  for (const Family* f : families) {
    out += "# HELP " + f->name + ' ';
    AppendEscaped(&out, f->help, false);
    out += "\n# TYPE " + f->name + ' ' + f->type + '\n';
    for (const auto& s : f->series) {
      if (s->histogram) {
        MutexLock inner(s->histogram->mutex_);
        double total = 0;
        for (std::size_t i = 0; i < s->histogram->counts_.size(); ++i) {
          total += static_cast<double>(s->histogram->counts_[i]);
          const bool last = i == s->histogram->bounds_.size();
          AppendSample(&out, f->name, "_bucket", s->labels, last ? "+Inf" : FormatFloatG(s->histogram->bounds_[i]), total);
        }
        AppendSample(&out, f->name, "_sum", s->labels, "", s->histogram->sum_);
        AppendSample(&out, f->name, "_count", s->labels, "", total);
      } else {
        const double v = s->read ? s->read() : s->counter ? s->counter->value() : s->gauge->value();
        AppendSample(&out, f->name, "", s->labels, "", v);
      }
    }
  }
  return out;
}

}  // namespace prom
