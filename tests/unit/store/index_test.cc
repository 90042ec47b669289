#include "store/index_reader.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <map>
#include <numeric>
#include <random>
#include <set>

#include "../../testing.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "store/index_series.h"
#include "store/index_writer.h"

namespace prom::store {
namespace {

std::string Build(const std::vector<Labels>& series, std::string extra = {}) {
  IndexWriter writer;
  for (std::size_t i = 0; i < series.size(); ++i) BOOST_REQUIRE(bool(writer.Add(series[i], static_cast<std::uint32_t>(i) * 7)));
  auto bytes = writer.Finish(extra);
  BOOST_REQUIRE(bool(bytes));
  return std::move(*bytes);
}

std::shared_ptr<const IndexReader> OpenBytes(std::string bytes) {
  auto reader = IndexReader::FromBytes(std::move(bytes), "index");
  BOOST_REQUIRE_MESSAGE(bool(reader), (reader ? "" : reader.error().message));
  return *reader;
}

// Label sets of a small world with absent labels, shared and unique values.
std::vector<Labels> RandomSeries(std::mt19937& random, int count) {
  const auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  std::set<Labels> set;
  for (int i = 0; i < count; ++i) {
    LabelsBuilder b;
    b.Set("__name__", "metric_" + std::to_string(pick(20)));
    b.Set("instance", "host" + std::to_string(pick(50)) + ":9100");
    if (pick(3) > 0) b.Set("job", pick(2) == 0 ? "node" : "api-" + std::to_string(pick(3)));
    if (pick(4) == 0) b.Set("id", std::to_string(random()));
    if (pick(10) == 0) b.Set("zone", pick(2) == 0 ? "eu-\xc3\xa4" : "us\n\"x\"");
    if (pick(5) == 0) b.Set("Upper", std::string(static_cast<std::size_t>(pick(600)) + 1, 'u'));
    set.insert(b.Build());
  }
  return {set.begin(), set.end()};
}

std::vector<std::uint32_t> BruteForce(const std::vector<Labels>& series, const Matchers& matchers) {
  std::vector<std::uint32_t> out;
  for (std::uint32_t i = 0; i < series.size(); ++i) {
    if (std::all_of(matchers.begin(), matchers.end(), [&](const Matcher& m) { return m.Matches(series[i].Get(m.name())); })) out.push_back(i);
  }
  return out;
}

Matcher Make(Matcher::Type type, std::string_view name, std::string_view value) {
  auto m = Matcher::Make(type, name, value);
  BOOST_REQUIRE(bool(m));
  return *m;
}

constexpr std::size_t kFileHeader = 16;
constexpr Matcher::Type kTypes[] = {Matcher::Type::kEqual, Matcher::Type::kNotEqual, Matcher::Type::kRegex, Matcher::Type::kNotRegex};

BOOST_AUTO_TEST_SUITE(index_)

BOOST_AUTO_TEST_CASE(empty_index) {
  const auto index = OpenBytes(Build({}));
  BOOST_TEST(index->series_count() == 0u);
  BOOST_TEST(index->Select({})->empty());
  BOOST_TEST(index->Select({Matcher::Equal("a", "")})->empty());
  BOOST_TEST(index->LabelNames()->empty());
  BOOST_TEST(index->Verify().empty());
}

BOOST_AUTO_TEST_CASE(series_without_labels) {
  const auto index = OpenBytes(Build({Labels{}, Labels{{"a", "b"}}}));
  BOOST_TEST((index->Select({Matcher::Equal("a", "")}) .value() == std::vector<std::uint32_t>{0}));
  BOOST_TEST(index->ReadLabels(0)->empty());
}

BOOST_AUTO_TEST_CASE(equal_label_sets_are_refused) {
  IndexWriter writer;
  for (const Labels& labels : {Labels{{"a", "b"}}, Labels{{"a", "b"}, {"c", "d"}}, Labels{{"a", "a"}}, Labels{{"a", "b"}}}) BOOST_REQUIRE(bool(writer.Add(labels, 0)));
  const auto sorted = writer.Sort();
  BOOST_REQUIRE(!sorted);
  BOOST_TEST(sorted.error().message == "index: the label set {a=\"b\"} comes twice");
  BOOST_TEST(!writer.Finish());
}

BOOST_AUTO_TEST_CASE(bytes_that_are_no_labels_are_refused) {
  IndexWriter writer;
  const std::string good = Labels{{"a", "b"}, {"c", std::string(300, 'd')}}.bytes();
  BOOST_REQUIRE(bool(writer.Add(good, 1)));
  for (std::size_t n = 1; n < good.size(); ++n)
    if (n != Labels{{"a", "b"}}.bytes().size()) BOOST_TEST_CONTEXT("cut at " << n) BOOST_TEST(!writer.Add(std::string_view(good).substr(0, n), 2));
  BOOST_TEST(!writer.Add(std::string_view("\1c\1d\1a\1b", 8), 2));  // not in order
  BOOST_TEST(!writer.Add(std::string_view("\1a\1b\1a\1b", 8), 2));  // a name twice
  BOOST_REQUIRE(bool(writer.Add(Labels{{"a", "b"}}, 3)));
  const auto index = OpenBytes(*writer.Finish());
  BOOST_TEST(index->series_count() == 2u);
  BOOST_TEST(*index->ReadPayload(0) == 3u);
  BOOST_TEST(*index->ReadPayload(1) == 1u);
}

// What is added in any order, and written without some series, is what is added in order without them.
BOOST_AUTO_TEST_CASE(any_order_and_any_part) {
  std::mt19937 random(11);
  for (const int count : {1, 2, 50, 3000}) {
    const auto series = RandomSeries(random, count);
    std::vector<std::uint32_t> order(series.size());
    std::iota(order.begin(), order.end(), 0u);
    std::shuffle(order.begin(), order.end(), random);
    IndexWriter writer;
    for (const std::uint32_t i : order) BOOST_REQUIRE(bool(writer.Add(series[i], i)));
    const auto sorted = writer.Sort();
    BOOST_REQUIRE(bool(sorted));
    for (std::uint32_t i = 0; i < series.size(); ++i) BOOST_REQUIRE((*sorted)[i] == i);
    for (int round = 0; round < 3; ++round) {
      std::vector<bool> keep(series.size());
      IndexWriter other;
      for (std::uint32_t i = 0; i < series.size(); ++i) {
        keep[i] = random() % 3 != 0;
        if (keep[i]) BOOST_REQUIRE(bool(other.Add(series[i], i - other.series_count())));
      }
      std::string bytes;
      BOOST_REQUIRE(bool(writer.Write(keep, "extra", [&](std::string_view piece) -> Result<void> {
        bytes += piece;
        return {};
      })));
      BOOST_TEST((bytes == *other.Finish("extra")));
      BOOST_TEST(OpenBytes(bytes)->Verify().empty());
    }
  }
}

BOOST_AUTO_TEST_CASE(a_sink_that_fails_ends_it) {
  IndexWriter writer;
  BOOST_REQUIRE(bool(writer.Add(Labels{{"a", "b"}}, 0)));
  const auto done = writer.Write("", [](std::string_view) -> Result<void> { return Error{Errc::kNoSpace, "full"}; });
  BOOST_REQUIRE(!done);
  BOOST_TEST(done.error().message == "full");
}

BOOST_AUTO_TEST_CASE(round_trip) {
  std::mt19937 random(1);
  const auto series = RandomSeries(random, 3000);
  const auto index = OpenBytes(Build(series, "extra bytes"));
  BOOST_REQUIRE(index->series_count() == series.size());
  std::map<std::string, std::set<std::string>> values;
  for (std::uint32_t i = 0; i < series.size(); ++i) {
    BOOST_REQUIRE((*index->ReadLabels(i) == series[i]));
    BOOST_REQUIRE(*index->ReadPayload(i) == i * 7u);
    for (const Label& l : series[i]) values[std::string(l.name)].insert(std::string(l.value));
  }
  // Many at once, in any order: what is remembered of one series must not show in the next.
  IndexReader::SeriesReader reader(*index);
  for (std::size_t i = 0; i < 10'000; ++i) {
    const auto rank = static_cast<std::uint32_t>(i < series.size() ? i : random() % series.size());
    Labels labels;
    std::uint64_t payload = 0;
    BOOST_REQUIRE(bool(reader.Read(rank, &labels, &payload)));
    BOOST_REQUIRE((labels == series[rank] && payload == rank * 7u));
  }
  std::vector<std::string> names;
  for (const auto& [name, set] : values) {
    names.push_back(name);
    BOOST_TEST((*index->LabelValues(name) == std::vector<std::string>(set.begin(), set.end())));
  }
  BOOST_TEST((*index->LabelNames() == names));
  BOOST_TEST(index->LabelValues("absent")->empty());
  BOOST_TEST(*index->Extra(0, index->extra_size()) == "extra bytes");
  BOOST_TEST(!index->Extra(5, 7));
  BOOST_TEST(index->Verify().empty());
}

// Every kind of matcher, alone and in pairs and threes, against one look at each series.
BOOST_AUTO_TEST_CASE(matchers_against_brute_force) {
  std::mt19937 random(2);
  const auto series = RandomSeries(random, 4000);
  const auto index = OpenBytes(Build(series));
  const char* const kNames[] = {"__name__", "instance", "job", "id", "zone", "Upper", "absent"};
  const char* const kValues[] = {"", "node", "api-1", "metric_3", "metric_1|metric_2|nope", "api-.*", ".*", ".+", "api-(0|1)", "host1.*", "host[0-9]:9100",
                                 "|node", "(api-1)?", "x*", "[1-3].*", "u+", "eu-.", "(?i)NODE", "metric_.", ".*7", "host(1|2|33):9100", "a^", "us.*", "metric_1.+|"};
  std::vector<Matcher> all;
  for (const char* name : kNames) {
    for (const char* value : kValues) {
      for (const auto type : kTypes) all.push_back(Make(type, name, value));
    }
  }
  const auto check = [&](const Matchers& matchers) {
    auto got = index->Select(matchers);
    BOOST_REQUIRE(bool(got));
    if (*got != BruteForce(series, matchers)) {
      std::string text;
      for (const auto& m : matchers) text += m.ToString() + ", ";
      BOOST_ERROR("differs: " + text);
    }
  };
  for (const auto& m : all) check({m});
  for (int i = 0; i < 1500; ++i) {
    Matchers matchers;
    for (unsigned n = 2 + random() % 3; n > 0; --n) matchers.push_back(all[random() % all.size()]);
    check(matchers);
  }
}

BOOST_AUTO_TEST_CASE(names_and_values_of_some_series) {
  std::mt19937 random(3);
  const auto series = RandomSeries(random, 1000);
  const auto index = OpenBytes(Build(series));
  const auto ranks = *index->Select({Make(Matcher::Type::kRegex, "job", "api-.*"), Matcher::Equal("zone", "")});
  BOOST_REQUIRE(!ranks.empty());
  std::set<std::string> names, jobs;
  for (const auto rank : ranks) {
    for (const Label& l : series[rank]) names.insert(std::string(l.name));
    jobs.insert(std::string(series[rank].Get("job")));
  }
  BOOST_TEST((*index->LabelNames(ranks) == std::vector<std::string>(names.begin(), names.end())));
  BOOST_TEST((*index->LabelValues("job", ranks) == std::vector<std::string>(jobs.begin(), jobs.end())));
  BOOST_TEST(index->LabelValues("zone", ranks)->empty());
}

// Cut anywhere, the file is refused.
BOOST_AUTO_TEST_CASE(truncation) {
  std::mt19937 random(4);
  const std::string bytes = Build(RandomSeries(random, 30));
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    auto reader = IndexReader::FromBytes(bytes.substr(0, n), "index");
    if (reader) BOOST_ERROR("opened after " + std::to_string(n) + " bytes");
  }
}

// One flipped bit: refused at open or at the first use of its page, never another answer.
BOOST_AUTO_TEST_CASE(flipped_bits) {
  std::mt19937 random(5);
  const auto series = RandomSeries(random, 30);
  const std::string bytes = Build(series, "extra");
  const Matchers matchers = {Make(Matcher::Type::kRegex, "instance", "host.*"), Matcher::Equal("zone", "")};
  const auto want = BruteForce(series, matchers);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 1 << (i % 8));
    auto reader = IndexReader::FromBytes(std::move(damaged), "index");
    if (!reader) continue;
    const auto got = (*reader)->Select(matchers);
    if (got && *got != want) BOOST_ERROR("wrong answer after a flip at " + std::to_string(i));
    if (got && (*reader)->Verify().empty()) BOOST_ERROR("flip not found at " + std::to_string(i));
  }
}

