#include "base/ulid.h"
#include "store/manifest.h"

#include <boost/test/unit_test.hpp>

#include "../../testing.h"
#include "base/crc32c.h"
#include "base/strings.h"

namespace prom::store {
namespace {

Manifest Sample() {
  Manifest m;
  m.generation = 7;
  m.epochs = {{12, 1'700'000'000'000}, {13, 1'700'007'200'000}};
  m.blocks = {{"01HF0000000000000000000000", -5, 10, 1, 480, 1000}, {"01HF0000000000000000000001", 11, 20, 3, 48000, 19200}};
  m.tombstones = "tombstones-5";
  return m;
}

BOOST_AUTO_TEST_SUITE(manifest)

BOOST_AUTO_TEST_CASE(text_is_as_documented) {
  const std::string body =
      "promkit manifest 1\ngeneration 7\nepoch 12 1700000000000\nepoch 13 1700007200000\n"
      "block 01HF0000000000000000000000 -5 10 1 480 1000\nblock 01HF0000000000000000000001 11 20 3 48000 19200\ntombstones tombstones-5\n";
  BOOST_TEST(FormatManifest(Sample()) == body + StringPrintf("crc %08x\n", Crc32c(body)));
  auto parsed = ParseManifest(FormatManifest(Sample()), "m");
  BOOST_REQUIRE(bool(parsed));
  BOOST_TEST((*parsed == Sample()));
}

BOOST_AUTO_TEST_CASE(damage_is_refused) {
  const std::string text = FormatManifest(Sample());
  for (std::size_t n = 0; n < text.size(); ++n) BOOST_TEST(!ParseManifest(text.substr(0, n), "m"));
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = text;
      damaged[i] = static_cast<char>(damaged[i] ^ 1 << bit);
      auto parsed = ParseManifest(damaged, "m");
      if (parsed) BOOST_ERROR("accepted with a flip at " + std::to_string(i));
    }
  }
}

BOOST_AUTO_TEST_CASE(bad_lines) {
  const auto with = [](const std::string& line) {
    const std::string body = "promkit manifest 1\ngeneration 1\n" + line + "\n";
    return ParseManifest(body + StringPrintf("crc %08x\n", Crc32c(body)), "m");
  };
  BOOST_TEST(bool(with("epoch 1 2")));
  for (const char* line : {"", "epoch", "epoch 1", "epoch x 2", "block ../../etc/passwd 1 2 1 1 1", "block 01HF0000000000000000000000 2 1 1 1 1",
                           "tombstones ../x", "tombstones .", "bogus 1", "epoch 1 2 3"}) {
    BOOST_TEST_CONTEXT("line=" << line) {
      auto m = with(line);
      BOOST_REQUIRE(!m);
      BOOST_TEST((m.error().code == Errc::kCorrupt));
      BOOST_TEST(m.error().message.starts_with("m:3: "));
    }
  }
}

BOOST_AUTO_TEST_CASE(newer_version) {
  auto m = ParseManifest("promkit manifest 2\nanything\n", "D/manifest-3");
  BOOST_REQUIRE(!m);
  BOOST_TEST((m.error().code == Errc::kUnsupported));
  BOOST_TEST(m.error().message == "D/manifest-3 has format version 2; this program reads 1");
}

BOOST_AUTO_TEST_CASE(files) {
  testing::TempDir dir;
  Manifest m = Sample();
  BOOST_REQUIRE(bool(WriteManifest(SystemIo(), dir.path(), m)));
  m.generation = 12;
  BOOST_REQUIRE(bool(WriteManifest(SystemIo(), dir.path(), m)));
  BOOST_TEST((*ListManifests(SystemIo(), dir.path()) == std::vector<std::uint64_t>{7, 12}));
  BOOST_TEST((*ReadManifest(SystemIo(), dir.path(), 12) == m));
  auto none = ReadManifest(SystemIo(), dir.path(), 3);
  BOOST_REQUIRE(!none);
  BOOST_TEST((none.error().code == Errc::kNotFound));
}

BOOST_AUTO_TEST_CASE(ulids) {
  // The example of the ULID specification: 1469918176385 ms is 01ARYZ6S41.
  const std::string ulid = NewUlid(1469918176385);
  BOOST_TEST(ulid.substr(0, 10) == "01ARYZ6S41");
  BOOST_TEST(IsUlid(ulid));
  BOOST_TEST(UlidTimeMs(ulid) == 1469918176385);
  BOOST_TEST(NewUlid(1469918176385) != ulid);
  for (const char* bad : {"", "01ARYZ6S4", "01ARYZ6S41TSV4RRFFQ69G5FAI", "81ARYZ6S41TSV4RRFFQ69G5FAV", "01aryz6s41tsv4rrffq69g5fav", "../../../../../etc/passwd0"}) {
    BOOST_TEST(!IsUlid(bad));
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace prom::store
