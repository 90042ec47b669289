// The JSON of query answers, in ns a number (a sample is one number and its time):
// shortest round-trip doubles beside snprintf %.17g, beside the standard library's
// shortest form of the number alone, and beside a copy of the bytes.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "promql/result_json.h"

using namespace prom;

namespace {

constexpr std::size_t kSeries = 100, kSamples = 2000;
constexpr int kRounds = 9;

// Best of several rounds, in ns a number.
double Best(const std::function<void()>& run) {
  double best = 1e300;
  for (int i = 0; i < kRounds; ++i) {
    const auto start = std::chrono::steady_clock::now();
    run();
    best = std::min(best, std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count());
  }
  return best / static_cast<double>(kSeries * kSamples);
}

promql::QueryResult Matrix(const std::function<double()>& next) {
  promql::QueryResult out;
  out.type = promql::ValueType::kMatrix;
  for (std::size_t s = 0; s < kSeries; ++s) {
    promql::ResultSeries series;
    series.labels = Labels{{"__name__", "http_requests_total"}, {"instance", "host" + std::to_string(s) + ":9100"}, {"job", "node"}};
    for (std::size_t i = 0; i < kSamples; ++i) series.floats.push_back({1'700'000'000'000 + static_cast<std::int64_t>(i) * 15'000, next()});
    out.series.push_back(std::move(series));
  }
  return out;
}

void Measure(const char* name, const promql::QueryResult& matrix, const char* budget) {
  std::string out;
  const double ours = Best([&] {
    out.clear();
    promql::AppendResultJson(&out, matrix);
  });
  std::string copy(out.size(), ' ');
  const double memcpy_ns = Best([&] { std::memcpy(copy.data(), out.data(), out.size()); });
  char buffer[64];
  std::size_t sink = 0;
  const double snprintf_ns = Best([&] {
    for (const auto& s : matrix.series)
      for (const FloatSample& f : s.floats) sink += static_cast<std::size_t>(std::snprintf(buffer, sizeof buffer, "[%.3f,\"%.17g\"]", static_cast<double>(f.t_ms) / 1000, f.v));
  });
  const double charconv_ns = Best([&] {
    for (const auto& s : matrix.series)
      for (const FloatSample& f : s.floats) sink += static_cast<std::size_t>(std::to_chars(buffer, buffer + sizeof buffer, f.v, std::chars_format::fixed).ptr - buffer);
  });
  std::printf("%-28s %6.1f ns/number   snprintf %6.1f   to_chars alone %5.1f   memcpy %5.2f   %s   (%zu bytes)\n", name, ours, snprintf_ns, charconv_ns, memcpy_ns, budget, out.size() + (sink & 1));
}

}  // namespace

int main() {
  std::mt19937_64 random(1);
  double counter = 0;
  Measure("json: integers", Matrix([&] { return counter += static_cast<double>(random() % 1000); }), "budget 40");
  Measure("json: two decimals", Matrix([&] { return static_cast<double>(random() % 10'000'000) / 100; }), "budget 40");
  std::uniform_real_distribution<double> uniform(0, 1);
  Measure("json: full doubles (rates)", Matrix([&] { return uniform(random); }), "budget 40");
  return 0;
}
