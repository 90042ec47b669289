// Any text as a query on a small fixed store, under tight limits: it must end, in
// time and within them, and what comes out must be a result: series sorted, no two
// of the same labels, times ascending. Both ways of removing names, one thread and two.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "promql/engine.h"
#include "promql/memory_store.h"

namespace {

using namespace prom;
using namespace prom::promql;

void Fail(std::string_view what, std::string_view input) {
  std::fprintf(stderr, "%.*s: %.*s\n", static_cast<int>(what.size()), what.data(), static_cast<int>(input.size()), input.data());
  std::abort();
}

// Twenty minutes of counters, gauges, buckets and histograms.
const MemoryStore& Store() {
  static const MemoryStore store = [] {
    MemoryStore out;
    for (int s = 0; s < 4; ++s) {
      const std::string i = std::to_string(s % 2), job = s < 2 ? "a" : "b";
      for (std::int64_t t = 0; t < 1'200'000; t += 30'000) {
        const double n = static_cast<double>(t) / 1000;
        out.Append(Labels{{"__name__", "c_total"}, {"job", job}, {"instance", i}}, t, t == 600'000 ? 0 : n * (s + 1));
        out.Append(Labels{{"__name__", "g"}, {"job", job}, {"instance", i}}, t, s == 3 ? -n : n / 7);
        for (const char* le : {"1", "5", "+Inf"}) out.Append(Labels{{"__name__", "b_bucket"}, {"job", job}, {"instance", i}, {"le", le}}, t, n);
        auto h = std::make_shared<Histogram>();
        h->schema = s == 3 ? Histogram::kCustomSchema : 0;
        if (s == 3) h->custom_values = {1, 5};
        h->positive_spans = {{0, 2}};
        h->positive_buckets = {n, n * 2};
        h->count = n * 3;
        h->sum = n;
        out.Append(Labels{{"__name__", "h"}, {"job", job}, {"instance", i}}, t, h);
      }
    }
    return out;
  }();
  return store;
}

template <typename Samples>
bool Ascending(const Samples& samples) {
  for (std::size_t i = 1; i < samples.size(); ++i)
    if (samples[i].t_ms <= samples[i - 1].t_ms) return false;
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  for (const bool on : {true, false}) {
    EngineOptions options;
    options.max_samples = 100'000;
    options.max_memory_bytes = 16 << 20;
    options.timeout_ms = 2'000;
    options.threads = on ? 2 : 1;
    options.delayed_name_removal = on;
    options.parse = {on, on, on, on};
    const Engine engine(options);
    QueryControl control;
    const auto instant = engine.Instant(Store(), input, 900'000, control);
    if (!instant && instant.error().message.empty()) Fail("error without text", input);
    const auto range = engine.Range(Store(), input, 0, 1'200'000, 47'000, control);
    if (!range) continue;
    for (std::size_t i = 0; i < range->series.size(); ++i) {
      const ResultSeries& s = range->series[i];
      if (s.floats.empty() && s.histograms.empty()) Fail("series without samples", input);
      if (!Ascending(s.floats) || !Ascending(s.histograms)) Fail("times do not ascend", input);
      if (i > 0 && !(range->series[i - 1].labels < s.labels)) Fail("series not sorted or not unique", input);
    }
  }
  return 0;
}
