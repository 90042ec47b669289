// Samples of text pages become rows, whatever the pages are like.
#include "store/ingest_sink.h"

#include <boost/test/unit_test.hpp>
#include <random>

#include "../../testing.h"
#include "store/data_dir.h"
#include "store/writer.h"

namespace prom::store {
namespace {

constexpr std::int64_t kT0 = 1'700'000'000'000;

struct Fixture {
  Fixture() {
    WriterOptions options;
    options.background = false;
    auto opened = Writer::Open(SystemIo(), SystemClock(), dir.path(), options);
    BOOST_REQUIRE(bool(opened));
    writer = std::move(*opened);
    sink = std::make_unique<IngestSink>(writer->NewAppender());
  }
  ~Fixture() { sink.reset(); }
  void Define(std::uint32_t from, std::uint32_t to) {
    for (std::uint32_t i = from; i < to; ++i) BOOST_REQUIRE(bool(sink->DefineSeries(i, Labels{{"__name__", "x"}, {"i", std::to_string(i)}})));
  }
  // Each sample of series i at time t has the value 1000 i + t - kT0.
  void Sample(std::uint32_t i, std::int64_t t) { BOOST_REQUIRE(bool(sink->Sample(i, t, 1000.0 * i + static_cast<double>(t - kT0)))); }
  void Check(std::size_t series, std::size_t samples) {
    auto data = DataDir::Open(SystemIo(), dir.path());
    BOOST_REQUIRE(bool(data));
    auto snapshot = (*data)->Snapshot();
    BOOST_REQUIRE(bool(snapshot));
    auto selection = (*snapshot)->Select({}, kMinTimeMs, kMaxTimeMs);
    BOOST_REQUIRE(bool(selection));
    std::size_t found = 0, wrong = 0, with = 0;
    SeriesColumns c;
    for (std::size_t s = 0; s < (*selection)->size(); ++s) {
      BOOST_REQUIRE(bool((*selection)->Read(s, kMinTimeMs, kMaxTimeMs, &c)));
      const double i = std::stod(std::string((*selection)->labels(s).Get("i")));
      with += c.t.empty() ? 0 : 1;
      found += c.t.size();
      for (std::size_t k = 0; k < c.t.size(); ++k) wrong += c.v[k] == 1000 * i + static_cast<double>(c.t[k] - kT0) ? 0 : 1;
    }
    BOOST_TEST(with == series);
    BOOST_TEST(found == samples);
    BOOST_TEST(wrong == 0u);
    BOOST_TEST(sink->refused() == 0u);
  }
  testing::TempDir dir;
  std::unique_ptr<Writer> writer;
  std::unique_ptr<IngestSink> sink;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(ingest_sink)

BOOST_AUTO_TEST_CASE(the_same_page_again_and_again_is_one_layout) {
  Fixture f;
  f.Define(0, 100);
  for (int page = 0; page < 50; ++page) {
    for (std::uint32_t i = 0; i < 100; ++i) f.Sample(i, kT0 + page);
    BOOST_REQUIRE(bool(f.sink->Commit(static_cast<std::uint64_t>(page) + 1)));
  }
  BOOST_TEST(f.writer->counters().layouts == 1u);
  f.Check(100, 5000);
}

BOOST_AUTO_TEST_CASE(a_dump_series_by_series_is_turned_into_rows) {
  Fixture f;
  f.Define(0, 20);
  for (std::uint32_t i = 0; i < 20; ++i)
    for (int t = 0; t < 100; ++t) f.Sample(i, kT0 + t);
  BOOST_REQUIRE(bool(f.sink->Commit(1)));
  BOOST_TEST(f.writer->counters().layouts == 1u);
  f.Check(20, 2000);
}

BOOST_AUTO_TEST_CASE(series_with_times_of_their_own_go_singly) {
  Fixture f;
  f.Define(0, 20);
  for (std::uint32_t i = 0; i < 20; ++i)
    for (int t = 0; t < 100; ++t) f.Sample(i, kT0 + t * 20 + i);
  BOOST_REQUIRE(bool(f.sink->Commit(1)));
  BOOST_TEST(f.writer->counters().layouts == 0u);
  f.Check(20, 2000);
}

// What the store refuses does not depend on how samples are gathered: the rules see
// those of a series in the order in which they came.
BOOST_AUTO_TEST_CASE(order_within_a_series_is_kept) {
  Fixture f;
  f.Define(0, 10);
  for (std::uint32_t i = 0; i < 10; ++i) {
    f.Sample(i, kT0 + 10);
    f.Sample(i, kT0 + 5);   // out of order
    f.Sample(i, kT0 + 20);
    BOOST_REQUIRE(bool(f.sink->Sample(i, kT0 + 20, -1)));  // the time again, with another value
  }
  BOOST_REQUIRE(bool(f.sink->Commit(1)));
  const StreamAck ack = f.sink->TakeAck();
  BOOST_TEST(ack.accepted == 20u);
  BOOST_TEST(ack.refused == 20u);
  BOOST_TEST(f.sink->appender().outcome().out_of_order == 10u);
  BOOST_TEST(f.sink->appender().outcome().duplicates == 10u);
}

BOOST_AUTO_TEST_CASE(input_without_pattern_makes_few_layouts) {
  Fixture f;
  f.Define(0, 64);
  std::mt19937 random(1);
  std::size_t samples = 0;
  for (int page = 0; page < 1000; ++page) {
    for (std::uint32_t i = 0; i < 64; ++i) {
      if (random() % 2 != 0) continue;
      f.Sample(i, kT0 + page);
      ++samples;
    }
    if (page % 3 == 0) BOOST_REQUIRE(bool(f.sink->Commit(static_cast<std::uint64_t>(page) + 1)));
  }
  BOOST_REQUIRE(bool(f.sink->Commit(2000)));
  BOOST_TEST(f.writer->counters().layouts <= 256u);
  f.Check(64, samples);
}

BOOST_AUTO_TEST_CASE(times_and_repetitions_end_a_row) {
  Fixture f;
  f.Define(0, 10);
  for (std::uint32_t i = 0; i < 10; ++i) f.Sample(i, kT0);
  for (std::uint32_t i = 0; i < 10; ++i) f.Sample(i, kT0);  // the same again: taken, nothing stored
  for (std::uint32_t i = 0; i < 10; ++i) f.Sample(9 - i, kT0 + 1);
  BOOST_REQUIRE(bool(f.sink->Commit(1)));
  const StreamAck ack = f.sink->TakeAck();
  BOOST_TEST(ack.sequence == 1u);
  BOOST_TEST(ack.accepted == 30u);
  BOOST_TEST(f.sink->TakeAck().sequence == 0u);
  f.Check(10, 20);
}

BOOST_AUTO_TEST_CASE(reset_keeps_what_is_gathered) {
  Fixture f;
  f.Define(0, 10);
  for (std::uint32_t i = 0; i < 10; ++i) f.Sample(i, kT0);
  BOOST_REQUIRE(bool(f.sink->Reset()));
  BOOST_TEST(!f.sink->Sample(0, kT0, 0));  // forgotten
  f.Define(0, 10);
  for (std::uint32_t i = 0; i < 10; ++i) f.Sample(i, kT0 + 1);
  BOOST_REQUIRE(bool(f.sink->Commit(1)));
  f.Check(10, 20);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace prom::store
