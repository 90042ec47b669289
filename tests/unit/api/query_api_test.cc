#include "api/query_api.h"

#include <boost/test/unit_test.hpp>

#include "../../testing.h"
#include "fixture.h"

using namespace prom;
using testing::Get;
using testing::Post;

namespace {

struct Fixture {
  Fixture() {
    source.Load("up{job=\"node\",instance=\"a\"} 1+0x100");
    source.Load("up{job=\"node\",instance=\"b\"} 0+0x100");
    source.Load("load{host=\"caf\xc3\xa9 \\\"x\\\"\"} 0.5 NaN Inf -Inf 1e30 1e-9");
  }
  std::string Body(std::string path, const net::Params& params) { return api.Handle(Get(std::move(path), params)).body; }
  net::HttpResponse Query(const net::Params& params) { return api.Handle(Get("/api/v1/query", params)); }

  testing::MemorySource source;
  testing::FixedClock clock{60'000};
  Metrics metrics;
  prom::api::QueryApi api{source, {}, clock, metrics};
};

std::string Envelope(const std::string& data) { return "{\"status\":\"success\",\"data\":" + data + "}"; }

std::string ErrorType(const net::HttpResponse& r) { return std::to_string(r.status) + " " + std::string(testing::Json(r).StringOr("errorType", "?")); }
std::string ErrorText(const net::HttpResponse& r) { return std::string(testing::Json(r).StringOr("error", "?")); }

}  // namespace

// Shapes from upstream's docs/querying/api.md.
BOOST_FIXTURE_TEST_CASE(result_types, Fixture) {
  BOOST_TEST(Body("/api/v1/query", {{"query", "2"}, {"time", "123.4"}}) == Envelope("{\"resultType\":\"scalar\",\"result\":[123.400,\"2\"]}"));
  BOOST_TEST(Body("/api/v1/query", {{"query", "\"a\\nb\""}, {"time", "0"}}) == Envelope("{\"resultType\":\"string\",\"result\":[0,\"a\\nb\"]}"));
  BOOST_TEST(Body("/api/v1/query", {{"query", "up{instance=\"a\"}"}}) ==
             Envelope("{\"resultType\":\"vector\",\"result\":[{\"metric\":{\"__name__\":\"up\",\"instance\":\"a\",\"job\":\"node\"},\"value\":[60,\"1\"]}]}"));
  BOOST_TEST(Body("/api/v1/query", {{"query", "nothing"}}) == Envelope("{\"resultType\":\"vector\",\"result\":[]}"));
  BOOST_TEST(Body("/api/v1/query", {{"query", "load[6m]"}, {"time", "300"}}) ==
             Envelope("{\"resultType\":\"matrix\",\"result\":[{\"metric\":{\"__name__\":\"load\",\"host\":\"caf\xc3\xa9 \\\"x\\\"\"},\"values\":"
                      "[[0,\"0.5\"],[60,\"NaN\"],[120,\"+Inf\"],[180,\"-Inf\"],[240,\"1e+30\"],[300,\"1e-09\"]]}]}"));
  BOOST_TEST(Body("/api/v1/query_range", {{"query", "time()"}, {"start", "0"}, {"end", "2"}, {"step", "1"}}) ==
             Envelope("{\"resultType\":\"matrix\",\"result\":[{\"metric\":{},\"values\":[[0,\"0\"],[1,\"1\"],[2,\"2\"]]}]}"));
}

BOOST_FIXTURE_TEST_CASE(histograms, Fixture) {
  // Schema 0: buckets (0.5,1] (1,2] (2,4]; zero bucket [-0.1,0.1].
  source.Load("h {{schema:0 sum:5.5 count:7 z_bucket:1 z_bucket_w:0.1 buckets:[1 0 2] n_buckets:[3]}}");
  BOOST_TEST(Body("/api/v1/query", {{"query", "h"}, {"time", "0"}}) ==
             Envelope("{\"resultType\":\"vector\",\"result\":[{\"metric\":{\"__name__\":\"h\"},\"histogram\":[0,{\"count\":\"7\",\"sum\":\"5.5\",\"buckets\":["
                      "[1,\"-1\",\"-0.5\",\"3\"],[3,\"-0.1\",\"0.1\",\"1\"],[0,\"0.5\",\"1\",\"1\"],[0,\"2\",\"4\",\"2\"]]}]}]}"));
  // Custom buckets: the lowest reaches down to -Inf, the one behind the last bound up to +Inf.
  source.Load("c {{schema:-53 sum:5 count:6 custom_values:[5 10] buckets:[1 2 3]}}");
  BOOST_TEST(Body("/api/v1/query", {{"query", "c[1m]"}, {"time", "0"}}) ==
             Envelope("{\"resultType\":\"matrix\",\"result\":[{\"metric\":{\"__name__\":\"c\"},\"histograms\":[[0,{\"count\":\"6\",\"sum\":\"5\",\"buckets\":["
                      "[3,\"-Inf\",\"5\",\"1\"],[0,\"5\",\"10\",\"2\"],[0,\"10\",\"+Inf\",\"3\"]]}]]}]}"));
  source.Load("e {{schema:0 sum:0 count:0}}");
  BOOST_TEST(Body("/api/v1/query", {{"query", "e"}, {"time", "0"}}).find("\"histogram\":[0,{\"count\":\"0\",\"sum\":\"0\"}]") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(errors, Fixture) {
  struct Row { net::Params params; const char* type; const char* text; };
  const Row rows[] = {
      {{{"query", "up{"}}, "400 bad_data", "invalid parameter \"query\": 1:4: parse error: unexpected end of input inside braces"},
      {{{"query", ""}}, "400 bad_data", "invalid parameter \"query\": unknown position: parse error: no expression found in input"},
      {{{"query", "up"}, {"time", "x"}}, "400 bad_data", "invalid parameter \"time\": invalid time value for 'time': cannot parse \"x\" to a valid timestamp"},
      {{{"query", "up"}, {"timeout", "x"}}, "400 bad_data", "invalid parameter \"timeout\": cannot parse \"x\" to a valid duration"},
      {{{"query", "up"}, {"lookback_delta", "x"}}, "400 bad_data", "error parsing lookback delta duration: cannot parse \"x\" to a valid duration"},
      {{{"query", "up + on() up"}}, "422 execution", nullptr},
      {{{"query", "up"}, {"timeout", "0"}}, "503 timeout", "query timed out in query queue"},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT("params=" << testing::Form(row.params)) {
      const auto r = Query(row.params);
      BOOST_TEST(ErrorType(r) == row.type);
      if (row.text != nullptr) BOOST_TEST(ErrorText(r) == row.text);
      BOOST_TEST(r.content_type == "application/json");
    }
  }
  BOOST_TEST(ErrorText(Query({{"query", "up + on() up"}})).find("many-to-many matching not allowed") != std::string::npos);
  // What has "parse error" in its text is not therefore one.
  const auto r = Query({{"query", "label_replace(up, \"\", \"\", \"\", \"\") # parse error: "}});
  BOOST_TEST(ErrorType(r) == "422 execution", r.body);

  const auto range = api.Handle(Get("/api/v1/query_range", {{"query", "up[1m]"}, {"start", "0"}, {"end", "1"}, {"step", "1"}}));
  BOOST_TEST(ErrorType(range) == "400 bad_data");
  BOOST_TEST(ErrorText(range) == "invalid parameter \"query\": invalid expression type \"range vector\" for range query, must be Scalar or instant Vector");
}

BOOST_FIXTURE_TEST_CASE(canceled_by_its_client, Fixture) {
  auto request = Get("/api/v1/query", {{"query", "up"}});
  request.canceled = std::make_shared<std::atomic<bool>>(true);
  const auto r = api.Handle(request);
  BOOST_TEST(ErrorType(r) == "499 canceled");
  BOOST_TEST(ErrorText(r).starts_with("query was canceled in "));
}

BOOST_FIXTURE_TEST_CASE(waiting_for_a_slot_counts, Fixture) {
  Metrics own;
  prom::api::QueryApiOptions options;
  options.max_concurrency = 0;
  prom::api::QueryApi full(source, options, clock, own);
  const auto r = full.Handle(Get("/api/v1/query", {{"query", "up"}, {"timeout", "5ms"}}));
  BOOST_TEST(ErrorType(r) == "503 timeout");
  BOOST_TEST(ErrorText(r) == "query timed out in query queue");
}

BOOST_FIXTURE_TEST_CASE(too_many_samples, Fixture) {
  Metrics own;
  prom::api::QueryApiOptions options;
  options.engine.max_samples = 10;
  prom::api::QueryApi small(source, options, clock, own);
  const auto r = small.Handle(Get("/api/v1/query_range", {{"query", "up"}, {"start", "0"}, {"end", "3600"}, {"step", "60"}}));
  BOOST_TEST(ErrorType(r) == "422 execution");
  BOOST_TEST(ErrorText(r).starts_with("query processing would load too many samples into memory in "), r.body);
}

BOOST_FIXTURE_TEST_CASE(store_not_there_yet, Fixture) {
  source.store.reset();
  for (const char* path : {"/api/v1/query?query=up", "/api/v1/labels", "/api/v1/label/job/values", "/api/v1/metadata"}) {
    auto request = Get(std::string(path).substr(0, std::string_view(path).find('?')), {{"query", "up"}});
    const auto r = api.Handle(request);
    BOOST_TEST_CONTEXT(path) BOOST_TEST(ErrorType(r) == "503 unavailable");
    BOOST_TEST(ErrorText(r) == "no data directory at data");
  }
}

BOOST_FIXTURE_TEST_CASE(eleven_thousand_points, Fixture) {
  const auto range = [&](const char* end) { return api.Handle(Get("/api/v1/query_range", {{"query", "time()"}, {"start", "0"}, {"end", end}, {"step", "1"}})); };
  BOOST_TEST(range("11000").status == 200);
  BOOST_TEST(testing::Json(range("11000")).Find("data")->Find("result")->items[0].Find("values")->items.size() == 11001u);  // both ends
  BOOST_TEST(ErrorType(range("11001")) == "400 bad_data");
  BOOST_TEST(ErrorText(range("11001")) == "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)");
  const auto ages = api.Handle(Get("/api/v1/query_range", {{"query", "time()"}, {"start", "-292273086-05-16T16:47:06Z"}, {"end", "292277025-08-18T07:12:54.999999999Z"}, {"step", "1"}}));
  BOOST_TEST(ErrorType(ages) == "400 bad_data");
}

BOOST_FIXTURE_TEST_CASE(limit_and_warnings, Fixture) {
  const auto cut = Query({{"query", "up"}, {"limit", "1"}});
  BOOST_TEST(cut.body.ends_with(",\"warnings\":[\"results truncated due to limit\"]}"), cut.body);
  BOOST_TEST(testing::Json(cut).Find("data")->Find("result")->items.size() == 1u);
  BOOST_TEST(Query({{"query", "up"}, {"limit", "2"}}).body.find("warnings") == std::string::npos);
  // At most ten of a kind, then their number.
  std::string many = "vector(0)";
  for (int i = 2; i < 14; ++i) many += " or quantile(" + std::to_string(i) + ", up)";
  const JsonValue warned = testing::Json(Query({{"query", many}}));
  BOOST_TEST_REQUIRE(warned.Find("warnings") != nullptr);
  BOOST_TEST(warned.Find("warnings")->items.size() == 11u);
  BOOST_TEST(warned.Find("warnings")->items.back().text == "2 more warning annotations omitted");
  const JsonValue informed = testing::Json(Query({{"query", "rate(up[5m])"}}));
  BOOST_TEST_REQUIRE(informed.Find("infos") != nullptr);
  BOOST_TEST(informed.Find("infos")->items.size() == 1u);
  BOOST_TEST(informed.Find("warnings") == nullptr);
}

BOOST_FIXTURE_TEST_CASE(statistics, Fixture) {
  BOOST_TEST(Query({{"query", "up"}}).body.find("stats") == std::string::npos);
  const JsonValue answer = testing::Json(Query({{"query", "up"}, {"stats", "true"}}));
  const JsonValue* stats = answer.Find("data")->Find("stats");
  BOOST_TEST_REQUIRE(stats != nullptr);
  for (const char* name : {"evalTotalTime", "resultSortTime", "queryPreparationTime", "innerEvalTime", "execQueueTime", "execTotalTime"})
    BOOST_TEST_CONTEXT(name) BOOST_TEST((stats->Find("timings")->Find(name) != nullptr));
  BOOST_TEST(stats->Find("samples")->NumberOr("samplesRead", 0) == 4);  // two series, at 0 and 60 s: both within the lookback
  BOOST_TEST(answer.Find("warnings") == nullptr);
  const JsonValue odd = testing::Json(Query({{"query", "up"}, {"stats", "1"}}));
  BOOST_TEST(odd.Find("warnings")->items[0].text ==
             "value \"1\" for parameter \"stats\" is deprecated and will be rejected in the next major release, use \"true\" or \"all\"");
}

BOOST_FIXTURE_TEST_CASE(lookback, Fixture) {
  source.Load("once 1");
  BOOST_TEST(Body("/api/v1/query", {{"query", "once"}, {"time", "299"}}).find("\"value\"") != std::string::npos);
  BOOST_TEST(Body("/api/v1/query", {{"query", "once"}, {"time", "300"}}).find("\"value\"") == std::string::npos);
  BOOST_TEST(Body("/api/v1/query", {{"query", "once"}, {"time", "300"}, {"lookback_delta", "10m"}}).find("\"value\"") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(series_and_labels, Fixture) {
  BOOST_TEST(Body("/api/v1/series", {{"match[]", "load"}}) == Envelope("[{\"__name__\":\"load\",\"host\":\"caf\xc3\xa9 \\\"x\\\"\"}]"));
  BOOST_TEST(ErrorText(api.Handle(Get("/api/v1/series"))) == "no match[] parameter provided");
  BOOST_TEST(ErrorText(api.Handle(Get("/api/v1/series", {{"match[]", "{a=\"\"}"}}))) == "invalid parameter \"match[]\": match[] must contain at least one non-empty matcher");
  BOOST_TEST(ErrorText(api.Handle(Get("/api/v1/labels", {{"match[]", "{a=\"\"}"}}))) == "match[] must contain at least one non-empty matcher");
  // Nothing lies between an end and a later start; upstream finds that no error.
  BOOST_TEST(Body("/api/v1/series", {{"match[]", "up"}, {"start", "10"}, {"end", "5"}}) == Envelope("[]"));
  BOOST_TEST(Body("/api/v1/labels", {{"start", "10"}, {"end", "5"}}) == Envelope("[]"));
  BOOST_TEST(Body("/api/v1/label/instance/values", {}) == Envelope("[\"a\",\"b\"]"));
  BOOST_TEST(Body("/api/v1/labels", {{"match[]", "up"}, {"match[]", "load"}}) == Envelope("[\"__name__\",\"host\",\"instance\",\"job\"]"));
}

BOOST_FIXTURE_TEST_CASE(label_names_in_paths, Fixture) {
  source.Load("m{\"a/b\"=\"1\",\"caf\xc3\xa9\"=\"2\",\"x y\"=\"3\"} 1");
  BOOST_TEST(Body("/api/v1/label/a%2Fb/values", {}) == Envelope("[\"1\"]"));
  BOOST_TEST(Body("/api/v1/label/caf%C3%A9/values", {}) == Envelope("[\"2\"]"));
  BOOST_TEST(Body("/api/v1/label/U__caf_e9_/values", {}) == Envelope("[\"2\"]"));
  BOOST_TEST(Body("/api/v1/label/x%20y/values", {}) == Envelope("[\"3\"]"));
  BOOST_TEST(ErrorText(api.Handle(Get("/api/v1/label/%FF/values"))) == "invalid label name: \"\\xff\"");
  BOOST_TEST(api.Handle(Get("/api/v1/label//values")).status == 404);
  BOOST_TEST(api.Handle(Post("/api/v1/label/job/values")).status == 405);
}

BOOST_FIXTURE_TEST_CASE(metadata, Fixture) {
  source.store->metadata = {{"a", {MetricType::kCounter, "A \"quoted\".", "seconds"}}, {"b", {MetricType::kUnknown, "", ""}}};
  const std::string a = "\"a\":[{\"type\":\"counter\",\"unit\":\"seconds\",\"help\":\"A \\\"quoted\\\".\"}]", b = "\"b\":[{\"type\":\"unknown\",\"unit\":\"\",\"help\":\"\"}]";
  BOOST_TEST(Body("/api/v1/metadata", {}) == Envelope("{" + a + "," + b + "}"));
  BOOST_TEST(Body("/api/v1/metadata", {{"limit", "1"}}) == Envelope("{" + a + "}"));
  BOOST_TEST(Body("/api/v1/metadata", {{"limit", "0"}}) == Envelope("{}"));
  BOOST_TEST(Body("/api/v1/metadata", {{"limit", "-1"}, {"limit_per_metric", "1"}}) == Envelope("{" + a + "," + b + "}"));
  BOOST_TEST(Body("/api/v1/metadata", {{"metric", "b"}}) == Envelope("{" + b + "}"));
  BOOST_TEST(Body("/api/v1/metadata", {{"metric", "c"}}) == Envelope("{}"));
  BOOST_TEST(ErrorText(api.Handle(Get("/api/v1/metadata", {{"limit", "x"}}))) == "limit must be a number");
  BOOST_TEST(ErrorText(api.Handle(Get("/api/v1/metadata", {{"limit_per_metric", "x"}}))) == "limit_per_metric must be a number");
}

BOOST_FIXTURE_TEST_CASE(routes, Fixture) {
  BOOST_TEST(api.Handle(Get("/api/v1/nonsense")).status == 404);
  BOOST_TEST(api.Handle(Get("/api/v1/")).status == 404);
  BOOST_TEST(api.Handle(Get("/api/v2/query")).status == 404);
  BOOST_TEST(api.Handle(Post("/api/v1/metadata")).status == 405);
  auto request = Get("/api/v1/query", {{"query", "1"}});
  request.method = "DELETE";
  BOOST_TEST(api.Handle(request).status == 405);
  request.method = "OPTIONS";
  BOOST_TEST(api.Handle(request).status == 204);
  request.method = "GET";
  request.query = "query=%zz";
  BOOST_TEST(ErrorType(api.Handle(request)) == "400 bad_data");
  // A parameter in the URL of a POST counts; the body comes first.
  auto posted = Post("/api/v1/query", {{"query", "1"}});
  posted.query = "query=2&time=5";
  BOOST_TEST(testing::Json(api.Handle(posted)).Find("data")->Find("result")->items[0].text == "5");
}

BOOST_FIXTURE_TEST_CASE(format_and_buildinfo, Fixture) {
  BOOST_TEST(Body("/api/v1/format_query", {{"query", "sum(rate(foo[5m]))by(job)"}}) == Envelope("\"sum by (job) (rate(foo[5m]))\""));
  const JsonValue build = testing::Json(api.Handle(Get("/api/v1/status/buildinfo")));
  for (const char* name : {"version", "revision", "branch", "buildUser", "buildDate", "goVersion"}) BOOST_TEST_CONTEXT(name) BOOST_TEST((build.Find("data")->Find(name) != nullptr));
}
