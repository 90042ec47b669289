#include "chunk/histogram_chunk.h"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <cstring>
#include <memory>
#include <random>

#include "columns.h"

using namespace prom;
using namespace prom::chunk;
using chunk::testing::FromBits;

namespace {

std::string Encode(const std::vector<Histogram>& v) {
  std::vector<const Histogram*> pointers;
  for (const Histogram& h : v) pointers.push_back(&h);
  std::string out;
  BOOST_TEST_REQUIRE(bool(EncodeHistograms(pointers, &out)));
  return out;
}

bool Decode(std::string_view chunk, std::vector<Histogram>* out) {
  std::unique_ptr<char[]> copy(new char[chunk.size()]);
  std::copy(chunk.begin(), chunk.end(), copy.get());
  return bool(DecodeHistograms({copy.get(), chunk.size()}, out));
}

bool Same(const Histogram& a, const Histogram& b) {
  return a.schema == b.schema && a.reset_hint == b.reset_hint && a.is_float == b.is_float && a.positive_spans == b.positive_spans &&
         a.negative_spans == b.negative_spans && chunk::testing::SameBits({a.zero_threshold, a.zero_count, a.count, a.sum}, {b.zero_threshold, b.zero_count, b.count, b.sum}) &&
         chunk::testing::SameBits(a.positive_buckets, b.positive_buckets) && chunk::testing::SameBits(a.negative_buckets, b.negative_buckets) &&
         chunk::testing::SameBits(a.custom_values, b.custom_values);
}

bool RoundTrips(const std::vector<Histogram>& v) {
  std::vector<Histogram> got;
  if (!Decode(Encode(v), &got) || got.size() != v.size()) return false;
  for (std::size_t i = 0; i < v.size(); ++i)
    if (!Same(v[i], got[i])) return false;
  return true;
}

// An integer histogram that grows: 3 spans, 8 buckets.
std::vector<Histogram> Growing(std::size_t n) {
  std::mt19937_64 rng(11);
  std::vector<Histogram> out(n);
  Histogram h;
  h.is_float = false;
  h.schema = 3;
  h.zero_threshold = 0x1p-128;
  h.positive_spans = {{-2, 3}, {4, 2}};
  h.negative_spans = {{0, 3}};
  h.positive_buckets.assign(5, 0);
  h.negative_buckets.assign(3, 0);
  for (auto& sample : out) {
    for (auto* buckets : {&h.positive_buckets, &h.negative_buckets})
      for (double& b : *buckets) {
        const auto add = static_cast<double>(rng() % 20);
        b += add;
        h.count += add;
      }
    h.sum += static_cast<double>(rng() % 100000) / 1000;
    sample = h;
  }
  out[0].reset_hint = Histogram::ResetHint::kReset;
  return out;
}

std::vector<Histogram> Mixed() {
  std::vector<Histogram> v = Growing(20);
  Histogram stale;
  stale.sum = FromBits(kStaleNanBits);
  v.push_back(stale);
  Histogram custom;
  custom.schema = Histogram::kCustomSchema;
  custom.custom_values = {0.005, 0.01, 0.1, 1, 10};
  custom.positive_spans = {{0, 6}};
  custom.positive_buckets = {1, 2, 3, 4, 5, 6.5};
  custom.reset_hint = Histogram::ResetHint::kGauge;
  for (int i = 0; i < 5; ++i) {
    custom.positive_buckets[3] += 0.25;
    custom.zero_count = -0.0;
    v.push_back(custom);
  }
  Histogram odd;  // empty spans, NaN counts, the largest offsets: nothing a chunk may refuse
  odd.schema = -4;
  odd.positive_spans = {{-2147483647 - 1, 0}, {2147483647, 1}};
  odd.positive_buckets = {FromBits(0x7ff8000000abcdef)};
  odd.zero_threshold = 0;
  odd.count = FromBits(kNormalNanBits);
  v.push_back(odd);
  v.push_back(odd);
  odd.is_float = false;
  v.push_back(odd);
  return v;
}

}  // namespace

