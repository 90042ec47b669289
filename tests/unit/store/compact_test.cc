#include "base/ulid.h"
#include "store/compact.h"

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <random>
#include <set>
#include <string>

#include "../../testing.h"
#include "model_store.h"
#include "store/block_reader.h"
#include "store/merged.h"
#include "store/retention.h"
#include "store/tombstones.h"

namespace prom::store {
namespace {

using testing::CheckSame;
using testing::ModelStore;

constexpr std::int64_t kHour = 3'600'000;
constexpr std::int64_t kBlock = 2 * kHour;
constexpr std::int64_t kStart = 1'700'000'000'000 / (54 * kHour) * (54 * kHour);

// A directory with a manifest in memory and what a Writer does to it.
class Directory {
 public:
  prom::testing::TempDir dir;
  Manifest manifest;
  ManifestEditor edit = [this](const std::function<bool(Manifest*)>& f) -> Result<void> {
    Manifest next = manifest;
    if (!f(&next)) return {};
    ++next.generation;
    next.Sort();
    manifest = next;
    return {};
  };
  CompactOptions options;

  Directory() { options.sync = false; }
  void Add(const Queryable& source, std::int64_t min_ms, std::int64_t max_ms) {
    BlockWriterOptions write;
    write.ulid = NewUlid(++made_);
    write.sync = false;
    auto info = WriteBlock(SystemIo(), dir.path(), source, min_ms, max_ms, write);
    BOOST_REQUIRE(bool(info));
    BOOST_REQUIRE(info->samples > 0);
    manifest.blocks.push_back(info->ForManifest());
    manifest.Sort();
  }
  std::shared_ptr<const Queryable> Open() const {
    std::vector<std::shared_ptr<const Queryable>> sources;
    const auto tombstones = ReadTombstones(SystemIo(), dir.path(), manifest);
    BOOST_REQUIRE(bool(tombstones));
    for (const auto& b : manifest.blocks) {
      auto reader = BlockReader::Open(SystemIo(), BlockDir(dir.path(), b.ulid));
      BOOST_REQUIRE(bool(reader));
      sources.push_back(HideDeleted(*reader, OfBlock(*tombstones, b.ulid)));
    }
    return std::make_shared<MergedQueryable>(sources);
  }
  // Merges until nothing is left to do; the number of merges.
  int Compact() {
    Compactor compactor;
    for (int n = 0; n < 100; ++n) {
      auto done = compactor.Step(SystemIo(), SystemClock(), dir.path(), manifest, options, edit);
      BOOST_REQUIRE_MESSAGE(bool(done), (done ? "" : done.error().message));
      if (done->sources.empty()) return n;
    }
    return 100;
  }
  std::size_t BlocksOnDisk() const {
    std::size_t n = 0;
    for ([[maybe_unused]] const auto& e : std::filesystem::directory_iterator(dir / "blocks")) ++n;
    return n;
  }

