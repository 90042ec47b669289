// Groups of values: what is written is read, by fields and as version 1 had them, and
// damaged bytes are refused or read as something, but never out of bounds.
#include "store/block_entries.h"

#include <boost/test/unit_test.hpp>

#include <bit>
#include <random>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/number.h"
#include "chunk/value_chunk.h"

namespace prom::store {
namespace {

bool SameBits(const std::vector<double>& a, const std::vector<double>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](double x, double y) { return std::bit_cast<std::uint64_t>(x) == std::bit_cast<std::uint64_t>(y); });
}

struct Chunk {
  BlockEntry entry;
  std::vector<double> values;  // of all its rows
  std::string bytes, starts;
};

Chunk Make(std::uint32_t series, std::uint32_t column, std::uint32_t first, std::vector<double> values, bool whole, std::string starts = {}) {
  Chunk c;
  c.entry.series = series;
  c.entry.column = column;
  if (!whole) {
    c.entry.first = first;
    c.entry.count = static_cast<std::uint32_t>(values.size());
  }
  c.values = values;
  c.starts = std::move(starts);
  c.entry.stale = IsStaleNan(values.back());
  if (c.entry.stale) values.pop_back();
  if (!values.empty()) chunk::EncodeValueBody(values, &c.bytes);
  return c;
}

