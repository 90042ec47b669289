// What a scrape of promnode costs, beside node_exporter and beside the floor:
// reading the same files and doing nothing with them.
//
//   bench_node      promnode is looked for beside this program (../bin/promnode) and
//                   in PATH, its peer as prometheus-node-exporter or node_exporter
//
// CPU is user + kernel time of the process (schedstat of its threads), ms a
// scrape, best of five rounds; resident size is VmRSS after 200 scrapes.
#include <algorithm>
#include <arpa/inet.h>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <functional>
#include <netinet/in.h>
#include <optional>
#include <signal.h>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <time.h>
#include <unistd.h>
#include <vector>

#include "base/time.h"
#include "node/exporter.h"
#include "node/gzip.h"
#include "node/netlink.h"

namespace {

constexpr int kRounds = 5;
constexpr int kScrapes = 40;  // a round

double ThreadCpuMs() {
  timespec t{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) / 1e6;
}

// Best round of `work`, ms of this thread's CPU a call.
double BestCpuMs(const std::function<void()>& work) {
  double best = 1e9;
  for (int round = 0; round < kRounds; ++round) {
    const double begin = ThreadCpuMs();
    for (int i = 0; i < kScrapes; ++i) work();
    best = std::min(best, (ThreadCpuMs() - begin) / kScrapes);
  }
  return best;
}

const char* const kFiles[] = {"/proc/stat", "/proc/meminfo", "/proc/loadavg", "/proc/diskstats", "/proc/vmstat", "/proc/sys/fs/file-nr",
                              "/proc/pressure/cpu", "/proc/pressure/io", "/proc/pressure/memory", "/proc/pressure/irq", "/proc/1/mountinfo",
                              "/proc/self/stat", "/sys/devices/system/clocksource/clocksource0/available_clocksource",
                              "/sys/devices/system/clocksource/clocksource0/current_clocksource"};

void Line(const char* name, double ours, const std::string& beside, const char* budget) {
  std::printf("%-34s %9.3f   %-28s %s\n", name, ours, beside.c_str(), budget);
}
std::string Number(double v, const char* what) {
  char text[64];
  std::snprintf(text, sizeof text, "%.3f %s", v, what);
  return text;
}

// A daemon on a free port of the loopback, ended with the object.
class Daemon {
 public:
  Daemon(const std::string& program, int port) : port_(port) {
    const std::string address = "--web.listen-address=127.0.0.1:" + std::to_string(port);
    pid_ = ::fork();
    if (pid_ == 0) {
      const int null = ::open("/dev/null", O_RDWR);
      ::dup2(null, 1);
      ::dup2(null, 2);
      ::execl(program.c_str(), program.c_str(), address.c_str(), static_cast<char*>(nullptr));
      ::_exit(127);
    }
    for (int i = 0; i < 100 && !Get("/", ""); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(30));
  }
  ~Daemon() {
    if (fd_ >= 0) ::close(fd_);
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
  }
  // Bytes of the body; nullopt: no answer.
  std::optional<std::size_t> Get(const std::string& path, const std::string& headers) {
    if (fd_ < 0) {
      fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_in a{};
      a.sin_family = AF_INET;
      a.sin_port = htons(static_cast<std::uint16_t>(port_));
      a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      if (::connect(fd_, reinterpret_cast<sockaddr*>(&a), sizeof a) != 0) return Fail();
    }
    const std::string request = "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n";
    if (::send(fd_, request.data(), request.size(), MSG_NOSIGNAL) < 0) return Fail();
    std::string in;
    for (;;) {
      const std::size_t head = in.find("\r\n\r\n");
      if (head != std::string::npos) {
        const std::size_t at = in.find("Content-Length: ");
        // Go sends large pages in chunks.
        if (at == std::string::npos || at > head ? in.ends_with("0\r\n\r\n") : in.size() >= head + 4 + std::strtoul(in.c_str() + at + 16, nullptr, 10))
          return in.size() - head - 4;
      }
      char buffer[65536];
      const ssize_t n = ::recv(fd_, buffer, sizeof buffer, 0);
      if (n <= 0) return Fail();
      in.append(buffer, static_cast<std::size_t>(n));
    }
  }
  double CpuMs() const {
    double ns = 0;
    const std::string tasks = "/proc/" + std::to_string(pid_) + "/task";
    DIR* dir = ::opendir(tasks.c_str());
    if (dir == nullptr) return 0;
    while (const dirent* e = ::readdir(dir)) {
      double one = 0;
      if (FILE* f = std::fopen((tasks + "/" + e->d_name + "/schedstat").c_str(), "re")) {
        if (std::fscanf(f, "%lf", &one) == 1) ns += one;
        std::fclose(f);
      }
    }
    ::closedir(dir);
    return ns / 1e6;
  }
  double ResidentMb() const {
    double kb = 0;
    char line[256];
    if (FILE* f = std::fopen(("/proc/" + std::to_string(pid_) + "/status").c_str(), "re")) {
      while (std::fgets(line, sizeof line, f) != nullptr)
        if (std::sscanf(line, "VmRSS: %lf", &kb) == 1) break;
      std::fclose(f);
    }
    return kb / 1024;
  }

