// A small store with all that a store can hold: each byte of each file is changed, and each file
// is cut at each length. Whoever reads gets right values only, and is told when some are missing.
//
// Here every 11th place is tried, and of each 200 one with a writer; PROMKIT_EVERY_BYTE=1
// (scripts/damage-test) tries all of them, and every 8th with a writer.
#include <cstdlib>
#include <filesystem>
#include <random>

#include "../../testing.h"
#include "head_testing.h"
#include "store/data_dir.h"

namespace prom::store {
using namespace prom::store::testing;

namespace {

constexpr int kColumns = 5, kRows = 60, kBlockRows = 25;
constexpr std::int64_t kStep = 15'000;

double ValueAt(int i, int r) { return i == 0 ? 1 : i == 1 ? r * 3 : i == 2 ? r * 0.25 : 1.0 / (r + i); }

void Make(const std::string& dir) {
  FixedClock clock(kT0 + kRows * kStep);
  WriterOptions options = Quiet();
  options.head.segment_bytes = 4'000;
  options.head.max_pending_loose = 8;
  auto writer = Writer::Open(SystemIo(), clock, dir, options);
  REQUIRE_OK(writer);
  auto a = (*writer)->NewAppender();
  std::vector<std::uint32_t> ids;
  for (std::uint32_t i = 0; i < 40; ++i) {  // 40 columns: tiles of 32 rows
    REQUIRE_OK(a->DefineSeries(i, Series("m", static_cast<int>(i))));
    ids.push_back(i);
  }
  REQUIRE_OK(a->DefineLayout(0, ids));
  REQUIRE_OK(a->DefineSeries(40, Series("single", 0)));
  REQUIRE_OK(a->DefineSeries(41, Series("histogram", 0)));
  REQUIRE_OK(a->MetadataOf("m", {MetricType::kGauge, "help", ""}));
  std::vector<double> values(40);
  for (int r = 0; r < kRows; ++r) {
    const std::int64_t t = kT0 + r * kStep;
    for (int i = 0; i < 40; ++i) values[static_cast<std::size_t>(i)] = ValueAt(i % kColumns, r) + i;
    REQUIRE_OK(a->Row(0, t, values, r % 9 == 4 ? std::vector<std::uint64_t>{0xfffffff7f7ull} : std::vector<std::uint64_t>{}));
    if (r % 2 == 0) REQUIRE_OK(a->Sample(40, t, r == kBlockRows - 1 ? StaleNan() : r));  // the last one of the block
    if (r % 10 == 0) {
      Histogram h;
      h.schema = 1;
      h.count = r;
      h.sum = r + 0.5;
      h.positive_spans = {{0, 1}};
      h.positive_buckets = {static_cast<double>(r)};
      REQUIRE_OK(a->HistogramAt(41, t, h));
    }
    Exemplar e;
    e.labels = Labels{{"id", std::to_string(r)}};
    e.value = r;
    e.t_ms = t;
    e.has_time = true;
    if (r % 20 == 7) REQUIRE_OK(a->ExemplarOf(3, e));
    REQUIRE_OK(a->Commit(static_cast<std::uint64_t>(r + 1)));
    if (r == kBlockRows) REQUIRE_OK((*writer)->Flush());
    if (r == kBlockRows + 5) REQUIRE_OK((*writer)->Maintain());  // an index segment in the head
  }
  REQUIRE_OK((*writer)->Delete({{Matcher::Equal("i", "39")}}, kT0, kT0 + 10 * kStep));
  a.reset();
  REQUIRE_OK((*writer)->Close());
}

struct Seen {
  Content samples;
  std::size_t told = 0;  // warnings and errors
  bool refused = false;
  std::string why;
};

Seen Look(const std::string& dir) {
  Seen out;
  const auto fails = [&](const Error& e) {
    ++out.told;
    out.refused = true;
    out.why = e.message;
    BOOST_TEST((e.code == Errc::kCorrupt || e.code == Errc::kUnsupported || e.code == Errc::kNotFound || e.code == Errc::kIo || e.code == Errc::kInvalid || e.code == Errc::kLimit),
               "error of another kind: " << e.message);
  };
  auto data = DataDir::Open(SystemIo(), dir);
  if (!data) return fails(data.error()), out;
  auto parts = (*data)->OpenParts();
  if (!parts) return fails(parts.error()), out;
  out.told += (*parts)->warnings.size();
  auto snapshot = (*data)->Snapshot();
  if (!snapshot) return fails(snapshot.error()), out;
  auto selection = (*snapshot)->Select({}, kMinTimeMs, kMaxTimeMs);
  if (!selection) return fails(selection.error()), out;
  SeriesColumns c;
  for (std::size_t i = 0; i < (*selection)->size(); ++i) {
    if (auto done = (*selection)->Read(i, kMinTimeMs, kMaxTimeMs, &c); !done) {
      ++out.told;
      continue;
    }
    out.told += c.warnings.size();
    auto& samples = out.samples[(*selection)->labels(i).ToString()];
    for (std::size_t k = 0; k < c.t.size(); ++k) samples[c.t[k]] = std::bit_cast<std::uint64_t>(c.v[k]);
    for (const HistogramSample& h : c.histograms) samples[h.t_ms] = std::bit_cast<std::uint64_t>(h.h->sum);
  }
  (void)(*snapshot)->Exemplars({Matchers{}}, kMinTimeMs, kMaxTimeMs);
  (void)(*snapshot)->ListMetadata();
  return out;
}

}  // namespace

// What a writer makes of the directory: it opens it, and turns all into blocks. Its warnings
// count as told, and what was told before the blocks were made.
Seen LookThroughWriter(const std::string& dir) {
  prom::testing::TempDir copy;
  std::filesystem::copy(dir, copy.path(), std::filesystem::copy_options::recursive | std::filesystem::copy_options::overwrite_existing);
  FixedClock clock(kT0 + kRows * kStep);
  auto writer = Writer::Open(SystemIo(), clock, copy.path(), Quiet());
  Seen out;
  if (!writer) {
    out.refused = true;
    ++out.told;
    return out;
  }
  const Seen before = Look(copy.path());
  const auto flushed = (*writer)->Flush();
  out = Look(copy.path());
  out.told += before.told + (*writer)->warnings().size() + (flushed ? 0 : 1);
  return out;
}

BOOST_AUTO_TEST_CASE(every_byte_flipped_and_every_length_cut) {
  prom::testing::TempDir dir;
  Make(dir.path());
  const Seen want = Look(dir.path());
  BOOST_TEST_REQUIRE(want.told == 0u);
  std::size_t all = 0;
  for (const auto& [series, samples] : want.samples) all += samples.size();
  BOOST_TEST_REQUIRE(all > 2000u);
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir.path()))
    if (entry.is_regular_file() && entry.path().filename() != "lock") files.push_back(entry.path().string());
  std::sort(files.begin(), files.end());
  BOOST_TEST(files.size() >= 12u);

  const bool every = std::getenv("PROMKIT_EVERY_BYTE") != nullptr;
  std::size_t trials = 0, wrong = 0, silent = 0, told = 0, refused = 0, harmless = 0;
  std::mt19937 random(3);
  const auto judge = [&](const std::string& what, bool writer) {
    ++trials;
    const Seen got = writer ? LookThroughWriter(dir.path()) : Look(dir.path());
    bool bad = false;
    for (const auto& [series, samples] : got.samples) {
      const auto it = want.samples.find(series);
      for (const auto& [t, bits] : samples) bad |= it == want.samples.end() || !it->second.contains(t) || it->second.at(t) != bits;
    }
    // Deleted samples may show again, which is told: without their tombstones, and when a
    // writer has to go by the manifest before.
    if (bad && got.told != 0 && (what.find("/tombstones-") != std::string::npos || (writer && what.find("/manifest-") != std::string::npos))) bad = false;
    if (bad) {
      ++wrong;
      BOOST_TEST_MESSAGE("wrong answer: " << what << (got.told != 0 ? ", told" : ""));
    }
    if (got.refused) ++refused;
    else if (got.told != 0) ++told;
    else if (got.samples == want.samples) ++harmless;
    else {
      ++silent;
      BOOST_TEST_MESSAGE("silent loss: " << what);
    }
  };
  for (const std::string& path : files) {
    const std::string good = prom::testing::ReadFile(path);
    constexpr std::size_t kFewer = 8 / prom::testing::Rounds(8);  // 1, or more under a sanitizer
    const std::size_t step = every ? 1 : 11 * kFewer, writer_step = every ? 8 : 200 * kFewer;
    const std::string name = std::filesystem::path(path).filename().string();
    // Small tables of which each byte matters.
    const std::size_t dense = name == "CURRENT" || name == "tiles" ? 512 : 0;
    const auto next = [&](std::size_t at) { return at + (at < dense ? kFewer : step); };
    for (std::size_t at = dense != 0 ? 0 : random() % step; at < good.size(); at = next(at)) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ (1 << (random() % 8)));
      prom::testing::WriteFile(path, bad);
      judge(path + " byte " + std::to_string(at), false);
      if (at % writer_step < step) judge(path + " byte " + std::to_string(at) + ", writer", true);
    }
    for (std::size_t size = dense != 0 ? 0 : random() % step; size < good.size(); size = next(size)) {
      prom::testing::WriteFile(path, good.substr(0, size));
      judge(path + " cut to " + std::to_string(size) + " of " + std::to_string(good.size()), false);
      if (size % writer_step < step) judge(path + " cut to " + std::to_string(size) + " of " + std::to_string(good.size()) + ", writer", true);
    }
    std::filesystem::remove(path);
    judge(path + " removed", false);
    judge(path + " removed, writer", true);
    prom::testing::WriteFile(path, good);
  }
  BOOST_TEST(wrong == 0u);
  BOOST_TEST(silent == 0u);
  BOOST_TEST(told > 0u);
  BOOST_TEST_MESSAGE(trials << " damages: " << refused << " refused, " << told << " told, " << harmless << " cost nothing, " << wrong << " wrong, " << silent << " silent");
  const Seen after = Look(dir.path());
  BOOST_TEST((after.samples == want.samples));
}