// Something of everything: neighbours, gaps, two chunks of a series, short and long ones,
// whole columns, stale markers at the end, alone, and before the last row.
std::vector<Chunk> Mixed() {
  const double stale = StaleNan();
  std::vector<Chunk> out;
  out.push_back(Make(7, 5, 0, {1, 1, 1}, true));
  out.push_back(Make(8, 5, 200, {1, 2, 5, stale}, false));
  out.push_back(Make(8, 6, 10, {3, 3, 3, 3, stale}, false, "starts"));
  out.push_back(Make(9, 6, 4, {stale}, false));
  out.push_back(Make(300, 0, 70'000, {1e300, stale, stale}, false));
  out.push_back(Make(301, 0, 70'000, {0.5, 0.25}, false, "s"));
  out.push_back(Make(302, 0, 0, {4, 4, stale}, true));
  std::vector<double> many;
  std::mt19937_64 random(5);
  for (int i = 0; i < 300; ++i) many.push_back(static_cast<double>(random() % 1000));
  out.push_back(Make(303, 1, 3, many, false));
  Chunk histograms;
  histograms.entry.series = 70'000;
  histograms.entry.histogram = true;
  histograms.bytes = "ab";  // nobody here looks into it
  histograms.entry.count = 9;
  out.push_back(histograms);
  return out;
}

std::string Written(const std::vector<Chunk>& chunks) {
  BlockValuesWriter writer;
  for (const Chunk& c : chunks) writer.Add(c.entry, c.bytes, c.starts);
  BOOST_TEST(writer.count() == chunks.size());
  BOOST_TEST(writer.first_series() == chunks.front().entry.series);
  BOOST_TEST(writer.last_series() == chunks.back().entry.series);
  std::string out;
  writer.AppendTo(&out);
  BOOST_TEST(out.size() == writer.bytes() + 12);
  writer.Clear();
  BOOST_TEST(writer.bytes() == 0u);
  return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(entries_are_read_as_written) {
  const std::vector<Chunk> chunks = Mixed();
  const std::string raw = Written(chunks);
  std::vector<BlockEntry> entries;
  BOOST_TEST_REQUIRE(ParseEntries(BlockGroupKind::kValues, raw, 7, &entries));
  BOOST_TEST_REQUIRE(entries.size() == chunks.size());
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    BOOST_TEST_CONTEXT("entry " << i) {
      const Chunk& want = chunks[i];
      BlockEntry e = entries[i];
      BOOST_TEST(e.series == want.entry.series);
      BOOST_TEST(e.column == want.entry.column);
      BOOST_TEST(e.first == want.entry.first);
      BOOST_TEST(e.count == want.entry.count);
      BOOST_TEST(e.histogram == want.entry.histogram);
      BOOST_TEST(e.stale == want.entry.stale);
      BOOST_TEST(raw.substr(e.offset, e.size) == want.bytes);
      BOOST_TEST(raw.substr(e.offset + e.size, e.start_size) == want.starts);
      if (e.histogram) continue;
      e.count = static_cast<std::uint32_t>(want.values.size());
      for (std::size_t begin = 0; begin < want.values.size(); begin += 1 + begin / 4) {
        for (std::size_t end = begin + 1; end <= want.values.size(); end += 1 + end / 4) {
          std::vector<double> got(end - begin);
          const auto never_falls = DecodeEntry(e, raw, begin, got);
          BOOST_TEST_REQUIRE(bool(never_falls));
          BOOST_TEST(*never_falls == (i == 0));  // the others fall or have a stale marker
          BOOST_TEST(SameBits(got, {want.values.begin() + static_cast<std::ptrdiff_t>(begin), want.values.begin() + static_cast<std::ptrdiff_t>(end)}));
        }
      }
    }
  }
  BOOST_TEST(!ParseEntries(BlockGroupKind::kTimes, raw, 7, &entries));
  // The number of the first series is that of the group, so that one too high leaves the range.
  BOOST_TEST(!ParseEntries(BlockGroupKind::kValues, raw, 0xffffffffu, &entries));
}

BOOST_AUTO_TEST_CASE(chunk_and_rows_must_agree) {
  const std::vector<Chunk> chunks = Mixed();
  const std::string raw = Written(chunks);
  std::vector<BlockEntry> entries;
  BOOST_TEST_REQUIRE(ParseEntries(BlockGroupKind::kValues, raw, 7, &entries));
  std::vector<double> values(301);
  entries[7].count = 301;  // 300 values of different width
  BOOST_TEST(!DecodeEntry(entries[7], raw, 0, values));
  values.resize(2);
  entries[3].count = 2;  // nothing but the stale marker
  BOOST_TEST(!DecodeEntry(entries[3], raw, 0, values));
  values.resize(1);
  entries[1].count = 1;  // values where there is only the stale marker
  BOOST_TEST(!DecodeEntry(entries[1], raw, 0, values));
}

// A group as version 1 wrote it: 3 values for series 7, 2 of rows 5 and 6 for series 9.
BOOST_AUTO_TEST_CASE(entries_of_version_1) {
  const std::string raw(
      "\x02\0\0\0\x09\0\0\0"        // 2 entries, in 9 bytes
      "\x08\0\x04\x05"                // all rows; series + 0; column + 2; 5 bytes
      "\x04\x02\x05\x02\x03"          // the same column; series + 2; rows 5 and 6; 3 bytes
      "\x03\0\x01\x01\x03"            // 3 values, frame of 1 bit: 1 1 0
      "\x02\xa0\x22",                  // 2 values: 17
      25);
  std::vector<BlockEntry> entries;
  BOOST_TEST_REQUIRE(ParseEntries(BlockGroupKind::kValues1, raw, 7, &entries));
  BOOST_TEST_REQUIRE(entries.size() == 2u);
  BOOST_TEST((entries[0].series == 7u && entries[0].column == 2u && entries[0].count == 0u && entries[0].size == 5u));
  BOOST_TEST((entries[1].series == 9u && entries[1].column == 2u && entries[1].first == 5u && entries[1].count == 2u && entries[1].size == 3u));
  std::vector<double> values(3);
  entries[0].count = 3;
  BOOST_TEST((DecodeEntry(entries[0], raw, 0, values) && SameBits(values, {1, 1, 0})));
  values.resize(2);
  const auto never_falls = DecodeEntry(entries[1], raw, 0, values);
  BOOST_TEST((never_falls && *never_falls && SameBits(values, {17, 17})));
  entries[0].count = 2;  // a chunk says its count itself
  BOOST_TEST(!DecodeEntry(entries[0], raw, 0, values));
  for (std::size_t n = 0; n < raw.size(); ++n) BOOST_TEST(!ParseEntries(BlockGroupKind::kValues1, raw.substr(0, n), 7, &entries));
  std::string stale = raw;
  stale[8] = 0x28;  // a flag that version 1 did not have
  BOOST_TEST(!ParseEntries(BlockGroupKind::kValues1, stale, 7, &entries));
}

BOOST_AUTO_TEST_CASE(damaged_entries) {
  const std::string raw = Written(Mixed());
  std::vector<BlockEntry> entries;
  std::vector<double> values;
  const auto look = [&](const std::string& bytes) {
    if (!ParseEntries(BlockGroupKind::kValues, bytes, 7, &entries)) return false;
    std::size_t all = 0;
    for (BlockEntry& e : entries) {
      BOOST_TEST_REQUIRE(e.offset + std::size_t{e.size} + e.start_size <= bytes.size());
      all += std::size_t{e.size} + e.start_size;
      if (e.count == 0) e.count = 3;
      if (e.histogram || e.count > 1000) continue;
      values.resize(e.count);
      (void)DecodeEntry(e, bytes, 0, values);
    }
    BOOST_TEST(all < bytes.size());
    return true;
  };
  BOOST_TEST(look(raw));
  for (std::size_t n = 0; n < raw.size(); ++n) BOOST_TEST(!look(raw.substr(0, n)));
  BOOST_TEST(!look(raw + std::string(1, '\0')));
  for (std::size_t at = 0; at < raw.size(); ++at) {
    for (const int bit : {0, 1, 2, 3, 4, 5, 6, 7}) {
      std::string bytes = raw;
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << bit));
      const bool read = look(bytes);
      if (at < 12) BOOST_TEST(!read);                                 // the lengths
      if (at >= 12 && at < 12 + 9 && bit >= 6) BOOST_TEST(!read);      // reserved flags
    }
  }
}

}  // namespace prom::store
