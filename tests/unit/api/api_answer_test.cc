#include "api/api_answer.h"

#include <boost/test/unit_test.hpp>

#include "../../testing.h"
#include "promql/result_json.h"

using namespace prom;
using namespace prom::api;

namespace {
std::string Success(const std::string& data) { return "{\"status\":\"success\",\"data\":" + data + "}"; }
}  // namespace

// What is read and printed again is what came: the CLI's JSON is the server's.
BOOST_AUTO_TEST_CASE(answers_go_round) {
  for (const char* data : {
           R"({"resultType":"vector","result":[]})",
           R"({"resultType":"vector","result":[{"metric":{"__name__":"up","job":"caf\u00e9"},"value":[1767226200,"1"]},{"metric":{},"value":[1.500,"NaN"]}]})",
           R"({"resultType":"matrix","result":[{"metric":{"a":"x\ty\"\\"},"values":[[1,"1"],[2,"+Inf"],[3.001,"1e+30"]]}]})",
           R"({"resultType":"scalar","result":[5,"10"]})",
           R"({"resultType":"string","result":[5,"te\u0001xt"]})",
           // Schema 3, with a zero bucket and negative ones; schema 0; custom bounds; no bucket.
           R"({"resultType":"vector","result":[{"metric":{},"histogram":[1,{"count":"7","sum":"2.5","buckets":[[1,"-1.0905077326652577","-1","2"],[3,"-0.001","0.001","1"],[0,"1","1.0905077326652577","3"],[0,"2","2.1810154653305154","1"]]}]}]})",
           R"({"resultType":"matrix","result":[{"metric":{},"histograms":[[1,{"count":"3","sum":"2","buckets":[[0,"1","2","3"]]}]]}]})",
           R"({"resultType":"vector","result":[{"metric":{},"histogram":[1,{"count":"6","sum":"9","buckets":[[3,"-Inf","0.1","1"],[0,"0.1","0.25","2"],[0,"0.25","+Inf","3"]]}]}]})",
           R"({"resultType":"vector","result":[{"metric":{},"histogram":[1,{"count":"0","sum":"0"}]}]})",
       }) {
    BOOST_TEST_CONTEXT(data) {
      auto got = ReadQueryAnswer(Success(data));
      BOOST_TEST_REQUIRE(bool(got), (got ? "" : got.error().message));
      auto again = [](const promql::QueryResult& r) {
        std::string out;
        promql::AppendResultJson(&out, r);
        return out;
      };
      const std::string first = again(*got);
      auto second = ReadQueryAnswer(Success(first));
      BOOST_TEST_REQUIRE(bool(second));
      BOOST_TEST(again(*second) == first);
      // Escapes have one spelling here and several elsewhere.
      if (std::string_view(data).find("\\u") == std::string_view::npos) BOOST_TEST(first == data);
    }
  }
}

BOOST_AUTO_TEST_CASE(notes_of_an_answer) {
  auto got = ReadQueryAnswer(R"({"status":"success","data":{"resultType":"vector","result":[],"stats":{"timings":{"innerEvalTime":0.002},"samples":{"totalQueryableSamples":41,"peakSamples":5}}},"warnings":["w"],"infos":["i1","i2"],"new":1})");
  BOOST_TEST_REQUIRE(bool(got));
  BOOST_TEST(got->warnings.size() == 1u);
  BOOST_TEST(got->infos.size() == 2u);
  BOOST_TEST(got->stats.samples_read == 41);
  BOOST_TEST(got->stats.eval_us == 2000);
}

BOOST_AUTO_TEST_CASE(bad_answers) {
  struct Row { const char* json; Errc code; const char* want; };
  static const Row kRows[] = {
      {"", Errc::kCorrupt, "no JSON"},
      {"<html>", Errc::kCorrupt, "no JSON"},
      {"{\"status\":\"success\"", Errc::kCorrupt, "no JSON"},
      {"[]", Errc::kCorrupt, "no \"status\""},
      {R"({"status":"maybe"})", Errc::kCorrupt, "\"status\" is \"maybe\""},
      {R"({"status":"success"})", Errc::kCorrupt, "no \"data\""},
      {R"({"status":"success","data":{"resultType":"vector"}})", Errc::kCorrupt, "no \"resultType\" or \"result\""},
      {R"({"status":"success","data":{"resultType":"table","result":[]}})", Errc::kCorrupt, "a result of type \"table\""},
      {R"({"status":"success","data":{"resultType":"vector","result":[{"value":[1,"2"]}]}})", Errc::kCorrupt, "without \"metric\""},
      {R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":1},"value":[1,"2"]}]}})", Errc::kCorrupt, "is no string"},
      {R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,2]}]}})", Errc::kCorrupt, "no number in a string"},
      {R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":["1","2"]}]}})", Errc::kCorrupt, "no number of seconds"},
      {R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1e300,"2"]}]}})", Errc::kCorrupt, "no number of seconds"},
      {R"({"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[2,"2"],[1,"2"]]}]}})", Errc::kCorrupt, "not in order"},
      {R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{},"histogram":[1,{"count":"1","sum":"1","buckets":[[0,"1","2"]]}]}]}})", Errc::kCorrupt, "a bucket is not"},
      {R"({"status":"error","errorType":"bad_data","error":"1:4: parse error"})", Errc::kInvalid, "1:4: parse error"},
      {R"({"status":"error","errorType":"timeout","error":"query timed out"})", Errc::kTimeout, "query timed out"},
      {R"({"status":"error"})", Errc::kInternal, "reports an error"},
  };
  for (const Row& row : kRows) {
    BOOST_TEST_CONTEXT(row.json) {
      auto got = ReadQueryAnswer(row.json);
      BOOST_TEST_REQUIRE(!got);
      BOOST_TEST((got.error().code == row.code));
      BOOST_TEST(got.error().message.find(row.want) != std::string::npos, got.error().message);
    }
  }
  // Deeper than any answer is.
  BOOST_TEST(!ReadQueryAnswer("{\"status\":\"success\",\"data\":" + std::string(100'000, '[') + std::string(100'000, ']') + "}"));
}

BOOST_AUTO_TEST_CASE(lookup_answers) {
  BOOST_TEST((*ReadStringsAnswer(Success(R"(["b","a"])")) == std::vector<std::string>{"a", "b"}));
  BOOST_TEST(ReadStringsAnswer(Success("null"))->empty());
  BOOST_TEST(!ReadStringsAnswer(Success("[1]")));
  auto series = ReadSeriesAnswer(Success(R"([{"__name__":"up","job":"b"},{"__name__":"up","job":"a"}])"));
  BOOST_TEST_REQUIRE(bool(series));
  BOOST_TEST((*series)[0].ToSeries() == "up{job=\"a\"}");
  auto metadata = ReadMetadataAnswer(Success(R"({"up":[{"type":"gauge","help":"h","unit":""}],"a":[{"type":"counter"},{"type":"gauge"}],"none":[]})"));
  BOOST_TEST_REQUIRE(bool(metadata));
  BOOST_TEST_REQUIRE(metadata->size() == 2u);
  BOOST_TEST((*metadata)[0].first == "a");
  BOOST_TEST(((*metadata)[0].second.type == MetricType::kCounter));
  BOOST_TEST((*metadata)[1].second.help == "h");
}
