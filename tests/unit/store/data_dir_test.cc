#include "store/data_dir.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "../../testing.h"
#include "head_testing.h"
#include "model_store.h"
#include "store/block_reader.h"
#include "store/verify.h"

namespace prom::store {
namespace {

using testing::kT0;
using testing::Quiet;

constexpr std::uint32_t kSeries = 20;
constexpr std::int64_t kStep = 15'000;

double Value(std::uint32_t series, std::int64_t scrape) { return static_cast<double>(scrape * 10 + series) / 4; }

// Appends scrapes [from, to); Maintain is called every `maintain` scrapes.
Result<void> Scrape(Writer* writer, Appender* appender, std::int64_t from, std::int64_t to, std::int64_t maintain) {
  std::vector<double> row(kSeries);
  for (std::int64_t n = from; n < to; ++n) {
    for (std::uint32_t i = 0; i < kSeries; ++i) row[i] = Value(i, n);
    PROM_TRY(appender->Row(0, kT0 + n * kStep, row, {}));
    PROM_TRY(appender->Commit(static_cast<std::uint64_t>(n + 1)));
    if (n % maintain == maintain - 1) PROM_TRY(writer->Maintain());
  }
  return {};
}

std::unique_ptr<Appender> Start(Writer* writer) {
  auto appender = writer->NewAppender();
  std::vector<std::uint32_t> ids;
  for (std::uint32_t i = 0; i < kSeries; ++i) {
    REQUIRE_OK(appender->DefineSeries(i, testing::Series("metric", static_cast<int>(i))));
    ids.push_back(i);
  }
  REQUIRE_OK(appender->DefineLayout(0, ids));
  return appender;
}

testing::ModelStore Expected(std::int64_t scrapes) {
  testing::ModelStore model;
  for (std::uint32_t i = 0; i < kSeries; ++i) {
    auto& s = model.series[testing::Series("metric", static_cast<int>(i))];
    for (std::int64_t n = 0; n < scrapes; ++n) s[kT0 + n * kStep] = {Value(i, n), 0, nullptr};
  }
  return model;
}

// How many scrapes a snapshot has; -1: not whole scrapes 0 .. n-1, each once, right.
std::int64_t CountScrapes(const Queryable& snapshot) {
  auto selection = snapshot.Select({Matcher::Equal("__name__", "metric")}, kMinTimeMs, kMaxTimeMs);
  if (!selection) return -1;
  if ((*selection)->size() == 0) return 0;
  if ((*selection)->size() != kSeries) return -1;
  std::int64_t count = -1;
  SeriesColumns columns;
  for (std::size_t i = 0; i < kSeries; ++i) {
    const auto id = static_cast<std::uint32_t>(std::stoi(std::string((*selection)->labels(i).Get("i"))));
    if (!(*selection)->Read(i, kMinTimeMs, kMaxTimeMs, &columns) || !columns.warnings.empty()) return -1;
    const auto n = static_cast<std::int64_t>(columns.t.size());
    if (count >= 0 && n != count) return -1;
    count = n;
    for (std::int64_t k = 0; k < n; ++k) {
      const auto at = static_cast<std::size_t>(k);
      if (columns.t[at] != kT0 + k * kStep || columns.v[at] != Value(id, k)) return -1;
    }
  }
  return count;
}

BOOST_AUTO_TEST_SUITE(data_dir)

BOOST_AUTO_TEST_CASE(no_directory) {
  prom::testing::TempDir dir;
  for (const std::string& path : {dir.path(), dir / "absent"}) {
    auto data = DataDir::Open(SystemIo(), path);
    BOOST_REQUIRE(!data);
    BOOST_TEST((data.error().code == Errc::kNotFound));
  }
}

BOOST_AUTO_TEST_CASE(head_and_blocks_as_one) {
  prom::testing::TempDir dir;
  testing::FixedClock clock(kT0 + 12 * 3'600'000);
  auto writer = Writer::Open(SystemIo(), clock, dir.path(), Quiet());
  REQUIRE_OK(writer);
  auto appender = Start(writer->get());
  auto data = DataDir::Open(SystemIo(), dir.path());
  REQUIRE_OK(data);
  BOOST_TEST(CountScrapes(**(*data)->Snapshot()) == 0);
  const auto early = *(*data)->Snapshot();
  REQUIRE_OK(Scrape(writer->get(), appender.get(), 0, 2000, 100));  // 8 h 20 min
  const auto parts = *(*data)->OpenParts();
  BOOST_TEST(!parts->manifest.blocks.empty());
  BOOST_TEST(!parts->manifest.epochs.empty());
  const auto model = Expected(2000);
  const auto snapshot = *(*data)->Snapshot();
  testing::CheckSame(model, *snapshot, {}, kMinTimeMs, kMaxTimeMs);
  testing::CheckSame(model, *snapshot, {Matcher::Equal("i", "7")}, kT0 + 6'000'000, kT0 + 9'000'000);
  BOOST_TEST(CountScrapes(*early) == 0);  // a snapshot does not change

  REQUIRE_OK((*writer)->Delete({{Matcher::Equal("i", "3")}}, kT0, kT0 + 1999 * kStep));
  auto gone = (*(*data)->Snapshot())->Select({Matcher::Equal("i", "3")}, kMinTimeMs, kMaxTimeMs);
  REQUIRE_OK(gone);
  SeriesColumns columns;
  for (std::size_t i = 0; i < (*gone)->size(); ++i) {
    REQUIRE_OK((*gone)->Read(i, kMinTimeMs, kMaxTimeMs, &columns));
    BOOST_TEST(columns.t.empty());
  }
  // Also when the head has become a block, and in another reader.
  REQUIRE_OK((*writer)->Flush());
  auto again = DataDir::Open(SystemIo(), dir.path());
  REQUIRE_OK(again);
  auto without = model;
  without.series.erase(testing::Series("metric", 3));
  testing::CheckSame(without, **(*again)->Snapshot(), {}, kMinTimeMs, kMaxTimeMs);
  auto verified = VerifyDataDir(SystemIo(), dir.path());
  REQUIRE_OK(verified);
  BOOST_TEST(verified->problems.empty());
  BOOST_TEST(verified->blocks > 0u);
}

// Several deletions, some of one series and some of all, of parts and of everything; floats, histograms and exemplars.
BOOST_AUTO_TEST_CASE(a_block_of_an_epoch_is_without_what_was_deleted) {
  prom::testing::TempDir dir;
  testing::FixedClock clock(kT0 + 3'600'000);
  WriterOptions options = Quiet();
  options.head.max_exemplars = 100;
  auto writer = Writer::Open(SystemIo(), clock, dir.path(), options);
  REQUIRE_OK(writer);
  auto appender = Start(writer->get());
  const Labels histograms = testing::Series("histogram", 0), spared = testing::Series("histogram", 1);
  REQUIRE_OK(appender->DefineSeries(kSeries, histograms));
  REQUIRE_OK(appender->DefineSeries(kSeries + 1, spared));
  REQUIRE_OK(Scrape(writer->get(), appender.get(), 0, 100, 1000));
  auto model = Expected(100);
  std::mt19937 random(6);
  for (std::int64_t n = 0; n < 100; ++n) {
    const std::int64_t t = kT0 + n * kStep;
    const auto h = testing::RandomHistogram(random, static_cast<int>(n));
    for (const auto& [id, labels] : {std::pair{kSeries, histograms}, std::pair{kSeries + 1, spared}}) {
      REQUIRE_OK(appender->HistogramAt(id, t, *h));
      REQUIRE_OK(appender->ExemplarOf(id, {Labels{{"trace", std::to_string(n)}}, 1, t, true}));
      model.series[labels][t] = testing::ModelSample{0, 0, h};
    }
    REQUIRE_OK(appender->Commit(static_cast<std::uint64_t>(200 + n)));
  }
  const auto remove = [&](const Matchers& matchers, std::int64_t first, std::int64_t last) {
    REQUIRE_OK((*writer)->Delete({matchers}, kT0 + first * kStep, kT0 + last * kStep));
    for (auto& [labels, samples] : model.series) {
      if (testing::ModelStore::Matches(labels, matchers)) std::erase_if(samples, [&](const auto& s) { return s.first >= kT0 + first * kStep && s.first <= kT0 + last * kStep; });
    }
  };
  remove({Matcher::Equal("i", "0")}, 10, 19);
  remove({Matcher::Equal("__name__", "histogram"), Matcher::Equal("i", "0")}, 15, 30);
  remove({Matcher::Equal("i", "7")}, 0, 99);
  remove({Matcher::Equal("__name__", "metric")}, 98, 99);
  std::erase_if(model.series, [](const auto& s) { return s.second.empty(); });
  const auto exemplars = [&](const Queryable& store) {
    std::vector<std::string> out;
    const auto found = store.Exemplars({{Matcher::Equal("__name__", "histogram")}}, kMinTimeMs, kMaxTimeMs);
    REQUIRE_OK(found);
    for (const auto& s : *found)
      for (const Exemplar& e : s.exemplars) out.push_back(s.series.ToString() + " " + std::to_string(e.t_ms));
    return out;
  };
  auto data = DataDir::Open(SystemIo(), dir.path());
  REQUIRE_OK(data);
  testing::CheckSame(model, **(*data)->Snapshot(), {}, kMinTimeMs, kMaxTimeMs);
  const auto before = exemplars(**(*data)->Snapshot());
  REQUIRE_OK((*writer)->Flush());
  BOOST_TEST_REQUIRE((*writer)->manifest().blocks.size() == 1u);
  // The block alone: the deletions do not apply to it.
  auto block = BlockReader::Open(SystemIo(), BlockDir(dir.path(), (*writer)->manifest().blocks[0].ulid));
  REQUIRE_OK(block);
  testing::CheckSame(model, **block, {}, kMinTimeMs, kMaxTimeMs);
  BOOST_TEST(exemplars(**block) == before, boost::test_tools::per_element());
  BOOST_TEST((*block)->Select({Matcher::Equal("i", "7")}, kMinTimeMs, kMaxTimeMs).value()->size() == 0u);
}

// A process that writes, rolls over, compacts and merges; another that reads all the
// time: never an error, never half a scrape, nothing twice, nothing that was there gone.
BOOST_AUTO_TEST_CASE(reader_beside_writer) {
  prom::testing::TempDir dir;
  constexpr std::int64_t kScrapes = 4000;  // 16 h 40 min
  testing::FixedClock clock(kT0 + 24 * 3'600'000);
  {
    auto writer = Writer::Open(SystemIo(), clock, dir.path(), Quiet());
    REQUIRE_OK(writer);
  }
  const pid_t child = ::fork();
  BOOST_REQUIRE(child >= 0);
  if (child == 0) {
    auto writer = Writer::Open(SystemIo(), clock, dir.path(), Quiet());
    if (!writer) ::_exit(1);
    auto appender = Start(writer->get());
    ::_exit(Scrape(writer->get(), appender.get(), 0, kScrapes, 50) ? 0 : 2);
  }
  auto data = DataDir::Open(SystemIo(), dir.path());
  std::int64_t last = 0, snapshots = 0;
  bool good = bool(data);
  int status = 0;
  for (bool running = true; running && good; ++snapshots) {
    running = ::waitpid(child, &status, WNOHANG) == 0;
    auto snapshot = (*data)->Snapshot();
    if (!snapshot) {
      BOOST_ERROR(snapshot.error().message);
      good = false;
      break;
    }
    const std::int64_t n = CountScrapes(**snapshot);
    if (n < last) {
      BOOST_ERROR("snapshot " + std::to_string(snapshots) + " has " + std::to_string(n) + " scrapes after " + std::to_string(last));
      good = false;
    }
    last = n;
  }
  if (!good) {
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
  }
  BOOST_REQUIRE(good);
  BOOST_TEST((WIFEXITED(status) && WEXITSTATUS(status) == 0));
  BOOST_TEST(last == kScrapes);
  // The writer ended without closing: the directory can be read all the same.
  auto dead = DataDir::Open(SystemIo(), dir.path());
  REQUIRE_OK(dead);
  BOOST_TEST(CountScrapes(**(*dead)->Snapshot()) == kScrapes);
  const auto parts = *(*dead)->OpenParts();
  BOOST_TEST(parts->manifest.blocks.size() < 6u);  // 8 windows, some merged
}

// Damage in a block: what is there is answered, what is lost is named, by queries and by verify.
BOOST_AUTO_TEST_CASE(damaged_block) {
  prom::testing::TempDir dir;
  testing::FixedClock clock(kT0 + 12 * 3'600'000);
  {
    auto writer = Writer::Open(SystemIo(), clock, dir.path(), Quiet());
    REQUIRE_OK(writer);
    auto appender = Start(writer->get());
    REQUIRE_OK(Scrape(writer->get(), appender.get(), 0, 400, 1000));
    REQUIRE_OK((*writer)->Flush());
    REQUIRE_OK(Scrape(writer->get(), appender.get(), 400, 500, 1000));
  }
  std::string block;
  for (const auto& e : std::filesystem::directory_iterator(dir / "blocks")) block = e.path();
  const auto flip = [&](const std::string& path, std::size_t at) {
    std::string bytes = prom::testing::ReadFile(path);
    bytes.at(at) = static_cast<char>(bytes.at(at) ^ 16);
    prom::testing::WriteFile(path, bytes);
  };
  const auto warned = [&](std::size_t samples) {
    auto data = DataDir::Open(SystemIo(), dir.path());
    REQUIRE_OK(data);
    auto selection = (*(*data)->Snapshot())->Select({Matcher::Equal("i", "5")}, kMinTimeMs, kMaxTimeMs);
    REQUIRE_OK(selection);
    BOOST_REQUIRE((*selection)->size() == 1u);
    SeriesColumns columns;
    REQUIRE_OK((*selection)->Read(0, kMinTimeMs, kMaxTimeMs, &columns));
    BOOST_TEST(columns.t.size() == samples);
    BOOST_REQUIRE(columns.warnings.size() == 1u);
    return columns.warnings[0];
  };
  flip(block + "/chunks", 60);
  BOOST_TEST(warned(100).find("chunks: byte 16: checksum of the group does not match; metric{i=\"5\", job=\"test\"} lacks samples of 2023-11-14T22:00:00Z to ") !=
             std::string::npos);
  auto verified = VerifyDataDir(SystemIo(), dir.path());
  REQUIRE_OK(verified);
  BOOST_REQUIRE(verified->problems.size() == 1u);
  BOOST_TEST(verified->problems[0].file == block + "/chunks");
  BOOST_TEST(verified->problems[0].offset == 16u);
  BOOST_TEST(verified->problems[0].min_ms == kT0);
  flip(block + "/index", 30);  // the whole index cannot be used now
  BOOST_TEST(warned(100).find("index: byte 0: checksum of the index page does not match") != std::string::npos);
  std::filesystem::remove(block + "/index");
  auto lost = DataDir::Open(SystemIo(), dir.path());
  BOOST_REQUIRE(!lost);
  BOOST_TEST((lost.error().code == Errc::kCorrupt));
  BOOST_TEST(lost.error().message.find("/index") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace prom::store
