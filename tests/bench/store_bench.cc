// Write path and head: prints "name  ours  floor  budget". Run: bench_store [name...]
#include <malloc.h>
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
#include <thread>
#include <vector>

#include "base/crc32c.h"
#include "base/io.h"
#include "base/number.h"
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
double Next(double v, std::size_t series, int row, std::mt19937_64* random) {
  const std::size_t kind = series % 20;
  if (kind < 11) return static_cast<double>(series % 7);
  if (kind < 17) return v + static_cast<double>((*random)() % 100);
  if (kind < 19) return static_cast<double>((*random)() % 10'000) / 100;
  return v + std::sin(static_cast<double>(row)) * 0.001;
}
void Fill(std::vector<double>* values, int row, std::mt19937_64* random) {
  for (std::size_t i = 0; i < values->size(); ++i) (*values)[i] = Next((*values)[i], i, row, random);
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

// What a scraper defines of target k before its first row.
std::unique_ptr<Appender> NewTarget(Writer* writer, std::uint32_t k, std::uint32_t columns) {
  auto appender = writer->NewAppender();
  std::vector<std::uint32_t> ids;
  for (std::uint32_t i = 0; i < columns; ++i) {
    Must(appender->DefineSeries(
        i, Labels{{"__name__", "http_requests_" + std::to_string(i)}, {"instance", "host-" + std::to_string(k) + ":9100"}, {"job", "node"}, {"region", "KR"}}));
    ids.push_back(i);
  }
  Must(appender->DefineLayout(0, ids));
  return appender;
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
      appenders.push_back(NewTarget(writer.get(), k, kColumns));
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

std::size_t AnonymousBytes() {
  std::size_t kib = 0;
  char line[256];
  if (FILE* f = std::fopen("/proc/self/status", "r")) {
    while (std::fgets(line, sizeof line, f) != nullptr)
      if (std::sscanf(line, "RssAnon: %zu kB", &kib) == 1) break;
    std::fclose(f);
  }
  return kib * 1024;
}

// The largest private memory while it lives.
class Peak {
 public:
  Peak() : thread_([this](std::stop_token stop) {
    while (!stop.stop_requested()) {
      most_ = std::max(most_, AnonymousBytes());
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }) {}
  double Megabytes() {
    thread_.request_stop();
    thread_.join();
    return static_cast<double>(most_) / 1e6;
  }

 private:
  std::size_t most_ = 0;
  std::jthread thread_;
};

// A million series, three windows of some rows: each window made into a block, the three
// blocks merged. The producers go on with the next window before the last one is a block.
void BenchMerge() {
  constexpr std::uint32_t kSeries = 1'000'000, kColumns = 1000;
  constexpr int kRows = 35;  // some are sealed
  constexpr std::int64_t kWindow = 2 * 3'600'000;
  ::mallopt(M_ARENA_MAX, 2);  // as promstore serve
  ::mallopt(M_MMAP_THRESHOLD, 4 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 4 << 20);
  ::mallopt(M_MXFAST, 0);
  Dir dir;
  SteppedClock clock;
  WriterOptions options = Options();
  options.block_ms = kWindow;
  clock.now = kT0 / (3 * kWindow) * 3 * kWindow;  // three windows that are merged together
  auto writer = Must(Writer::Open(SystemIo(), clock, dir.path, options));
  std::vector<std::unique_ptr<Appender>> appenders;
  std::vector<double> values(kColumns, 1);
  std::mt19937_64 random(3);
  for (int window = 0; window < 4; ++window) {  // the fourth only begins
    Peak peak;
    double worst = 0, worst_cpu = 0;
    for (int row = 0; row < (window == 3 ? 1 : kRows); ++row) {
      clock.now += 15'000;
      Fill(&values, row, &random);
      for (std::uint32_t k = 0; k < kSeries / kColumns; ++k) {
        if (appenders.size() == k) {
          appenders.push_back(NewTarget(writer.get(), k, kColumns));
        }
        const double start = NowNs(), start_cpu = CpuNs();
        Must(appenders[k]->Row(0, clock.now + k % 100, values, {}));
        Must(appenders[k]->Commit(1));
        if (row == 0 && window == 0) continue;
        worst = std::max(worst, (NowNs() - start) / 1e6);
        worst_cpu = std::max(worst_cpu, (CpuNs() - start_cpu) / 1e6);
      }
    }
    Print(window == 0 ? "peak private memory, first rows of a million" : "peak private memory, the next window", peak.Megabytes(), 0, 250, "MB");
    Print("  longest commit of a row", worst, worst_cpu, 0, "ms; second figure: CPU");
    if (window == 3) break;
    clock.now = (clock.now / kWindow + 1) * kWindow;
    Peak index_peak;
    double start = NowNs();
    Must(writer->Maintain());
    Print("peak private memory, the epoch's index", index_peak.Megabytes(), (NowNs() - start) / 1e9, 250, "MB; second figure: s");
    Peak block_peak;
    start = NowNs();
    Must(writer->Flush());
    Print("peak private memory, epoch into block", block_peak.Megabytes(), (NowNs() - start) / 1e9, 250, "MB; second figure: s");
  }
  Must(writer->Flush());
  Peak peak;
  const double start = NowNs();
  Must(writer->CompactBlocksNow());
  Print("peak private memory, merge of three blocks", peak.Megabytes(), (NowNs() - start) / 1e9, 250, "MB; second figure: s");
  std::printf("%-44s %10.1f\n", "blocks left", static_cast<double>(writer->manifest().blocks.size()));
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

// ---- Layout churn -----------------------------------------------------------
// A page of 1,000 series of which a share is replaced at every scrape, as pods come
// and go, for one window of 2 h at 15 s. The producer does what promscrape does: it
// appends columns for new series, gives those that went a stale marker, and begins
// anew once most columns have been dead for 8 pages.

struct ChurnCost {
  double define_ns = 0;   // CPU of definitions, a series
  double append_ns = 0;   // CPU of rows, commits and sealing, a sample
  double compact_ns = 0;  // CPU of the block, a sample
  double head_bytes = 0;  // of sealed groups, a sample
  double block_bytes = 0; // of all but the index, a sample
  double series_bytes = 0;       // of the index of the block, a series
  double head_series_bytes = 0;  // of series, layouts and homes in the head, a series
  double samples = 0, series = 0;
};

std::uint64_t FileBytes(const std::string& dir, const std::vector<std::string>& names, bool without = false) {
  std::uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir)) {
    if (!entry.is_regular_file()) continue;
    const bool named = std::find(names.begin(), names.end(), entry.path().filename().string()) != names.end();
    if (named != without) bytes += entry.file_size();
  }
  return bytes;
}

ChurnCost Churn(int percent) {
  constexpr std::size_t kLive = 1000;
  constexpr int kRows = 480;
  constexpr int kReports = 8;
  Dir dir;
  SteppedClock clock;
  auto writer = Must(Writer::Open(SystemIo(), clock, dir.path, Options()));
  auto a = writer->NewAppender();
  std::mt19937_64 random(7);
  ChurnCost cost;
  std::uint32_t next_series = 0, next_layout = 0;
  // By column of the producer's layout.
  std::vector<std::uint32_t> ids;
  std::vector<double> values;
  std::vector<int> state;  // 0 dead, 1 live, 2 stale now
  std::size_t defined = 0;
  int sparse = 0;
  bool new_layout = true;
  double define = 0, append = 0;
  const auto add = [&] {
    const std::uint32_t n = next_series++;
    Must(a->DefineSeries(n, Labels{{"__name__", "container_metric_" + std::to_string(n % 50)},
                                   {"container", "app"},
                                   {"instance", "10.0.0.7:10250"},
                                   {"job", "kubelet"},
                                   {"namespace", "production"},
                                   {"pod", "frontend-7d4b9c6f5d-" + std::to_string(100'000 + n / 50)}}));
    ids.push_back(n);
    values.push_back(static_cast<double>(random() % 1000));
    state.push_back(1);
  };
  double start = CpuNs();
  for (std::size_t i = 0; i < kLive; ++i) add();
  define += CpuNs() - start;
  std::vector<std::uint64_t> present;
  for (int r = 0; r < kRows; ++r) {
    for (int& s : state) s = s == 2 ? 0 : s;
    if (r > 0) {
      // Whole groups of neighbours go and come, as the series of a pod do.
      std::size_t replace = kLive * static_cast<std::size_t>(percent) / 100;
      while (replace > 0) {
        std::size_t at = random() % ids.size();
        while (state[at] != 1) at = (at + 1) % ids.size();
        for (std::size_t k = 0; k < 50 && replace > 0 && at < ids.size() && state[at] == 1; ++k, ++at, --replace) state[at] = 2;
      }
      std::size_t live = static_cast<std::size_t>(std::count(state.begin(), state.end(), 1));
      sparse = ids.size() > 2 * kLive ? sparse + 1 : 0;
      if (sparse >= kReports) {
        std::vector<std::uint32_t> new_ids;
        std::vector<double> new_values;
        std::vector<int> new_state;
        for (std::size_t i = 0; i < ids.size(); ++i) {
          if (state[i] == 0) continue;
          new_ids.push_back(ids[i]);
          new_values.push_back(values[i]);
          new_state.push_back(state[i]);
        }
        ids.swap(new_ids);
        values.swap(new_values);
        state.swap(new_state);
        sparse = 0;
        defined = 0;
        new_layout = true;
      }
      start = CpuNs();
      for (; live < kLive; ++live) add();
      define += CpuNs() - start;
    }
    for (std::size_t i = 0; i < ids.size(); ++i) values[i] = Next(values[i], ids[i], r, &random);
    present.assign((ids.size() + 63) / 64, 0);
    std::vector<double> row(ids.size());
    bool all = true;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      all &= state[i] != 0;
      if (state[i] == 0) continue;
      present[i / 64] |= std::uint64_t{1} << (i % 64);
      row[i] = state[i] == 2 ? StaleNan() : values[i];
      cost.samples += 1;
    }
    start = CpuNs();
    if (new_layout) ++next_layout;
    new_layout = false;
    if (defined < ids.size()) Must(a->DefineLayout(next_layout - 1, std::span(ids).subspan(defined)));
    defined = ids.size();
    define += CpuNs() - start;
    start = CpuNs();
    Must(a->Row(next_layout - 1, kT0 + r * 15'000, row, all ? std::span<const std::uint64_t>() : present));
    Must(a->Commit(1));
    append += CpuNs() - start;
  }
  cost.series = next_series;
  const std::string epoch = dir.path + "/head/00000001";
  cost.head_series_bytes = static_cast<double>(FileBytes(epoch, {"series", "layouts", "homes", "homes_more"})) / cost.series;
  start = CpuNs();
  Must(writer->Flush());
  cost.compact_ns = (CpuNs() - start) / cost.samples;
  const auto c = writer->counters();
  if (static_cast<double>(c.head.appended) != cost.samples) std::exit(1);
  cost.define_ns = define / cost.series;
  cost.append_ns = append / cost.samples;
  cost.head_bytes = static_cast<double>(c.head.chunk_bytes) / cost.samples;
  cost.block_bytes = static_cast<double>(FileBytes(dir.path + "/blocks", {"index"}, true)) / cost.samples;
  cost.series_bytes = static_cast<double>(FileBytes(dir.path + "/blocks", {"index"})) / cost.series;
  return cost;
}

void BenchChurn() {
  std::printf("%-24s %9s %9s %9s %9s %9s %9s %9s %9s %9s %9s\n", "churn, 1,000 live", "samples", "series", "define", "append", "block", "CPU sum", "head", "block", "index", "head");
  std::printf("%-24s %9s %9s %9s %9s %9s %9s %9s %9s %9s %9s\n", "", "", "", "ns/series", "ns/sample", "ns/sample", "to steady", "B/sample", "B/sample", "B/series", "B/series");
  ChurnCost steady;
  for (const int percent : {0, 2, 10, 30}) {
    ChurnCost best;
    for (int attempt = 0; attempt < 3; ++attempt) {
      const ChurnCost c = Churn(percent);
      if (attempt == 0 || c.append_ns + c.compact_ns < best.append_ns + best.compact_ns) best = c;
    }
    if (percent == 0) steady = best;
    std::printf("%3d %% replaced a scrape   %9.0f %9.0f %9.0f %9.1f %9.1f %9.2f %9.3f %9.3f %9.1f %9.1f   %.2f x bytes of the block, %.2f with its index\n", percent, best.samples, best.series, best.define_ns,
                best.append_ns, best.compact_ns, (best.append_ns + best.compact_ns) / (steady.append_ns + steady.compact_ns), best.head_bytes, best.block_bytes, best.series_bytes,
                best.head_series_bytes, best.block_bytes / steady.block_bytes,
                (best.block_bytes + best.series_bytes * best.series / best.samples) / (steady.block_bytes + steady.series_bytes * steady.series / steady.samples));
    std::fflush(stdout);
  }
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
  } kBenches[] = {{"append", BenchAppend}, {"visible", BenchVisible}, {"disk", BenchDisk}, {"churn", BenchChurn}, {"million", BenchMillion}, {"merge", BenchMerge}, {"blocks", BenchBlocks}};
  std::printf("%-44s %10s %10s %10s\n", "name", "ours", "floor", "budget");
  for (const auto& b : kBenches) {
    bool wanted = argc == 1;
    for (int i = 1; i < argc; ++i) wanted |= std::strcmp(argv[i], b.name) == 0;
    if (wanted) b.run();
  }
  return 0;
}
