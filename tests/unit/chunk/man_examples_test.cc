// The worked examples of prom-chunk(5), by hand from the layout: the page and the
// decoder must agree, and the encoder must still write what the page shows.
#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

#include "chunk/block_compress.h"
#include "chunk/histogram_chunk.h"
#include "chunk/time_column.h"
#include "chunk/value_chunk.h"
#include "../../testing.h"
#include "columns.h"

using namespace prom;
using namespace prom::chunk;

namespace {

std::string FromHex(const std::string& hex) {
  std::string out;
  for (std::size_t i = 0; i < hex.size(); i += 3) out.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return out;
}

// All hex lines of the page, so that an example cannot change there alone.
bool OnPage(const std::string& hex) {
  static const std::string page = prom::testing::ReadFile(PROMKIT_SOURCE_DIR "/man/man5/prom-chunk.5");
  return page.find(".Dl " + hex + "\n") != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(man_page_values) {
  struct Row {
    const char* hex;
    std::vector<double> values;
    bool no_resets;
  };
  const Row rows[] = {
      {"e0 03 a0 22", std::vector<double>(480, 17), true},
      {"09 41 02 c8 01 03 18 a7 87 00 01 40", {10, 10.3, 10.7, 11, 11.2, 11.9, 12, 12.4, chunk::testing::FromBits(kStaleNanBits)}, false},
      {"05 90 02 00 04 0e 0a 08", {5, 5, 5, 9, 9}, true},
      {"02 b3 0e c8 01 90 03 0e 00 02", {0.1, 0.1 + 0.2}, true},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.hex) {
      BOOST_TEST(OnPage(row.hex));
      std::vector<double> got(row.values.size());
      BOOST_TEST_REQUIRE(bool(DecodeValues(FromHex(row.hex), got)));
      BOOST_TEST(chunk::testing::SameBits(got, row.values));
      BOOST_TEST(PeekValues(FromHex(row.hex))->no_resets == row.no_resets);
    }
  }
  for (int i : {0, 1}) {
    std::string bytes;
    EncodeValues(rows[i].values, &bytes);
    BOOST_TEST((bytes == FromHex(rows[i].hex)));
  }
}

BOOST_AUTO_TEST_CASE(man_page_times_histograms_groups) {
  const std::string times = "04 03 d0 0f d0 0f 00";
  BOOST_TEST(OnPage(times));
  std::vector<std::int64_t> t(4);
  BOOST_TEST_REQUIRE(bool(DecodeTimes(FromHex(times), t)));
  BOOST_TEST(t == (std::vector<std::int64_t>{1000, 2000, 3000, 4000}));

  const std::string first = "02 02 00 00 01 00 01 00 00 00 00 80 0e 02 04", second = "a0 00 80 0e 02 04 81 0e 0a 14";
  BOOST_TEST(OnPage(first));
  BOOST_TEST(OnPage(second));
  std::vector<Histogram> h;
  BOOST_TEST_REQUIRE(bool(DecodeHistograms(FromHex(first + " " + second), &h)));
  BOOST_TEST_REQUIRE(h.size() == 2u);
  for (const Histogram& x : h) {
    BOOST_TEST(x.schema == 0);
    BOOST_TEST(!x.is_float);
    BOOST_TEST(x.zero_threshold == 0x1p-128);
    BOOST_TEST(x.zero_count == 0);
    BOOST_TEST((x.positive_spans == std::vector<Histogram::Span>{{0, 1}}));
    BOOST_TEST(x.negative_buckets.empty());
    BOOST_TEST((x.reset_hint == Histogram::ResetHint::kUnknown));
  }
  BOOST_TEST(h[0].count == 1);
  BOOST_TEST(h[1].count == 3);
  BOOST_TEST(h[0].positive_buckets == std::vector<double>{1});
  BOOST_TEST(h[1].positive_buckets == std::vector<double>{3});
  BOOST_TEST(h[0].sum == 0.5);
  BOOST_TEST(h[1].sum == 1.5);

  const std::string group = "00 61 62 63";
  BOOST_TEST(OnPage(group));
  std::string buffer;
  BOOST_TEST((*ReadGroup(FromHex(group), 100, &buffer) == "abc"));
}
