// The worked example of prom-data(5), and what the formats refuse.
#include <sstream>

#include "../../testing.h"
#include "head_testing.h"
#include "store/head_extras.h"
#include "store/head_format.h"

namespace prom::store {

namespace {
// The hex block behind "Example" in the page.
std::string ExampleOfPage() {
  const std::string page = prom::testing::ReadFile(PROMKIT_SOURCE_DIR "/man/man5/prom-data.5");
  const std::size_t begin = page.find(".Bd -literal", page.find(".Em Example"));
  std::istringstream lines(page.substr(page.find('\n', begin) + 1, page.find(".Ed", begin) - page.find('\n', begin) - 1));
  std::string out, byte;
  while (lines >> byte) out.push_back(static_cast<char>(std::stoi(byte, nullptr, 16)));
  return out;
}
}  // namespace

BOOST_AUTO_TEST_CASE(head_format_example_of_the_page) {
  const std::string bytes = ExampleOfPage();
  const auto r = ParseRecord(bytes);
  BOOST_TEST_REQUIRE(r.has_value());
  BOOST_TEST((r->type == RecordType::kRow));
  BOOST_TEST(r->seq == 7u);
  const RowView row = ParseRow(*r);
  BOOST_TEST(row.layout == 2u);
  BOOST_TEST(row.columns == 3u);
  BOOST_TEST(row.t == 1'700'000'000'000);
  BOOST_TEST((row.prev == Position{128, 1}));
  BOOST_TEST(row.Present(0));
  BOOST_TEST(!row.Present(1));
  BOOST_TEST(row.Present(2));
  BOOST_TEST(!row.Present(3));
  BOOST_TEST(row.Value(0) == 1.5);
  BOOST_TEST(row.Value(2) == -2);
  for (std::size_t i = 0; i < bytes.size() * 8; ++i) {  // any flipped bit is seen
    std::string bad = bytes;
    bad[i / 8] = static_cast<char>(bad[i / 8] ^ (1 << (i % 8)));
    BOOST_TEST(!ParseRecord(bad).has_value(), "bit " << i);
  }
  for (std::size_t n = 0; n < bytes.size(); ++n) BOOST_TEST(!ParseRecord(std::string_view(bytes).substr(0, n)).has_value());
}

BOOST_AUTO_TEST_CASE(head_format_newer_version_is_refused_by_name) {
  const auto done = CheckFileHeader(FileHeader(kLogMagic, 2), kLogMagic, "data/head/00000001/log-1");
  BOOST_TEST_REQUIRE(!done.has_value());
  BOOST_TEST((done.error().code == Errc::kUnsupported));
  BOOST_TEST(done.error().message == "data/head/00000001/log-1 has format version 2; this program reads 1");
  BOOST_TEST((CheckFileHeader(FileHeader(kLogMagic), kTilesMagic, "x").error().code == Errc::kCorrupt));
}

BOOST_AUTO_TEST_CASE(head_format_slots_know_their_place) {
  char slot[kTileSlotBytes];
  TileState s;
  s.seq = 5;
  s.rows = 3;
  EncodeTileSlot(s, 4, slot);
  BOOST_TEST(DecodeTileSlot(slot, 4).has_value());
  BOOST_TEST(!DecodeTileSlot(slot, 5).has_value());
  char home[kHomeBytes];
  EncodeHome({1, 2, 3}, 7, home);
  BOOST_TEST(DecodeHome(home, 7).has_value());
  BOOST_TEST(!DecodeHome(home, 8).has_value());
}

}  // namespace prom::store