// Hostile: any byte changed with all checksums put right again. No crash is all that is asked.
BOOST_AUTO_TEST_CASE(forged_bytes) {
  std::mt19937 random(6);
  const auto series = RandomSeries(random, 200);
  const std::string bytes = Build(series);
  const std::size_t trailer = bytes.size() - kIndexTrailerBytes;
  const auto covered = LoadLe<std::uint64_t>(bytes.data() + bytes.size() - 16);
  for (int round = 0; round < prom::testing::Rounds(3000); ++round) {
    std::string forged = bytes;
    for (unsigned n = 1 + random() % 3; n > 0; --n) {
      const std::size_t at = kFileHeader + random() % (covered - kFileHeader);
      forged[at] = static_cast<char>(random() % 3 == 0 ? 0xff : random());
    }
    for (std::size_t page = 0; page * kIndexPageBytes < covered; ++page) {
      const std::size_t size = std::min<std::size_t>(kIndexPageBytes, covered - page * kIndexPageBytes);
      StoreLe<std::uint32_t>(forged.data() + covered + page * 4, Crc32c(forged.data() + page * kIndexPageBytes, size));
    }
    StoreLe<std::uint32_t>(forged.data() + forged.size() - 4, Crc32c(forged.data() + covered, trailer + kIndexTrailerBytes - 4 - covered));
    auto reader = IndexReader::FromBytes(std::move(forged), "index");
    if (!reader) continue;
    (void)(*reader)->Select({Make(Matcher::Type::kRegex, "instance", "host.*7.*"), Make(Matcher::Type::kNotEqual, "job", "node")});
    (void)(*reader)->Select({Make(Matcher::Type::kNotRegex, "id", "1.*"), Make(Matcher::Type::kRegex, "__name__", "metric_1|metric_2")});
    std::vector<std::uint32_t> ranks((*reader)->series_count());
    std::iota(ranks.begin(), ranks.end(), 0);
    (void)(*reader)->LabelNames(ranks);
    (void)(*reader)->LabelValues("instance", ranks);
    (void)(*reader)->Verify();
  }
}

BOOST_AUTO_TEST_CASE(newer_version_is_refused_by_name) {
  std::string bytes = Build({Labels{{"a", "b"}}});
  StoreLe<std::uint32_t>(bytes.data() + 8, 2);
  StoreLe<std::uint32_t>(bytes.data() + 12, Crc32c(bytes.data(), 12));
  auto reader = IndexReader::FromBytes(bytes, "x/index");
  BOOST_REQUIRE(!reader);
  BOOST_TEST((reader.error().code == Errc::kUnsupported));
  BOOST_TEST(reader.error().message == "x/index has format version 2; this program reads 1");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace prom::store
