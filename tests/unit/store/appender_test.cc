// What an Appender carries from one epoch to the next.
#include <boost/test/unit_test.hpp>

#include "../../testing.h"
#include "head_testing.h"
#include "model_store.h"
#include "store/data_dir.h"
#include "store/writer.h"

namespace prom::store {
namespace {

using testing::kT0;

struct Store {
  prom::testing::TempDir dir;
  testing::FixedClock clock{kT0 + 20 * 3'600'000};
  testing::ModelStore model;
  std::unique_ptr<Writer> writer;
  std::unique_ptr<Appender> appender;
  std::int64_t now = kT0;

  Store() {
    auto opened = Writer::Open(SystemIo(), clock, dir.path(), testing::Quiet());
    REQUIRE_OK(opened);
    writer = std::move(*opened);
    appender = writer->NewAppender();
  }
  Labels SeriesOf(std::uint32_t i) const { return Labels{{"__name__", "m" + std::to_string(i)}, {"instance", "a"}}; }
  void Define(std::uint32_t i) { REQUIRE_OK(appender->DefineSeries(i, SeriesOf(i))); }
  void Note(std::uint32_t i, double v) { model.series[SeriesOf(i)][now] = {v, 0, nullptr}; }
  void Row(std::uint32_t layout, const std::vector<std::uint32_t>& series, double v) {
    REQUIRE_OK(appender->Row(layout, now, std::vector<double>(series.size(), v), {}));
    for (const std::uint32_t i : series) Note(i, v);
  }
  void Commit() {
    REQUIRE_OK(appender->Commit(1));
    now += 60'000;
  }
  void Check() {
    auto data = DataDir::Open(SystemIo(), dir.path());
    REQUIRE_OK(data);
    auto snapshot = (*data)->Snapshot();
    REQUIRE_OK(snapshot);
    testing::CheckSame(model, **snapshot, {}, kMinTimeMs, kMaxTimeMs);
  }
};

BOOST_AUTO_TEST_SUITE(appender)

// Layouts and series that are used in each epoch, in every second one, and in none any more.
BOOST_AUTO_TEST_CASE(layouts_outlive_epochs) {
  Store s;
  for (std::uint32_t i = 0; i < 12; ++i) s.Define(i);
  const std::vector<std::vector<std::uint32_t>> layouts = {{0, 1, 2}, {3, 4, 5}, {6, 7}};
  for (std::uint32_t l = 0; l < layouts.size(); ++l) REQUIRE_OK(s.appender->DefineLayout(l, layouts[l]));
  std::vector<std::uint32_t> grown = layouts[1];
  for (int epoch = 0; epoch < 6; ++epoch) {
    for (int n = 0; n < 3; ++n) {
      s.Row(0, layouts[0], epoch * 10 + n);
      if (epoch % 2 == 0) s.Row(1, grown, epoch * 10 + n + 0.5);
      if (epoch == 0) s.Row(2, layouts[2], n);
      if (epoch % 3 == 0) {
        REQUIRE_OK(s.appender->Sample(8, s.now, epoch));
        s.Note(8, epoch);
      }
      s.Commit();
    }
    if (epoch == 1) {  // a layout of an epoch before, by series of then and of now
      s.Define(12);
      REQUIRE_OK(s.appender->DefineLayout(1, std::vector<std::uint32_t>{9, 12}));
      grown.insert(grown.end(), {9, 12});
    }
    // In the middle of a batch: what it holds goes over with it.
    s.Row(0, layouts[0], epoch * 10 + 7);
    REQUIRE_OK(s.writer->Flush());
    s.Row(2, layouts[2], epoch * 10 + 8);
    s.Commit();
    s.Check();
  }
  // Only what was used is in the epoch that is being written, and what is left when the one before became a block.
  BOOST_TEST(s.writer->counters().head.damaged == 0u);
}

// Two epochs pass before a series is used again.
BOOST_AUTO_TEST_CASE(series_rest_for_epochs) {
  Store s;
  for (std::uint32_t i = 0; i < 4; ++i) s.Define(i);
  REQUIRE_OK(s.appender->DefineLayout(0, std::vector<std::uint32_t>{0, 1}));
  REQUIRE_OK(s.appender->DefineLayout(1, std::vector<std::uint32_t>{2, 3}));
  s.Row(0, {0, 1}, 1);
  s.Row(1, {2, 3}, 2);
  s.Commit();
  for (int epoch = 0; epoch < 3; ++epoch) {
    REQUIRE_OK(s.writer->Flush());
    s.Row(0, {0, 1}, 3 + epoch);
    s.Commit();
  }
  s.Row(1, {2, 3}, 9);
  Exemplar exemplar;
  exemplar.labels = Labels{{"trace", "x"}};
  exemplar.t_ms = s.now;
  exemplar.has_time = true;
  REQUIRE_OK(s.appender->ExemplarOf(3, exemplar));
  s.Commit();
  s.Check();
  REQUIRE_OK(s.appender->Reset());
  s.Define(0);
  REQUIRE_OK(s.appender->Sample(0, s.now, 5));
  s.Note(0, 5);
  s.Commit();
  s.Check();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace prom::store
