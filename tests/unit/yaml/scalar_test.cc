// Scalars by go-yaml v2's rules: expected values read off resolve.go and decode.go.
#include <boost/test/unit_test.hpp>

#include <limits>

#include "yaml/yaml.h"

using namespace prom;
using yaml::Document;

namespace {

// Decodes `text` as the value of a key; the error text when it is not a T.
template <typename T>
std::pair<T, std::string> Read(const std::string& text) {
  auto doc = Document::Parse("k: " + text + "\n", "f");
  BOOST_TEST_REQUIRE(bool(doc), (doc ? "" : doc.error().message));
  T out{};
  auto done = Decode(doc->root().entries()[0].second, &out);
  return {out, done ? "" : done.error().message};
}

}  // namespace

BOOST_AUTO_TEST_CASE(booleans) {
  for (const char* yes : {"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON", "!!bool yes"})
    BOOST_TEST_CONTEXT(yes) {
      BOOST_TEST(Read<bool>(yes).first);
      BOOST_TEST(Read<bool>(yes).second == "");
    }
  for (const char* no : {"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF", "", "~"})
    BOOST_TEST_CONTEXT(no) {
      BOOST_TEST(!Read<bool>(no).first);
      BOOST_TEST(Read<bool>(no).second == "");
    }
  BOOST_TEST(Read<bool>("maybe").second == "f:1:4: yaml: unmarshal errors: cannot unmarshal !!str `maybe` into bool");
  BOOST_TEST(Read<bool>("'yes'").second == "f:1:4: yaml: unmarshal errors: cannot unmarshal !!str `yes` into bool");
  BOOST_TEST(Read<bool>("1").second == "f:1:4: yaml: unmarshal errors: cannot unmarshal !!int `1` into bool");
  BOOST_TEST(Read<bool>("yEs").second != "");
}

BOOST_AUTO_TEST_CASE(integers) {
  struct Row {
    const char* text;
    std::int64_t want;
  };
  const Row rows[] = {{"0", 0}, {"42", 42}, {"-7", -7}, {"+7", 7}, {"0x1F", 31}, {"0o17", 15}, {"017", 15}, {"08", 8} /* no octal, so a float */, {"0b101", 5}, {"-0b101", -5}, {"1_000", 1000},
                      {"1e3", 1000}, {"2.9", 2}, {"9223372036854775807", std::numeric_limits<std::int64_t>::max()},
                      {"-9223372036854775808", std::numeric_limits<std::int64_t>::min()}, {"", 0}, {"null", 0}};
  for (const auto& row : rows)
    BOOST_TEST_CONTEXT(row.text) {
      BOOST_TEST(Read<std::int64_t>(row.text).second == "");
      BOOST_TEST(Read<std::int64_t>(row.text).first == row.want);
    }
  for (const char* bad : {"9223372036854775808", "1e300", ".nan", "0x", "1:30", "12a", "'12'", "[1]", "{a: 1}", "true"})
    BOOST_TEST_CONTEXT(bad) BOOST_TEST(Read<std::int64_t>(bad).second != "");
  BOOST_TEST(Read<int>("2147483647").second == "");
  BOOST_TEST(Read<int>("21474836480").second == "f:1:4: yaml: unmarshal errors: cannot unmarshal !!int `2147483...` into int");
  BOOST_TEST(Read<std::uint64_t>("18446744073709551615").first == std::numeric_limits<std::uint64_t>::max());
  BOOST_TEST(Read<std::uint64_t>("-1").second == "f:1:4: yaml: unmarshal errors: cannot unmarshal !!int `-1` into uint");
}

