#include "promql/result_json.h"

#include <boost/test/unit_test.hpp>

#include <bit>
#include <charconv>
#include <cmath>
#include <random>

#include "base/number.h"

using namespace prom;
using namespace prom::promql;

namespace {

std::string SampleJson(ValueType type, std::int64_t t_ms, double v) {
  QueryResult r;
  r.type = type;
  r.t_ms = t_ms;
  r.series.push_back({{}, {{t_ms, v}}, {}});
  std::string out;
  AppendResultJson(&out, r);
  // {"resultType":"scalar","result":[..]} or {"resultType":"vector","result":[{"metric":{},"value":[..]}]}
  const bool vector = type == ValueType::kVector;
  const std::size_t begin = vector ? out.find("\"value\":[") + 8 : out.find('[');
  return out.substr(begin, out.size() - begin - (vector ? 3 : 1));
}
std::string ScalarJson(std::int64_t t_ms, double v) { return SampleJson(ValueType::kScalar, t_ms, v); }
std::string Value(double v) {
  const std::string json = SampleJson(ValueType::kVector, 0, v);
  return json.substr(4, json.size() - 6);  // [0,"..."]
}

// The digits of the shortest decimal that reads back as v, as the standard library finds it.
std::string Shortest(double v) {
  char text[64];
  std::string digits(text, std::to_chars(text, text + sizeof text, v, std::chars_format::scientific).ptr);
  return digits;
}

}  // namespace

// Spelling of strconv.FormatFloat(v, 'f' or 'e', -1, 64): exponent only below 1e-6 and from 1e21 on.
BOOST_AUTO_TEST_CASE(values) {
  struct Row { double v; const char* want; };
  static const Row kRows[] = {{0, "0"}, {-0.0, "-0"}, {1, "1"}, {-1, "-1"}, {0.1, "0.1"}, {0.1 + 0.2, "0.30000000000000004"}, {100, "100"}, {1e6, "1000000"}, {1e15, "1000000000000000"},
                              {1e20, "100000000000000000000"}, {123456789012345680000.0, "123456789012345680000"}, {1e21, "1e+21"}, {1.5e300, "1.5e+300"}, {1e-6, "0.000001"},
                              {9.9e-7, "9.9e-07"}, {1e-7, "1e-07"}, {5e-324, "5e-324"}, {1.7976931348623157e308, "1.7976931348623157e+308"}, {12.5, "12.5"}, {-12.345, "-12.345"},
                              {1234.000001, "1234.000001"}, {999999999999.999, "999999999999.999"}, {0.001, "0.001"}, {0.1234567, "0.1234567"}, {1.0 / 3, "0.3333333333333333"},
                              {9007199254740993.0, "9007199254740992"}, {NAN, "NaN"}, {INFINITY, "+Inf"}, {-INFINITY, "-Inf"}};
  for (const Row& row : kRows) BOOST_TEST_CONTEXT(row.want) BOOST_TEST(Value(row.v) == row.want);
}

// Names and values that are plain text, and ones that are not, at every place of the set.
BOOST_AUTO_TEST_CASE(label_sets) {
  const auto json = [](const Labels& labels) {
    std::string out = "x";
    AppendLabelsJson(&out, labels);
    return out.substr(1);
  };
  const std::string long_text(300, 'l');
  BOOST_TEST(json({}) == "{}");
  BOOST_TEST(json({{"a", "b"}}) == R"({"a":"b"})");
  BOOST_TEST(json({{"__name__", "up"}, {"a", long_text}, {"z", "1"}}) == R"({"__name__":"up","a":")" + long_text + R"(","z":"1"})");
  BOOST_TEST(json({{"a", "\"1\""}, {"b", "2"}, {"c", "3"}}) == R"({"a":"\"1\"","b":"2","c":"3"})");
  BOOST_TEST(json({{"a", "1"}, {"b", "\u00e9"}, {"c", "3"}}) == "{\"a\":\"1\",\"b\":\"\u00e9\",\"c\":\"3\"}");
  BOOST_TEST(json({{"a", "1"}, {"b", "2"}, {"\\c\n", "3"}}) == R"({"\\c\n":"3","a":"1","b":"2"})");
  BOOST_TEST(json({{"a", "1"}, {"b", std::string(40, '\x01')}}).size() == 2 + 8 + 3 + 1 + 2 + 6 * 40);
}

// Scalars are spelled with 'f' alone: never an exponent. Seen in Debian's prometheus 2.42.
BOOST_AUTO_TEST_CASE(scalars) {
  BOOST_TEST(ScalarJson(0, 1e21) == "[0,\"1000000000000000000000\"]");
  BOOST_TEST(ScalarJson(0, 1e-7) == "[0,\"0.0000001\"]");
  BOOST_TEST(ScalarJson(0, INFINITY) == "[0,\"+Inf\"]");
}

BOOST_AUTO_TEST_CASE(times) {
  struct Row { std::int64_t t; const char* want; };
  static const Row kRows[] = {{0, "0"}, {1500, "1.500"}, {1, "0.001"}, {2000, "2"}, {1'700'000'000'120, "1700000000.120"}, {-1, "-0.001"}, {-1500, "-1.500"}};
  for (const Row& row : kRows) BOOST_TEST_CONTEXT(row.want) BOOST_TEST(ScalarJson(row.t, 1) == "[" + std::string(row.want) + ",\"1\"]");
}

// Every text reads back as the same bits and has as many digits as the shortest.
BOOST_AUTO_TEST_CASE(round_trip) {
  std::mt19937_64 random(7);
  const auto check = [](double v) {
    const std::string text = Value(v);
    const auto back = ParseFloat(text);
    if (!back || std::bit_cast<std::uint64_t>(*back) != std::bit_cast<std::uint64_t>(v)) BOOST_FAIL(text << " is not " << Shortest(v));
    const auto digits = [](std::string s) {
      s = s.substr(0, s.find('e'));
      std::erase_if(s, [](char c) { return c < '0' || c > '9'; });
      s.erase(0, std::min(s.find_first_not_of('0'), s.size()));
      while (!s.empty() && s.back() == '0') s.pop_back();
      return s;
    };
    if (digits(text) != digits(Shortest(v))) BOOST_FAIL(text << " is not as short as " << Shortest(v));
  };
  for (int i = 0; i < 200'000; ++i) {
    const double whole = static_cast<double>(random() % 1'000'000'000'000'000);
    for (double scale : {10.0, 1000.0, 1e4, 1e6, 1e7}) check(whole / scale);
    const double small = static_cast<double>(random() % 100'000) / 100;
    check(small);
    check(std::nextafter(small, 1e9));
    const double any = std::bit_cast<double>(random());
    if (std::isfinite(any)) check(any);
  }
}
