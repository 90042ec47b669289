// tests/data/store-v1 is a directory of format version 1 as the first release wrote it. Whatever
// later programs write, they read this one, to the bit. PROMKIT_WRITE_GOLDEN_STORE=DIR makes one anew.
#include <cstdlib>
#include <filesystem>
#include <limits>

#include "../../testing.h"
#include "base/fault_io.h"
#include "head_testing.h"
#include "store/data_dir.h"
#include "store/verify.h"

namespace prom::store {
using namespace prom::store::testing;

namespace {

constexpr int kSeriesCount = 12;
constexpr std::int64_t kStep = 15'000;
constexpr int kRows = 700;         // some in a block, some in sealed groups, some in the log
constexpr int kFlushAt = 500;

// The value of series i in row r, by plain arithmetic.
double ValueAt(int i, int r) {
  switch (i) {
    case 0: return 1;                                        // constant
    case 1: return 3.0 * r;                                  // counter
    case 2: return r / 8.0;                                  // binary fractions
    case 3: return (r % 17) * 0.01;                          // decimals
    case 4: return r % 50 == 49 ? StaleNan() : r;            // stale markers
    case 5: return std::bit_cast<double>(0x7ff8000000000000ull + static_cast<unsigned>(r));  // NaN payloads
    case 6: return r % 3 == 0 ? -0.0 : r % 3 == 1 ? std::numeric_limits<double>::infinity() : 5e-324;
    case 7: return 1.0 / (r + 1);                            // all bits
    case 8: return r < 300 ? 1e15 + r : 2.0 * (r - 300);     // a reset
    default: return i * 1000 + r;
  }
}
bool Present(int i, int r) { return i < 9 || (r / 40 + i) % 3 != 0; }  // series that come and go
std::int64_t TimeAt(int r) { return kT0 + r * kStep + (r % 7 == 3 ? 2 : 0); }  // some scrapes are late

Histogram HistogramAt(int r) {
  Histogram h;
  h.is_float = false;
  h.schema = 3;
  h.zero_threshold = 0.001;
  h.zero_count = 1;
  h.positive_spans = {{-2, 1}, {3, 2}};
  h.positive_buckets = {2.0 + r, 1, 3};
  h.count = 7 + r;
  h.sum = r * 0.5;
  return h;
}

std::vector<Exemplar> SomeExemplars() {
  std::vector<Exemplar> out(2);
  out[0].labels = Labels{{"trace_id", "abc"}};
  out[0].value = 1.5;
  out[0].t_ms = TimeAt(650);
  out[0].has_time = true;
  out[1].labels = Labels{{"trace_id", "def"}};
  out[1].value = 2.5;
  out[1].t_ms = TimeAt(651);
  out[1].has_time = true;
  return out;
}

Result<void> Write(const std::string& dir) {
  FixedClock clock(TimeAt(kRows));
  WriterOptions options = Quiet();
  options.head.out_of_order_window_ms = 600'000;
  options.boot_id = "golden";
  PROM_ASSIGN(const auto writer, Writer::Open(SystemIo(), clock, dir, options));
  const auto a = writer->NewAppender();
  std::vector<std::uint32_t> ids;
  for (std::uint32_t i = 0; i < kSeriesCount; ++i) {
    PROM_TRY(a->DefineSeries(i, Series("golden", static_cast<int>(i))));
    ids.push_back(i);
  }
  PROM_TRY(a->DefineLayout(0, ids));
  PROM_TRY(a->DefineSeries(kSeriesCount, Series("histogram", 0)));
  PROM_TRY(a->DefineSeries(kSeriesCount + 1, Series("loose", 0)));
  PROM_TRY(a->MetadataOf("golden", {MetricType::kCounter, "what is read for ever", "seconds"}));
  for (int r = 0; r < kRows; ++r) {
    std::vector<double> values;
    std::vector<std::uint64_t> present(1, 0);
    for (int i = 0; i < kSeriesCount; ++i) {
      values.push_back(ValueAt(i, r));
      if (Present(i, r)) present[0] |= std::uint64_t{1} << i;
    }
    PROM_TRY(a->Row(0, TimeAt(r), values, present));
    if (r % 10 == 0) PROM_TRY(a->HistogramAt(kSeriesCount, TimeAt(r), HistogramAt(r)));
    if (r % 5 == 0) PROM_TRY(a->Sample(kSeriesCount + 1, TimeAt(r), r, TimeAt(0)));
    if (r % 100 == 60) PROM_TRY(a->Sample(kSeriesCount + 1, TimeAt(r) - 20'000, -r));  // out of order
    if (r == 651)
      for (const Exemplar& e : SomeExemplars()) PROM_TRY(a->ExemplarOf(1, e));
    PROM_TRY(a->Commit(static_cast<std::uint64_t>(r + 1)));
    if (r == kFlushAt) PROM_TRY(writer->Flush());
  }
  PROM_TRY(writer->Maintain());  // an index of the head
  PROM_ASSIGN(const std::uint64_t id, writer->Delete({{Matcher::Equal("i", "11")}}, TimeAt(100), TimeAt(199)));
  (void)id;
  return writer->Close();
}

struct Want {
  Content samples;
  std::size_t count = 0;
};

Want Expected() {
  Want want;
  const auto set = [&](const Labels& labels, std::int64_t t, double v) { want.samples[labels.ToString()][t] = std::bit_cast<std::uint64_t>(v); };
  for (int r = 0; r < kRows; ++r) {
    for (int i = 0; i < kSeriesCount; ++i)
      if (Present(i, r) && !(i == 11 && r >= 100 && r <= 199)) set(Series("golden", i), TimeAt(r), ValueAt(i, r));
    if (r % 10 == 0) set(Series("histogram", 0), TimeAt(r), r * 0.5);  // ReadAll gives the sum
    if (r % 5 == 0) set(Series("loose", 0), TimeAt(r), r);
    if (r % 100 == 60) set(Series("loose", 0), TimeAt(r) - 20'000, -r);
  }
  return want;
}

void Check(const std::string& dir) {
  Content got;
  std::shared_ptr<const Queryable> snapshot;
  ReadSound(dir, &got, &snapshot);
  const Want want = Expected();
  BOOST_TEST(got.size() == want.samples.size());
  for (const auto& [series, samples] : want.samples) {
    BOOST_TEST_CONTEXT(series) {
      std::size_t wrong = 0;
      for (const auto& [t, bits] : samples) wrong += !got[series].contains(t) || got[series][t] != bits;
      BOOST_TEST(wrong == 0u);
      BOOST_TEST(got[series].size() == samples.size());
    }
  }
  // What is not floats.
  auto selection = snapshot->Select({Matcher::Equal("__name__", "histogram")}, kMinTimeMs, kMaxTimeMs);
  REQUIRE_OK(selection);
  SeriesColumns columns;
  REQUIRE_OK((*selection)->Read(0, kMinTimeMs, kMaxTimeMs, &columns));
  BOOST_TEST_REQUIRE(columns.histograms.size() == static_cast<std::size_t>(kRows / 10));
  for (std::size_t k = 0; k < columns.histograms.size(); ++k) BOOST_TEST((*columns.histograms[k].h == HistogramAt(static_cast<int>(k) * 10)), "histogram " << k);
  selection = snapshot->Select({Matcher::Equal("__name__", "loose")}, TimeAt(600), TimeAt(600));
  REQUIRE_OK(selection);
  REQUIRE_OK((*selection)->Read(0, TimeAt(600), TimeAt(600), &columns));
  BOOST_TEST_REQUIRE(columns.st.size() == 1u);
  BOOST_TEST(columns.st[0] == TimeAt(0));
  auto exemplars = snapshot->Exemplars({Matchers{}}, kMinTimeMs, kMaxTimeMs);
  REQUIRE_OK(exemplars);
  BOOST_TEST_REQUIRE(exemplars->size() == 1u);
  BOOST_TEST_REQUIRE((*exemplars)[0].exemplars.size() == 2u);
  for (std::size_t k = 0; k < 2; ++k) {
    BOOST_TEST(((*exemplars)[0].exemplars[k].labels == SomeExemplars()[k].labels));
    BOOST_TEST((*exemplars)[0].exemplars[k].value == SomeExemplars()[k].value);
    BOOST_TEST((*exemplars)[0].exemplars[k].t_ms == SomeExemplars()[k].t_ms);
  }
  auto metadata = snapshot->ListMetadata();
  REQUIRE_OK(metadata);
  BOOST_TEST_REQUIRE(metadata->size() == 1u);
  BOOST_TEST(((*metadata)[0].second == Metadata{MetricType::kCounter, "what is read for ever", "seconds"}));
  auto verified = VerifyDataDir(SystemIo(), dir);
  REQUIRE_OK(verified);
  BOOST_TEST(verified->problems.empty(), (verified->problems.empty() ? "" : verified->problems[0].ToString()));
  // Deleted ones are on disk still.
  std::size_t all = 0;
  for (const auto& [series, samples] : want.samples) all += samples.size();
  for (int r = 100; r <= 199; ++r) all += Present(11, r) ? 1 : 0;
  BOOST_TEST(verified->samples == all);
}

}  // namespace

BOOST_AUTO_TEST_CASE(golden_directory_of_version_1) {
  if (const char* where = std::getenv("PROMKIT_WRITE_GOLDEN_STORE")) {
    std::filesystem::remove_all(where);
    REQUIRE_OK(Write(where));
    for (const char* name : {"lock", "tmp", "ingest.sock"}) std::filesystem::remove_all(std::string(where) + "/" + name);
    Check(where);
  }
  const std::string golden = prom::testing::DataDir() + "/store-v1";
  Check(golden);  // in place: readers write nothing
  // A writer goes on with it.
  prom::testing::TempDir copy;
  std::filesystem::copy(golden, copy.path(), std::filesystem::copy_options::recursive | std::filesystem::copy_options::overwrite_existing);
  FixedClock clock(TimeAt(kRows));
  WriterOptions options = Quiet();
  options.boot_id = "another boot";
  auto writer = Writer::Open(SystemIo(), clock, copy.path(), options);
  REQUIRE_OK(writer);
  BOOST_TEST((*writer)->warnings().empty());
  Check(copy.path());
  REQUIRE_OK((*writer)->Flush());
  Check(copy.path());  // all of it in blocks now
}

}  // namespace prom::store