// Files that are cut off while a reader has them mapped: errors and warnings, not SIGBUS; and
// what was read before is not mixed up with zeros.
BOOST_AUTO_TEST_CASE(files_cut_under_a_reader) {
  prom::testing::TempDir dir;
  Make(dir.path());
  const Seen want = Look(dir.path());
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir.path()))
    if (entry.is_regular_file() && entry.path().filename() != "lock") files.push_back(entry.path().string());
  for (const std::string& path : files) {
    BOOST_TEST_CONTEXT(path) {
      const std::string good = prom::testing::ReadFile(path);
      auto data = DataDir::Open(SystemIo(), dir.path());
      REQUIRE_OK(data);
      auto snapshot = (*data)->Snapshot();
      REQUIRE_OK(snapshot);
      auto selection = (*snapshot)->Select({}, kMinTimeMs, kMaxTimeMs);
      REQUIRE_OK(selection);
      std::filesystem::resize_file(path, 0);
      for (int round = 0; round < 2; ++round) {  // what was selected before, then a snapshot of now
        bool told = false;
        Content got;
        if (round == 1) {
          snapshot = (*data)->Snapshot();
          if (snapshot) selection = (*snapshot)->Select({}, kMinTimeMs, kMaxTimeMs);
          told = !snapshot || !selection;
        }
        SeriesColumns c;
        for (std::size_t i = 0; !told && i < (*selection)->size(); ++i) {
          if (!(*selection)->Read(i, kMinTimeMs, kMaxTimeMs, &c)) {
            told = true;
            break;
          }
          told |= !c.warnings.empty();
          auto& samples = got[(*selection)->labels(i).ToString()];
          for (std::size_t k = 0; k < c.t.size(); ++k) samples[c.t[k]] = std::bit_cast<std::uint64_t>(c.v[k]);
          for (const HistogramSample& h : c.histograms) samples[h.t_ms] = std::bit_cast<std::uint64_t>(h.h->sum);
        }
        std::size_t wrong = 0;
        for (const auto& [series, samples] : got)
          for (const auto& [t, bits] : samples) wrong += !want.samples.contains(series) || !want.samples.at(series).contains(t) || want.samples.at(series).at(t) != bits;
        BOOST_TEST(wrong == 0u);
        auto parts = (*data)->OpenParts();
        told |= !parts || !(*parts)->warnings.empty();
        if (!told) BOOST_TEST((got == want.samples), "less than there was, and nobody says so");
      }
      selection = Error{Errc::kInternal, ""};
      snapshot = Error{Errc::kInternal, ""};
      prom::testing::WriteFile(path, good);
    }
  }
}

}  // namespace prom::store
