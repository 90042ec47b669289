#include "store/compact.h"

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <random>

#include "../../testing.h"
#include "model_store.h"
#include "store/block_reader.h"
#include "store/merged.h"
#include "store/retention.h"
#include "store/tombstones.h"
#include "store/ulid.h"

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

BOOST_AUTO_TEST_CASE(retention_by_time) {
  Manifest m;
  m.blocks = {Block('A', 0, 2), Block('B', 2, 4), Block('C', 4, 6), Block('D', 6, 8)};
  const auto drop = [&](std::int64_t hours, std::int64_t now) {
    RetentionOptions options;
    options.retention_ms = hours * kHour;
    std::string out;
    for (const auto& ulid : PlanRetention(m, options, now)) out += ulid.back();
    return out;
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
    RetentionOptions options;
    options.retention_bytes = bytes;
    options.head_bytes = head;
    std::string out;
    for (const auto& ulid : PlanRetention(m, options, 0)) out += ulid.back();
    return out;
  };
  BOOST_TEST(drop(4000, 0).empty());
  BOOST_TEST(drop(3999, 0) == "A");
  BOOST_TEST(drop(4000, 1) == "A");
  BOOST_TEST(drop(1, 0) == "ABC");  // never the newest
}

BOOST_AUTO_TEST_CASE(retention_removes) {
  std::mt19937 random(6);
  Directory d;
  ModelStore store;
  testing::Fill(random, &store, 1, 10, kStart, 8 * 240);
  for (std::int64_t h = 0; h < 8; h += 2) d.Add(store, kStart + h * kHour, kStart + (h + 2) * kHour - 1);
  RetentionOptions options;
  options.retention_ms = 3 * kHour;
  auto dropped = ApplyRetention(SystemIo(), d.dir.path(), d.manifest, options, kMaxTimeMs, d.edit);
  BOOST_REQUIRE(bool(dropped));
  BOOST_TEST(dropped->size() == 2u);
  BOOST_TEST(d.BlocksOnDisk() == 2u);
  BOOST_TEST(d.manifest.blocks.size() == 2u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace prom::store
