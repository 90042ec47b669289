#include "model/labels.h"

#include <boost/test/unit_test.hpp>

#include "base/hash.h"

using namespace prom;

BOOST_AUTO_TEST_CASE(labels_sort_and_drop_empty) {
  const Labels l{{"b", "2"}, {"a", "1"}, {"c", ""}, {"b", "3"}};
  BOOST_TEST(l.ToString() == "{a=\"1\", b=\"3\"}");
  BOOST_TEST(l.size() == 2u);
  BOOST_TEST(l.Get("b") == "3");
  BOOST_TEST(l.Get("zz") == "");
  // Length-prefixed name and value in order: upstream's layout, so its hash.
  BOOST_TEST(l.bytes() == std::string("\x01" "a" "\x01" "1" "\x01" "b" "\x01" "3"));
  BOOST_TEST(l.Hash() == XxHash64(l.bytes()));
}

BOOST_AUTO_TEST_CASE(labels_order) {
  const Labels rows[] = {{}, {{"a", "1"}}, {{"a", "1"}, {"b", "1"}}, {{"a", "2"}}, {{"b", "0"}}};
  for (std::size_t i = 0; i < std::size(rows); ++i)
    for (std::size_t j = 0; j < std::size(rows); ++j) BOOST_TEST((rows[i] < rows[j]) == (i < j));
}

BOOST_AUTO_TEST_CASE(labels_bytes_are_checked) {
  const Labels l{{"__name__", "m"}, {"long", std::string(300, 'x')}};
  auto back = Labels::FromBytes(l.bytes());
  BOOST_TEST_REQUIRE(bool(back));
  BOOST_TEST((*back == l));
  for (std::size_t n = 1; n < l.bytes().size(); ++n) {
    auto cut = Labels::FromBytes(l.bytes().substr(0, n));
    BOOST_TEST((!cut || cut->size() == 1u));
  }
  for (std::string_view bad : {std::string_view("\x01" "b" "\x01" "1" "\x01" "a" "\x01" "1", 8), std::string_view("\x00\x01" "a", 3), std::string_view("\xff\x01\x00\x00" "a\x01" "b", 7)})
    BOOST_TEST(!Labels::FromBytes(bad));
}

BOOST_AUTO_TEST_CASE(series_text) {
  BOOST_TEST((Labels{{"__name__", "up"}, {"job", "a\"b"}}.ToSeries()) == "up{job=\"a\\\"b\"}");
  BOOST_TEST((Labels{{"__name__", "a.b"}, {"x.y", "1"}}.ToSeries()) == "{\"a.b\", \"x.y\"=\"1\"}");
  BOOST_TEST(Labels{}.ToSeries() == "{}");
}

BOOST_AUTO_TEST_CASE(builder) {
  LabelsBuilder b(Labels{{"a", "1"}, {"c", "3"}});
  b.Set("b", "2").Del("a").Set("c", "");
  BOOST_TEST(b.Build().ToString() == "{b=\"2\"}");
  b.Set("z", "9").Keep({"z"});
  BOOST_TEST(b.Build().ToString() == "{z=\"9\"}");
}
