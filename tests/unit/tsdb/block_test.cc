#include "tsdb/block.h"

#include <boost/test/unit_test.hpp>
#include <random>

#include "../../testing.h"
#include "../store/model_store.h"
#include "base/crc32c.h"
#include "tsdb/big_endian.h"
#include "tsdb/block_writer.h"

namespace prom::tsdb {
namespace {

using store::testing::CheckSame;
using store::testing::ModelStore;

constexpr std::int64_t kStart = 1'700'000'000'000 / 7'200'000 * 7'200'000;

Matcher Make(Matcher::Type type, std::string_view name, std::string_view value) {
  auto m = Matcher::Make(type, name, value);
  BOOST_REQUIRE(bool(m));
  return *m;
}

// What a round trip through blocks leaves of a model: no start timestamps, hints of
// histograms gone, stale ones bare.
ModelStore AsBlocksHaveIt(const ModelStore& in) {
  ModelStore out = in;
  for (auto& [labels, samples] : out.series) {
    for (auto& [t, sample] : samples) {
      sample.st = 0;
      if (sample.h == nullptr) continue;
      auto h = std::make_shared<Histogram>(*sample.h);
      if (IsStaleNan(h->sum)) {
        *h = Histogram();
        h->is_float = sample.h->is_float;
        h->sum = sample.h->sum;
      }
      sample.h = h;
    }
  }
  return out;
}

// A Queryable whose histograms have no hints.
class WithoutHints : public Queryable {
 public:
  explicit WithoutHints(const Queryable& q) : q_(q) {}
  Result<std::unique_ptr<Selection>> Select(const Matchers& m, std::int64_t a, std::int64_t b) const override {
    PROM_ASSIGN(auto s, q_.Select(m, a, b));
    return std::unique_ptr<Selection>(new Chosen(std::move(s)));
  }
  Result<std::vector<std::string>> LabelNames(const Matchers& m, std::int64_t a, std::int64_t b) const override { return q_.LabelNames(m, a, b); }
  Result<std::vector<std::string>> LabelValues(std::string_view n, const Matchers& m, std::int64_t a, std::int64_t b) const override { return q_.LabelValues(n, m, a, b); }
  std::pair<std::int64_t, std::int64_t> TimeRange() const override { return q_.TimeRange(); }

