// What goes into an appender comes out of readers, bit for bit.
#include <cmath>
#include <random>
#include <thread>

#include "head_testing.h"
#include "../../testing.h"

namespace prom::store {
using namespace prom::store::testing;

namespace {

std::uint64_t Bits(double v) { return std::bit_cast<std::uint64_t>(v); }

// Defines `n` series under one layout.
void Define(Appender& a, const std::string& name, int n) {
  std::vector<std::uint32_t> ids;
  for (int i = 0; i < n; ++i) {
    REQUIRE_OK(a.DefineSeries(static_cast<std::uint32_t>(i), Series(name, i)));
    ids.push_back(static_cast<std::uint32_t>(i));
  }
  REQUIRE_OK(a.DefineLayout(0, ids));
}

}  // namespace

BOOST_AUTO_TEST_CASE(head_rows_are_visible_right_after_commit) {
  prom::testing::TempDir dir;
  FixedClock clock;
  auto writer = Writer::Open(SystemIo(), clock, dir.path(), Quiet());
  REQUIRE_OK(writer);
  auto a = (*writer)->NewAppender();
  Define(*a, "m", 5);
  Content want;
  for (int r = 0; r < 100; ++r) {
    const std::int64_t t = kT0 + r * 1000;
    std::vector<double> values;
    for (int i = 0; i < 5; ++i) {
      const double v = i == 0 ? 1 : i == 1 ? r : i == 2 ? r * 0.1 : i == 3 ? std::sin(r) : (r % 10 == 0 ? StaleNan() : -0.0);
      values.push_back(v);
      want[Series("m", i).ToString()][t] = Bits(v);
    }
    REQUIRE_OK(a->Row(0, t, values, {}));
    BOOST_TEST((r == 0 || ReadHeads(dir.path()) != want));  // nothing of it before
    REQUIRE_OK(a->Commit(static_cast<std::uint64_t>(r)));
    BOOST_TEST((ReadHeads(dir.path()) == want), "row " << r);
  }
  BOOST_TEST((*writer)->counters().head.appended == 500u);
  BOOST_TEST((*writer)->counters().head.sealed_groups == 0u);  // 5 columns: tiles of 128 rows
}

BOOST_AUTO_TEST_CASE(head_wide_layouts_seal_and_grow_and_lose_columns) {
  prom::testing::TempDir dir;
  FixedClock clock;
  auto writer = Writer::Open(SystemIo(), clock, dir.path(), Quiet());
  REQUIRE_OK(writer);
  auto a = (*writer)->NewAppender();
  Define(*a, "w", 100);
  std::mt19937_64 random(1);
  Content want;
  std::uint32_t columns = 100;
  for (int r = 0; r < 200; ++r) {
    if (r % 30 == 29) {  // new series come
      std::vector<std::uint32_t> added;
      for (int k = 0; k < 7; ++k, ++columns) {
        REQUIRE_OK(a->DefineSeries(columns, Series("w", static_cast<int>(columns))));
        added.push_back(columns);
      }
      REQUIRE_OK(a->DefineLayout(0, added));
    }
    const std::int64_t t = kT0 + r * 15000;
    std::vector<double> values;
    std::vector<std::uint64_t> present((columns + 63) / 64, 0);
    const bool gaps = r % 3 == 1 || r > 120;
    for (std::uint32_t i = 0; i < columns; ++i) {
      values.push_back(std::bit_cast<double>(random()));
      if (r > 100 && i >= 20 && i < 60) continue;  // gone for good
      if (gaps && random() % 5 == 0) continue;
      present[i / 64] |= std::uint64_t{1} << (i % 64);
      want[Series("w", static_cast<int>(i)).ToString()][t] = Bits(values.back());
    }
    if (!gaps && r <= 100) REQUIRE_OK(a->Row(0, t, values, {}));
    else REQUIRE_OK(a->Row(0, t, values, present));
    if (r % 5 == 4) REQUIRE_OK(a->Commit(1));
  }
  REQUIRE_OK(a->Commit(1));
  BOOST_TEST((ReadHeads(dir.path()) == want));
  BOOST_TEST((*writer)->counters().head.sealed_groups == 6u);
  // Ranges, with edges inside groups and on rows.
  auto heads = OpenHeads(dir.path());
  REQUIRE_OK(heads);
  for (const auto& [from, to] : {std::pair{10, 20}, {0, 31}, {31, 32}, {33, 150}, {190, 199}, {5, 5}, {300, 400}}) {
    Content part;
    std::vector<std::string> warnings;
    REQUIRE_OK(ReadAll(*heads->front(), &part, &warnings, {}, kT0 + from * 15000, kT0 + to * 15000));
    Content expect;
    for (const auto& [series, samples] : want)
      for (const auto& [t, bits] : samples)
        if (t >= kT0 + from * 15000 && t <= kT0 + to * 15000) expect[series][t] = bits;
    BOOST_TEST((part == expect), from << ".." << to);
    BOOST_TEST(warnings.empty());
  }
}

BOOST_AUTO_TEST_CASE(head_series_share_time_columns) {
  prom::testing::TempDir dir;
  FixedClock clock;
  auto writer = Writer::Open(SystemIo(), clock, dir.path(), Quiet());
  REQUIRE_OK(writer);
  auto a = (*writer)->NewAppender();
  Define(*a, "c", 40);
  for (int r = 0; r < 70; ++r) {
    std::vector<double> values(40, r);
    values[3] = 70 - r;
    std::uint64_t present = (std::uint64_t{1} << 40) - 1;
    if (r == 10) present &= ~std::uint64_t{2};
    REQUIRE_OK(a->Row(0, kT0 + r * 1000, values, std::span(&present, 1)));
    REQUIRE_OK(a->Commit(1));
  }
  auto heads = OpenHeads(dir.path());
  REQUIRE_OK(heads);
  auto selection = heads->front()->Select({}, kMinTimeMs, kMaxTimeMs);
  REQUIRE_OK(selection);
  BOOST_TEST_REQUIRE((*selection)->size() == 40u);
  std::uint64_t shared = 0;
  for (std::size_t i = 0; i < 40; ++i) {
    SeriesColumns c;
    REQUIRE_OK((*selection)->Read(i, kT0, kT0 + 100'000, &c));
    const std::string which((*selection)->labels(i).Get("i"));
    BOOST_TEST_CONTEXT("i=" << which) {
      BOOST_TEST(c.t.size() == (which == "1" ? 69u : 70u));
      BOOST_TEST(c.no_resets == (which != "3"));  // a falling series resets at each step
      if (which == "1") {
        BOOST_TEST(c.time_column == 0u);
      } else {
        BOOST_TEST(c.time_column != 0u);
        if (shared == 0) shared = c.time_column;
        BOOST_TEST(c.time_column == shared);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(head_loose_samples_histograms_exemplars_metadata) {
  prom::testing::TempDir dir;
  FixedClock clock;
  WriterOptions options = Quiet();
  options.head.max_pending_loose = 10;  // seals often
  options.head.max_exemplars = 3;
  auto writer = Writer::Open(SystemIo(), clock, dir.path(), options);
  REQUIRE_OK(writer);
  auto a = (*writer)->NewAppender();
  for (int i = 0; i < 4; ++i) REQUIRE_OK(a->DefineSeries(static_cast<std::uint32_t>(i), Series("l", i)));
  Content want;
  Histogram h;
  h.schema = 3;
  h.is_float = false;
  h.positive_spans = {{-2, 2}, {3, 1}};
  h.positive_buckets = {1, 2, 3};
  h.count = 6;
  for (int r = 0; r < 33; ++r) {
    const std::int64_t t = kT0 + r * 1000;
    for (std::uint32_t i = 0; i < 3; ++i) {
      REQUIRE_OK(a->Sample(i, t, r * 1.5 + i, i == 1 ? kT0 - 5000 : 0));
      want[Series("l", static_cast<int>(i)).ToString()][t] = Bits(r * 1.5 + i);
    }
    h.sum = r + 0.25;
    REQUIRE_OK(a->HistogramAt(3, t, h, kT0 - 7000));
    want[Series("l", 3).ToString()][t] = Bits(h.sum);
    Exemplar e;
    e.labels = Labels{{"trace_id", std::to_string(r)}};
    e.value = r;
    e.t_ms = t;
    e.has_time = true;
    REQUIRE_OK(a->ExemplarOf(0, e));
    REQUIRE_OK(a->MetadataOf("l", {MetricType::kGauge, "help " + std::to_string(r / 20), "s"}));
    REQUIRE_OK(a->Commit(1));
    BOOST_TEST((ReadHeads(dir.path()) == want), "row " << r);
  }
  BOOST_TEST((*writer)->counters().head.appended_histograms == 33u);
  auto heads = OpenHeads(dir.path());
  REQUIRE_OK(heads);
  const HeadSnapshot& head = *heads->front();
  auto selection = head.Select({Matcher::Equal("i", "3")}, kMinTimeMs, kMaxTimeMs);
  REQUIRE_OK(selection);
  SeriesColumns c;
  REQUIRE_OK((*selection)->Read(0, kMinTimeMs, kMaxTimeMs, &c));
  BOOST_TEST_REQUIRE(c.histograms.size() == 33u);
  h.sum = 5.25;
  BOOST_TEST((*c.histograms[5].h == h));
  BOOST_TEST(c.histogram_st.at(5) == kT0 - 7000);
  selection = head.Select({Matcher::Equal("i", "1")}, kMinTimeMs, kMaxTimeMs);
  REQUIRE_OK(selection);
  REQUIRE_OK((*selection)->Read(0, kMinTimeMs, kMaxTimeMs, &c));
  BOOST_TEST_REQUIRE(c.st.size() == 33u);
  BOOST_TEST(c.st[20] == kT0 - 5000);
  auto metadata = head.ListMetadata();
  REQUIRE_OK(metadata);
  BOOST_TEST_REQUIRE(metadata->size() == 1u);
  BOOST_TEST((*metadata)[0].second.help == "help 1");
  auto exemplars = head.Exemplars({{Matcher::Equal("__name__", "l")}}, kT0, kT0 + 100'000);
  REQUIRE_OK(exemplars);
  BOOST_TEST_REQUIRE(exemplars->size() == 1u);
  BOOST_TEST((*exemplars)[0].exemplars.back().value == 32);
}

BOOST_AUTO_TEST_CASE(head_rules_of_order) {
  prom::testing::TempDir dir;
  FixedClock clock;
  auto writer = Writer::Open(SystemIo(), clock, dir.path(), Quiet());
  REQUIRE_OK(writer);
  auto a = (*writer)->NewAppender();
  Define(*a, "o", 2);
  const auto row = [&](std::int64_t t, double x, double y) {
    const double values[] = {x, y};
    REQUIRE_OK(a->Row(0, kT0 + t, values, {}));
    REQUIRE_OK(a->Commit(1));
  };
  Content want;
  const auto expect = [&](std::int64_t t, int i, double v) { want[Series("o", i).ToString()][kT0 + t] = Bits(v); };
  row(1000, 1, 2);
  expect(1000, 0, 1);
  expect(1000, 1, 2);
  row(1000, 1, 3);  // the same again; another value
  row(500, 9, 9);   // older
  auto c = (*writer)->counters().head;
  BOOST_TEST(c.repeated == 1u);
  BOOST_TEST(c.duplicates == 1u);
  BOOST_TEST(c.out_of_order == 2u);
  REQUIRE_OK(a->Sample(0, kT0 + 2000, 7));  // loose, newer than the row
  REQUIRE_OK(a->Commit(1));
  expect(2000, 0, 7);
  row(1500, 8, 4);  // too late for series 0 only
  expect(1500, 1, 4);
  row(2000, 7, 5);  // the loose one again; new for series 1
  expect(2000, 1, 5);
  row(3000, 1, 1);
  expect(3000, 0, 1);
  expect(3000, 1, 1);
  REQUIRE_OK(a->Sample(1, kT0 + 3000, 1));
  REQUIRE_OK(a->Sample(1, kT0 + 3000, 2));
  REQUIRE_OK(a->Sample(1, kT0 + 2999, 2));
  REQUIRE_OK(a->Commit(1));
  c = (*writer)->counters().head;
  BOOST_TEST(c.repeated == 3u);
  BOOST_TEST(c.duplicates == 2u);
  BOOST_TEST(c.out_of_order == 4u);
  BOOST_TEST((ReadHeads(dir.path()) == want));
  // Another connection sends the same series in another order and grouping.
  auto b = (*writer)->NewAppender();
  REQUIRE_OK(b->DefineSeries(0, Series("o", 1)));
  REQUIRE_OK(b->DefineSeries(1, Series("o", 0)));
  const std::uint32_t ids[] = {0, 1};
  REQUIRE_OK(b->DefineLayout(0, ids));
  const double values[] = {11, 10};
  REQUIRE_OK(b->Row(0, kT0 + 2500, values, {}));  // older than both
  REQUIRE_OK(b->Row(0, kT0 + 4000, values, {}));
  REQUIRE_OK(b->Commit(1));
  row(3500, 5, 5);  // and now the first one is late
  row(5000, 6, 6);
  expect(4000, 1, 11);
  expect(4000, 0, 10);
  expect(5000, 0, 6);
  expect(5000, 1, 6);
  BOOST_TEST((*writer)->counters().head.out_of_order == 8u);
  BOOST_TEST((ReadHeads(dir.path()) == want));
  a.reset();
  b.reset();
  writer->reset();
  // The same rules after opening again.
  writer = Writer::Open(SystemIo(), clock, dir.path(), Quiet());
  REQUIRE_OK(writer);
  a = (*writer)->NewAppender();
  Define(*a, "o", 2);
  row(4500, 1, 1);
  row(5000, 6, 7);
  c = (*writer)->counters().head;
  BOOST_TEST(c.out_of_order == 2u);
  BOOST_TEST(c.repeated == 1u);
  BOOST_TEST(c.duplicates == 1u);
  row(6000, 1, 1);
  expect(6000, 0, 1);
  expect(6000, 1, 1);
  BOOST_TEST((ReadHeads(dir.path()) == want));
}

BOOST_AUTO_TEST_CASE(head_out_of_order_window) {
  prom::testing::TempDir dir;
  FixedClock clock;
  WriterOptions options = Quiet();
  options.head.out_of_order_window_ms = 10'000;
  auto writer = Writer::Open(SystemIo(), clock, dir.path(), options);
  REQUIRE_OK(writer);
  auto a = (*writer)->NewAppender();
  Define(*a, "w", 1);
  Content want;
  for (const std::int64_t t : {20, 5, 15, 11, 30, 19, 25}) {
    const double v[] = {static_cast<double>(t)};
    REQUIRE_OK(a->Row(0, kT0 + t * 1000, v, {}));
    REQUIRE_OK(a->Commit(1));
    if (t != 5 && t != 19) want[Series("w", 0).ToString()][kT0 + t * 1000] = Bits(v[0]);
  }
  BOOST_TEST((*writer)->counters().head.out_of_order == 2u);           // 5 before 20, 19 before 30
  BOOST_TEST((*writer)->counters().head.out_of_order_accepted == 3u);  // 15, 11, 25
  BOOST_TEST((ReadHeads(dir.path()) == want));
}

BOOST_AUTO_TEST_CASE(head_reopens_and_goes_on) {
  prom::testing::TempDir dir;
  FixedClock clock;
  Content want;
  int r = 0;
  for (int life = 0; life < 6; ++life) {
    WriterOptions options = Quiet();
    options.head.segment_bytes = 20'000;          // several segments
    if (life >= 4) options.boot_id = "boot " + std::to_string(life);  // clean shutdown: trusted all the same
    auto writer = Writer::Open(SystemIo(), clock, dir.path(), options);
    REQUIRE_OK(writer);
    BOOST_TEST((*writer)->warnings().empty());
    auto a = (*writer)->NewAppender();
    Define(*a, "r", 50 + life);
    for (int k = 0; k < 40; ++k, ++r) {
      std::vector<double> values;
      for (int i = 0; i < 50 + life; ++i) {
        values.push_back(r * 3 + i * 0.5);
        want[Series("r", i).ToString()][kT0 + r * 1000] = Bits(values.back());
      }
      REQUIRE_OK(a->Row(0, kT0 + r * 1000, values, {}));
      REQUIRE_OK(a->Commit(1));
    }
    REQUIRE_OK((*writer)->Maintain());
    REQUIRE_OK((*writer)->Sync());
    BOOST_TEST((*writer)->counters().layouts == 1u);  // the next life takes the layout over
    BOOST_TEST((ReadHeads(dir.path()) == want), "life " << life);
  }
  // Log segments whose rows are sealed and synced are gone.
  auto entries = SystemIo().List(EpochDir(dir.path(), 1));
  REQUIRE_OK(entries);
  BOOST_TEST(std::count_if(entries->begin(), entries->end(), [](const DirEntry& e) { return e.name.starts_with("log-"); }) <= 4);
}

BOOST_AUTO_TEST_CASE(head_many_series_are_found_again) {
  prom::testing::TempDir dir;
  FixedClock clock;
  Content want;
  for (int life = 0; life < 3; ++life) {
    WriterOptions options = Quiet();
    if (life == 2) options.boot_id = "another";
    auto writer = Writer::Open(SystemIo(), clock, dir.path(), options);
    REQUIRE_OK(writer);
    auto a = (*writer)->NewAppender();
    const int n = 6000 + life * 3000;
    Define(*a, "s", n);
    std::vector<double> values;
    for (int i = 0; i < n; ++i) {
      values.push_back(i * 2 + life);
      want[Series("s", i).ToString()][kT0 + life * 1000] = Bits(values.back());
    }
    REQUIRE_OK(a->Row(0, kT0 + life * 1000, values, {}));
    REQUIRE_OK(a->Commit(1));
    BOOST_TEST((*writer)->counters().series == static_cast<std::uint64_t>(n));
    REQUIRE_OK((*writer)->Maintain());  // makes index segments
    BOOST_TEST((ReadHeads(dir.path()) == want), "life " << life);
    auto heads = OpenHeads(dir.path());
    REQUIRE_OK(heads);
    for (const char* i : {"0", "5999", "6000", "11999"}) {
      Content one;
      std::vector<std::string> warnings;
      REQUIRE_OK(ReadAll(*heads->front(), &one, &warnings, {Matcher::Equal("i", i), Matcher::Equal("__name__", "s")}));
      BOOST_TEST(one.size() == (std::atoi(i) < n ? 1u : 0u), i);
    }
  }
}

BOOST_AUTO_TEST_CASE(head_rollover_and_compaction) {
  prom::testing::TempDir dir;
  FixedClock clock(kT0);
  auto writer = Writer::Open(SystemIo(), clock, dir.path(), Quiet());
  REQUIRE_OK(writer);
  auto a = (*writer)->NewAppender();
  Define(*a, "e", 40);
  Content want;
  // 15 s over 5 h: rollovers at 2 h 10 min and 4 h 10 min.
  for (int r = 0; r < 1200; ++r) {
    const std::int64_t t = kT0 + r * 15000;
    clock.Set(t);
    std::vector<double> values;
    for (int i = 0; i < 40; ++i) {
      values.push_back(r + i);
      want[Series("e", i).ToString()][t] = Bits(values.back());
    }
    REQUIRE_OK(a->Row(0, t, values, {}));
    REQUIRE_OK(a->Commit(1));
  }
  BOOST_TEST((*writer)->counters().epochs == 3u);
  BOOST_TEST((ReadHeads(dir.path()) == want));
  // Order holds across epochs.
  const std::vector<double> late(40, 1);
  REQUIRE_OK(a->Row(0, kT0 + 100 * 15000, late, {}));
  REQUIRE_OK(a->Commit(1));
  BOOST_TEST((*writer)->counters().head.out_of_order == 40u);
  REQUIRE_OK((*writer)->Maintain());
  BOOST_TEST((*writer)->counters().epochs == 1u);
  BOOST_TEST((*writer)->counters().blocks >= 2u);
  REQUIRE_OK(a->Row(0, kT0 + 100 * 15000, late, {}));
  REQUIRE_OK(a->Commit(1));
  BOOST_TEST((*writer)->counters().head.too_old == 40u);
  BOOST_TEST((*writer)->counters().head.appended == 48'000u);
}

BOOST_AUTO_TEST_CASE(head_many_appenders_at_once) {
  prom::testing::TempDir dir;
  FixedClock clock;
  auto writer = Writer::Open(SystemIo(), clock, dir.path(), Quiet());
  REQUIRE_OK(writer);
  std::vector<std::thread> threads;
  std::atomic<int> failures{0};
  for (int k = 0; k < 4; ++k) {
    threads.emplace_back([&, k] {
      auto a = (*writer)->NewAppender();
      std::vector<std::uint32_t> ids;
      for (std::uint32_t i = 0; i < 50; ++i) {
        failures += !a->DefineSeries(i, Series("t" + std::to_string(k), static_cast<int>(i)));
        ids.push_back(i);
      }
      failures += !a->DefineLayout(0, ids);
      for (int r = 0; r < 100; ++r) {
        failures += !a->Row(0, kT0 + r * 1000, std::vector<double>(50, r), {});
        failures += !a->Commit(1);
      }
    });
  }
  for (int r = 0; r < 20; ++r) {
    auto heads = OpenHeads(dir.path());
    BOOST_TEST(heads.has_value());
  }
  for (auto& t : threads) t.join();
  BOOST_TEST(failures.load() == 0);
  const Content got = ReadHeads(dir.path());
  BOOST_TEST(got.size() == 200u);
  for (const auto& [series, samples] : got) BOOST_TEST(samples.size() == 100u, series);
}

BOOST_AUTO_TEST_CASE(head_second_writer_is_told) {
  prom::testing::TempDir dir;
  FixedClock clock;
  auto first = Writer::Open(SystemIo(), clock, dir.path(), Quiet());
  REQUIRE_OK(first);
  auto second = Writer::Open(SystemIo(), clock, dir.path(), Quiet());
  BOOST_TEST_REQUIRE(!second.has_value());
  BOOST_TEST((second.error().code == Errc::kUnavailable));
  BOOST_TEST(second.error().message == dir.path() + " is being written by pid " + std::to_string(::getpid()));
}

}  // namespace prom::store
