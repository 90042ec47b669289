// Blocks as each version of the format wrote them (golden_v<version of chunks>/blocks/ULID/).
// They must be read for ever, also when the writer learns to lay blocks out better. What
// must come out is computed here from formulas, not by the code that wrote it.
//
// The files of the version that is written now are made, once, by
//   PROMKIT_WRITE_GOLDEN=1 unit_store --run_test=golden_block
#include <boost/test/unit_test.hpp>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "../../testing.h"
#include "base/bytes.h"
#include "model_store.h"
#include "store/block_reader.h"
#include "store/block_writer.h"

namespace prom::store {
namespace {

using testing::CheckSame;
using testing::ModelSample;
using testing::ModelStore;

constexpr char kUlid[] = "01HF7YAT00G0DENB0CK0000001";
// 2023-11-14 22:00:00 UTC and 600 scrapes from there: 2.5 h, two slices.
constexpr std::int64_t kStart = 1'699'999'200'000, kStep = 15'000;
constexpr int kScrapes = 600;

std::int64_t TimeOf(int i) { return kStart + i * kStep + (i % 100 == 50 ? 3 : 0); }  // a scrape that is late now and then

// One series for each form a chunk can have, and what else a block can hold.
ModelStore Golden() {
  ModelStore store;
  const auto series = [&](const char* name) -> testing::ModelSeries& { return store.series[Labels{{"__name__", name}, {"instance", "a:9100"}, {"job", "golden"}}]; };
  for (int i = 0; i < kScrapes; ++i) {
    const std::int64_t t = TimeOf(i);
    series("constant")[t] = {17, 0, nullptr};
    series("counter_total")[t] = {i < 400 ? i * 3.0 : (i - 400) * 7.0, 0, nullptr};             // one reset
    series("decimal")[t] = {(2000 + i * i % 977) / 100.0, 0, nullptr};                           // hundredths
    series("third_sum")[t] = {i * (1.0 / 3.0), 0, nullptr};                                      // full precision
    series("ulps")[t] = {i * 0.1 + 0.2, 0, nullptr};                                             // decimals with rounding noise
    series("runs")[t] = {static_cast<double>(i / 37), 0, nullptr};
    series("stale_at_end")[t] = {i + 1 == kScrapes ? StaleNan() : 5.5 + i, 0, nullptr};
    series("payloads")[t] = {i % 50 == 0 ? std::bit_cast<double>(std::uint64_t{0x7ff8000000000abc} + static_cast<unsigned>(i)) : i % 50 == 1 ? -0.0 : i % 50 == 2 ? HUGE_VAL : 1.0 * i, 0, nullptr};
    if (i >= 123) series("late")[t] = {i * 1.0, 0, nullptr};
    if (i < 321) series("gone_early")[t] = {i * -2.0, 0, nullptr};
    if (i % 7 != 3) series("gaps")[t] = {i * 1e9, 0, nullptr};
    series("started_total")[t] = {i * 2.0, kStart - 5000 + i / 300, nullptr};
    auto h = std::make_shared<Histogram>();
    h->is_float = i / 100 % 2 == 1;
    h->schema = 3;
    h->zero_threshold = 0x1p-128;
    h->zero_count = i;
    h->positive_spans = {{-2, 2}, {3, 1}};
    h->positive_buckets = {1.0 * i, 2.0 * i, 3.0 * i};
    h->negative_spans = {{0, 1}};
    h->negative_buckets = {4.0 * i};
    h->count = 11.0 * i;
    h->sum = i * 0.25;
    series("latency")[t] = {0, 0, h};
  }
  store.metadata["counter_total"] = {MetricType::kCounter, "What was counted,\nin two lines.", "bytes"};
  store.metadata["latency"] = {MetricType::kHistogram, "", "seconds"};
  store.exemplars[Labels{{"__name__", "counter_total"}, {"instance", "a:9100"}, {"job", "golden"}}] = {
      {Labels{{"trace_id", "abc"}}, 12.5, TimeOf(7), true}, {Labels{{"trace_id", "def"}}, -1, TimeOf(500), true}};
  return store;
}

void CheckGolden(std::uint32_t version) {
  const std::string dir = PROMKIT_SOURCE_DIR "/tests/unit/store/golden_v" + std::to_string(version);
  const ModelStore want = Golden();
  if (version == kBlockChunksVersion && std::getenv("PROMKIT_WRITE_GOLDEN") != nullptr) {
    std::filesystem::remove_all(dir);
    BlockWriterOptions options;
    options.ulid = kUlid;
    BOOST_TEST_REQUIRE(bool(WriteBlock(SystemIo(), dir, want, kMinTimeMs, kMaxTimeMs, options)));
    std::filesystem::remove_all(dir + "/tmp");
  }
  const std::string index = prom::testing::ReadFile(BlockDir(dir, kUlid) + "/index"), chunks = prom::testing::ReadFile(BlockDir(dir, kUlid) + "/chunks");
  BOOST_TEST_REQUIRE((index.size() > 16u && chunks.size() > 16u));
  BOOST_TEST(index.substr(0, 8) == std::string("PKINDX\0\0", 8));
  BOOST_TEST(LoadLe<std::uint32_t>(index.data() + 8) == 1u);  // the version
  BOOST_TEST(chunks.substr(0, 8) == std::string("PKBLCK\0\0", 8));
  BOOST_TEST(LoadLe<std::uint32_t>(chunks.data() + 8) == version);
  const auto block = BlockReader::Open(SystemIo(), BlockDir(dir, kUlid));
  BOOST_TEST_REQUIRE(bool(block));
  BOOST_TEST((*block)->index().Verify().empty());
  BOOST_TEST((*block)->warnings().empty());
  // 13 series: 9 of all 600 scrapes and the histograms, 477 of the late one, 321, and 600 less 86 gaps.
  BOOST_TEST((*block)->head().samples == 10u * 600 + 477 + 321 + 514);
  BOOST_TEST((*block)->head().histogram_samples == 600u);
  BOOST_TEST((*block)->head().slices == 2u);
  BOOST_TEST((*block)->index().series_count() == 13u);
  CheckSame(want, **block, {}, kMinTimeMs, kMaxTimeMs);
  CheckSame(want, **block, {}, TimeOf(470), TimeOf(490));  // over the border of the slices
  CheckSame(want, **block, {Matcher::Equal("__name__", "payloads")}, TimeOf(100), TimeOf(102));
  const auto metadata = (*block)->ListMetadata();
  BOOST_TEST_REQUIRE(bool(metadata));
  BOOST_TEST((*metadata == *want.ListMetadata()));
  const auto exemplars = (*block)->Exemplars({Matchers{}}, kMinTimeMs, kMaxTimeMs), some = (*block)->Exemplars({Matchers{}}, TimeOf(8), kMaxTimeMs);
  BOOST_TEST_REQUIRE((exemplars && some && exemplars->size() == 1u && some->size() == 1u));
  const auto& wanted = want.exemplars.begin()->second;
  BOOST_TEST_REQUIRE((*exemplars)[0].exemplars.size() == wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const Exemplar& e = (*exemplars)[0].exemplars[i];
    BOOST_TEST((e.labels == wanted[i].labels && e.value == wanted[i].value && e.t_ms == wanted[i].t_ms && e.has_time == wanted[i].has_time));
  }
  BOOST_TEST((*some)[0].exemplars.size() == 1u);

  // What such a block becomes in a merge is of the version that is written now.
  prom::testing::TempDir merged;
  BlockWriterOptions options;
  options.ulid = kUlid;
  options.sync = false;
  BOOST_TEST_REQUIRE(bool(WriteBlock(SystemIo(), merged.path(), **block, kMinTimeMs, kMaxTimeMs, options)));
  const auto copy = BlockReader::Open(SystemIo(), BlockDir(merged.path(), kUlid));
  BOOST_TEST_REQUIRE(bool(copy));
  CheckSame(want, **copy, {}, kMinTimeMs, kMaxTimeMs);
  BOOST_TEST(LoadLe<std::uint32_t>(prom::testing::ReadFile(BlockDir(merged.path(), kUlid) + "/chunks").data() + 8) == kBlockChunksVersion);
}

}  // namespace

BOOST_AUTO_TEST_CASE(golden_block) {
  for (const std::uint32_t version : {1u, 2u}) BOOST_TEST_CONTEXT("version " << version) CheckGolden(version);
}

}  // namespace prom::store
