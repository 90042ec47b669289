// The engine against the reference evaluator on random queries, bit for bit.
//
// A few thousand run here, always the same. For a long run:
//   PROMKIT_QUERIES=100000 PROMKIT_SEED=7 build/tests/unit_promql --run_test=random_query
// A difference prints seed and query: PROMKIT_SEED=that PROMKIT_QUERIES=1 meets it again.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/number.h"
#include "promql/engine.h"
#include "promql/histogram_math.h"
#include "promql/parse.h"
#include "random_query.h"
#include "reference_eval.h"

namespace prom::promql {
namespace {

using reference::Matrix;
using reference::Value;

std::string FloatText(double v) {
  if (std::isnan(v)) return "NaN";  // which NaN an addition gives is up to the processor
  return FormatFloatG(v) + (v == 0 && std::signbit(v) ? "(-)" : "");
}

std::string HistogramBits(const Histogram& h) {
  std::string out = "{s" + std::to_string(h.schema) + " " + FloatText(h.zero_threshold) + "/" + FloatText(h.zero_count) + " " + FloatText(h.count) + " " +
                    FloatText(h.sum);
  for (const auto& s : h.positive_spans) out += " +" + std::to_string(s.offset) + "," + std::to_string(s.length);
  for (double b : h.positive_buckets) out += " " + FloatText(b);
  for (const auto& s : h.negative_spans) out += " -" + std::to_string(s.offset) + "," + std::to_string(s.length);
  for (double b : h.negative_buckets) out += " " + FloatText(b);
  for (double b : h.custom_values) out += " <" + FloatText(b);
  return out + "}";
}

// One line a series: labels, then time and value of every sample.
using Lines = std::vector<std::string>;

Lines LinesOf(const QueryResult& result, bool ordered) {
  Lines out;
  for (const ResultSeries& s : result.series) {
    std::vector<std::pair<std::int64_t, std::string>> samples;
    for (const FloatSample& f : s.floats) samples.emplace_back(f.t_ms, FloatText(f.v));
    for (const HistogramSample& h : s.histograms) samples.emplace_back(h.t_ms, HistogramBits(*h.h));
    std::sort(samples.begin(), samples.end());
    std::string line = s.labels.ToString();
    for (const auto& [t, text] : samples) line += " " + std::to_string(t) + "=" + text;
    out.push_back(std::move(line));
  }
  if (!ordered) std::sort(out.begin(), out.end());
  return out;
}

Lines LinesOf(const Matrix& m, const reference::Steps& steps, bool ordered) {
  Lines out;
  for (const reference::Series& s : m) {
    if (s.empty()) continue;
    std::string line = s.labels.ToString();
    for (std::size_t k = 0; k < steps.count; ++k) {
      if (s.at[k]) line += " " + std::to_string(steps.At(k)) + "=" + (s.at[k]->h ? HistogramBits(*s.at[k]->h) : FloatText(s.at[k]->f));
    }
    out.push_back(std::move(line));
  }
  if (!ordered) std::sort(out.begin(), out.end());
  return out;
}

struct Counts {
  std::size_t queries = 0, errors = 0, empty = 0, differences = 0;
};

std::string Joined(const Lines& lines) {
  std::string out;
  for (const std::string& line : lines) out += "\n    " + line;
  return out;
}

// One store, `n` queries on it; every seed gives one such batch.
void RunBatch(std::uint64_t seed, std::size_t n, Counts* counts) {
  std::mt19937_64 random(seed);
  reference::Store store;
  MemoryStore memory;
  reference::RandomStore(random, &store, &memory);
  reference::QueryGenerator generator(random);
  for (std::size_t q = 0; q < n; ++q) {
    const std::string text = generator.Query();
    EngineOptions options;
    options.delayed_name_removal = random() % 2 == 0;
    options.parse.experimental_functions = true;
    options.threads = 1 + static_cast<int>(q % 3);
    const reference::Options reference_options{options.lookback_ms, options.subquery_step_ms, options.delayed_name_removal};
    reference::Steps steps;
    static constexpr std::int64_t kStepMs[] = {15'000, 60'000, 37'000, 300'000, 1'000};
    const bool instant = random() % 3 == 0;
    steps.start_ms = static_cast<std::int64_t>(random() % 48) * 50'000 + (random() % 2 == 0 ? static_cast<std::int64_t>(random() % 50'000) : 0);
    steps.step_ms = instant ? 1 : kStepMs[random() % 5];
    steps.count = instant ? 1 : 1 + random() % 80;

    ++counts->queries;
    auto tree = ParseExpr(text, options.parse);
    BOOST_TEST_REQUIRE(tree.has_value(), text << ": " << (tree ? std::string() : tree.error().message));
    QueryControl control;
    const Engine engine(options);
    const std::int64_t end_ms = steps.At(steps.count - 1);
    const Result<QueryResult> got = instant ? engine.InstantExpr(memory, **tree, text, steps.start_ms, control)
                                            : engine.RangeExpr(memory, **tree, text, steps.start_ms, end_ms, steps.step_ms, control);
    const Result<Matrix> want = reference::Evaluate(store, reference_options, **tree, steps);
    const bool ordered = instant && text.starts_with("sort");
    const Lines got_lines = got ? LinesOf(*got, ordered) : Lines{"error: " + got.error().message};
    const Lines want_lines = want ? LinesOf(*want, steps, ordered) : Lines{"error: " + want.error().message};
    counts->errors += !want;
    counts->empty += want_lines.empty();
    if (got_lines == want_lines) continue;
    ++counts->differences;
    BOOST_ERROR("seed " << seed << " query " << q << ", " << (options.delayed_name_removal ? "names removed at the end, " : "")
                        << (instant ? "instant at " : "range from ") << steps.start_ms << " by " << steps.step_ms << " x " << steps.count << ":\n  " << text
                        << "\n  engine:" << Joined(got_lines) << "\n  reference:" << Joined(want_lines));
    if (counts->differences >= 20) return;
  }
}

BOOST_AUTO_TEST_SUITE(random_query)

BOOST_AUTO_TEST_CASE(engine_equals_reference) {
  constexpr std::size_t kBatch = 50;
  const char* queries = std::getenv("PROMKIT_QUERIES");
  const char* first_seed = std::getenv("PROMKIT_SEED");
  const std::size_t wanted = queries != nullptr ? std::strtoull(queries, nullptr, 10) : 4000;
  std::uint64_t seed = first_seed != nullptr ? std::strtoull(first_seed, nullptr, 10) : 1;
  Counts counts;
  for (; counts.queries < wanted && counts.differences < 20; ++seed) RunBatch(seed, kBatch, &counts);
  BOOST_TEST(counts.differences == 0u);
  BOOST_TEST_MESSAGE(counts.queries << " queries, " << counts.errors << " errors, " << counts.empty << " without a result");
  // A generator that mostly fails or finds nothing would prove little.
  BOOST_TEST(counts.errors * 4 < counts.queries);
  BOOST_TEST(counts.empty * 2 < counts.queries);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace prom::promql
