// Upstream's cases of the series notation: floats, names, histograms.
#include <boost/test/unit_test.hpp>

#include <map>

#include "base/number.h"
#include "parse_yaml.h"
#include "promql/series_notation.h"

namespace prom::promql {
namespace {

using testing::CaseText;
using testing::LoadParseCases;

std::string WhyNot(const Result<SeriesDescription>& r) { return r ? std::string() : r.error().message; }

Labels WantedLabels(const YAML::Node& node) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const auto& label : node) pairs.emplace_back(label.first.as<std::string>(), label.second.as<std::string>());
  return Labels::FromPairs(std::move(pairs));
}

Histogram WantedHistogram(const YAML::Node& node) {
  Histogram h;
  const auto number = [&](const char* key) { return node[key] ? node[key].as<double>() : 0; };
  const auto list = [&](const char* key) { return node[key] ? node[key].as<std::vector<double>>() : std::vector<double>{}; };
  const auto spans = [&](const char* key) {
    std::vector<Histogram::Span> out;
    for (const auto& span : node[key]) out.push_back({span["Offset"].as<std::int32_t>(), span["Length"].as<std::uint32_t>()});
    return out;
  };
  h.schema = node["Schema"] ? node["Schema"].as<std::int32_t>() : 0;
  h.sum = number("Sum");
  h.count = number("Count");
  h.zero_count = number("ZeroCount");
  h.zero_threshold = number("ZeroThreshold");
  h.positive_buckets = list("PositiveBuckets");
  h.negative_buckets = list("NegativeBuckets");
  h.custom_values = list("CustomValues");
  h.positive_spans = spans("PositiveSpans");
  h.negative_spans = spans("NegativeSpans");
  static const std::map<std::string, Histogram::ResetHint> kHints = {{"", Histogram::ResetHint::kUnknown},
                                                                     {"UnknownCounterReset", Histogram::ResetHint::kUnknown},
                                                                     {"CounterReset", Histogram::ResetHint::kReset},
                                                                     {"NotCounterReset", Histogram::ResetHint::kNotReset},
                                                                     {"GaugeType", Histogram::ResetHint::kGauge}};
  h.reset_hint = kHints.at(node["CounterResetHint"] ? node["CounterResetHint"].as<std::string>() : "");
  return h;
}

BOOST_AUTO_TEST_CASE(series_with_float_values) {
  const auto cases = LoadParseCases("cases.yaml")["series"];
  BOOST_TEST_REQUIRE(cases.size() > 15u);
  for (const auto& c : cases) {
    const std::string input = CaseText(c["input"]);
    BOOST_TEST_CONTEXT("input=" << input) {
      const auto got = ParseSeriesDescription(input);
      if (c["fail"]) {
        BOOST_TEST(!got);
        continue;
      }
      BOOST_TEST_REQUIRE(bool(got), WhyNot(got));
      BOOST_TEST(got->labels.ToString() == WantedLabels(c["labels"]).ToString());
      BOOST_TEST_REQUIRE(got->values.size() == c["values"].size());
      for (std::size_t i = 0; i < got->values.size(); ++i) {
        BOOST_TEST(got->values[i].omitted == c["values"][i].IsNull());
        if (!got->values[i].omitted) BOOST_TEST(got->values[i].value == c["values"][i].as<double>());
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(series_names) {
  for (const auto& c : LoadParseCases("cases.yaml")["series_desc"]) {
    BOOST_TEST_CONTEXT(c["name"].as<std::string>()) {
      const auto got = ParseSeriesDescription(CaseText(c["input"]));
      if (c["expectError"]) {
        BOOST_TEST_REQUIRE(!got);
        BOOST_TEST(got.error().message.find(c["expectError"].as<std::string>()) != std::string::npos, got.error().message);
        continue;
      }
      BOOST_TEST_REQUIRE(bool(got), WhyNot(got));
      BOOST_TEST(got->labels.ToString() == WantedLabels(c["expectedLabels"]).ToString());
    }
  }
}

BOOST_AUTO_TEST_CASE(series_with_histograms) {
  const auto cases = LoadParseCases("cases.yaml")["histogram_series"];
  BOOST_TEST_REQUIRE(cases.size() > 20u);
  for (const auto& c : cases) {
    BOOST_TEST_CONTEXT(c["name"].as<std::string>() << ": " << CaseText(c["input"])) {
      const auto got = ParseSeriesDescription(CaseText(c["input"]));
      if (c["expectedError"]) {
        BOOST_TEST_REQUIRE(!got);
        BOOST_TEST(got.error().message == c["expectedError"].as<std::string>());
        continue;
      }
      BOOST_TEST_REQUIRE(bool(got), WhyNot(got));
      BOOST_TEST_REQUIRE(got->values.size() == c["expected"].size());
      for (std::size_t i = 0; i < got->values.size(); ++i) {
        BOOST_TEST_REQUIRE(got->values[i].histogram != nullptr);
        const Histogram want = WantedHistogram(c["expected"][i]);
        BOOST_TEST((*got->values[i].histogram == want), HistogramNotation(*got->values[i].histogram) << ", want " << HistogramNotation(want));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(histograms_as_notation) {
  for (const auto& c : LoadParseCases("cases.yaml")["histogram_text"])
    BOOST_TEST_CONTEXT(c["name"].as<std::string>()) BOOST_TEST(HistogramNotation(WantedHistogram(c["histogram"])) == c["text"].as<std::string>());
}

}  // namespace
}  // namespace prom::promql
