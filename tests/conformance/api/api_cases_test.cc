// Upstream's web/api/v1/api_test.go, as extracted into api/cases.yaml. The data
// set stands in the README beside it.
#include <boost/test/unit_test.hpp>

#include <map>

#include "../../testing.h"
#include "../../unit/api/fixture.h"
#include "api/params.h"
#include "yaml/yaml.h"

using namespace prom;
using testing::Get;
using testing::Post;

namespace {

const yaml::Document& Cases() {
  static const auto doc = [] {
    auto loaded = yaml::Document::Load(testing::ConformanceDir() + "/api/cases.yaml");
    BOOST_TEST_REQUIRE(bool(loaded), (loaded ? "" : loaded.error().message));
    return std::make_unique<yaml::Document>(std::move(*loaded));
  }();
  return *doc;
}

yaml::Node Find(const yaml::Node& node, std::string_view key) {
  if (node.is_mapping())
    for (const auto& [k, v] : node.entries())
      if (k.text() == key) return v;
  return {};
}

std::string Text(const yaml::Node& node) { return node.is_null() ? "" : std::string(node.text()); }

// One spelling for the expected value and for the answer: keys sorted, all scalars as strings.
std::string Canonical(const yaml::Node& node) {
  std::string out;
  if (node.is_sequence()) {
    for (const auto& item : node.items()) out += (out.empty() ? "" : ",") + Canonical(item);
    return "[" + out + "]";
  }
  if (node.is_mapping()) {
    std::map<std::string, std::string> members;
    for (const auto& [k, v] : node.entries()) members[std::string(k.text())] = Canonical(v);
    for (const auto& [k, v] : members) out += (out.empty() ? "" : ",") + k + ":" + v;
    return "{" + out + "}";
  }
  return "<" + Text(node) + ">";
}
std::string Canonical(const JsonValue& value) {
  std::string out;
  if (value.kind == JsonValue::Kind::kArray) {
    for (const auto& item : value.items) out += (out.empty() ? "" : ",") + Canonical(item);
    return "[" + out + "]";
  }
  if (value.kind == JsonValue::Kind::kObject) {
    std::map<std::string, std::string> members;
    for (const auto& [k, v] : value.members) members[k] = Canonical(v);
    for (const auto& [k, v] : members) out += (out.empty() ? "" : ",") + k + ":" + v;
    return "{" + out + "}";
  }
  return "<" + value.text + ">";
}

// Upstream's name of the handler -> path. The others are not here, each for a reason.
const std::map<std::string, std::string> kPaths = {{"api.query", "/api/v1/query"},          {"api.queryRange", "/api/v1/query_range"},
                                                   {"api.formatQuery", "/api/v1/format_query"}, {"api.series", "/api/v1/series"},
                                                   {"api.labelNames", "/api/v1/labels"},    {"api.labelValues", ""}};
const std::map<std::string, std::string> kSkipped = {
    {"api.targets", "targets are promscrape's"},
    {"api.targetRelabelSteps", "targets are promscrape's"},
    {"api.targetMetadata", "targets are promscrape's"},
    {"api.metricMetadata", "of targets that the test makes in code, several entries a metric; see the unit tests"},
    {"api.alertmanagers", "rules are promrule's"},
    {"api.alerts", "rules are promrule's"},
    {"api.rules", "rules are promrule's"},
    {"api.serveConfig", "a mocked configuration"},
    {"api.serveFlags", "mocked flags"},
    {"api.queryExemplars", "exemplars that the test makes in code"},
    {"snapshot", "admin API: a mocked database"},
    {"clean", "admin API: a mocked database"},
    {"delete", "admin API: a mocked database"},
};

const std::map<std::string, std::string> kErrorTypes = {{"errorBadData", "bad_data"}, {"errorExec", "execution"}, {"errorNotFound", "not_found"}};

net::Params QueryOf(const yaml::Node& one) {
  net::Params out;
  const yaml::Node query = Find(one, "query");
  if (!query.is_mapping()) return out;
  for (const auto& [name, values] : query.entries()) {
    if (name.text() == "node") continue;
    for (const auto& v : values.items()) out.emplace_back(name.text(), v.text());
  }
  return out;
}

std::string LabelPath(const yaml::Node& name) {
  std::string text = Text(name);
  if (name.is_mapping()) {
    text.clear();
    const std::string hex = Text(Find(name, "hex"));
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) text.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return "/api/v1/label/" + net::PercentEncode(text) + "/values";
}

void CheckAnswer(const yaml::Node& one, const net::HttpResponse& response) {
  const JsonValue answer = testing::Json(response);
  const std::string error_type = Text(Find(one, "errType"));
  if (!error_type.empty()) {
    BOOST_TEST(answer.StringOr("status", "") == "error", response.body);
    BOOST_TEST(answer.StringOr("errorType", "") == kErrorTypes.at(error_type), response.body);
    BOOST_TEST(response.status == (error_type == "errorBadData" ? 400 : error_type == "errorExec" ? 422 : 404));
    BOOST_TEST(answer.Find("data") == nullptr);
    return;
  }
  BOOST_TEST(response.status == 200);
  BOOST_TEST(answer.StringOr("status", "") == "success", response.body);
  const JsonValue* warnings = answer.Find("warnings");
  const yaml::Node count = Find(one, "warningsCount");
  BOOST_TEST((warnings != nullptr ? warnings->items.size() : 0u) == static_cast<std::size_t>(count.is_null() ? 0 : std::stoi(Text(count))));
  const JsonValue* data = answer.Find("data");
  BOOST_TEST_REQUIRE(data != nullptr, response.body);
  if (const yaml::Node want = Find(one, "response"); !want.is_null()) BOOST_TEST(Canonical(*data) == Canonical(want));
  if (const yaml::Node want = Find(one, "responseLen"); !want.is_null()) BOOST_TEST(std::to_string(data->items.size()) == Text(want));
}

}  // namespace

