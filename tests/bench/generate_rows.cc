// generate_rows: what a scraper of many targets sends, as a binary stream (prom-stream(5)) on standard output, for
// scripts/bench-million. One batch a target and scrape; of each sent batch "<number> <monotonic ns>" on standard error.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "base/time.h"
#include "exposition/stream_binary.h"

namespace {

void Must(const prom::Result<void>& done) {
  if (done) return;
  std::fprintf(stderr, "generate_rows: %s\n", done.error().message.c_str());
  std::exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"rows of many targets"};
  std::uint32_t targets = 1000, series = 1000;
  int scrapes = 4;
  std::int64_t start_ms = 0, step_ms = 15'000, every_ms = 15'000;
  app.add_option("--targets", targets, "(1000)");
  app.add_option("--series", series, "of each target (1000)");
  app.add_option("--scrapes", scrapes, "(4)");
  app.add_option("--start", start_ms, "time of the first one, Unix ms")->required();
  app.add_option("--step", step_ms, "ms between their times (15000)");
  app.add_option("--every", every_ms, "ms from one to the next, the targets spread over them; 0: as fast as they are taken (15000)");
  CLI11_PARSE(app, argc, argv);
  prom::StreamEncoder out([](std::string_view bytes) -> prom::Result<void> {
    if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) != bytes.size() || std::fflush(stdout) != 0) return prom::Error{prom::Errc::kIo, "standard output"};
    return {};
  });
  for (std::uint32_t k = 0; k < targets; ++k) {
    std::vector<std::uint32_t> ids;
    for (std::uint32_t i = 0; i < series; ++i) {
      ids.push_back(k * series + i);
      Must(out.DefineSeries(ids.back(), prom::Labels{{"__name__", "app_metric_" + std::to_string(i / 50) + "_total"},
                                                     {"handler", "/api/v1/path" + std::to_string(i % 50)},
                                                     {"instance", "host-" + std::to_string(k) + ":9100"},
                                                     {"job", "app"}}));
    }
    Must(out.DefineLayout(k, ids));
  }
  const std::int64_t begin_ns = prom::SystemClock().MonotonicNs();
  std::vector<double> values(series);
  std::uint64_t sequence = 0;
  for (int s = 0; s < scrapes; ++s) {
    for (std::uint32_t k = 0; k < targets; ++k) {
      const std::int64_t due_ns = begin_ns + (s * every_ms * 1'000'000) + k * (every_ms * 1'000'000 / targets);
      if (const std::int64_t left = due_ns - prom::SystemClock().MonotonicNs(); every_ms > 0 && left > 0) std::this_thread::sleep_for(std::chrono::nanoseconds(left));
      // Of counters some stand still, some grow by a little, some by much.
      for (std::uint32_t i = 0; i < series; ++i) values[i] = static_cast<double>(i % 3 == 0 ? i : static_cast<std::uint64_t>(s) * (i % 3 == 1 ? i : i * 7919 + k) + i);
      const std::int64_t offset_ms = step_ms * k / targets;
      Must(out.Row(k, start_ms + s * step_ms + offset_ms, values, {}));
      std::fprintf(stderr, "%llu %lld\n", static_cast<unsigned long long>(++sequence), static_cast<long long>(prom::SystemClock().MonotonicNs()));
      Must(out.Commit(sequence));
    }
  }
  Must(out.Flush());
  return 0;
}
