#include <boost/test/unit_test.hpp>

#include "yaml/writer.h"
#include "yaml/yaml.h"

using namespace prom;

BOOST_AUTO_TEST_CASE(layout) {
  std::string text;
  yaml::Writer w(&text);
  w.BeginMap();
  w.Key("empty").BeginMap().EndMap();
  w.Key("none").BeginList().EndList();
  w.Key("jobs").BeginList();
  w.BeginMap().Field("name", "a").Strings("list", {"x", "z"}).EndMap();
  w.BeginMap().Key("sub").BeginMap().Key("one").Int(1).EndMap().Key("b").Bool(true).EndMap();
  w.BeginList().String("p").String("q").EndList();
  w.BeginMap().EndMap();
  w.EndList();
  w.Key("secret").Secret(Secret("hidden"));
  w.EndMap();
  BOOST_TEST(text ==
             "empty: {}\n"
             "none: []\n"
             "jobs:\n"
             "- name: a\n"
             "  list:\n"
             "  - x\n"
             "  - z\n"
             "- sub:\n"
             "    one: 1\n"
             "  b: true\n"
             "- - p\n"
             "  - q\n"
             "- {}\n"
             "secret: <secret>\n");
}

// Whatever the string, it reads back as that string.
BOOST_AUTO_TEST_CASE(strings_read_back) {
  std::vector<std::string> strings = {"", " ", "a", "a b", " a", "a ", "a: b", "a:b", "a:", ":", ":a", "-", "- a", "-a", "---", "--- a", "...", "?", "? a", "#", "a #b", "a#b", "'", "a'b", "\"", "\\",
                                      "yes", "no", "y", "null", "~", "12", "-3", "0x1f", "1e3", ".5", ".inf", "1_000", "2001-01-01", "12:30", "<<", "<", "<a>", "=", "*a", "&a", "!a", "|", ">", "%a", "@a", "`a",
                                      "[a]", "{a}", "a, b", "a,b", ",", "]", "}", "{{ $x }}", "$1", "(.*)", "a\nb", "a\n", "\n", "\t", "a\tb", "\r\n", "\x01", "\x7f", "\xc2\x85", "\xe2\x80\xa8", "\xef\xbb\xbf", "\xef\xbf\xbe", "\xef\xbf\xbf", "é",
                                      "測試", "\xf0\x9f\x98\x80", "\xff", "\xff\xfe", "label:([^=]+)=([^,]+)", "multiline\nmysecret\ntest", "key: 'v' #c", "0", "0123", "08", "+1", "true", "TRUE", "NaN", ".nan"};
  for (int c = 0; c < 128; ++c) strings.push_back(std::string(1, static_cast<char>(c)) + "x");
  for (int c = 0; c < 128; ++c) strings.push_back("x" + std::string(1, static_cast<char>(c)));
  for (const auto& s : strings) {
    BOOST_TEST_CONTEXT("string=" << yaml::QuoteScalar(s)) {
      std::string text;
      yaml::Writer w(&text);
      w.BeginMap().Field(s, s).Key("l").BeginList().String(s).EndList().EndMap();
      auto doc = yaml::Document::Parse(text, "f");
      BOOST_TEST_REQUIRE(bool(doc), (doc ? "" : doc.error().message));
      std::string key, value, item;
      const auto entries = doc->root().entries();
      BOOST_TEST_REQUIRE(bool(Decode(entries.at(0).first, &key)));
      BOOST_TEST_REQUIRE(bool(Decode(entries.at(0).second, &value)));
      BOOST_TEST_REQUIRE(bool(Decode(entries.at(1).second.items().at(0), &item)));
      BOOST_TEST(key == s);
      BOOST_TEST(value == s);
      BOOST_TEST(item == s);
      // And as a string: what looks like a number or a bool is quoted.
      BOOST_TEST(bool(entries.at(0).second.Resolve()->type == yaml::Scalar::Type::kString || entries.at(0).second.Resolve()->type == yaml::Scalar::Type::kBinary));
    }
  }
}