BOOST_AUTO_TEST_CASE(floats) {
  BOOST_TEST(Read<double>("1.5").first == 1.5);
  BOOST_TEST(Read<double>(".5").first == 0.5);
  BOOST_TEST(Read<double>("1e-3").first == 0.001);
  BOOST_TEST(Read<double>("3").first == 3);
  BOOST_TEST(Read<double>(".inf").first == std::numeric_limits<double>::infinity());
  BOOST_TEST(Read<double>("-.INF").first == -std::numeric_limits<double>::infinity());
  BOOST_TEST(Read<double>(".nan").first != Read<double>(".nan").first);
  BOOST_TEST(Read<double>("inf").second != "");  // a string without the dot
  BOOST_TEST(Read<double>("1.2.3").second != "");
  BOOST_TEST(Read<double>("!!float 3").first == 3);
}

BOOST_AUTO_TEST_CASE(strings) {
  struct Row {
    const char* text;
    std::string want;
  };
  const Row rows[] = {{"x", "x"}, {"yes", "yes"}, {"12", "12"}, {"0x1F", "0x1F"}, {"1.50", "1.50"}, {"2001-01-01", "2001-01-01"}, {"''", ""}, {"null", ""},
                      {"~", ""}, {"'null'", "null"}, {"\"a\\nb\"", "a\nb"}, {"!!binary aGk=", "hi"}, {"!!binary \"/w==\"", "\xff"}, {"!!str 12", "12"}};
  for (const auto& row : rows)
    BOOST_TEST_CONTEXT(row.text) {
      BOOST_TEST(Read<std::string>(row.text).second == "");
      BOOST_TEST(Read<std::string>(row.text).first == row.want);
    }
  BOOST_TEST(Read<std::string>("[a]").second == "f:1:4: yaml: unmarshal errors: cannot unmarshal !!seq into string");
  BOOST_TEST(Read<std::string>("{a: b}").second == "f:1:4: yaml: unmarshal errors: cannot unmarshal !!map into string");
  for (const char* bad : {"!!binary \"/w==$1\"", "!!binary a", "!!binary aGk", "!!binary a===", "!!binary =aGk"})
    BOOST_TEST_CONTEXT(bad) BOOST_TEST(Read<std::string>(bad).second == "f:1:4: yaml: !!binary value contains invalid base64 data");
  BOOST_TEST(Read<std::string>("!!int abc").second == "f:1:4: yaml: cannot decode !!str `abc` as a !!int");
}

BOOST_AUTO_TEST_CASE(lists) {
  using Strings = std::vector<std::string>;
  BOOST_TEST(Read<Strings>("[a, 1, ~]").first == (Strings{"a", "1", ""}), boost::test_tools::per_element());
  BOOST_TEST(Read<Strings>("").second == "");
  BOOST_TEST(Read<Strings>("a").second == "f:1:4: yaml: unmarshal errors: cannot unmarshal !!str `a` into []string");
  BOOST_TEST(Read<Strings>("[[a]]").second == "f:1:5: yaml: unmarshal errors: cannot unmarshal !!seq into string");
}

BOOST_AUTO_TEST_CASE(sizes) {
  struct Row {
    const char* text;
    std::int64_t want;
  };
  const Row rows[] = {{"0", 0}, {"1B", 1}, {"1KB", 1024}, {"1KiB", 1024}, {"15MB", 15 << 20}, {"1.5GiB", 1610612736}, {"1GB512MB", 1610612736}, {"-1GB", -1073741824}, {"1EB", 1ll << 60}};
  for (const auto& row : rows)
    BOOST_TEST_CONTEXT(row.text) {
      auto got = yaml::ParseSize(row.text);
      BOOST_TEST_REQUIRE(bool(got));
      BOOST_TEST(*got == row.want);
    }
  for (const char* bad : {"", "100", "1kB", "KB", "1X", "8EB", "1.GB.", "99999999999999999999B", "+", "1GB1"})
    BOOST_TEST_CONTEXT(bad) BOOST_TEST(!yaml::ParseSize(bad));
  BOOST_TEST(yaml::ParseSize("100").error().message == "units: unknown unit  in 100");
  BOOST_TEST(yaml::FormatSize(0) == "0B");
  BOOST_TEST(yaml::FormatSize(1536ll << 20) == "1GiB512MiB");
  BOOST_TEST(yaml::FormatSize(-5) == "-5B");
}
