#include <boost/test/unit_test.hpp>

#include "yaml/yaml.h"

using namespace prom;
using yaml::Document;

namespace {

struct Point {
  int x = 1, y = 2;
  std::string name;
};

Result<void> Decode(const yaml::Node& node, Point* out) {
  yaml::Mapping m(node, "test.Point");
  m.Field("x", &out->x);
  m.Field("y", &out->y);
  m.Field("name", &out->name);
  return m.Finish();
}

std::pair<Point, std::string> Read(const std::string& text) {
  auto doc = Document::Parse(text, "f.yml");
  BOOST_TEST_REQUIRE(bool(doc), (doc ? "" : doc.error().message));
  Point p;
  auto done = Decode(doc->root(), &p);
  return {p, done ? "" : done.error().message};
}

}  // namespace

BOOST_AUTO_TEST_CASE(known_keys) {
  const auto [p, error] = Read("x: 5\nname: n\n");
  BOOST_TEST(error == "");
  BOOST_TEST(p.x == 5);
  BOOST_TEST(p.y == 2);  // absent: untouched
  BOOST_TEST(Read("").second == "");
  BOOST_TEST(Read("x:\n").first.x == 0);  // null is the zero value
}

BOOST_AUTO_TEST_CASE(strictness) {
  BOOST_TEST(Read("x: 1\nz: 2\n").second == "f.yml:2:1: yaml: unmarshal errors: field z not found in type test.Point");
  BOOST_TEST(Read("x: 1\ny: 3\nx: 2\n").second == "f.yml:3:1: yaml: unmarshal errors: field x already set in type test.Point");
  BOOST_TEST(Read("x: a\n").second == "f.yml:1:4: yaml: unmarshal errors: cannot unmarshal !!str `a` into int");
  BOOST_TEST(Read("[1]\n").second == "f.yml:1:1: yaml: unmarshal errors: cannot unmarshal !!seq into test.Point");
  BOOST_TEST(Read("12345678901234\n").second == "f.yml:1:1: yaml: unmarshal errors: cannot unmarshal !!int `1234567...` into test.Point");
  BOOST_TEST(Read("[a]: 1\n").second == "f.yml:1:1: yaml: unmarshal errors: cannot unmarshal !!seq into string");
}

BOOST_AUTO_TEST_CASE(merge_keys) {
  const auto read = [](const std::string& merge) {
    auto doc = Document::Parse("base: &b {x: 7, y: 8}\nother: &o {y: 9, name: o}\np:\n" + merge, "f.yml");
    BOOST_TEST_REQUIRE(bool(doc));
    Point p;
    auto done = Decode(doc->root().entries()[2].second, &p);
    return std::pair<Point, std::string>{p, done ? "" : done.error().message};
  };
  BOOST_TEST(read("  <<: *b\n  x: 1\n").first.x == 1);
  BOOST_TEST(read("  <<: *b\n  x: 1\n").first.y == 8);
  BOOST_TEST(read("  <<: [*b, *o]\n").first.y == 8);  // earlier ones win
  BOOST_TEST(read("  <<: [*b, *o]\n").first.name == "o");
  BOOST_TEST(read("  <<: 3\n").second == "f.yml:4:7: yaml: map merge requires map or sequence of maps as the value");
  BOOST_TEST(read("  <<: {q: 1}\n").second.find("field q not found in type test.Point") != std::string::npos);
  BOOST_TEST(read("  '<<': *b\n").second.find("field << not found") != std::string::npos);  // quoted: an ordinary key
}

BOOST_AUTO_TEST_CASE(maps) {
  auto doc = Document::Parse("a: 1\nb: x\na: 2\n", "f");
  std::map<std::string, std::string> map;
  auto done = yaml::Decode(doc->root(), &map);
  BOOST_TEST_REQUIRE(!done);
  BOOST_TEST(done.error().message == "f:3:1: yaml: unmarshal errors: key \"a\" already set in map");
}

// Quadratic lookups would take minutes here.
BOOST_AUTO_TEST_CASE(many_keys) {
  std::string text;
  for (int i = 0; i < 50'000; ++i) text += "k" + std::to_string(i) + ": v\n";
  BOOST_TEST(Read(text).second == "f.yml:1:1: yaml: unmarshal errors: field k0 not found in type test.Point");
}