 private:
  struct Chosen : public Selection {
    explicit Chosen(std::unique_ptr<Selection> x) : s(std::move(x)) {}
    std::unique_ptr<Selection> s;
    std::size_t size() const override { return s->size(); }
    const Labels& labels(std::size_t i) const override { return s->labels(i); }
    Result<void> Read(std::size_t i, std::int64_t a, std::int64_t b, SeriesColumns* out) const override {
      PROM_TRY(s->Read(i, a, b, out));
      for (auto& x : out->histograms) {
        auto h = std::make_shared<Histogram>(*x.h);
        h->reset_hint = Histogram::ResetHint::kUnknown;
        x.h = h;
      }
      return {};
    }
  };
  const Queryable& q_;
};

PartsQueryable OpenBlocks(const std::string& dir, const WriteBlocksSummary& s) {
  std::vector<std::shared_ptr<const Part>> parts;
  for (const auto& b : s.blocks) {
    auto block = Block::Open(SystemIo(), dir + "/" + b.ulid);
    BOOST_REQUIRE_MESSAGE(bool(block), (block ? "" : block.error().message));
    BOOST_TEST((*block)->warnings().empty());
    parts.push_back(*block);
  }
  return PartsQueryable(std::move(parts));
}

struct Fixture {
  Fixture() {
    std::mt19937 random(3);
    store::testing::Fill(random, &model, 3, 20, kStart + 60'000, 1000);
  }
  ModelStore model;
  testing::TempDir dir;
  WriteBlocksSummary Write(const WriteBlocksOptions& options = {.sync = false}) {
    auto done = WriteBlocks(SystemIo(), model, kMinTimeMs, kMaxTimeMs, dir.path(), options);
    BOOST_REQUIRE_MESSAGE(bool(done), (done ? "" : done.error().message));
    return *done;
  }
};

BOOST_AUTO_TEST_SUITE(block)

BOOST_AUTO_TEST_CASE(written_blocks_have_what_was_given) {
  for (const std::int64_t hours : {2, 6, 1000}) {
    BOOST_TEST_CONTEXT(hours << " h") {
      Fixture f;
      WriteBlocksOptions options{.block_ms = hours * 3'600'000, .sync = false};
      options.max_segment_bytes = hours == 6 ? 20'000 : 512u << 20;
      const auto summary = f.Write(options);
      BOOST_TEST(summary.blocks.size() == (hours == 2 ? 3u : hours == 6 ? 2u - (kStart % (6 * 3'600'000) <= 3'600'000 ? 1u : 0u) : 1u));
      BOOST_TEST(summary.start_timestamps > 0u);
      const auto blocks = OpenBlocks(f.dir.path(), summary);
      const ModelStore want = AsBlocksHaveIt(f.model);
      const WithoutHints got(blocks);
      std::mt19937 random(9);
      const std::vector<Matchers> questions = {
          {},
          {Matcher::Equal("instance", "host1")},
          {Make(Matcher::Type::kRegex, "__name__", "metric_1.*"), Make(Matcher::Type::kNotEqual, "job", "api")},
          {Make(Matcher::Type::kRegex, "__name__", "metric_(3|4|8|9)"), Make(Matcher::Type::kNotRegex, "instance", "host[12]")},
          {Matcher::Equal("nope", "")},
          {Matcher::Equal("nope", "x")},
          {Make(Matcher::Type::kNotEqual, "instance", ""), Make(Matcher::Type::kRegex, "job", ".*")},
          {Make(Matcher::Type::kRegex, "job", ".+"), Make(Matcher::Type::kNotRegex, "instance", ".*1|"), Matcher::Equal("__name__", "metric_5")},
          {Matcher::Equal("job", "")},
          {Make(Matcher::Type::kRegex, "job", "|node")},
      };
      for (const Matchers& m : questions) {
        CheckSame(want, got, m, kMinTimeMs, kMaxTimeMs);
        for (int n = 0; n < 5; ++n) {
          const std::int64_t a = kStart + static_cast<std::int64_t>(random() % 16'000'000);
          CheckSame(want, got, m, a, a + static_cast<std::int64_t>(random() % 4'000'000));
        }
        BOOST_TEST((*got.LabelNames(m, kMinTimeMs, kMaxTimeMs) == *want.LabelNames(m, kMinTimeMs, kMaxTimeMs)));
        for (const char* name : {"__name__", "job", "nope"})
          BOOST_TEST((*got.LabelValues(name, m, kMinTimeMs, kMaxTimeMs) == *want.LabelValues(name, m, kMinTimeMs, kMaxTimeMs)));
      }
    }
  }
}

// Upstream's block with an index of version 1; what `promtool tsdb dump` prints of it:
// {bar="0"} to {bar="99"} 0 0, {foo="bar"} 2 1, {foo="baz"} 4 3.
BOOST_AUTO_TEST_CASE(index_version_1) {
  auto block = Block::Open(SystemIo(), testing::ConformanceDir() + "/tsdb-blocks/index_format_v1");
  BOOST_REQUIRE_MESSAGE(bool(block), (block ? "" : block.error().message));
  auto index = (*block)->index();
  BOOST_REQUIRE(bool(index));
  BOOST_TEST((*index)->version() == 1);
  const PartsQueryable all({*block});
  auto s = all.Select({}, 0, 7'200'000);
  BOOST_REQUIRE(bool(s));
  BOOST_TEST((*s)->size() == 102u);
  SeriesColumns c;
  for (std::size_t i = 0; i < (*s)->size(); ++i) {
    BOOST_REQUIRE(bool((*s)->Read(i, 0, 7'200'000, &c)));
    BOOST_TEST(c.warnings.empty());
    BOOST_REQUIRE(c.t.size() == 1u);
    const std::string_view foo = (*s)->labels(i).Get("foo");
    BOOST_TEST(c.t[0] == (foo == "bar" ? 1 : foo == "baz" ? 3 : 0));
    BOOST_TEST(c.v[0] == (foo == "bar" ? 2 : foo == "baz" ? 4 : 0));
  }
  BOOST_TEST((*all.LabelNames({}, 0, 1) == std::vector<std::string>{"bar", "foo"}));
  BOOST_TEST((*all.LabelValues("bar", {}, 0, 1)).size() == 100u);
  BOOST_TEST((*all.LabelValues("foo", {Matcher::Equal("foo", "bar")}, 0, 1) == std::vector<std::string>{"bar"}));
  BOOST_TEST((*all.Select({Make(Matcher::Type::kRegex, "bar", "1[0-3]")}, 0, 1))->size() == 4u);

  // With another block that cannot be read: an error to who has no place for a warning, otherwise what is left and a warning.
  const PartsQueryable some({*block}, {{"another: damaged", 0, 5000}, {"elsewhere: damaged", 9'000'000, 9'000'001}});
  BOOST_TEST((some.LabelNames({}, 0, 1).error().code == Errc::kCorrupt));
  BOOST_TEST((some.LabelValues("foo", {}, 0, 1).error().code == Errc::kCorrupt));
  const std::vector<std::string> want = {"another: damaged"};
  std::vector<std::string> warnings;
  BOOST_TEST((*some.ReadableLabelNames({}, 0, 1, &warnings) == std::vector<std::string>{"bar", "foo"}));
  BOOST_TEST((warnings == want));
  warnings.clear();
  BOOST_TEST((*some.ReadableLabelValues("bar", {}, 0, 1, &warnings)).size() == 100u);
  BOOST_TEST((warnings == want));
  BOOST_TEST(((*some.Select({}, 0, 1))->warnings() == want));
}

// A block whose index calls itself version 3 is laid out as version 2.
BOOST_AUTO_TEST_CASE(newer_and_older_versions) {
  Fixture f;
  const auto summary = f.Write({.block_ms = 1000 * 3'600'000LL, .sync = false});
  const std::string path = f.dir / (summary.blocks[0].ulid + "/index");
  std::string index = testing::ReadFile(path);
  index[4] = 3;
  testing::WriteFile(path, index);
  const auto blocks = OpenBlocks(f.dir.path(), summary);
  CheckSame(AsBlocksHaveIt(f.model), WithoutHints(blocks), {}, kMinTimeMs, kMaxTimeMs);
  index[4] = 4;
  testing::WriteFile(path, index);
  auto newer = Block::Open(SystemIo(), f.dir / summary.blocks[0].ulid);
  BOOST_REQUIRE(bool(newer));
  auto opened = (*newer)->index();
  BOOST_TEST_REQUIRE(!opened);
  BOOST_TEST((opened.error().code == Errc::kUnsupported));
  BOOST_TEST(opened.error().message == path + ": index version 4; this program reads 1 to 3");
}

BOOST_AUTO_TEST_CASE(tombstones_hide_and_damaged_ones_do_not_refuse) {
  Fixture f;
  const auto summary = f.Write({.block_ms = 1000 * 3'600'000LL, .sync = false});
  const std::string dir = f.dir / summary.blocks[0].ulid;
  std::uint32_t id = 0;
  {
    auto block = Block::Open(SystemIo(), dir);
    BOOST_REQUIRE(bool(block));
    auto index = (*block)->index();
    BOOST_REQUIRE(bool(index));
    auto ids = (*index)->Select({Matcher::Equal("__name__", "metric_1"), Matcher::Equal("instance", "host0")});
    BOOST_REQUIRE((ids && ids->size() == 1));
    id = (*ids)[0];
  }
  ModelStore want = AsBlocksHaveIt(f.model);
  std::string entries;
  for (auto& [labels, samples] : want.series) {
    if (labels.metric_name() != "metric_1" || labels.Get("instance") != "host0") continue;
    for (const auto& [from, to] : {std::pair<std::int64_t, std::int64_t>{100, 200}, {150, 300}, {500, 500}}) {
      const std::int64_t min = kStart + 60'000 + from * 15'000, max = kStart + 60'000 + to * 15'000;
      AppendVarint(&entries, id);
      AppendSignedVarint(&entries, min);
      AppendSignedVarint(&entries, max);
      samples.erase(samples.lower_bound(min), samples.upper_bound(max));
    }
  }
  std::string file;
  AppendBe32(&file, 0x0130BA30);
  file.push_back(1);
  file += entries;
  AppendBe32(&file, Crc32c(entries));
  testing::WriteFile(dir + "/tombstones", file);
  {
    const auto blocks = OpenBlocks(f.dir.path(), summary);
    CheckSame(want, WithoutHints(blocks), {}, kMinTimeMs, kMaxTimeMs);
  }
  file.back() ^= 1;
  testing::WriteFile(dir + "/tombstones", file);
  auto block = Block::Open(SystemIo(), dir);
  BOOST_REQUIRE(bool(block));
  BOOST_REQUIRE((*block)->warnings().size() == 1u);
  BOOST_TEST((*block)->warnings()[0] == dir + "/tombstones: offset 5: wrong checksum; deleted samples of this block may be seen again");
  CheckSame(AsBlocksHaveIt(f.model), WithoutHints(PartsQueryable({*block})), {}, kMinTimeMs, kMaxTimeMs);
}

BOOST_AUTO_TEST_CASE(one_damaged_chunk_costs_one_chunk) {
  Fixture f;
  const auto summary = f.Write({.block_ms = 1000 * 3'600'000LL, .sync = false});
  const std::string dir = f.dir / summary.blocks[0].ulid, path = dir + "/chunks/000001";
  std::string bytes = testing::ReadFile(path);
  bytes[100] ^= 0x10;
  testing::WriteFile(path, bytes);
  const auto blocks = OpenBlocks(f.dir.path(), summary);
  auto s = blocks.Select({}, kMinTimeMs, kMaxTimeMs);
  BOOST_REQUIRE(bool(s));
  SeriesColumns c;
  std::uint64_t samples = 0, warnings = 0;
  std::string warning;
  for (std::size_t i = 0; i < (*s)->size(); ++i) {
    BOOST_REQUIRE(bool((*s)->Read(i, kMinTimeMs, kMaxTimeMs, &c)));
    samples += c.t.size() + c.histograms.size();
    warnings += c.warnings.size();
    if (!c.warnings.empty()) warning = c.warnings[0];
  }
  BOOST_TEST(warnings == 1u);
  BOOST_TEST(samples == summary.samples - 120);
  BOOST_TEST(warning.starts_with(path + ": offset "));
  BOOST_TEST(warning.find("chunk: wrong checksum: samples of metric_0{instance=\"host0\", job=\"node\"} from 2023-") != std::string::npos);
  BOOST_TEST(warning.ends_with(" are missing"));
}

// Every byte of a small block changed: what can still be read is right, what cannot is said.
BOOST_AUTO_TEST_CASE(flipped_bits) {
  ModelStore model;
  std::mt19937 random(3);
  store::testing::Fill(random, &model, 1, 10, kStart, 3);
  testing::TempDir dir;
  auto summary = WriteBlocks(SystemIo(), model, kMinTimeMs, kMaxTimeMs, dir.path(), {.sync = false});
  BOOST_REQUIRE((summary && summary->blocks.size() == 1));
  const ModelStore want = AsBlocksHaveIt(model);
  const std::string block_dir = dir / summary->blocks[0].ulid;
  for (const char* name : {"index", "chunks/000001", "tombstones"}) {
    const std::string path = block_dir + "/" + name, good = testing::ReadFile(path);
    for (std::size_t i = 0; i < good.size(); ++i) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ (1 << (i % 8)));
      testing::WriteFile(path, bad);
      auto block = Block::Open(SystemIo(), block_dir);
      if (!block) continue;
      const PartsQueryable all({*block});
      auto s = all.Select({Make(Matcher::Type::kNotEqual, "__name__", "x")}, kMinTimeMs, kMaxTimeMs);
      if (!s) continue;
      std::uint64_t read = 0;
      bool warned = !(*block)->warnings().empty();
      SeriesColumns c;
      const WithoutHints plain(all);
      auto p = plain.Select({}, kMinTimeMs, kMaxTimeMs);
      if (!p) continue;
      for (std::size_t k = 0; k < (*p)->size(); ++k) {
        BOOST_REQUIRE(bool((*p)->Read(k, kMinTimeMs, kMaxTimeMs, &c)));
        warned = warned || !c.warnings.empty();
        const auto found = want.series.find((*p)->labels(k));
        BOOST_REQUIRE(found != want.series.end());
        for (const auto& [t, sample] : store::testing::ToModel(c)) {
          const auto it = found->second.find(t);
          BOOST_REQUIRE_MESSAGE((it != found->second.end() && it->second.Same(sample)), name << " byte " << i);
          ++read;
        }
      }
      // Padding and the header's spare bytes mean nothing; anything else lost is told.
      BOOST_REQUIRE_MESSAGE((warned || read == summary->samples), name << " byte " << i << ": " << read << " of " << summary->samples);
    }
    testing::WriteFile(path, good);
  }
}

BOOST_AUTO_TEST_CASE(cut_files) {
  ModelStore model;
  std::mt19937 random(3);
  store::testing::Fill(random, &model, 1, 4, kStart, 3);
  testing::TempDir dir;
  auto summary = WriteBlocks(SystemIo(), model, kMinTimeMs, kMaxTimeMs, dir.path(), {.sync = false});
  BOOST_REQUIRE((summary && summary->blocks.size() == 1));
  const std::string block_dir = dir / summary->blocks[0].ulid;
  for (const char* name : {"index", "chunks/000001", "tombstones", "meta.json"}) {
    const std::string path = block_dir + "/" + name, good = testing::ReadFile(path);
    for (std::size_t n = 0; n + 1 < good.size(); ++n) {
      testing::WriteFile(path, good.substr(0, n));
      auto block = Block::Open(SystemIo(), block_dir);
      if (!block) continue;
      auto s = PartsQueryable({*block}).Select({}, kMinTimeMs, kMaxTimeMs);
      if (!s) continue;
      bool warned = !(*block)->warnings().empty();
      SeriesColumns c;
      for (std::size_t k = 0; k < (*s)->size(); ++k) {
        BOOST_REQUIRE(bool((*s)->Read(k, kMinTimeMs, kMaxTimeMs, &c)));
        warned = warned || !c.warnings.empty();
      }
      BOOST_REQUIRE_MESSAGE(warned, name << " cut at " << n);
    }
    testing::WriteFile(path, good);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace prom::tsdb
