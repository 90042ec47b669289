#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <random>

#include "../../testing.h"
#include "base/bytes.h"
#include "base/ulid.h"
#include "model_store.h"
#include "store/block_columns.h"
#include "store/block_reader.h"
#include "store/block_writer.h"

namespace prom::store {
namespace {

using testing::CheckSame;
using testing::ModelStore;

constexpr std::int64_t kStart = 1'700'000'000'000 / 7'200'000 * 7'200'000;

BlockInfo Write(const std::string& dir, const Queryable& source, std::int64_t min_ms = kMinTimeMs, std::int64_t max_ms = kMaxTimeMs,
                BlockWriterOptions options = {}) {
  options.ulid = NewUlid(kStart);
  options.sync = false;
  auto info = WriteBlock(SystemIo(), dir, source, min_ms, max_ms, options);
  BOOST_REQUIRE_MESSAGE(bool(info), (info ? "" : info.error().message));
  return std::move(*info);
}

std::shared_ptr<const BlockReader> OpenBlock(const std::string& dir, const BlockInfo& info) {
  auto reader = BlockReader::Open(SystemIo(), BlockDir(dir, info.ulid));
  BOOST_REQUIRE_MESSAGE(bool(reader), (reader ? "" : reader.error().message));
  return *reader;
}

BOOST_AUTO_TEST_SUITE(block)

BOOST_AUTO_TEST_CASE(round_trip) {
  prom::testing::TempDir dir;
  std::mt19937 random(1);
  ModelStore store;
  testing::Fill(random, &store, 4, 23, kStart, 1100);
  const BlockInfo info = Write(dir.path(), store);
  std::uint64_t samples = 0, histograms = 0;
  for (const auto& [labels, s] : store.series) {
    samples += s.size();
    for (const auto& [t, sample] : s) histograms += sample.h != nullptr;
  }
  BOOST_TEST(info.samples == samples);
  BOOST_TEST(info.histogram_samples == histograms);
  BOOST_TEST(info.series == store.series.size());
  BOOST_TEST((std::pair(info.min_ms, info.max_ms) == store.TimeRange()));
  const auto block = OpenBlock(dir.path(), info);
  BOOST_TEST(block->head().samples == samples);
  BOOST_TEST(block->head().ulid == info.ulid);
  CheckSame(store, *block, {}, kMinTimeMs, kMaxTimeMs);
  const auto [oldest, newest] = store.TimeRange();
  for (int i = 0; i < 60; ++i) {
    std::int64_t a = oldest - 100'000 + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(newest - oldest + 200'000));
    std::int64_t b = a + static_cast<std::int64_t>(random() % (i % 2 == 0 ? 20'000 : 9'000'000));
    const Matchers matchers = i % 3 == 0 ? Matchers{} : Matchers{Matcher::Equal("job", "node")};
    CheckSame(store, *block, matchers, a, b);
  }
  BOOST_TEST((*block->LabelNames({}, kMinTimeMs, kMaxTimeMs) == *store.LabelNames({}, 0, 0)));
  const Matchers api{Matcher::Equal("job", "api")};
  BOOST_TEST((*block->LabelValues("instance", api, kMinTimeMs, kMaxTimeMs) == *store.LabelValues("instance", api, 0, 0)));
  BOOST_TEST(block->LabelNames({}, newest + 1, kMaxTimeMs)->empty());
}

// Only what lies in the range is copied; series without samples there are not in the index.
BOOST_AUTO_TEST_CASE(range_and_empty_series) {
  prom::testing::TempDir dir;
  std::mt19937 random(2);
  ModelStore store;
  testing::Fill(random, &store, 3, 10, kStart, 2000);
  const std::int64_t lo = kStart + 1'000'003, hi = kStart + 20'000'000;
  const BlockInfo info = Write(dir.path(), store, lo, hi);
  ModelStore want;
  for (const auto& [labels, s] : store.series) {
    auto slice = testing::Slice(s, lo, hi);
    if (!slice.empty()) want.series.emplace(labels, slice);
  }
  const auto block = OpenBlock(dir.path(), info);
  BOOST_TEST(block->index().series_count() == want.series.size());
  BOOST_TEST((*block->LabelValues("__name__", {}, lo, hi) == *want.LabelValues("__name__", {}, 0, 0)));
  CheckSame(want, *block, {}, kMinTimeMs, kMaxTimeMs);
}

BOOST_AUTO_TEST_CASE(no_samples_no_block) {
  prom::testing::TempDir dir;
  ModelStore store;
  store.series[Labels{{"a", "b"}}];
  const BlockInfo info = Write(dir.path(), store);
  BOOST_TEST(info.samples == 0u);
  BOOST_TEST(!std::filesystem::exists(BlockDir(dir.path(), info.ulid)));
  BOOST_TEST(std::filesystem::is_empty(dir / "tmp"));
}

// Times at the ends of int64 and decades apart: no overflow, no endless loop.
BOOST_AUTO_TEST_CASE(extreme_times) {
  prom::testing::TempDir dir;
  ModelStore store;
  auto& s = store.series[Labels{{"a", "b"}}];
  for (const std::int64_t t : {kMinTimeMs, std::int64_t{-1}, std::int64_t{0}, std::int64_t{1}, kMaxTimeMs}) s[t] = {static_cast<double>(t), 0, nullptr};
  const auto block = OpenBlock(dir.path(), Write(dir.path(), store));
  CheckSame(store, *block, {}, kMinTimeMs, kMaxTimeMs);
  CheckSame(store, *block, {}, 0, kMaxTimeMs);
  CheckSame(store, *block, {}, kMinTimeMs, -1);
}

// All series of a scrape share one column, so do those that came late or went early.
BOOST_AUTO_TEST_CASE(times_are_shared) {
  ColumnTable table(10);
  const std::vector<std::int64_t> t = {1, 5, 9, 12, 20};
  const auto is = [](const ColumnTable::Ref& r, std::uint32_t column, std::uint32_t first) { return r.column == column && r.first == first; };
  BOOST_TEST(is(table.Find(t), 10, 0));
  BOOST_TEST(is(table.Find(t), 10, 0));
  BOOST_TEST(is(table.Find(std::span(t).first(3)), 10, 0));
  BOOST_TEST(is(table.Find(std::span(t).last(2)), 10, 3));
  BOOST_TEST(is(table.Find(std::vector<std::int64_t>{1, 9, 20}), 11, 0));

  prom::testing::TempDir dir;
  ModelStore store;
  for (int metric = 0; metric < 50; ++metric) {
    auto& s = store.series[Labels{{"__name__", "m" + std::to_string(metric)}}];
    for (int i = metric % 10 == 9 ? 100 : 0; i < 480; ++i) s[kStart + i * 15'000 + i % 3] = {double(i * metric), 0, nullptr};
  }
  const BlockInfo info = Write(dir.path(), store);
  // m0 has all of them and comes first.
  BOOST_TEST(info.columns == 1u);
  const auto block = OpenBlock(dir.path(), info);
  auto selection = block->Select({}, kMinTimeMs, kMaxTimeMs);
  SeriesColumns a, b;
  BOOST_REQUIRE(bool((*selection)->Read(0, kMinTimeMs, kMaxTimeMs, &a)));
  BOOST_REQUIRE(bool((*selection)->Read(1, kMinTimeMs, kMaxTimeMs, &b)));
  BOOST_TEST(a.time_column == b.time_column);
  BOOST_TEST(a.time_column != 0u);
  BOOST_TEST((a.t.data() == b.t.data()));  // not copied
}

BOOST_AUTO_TEST_CASE(metadata_and_exemplars) {
  prom::testing::TempDir dir;
  std::mt19937 random(3);
  ModelStore store;
  testing::Fill(random, &store, 3, 40, kStart, 20);
  for (const auto& [labels, s] : store.series) {
    store.metadata[std::string(labels.metric_name())] = {static_cast<MetricType>(random() % 8), "help \xf0\x9f\x98\x80 of it\n", random() % 2 == 0 ? "seconds" : ""};
    if (random() % 3 != 0) continue;
    for (int i = 0; i < 5; ++i) {
      Exemplar e{Labels{{"trace_id", std::to_string(random())}}, i == 0 ? NormalNan() : i * 0.5, s.begin()->first + i * 1000 - 2000, i % 2 == 0};
      store.exemplars[labels].push_back(e);
    }
  }
  const auto block = OpenBlock(dir.path(), Write(dir.path(), store, kStart - 10'000'000, kStart + 10'000'000));
  BOOST_TEST((*block->ListMetadata() == *store.ListMetadata()));
  for (const auto& any_of : {std::vector<Matchers>{Matchers{}}, std::vector<Matchers>{{Matcher::Equal("job", "api")}, {Matcher::Equal("instance", "host0")}}, {}}) {
    for (const auto& [lo, hi] : {std::pair<std::int64_t, std::int64_t>{kMinTimeMs, kMaxTimeMs}, {kStart, kStart + 60}}) {
      const auto want = *store.Exemplars(any_of, lo, hi), got = *block->Exemplars(any_of, lo, hi);
      BOOST_REQUIRE(got.size() == want.size());
      for (std::size_t i = 0; i < got.size(); ++i) {
        BOOST_TEST((got[i].series == want[i].series));
        BOOST_REQUIRE(got[i].exemplars.size() == want[i].exemplars.size());
        for (std::size_t n = 0; n < got[i].exemplars.size(); ++n) {
          const Exemplar &a = got[i].exemplars[n], &b = want[i].exemplars[n];
          BOOST_TEST((a.labels == b.labels && a.t_ms == b.t_ms && a.has_time == b.has_time));
          BOOST_TEST((std::bit_cast<std::uint64_t>(a.value) == std::bit_cast<std::uint64_t>(b.value)));
        }
      }
    }
  }
}

// A small block, damaged in every way: refused, or all that is returned is true and
// what is missing is named.
class Damage {
 public:
  explicit Damage(const std::string& dir) : dir_(dir) {
    std::mt19937 random(4);
    testing::Fill(random, &store_, 2, 10, kStart, 24);
    info_ = Write(dir, store_);
  }
  std::string Path(const char* file) const { return BlockDir(dir_, info_.ulid) + "/" + file; }
  // False: all samples came, and nothing was said.
  bool Noticed() const {
    auto block = BlockReader::Open(SystemIo(), BlockDir(dir_, info_.ulid));
    if (!block) return true;
    auto selection = (*block)->Select({}, kMinTimeMs, kMaxTimeMs);
    if (!selection) return true;
    bool noticed = false;
    std::size_t found = 0;
    SeriesColumns columns;
    for (std::size_t i = 0; i < (*selection)->size(); ++i) {
      if (!(*selection)->Read(i, kMinTimeMs, kMaxTimeMs, &columns)) {
        noticed = true;
        continue;
      }
      const auto it = store_.series.find((*selection)->labels(i));
      BOOST_REQUIRE(it != store_.series.end());
      const auto got = testing::ToModel(columns);
      for (const auto& [t, sample] : got) BOOST_REQUIRE((it->second.count(t) == 1 && it->second.at(t).Same(sample)));
      found += got.size();
      BOOST_REQUIRE((!columns.warnings.empty() || got.size() == it->second.size()));
      for (const auto& w : columns.warnings) BOOST_REQUIRE((w.find("chunks: byte ") != std::string::npos && w.find("metric_") != std::string::npos));
      noticed = noticed || !columns.warnings.empty();
    }
    BOOST_REQUIRE((noticed || found == info_.samples));
    return noticed;
  }

 private:
  std::string dir_;
  ModelStore store_;
  BlockInfo info_;
};

BOOST_AUTO_TEST_CASE(truncation) {
  prom::testing::TempDir dir;
  const Damage damage(dir.path());
  BOOST_TEST(!damage.Noticed());
  for (const char* file : {"chunks", "index"}) {
    const std::string bytes = prom::testing::ReadFile(damage.Path(file));
    for (std::size_t n = bytes.size(); n-- > 0;) {
      std::filesystem::resize_file(damage.Path(file), n);
      if (!damage.Noticed()) BOOST_ERROR(std::string(file) + " cut to " + std::to_string(n) + " went unnoticed");
    }
    prom::testing::WriteFile(damage.Path(file), bytes);
  }
}

BOOST_AUTO_TEST_CASE(flipped_bits) {
  prom::testing::TempDir dir;
  const Damage damage(dir.path());
  for (const char* file : {"chunks", "index"}) {
    const std::string bytes = prom::testing::ReadFile(damage.Path(file));
    std::fstream out(damage.Path(file), std::ios::binary | std::ios::in | std::ios::out);
    const auto put = [&](std::size_t i, int c) { out.seekp(static_cast<std::streamoff>(i)).put(static_cast<char>(c)).flush(); };
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      put(i, bytes[i] ^ 1 << (i % 8));
      if (!damage.Noticed()) BOOST_ERROR(std::string(file) + ": flip at " + std::to_string(i) + " went unnoticed");
      put(i, bytes[i]);
    }
  }
}

// One damaged group costs its own series and slice, not the block.
BOOST_AUTO_TEST_CASE(damage_is_contained) {
  prom::testing::TempDir dir;
  ModelStore store;
  std::mt19937 random(5);
  for (int metric = 0; metric < 400; ++metric) {
    auto& s = store.series[Labels{{"__name__", "m" + std::to_string(metric)}}];
    for (int i = 0; i < 960; ++i) s[kStart + i * 15'000] = {std::bit_cast<double>(std::uint64_t{random()} << 32 | random()), 0, nullptr};
  }
  const BlockInfo info = Write(dir.path(), store);
  const std::string path = BlockDir(dir.path(), info.ulid) + "/chunks";
  std::string bytes = prom::testing::ReadFile(path);
  bytes[100'000] = static_cast<char>(bytes[100'000] ^ 4);
  prom::testing::WriteFile(path, bytes);
  const auto block = OpenBlock(dir.path(), info);
  auto selection = block->Select({}, kMinTimeMs, kMaxTimeMs);
  BOOST_REQUIRE(bool(selection));
  int damaged = 0;
  SeriesColumns columns;
  for (std::size_t i = 0; i < (*selection)->size(); ++i) {
    BOOST_REQUIRE(bool((*selection)->Read(i, kMinTimeMs, kMaxTimeMs, &columns)));
    if (columns.warnings.empty()) {
      BOOST_REQUIRE(columns.t.size() == 960u);
      continue;
    }
    ++damaged;
    BOOST_TEST(columns.t.size() == 480u);  // the other slice
    BOOST_TEST(columns.warnings.size() == 1u);
  }
  // A group is 64 KiB, a chunk of 480 random doubles about 3.9 KB.
  BOOST_TEST((damaged >= 12 && damaged <= 18));
}

BOOST_AUTO_TEST_CASE(canceled_write_leaves_nothing) {
  prom::testing::TempDir dir;
  std::mt19937 random(6);
  ModelStore store;
  testing::Fill(random, &store, 1, 10, kStart, 10);
  BlockWriterOptions options;
  options.ulid = NewUlid(kStart);
  options.canceled = [](void*) { return true; };
  auto info = WriteBlock(SystemIo(), dir.path(), store, kMinTimeMs, kMaxTimeMs, options);
  BOOST_REQUIRE(!info);
  BOOST_TEST((info.error().code == Errc::kCanceled));
  BOOST_TEST(std::filesystem::is_empty(dir / "tmp"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace prom::store