 private:
  std::nullopt_t Fail() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
    return std::nullopt;
  }
  int port_, fd_ = -1;
  pid_t pid_ = -1;
};

int FreePort() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof a;
  const bool good = ::bind(fd, reinterpret_cast<sockaddr*>(&a), size) == 0 && ::getsockname(fd, reinterpret_cast<sockaddr*>(&a), &size) == 0;
  ::close(fd);
  return good ? ntohs(a.sin_port) : 19100;
}

std::string FindProgram(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::string rest = path != nullptr ? path : "";
  while (!rest.empty()) {
    const std::size_t colon = rest.find(':');
    const std::string file = rest.substr(0, colon) + "/" + name;
    if (::access(file.c_str(), X_OK) == 0) return file;
    rest = colon == std::string::npos ? "" : rest.substr(colon + 1);
  }
  return "";
}

struct Measured {
  double plain_ms = 0, gzip_ms = 0, resident_mb = 0, file_mb = 0;
};
// Scrapes the twelve collectors of promnode, whatever else the peer has.
Measured Measure(const std::string& program) {
  std::string path = "/metrics?";
  for (std::string_view name : prom::node::CollectorNames()) path += "collect[]=" + std::string(name) + "&";
  path.pop_back();
  Daemon d(program, FreePort());
  Measured m;
  const auto best = [&](const std::string& headers) {
    double ms = 1e9;
    for (int round = 0; round < kRounds; ++round) {
      const double begin = d.CpuMs();
      for (int i = 0; i < kScrapes; ++i)
        if (!d.Get(path, headers)) return 0.0;
      ms = std::min(ms, (d.CpuMs() - begin) / kScrapes);
    }
    return ms;
  };
  best("");  // warm
  m.plain_ms = best("");
  m.gzip_ms = best("Accept-Encoding: gzip\r\n");
  m.resident_mb = d.ResidentMb();
  struct stat st;
  if (::stat(program.c_str(), &st) == 0) m.file_mb = static_cast<double>(st.st_size) / 1e6;
  return m;
}

}  // namespace

int main(int, char** argv) {
  using namespace prom::node;
  std::printf("%-34s %9s   %-28s %s\n", "name", "ours", "beside", "budget");

  NodeOptions options;
  for (std::string_view name : CollectorNames()) options.enabled.emplace_back(name);
  auto exporter = NodeExporter::Make(options);
  if (!exporter) {
    std::fprintf(stderr, "bench_node: %s\n", exporter.error().message.c_str());
    return 1;
  }
  std::string page;
  const double collect_ms = BestCpuMs([&] {
    page.clear();
    (*exporter)->Collect((*exporter)->SelectAll(), prom::SystemClock().MonotonicNs() + 1'000'000'000, nullptr, &page);
  });
  std::vector<int> kept;
  for (const char* file : kFiles)
    if (const int fd = ::open(file, O_RDONLY | O_CLOEXEC); fd >= 0) kept.push_back(fd);
  static char buffer[1 << 20];
  Netlink netlink;
  std::vector<Link> links;
  const double kept_ms = BestCpuMs([&] {
    for (int fd : kept) {
      off_t at = 0;
      for (ssize_t n; (n = ::pread(fd, buffer, sizeof buffer, at)) > 0;) at += n;
    }
    [[maybe_unused]] const auto done = netlink.Links(&links);
  });
  const double opened_ms = BestCpuMs([&] {
    for (const char* file : kFiles) {
      const int fd = ::open(file, O_RDONLY | O_CLOEXEC);
      if (fd < 0) continue;
      while (::read(fd, buffer, sizeof buffer) > 0) {
      }
      ::close(fd);
    }
    [[maybe_unused]] const auto done = netlink.Links(&links);
  });
  Line("collect, ms CPU", collect_ms, Number(kept_ms, "floor, files kept open"), "");
  Line("", collect_ms, Number(opened_ms, "floor, files opened"), "");
  std::string packed;
  const double gzip_ms = BestCpuMs([&] { GzipPage(page, &packed); });
  std::printf("# page of %zu bytes, gzip %zu bytes in %.3f ms\n", page.size(), packed.size(), gzip_ms);

  std::string ours = argv[0];
  ours = ours.substr(0, ours.rfind('/') == std::string::npos ? 0 : ours.rfind('/')) + "/../bin/promnode";
  if (::access(ours.c_str(), X_OK) != 0) ours = FindProgram("promnode");
  if (ours.empty()) {
    std::printf("# no promnode found: daemon not measured\n");
    return 0;
  }
  std::string peer = FindProgram("prometheus-node-exporter");
  if (peer.empty()) peer = FindProgram("node_exporter");
  const Measured a = Measure(ours);
  const Measured b = peer.empty() ? Measured{} : Measure(peer);
  const auto beside = [&](double v) { return peer.empty() ? std::string("-") : Number(v, "node_exporter"); };
  Line("scrape, ms CPU", a.plain_ms, beside(b.plain_ms), "0.9");
  Line("scrape with gzip, ms CPU", a.gzip_ms, beside(b.gzip_ms), "0.9");
  Line("resident, MB", a.resident_mb, beside(b.resident_mb), "3");
  Line("program file (with symbols), MB", a.file_mb, beside(b.file_mb), "1.5 stripped");
  return 0;
}
