// Upstream's own cases for the text parsers: whole expositions entry by entry, and
// single inputs with the exact error.
#include <boost/test/unit_test.hpp>
#include <yaml-cpp/yaml.h>

#include <bit>
#include <map>
#include <string>

#include "../../testing.h"
#include "base/number.h"
#include "exposition/page_parser.h"
#include "exposition/text_parser.h"

namespace {

using prom::TextParser;
using Entry = prom::TextParser::Entry;

std::string Dir() { return prom::testing::ConformanceDir() + "/textparse/"; }

prom::TextFormat FormatOf(const YAML::Node& node) {
  return node.as<std::string>() == "openmetrics" ? prom::TextFormat::kOpenMetrics : prom::TextFormat::kPrometheus;
}

std::string InputOf(const YAML::Node& node) {
  if (!node.IsMap()) return node.as<std::string>();
  const auto hex = node["hex"].as<std::string>();
  std::string out;
  for (std::size_t i = 0; i < hex.size(); i += 2) out.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return out;
}

std::map<std::string, std::string> AsMap(const prom::Labels& labels) {
  std::map<std::string, std::string> out;
  for (const auto label : labels) out.emplace(label.name, label.value);
  return out;
}

void CheckLabels(const prom::Labels& got, const YAML::Node& want) {
  const auto map = AsMap(got);
  BOOST_TEST(map.size() == want.size());
  for (const auto& pair : want) {
    const auto name = pair.first.as<std::string>();
    auto value = pair.second.as<std::string>();
    // The extraction printed Go's constant by name.
    if (value == "MetricTypeCounter") value = "counter";
    const auto it = map.find(name);
    BOOST_TEST_REQUIRE((it != map.end()), "label " << name << " is missing");
    BOOST_TEST(it->second == value);
  }
}

BOOST_AUTO_TEST_CASE(whole_expositions) {
  const auto cases = YAML::LoadFile(Dir() + "cases.yaml");
  for (const auto& test : cases["parse_ok"]) {
    const auto name = test["test"].as<std::string>();
    const auto format = FormatOf(test["format"]);
    const auto input = InputOf(test["input"]);
    TextParser parser(input, format);
    std::size_t index = 0;
    BOOST_TEST_CONTEXT(name) {
      // Upstream's OpenMetrics cases run with the option that leaves _created lines out.
      const auto next = [&] {
        for (;;) {
          const auto entry = parser.Next();
          if (entry != Entry::kSeries || format != prom::TextFormat::kOpenMetrics) return entry;
          const bool has_start = parser.type() == prom::MetricType::kCounter || parser.type() == prom::MetricType::kSummary ||
                                 parser.type() == prom::MetricType::kHistogram;
          if (!has_start || !parser.labels()->metric_name().ends_with("_created")) return entry;
        }
      };
      for (const auto& want : test["entries"]) {
        BOOST_TEST_CONTEXT("entry " << index++ << ": " << want) {
          const auto entry = next();
          BOOST_TEST_REQUIRE((entry != Entry::kError), parser.error().message);
          if (want["comment"]) {
            BOOST_TEST((entry == Entry::kComment));
            BOOST_TEST(parser.text() == want["comment"].as<std::string>());
          } else if (want["help"]) {
            BOOST_TEST((entry == Entry::kHelp));
            BOOST_TEST(parser.metric() == want["metric"].as<std::string>());
            BOOST_TEST(parser.text() == want["help"].as<std::string>());
          } else if (want["unit"]) {
            BOOST_TEST((entry == Entry::kUnit));
            BOOST_TEST(parser.metric() == want["metric"].as<std::string>());
            BOOST_TEST(parser.text() == want["unit"].as<std::string>());
          } else if (want["type"]) {
            BOOST_TEST((entry == Entry::kType));
            BOOST_TEST(parser.metric() == want["metric"].as<std::string>());
            BOOST_TEST(prom::MetricTypeName(parser.type()) == want["type"].as<std::string>());
          } else {
            BOOST_TEST_REQUIRE((entry == Entry::kSeries));
            BOOST_TEST(parser.series() == want["metric"].as<std::string>());
            // Left out where it is Go's zero value; NaN by its bits, as Go's tests compare it.
            const double value = want["value"] ? prom::ParseFloat(want["value"].as<std::string>()).value() : 0;
            BOOST_TEST(std::bit_cast<std::uint64_t>(parser.value()) == std::bit_cast<std::uint64_t>(value));
            BOOST_TEST(parser.has_timestamp() == bool(want["ts"]));
            if (want["ts"]) BOOST_TEST(parser.timestamp_ms() == want["ts"].as<std::int64_t>());
            const auto labels = parser.labels();
            BOOST_TEST_REQUIRE(bool(labels));
            CheckLabels(*labels, want["labels"]);
            BOOST_TEST(parser.has_exemplar() == bool(want["exemplars"]));
            if (want["exemplars"]) {
              const auto e = want["exemplars"][0];
              const auto got = parser.exemplar();
              CheckLabels(got.labels, e["labels"]);
              BOOST_TEST(got.value == e["value"].as<double>());
              BOOST_TEST(got.has_time == bool(e["has_ts"]));
              if (e["ts"]) BOOST_TEST(got.t_ms == e["ts"].as<std::int64_t>());
            }
          }
        }
      }
      const auto last = next();
      BOOST_TEST((last == Entry::kEnd), parser.error().message);
    }
  }
}

std::string FirstError(const std::string& input, prom::TextFormat format) {
  TextParser parser(input, format);
  for (;;) {
    const auto entry = parser.Next();
    if (entry == Entry::kEnd) return "EOF";
    if (entry == Entry::kError) return parser.error().message;
  }
}

BOOST_AUTO_TEST_CASE(single_inputs) {
  const auto cases = YAML::LoadFile(Dir() + "cases.yaml");
  std::size_t count = 0;
  for (const auto& test : cases["parse_error"]) {
    const auto input = InputOf(test["input"]);
    const auto format = FormatOf(test["format"]);
    auto want = test["error"].as<std::string>();
    if (want.empty()) want = "EOF";
    BOOST_TEST_CONTEXT("input " << ++count << ": " << input) {
      BOOST_TEST(FirstError(input, format) == want);
      prom::PageParser pages;
      auto page = input;
      const auto done = pages.Parse(&page, format);
      BOOST_TEST((done ? "EOF" : done.error().message) == want);
    }
  }
  BOOST_TEST(count == 109u);
}

BOOST_AUTO_TEST_CASE(big_files) {
  struct Row {
    const char* file;
    prom::TextFormat format;
    const char* tail;
  };
  // The OpenMetrics files lack the last line that a server would add.
  static const Row kRows[] = {{"alltypes.237mfs.prom.txt", prom::TextFormat::kPrometheus, ""},
                              {"alltypes.237mfs.nometa.prom.txt", prom::TextFormat::kPrometheus, ""},
                              {"alltypes.5mfs.om.txt", prom::TextFormat::kOpenMetrics, "# EOF\n"},
                              {"1histogram.om.txt", prom::TextFormat::kOpenMetrics, "# EOF\n"}};
  for (const auto& row : kRows) {
    BOOST_TEST_CONTEXT(row.file) {
      auto text = prom::testing::ReadFile(Dir() + row.file);
      BOOST_TEST_REQUIRE(!text.empty());
      if (text.find("# EOF") == std::string::npos) text += row.tail;
      // An independent count: lines that are neither empty nor a comment.
      std::size_t want = 0;
      for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        if (end > at && text[at] != '#') ++want;
        at = end + 1;
      }
      TextParser parser(text, row.format);
      std::size_t samples = 0;
      Entry entry;
      while ((entry = parser.Next()) != Entry::kEnd) {
        BOOST_TEST_REQUIRE((entry != Entry::kError), parser.error().message);
        if (entry != Entry::kSeries) continue;
        ++samples;
        BOOST_TEST_REQUIRE(bool(parser.labels()));
      }
      BOOST_TEST(samples == want);
    }
  }
}

}  // namespace
