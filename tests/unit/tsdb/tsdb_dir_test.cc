#include "tsdb/tsdb_dir.h"

#include <boost/test/unit_test.hpp>
#include <map>

#include "../../testing.h"
#include "../store/model_store.h"
#include "tsdb/block_writer.h"
#include "tsdb/part.h"
#include "wal_testing.h"

namespace prom::tsdb {
namespace {

using store::testing::ModelStore;
using testing::Segment;

const Labels kA{{"__name__", "a"}, {"job", "x"}}, kB{{"__name__", "b"}, {"job", "x"}};
using Samples = std::map<std::int64_t, double>;

// A data directory whose head is written by the test.
struct Fixture {
  Fixture() {
    for (const char* d : {"wal", "wbl", "chunks_head"}) std::filesystem::create_directories(dir / d);
  }
  void Write(const std::string& name, const std::string& bytes) {
    std::filesystem::create_directories(std::filesystem::path(dir / name).parent_path());
    prom::testing::WriteFile(dir / name, bytes);
  }
  std::shared_ptr<const TsdbDir::Parts> Open() {
    if (source == nullptr) {
      auto opened = TsdbDir::Open(SystemIo(), dir.path());
      BOOST_REQUIRE_MESSAGE(bool(opened), (opened ? "" : opened.error().message));
      source = *opened;
    }
    auto parts = source->OpenParts();
    BOOST_REQUIRE_MESSAGE(bool(parts), (parts ? "" : parts.error().message));
    return *parts;
  }
  prom::testing::TempDir dir;
  std::shared_ptr<TsdbDir> source;
};

Samples Read(const Queryable& q, const Labels& labels) {
  auto s = q.Select({Matcher::Equal("__name__", labels.metric_name())}, kMinTimeMs, kMaxTimeMs);
  BOOST_REQUIRE_MESSAGE(bool(s), (s ? "" : s.error().message));
  Samples out;
  SeriesColumns c;
  for (std::size_t i = 0; i < (*s)->size(); ++i) {
    if (!((*s)->labels(i) == labels)) continue;
    BOOST_REQUIRE(bool((*s)->Read(i, kMinTimeMs, kMaxTimeMs, &c)));
    for (const auto& w : c.warnings) BOOST_TEST_MESSAGE(w);
    BOOST_TEST(c.warnings.empty());
    for (std::size_t k = 0; k < c.t.size(); ++k) out[c.t[k]] = c.v[k];
  }
  return out;
}

std::map<std::string, std::string> AllFiles(const std::string& dir) {
  std::map<std::string, std::string> out;
  for (const auto& e : std::filesystem::recursive_directory_iterator(dir))
    out[e.path().string()] = e.is_regular_file() ? prom::testing::ReadFile(e.path().string()) : "";
  return out;
}

BOOST_AUTO_TEST_SUITE(tsdb_dir)

BOOST_AUTO_TEST_CASE(kinds_of_directories) {
  prom::testing::TempDir dir;
  BOOST_TEST((DetectDir(SystemIo(), dir.path()) == DirKind::kNone));
  BOOST_TEST((DetectDir(SystemIo(), dir / "none") == DirKind::kNone));
  BOOST_TEST(!TsdbDir::Open(SystemIo(), dir.path()));
  std::filesystem::create_directories(dir / "wal");
  BOOST_TEST((DetectDir(SystemIo(), dir.path()) == DirKind::kTsdb));
  const std::string block = prom::testing::ConformanceDir() + "/tsdb-blocks/index_format_v1";
  BOOST_TEST((DetectDir(SystemIo(), block) == DirKind::kTsdbBlock));
}

// Samples up to the last chunk of chunks_head/ are taken from there, later ones from the log.
BOOST_AUTO_TEST_CASE(head_chunks_and_log) {
  Fixture f;
  testing::HeadChunkFile chunks;
  chunks.Add(1, {{1000, 1}, {2000, 2}});
  chunks.Add(1, {{3000, 3}, {4000, 4}});
  chunks.Add(2, {{500, 7}, {2500, 8}}, true);
  f.Write("chunks_head/000001", chunks.bytes());
  f.Write("wal/00000000", Segment()
                              .Add(testing::SeriesRecord({{1, kA}, {2, kB}}), testing::Pack::kSnappy)
                              .Add(testing::SamplesRecord({{1, 3000, 99}, {1, 4000, 99}, {2, 1000, 10}}))
                              .bytes());
  f.Write("wal/00000001", Segment().Add(testing::SamplesRecord({{1, 5000, 5}, {2, 2000, 20}, {1, 4500, 99}}), testing::Pack::kZstd).bytes());
  const auto parts = f.Open();
  BOOST_TEST(parts->warnings.empty());
  BOOST_TEST((Read(*parts->all, kA) == Samples{{1000, 1}, {2000, 2}, {3000, 3}, {4000, 4}, {5000, 5}}));
  BOOST_TEST((Read(*parts->all, kB) == Samples{{500, 7}, {1000, 10}, {2000, 20}, {2500, 8}}));
  BOOST_TEST((parts->all->TimeRange() == std::pair<std::int64_t, std::int64_t>{500, 5000}));
  BOOST_TEST((*parts->all->LabelValues("__name__", {}, 0, 9000) == std::vector<std::string>{"a", "b"}));
}

BOOST_AUTO_TEST_CASE(out_of_order_log) {
  Fixture f;
  testing::HeadChunkFile chunks;
  const std::uint64_t ref = std::uint64_t{1} << 32 | chunks.Add(1, {{100, 1}, {300, 3}}, true);
  f.Write("chunks_head/000001", chunks.bytes());
  f.Write("wal/00000000", Segment().Add(testing::SeriesRecord({{1, kA}})).Add(testing::SamplesRecord({{1, 1000, 10}})).bytes());
  // What a marker names is in a chunk; one that names a chunk that never got there is not.
  f.Write("wbl/00000000", Segment()
                              .Add(testing::SamplesRecord({{1, 300, 99}, {1, 100, 99}}))
                              .Add(testing::MarkerRecord(1, ref))
                              .Add(testing::SamplesRecord({{1, 700, 7}, {1, 200, 2}}))
                              .Add(testing::MarkerRecord(1, ref + 1000))
                              .bytes());
  BOOST_TEST((Read(*f.Open()->all, kA) == Samples{{100, 1}, {200, 2}, {300, 3}, {700, 7}, {1000, 10}}));
}

BOOST_AUTO_TEST_CASE(deletions) {
  Fixture f;
  f.Write("wal/00000000", Segment()
                              .Add(testing::SeriesRecord({{1, kA}, {2, kB}}))
                              .Add(testing::SamplesRecord({{1, 1, 1}, {1, 2, 2}, {1, 3, 3}, {1, 4, 4}, {2, 1, 1}}))
                              .Add(testing::TombstoneRecord(1, 2, 3))
                              .Add(testing::TombstoneRecord(2, kMinTimeMs, kMaxTimeMs))
                              .Add(testing::SeriesRecord({{3, kB}}))
                              .Add(testing::SamplesRecord({{3, 5, 5}}))
                              .bytes());
  const auto parts = f.Open();
  BOOST_TEST((Read(*parts->all, kA) == Samples{{1, 1}, {4, 4}}));
  BOOST_TEST((Read(*parts->all, kB) == Samples{{5, 5}}));
}

// A second reference for known labels is the same series (after a restart of the writer).
BOOST_AUTO_TEST_CASE(two_references_one_series) {
  Fixture f;
  f.Write("wal/checkpoint.00000003/00000000", Segment().Add(testing::SeriesRecord({{1, kA}})).Add(testing::SamplesRecord({{1, 1000, 1}})).bytes());
  f.Write("wal/checkpoint.00000002/00000000", Segment().Add(testing::SeriesRecord({{1, kB}})).bytes());
  f.Write("wal/checkpoint.00000004.tmp/00000000", "not yet");
  f.Write("wal/00000003", Segment().Add(testing::SamplesRecord({{1, 500, 99}})).bytes());  // in the checkpoint already
  f.Write("wal/00000004", Segment().Add(testing::SeriesRecord({{900'000'000'000, kA}})).Add(testing::SamplesRecord({{900'000'000'000, 2000, 2}, {1, 3000, 3}})).bytes());
  const auto parts = f.Open();
  BOOST_TEST((Read(*parts->all, kA) == Samples{{1000, 1}, {2000, 2}, {3000, 3}}));
  BOOST_TEST(parts->head_series == 1u);
  BOOST_TEST(parts->warnings.empty());
}

BOOST_AUTO_TEST_CASE(follows_a_growing_log) {
  Fixture f;
  Segment segment;
  segment.Add(testing::SeriesRecord({{1, kA}})).Add(testing::SamplesRecord({{1, 1000, 1}}));
  f.Write("wal/00000000", segment.bytes());
  const auto first = f.Open();
  BOOST_TEST((Read(*first->all, kA) == Samples{{1000, 1}}));
  BOOST_TEST((f.Open() == first));  // nothing changed: the same snapshot
  segment.Add(testing::SamplesRecord({{1, 2000, 2}})).Add(testing::SeriesRecord({{2, kB}})).Add(testing::SamplesRecord({{2, 2000, 4}}));
  f.Write("wal/00000000", segment.bytes());
  const auto second = f.Open();
  BOOST_TEST((Read(*second->all, kA) == Samples{{1000, 1}, {2000, 2}}));
  BOOST_TEST((Read(*second->all, kB) == Samples{{2000, 4}}));
  f.Write("wal/00000001", Segment().Add(testing::SamplesRecord({{1, 3000, 3}})).bytes());
  BOOST_TEST((Read(*f.Open()->all, kA) == Samples{{1000, 1}, {2000, 2}, {3000, 3}}));
  // Older snapshots stay what they were.
  BOOST_TEST((Read(*first->all, kA) == Samples{{1000, 1}}));
  BOOST_TEST((Read(*second->all, kA) == Samples{{1000, 1}, {2000, 2}}));
}

BOOST_AUTO_TEST_CASE(torn_and_damaged_logs) {
  Fixture f;
  Segment segment;
  segment.Add(testing::SeriesRecord({{1, kA}})).Add(testing::SamplesRecord({{1, 1000, 1}}));
  const std::size_t sound = segment.bytes().size();
  segment.Add(testing::SamplesRecord({{1, 2000, 2}}));
  f.Write("wal/00000000", segment.bytes().substr(0, segment.bytes().size() - 3));
  auto parts = f.Open();
  BOOST_TEST((Read(*parts->all, kA) == Samples{{1000, 1}}));
  BOOST_REQUIRE(parts->warnings.size() == 1u);
  BOOST_TEST(parts->warnings[0] == (f.dir / "wal/00000000") + ": offset " + std::to_string(sound) + ": the last record is incomplete");

  std::string bad = segment.bytes();
  bad[sound + 10] ^= 1;
  f.Write("wal/00000000", bad);
  f.Write("wal/00000001", Segment().Add(testing::SamplesRecord({{1, 3000, 3}, {77, 3000, 3}})).bytes());
  f.source.reset();
  parts = f.Open();
  BOOST_TEST((Read(*parts->all, kA) == Samples{{1000, 1}, {3000, 3}}));
  BOOST_REQUIRE(parts->warnings.size() == 2u);
  BOOST_TEST(parts->warnings[0] == (f.dir / "wal/00000000") + ": offset " + std::to_string(sound) + ": wrong checksum; the rest of the segment is missing");
  BOOST_TEST(parts->warnings[1] == (f.dir / "wal") + ": 1 samples or other items of series that the log does not describe were left out");
}

// Damage in chunks_head/: what lies behind it is in the log.
BOOST_AUTO_TEST_CASE(damaged_head_chunks) {
  testing::HeadChunkFile chunks;
  chunks.Add(1, {{1000, 1}, {2000, 2}});
  const std::size_t second = chunks.Add(1, {{3000, 3}, {4000, 4}});
  for (std::size_t i = 0; i < chunks.bytes().size(); ++i) {
    Fixture f;
    std::string bad = chunks.bytes();
    bad[i] = static_cast<char>(bad[i] ^ (1 << (i % 8)));
    f.Write("chunks_head/000001", bad);
    f.Write("wal/00000000", Segment().Add(testing::SeriesRecord({{1, kA}})).Add(testing::SamplesRecord({{1, 1000, 1}, {1, 2000, 2}, {1, 3000, 3}, {1, 4000, 4}, {1, 5000, 5}})).bytes());
    const auto parts = f.Open();
    BOOST_REQUIRE_MESSAGE((Read(*parts->all, kA) == Samples{{1000, 1}, {2000, 2}, {3000, 3}, {4000, 4}, {5000, 5}}), "byte " << i << " of " << second);
  }
}

// Blocks and head together: the head begins where the blocks end, replaced blocks are not
// read, directories that are being made or deleted neither; and no byte is changed.
BOOST_AUTO_TEST_CASE(blocks_and_head) {
  Fixture f;
  ModelStore model;
  for (std::int64_t t = 7'200'000; t < 3 * 7'200'000; t += 600'000) model.series[kA][t] = {static_cast<double>(t), 0, nullptr};
  auto written = WriteBlocks(SystemIo(), model, kMinTimeMs, kMaxTimeMs, f.dir.path(), WriteBlocksOptions{});
  BOOST_REQUIRE((written && written->blocks.size() == 2));
  auto larger = WriteBlocks(SystemIo(), model, kMinTimeMs, kMaxTimeMs, f.dir / "x", WriteBlocksOptions{.block_ms = 10 * 7'200'000});
  BOOST_REQUIRE((larger && larger->blocks.size() == 1));
  const std::string big = larger->blocks[0].ulid, small = written->blocks[0].ulid;
  const std::int64_t end = written->blocks[1].max_ms;
  f.Write("wal/00000000", Segment().Add(testing::SeriesRecord({{1, kA}})).Add(testing::SamplesRecord({{1, end - 600'000, 99}, {1, end, 5}})).bytes());
  f.Write(small + ".tmp-for-deletion/meta.json", "{}");
  f.Write("01ARZ3NDEKTSV4RRFFQ69G5FAV/meta.json", "{}");
  const auto before = AllFiles(f.dir.path());
  Samples want;
  for (const auto& [t, s] : model.series[kA]) want[t] = s.v;
  want[end] = 5;
  {
    auto source = TsdbDir::Open(SystemIo(), f.dir.path());
    BOOST_REQUIRE(bool(source));
    auto parts = (*source)->OpenParts();
    BOOST_REQUIRE(bool(parts));
    BOOST_TEST((*parts)->blocks.size() == 3u);
    // The damaged block may hold anything: said with every series, and where there is none.
    auto s = (*parts)->all->Select({}, kMinTimeMs, kMaxTimeMs);
    BOOST_REQUIRE(bool(s));
    SeriesColumns c;
    BOOST_REQUIRE(bool((*s)->Read(0, kMinTimeMs, kMaxTimeMs, &c)));
    BOOST_REQUIRE(c.warnings.size() == 1u);
    BOOST_TEST(c.warnings[0] == (f.dir / "01ARZ3NDEKTSV4RRFFQ69G5FAV/meta.json") + ": no version");
    BOOST_TEST(!(*parts)->all->Select({Matcher::Equal("__name__", "none")}, kMinTimeMs, kMaxTimeMs));
  }
  BOOST_TEST((AllFiles(f.dir.path()) == before));

  std::filesystem::remove_all(f.dir / "01ARZ3NDEKTSV4RRFFQ69G5FAV");
  BOOST_TEST((Read(*f.Open()->all, kA) == want));
  // The larger block takes the place of one of the two.
  std::string meta = prom::testing::ReadFile(f.dir / ("x/" + big + "/meta.json"));
  const auto at = meta.find("\"sources\"");
  meta.insert(at, "\"parents\":[{\"ulid\":\"" + small + "\",\"minTime\":0,\"maxTime\":1}],");
  prom::testing::WriteFile(f.dir / ("x/" + big + "/meta.json"), meta);
  std::filesystem::rename(f.dir / ("x/" + big), f.dir / big);
  const auto parts = f.Open();
  BOOST_TEST(parts->blocks.size() == 2u);
  BOOST_TEST((std::none_of(parts->blocks.begin(), parts->blocks.end(), [&](const auto& b) { return b.ulid == small; })));
  BOOST_TEST((Read(*parts->all, kA) == want));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace prom::tsdb