BOOST_AUTO_TEST_CASE(histograms_round_trip) {
  BOOST_TEST(RoundTrips({Histogram{}}));
  BOOST_TEST(RoundTrips(Growing(1)));
  BOOST_TEST(RoundTrips(Growing(500)));
  BOOST_TEST(RoundTrips(Mixed()));
  BOOST_TEST(*CountHistograms(Encode(Mixed())) == Mixed().size());
}

// 480 constant histograms of 8 buckets: one layout and a few bytes a column.
BOOST_AUTO_TEST_CASE(constant_histograms_are_small) {
  const std::vector<Histogram> v(480, Growing(10)[9]);
  BOOST_TEST(Encode(v).size() < 70u);
}

BOOST_AUTO_TEST_CASE(random_histograms_round_trip) {
  std::mt19937_64 rng(12);
  for (int i = 0; i < 2000; ++i) {
    std::vector<Histogram> v(1 + rng() % 12);
    for (std::size_t k = 0; k < v.size(); ++k) {
      Histogram& h = v[k];
      if (k > 0 && rng() % 4 != 0) h = v[k - 1];
      else {
        h.schema = static_cast<std::int32_t>(rng() % 14) - 5;
        h.is_float = rng() % 2;
        h.positive_spans = {{static_cast<std::int32_t>(rng()), static_cast<std::uint32_t>(rng() % 5)}, {1, 2}};
        h.positive_buckets.resize(h.positive_spans[0].length + 2);
        if (rng() % 3 == 0) h.custom_values = chunk::testing::RandomColumn(rng, 6);
      }
      for (double& b : h.positive_buckets) b = rng() % 5 ? std::floor(b) + static_cast<double>(rng() % 100) : FromBits(rng());
      h.reset_hint = static_cast<Histogram::ResetHint>(rng() % 4);
      h.sum = FromBits(rng());
      h.count = static_cast<double>(rng() % 1000);
    }
    BOOST_TEST_REQUIRE(RoundTrips(v));
  }
}

BOOST_AUTO_TEST_CASE(bad_histograms_are_refused) {
  Histogram h = Growing(1)[0];
  h.positive_buckets.pop_back();
  const Histogram* bad[] = {&h};
  std::string out = "kept";
  auto done = EncodeHistograms(bad, &out);
  BOOST_TEST_REQUIRE(!done);
  BOOST_TEST((done.error().code == Errc::kInvalid));
  BOOST_TEST(out == "kept");
  BOOST_TEST(!EncodeHistograms({}, &out));

  Histogram wide;
  wide.positive_spans = {{0, 70000}};
  wide.positive_buckets.assign(70000, 1);
  const std::vector<const Histogram*> many(100, &wide);
  done = EncodeHistograms(many, &out);
  BOOST_TEST_REQUIRE(!done);
  BOOST_TEST((done.error().code == Errc::kLimit));
}

BOOST_AUTO_TEST_CASE(damaged_histogram_chunks) {
  std::string chunk = Encode(Mixed());
  std::vector<Histogram> got;
  for (std::size_t n = 0; n < chunk.size(); ++n) BOOST_TEST(!Decode(chunk.substr(0, n), &got), "cut at " << n);
  BOOST_TEST(!Decode(chunk + '\0', &got));
  for (std::size_t bit = 0; bit < chunk.size() * 8; ++bit) {
    chunk[bit / 8] = static_cast<char>(chunk[bit / 8] ^ (1 << bit % 8));
    (void)Decode(chunk, &got);
    chunk[bit / 8] = static_cast<char>(chunk[bit / 8] ^ (1 << bit % 8));
  }
  // A few bytes that claim a run of 65535 histograms with a span of four billion buckets.
  const std::string huge("\xff\xff\x03\xff\xff\x03\x01\x00\x01\x00\xff\xff\xff\xff\x0f\x00\x00\x00\x00", 19);
  BOOST_TEST(!Decode(huge, &got));
}
