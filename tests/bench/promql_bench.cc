// The engine on columns in memory: 5,000 series that share one column of 5,760
// times at 15 s (a day), query step 60 s. Printed is time per sample in the
// queried range, CPU time, best of three; decoding is not part of it (see the chunk and
// store benchmarks). The 230 MB come from memory, except for sum_rate_in_cache. Floor:
// one pass that adds up all values.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <limits>
#include <string>

#include "promql/engine.h"
#include "promql/memory_store.h"

namespace {

// CPU time of this thread: the machine may be busy with other things.
double NowMs() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) / 1e6;
}

// `series` counters over one column of times.
void Fill(prom::promql::MemoryStore* store, const std::shared_ptr<const std::vector<std::int64_t>>& times, std::size_t series) {
  std::uint64_t random = 88172645463325252ull;
  auto next = [&random] {
    random ^= random << 13;
    random ^= random >> 7;
    return random ^= random << 17;
  };
  for (std::size_t s = 0; s < series; ++s) {
    std::vector<double> v(times->size());
    double counter = 0;
    for (double& x : v) {
      counter += static_cast<double>(next() % 100);
      if (next() % 20'000 == 0) counter = 0;  // a restart now and then
      x = counter;
    }
    store->SetColumn(prom::Labels{{"__name__", "x_total"},
                                  {"instance", "host" + std::to_string(s / 50) + ":9100"},
                                  {"job", "node"},
                                  {"device", "d" + std::to_string(s % 50)}},
                     times, std::move(v));
  }
}

// CPU nanoseconds a sample, best of `runs`; negative when the query fails.
double Measure(const prom::promql::MemoryStore& store, const char* expr, const std::vector<std::int64_t>& times, double samples, int runs) {
  static const prom::promql::Engine engine;
  double best = std::numeric_limits<double>::max();
  for (int run = 0; run < runs; ++run) {
    prom::promql::QueryControl control;
    const double start = NowMs();
    auto result = engine.Range(store, expr, times.front(), times.back(), 60'000, control);
    if (!result) {
      std::fprintf(stderr, "%s: %s\n", expr, result.error().message.c_str());
      return -1;
    }
    best = std::min(best, (NowMs() - start) * 1e6 / samples);
  }
  return best;
}

struct Row {
  const char* name;
  const char* expr;
  double budget;  // ns per sample, 0: none set
};

}  // namespace

int main(int argc, char** argv) {
  const std::size_t series = argc > 1 && std::strncmp(argv[1], "--", 2) != 0 ? std::strtoul(argv[1], nullptr, 10) : 5'000;
  const std::size_t samples = 5'760;
  std::string only;
  for (int i = 1; i < argc; ++i) {
    if (std::strncmp(argv[i], "--benchmarks=", 13) == 0) only = "," + std::string(argv[i] + 13) + ",";
  }
  auto times = std::make_shared<std::vector<std::int64_t>>();
  for (std::size_t i = 0; i < samples; ++i) times->push_back(1'700'000'000'000 + static_cast<std::int64_t>(i) * 15'000);
  prom::promql::MemoryStore store, hot;  // hot: fits the cache, as columns do that were just decoded
  Fill(&store, times, series);
  Fill(&hot, times, 50);
  const double total = static_cast<double>(series * samples);

  double floor_ns = std::numeric_limits<double>::max();
  volatile double sink = 0;
  for (int run = 0; run < 3; ++run) {
    auto selection = store.Select({prom::Matcher::Equal("__name__", "x_total")}, times->front(), times->back());
    const double start = NowMs();
    prom::SeriesColumns columns;
    double sum = 0;
    for (std::size_t i = 0; i < (*selection)->size(); ++i) {
      if (!(*selection)->Read(i, times->front(), times->back(), &columns)) return 1;
      for (double v : columns.v) sum += v;
    }
    sink = sink + sum;
    floor_ns = std::min(floor_ns, (NowMs() - start) * 1e6 / total);
  }

  const Row rows[] = {
      {"sum_rate", "sum(rate(x_total[5m]))", 2.0},
      {"sum_by_rate", "sum by (instance) (rate(x_total[5m]))", 2.0},
      {"sum_increase_1h", "sum(increase(x_total[1h]))", 2.0},
      {"rate", "rate(x_total[5m])", 0},
      {"rate_ratio", "sum(rate(x_total[5m]) / rate(x_total[5m]))", 0},
      {"select", "sum(x_total)", 2.0},
      {"avg_over_time", "sum(avg_over_time(x_total[5m]))", 0},
      {"max_over_time_1h", "sum(max_over_time(x_total[1h]))", 0},
      {"quantile_over_time", "sum(quantile_over_time(0.9, x_total[5m]))", 0},
      {"stddev_over_time", "sum(stddev_over_time(x_total[5m]))", 0},
      {"topk_rate", "topk(5, rate(x_total[5m]))", 0},
      {"subquery", "sum(max_over_time(rate(x_total[5m])[30m:1m]))", 0},
  };
  std::printf("%-22s %10s %10s %8s\n", "ns per sample", "ours", "floor", "budget");
  auto print = [&](const char* name, double ns, double budget) {
    std::printf("%-22s %10.2f %10.2f ", name, ns, floor_ns);
    budget != 0 ? std::printf("%8.2f\n", budget) : std::printf("%8s\n", "-");
  };
  const auto wanted = [&](const char* name) { return only.empty() || only.find("," + std::string(name) + ",") != std::string::npos; };
  if (wanted("sum_rate_in_cache")) {
    print("sum_rate_in_cache", Measure(hot, "sum(rate(x_total[5m]))", *times, 50.0 * static_cast<double>(samples), 30), 1.5);
  }
  for (const Row& row : rows) {
    if (!wanted(row.name)) continue;
    const double ns = Measure(store, row.expr, *times, total, 3);
    if (ns < 0) return 1;
    print(row.name, ns, row.budget);
  }
  return 0;
}
