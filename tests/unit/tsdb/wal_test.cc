#include <boost/test/unit_test.hpp>
#include <random>

#include "../../testing.h"
#include "base/number.h"
#include "tsdb/wal_reader.h"
#include "tsdb/wal_records.h"
#include "wal_testing.h"

namespace prom::tsdb {
namespace {

using testing::Pack;
using testing::Segment;
using Status = SegmentReader::Status;

std::vector<std::string> ReadAll(std::string_view bytes, Status* end) {
  std::vector<std::string> out;
  SegmentReader reader(bytes);
  std::string_view record;
  while ((*end = reader.Next(&record)) == Status::kRecord) out.emplace_back(record);
  return out;
}

BOOST_AUTO_TEST_SUITE(wal)

// Sizes around those of a page and its header, in all compressions.
BOOST_AUTO_TEST_CASE(records_of_all_sizes) {
  std::mt19937 random(1);
  for (const Pack pack : {Pack::kNone, Pack::kSnappy, Pack::kZstd}) {
    Segment segment;
    std::vector<std::string> want;
    for (const std::size_t size : {1, 100, 32768 - 7, 32768 - 8, 32768, 7, 1, 32760 - 130, 200'000, 3, 65536}) {
      std::string record(size, 'x');
      for (std::size_t i = 0; i < size; i += 3) record[i] = static_cast<char>(random());
      want.push_back(record);
      segment.Add(record, pack);
    }
    segment.PadPage();
    segment.Add("last", pack);
    want.push_back("last");
    Status end{};
    BOOST_TEST((ReadAll(segment.bytes(), &end) == want));
    BOOST_TEST((end == Status::kEnd));
  }
}

BOOST_AUTO_TEST_CASE(cut_at_every_length) {
  Segment segment;
  const std::vector<std::string> want = {"one", std::string(100, '2'), std::string(40, '3')};
  std::vector<std::size_t> ends;
  for (const auto& r : want) ends.push_back(segment.Add(r, Pack::kNone).bytes().size());
  for (std::size_t n = 0; n <= segment.bytes().size(); ++n) {
    Status end{};
    const auto got = ReadAll(std::string_view(segment.bytes()).substr(0, n), &end);
    std::size_t whole = 0;
    while (whole < ends.size() && ends[whole] <= n) ++whole;
    BOOST_REQUIRE((got == std::vector<std::string>(want.begin(), want.begin() + static_cast<std::ptrdiff_t>(whole))));
    BOOST_REQUIRE((end == (n == 0 || (whole > 0 && ends[whole - 1] == n) ? Status::kEnd : Status::kTorn)));
  }
}

// One flipped bit: no record that was not written, and never the end without a word.
BOOST_AUTO_TEST_CASE(flipped_bits) {
  for (const Pack pack : {Pack::kNone, Pack::kSnappy, Pack::kZstd}) {
    Segment segment;
    std::vector<std::string> want;
    for (int i = 0; i < 4; ++i) {
      want.push_back(std::string(30 + i * 10, static_cast<char>('a' + i)));
      segment.Add(want.back(), pack);
    }
    for (std::size_t bit = 0; bit < segment.bytes().size() * 8; ++bit) {
      std::string bad = segment.bytes();
      bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
      Status end{};
      const auto got = ReadAll(bad, &end);
      BOOST_REQUIRE(got.size() <= want.size());
      const unsigned header_bit = static_cast<unsigned>(bit % 8);
      for (std::size_t i = 0; i < got.size(); ++i) {
        // The type byte is outside of the checksum: its compression bits can make other bytes of a record.
        if (got[i] != want[i]) BOOST_REQUIRE(header_bit >= 3);
      }
      if (got.size() < want.size()) BOOST_REQUIRE((end != Status::kEnd));
    }
  }
}

BOOST_AUTO_TEST_CASE(goes_on_where_it_stopped) {
  Segment segment;
  segment.Add("first");
  SegmentReader reader(segment.bytes());
  std::string_view record;
  BOOST_REQUIRE((reader.Next(&record) == Status::kRecord));
  BOOST_REQUIRE((reader.Next(&record) == Status::kEnd));
  const std::uint64_t offset = reader.offset();
  segment.Add(std::string(100'000, 'y'));
  const std::string half = segment.bytes().substr(0, 60'000);
  SegmentReader torn(half, offset);
  BOOST_REQUIRE((torn.Next(&record) == Status::kTorn));
  BOOST_TEST(torn.offset() == offset);
  SegmentReader again(segment.bytes(), torn.offset());
  BOOST_REQUIRE((again.Next(&record) == Status::kRecord));
  BOOST_TEST((record == std::string(100'000, 'y')));
}

BOOST_AUTO_TEST_CASE(samples_v2_by_hand) {
  std::string r(1, '\x0b');
  AppendSignedVarint(&r, 7);     // ref
  AppendSignedVarint(&r, 1000);  // time
  AppendSignedVarint(&r, 900);   // start
  AppendBe64(&r, std::bit_cast<std::uint64_t>(1.5));
  AppendSignedVarint(&r, 2);  // 9
  AppendSignedVarint(&r, 5);  // 1005
  r.push_back(1);             // the same start
  AppendBe64(&r, std::bit_cast<std::uint64_t>(2.5));
  AppendSignedVarint(&r, -1);  // 8
  AppendSignedVarint(&r, 6);   // 1006
  r.push_back(0);              // none
  AppendBe64(&r, kStaleNanBits);
  AppendSignedVarint(&r, 1);  // 9
  AppendSignedVarint(&r, 7);
  r.push_back(2);
  AppendSignedVarint(&r, 50);  // 950
  AppendBe64(&r, std::bit_cast<std::uint64_t>(3.5));
  std::vector<RefSample> out;
  BOOST_REQUIRE(bool(DecodeSamples(r, &out)));
  BOOST_REQUIRE(out.size() == 4u);
  const std::vector<std::tuple<std::uint64_t, std::int64_t, std::int64_t>> want = {{7, 1000, 900}, {9, 1005, 900}, {8, 1006, 0}, {9, 1007, 950}};
  for (std::size_t i = 0; i < want.size(); ++i) BOOST_TEST((std::tuple(out[i].ref, out[i].t_ms, out[i].st_ms) == want[i]));
  BOOST_TEST(IsStaleNan(out[2].v));
  out.clear();
  BOOST_TEST(!DecodeSamples(r.substr(0, r.size() - 1), &out));
  BOOST_TEST(out.size() == 3u);
}

BOOST_AUTO_TEST_CASE(histograms_by_hand) {
  std::string r(1, '\x09');  // integers that may have custom buckets
  AppendBe64(&r, 3);
  AppendBe64(&r, 5000);
  for (int i = 0; i < 2; ++i) {
    AppendSignedVarint(&r, i);
    AppendSignedVarint(&r, i * 10);
    r.push_back(2);                              // no reset
    AppendSignedVarint(&r, i == 0 ? -53 : 3);    // schema
    AppendBe64(&r, 0);                           // zero threshold
    AppendVarint(&r, 0);                         // zero count
    AppendVarint(&r, 9);                         // count
    AppendBe64(&r, std::bit_cast<std::uint64_t>(4.5));
    AppendVarint(&r, 1);                         // one positive span
    AppendSignedVarint(&r, 0), AppendVarint(&r, 2);
    AppendVarint(&r, 0);                         // no negative one
    AppendVarint(&r, 2), AppendSignedVarint(&r, 5), AppendSignedVarint(&r, -1);  // 5, 4
    AppendVarint(&r, 0);
    if (i == 0) {
      AppendVarint(&r, 2);
      AppendBe64(&r, std::bit_cast<std::uint64_t>(0.1));
      AppendBe64(&r, std::bit_cast<std::uint64_t>(1.0));
    }
  }
  std::vector<RefHistogram> out;
  std::uint64_t invalid = 0;
  BOOST_REQUIRE(bool(DecodeHistogramRecord(r, &out, &invalid)));
  BOOST_REQUIRE(out.size() == 2u);
  BOOST_TEST(invalid == 0u);
  Histogram want;
  want.is_float = false;
  want.reset_hint = Histogram::ResetHint::kNotReset;
  want.schema = Histogram::kCustomSchema;
  want.count = 9;
  want.sum = 4.5;
  want.positive_spans = {{0, 2}};
  want.positive_buckets = {5, 4};
  want.custom_values = {0.1, 1};
  BOOST_TEST((*out[0].h == want));
  want.schema = 3;
  want.custom_values.clear();
  BOOST_TEST((*out[1].h == want));
  BOOST_TEST((out[1].ref == 4u && out[1].t_ms == 5010));
}

BOOST_AUTO_TEST_CASE(metadata_and_exemplars_by_hand) {
  std::string m(1, '\6');
  AppendVarint(&m, 4);
  m.push_back(1);
  AppendVarint(&m, 3);
  for (const char* s : {"UNIT", "seconds", "NEW", "field", "HELP", "how long"}) AppendLengthPrefixed(&m, s);
  std::vector<RefMetadata> metadata;
  BOOST_REQUIRE(bool(DecodeMetadata(m, &metadata)));
  BOOST_REQUIRE(metadata.size() == 1u);
  BOOST_TEST((metadata[0].metadata == Metadata{MetricType::kCounter, "how long", "seconds"}));

  std::string e(1, '\4');
  AppendBe64(&e, 10);
  AppendBe64(&e, 100);
  AppendSignedVarint(&e, -2);
  AppendSignedVarint(&e, 3);
  AppendBe64(&e, std::bit_cast<std::uint64_t>(0.5));
  testing::AppendLabels(&e, Labels{{"trace_id", "x"}});
  std::vector<RefExemplar> exemplars;
  BOOST_REQUIRE(bool(DecodeExemplars(e, &exemplars)));
  BOOST_REQUIRE(exemplars.size() == 1u);
  BOOST_TEST((exemplars[0].ref == 8u && exemplars[0].exemplar.t_ms == 103 && exemplars[0].exemplar.labels == Labels{{"trace_id", "x"}}));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace prom::tsdb
