// Rules of order: duplicates, what is out of order or too old, clocks that are wrong.
#include "../../testing.h"
#include "head_testing.h"
#include "store/data_dir.h"

namespace prom::store {
using namespace prom::store::testing;

namespace {

constexpr std::int64_t kSecond = 1000, kMinute = 60'000, kHour = 3'600'000;

struct Store {
  prom::testing::TempDir dir;
  FixedClock clock{kT0 + kHour};
  WriterOptions options = Quiet();
  std::unique_ptr<Writer> writer;
  std::unique_ptr<Appender> a;
  Content want;

  void Open() {
    a.reset();
    writer.reset();
    auto opened = Writer::Open(SystemIo(), clock, dir.path(), options);
    REQUIRE_OK(opened);
    writer = std::move(*opened);
    a = writer->NewAppender();
    for (std::uint32_t i = 0; i < 4; ++i) REQUIRE_OK(a->DefineSeries(i, Series("s", static_cast<int>(i))));
    REQUIRE_OK(a->DefineLayout(0, std::vector<std::uint32_t>{0, 1}));
  }
  // What became of one sample: taken, repeated, duplicate, out of order, too old.
  std::string Sample(std::uint32_t series, std::int64_t t, double v) {
    const auto before = a->outcome();
    REQUIRE_OK(a->Sample(series, kT0 + t, v));
    REQUIRE_OK(a->Commit(1));
    return Outcome(before, [&] { want[Series("s", static_cast<int>(series)).ToString()][kT0 + t] = std::bit_cast<std::uint64_t>(v); });
  }
  // Of a row of series 0 and 1.
  std::string Row(std::int64_t t, double v) {
    const auto before = a->outcome();
    REQUIRE_OK(a->Row(0, kT0 + t, std::vector<double>{v, v + 1}, {}));
    REQUIRE_OK(a->Commit(1));
    return Outcome(before, [&] {
      for (int i = 0; i < 2; ++i) want[Series("s", i).ToString()][kT0 + t] = std::bit_cast<std::uint64_t>(v + i);
    });
  }
  template <typename F>
  std::string Outcome(const Appender::Outcome& before, F taken) {
    const auto& now = a->outcome();
    if (now.appended != before.appended) return taken(), "taken";
    if (now.repeated != before.repeated) return "repeated";
    if (now.duplicates != before.duplicates) return "duplicate";
    if (now.out_of_order != before.out_of_order) return "out of order";
    if (now.too_old != before.too_old) return "too old";
    return "nothing";
  }
  void Check() {
    Content got;
    ReadSound(dir.path(), &got);
    BOOST_TEST((got == want));
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(order_without_a_window) {
  Store s;
  s.Open();
  BOOST_TEST(s.Row(10 * kSecond, 1) == "taken");
  BOOST_TEST(s.Row(10 * kSecond, 1) == "repeated");
  BOOST_TEST(s.Row(10 * kSecond, 5) == "duplicate");
  BOOST_TEST(s.Row(9 * kSecond, 5) == "out of order");
  BOOST_TEST(s.Sample(0, 9 * kSecond, 5) == "out of order");
  BOOST_TEST(s.Sample(2, 9 * kSecond, 5) == "taken");
  BOOST_TEST(s.Sample(2, 9 * kSecond, 5) == "repeated");
  BOOST_TEST(s.Sample(2, 9 * kSecond, -5) == "duplicate");
  s.Check();
  // The same after a restart, which finds the newest samples in its files.
  s.Open();
  BOOST_TEST(s.Row(10 * kSecond, 1) == "repeated");
  BOOST_TEST(s.Row(10 * kSecond, 5) == "duplicate");
  BOOST_TEST(s.Sample(2, 9 * kSecond, 5) == "repeated");
  BOOST_TEST(s.Sample(2, 9 * kSecond, -5) == "duplicate");
  BOOST_TEST(s.Sample(2, 8 * kSecond, 5) == "out of order");
  BOOST_TEST(s.Row(11 * kSecond, 2) == "taken");
  s.Check();
}

// One target's clock is a year ahead. Others must not notice, neither now nor after blocks and restarts.
BOOST_AUTO_TEST_CASE(order_survives_a_clock_that_runs_ahead) {
  const std::int64_t stray = 365 * 24 * kHour;
  for (const std::int64_t window : {std::int64_t{0}, 10 * kMinute}) {
    for (const bool as_row : {false, true}) {
      BOOST_TEST_CONTEXT("window " << window << (as_row ? ", a row" : ", a loose sample")) {
        Store s;
        s.options.head.out_of_order_window_ms = window;
        s.clock.Set(kT0);
        s.Open();
        const auto now = [&](std::int64_t t) { s.clock.Set(kT0 + t); };
        BOOST_TEST(s.Row(0, 1) == "taken");
        BOOST_TEST(s.Sample(2, 0, 1) == "taken");
        BOOST_TEST((as_row ? s.Row(stray, 2) : s.Sample(3, stray, 2)) == "taken");
        // Others, in order; and the series itself, once its clock is right again.
        for (std::int64_t t = kMinute; t <= 5 * kHour; t += kMinute) {
          now(t);
          BOOST_TEST_REQUIRE(s.Sample(2, t, static_cast<double>(t)) == "taken", "minute " << t / kMinute);
          BOOST_TEST_REQUIRE(s.Row(t, static_cast<double>(t)) == "taken", "minute " << t / kMinute);
          if (t % (30 * kMinute) == 0) REQUIRE_OK(s.writer->Maintain());
          if (t % (70 * kMinute) == 0) s.Open();
        }
        if (window != 0) {
          BOOST_TEST(s.Sample(2, 5 * kHour - 7 * kMinute - kSecond, 3) == "taken");
          BOOST_TEST(s.Sample(2, 5 * kHour - 11 * kMinute - kSecond, 3) == "out of order");
        } else {
          BOOST_TEST(s.Sample(2, 5 * kHour - kSecond, 3) == "out of order");
        }
        BOOST_TEST(s.writer->manifest().blocks.size() >= 2u);  // epochs have been closed all the same
        BOOST_TEST(s.writer->manifest().epochs.size() == 1u);
        s.Check();
        REQUIRE_OK(s.writer->Flush());
        BOOST_TEST(s.Row(5 * kHour + kSecond, 9) == "taken");
        s.Check();
      }
    }
  }
}

}  // namespace prom::store