 private:
  std::int64_t made_ = 0;
};

ManifestBlock Block(char name, std::int64_t from_h, std::int64_t to_h) {
  return {"01HF000000000000000000000" + std::string(1, name), kStart + from_h * kHour, kStart + to_h * kHour - 1, 1, 100, 1000};
}

std::string Plan(const Manifest& m, const CompactOptions& options = {}) {
  std::string out;
  for (const auto& ulid : PlanCompaction(m, options)) out += ulid.back();
  return out;
}

BOOST_AUTO_TEST_SUITE(compact)

BOOST_AUTO_TEST_CASE(plans) {
  Manifest m;
  BOOST_TEST(Plan(m).empty());
  m.blocks = {Block('A', 0, 2), Block('B', 2, 4), Block('C', 4, 6)};
  BOOST_TEST(Plan(m).empty());  // the window of 6 h may not be over
  m.epochs = {{1, kStart + 6 * kHour}};
  BOOST_TEST(Plan(m) == "ABC");
  m.epochs = {{1, kStart + 4 * kHour}, {2, kStart + 6 * kHour}};  // an older epoch is still to come
  BOOST_TEST(Plan(m).empty());
  m.epochs.clear();
  m.blocks.push_back(Block('D', 6, 8));
  BOOST_TEST(Plan(m) == "ABC");
  m.blocks = {Block('A', 0, 6), Block('D', 6, 8)};
  BOOST_TEST(Plan(m).empty());
  m.blocks = {Block('A', 0, 6), Block('B', 6, 12), Block('C', 12, 18), Block('D', 18, 20)};
  BOOST_TEST(Plan(m) == "ABC");
  // A tenth of the retention is the limit.
  CompactOptions day;
  day.retention_ms = 5 * 24 * kHour;
  BOOST_TEST(MaxBlockMs(day) == 12 * kHour);
  BOOST_TEST(Plan(m, day).empty());
  // Epochs reach a little beyond their ends, and then blocks into the next window.
  m.blocks = {Block('A', 0, 2), Block('B', 2, 4), Block('C', 4, 6), Block('D', 6, 8)};
  for (auto& b : m.blocks) b.max_ms += 600'000;
  for (auto& b : m.blocks) b.min_ms += 600'001;
  BOOST_TEST(Plan(m) == "ABC");
  // Mostly inside of another: at once. A little over the edge: in its window.
  m.blocks = {Block('A', 0, 6), Block('B', 1, 2)};
  BOOST_TEST(Plan(m) == "AB");
  m.blocks = {Block('A', 0, 6), Block('B', 5, 8)};
  BOOST_TEST(Plan(m).empty());
}

BOOST_AUTO_TEST_CASE(keeps_every_sample) {
  std::mt19937 random(1);
  Directory d;
  ModelStore store;
  testing::Fill(random, &store, 3, 20, kStart, 20 * 240, 15'000);  // 20 h
  for (std::int64_t h = 0; h < 20; h += 2) d.Add(store, kStart + h * kHour, kStart + (h + 2) * kHour - 1);
  BOOST_REQUIRE(d.manifest.blocks.size() == 10u);
  BOOST_TEST(d.Compact() == 4);  // 3 x 6 h, then 18 h
  BOOST_TEST(d.manifest.blocks.size() == 2u);
  BOOST_TEST(d.manifest.blocks[0].level == 3u);
  BOOST_TEST(d.BlocksOnDisk() == 2u);
  CheckSame(store, *d.Open(), {}, kMinTimeMs, kMaxTimeMs);
  CheckSame(store, *d.Open(), {Matcher::Equal("job", "api")}, kStart + 5 * kHour, kStart + 5 * kHour + 1'800'000);
}

// Blocks across each other, as imports make them: the later one wins.
BOOST_AUTO_TEST_CASE(overlapping_blocks) {
  std::mt19937 random(2);
  Directory d;
  ModelStore want;
  for (int n = 0; n < 3; ++n) {
    ModelStore store;
    testing::Fill(random, &store, 2, 20, kStart + n * 600'000, 200);
    d.Add(store, kMinTimeMs, kMaxTimeMs);
    for (const auto& [labels, samples] : store.series) {
      for (const auto& [t, sample] : samples) want.series[labels][t] = sample;
    }
  }
  CheckSame(want, *d.Open(), {}, kMinTimeMs, kMaxTimeMs);
  BOOST_TEST(d.Compact() == 1);
  BOOST_TEST(d.manifest.blocks.size() == 1u);
  CheckSame(want, *d.Open(), {}, kMinTimeMs, kMaxTimeMs);
}

// Merged part by part, with the labels of a few series in memory: the same bytes as at
// once, also when the sources have different series and only some are in all of them.
BOOST_AUTO_TEST_CASE(parts_do_not_show) {
  ModelStore want;
  std::vector<ModelStore> stores(3);
  std::mt19937 random(6);
  for (int n = 0; n < 3; ++n) {
    ModelStore& store = stores[static_cast<std::size_t>(n)];
    testing::Fill(random, &store, n + 1, 23 - n, kStart + n * 600'000, 200);
    for (int i = 0; i < 40; ++i) store.series[Labels{{"__name__", "of_" + std::to_string(n)}, {"i", std::to_string(i)}}][kStart + n] = {1.0 * i, 0, nullptr};
    for (const auto& [labels, samples] : store.series) {
      for (const auto& [t, sample] : samples) want.series[labels][t] = sample;
      if (labels.Get("instance") == "host0") store.exemplars[labels] = {{Labels{{"id", std::to_string(n)}}, 0.5 * n, kStart + n, true}};
    }
  }
  std::string at_once;
  for (const std::uint32_t most : {1'000'000u, 1u, 7u, 40u}) {
    BOOST_TEST_CONTEXT(most << " series a part") {
      Directory d;
      d.options.part_series = most;
      for (const ModelStore& store : stores) d.Add(store, kMinTimeMs, kMaxTimeMs);
      const Matchers gone{Matcher::Equal("__name__", "metric_3")};
      BOOST_REQUIRE(bool(DeleteSamples(SystemIo(), d.dir.path(), {gone}, kMinTimeMs, kMaxTimeMs, d.edit)));
      BOOST_TEST(d.Compact() == 1);
      ModelStore left = want;
      std::erase_if(left.series, [&](const auto& series) { return ModelStore::Matches(series.first, gone); });
      CheckSame(left, *d.Open(), {}, kMinTimeMs, kMaxTimeMs);
      const auto exemplars = d.Open()->Exemplars({Matchers{}}, kMinTimeMs, kMaxTimeMs);
      BOOST_REQUIRE(bool(exemplars));
      BOOST_TEST(exemplars->size() == 22u);  // 23 metrics of host0, less the deleted one
      const std::string chunks = prom::testing::ReadFile(BlockDir(d.dir.path(), d.manifest.blocks.at(0).ulid) + "/chunks");
      if (at_once.empty()) at_once = chunks;
      BOOST_TEST((chunks == at_once));
      auto reader = BlockReader::Open(SystemIo(), BlockDir(d.dir.path(), d.manifest.blocks[0].ulid));
      BOOST_REQUIRE(bool(reader));
      BOOST_TEST((*reader)->index().Verify().empty());
    }
  }
}

// A reader that was open goes on reading what compaction removes.
BOOST_AUTO_TEST_CASE(readers_survive) {
  std::mt19937 random(3);
  Directory d;
  ModelStore store;
  testing::Fill(random, &store, 2, 10, kStart, 8 * 240);
  for (std::int64_t h = 0; h < 8; h += 2) d.Add(store, kStart + h * kHour, kStart + (h + 2) * kHour - 1);
  const auto before = d.Open();
  auto selection = before->Select({}, kMinTimeMs, kMaxTimeMs);
  BOOST_REQUIRE(d.Compact() == 1);
  CheckSame(store, *before, {}, kMinTimeMs, kMaxTimeMs);
  SeriesColumns columns;
  BOOST_REQUIRE(bool((*selection)->Read(0, kMinTimeMs, kMaxTimeMs, &columns)));
  BOOST_TEST(columns.warnings.empty());
}

BOOST_AUTO_TEST_CASE(deleted_samples_go) {
  std::mt19937 random(4);
  Directory d;
  ModelStore store;
  testing::Fill(random, &store, 2, 10, kStart, 8 * 240);
  for (std::int64_t h = 0; h < 8; h += 2) d.Add(store, kStart + h * kHour, kStart + (h + 2) * kHour - 1);
  const Matchers gone{Matcher::Equal("__name__", "metric_1")};
  BOOST_REQUIRE(bool(DeleteSamples(SystemIo(), d.dir.path(), {gone}, kMinTimeMs, kMaxTimeMs, d.edit)));
  BOOST_REQUIRE(bool(DeleteSamples(SystemIo(), d.dir.path(), {{Matcher::Equal("job", "api")}}, kStart + kHour, kStart + 3 * kHour, d.edit)));
  BOOST_TEST(d.manifest.tombstones == "tombstones-2");
  BOOST_TEST(!std::filesystem::exists(d.dir / "tombstones-1"));
  ModelStore want = store;
  std::erase_if(want.series, [&](const auto& s) { return ModelStore::Matches(s.first, gone); });
  for (auto& [labels, samples] : want.series) {
    if (labels.Get("job") == "api") std::erase_if(samples, [&](const auto& s) { return s.first >= kStart + kHour && s.first <= kStart + 3 * kHour; });
  }
  CheckSame(want, *d.Open(), {}, kMinTimeMs, kMaxTimeMs);
  BOOST_REQUIRE(d.Compact() == 1);
  BOOST_TEST(d.manifest.tombstones == "tombstones-2");  // the last block still needs it
  CheckSame(want, *d.Open(), {}, kMinTimeMs, kMaxTimeMs);
  BOOST_TEST(!DeleteSamples(SystemIo(), d.dir.path(), {Matchers{}}, 0, 1, d.edit));
  // All blocks rewritten: nothing is hidden any more.
  std::vector<std::string> all;
  for (const auto& b : d.manifest.blocks) all.push_back(b.ulid);
  auto done = CompactBlocks(SystemIo(), SystemClock(), d.dir.path(), d.manifest, all, d.options, d.edit);
  BOOST_REQUIRE(bool(done));
  BOOST_TEST(d.manifest.tombstones.empty());
  BOOST_TEST(!std::filesystem::exists(d.dir / "tombstones-2"));
  CheckSame(want, *d.Open(), {}, kMinTimeMs, kMaxTimeMs);
  BOOST_TEST(d.Open()->LabelValues("__name__", {}, kMinTimeMs, kMaxTimeMs)->size() == 9u);
}

// A damaged block is neither merged nor removed, and the others go on.
BOOST_AUTO_TEST_CASE(damaged_source) {
  std::mt19937 random(5);
  Directory d;
  ModelStore store;
  testing::Fill(random, &store, 2, 10, kStart, 8 * 240);
  for (std::int64_t h = 0; h < 8; h += 2) d.Add(store, kStart + h * kHour, kStart + (h + 2) * kHour - 1);
  const std::string path = BlockDir(d.dir.path(), d.manifest.blocks[1].ulid) + "/chunks";
  std::string bytes = prom::testing::ReadFile(path);
  bytes[500] = static_cast<char>(bytes[500] ^ 1);
  prom::testing::WriteFile(path, bytes);
  const Manifest before = d.manifest;
  Compactor compactor;
  auto first = compactor.Step(SystemIo(), SystemClock(), d.dir.path(), d.manifest, d.options, d.edit);
  BOOST_REQUIRE(!first);
  BOOST_TEST((first.error().code == Errc::kCorrupt));
  BOOST_TEST((d.manifest == before));
  BOOST_TEST(d.BlocksOnDisk() == 4u);
  auto second = compactor.Step(SystemIo(), SystemClock(), d.dir.path(), d.manifest, d.options, d.edit);
  BOOST_REQUIRE(bool(second));
  BOOST_TEST(second->sources.empty());
}

// The last letters of the ulids, all of which must have gone for that reason.
std::string Letters(const std::vector<DroppedBlock>& dropped, DropReason reason) {
  std::string out;
  for (const DroppedBlock& d : dropped) {
    BOOST_TEST((d.reason == reason));
    out += d.ulid.back();
  }
  return out;
}

BOOST_AUTO_TEST_CASE(retention_by_time) {
  Manifest m;
  m.blocks = {Block('A', 0, 2), Block('B', 2, 4), Block('C', 4, 6), Block('D', 6, 8)};
  const auto drop = [&](std::int64_t hours, std::int64_t now) {
    RetentionSettings settings;
    settings.time_ms = hours * kHour;
    return Letters(PlanRetention(m, settings, {.now_ms = now}), DropReason::kTime);
  };
  const std::int64_t late = kStart + 1000 * kHour;
  BOOST_TEST(drop(0, late).empty());
  BOOST_TEST(drop(8, late).empty());
  BOOST_TEST(drop(4, late) == "A");  // 8 - 4 = 4: B ends at 4 - 1 ms... and reaches into the last 4 h less 1 ms
  BOOST_TEST(drop(3, late) == "AB");
  BOOST_TEST(drop(4, kStart + 5 * kHour).empty());  // the clock is behind the newest sample
  m.blocks.back().max_ms = kStart + 900'000 * kHour;   // a sample from the future
  BOOST_TEST(drop(4, kStart + 8 * kHour) == "AB");  // B ends 1 ms before 8 h - 4 h
}

BOOST_AUTO_TEST_CASE(retention_by_size) {
  Manifest m;
  m.blocks = {Block('A', 0, 2), Block('B', 2, 4), Block('C', 4, 6), Block('D', 6, 8)};  // 1,000 bytes each
  const auto drop = [&](std::uint64_t bytes, std::uint64_t head) {
    RetentionSettings settings;
    settings.size_bytes = bytes;
    return Letters(PlanRetention(m, settings, {.head_bytes = head}), DropReason::kSize);
  };
  BOOST_TEST(drop(4000, 0).empty());
  BOOST_TEST(drop(3999, 0) == "A");
  BOOST_TEST(drop(4000, 1) == "A");
  BOOST_TEST(drop(1, 0) == "ABC");  // never the newest
}

BOOST_AUTO_TEST_CASE(retention_by_percentage_and_free_space) {
  Manifest m;
  m.blocks = {Block('A', 0, 2), Block('B', 2, 4), Block('C', 4, 6), Block('D', 6, 8)};  // 1,000 bytes each
  RetentionSettings settings;
  settings.percentage = 25;
  settings.size_bytes = 1;  // the percentage prevails
  BOOST_TEST(Letters(PlanRetention(m, settings, {.disk_bytes = 16'000}), DropReason::kSize).empty());
  BOOST_TEST(Letters(PlanRetention(m, settings, {.disk_bytes = 12'000}), DropReason::kSize) == "A");
  BOOST_TEST(Letters(PlanRetention(m, settings, {}), DropReason::kSize) == "ABC");  // size not known: what is left is size_bytes

  settings = {};
  settings.min_free_bytes = 5'000;
  BOOST_TEST(Letters(PlanRetention(m, settings, {.free_bytes = 5'000}), DropReason::kDiskShort).empty());
  BOOST_TEST(Letters(PlanRetention(m, settings, {.free_bytes = 4'000}), DropReason::kDiskShort) == "A");
  BOOST_TEST(Letters(PlanRetention(m, settings, {.free_bytes = 3'999}), DropReason::kDiskShort) == "AB");
  BOOST_TEST(Letters(PlanRetention(m, settings, {.free_bytes = 0}), DropReason::kDiskShort) == "ABC");  // never the newest
  // What goes for its age counts as freed.
  settings.time_ms = 3 * kHour;
  const auto both = PlanRetention(m, settings, {.now_ms = kStart + 1000 * kHour, .free_bytes = 3'000});
  BOOST_TEST(Letters(both, DropReason::kTime) == "AB");
}

// Series of `m` that have samples in its blocks, by metric name.
std::string Metrics(Directory& d) {
  std::set<std::string> names;
  for (const ManifestBlock& b : d.manifest.blocks) {
    auto reader = BlockReader::Open(SystemIo(), BlockDir(d.dir.path(), b.ulid));
    BOOST_REQUIRE(bool(reader));
    const auto values = (*reader)->LabelValues("__name__", {}, kMinTimeMs, kMaxTimeMs);
    BOOST_REQUIRE(bool(values));
    for (const std::string& v : *values) names.insert(v + "@" + std::to_string((b.min_ms - kStart) / kHour));
  }
  std::string out;
  for (const auto& n : names) out += (out.empty() ? "" : " ") + n;
  return out;
}

BOOST_AUTO_TEST_CASE(retention_by_policy) {
  Directory d;
  ModelStore store;
  for (const char* name : {"debug", "plain", "slo"}) {
    for (std::int64_t t = 0; t < 8 * kHour; t += 60'000) store.series[Labels{{"__name__", name}}][kStart + t].v = static_cast<double>(t);
  }
  for (std::int64_t h = 0; h < 8; h += 2) d.Add(store, kStart + h * kHour, kStart + (h + 2) * kHour - 1);
  RetentionSettings settings;
  settings.time_ms = 5 * kHour;
  settings.policies = {{{{Matcher::Equal("__name__", "debug")}}, 3 * kHour}, {{{Matcher::Equal("__name__", "slo")}, {Matcher::Equal("__name__", "none")}}, 7 * kHour}};
  const StoreUsage usage{.now_ms = kStart + 8 * kHour};
  // Nothing that any series needs is dropped as a block: the longest is 7 h, and A ends 6 h before the newest sample.
  BOOST_TEST(PlanRetention(d.manifest, settings, usage).empty());
  PolicyKeeper keeper;
  std::uint64_t series = 0;
  int steps = 0;
  for (;; ++steps) {
    auto done = keeper.Step(SystemIo(), SystemClock(), d.dir.path(), d.manifest, settings, usage, d.options, d.edit);
    BOOST_REQUIRE(bool(done));
    if (done->ulid.empty()) break;
    series += done->series;
    BOOST_REQUIRE(steps < 10);
  }
  // Ends of blocks before the newest sample: 6 h, 4 h, 2 h, 0.
  BOOST_TEST(Metrics(d) == "debug@4 debug@6 plain@2 plain@4 plain@6 slo@0 slo@2 slo@4 slo@6");
  BOOST_TEST(series == 3u);  // debug and plain of the first block, debug of the second
  BOOST_TEST(steps == 2);
  BOOST_TEST(d.BlocksOnDisk() == 4u);
  // A block in which everything has expired goes whole.
  settings.policies[1].keep_ms = 5 * kHour;
  keeper.Forget();
  auto done = keeper.Step(SystemIo(), SystemClock(), d.dir.path(), d.manifest, settings, usage, d.options, d.edit);
  BOOST_REQUIRE(bool(done));
  BOOST_TEST(Metrics(d) == "debug@4 debug@6 plain@2 plain@4 plain@6 slo@2 slo@4 slo@6");
  BOOST_TEST(d.BlocksOnDisk() == 3u);
}

BOOST_AUTO_TEST_CASE(retention_removes) {
  std::mt19937 random(6);
  Directory d;
  ModelStore store;
  testing::Fill(random, &store, 1, 10, kStart, 8 * 240);
  for (std::int64_t h = 0; h < 8; h += 2) d.Add(store, kStart + h * kHour, kStart + (h + 2) * kHour - 1);
  RetentionSettings settings;
  settings.time_ms = 3 * kHour;
  auto dropped = ApplyRetention(SystemIo(), d.dir.path(), d.manifest, settings, {.now_ms = kMaxTimeMs}, d.edit);
  BOOST_REQUIRE(bool(dropped));
  BOOST_TEST(dropped->size() == 2u);
  BOOST_TEST(d.BlocksOnDisk() == 2u);
  BOOST_TEST(d.manifest.blocks.size() == 2u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace prom::store
