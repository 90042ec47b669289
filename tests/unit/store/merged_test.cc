#include "store/merged.h"

#include <boost/test/unit_test.hpp>
#include <map>
#include <random>
#include <set>

#include "model_store.h"
#include "store/tombstones.h"
#include "../../testing.h"
#include "base/crc32c.h"
#include "base/strings.h"

namespace prom::store {
namespace {

using testing::CheckSame;
using testing::ModelStore;

constexpr std::int64_t kStart = 1'700'000'000'000;

Matcher Make(Matcher::Type type, std::string_view name, std::string_view value) {
  auto m = Matcher::Make(type, name, value);
  BOOST_REQUIRE(bool(m));
  return *m;
}

BOOST_AUTO_TEST_SUITE(merged)

// Random sources, one after the other in time or across each other, against the
// rule itself: a map into which later sources write over earlier ones.
BOOST_AUTO_TEST_CASE(against_the_model) {
  std::mt19937 random(1);
  for (int round = 0; round < 12; ++round) {
    ModelStore want;
    std::vector<std::shared_ptr<const Queryable>> sources;
    for (int n = 0; n < 1 + round % 4; ++n) {
      auto source = std::make_shared<ModelStore>();
      const std::int64_t start = round % 2 == 0 ? kStart + n * 100 * 15'000 : kStart + static_cast<std::int64_t>(random() % 50) * 15'000;
      testing::Fill(random, source.get(), 1 + static_cast<int>(random() % 3), 20, start, 100);
      for (const auto& [labels, samples] : source->series) {
        for (const auto& [t, sample] : samples) want.series[labels][t] = sample;
      }
      sources.push_back(source);
    }
    const MergedQueryable merged(sources);
    BOOST_TEST((merged.TimeRange() == want.TimeRange()));
    CheckSame(want, merged, {}, kMinTimeMs, kMaxTimeMs);
    CheckSame(want, merged, {Make(Matcher::Type::kRegex, "__name__", "metric_[89]")}, kStart + 200'000, kStart + 2'200'000);
    BOOST_TEST((*merged.LabelValues("instance", {}, kMinTimeMs, kMaxTimeMs) == *want.LabelValues("instance", {}, 0, 0)));
    BOOST_TEST((*merged.LabelNames({}, kMinTimeMs, kMaxTimeMs) == *want.LabelNames({}, 0, 0)));
  }
}

BOOST_AUTO_TEST_CASE(metadata_and_exemplars) {
  auto a = std::make_shared<ModelStore>(), b = std::make_shared<ModelStore>();
  const Labels x{{"__name__", "x"}}, y{{"__name__", "y"}};
  a->series[x][1] = b->series[x][2] = b->series[y][3] = {1, 0, nullptr};
  a->metadata["x"] = {MetricType::kGauge, "old", ""};
  b->metadata["x"] = {MetricType::kCounter, "new", ""};
  const Exemplar e1{Labels{{"id", "1"}}, 1, 1, true}, e2{Labels{{"id", "2"}}, 2, 2, true};
  a->exemplars[x] = {e1, e2};
  b->exemplars[x] = {e2};
  const MergedQueryable merged({a, b});
  const auto metadata = *merged.ListMetadata();
  BOOST_REQUIRE(metadata.size() == 1u);
  BOOST_TEST(metadata[0].second.help == "new");
  const auto exemplars = *merged.Exemplars({Matchers{}}, 0, 10);
  BOOST_REQUIRE(exemplars.size() == 1u);
  BOOST_TEST(exemplars[0].exemplars.size() == 2u);
}

// What cannot be read is said with each series, or the question is refused: never silence.
BOOST_AUTO_TEST_CASE(missing_parts) {
  auto a = std::make_shared<ModelStore>();
  const Labels x{{"__name__", "x"}};
  a->series[x][100] = {1, 0, nullptr};
  const MergedQueryable merged({a}, {{"blocks/X/index: damaged", 0, 50}});
  SeriesColumns columns;
  auto all = merged.Select({}, 0, 200);
  BOOST_REQUIRE(bool(all));
  BOOST_REQUIRE((*all)->size() == 1u);
  BOOST_REQUIRE(bool((*all)->Read(0, 0, 200, &columns)));
  BOOST_TEST((columns.warnings == std::vector<std::string>{"blocks/X/index: damaged"}));
  BOOST_TEST(columns.t.size() == 1u);
  BOOST_REQUIRE(bool((*all)->Read(0, 60, 200, &columns)));
  BOOST_TEST(columns.warnings.empty());
  BOOST_TEST(bool(merged.LabelNames({}, 60, 200)));
  for (const Errc code : {merged.LabelNames({}, 0, 200).error().code, merged.LabelValues("a", {}, 0, 200).error().code,
                          merged.Select({Matcher::Equal("__name__", "y")}, 0, 200).error().code}) {
    BOOST_TEST((code == Errc::kCorrupt));
  }
  const std::vector<std::string> want{"blocks/X/index: damaged"};
  std::vector<std::string> warnings;
  BOOST_TEST((*merged.ReadableLabelNames({}, 0, 200, &warnings) == std::vector<std::string>{"__name__"}));
  BOOST_TEST((warnings == want));
  BOOST_TEST((*merged.ReadableLabelValues("__name__", {}, 60, 200, &warnings) == std::vector<std::string>{"x"}));
  BOOST_TEST((warnings == want));  // nothing is missing there
  BOOST_TEST(((*all)->warnings() == want));
}

// Most series in all sources, some in a few, at both ends and in between; more than a stretch of the merge.
BOOST_AUTO_TEST_CASE(series_of_some_sources) {
  std::mt19937 random(5);
  std::map<Labels, std::set<int>> where;
  std::vector<std::shared_ptr<const Queryable>> sources;
  std::vector<std::shared_ptr<ModelStore>> stores;
  for (int s = 0; s < 4; ++s) stores.push_back(std::make_shared<ModelStore>());
  for (int i = 0; i < 5000; ++i) {
    const Labels labels{{"__name__", "x"}, {"i", std::to_string(i)}};
    const bool rare = i < 3 || i > 4990 || (i > 2000 && i < 2500) || random() % 50 == 0;
    for (int s = 0; s < 4; ++s) {
      if (rare && random() % 3 != 0) continue;
      stores[static_cast<std::size_t>(s)]->series[labels][100 + s] = {static_cast<double>(s), 0, nullptr};
      where[labels].insert(s);
    }
  }
  for (auto& s : stores) sources.push_back(s);
  const MergedQueryable merged(sources);
  const auto all = *merged.Select({}, 0, 200);
  BOOST_TEST_REQUIRE(all->size() == where.size());
  std::size_t i = 0;
  for (const auto& [labels, in] : where) {
    SeriesColumns columns;
    BOOST_TEST_REQUIRE((all->labels(i) == labels));
    BOOST_TEST_REQUIRE(bool(all->Read(i++, 0, 200, &columns)));
    BOOST_TEST_REQUIRE(columns.t.size() == in.size());
    std::size_t n = 0;
    for (const int s : in) BOOST_TEST_REQUIRE(columns.t[n++] == 100 + s);
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(tombstones)

BOOST_AUTO_TEST_CASE(hide_what_they_name) {
  std::mt19937 random(2);
  auto store = std::make_shared<ModelStore>();
  testing::Fill(random, store.get(), 3, 20, kStart, 100);
  Tombstone all_of_one{{Matcher::Equal("__name__", "metric_3")}, kMinTimeMs, kMaxTimeMs, {}, {}};
  Tombstone some{{Make(Matcher::Type::kRegex, "__name__", "metric_.*"), Matcher::Equal("job", "api")}, kStart + 100'000, kStart + 700'000, {}, {}};
  Tombstone more{{Matcher::Equal("instance", "host1")}, kStart + 600'000, kStart + 900'000, {}, {}};
  ModelStore want;
  for (const auto& [labels, samples] : store->series) {
    for (const auto& [t, sample] : samples) {
      bool hidden = false;
      for (const auto* tombstone : {&all_of_one, &some, &more}) {
        hidden = hidden || (t >= tombstone->min_ms && t <= tombstone->max_ms && ModelStore::Matches(labels, tombstone->matchers));
      }
      if (!hidden) want.series[labels][t] = sample;
    }
  }
  const auto hiding = HideDeleted(store, {all_of_one, some, more});
  CheckSame(want, *hiding, {}, kMinTimeMs, kMaxTimeMs);
  CheckSame(want, *hiding, {}, kStart + 500'000, kStart + 800'000);
  auto gone = hiding->Select({Matcher::Equal("__name__", "metric_3")}, kMinTimeMs, kMaxTimeMs);
  BOOST_TEST((*gone)->size() == 0u);
  BOOST_TEST(HideDeleted(store, {}) == store);
}

BOOST_AUTO_TEST_CASE(file) {
  const std::string ulid = "01HF0000000000000000000000";
  Tombstones all = {{{Make(Matcher::Type::kNotRegex, "a\"b", "x|\n\xc3\xa4"), Matcher::Equal("c", "")}, -5, 1'700'000'000'000'123, {ulid}, {7, 18'446'744'073'709'551'615ull}}};
  const std::string text = FormatTombstones(all);
  BOOST_TEST(text.starts_with("promkit tombstones 1\n{\"min\":-5,\"max\":1700000000000123,\"matchers\":[[\"a\\\"b\",\"!~\","));
  auto back = ParseTombstones(text, "t");
  BOOST_REQUIRE(bool(back));
  BOOST_REQUIRE(back->size() == 1u);
  BOOST_TEST(((*back)[0].matchers == all[0].matchers));
  BOOST_TEST(((*back)[0].min_ms == -5 && (*back)[0].max_ms == 1'700'000'000'000'123));
  BOOST_TEST(((*back)[0].blocks == all[0].blocks && (*back)[0].epochs == all[0].epochs));
  BOOST_TEST((OfBlock(*back, ulid).size() == 1 && OfBlock(*back, "01HF0000000000000000000001").empty() && OfEpoch(*back, 7).size() == 1 && OfEpoch(*back, 8).empty()));
  for (std::size_t n = 0; n < text.size(); ++n) BOOST_TEST(!ParseTombstones(text.substr(0, n), "t"));
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string damaged = text;
    damaged[i] = static_cast<char>(damaged[i] ^ 1 << (i % 8));
    if (ParseTombstones(damaged, "t")) BOOST_ERROR("accepted with a flip at " + std::to_string(i));
  }
  for (const char* line : {"{}", "[]", "{\"min\":1,\"max\":0,\"matchers\":[[\"a\",\"=\",\"b\"]],\"blocks\":[],\"epochs\":[]}",
                           "{\"min\":0,\"max\":1,\"matchers\":[],\"blocks\":[],\"epochs\":[]}", "{\"min\":0,\"max\":1,\"matchers\":[[\"a\",\"=~\",\"(\"]],\"blocks\":[],\"epochs\":[]}",
                           "{\"min\":0,\"max\":1,\"matchers\":[[\"a\",\"=\",\"b\"]],\"blocks\":[\"../x\"],\"epochs\":[]}"}) {
    const std::string body = std::string("promkit tombstones 1\n") + line + "\n";
    BOOST_TEST(!ParseTombstones(body + StringPrintf("crc %08x\n", Crc32c(body)), "t"));
  }
  auto newer = ParseTombstones("promkit tombstones 2\n", "t");
  BOOST_TEST((newer.error().code == Errc::kUnsupported));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace prom::store
