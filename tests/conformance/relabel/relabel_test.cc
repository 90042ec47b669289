// Upstream's relabel_test.go, as extracted into relabel/cases.yaml.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <map>

#include "../../testing.h"
#include "relabel/relabel.h"
#include "yaml/writer.h"
#include "yaml/yaml.h"

using namespace prom;

namespace {

const yaml::Document& Cases() {
  static const auto doc = [] {
    auto loaded = yaml::Document::Load(testing::ConformanceDir() + "/relabel/cases.yaml");
    BOOST_TEST_REQUIRE(bool(loaded), (loaded ? "" : loaded.error().message));
    return std::make_unique<yaml::Document>(std::move(*loaded));
  }();
  return *doc;
}

yaml::Node Get(const yaml::Node& node, std::string_view key) {
  for (const auto& [k, v] : node.entries())
    if (k.text() == key) return v;
  return {};
}

std::string Text(const yaml::Node& node) {
  std::string out;
  BOOST_TEST_REQUIRE(bool(yaml::Decode(node, &out)));
  return out;
}

Labels ToLabels(const yaml::Node& node) {
  std::map<std::string, std::string> map;
  BOOST_TEST_REQUIRE(bool(yaml::Decode(node, &map)));
  LabelsBuilder b;
  for (const auto& [k, v] : map) b.Set(k, v);
  return b.Build();
}

}  // namespace

BOOST_AUTO_TEST_CASE(process) {
  const auto runs = Get(Cases().root(), "process").items();
  BOOST_TEST(runs.size() == 34u);
  for (const auto& run : runs) {
    BOOST_TEST_CONTEXT(run.Where()) {
      std::vector<relabel::Config> configs;
      auto decoded = Decode(Get(run, "relabel_configs"), &configs);
      BOOST_TEST_REQUIRE(bool(decoded), (decoded ? "" : decoded.error().message));
      auto rules = relabel::CompileAll(configs, relabel::NameScheme::kUtf8);
      BOOST_TEST_REQUIRE(bool(rules), (rules ? "" : rules.error().message));
      LabelsBuilder labels(ToLabels(Get(run, "input")));
      const bool keep = relabel::Process(*rules, &labels);
      BOOST_TEST(keep == Get(run, "drop").is_null());
      if (keep) BOOST_TEST(labels.Build().ToString() == ToLabels(Get(run, "output")).ToString());
    }
  }
}

BOOST_AUTO_TEST_CASE(validate) {
  const auto cases = Get(Cases().root(), "validate").items();
  BOOST_TEST(cases.size() == 10u);
  for (const auto& one : cases) {
    BOOST_TEST_CONTEXT(one.Where()) {
      const yaml::Node in = Get(one, "config");
      relabel::Config config;
      config.separator.clear();
      config.replacement = Text(Get(in, "replacement"));
      config.target_label = Text(Get(in, "target_label"));
      config.action = relabel::ParseAction(Text(Get(in, "action"))).value_or(relabel::Action::kUnset);
      if (!Get(in, "regex").is_null()) config.regex = Text(Get(in, "regex"));
      // Upstream compares with the default "$1", which a config without defaults does not have.
      if (config.action == relabel::Action::kUnset || config.replacement.empty()) config.replacement = "";
      const auto scheme = Text(Get(in, "name_validation_scheme")) == "legacy" ? relabel::NameScheme::kLegacy : relabel::NameScheme::kUtf8;
      const auto valid = relabel::Validate(&config, scheme);
      const std::string want = Text(Get(one, "error"));
      if (want.empty()) BOOST_TEST(bool(valid), (valid ? "" : valid.error().message));
      else BOOST_TEST((!valid && valid.error().message.find(want) != std::string::npos), (valid ? "no error" : valid.error().message));
    }
  }
}

BOOST_AUTO_TEST_CASE(target_label_legacy) {
  const auto cases = Get(Cases().root(), "target_label_legacy").items();
  BOOST_TEST(cases.size() == 16u);
  for (const auto& one : cases) {
    BOOST_TEST_CONTEXT(Text(Get(one, "target_label")))
    BOOST_TEST(relabel::IsLegacyTargetTemplate(Text(Get(one, "target_label"))) == (Text(Get(one, "valid_legacy")) == "true"));
  }
}

// Read and printed again, the text is the same but for the style of the label list.
BOOST_AUTO_TEST_CASE(yaml_round_trip) {
  const auto cases = Get(Cases().root(), "yaml_roundtrip").items();
  BOOST_TEST(cases.size() == 4u);
  for (const auto& one : cases) {
    BOOST_TEST_CONTEXT(Text(Get(one, "name"))) {
      const std::string text = Text(Get(one, "yaml"));
      auto doc = yaml::Document::Parse(text, "rule");
      BOOST_TEST_REQUIRE(bool(doc));
      relabel::Config config;
      BOOST_TEST_REQUIRE(bool(Decode(doc->root(), &config)));
      std::string printed;
      yaml::Writer writer(&printed);
      relabel::Write(&writer, config);
      auto again = yaml::Document::Parse(printed, "rule");
      BOOST_TEST_REQUIRE(bool(again));
      // Key by key: the same keys in the same order, with the same values.
      const auto a = doc->root().entries(), b = again->root().entries();
      BOOST_TEST_REQUIRE(a.size() == b.size());
      for (std::size_t i = 0; i < a.size(); ++i) {
        BOOST_TEST(a[i].first.text() == b[i].first.text());
        BOOST_TEST(a[i].second.text() == b[i].second.text());
        const auto x = a[i].second.items(), y = b[i].second.items();
        BOOST_TEST_REQUIRE(x.size() == y.size());
        for (std::size_t k = 0; k < x.size(); ++k) BOOST_TEST(x[k].text() == y[k].text());
      }
    }
  }
}
