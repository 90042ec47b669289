#include "tsdb/chunk.h"

#include <boost/test/unit_test.hpp>
#include <random>

#include "../../testing.h"
#include "base/number.h"

namespace prom::tsdb {
namespace {

std::uint64_t Raw(double v) { return std::bit_cast<std::uint64_t>(v); }

SeriesColumns Decoded(Encoding encoding, std::string_view data) {
  SeriesColumns out;
  auto done = DecodeChunk(static_cast<std::uint8_t>(encoding), data, &out);
  BOOST_REQUIRE_MESSAGE(bool(done), (done ? "" : done.error().message));
  return out;
}

BOOST_AUTO_TEST_SUITE(chunk)

// Bits written by hand from the description of the format: times 1000, 1015 (delta
// 15), 1030 (again), 1046 (one more); values 1, 1, 2, 2.
BOOST_AUTO_TEST_CASE(xor_by_hand) {
  std::string bytes("\0\4", 2);
  BitWriter w(&bytes);
  w.Byte(0xd0), w.Byte(0x0f);  // 1000 zig-zag = 2000
  w.Write(0x3ff0000000000000, 64);
  w.Byte(15);
  w.Write(0, 1);     // same value
  w.Write(0, 1);     // same delta
  w.Write(0b11, 2);  // 1.0 ^ 2.0 = 0x7ff0000000000000: 1 leading zero, 52 trailing
  w.Write(1, 5);
  w.Write(11, 6);
  w.Write(0x7ff, 11);
  w.Write(0b10, 2);  // delta changed by 1, in 14 bits
  w.Write(1, 14);
  w.Write(0, 1);
  w.Flush();
  const auto c = Decoded(Encoding::kXor, bytes);
  BOOST_TEST(c.t_buffer == (std::vector<std::int64_t>{1000, 1015, 1030, 1046}), boost::test_tools::per_element());
  BOOST_TEST(c.v_buffer == (std::vector<double>{1, 1, 2, 2}), boost::test_tools::per_element());
  XorEncoder e;
  for (std::size_t i = 0; i < c.t_buffer.size(); ++i) e.Append(c.t_buffer[i], c.v_buffer[i]);
  BOOST_TEST((e.Finish() == bytes));
}

BOOST_AUTO_TEST_CASE(xor_keeps_every_bit) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 2000; ++round) {
    XorEncoder e;
    std::vector<std::int64_t> t;
    std::vector<double> v;
    auto at = static_cast<std::int64_t>(random() >> (1 + random() % 60));
    if (round % 3 == 0) at = -at;
    double value = static_cast<double>(random() % 1000);
    const std::size_t n = 1 + random() % 300;
    // Jumps of all sizes, so that every width of a delta is met, with its extremes.
    static constexpr std::int64_t kSteps[] = {1, 15'000, 15'001, 14'999, 15'000 + 8192, 15'000 + 8193, 15'000 + 65'536, 15'000 + 65'537, 15'000 + 524'288, 15'000 + 524'289, std::int64_t{1} << 40};
    for (std::size_t i = 0; i < n; ++i) {
      at += round % 2 == 0 ? 15'000 : kSteps[random() % std::size(kSteps)];
      switch (random() % 6) {
        case 0: break;
        case 1: value += 1; break;
        case 2: value = std::bit_cast<double>(random()); break;
        case 3: value = StaleNan(); break;
        case 4: value = std::bit_cast<double>(Raw(value) ^ (std::uint64_t{1} << random() % 64)); break;
        default: value = static_cast<double>(random() % 100) / 10;
      }
      t.push_back(at);
      v.push_back(value);
      e.Append(at, value);
    }
    const auto c = Decoded(Encoding::kXor, e.Finish());
    BOOST_REQUIRE((c.t_buffer == t));
    for (std::size_t i = 0; i < n; ++i) BOOST_REQUIRE(Raw(c.v_buffer[i]) == Raw(v[i]));
  }
}

// Each control prefix of XOR2 once, written from its description.
BOOST_AUTO_TEST_CASE(xor2_by_hand) {
  std::string bytes("\0\7\x82", 3);  // 7 samples; the first has a start timestamp, each from number 2 on too
  BitWriter w(&bytes);
  w.Varint(1000);
  w.Write(Raw(1.0), 64);
  w.Varint(1000 - 400);  // starts at 400
  w.Uvarint(10);         // t = 1010
  w.Write(0, 1);         // same value; still 400
  w.Write(0b10, 2);      // 1020, other value, in a new window
  w.Write(1, 1);
  w.Write(1, 5), w.Write(11, 6), w.Write(0x7ff, 11);  // 2.0
  w.VarbitInt(1010 - 1005);                           // starts at 1005
  w.Write(0b11111, 5);                                // 1030, stale
  w.VarbitInt((1020 - 1005) - 5);                     // still 1005
  w.Write(0b110, 3), w.Write(0x1fff & static_cast<std::uint64_t>(-3), 13);  // delta 7: 1037
  w.Write(0, 1);                                                            // value as before the stale one
  w.VarbitInt((1030 - 1005) - 15);
  w.Write(0b1110, 4), w.Write(100'000, 20);  // delta 100007: 101044
  w.Write(0b111, 3);                         // stale
  w.VarbitInt((1037 - 0) - 25);              // unknown start: 0
  w.Write(0b11110, 5), w.Write(std::uint64_t{1} << 40, 64);
  w.Write(0b10, 2), w.Write(1, 11);  // in the window: 2.0 with one exponent bit less
  w.VarbitInt((101044 - 50) - 1037);
  w.Flush();
  const auto c = Decoded(Encoding::kXor2, bytes);
  BOOST_TEST(c.t_buffer == (std::vector<std::int64_t>{1000, 1010, 1020, 1030, 1037, 101044, 101044 + 100007 + (std::int64_t{1} << 40)}), boost::test_tools::per_element());
  const std::vector<std::uint64_t> want = {Raw(1), Raw(1), Raw(2), Raw(StaleNan()), Raw(2), Raw(StaleNan()), Raw(2) ^ (std::uint64_t{1} << 52)};
  for (std::size_t i = 0; i < want.size(); ++i) BOOST_TEST(Raw(c.v_buffer[i]) == want[i]);
  BOOST_TEST(c.st_buffer == (std::vector<std::int64_t>{400, 400, 1005, 1005, 1005, 0, 50}), boost::test_tools::per_element());
}

Histogram RandomHistogram(std::mt19937_64& random, bool is_float, bool custom) {
  Histogram h;
  h.is_float = is_float;
  if (custom) {
    h.schema = Histogram::kCustomSchema;
    h.custom_values = {0.005, 0.25, 1.0 / 3, 1, 33554.43, 33554.431, 1e9};
    h.positive_spans = {{0, 3}, {1, 2}};
  } else {
    h.schema = static_cast<std::int32_t>(random() % 13) - 4;
    static constexpr double kThresholds[] = {0, 2.938735877055719e-39, 0.001, 0.5, 1024, 2048};
    h.zero_threshold = kThresholds[random() % 6];
    h.positive_spans = {{static_cast<std::int32_t>(random() % 100) - 50, 2}, {static_cast<std::int32_t>(random() % 9), 3}};
    if (random() % 2 == 0) h.negative_spans = {{3, 1}};
  }
  h.positive_buckets.assign(5, 0);
  h.negative_buckets.assign(h.negative_spans.empty() ? 0 : 1, 0);
  return h;
}

BOOST_AUTO_TEST_CASE(histograms_keep_every_bit) {
  using Hint = Histogram::ResetHint;
  std::mt19937_64 random(11);
  for (int round = 0; round < 600; ++round) {
    const bool is_float = round % 2 == 0, gauge = round % 5 == 0;
    Histogram h = RandomHistogram(random, is_float, round % 3 == 0);
    if (gauge) h.reset_hint = Hint::kGauge;
    HistogramEncoder e;
    std::vector<std::pair<std::int64_t, Histogram>> want;
    std::int64_t t = 1'700'000'000'000;
    const std::size_t n = 1 + random() % 50;
    for (std::size_t i = 0; i < n; ++i) {
      t += 15'000 + static_cast<std::int64_t>(random() % 10);
      const auto grow = [&](double* v) {
        const double by = random() % 4 == 0 ? static_cast<double>(random() % 1'000'000'000) : static_cast<double>(random() % 5);
        *v = gauge && random() % 2 == 0 ? by : *v + (is_float ? by / 8 : by);
      };
      for (auto& v : h.positive_buckets) grow(&v);
      for (auto& v : h.negative_buckets) grow(&v);
      if (!h.uses_custom_buckets()) grow(&h.zero_count);
      grow(&h.count);
      h.sum = random() % 3 == 0 ? std::bit_cast<double>(random() >> 2) : h.sum + 0.5;
      BOOST_REQUIRE(e.Fits(h));
      e.Append(t, h);
      want.emplace_back(t, h);
      want.back().second.reset_hint = gauge ? Hint::kGauge : i == 0 ? Hint::kUnknown : Hint::kNotReset;
    }
    Histogram stale = h;
    stale.sum = StaleNan();
    for (int k = 0; k < 2; ++k) {
      BOOST_REQUIRE(e.Fits(stale));
      e.Append(++t, stale);
      Histogram bare;
      bare.is_float = is_float;
      bare.sum = StaleNan();
      want.emplace_back(t, bare);
    }
    BOOST_REQUIRE(!e.Fits(h));
    const auto c = Decoded(e.encoding(), e.Finish());
    BOOST_REQUIRE(c.histograms.size() == want.size());
    for (std::size_t i = 0; i < want.size(); ++i) {
      BOOST_REQUIRE(c.histograms[i].t_ms == want[i].first);
      BOOST_REQUIRE_MESSAGE((*c.histograms[i].h == want[i].second), "round " << round << " sample " << i);
    }
  }
}

BOOST_AUTO_TEST_CASE(what_begins_a_new_histogram_chunk) {
  std::mt19937_64 random(3);
  const Histogram base = [&] {
    Histogram h = RandomHistogram(random, false, false);
    h.positive_buckets = {5, 5, 5, 5, 5};
    h.count = 100;
    h.zero_count = 7;
    return h;
  }();
  struct Row {
    const char* what;
    void (*change)(Histogram*);
    bool fits;
  };
  static const Row kRows[] = {
      {"the same", [](Histogram*) {}, true},
      {"count fell", [](Histogram* h) { h->count = 99; }, false},
      {"zero count fell", [](Histogram* h) { h->zero_count = 6; }, false},
      {"bucket fell", [](Histogram* h) { h->positive_buckets[4] = 4; }, false},
      {"schema", [](Histogram* h) { h->schema ^= 1; }, false},
      {"zero threshold", [](Histogram* h) { h->zero_threshold += 1; }, false},
      {"layout", [](Histogram* h) { h->positive_spans[0].offset += 1; }, false},
      {"said to be a reset", [](Histogram* h) { h->reset_hint = Histogram::ResetHint::kReset; }, false},
      {"gauge", [](Histogram* h) { h->reset_hint = Histogram::ResetHint::kGauge; }, false},
      {"float", [](Histogram* h) { h->is_float = true; }, false},
      {"stale", [](Histogram* h) { h->sum = StaleNan(); }, true},
  };
  for (const Row& row : kRows) {
    BOOST_TEST_CONTEXT(row.what) {
      HistogramEncoder e;
      e.Append(1, base);
      Histogram h = base;
      row.change(&h);
      BOOST_TEST(e.Fits(h) == row.fits);
    }
  }
}

// Cut at every length: an error or fewer samples, never samples made up.
BOOST_AUTO_TEST_CASE(cut_chunks_are_refused) {
  std::mt19937_64 random(5);
  XorEncoder x;
  for (int i = 0; i < 50; ++i) x.Append(1000 + i * 15, static_cast<double>(random() % 7));
  HistogramEncoder e;
  Histogram h = RandomHistogram(random, false, true);
  for (int i = 0; i < 20; ++i) {
    for (auto& v : h.positive_buckets) v += static_cast<double>(random() % 90);
    e.Append(1000 + i * 15, h);
  }
  for (const auto& [encoding, bytes] : {std::pair(Encoding::kXor, x.Finish()), std::pair(Encoding::kHistogram, e.Finish())}) {
    for (std::size_t n = 0; n + 1 < bytes.size(); ++n) {
      SeriesColumns out;
      out.t_buffer = {7};
      out.v_buffer = {7};
      BOOST_TEST(!DecodeChunk(static_cast<std::uint8_t>(encoding), std::string_view(bytes).substr(0, n), &out));
      BOOST_TEST(out.t_buffer.size() == 1u);
      BOOST_TEST(out.histograms.empty());
    }
  }
  SeriesColumns out;
  auto done = DecodeChunk(9, "abc", &out);
  BOOST_TEST_REQUIRE(!done);
  BOOST_TEST((done.error().code == Errc::kUnsupported));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace prom::tsdb
