// Write path and head: prints "name  ours  floor  budget". Run: bench_store [name...]
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "base/crc32c.h"
#include "base/io.h"
#include "base/time.h"
#include "store/head_reader.h"
#include "store/manifest.h"
#include "store/writer.h"
#include "store_block_bench.h"

namespace {

using namespace prom;
using namespace prom::store;

double NowNs() { return static_cast<double>(std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count()); }
double CpuNs() {
  timespec ts{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
  return static_cast<double>(ts.tv_sec) * 1e9 + static_cast<double>(ts.tv_nsec);
}

class SteppedClock : public Clock {
 public:
  std::int64_t now = 0;
  std::int64_t NowMs() override { return now; }
  std::int64_t MonotonicNs() override { return now * 1'000'000; }
};

struct Dir {
  std::string path;
  Dir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "promkit-bench-XXXXXX").string();
    path = ::mkdtemp(pattern.data());
  }
  ~Dir() { std::filesystem::remove_all(path); }
};

template <typename T>
T Must(Result<T> r) {
  if (!r) {
    std::fprintf(stderr, "bench_store: %s\n", r.error().message.c_str());
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return std::move(*r);
}

void Print(const char* name, double ours, double floor, double budget, const char* unit) {
  std::printf("%-44s %10.2f %10.2f %10.2f  %s\n", name, ours, floor, budget, unit);
  std::fflush(stdout);
}

WriterOptions Options() {
  WriterOptions o;
  o.background = false;
  o.fsync = FsyncMode::kNever;
  o.block_ms = std::int64_t{1} << 40;  // one epoch
  return o;
}

constexpr std::int64_t kT0 = 1'700'000'000'000;

// As a page of an exporter: half constant, a third integers that count, some decimals, some floats.
void Fill(std::vector<double>* values, int row, std::mt19937_64* random) {
  for (std::size_t i = 0; i < values->size(); ++i) {
    double& v = (*values)[i];
    const std::size_t kind = i % 20;
    if (kind < 11) v = static_cast<double>(i % 7);
    else if (kind < 17) v += static_cast<double>((*random)() % 100);
    else if (kind < 19) v = static_cast<double>((*random)() % 10'000) / 100;
    else v += std::sin(static_cast<double>(row)) * 0.001;
  }
}

void BenchAppend() {
  constexpr int kColumns = 1000, kRows = 31;  // below a full tile: no sealing
  double best = 1e18, best_floor = 1e18, seal = 1e18, with_seal = 1e18;
  for (int attempt = 0; attempt < 5; ++attempt) {
    Dir dir;
    SteppedClock clock;
    auto writer = Must(Writer::Open(SystemIo(), clock, dir.path, Options()));
    constexpr int kTargets = 10;
    std::vector<std::unique_ptr<Appender>> appenders;
    for (int k = 0; k < kTargets; ++k) {
      appenders.push_back(writer->NewAppender());
      std::vector<std::uint32_t> ids;
      for (std::uint32_t i = 0; i < kColumns; ++i) {
        Must(appenders.back()->DefineSeries(i, Labels{{"__name__", "metric_" + std::to_string(i)}, {"instance", "host" + std::to_string(k)}}));
        ids.push_back(i);
      }
      Must(appenders.back()->DefineLayout(0, ids));
      Must(appenders.back()->Commit(0));
    }
    std::mt19937_64 random(1);
    std::vector<std::vector<double>> pages(kRows, std::vector<double>(kColumns, 5));
    for (int r = 0; r < kRows; ++r) {
      if (r > 0) pages[static_cast<std::size_t>(r)] = pages[static_cast<std::size_t>(r - 1)];
      Fill(&pages[static_cast<std::size_t>(r)], r, &random);
    }
    double start = CpuNs();
    for (int r = 0; r < kRows; ++r)
      for (auto& a : appenders) {
        Must(a->Row(0, kT0 + r * 15'000, pages[static_cast<std::size_t>(r)], {}));
        Must(a->Commit(1));
      }
    best = std::min(best, (CpuNs() - start) / (kRows * kTargets * kColumns));
    // The row that fills the tile seals it.
    start = CpuNs();
    for (auto& a : appenders) {
      Must(a->Row(0, kT0 + kRows * 15'000, pages.back(), {}));
      Must(a->Commit(1));
    }
    seal = std::min(seal, (CpuNs() - start) / (32.0 * kTargets * kColumns));
    with_seal = std::min(with_seal, best * 31 / 32 + seal);

    // Floor: the same bytes, one checksum and one write.
    auto file = Must(SystemIo().Open(dir.path + "/floor", Io::Mode::kCreate));
    std::string record(8 * kColumns + 56 + 48, 'x');
    start = CpuNs();
    std::uint64_t offset = 0;
    for (int r = 0; r < kRows * kTargets; ++r) {
      std::memcpy(record.data() + 56, pages[static_cast<std::size_t>(r / kTargets)].data(), 8 * kColumns);
      const std::uint32_t crc = Crc32c(record.data(), record.size(), 0u);
      std::memcpy(record.data(), &crc, 4);
      Must(file->WriteAt(offset, record));
      offset += record.size();
    }
    best_floor = std::min(best_floor, (CpuNs() - start) / (kRows * kTargets * kColumns));
  }
  Print("append, 1,000 columns, with commit", best, best_floor, 15, "ns CPU/sample; floor: crc + pwrite");
  Print("seal, 32 rows of 1,000 columns", seal, 0, 0, "ns CPU/sample");
  Print("append and seal", with_seal, best_floor, 0, "ns CPU/sample");
}

void BenchVisible() {
  Dir dir;
  SteppedClock clock;
  auto writer = Must(Writer::Open(SystemIo(), clock, dir.path, Options()));
  auto a = writer->NewAppender();
  std::vector<std::uint32_t> ids;
  for (std::uint32_t i = 0; i < 1000; ++i) {
    Must(a->DefineSeries(i, Labels{{"__name__", "m" + std::to_string(i)}}));
    ids.push_back(i);
  }
  Must(a->DefineLayout(0, ids));
  auto control = Must(ControlPage::OpenRead(SystemIo(), dir.path));
  Must(a->Commit(0));
  auto reader = Must(HeadReader::Open(SystemIo(), dir.path, 1, control));
  std::vector<double> took, values(1000, 1);
  for (int r = 0; r < 1000; ++r) {
    Must(a->Row(0, kT0 + r * 1000, values, {}));
    const double start = NowNs();
    Must(a->Commit(1));
    // What a reader does to see it: a snapshot, a selection, one column.
    const auto snapshot = Must(reader->Snapshot());
    const auto selection = Must(snapshot->Select({Matcher::Equal("__name__", "m7")}, kT0, kMaxTimeMs));
    SeriesColumns c;
    Must(selection->Read(0, kT0 + r * 1000, kMaxTimeMs, &c));
    if (c.t.size() != 1) std::exit(1);
    took.push_back((NowNs() - start) / 1e6);
  }
  std::sort(took.begin(), took.end());
  Print("commit to visible, p50", took[took.size() / 2], 0, 5, "ms");
  Print("commit to visible, p99", took[took.size() * 99 / 100], 0, 5, "ms");
}

std::size_t PrivateBytes() {
  std::size_t total = 0, resident = 0, shared = 0;
  if (FILE* f = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(f, "%zu %zu %zu", &total, &resident, &shared) != 3) total = 0;
    std::fclose(f);
  }
  return (resident - shared) * 4096;
}

void BenchMillion() {
  constexpr std::uint32_t kSeries = 1'000'000, kColumns = 1000;
  Dir dir;
  SteppedClock clock;
  const std::size_t before = PrivateBytes();
  {
    auto writer = Must(Writer::Open(SystemIo(), clock, dir.path, Options()));
    const double start = NowNs();
    std::vector<std::unique_ptr<Appender>> appenders;
    const std::vector<double> values(kColumns, 1);
    for (std::uint32_t k = 0; k < kSeries / kColumns; ++k) {
      appenders.push_back(writer->NewAppender());
      std::vector<std::uint32_t> ids;
      for (std::uint32_t i = 0; i < kColumns; ++i) {
        Must(appenders.back()->DefineSeries(
            i, Labels{{"__name__", "http_requests_" + std::to_string(i)}, {"instance", "host-" + std::to_string(k) + ":9100"}, {"job", "node"}, {"region", "KR"}}));
        ids.push_back(i);
      }
      Must(appenders.back()->DefineLayout(0, ids));
      Must(appenders.back()->Row(0, kT0, values, {}));
      Must(appenders.back()->Commit(1));
    }
    std::printf("%-44s %10.2f %10s %10s  %s\n", "new series, define and first row", (NowNs() - start) / kSeries, "-", "-", "ns wall/series");
    Print("private memory at 1,000,000 series", static_cast<double>(PrivateBytes() - before) / 1e6, 0, 200, "MB");
    Must(writer->Maintain());
    Must(writer->Close());
  }
  double best_open = 1e18, first = 0;
  for (int attempt = 0; attempt < 5; ++attempt) {
    const double start = NowNs();
    auto control = Must(ControlPage::OpenRead(SystemIo(), dir.path));
    auto reader = Must(HeadReader::Open(SystemIo(), dir.path, 1, control));
    const auto snapshot = Must(reader->Snapshot());
    const auto selection = Must(snapshot->Select({Matcher::Equal("__name__", "http_requests_5"), Matcher::Equal("instance", "host-7:9100")}, kT0, kMaxTimeMs));
    const double took = (NowNs() - start) / 1e6;
    if (selection->size() != 1) std::exit(1);
    if (attempt == 0) first = took;
    best_open = std::min(best_open, took);
  }
  Print("open 1,000,000 series + first matcher", first, best_open, 10, "ms; second figure: best of 5");
  const double start = NowNs();
  auto writer = Must(Writer::Open(SystemIo(), clock, dir.path, Options()));
  Print("writer opens 1,000,000 series", (NowNs() - start) / 1e6, 0, 2000, "ms");
}

void BenchDisk() {
  constexpr int kColumns = 1000, kRows = 480;
  Dir dir;
  SteppedClock clock;
  auto writer = Must(Writer::Open(SystemIo(), clock, dir.path, Options()));
  auto a = writer->NewAppender();
  std::vector<std::uint32_t> ids;
  for (std::uint32_t i = 0; i < kColumns; ++i) {
    Must(a->DefineSeries(i, Labels{{"__name__", "metric_" + std::to_string(i)}, {"instance", "host"}}));
    ids.push_back(i);
  }
  Must(a->DefineLayout(0, ids));
  std::mt19937_64 random(1);
  std::vector<double> values(kColumns, 5);
  for (int r = 0; r < kRows; ++r) {
    Fill(&values, r, &random);
    Must(a->Row(0, kT0 + r * 15'000, values, {}));
    Must(a->Commit(1));
  }
  const auto c = writer->counters();
  Print("sealed groups of the head", static_cast<double>(c.head.chunk_bytes) / (kRows * kColumns), 0, 0, "bytes/sample");
  Must(writer->Flush());
  const Manifest m = writer->manifest();
  std::uint64_t bytes = 0, samples = 0;
  for (const auto& b : m.blocks) {
    bytes += b.bytes;
    samples += b.samples;
  }
  Print("block of it, all files", static_cast<double>(bytes) / static_cast<double>(std::max<std::uint64_t>(samples, 1)), 0, 0.4, "bytes/sample; budget is for the corpus");
}

void BenchBlocks() {
  Dir dir;
  block_bench::Run(1'000'000, dir.path);
}

}  // namespace

int main(int argc, char** argv) {
  const struct {
    const char* name;
    void (*run)();
  } kBenches[] = {{"append", BenchAppend}, {"visible", BenchVisible}, {"disk", BenchDisk}, {"million", BenchMillion}, {"blocks", BenchBlocks}};
  std::printf("%-44s %10s %10s %10s\n", "name", "ours", "floor", "budget");
  for (const auto& b : kBenches) {
    bool wanted = argc == 1;
    for (int i = 1; i < argc; ++i) wanted |= std::strcmp(argv[i], b.name) == 0;
    if (wanted) b.run();
  }
  return 0;
}
