#include <boost/test/unit_test.hpp>

#include "discovery/kubernetes_selector.h"

using namespace prom;

BOOST_AUTO_TEST_CASE(field_selectors) {
  for (const char* good : {"", "metadata.name=x", "a==b", "a!=b,c=d", "a=", "a=b\\,c", "a=\\=", ","})
    BOOST_TEST_CONTEXT(good) BOOST_TEST(discovery::CheckFieldSelector(good).has_value());
  BOOST_TEST(discovery::CheckFieldSelector("a=b,c-d").error().message == "invalid selector: 'a=b,c-d'; can't understand 'c-d'");
  for (const char* bad : {"a", "a=b=c", "a=\\x", "a=\\"}) BOOST_TEST_CONTEXT(bad) BOOST_TEST(!discovery::CheckFieldSelector(bad));
}

BOOST_AUTO_TEST_CASE(label_selectors) {
  for (const char* good : {"", "a", "!a", "a=b", "a==b", "a != b", "a in (b, c)", "a notin (b)", "a,b,!c", "x.io/a in (b),d=e", "a=", "a=,b", "n>1", "n < 2", "a in (,b)", "a in ()"})
    BOOST_TEST_CONTEXT(good) BOOST_TEST(discovery::CheckLabelSelector(good).has_value());
  for (const char* bad : {"=", "a=b=c", "a in b", "a in (b", "a b", "a,", "-a", "a=-b", "a=b c", "!a=b", "a>", "(", "a/b/c", "/a"})
    BOOST_TEST_CONTEXT(bad) BOOST_TEST(!discovery::CheckLabelSelector(bad));
}