BOOST_AUTO_TEST_CASE(endpoints) {
  testing::MemorySource source;
  for (const char* line : {"test_metric1{foo=\"bar\"} 0+100x100", "test_metric1{foo=\"boo\"} 1+0x100", "test_metric2{foo=\"boo\"} 1+0x100",
                           "test_metric3{foo=\"bar\",dup=\"1\"} 1+0x100", "test_metric3{foo=\"boo\",dup=\"1\"} 1+0x100",
                           "test_metric4{foo=\"bar\",dup=\"1\"} 1+0x100", "test_metric4{foo=\"boo\",dup=\"1\"} 1+0x100", "test_metric4{foo=\"boo\"} 1+0x100",
                           "test_metric5{\"host.name\"=\"localhost\"} 1+0x100", "test_metric5{\"junk\\n{},=:  chars\"=\"bar\"} 1+0x100"})
    source.Load(line);
  testing::FixedClock clock(1'500'000'000'000);
  Metrics metrics;
  api::QueryApi query_api(source, {}, clock, metrics);

  std::map<std::string, int> ran;
  std::size_t skipped = 0;
  const auto all = Find(Cases().root(), "endpoints").items();
  BOOST_TEST(all.size() == 150u);
  for (const auto& one : all) {
    BOOST_TEST_CONTEXT(one.Where() << " " << Text(Find(one, "endpoint"))) {
      const std::string handler = Text(Find(one, "endpoint"));
      const auto known = kPaths.find(handler);
      if (known == kPaths.end()) {
        BOOST_TEST(kSkipped.contains(handler), "neither run nor skipped for a reason");
        ++skipped;
        continue;
      }
      ++ran[handler];
      const bool values = handler == "api.labelValues";
      const std::string path = values ? LabelPath(Find(Find(one, "params"), "name")) : known->second;
      CheckAnswer(one, query_api.Handle(Get(path, QueryOf(one))));
      const net::HttpResponse posted = query_api.Handle(Post(path, QueryOf(one)));
      if (values) BOOST_TEST(posted.status == 405);
      else CheckAnswer(one, posted);
    }
  }
  const std::map<std::string, int> want = {{"api.query", 12}, {"api.queryRange", 13}, {"api.formatQuery", 2}, {"api.series", 16}, {"api.labelNames", 18}, {"api.labelValues", 23}};
  for (const auto& [handler, n] : want) BOOST_TEST(ran[handler] == n, handler << " ran " << ran[handler]);
  BOOST_TEST(skipped == 150u - 84u);
}

BOOST_AUTO_TEST_CASE(parse_time) {
  const auto cases = Find(Cases().root(), "parse_time").items();
  BOOST_TEST(cases.size() == 10u);
  for (const auto& one : cases) {
    const std::string input = Text(Find(one, "input"));
    BOOST_TEST_CONTEXT("input=" << input) {
      const yaml::Node want = Find(one, "result");
      if (input.starts_with("MinTime")) {  // the source has an expression here, with this value
        BOOST_TEST(*api::ParseApiTime("-292273086-05-16T16:47:06Z") == api::kApiMinTime);
        continue;
      }
      if (input.starts_with("MaxTime")) {
        BOOST_TEST(*api::ParseApiTime("292277025-08-18T07:12:54.999999999Z") == api::kApiMaxTime);
        continue;
      }
      const auto got = api::ParseApiTime(input);
      if (want.is_null()) {
        BOOST_TEST(!got);
        continue;
      }
      BOOST_TEST_REQUIRE(bool(got), (got ? "" : got.error().message));
      if (want.is_mapping()) {
        BOOST_TEST(*got == std::stoll(Text(Find(want, "unix"))) * 1000 + static_cast<std::int64_t>(std::stod(Text(Find(want, "nanos"))) / 1e6));
      } else {
        BOOST_TEST(Text(want) == "ts");  // 2015-06-03T13:21:58.555Z, as date(1) has it
        BOOST_TEST(*got == 1433337718555);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(parse_duration) {
  const auto cases = Find(Cases().root(), "parse_duration").items();
  BOOST_TEST(cases.size() == 9u);
  for (const auto& one : cases) {
    const std::string input = Text(Find(one, "input"));
    BOOST_TEST_CONTEXT("input=" << input) {
      const yaml::Node want = Find(one, "result");
      const auto got = api::ParseApiDuration(input);
      BOOST_TEST(bool(got) == !want.is_null());
      if (got && !want.is_null()) BOOST_TEST(*got == std::stoll(Text(want)));
    }
  }
}
