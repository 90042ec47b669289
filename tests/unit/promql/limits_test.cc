// What a query may take: samples, memory, time; how fast it ends when it is told to;
// input made to hurt; and that the number of threads changes nothing.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <bit>
#include <chrono>
#include <cmath>
#include <ctime>
#include <string>
#include <thread>

#include "promql/engine.h"
#include "promql/memory_store.h"

namespace prom::promql {
namespace {

// Of the whole process, in ms: how busy the machine is with other things must not matter.
double CpuMs() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) / 1e6;
}

// `series` counters of `samples` samples, 15 s apart, over shared times.
MemoryStore Counters(std::size_t series, std::size_t samples) {
  MemoryStore store;
  auto times = std::make_shared<std::vector<std::int64_t>>();
  for (std::size_t i = 0; i < samples; ++i) times->push_back(static_cast<std::int64_t>(i) * 15'000);
  for (std::size_t s = 0; s < series; ++s) {
    std::vector<double> v(samples);
    double counter = 0;
    for (std::size_t i = 0; i < samples; ++i) v[i] = counter += static_cast<double>((s * 7 + i * 13) % 101) / 7;
    store.SetColumn(Labels{{"__name__", "c_total"}, {"i", std::to_string(s)}, {"g", std::to_string(s % 10)}}, times, std::move(v));
  }
  return store;
}

std::string ErrorOf(const Result<QueryResult>& result) { return result ? "" : result.error().message; }

EngineOptions Options(int threads = 1) {
  EngineOptions options;
  options.threads = threads;
  options.parse.experimental_functions = true;
  return options;
}

BOOST_AUTO_TEST_SUITE(limits)

BOOST_AUTO_TEST_CASE(memory_is_counted_before_it_is_taken) {
  const MemoryStore store = Counters(2'000, 100);
  EngineOptions options = Options();
  options.max_memory_bytes = 4 << 20;
  const std::string want = "query processing would use more than 4 MiB of memory in query execution (--query.max-memory)";
  QueryControl control;
  const Engine engine(options);
  // Series by series: little is held.
  BOOST_TEST(ErrorOf(engine.Range(store, "sum(rate(c_total[5m]))", 0, 1'485'000, 15'000, control)) == "");
  // 2,000 x 100 samples of 16 bytes are 3.2 MB of result; with input and labels more than the limit.
  BOOST_TEST(ErrorOf(engine.Range(store, "sort(c_total)", 0, 1'485'000, 15'000, control)) == want);
  // Samples are within --query.max-samples, a column of them is not within memory: refused while planning.
  BOOST_TEST(ErrorOf(engine.Range(store, "vector(1)", 0, 10'000'000, 10, control)) == want);
  BOOST_TEST(ErrorOf(engine.Instant(store, "max_over_time(c_total[1h:1ms])", 1'000'000, control)) == want);
  // Labels made by the query count too.
  std::string joined = "label_join(c_total, \"x\", \"\"";
  for (int i = 0; i < 2'000; ++i) joined += ", \"i\"";
  BOOST_TEST(ErrorOf(engine.Instant(store, joined + ")", 1'000'000, control)) == want);
  BOOST_TEST(ErrorOf(engine.Instant(store, "count_values(\"a-rather-long-name-for-a-label\", c_total)", 1'000'000, control)) == "");
}

BOOST_AUTO_TEST_CASE(the_timeout_counts_parsing) {
  const MemoryStore store;
  EngineOptions options = Options();
  options.timeout_ms = 1;
  std::string expr = "1";
  for (int i = 0; i < 300'000; ++i) expr += " # a comment that takes its time to be read over\n";
  QueryControl control;
  BOOST_TEST(ErrorOf(Engine(options).Instant(store, expr + "+ 1", 0, control)) == "query timed out in expression evaluation");
}

// Runs `expr` and cancels it after 50 ms of work; the CPU time it then took to end. Zero when it ended by itself.
double CpuToEnd(const MemoryStore& store, const std::string& expr, std::int64_t end_ms, std::int64_t step_ms, int threads, std::string* error) {
  EngineOptions options = Options(threads);
  options.max_samples = 2'000'000'000;
  options.max_memory_bytes = std::int64_t{8} << 30;
  QueryControl control;
  std::atomic<bool> ended = false;
  std::atomic<double> canceled = 1e300;
  const double began = CpuMs();
  std::jthread client([&] {
    while (!ended && CpuMs() - began < 50) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    control.canceled = true;
    canceled = CpuMs();  // behind it: what the query works while this thread waits for its turn is not its fault
  });
  const Engine engine(options);
  const auto result = step_ms == 0 ? engine.Instant(store, expr, end_ms, control) : engine.Range(store, expr, 0, end_ms, step_ms, control);
  const double end = CpuMs();
  ended = true;
  client.join();
  *error = ErrorOf(result);
  return std::max(0.0, end - canceled);
}

BOOST_AUTO_TEST_CASE(cancellation_is_heard_in_every_operator) {
  const MemoryStore wide = Counters(30'000, 20), tall = Counters(3, 200'000);
  struct Row {
    const char* expr;
    const MemoryStore& store;
    std::int64_t end_ms, step_ms;
  };
  const Row rows[] = {
      {"avg_over_time(c_total[30d])", tall, 3'000'000'000, 60'000},
      {"stddev_over_time(c_total[30d])", tall, 3'000'000'000, 60'000},
      {"quantile_over_time(0.5, c_total[30d])", tall, 3'000'000'000, 60'000},
      {"mad_over_time(c_total[30d])", tall, 3'000'000'000, 60'000},
      {"deriv(c_total[30d])", tall, 3'000'000'000, 60'000},
      {"predict_linear(c_total[30d], 60)", tall, 3'000'000'000, 60'000},
      {"double_exponential_smoothing(c_total[30d], 0.1, 0.1)", tall, 3'000'000'000, 60'000},
      {"sum_over_time(rate(c_total[5m])[30d:15s])", tall, 3'000'000'000, 60'000},
      {"sort_by_label(c_total, \"i\", \"g\")", wide, 285'000, 0},
      {"sort(c_total)", wide, 285'000, 0},
      {"topk(10, c_total)", wide, 285'000, 1'500},
      {"quantile(0.5, c_total)", wide, 285'000, 1'500},
      {"count_values(\"v\", c_total)", wide, 285'000, 1'500},
      {"c_total + on (i) group_left () c_total", wide, 285'000, 1'500},
      {"c_total or c_total", wide, 285'000, 1'500},
      {"label_replace(c_total, \"x\", \"$1\", \"i\", \"(.*?)*.*.*.*.*.*(9|8|7)\")", wide, 285'000, 1'500},
      {"histogram_quantile(0.9, label_replace(c_total, \"le\", \"$1\", \"i\", \".*(.)\"))", wide, 285'000, 1'500},
      {"sum by (g) (c_total)", wide, 285'000, 1'500},
  };
  for (const Row& row : rows) {
    for (int threads : {1, 2}) {
      BOOST_TEST_CONTEXT(row.expr << " with " << threads << " threads") {
        std::string error;
        const double took = CpuToEnd(row.store, row.expr, row.end_ms, row.step_ms, threads, &error);
        BOOST_TEST((error.empty() || error.starts_with("query was canceled in ")), error);
        // 100 ms a thread is what is promised; sanitizers get room.
        BOOST_TEST(took < 400 * threads);
        if (took > 50) BOOST_TEST_MESSAGE(row.expr << ": " << took << " ms");
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(input_made_to_hurt) {
  const MemoryStore store = Counters(300, 20);
  auto repeat = [](std::string_view s, std::size_t n) {
    std::string out;
    for (std::size_t i = 0; i < n; ++i) out += s;
    return out;
  };
  struct Row {
    std::string what, expr;
    bool range = false;
  };
  const Row rows[] = {
      {"a megabyte of open parentheses", repeat("(", 1'000'000)},
      {"nested parentheses, closed", repeat("(", 500'000) + "1" + repeat(")", 500'000)},
      {"nested calls", repeat("abs(", 250'000) + "c_total" + repeat(")", 250'000)},
      {"nested subqueries", "c_total" + repeat("[1h:1m])", 120'000)},
      {"or, 100,000 times", "c_total" + repeat(" or c_total", 100'000)},
      {"+, 100,000 times", "1" + repeat("+1", 100'000)},
      {"unary minus, 100,000 times", repeat("-", 100'000) + "c_total"},
      {"^, 100,000 times", "2" + repeat("^2", 100'000)},
      {"a label 100,000 times", "c_total{" + repeat("a=\"b\",", 100'000) + "}  +"},
      {"duration arithmetic", "c_total[" + repeat("1+", 300'000) + "1s"},
      {"a string without end", "\"" + repeat("a", 1'000'000)},
      {"ten years in milliseconds", "max_over_time(c_total[10y:1ms])"},
      {"ten years in milliseconds, thrice", "max_over_time(max_over_time(max_over_time(c_total[10y:1ms])[10y:1ms])[10y:1ms])"},
      {"a year in seconds, with all series", "c_total", true},
      {"a long regex", "c_total{i=~\"" + repeat("(a|b)*", 20'000) + "\"}"},
      {"repeats of repeats", "c_total{i=~\"((((a{1,100}){1,100}){1,100}){1,100})\"}"},
      {"a large repeat", "c_total{i=~\"(x+x+)+y{1000}{1000}\"}"},
      {"repeats in label_replace", "label_replace(c_total, \"a\", \"$1\", \"i\", \"((a{1,100}){1,100}){1,100}\")"},
      {"cross join", "c_total * on () group_left () c_total"},
  };
  EngineOptions options = Options(2);
  options.max_memory_bytes = 64 << 20;
  options.timeout_ms = 10'000;
  options.parse.duration_expressions = true;
  const Engine engine(options);
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.what) {
      QueryControl control;
      const double start = CpuMs();
      const auto result = row.range ? engine.Range(store, row.expr, 0, std::int64_t{365} * 86'400'000, 1'000, control)
                                    : engine.Instant(store, row.expr, 285'000, control);
      const double ms = CpuMs() - start;
      BOOST_TEST(!result.has_value());
      const double budget = 50 * std::max(1.0, static_cast<double>(row.expr.size()) / 1e6);
      BOOST_TEST(ms < 6 * budget);  // sanitizers get room
      if (ms > budget) BOOST_TEST_MESSAGE(row.what << ": " << ms << " ms");
    }
  }
}

BOOST_AUTO_TEST_CASE(the_number_of_threads_changes_nothing) {
  const MemoryStore store = Counters(3'000, 400);
  const char* exprs[] = {"sum(rate(c_total[5m]))", "avg by (g) (rate(c_total[5m]))", "stddev(c_total)", "rate(c_total[1h])", "topk(3, c_total)",
                         "quantile by (g) (0.9, c_total)", "c_total / ignoring (x) rate(c_total[5m])", "sum(max_over_time(rate(c_total[5m])[30m:1m]))",
                         "c_total or rate(c_total[5m])", "histogram_quantile(0.9, label_replace(c_total, \"le\", \"$1\", \"i\", \".*(.)\"))",
                         "sum(rate(nothing_total[5m])) or sum(rate(c_total[2m])) + sum(rate(c_total[7m]))", "scalar(c_total) + scalar(sum(c_total))"};
  for (const char* expr : exprs) {
    BOOST_TEST_CONTEXT(expr) {
      QueryControl control;
      const auto want = Engine(Options(1)).Range(store, expr, 0, 6'000'000, 60'000, control);
      for (int threads : {2, 3, 8}) {
        const auto got = Engine(Options(threads)).Range(store, expr, 0, 6'000'000, 60'000, control);
        BOOST_TEST_REQUIRE(got.has_value() == want.has_value());
        if (!want) continue;
        BOOST_TEST_REQUIRE(got->series.size() == want->series.size());
        BOOST_TEST(got->warnings == want->warnings);
        BOOST_TEST(got->infos == want->infos);
        std::size_t different = 0;
        for (std::size_t i = 0; i < want->series.size(); ++i) {
          const ResultSeries &a = want->series[i], &b = got->series[i];
          different += a.labels != b.labels || a.floats.size() != b.floats.size();
          for (std::size_t k = 0; k < std::min(a.floats.size(), b.floats.size()); ++k) {
            different += a.floats[k].t_ms != b.floats[k].t_ms || std::bit_cast<std::uint64_t>(a.floats[k].v) != std::bit_cast<std::uint64_t>(b.floats[k].v);
          }
        }
        BOOST_TEST(different == 0u);
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace prom::promql
