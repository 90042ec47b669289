#include "base/number.h"

#include <boost/test/unit_test.hpp>

#include <bit>
#include <cmath>
#include <limits>

using namespace prom;

BOOST_AUTO_TEST_CASE(parse_float_takes_what_go_takes) {
  struct Row { const char* in; double want; };
  static const Row kOk[] = {{"0", 0}, {"-1.5", -1.5}, {"+3", 3}, {"1e3", 1000}, {".5", 0.5}, {"5.", 5}, {"0x1p4", 16}, {"-0X1P-1", -0.5},
                            {"Inf", INFINITY}, {"+inf", INFINITY}, {"-Infinity", -INFINITY}, {"1e-400", 0}, {"4.9e-324", 4.9e-324}};
  for (const auto& row : kOk) BOOST_TEST_CONTEXT("in=" << row.in) {
      const auto got = ParseFloat(row.in);
      BOOST_TEST_REQUIRE(got.has_value());
      BOOST_TEST(*got == row.want);
    }
  for (const char* in : {"", "+", "1e400", "--1", "+-1", "1x", "0x", "0x1", "-nan", "infx", " 1", "1 ", "1_000"})
    BOOST_TEST_CONTEXT("in=" << in) BOOST_TEST(!ParseFloat(in).has_value());
  BOOST_TEST(std::bit_cast<std::uint64_t>(*ParseFloat("NaN")) == kNormalNanBits);
  BOOST_TEST(std::signbit(*ParseFloat("-0")));
}

// Expected texts: strconv.FormatFloat(v, 'f'|'g', -1, 64), and encoding of the HTTP API (reference 4.4 no. 35).
BOOST_AUTO_TEST_CASE(format_float) {
  struct Row { double v; const char* f; const char* g; const char* json; };
  static const Row kRows[] = {{0, "0", "0", "0"}, {-0.0, "-0", "-0", "-0"}, {1, "1", "1", "1"}, {1.5, "1.5", "1.5", "1.5"},
                              {100000, "100000", "100000", "100000"}, {1e6, "1000000", "1e+06", "1000000"},
                              {3831959552, "3831959552", "3.831959552e+09", "3831959552"}, {1e21, "1000000000000000000000", "1e+21", "1e+21"},
                              {1e20, "100000000000000000000", "1e+20", "100000000000000000000"}, {0.0001, "0.0001", "0.0001", "0.0001"},
                              {0.00001, "0.00001", "1e-05", "0.00001"}, {1e-7, "0.0000001", "1e-07", "1e-07"},
                              {9007199254740992, "9007199254740992", "9.007199254740992e+15", "9007199254740992"},
                              {9223372036854775808.0, "9223372036854776000", "9.223372036854776e+18", "9223372036854776000"},
                              {-1e20, "-100000000000000000000", "-1e+20", "-100000000000000000000"}, {1e23, "100000000000000000000000", "1e+23", "1e+23"},
                              {0.1, "0.1", "0.1", "0.1"}, {INFINITY, "+Inf", "+Inf", "+Inf"}, {-INFINITY, "-Inf", "-Inf", "-Inf"}, {NAN, "NaN", "NaN", "NaN"}};
  for (const auto& row : kRows) BOOST_TEST_CONTEXT("v=" << row.v) {
      BOOST_TEST(FormatFloatF(row.v) == row.f);
      BOOST_TEST(FormatFloatG(row.v) == row.g);
      BOOST_TEST(FormatFloatJson(row.v) == row.json);
    }
  BOOST_TEST(FormatFloatF(std::numeric_limits<double>::max()).size() == 309u);
  BOOST_TEST(FormatFloatF(-std::numeric_limits<double>::denorm_min()).size() <= static_cast<std::size_t>(kMaxFloatText));
}

BOOST_AUTO_TEST_CASE(millis_as_seconds) {
  const auto text = [](std::int64_t ms) {
    char buffer[32];
    return std::string(buffer, WriteMillisAsSeconds(buffer, ms));
  };
  BOOST_TEST(text(0) == "0");
  BOOST_TEST(text(1500) == "1.500");
  BOOST_TEST(text(-1) == "-0.001");
  BOOST_TEST(text(1700000000123) == "1700000000.123");
  BOOST_TEST(text(std::numeric_limits<std::int64_t>::min()) == "-9223372036854775.808");
}
