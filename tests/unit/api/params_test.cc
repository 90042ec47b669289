#include "api/params.h"

#include <boost/test/unit_test.hpp>

#include "../../testing.h"

using namespace prom;
using api::RequestParams;

// Value escaping of UTF-8 names, from the rules in upstream's docs: U__, then _<hex>_ for
// characters that a legacy name cannot hold, and __ for an underscore.
BOOST_AUTO_TEST_CASE(unescape_label_names) {
  struct Row { const char* in; const char* want; };
  static const Row kRows[] = {{"foo", "foo"}, {"U__", ""}, {"U__foo", "foo"}, {"U__a__b", "a_b"}, {"U__host_2e_name", "host.name"}, {"U__host_2E_name", "host.name"},
                              {"U___e9_t_e9_", "\xc3\xa9t\xc3\xa9"}, {"U___4e2d_", "\xe4\xb8\xad"}, {"U___1f600_", "\xf0\x9f\x98\x80"},
                              {"U__junk_0a__7b__7d__2c__3d_:_20__20_chars", "junk\n{},=:  chars"},
                              // Not of that form: the name itself.
                              {"U__a_", "U__a_"}, {"U__a_2e", "U__a_2e"}, {"U__a_xyz_", "U__a_xyz_"}, {"U___d800_", "U___d800_"}, {"U___110000_", "U___110000_"},
                              {"U___00000000041_", "U___00000000041_"}, {"U_foo", "U_foo"}, {"u__a__b", "u__a__b"}};
  for (const Row& row : kRows) BOOST_TEST_CONTEXT("in=" << row.in) BOOST_TEST(api::UnescapeLabelName(row.in) == row.want);
}

BOOST_AUTO_TEST_CASE(error_texts) {
  const RequestParams p({{"time", "noon"}, {"step", "fast"}, {"big", "1e10"}, {"limit", "many"}, {"match[]", "up"}, {"match[]", "{a=\"\"}"}, {"nan", "NaN"}});
  BOOST_TEST(p.Time("time").error().message == "invalid parameter \"time\": cannot parse \"noon\" to a valid timestamp");
  BOOST_TEST(p.Time("none").error().message == "invalid parameter \"none\": cannot parse \"\" to a valid timestamp");
  BOOST_TEST(p.TimeOr("time", 0).error().message == "invalid parameter \"time\": invalid time value for 'time': cannot parse \"noon\" to a valid timestamp");
  BOOST_TEST(*p.TimeOr("none", 42) == 42);
  BOOST_TEST(p.DurationMs("step").error().message == "invalid parameter \"step\": cannot parse \"fast\" to a valid duration");
  BOOST_TEST(p.DurationMs("big").error().message == "invalid parameter \"big\": cannot parse \"1e10\" to a valid duration. It overflows int64");
  BOOST_TEST(!p.DurationMs("nan"));
  BOOST_TEST(!p.Time("nan"));
  BOOST_TEST(p.Limit().error().message == "invalid parameter \"limit\": strconv.Atoi: parsing \"many\": invalid syntax");
  BOOST_TEST(RequestParams(net::Params{{"limit", "-1"}}).Limit().error().message == "invalid parameter \"limit\": limit must be non-negative");
  BOOST_TEST(*RequestParams(net::Params{}).Limit() == 0u);
  BOOST_TEST(*RequestParams(net::Params{{"limit", "7"}, {"limit", "8"}}).Limit() == 7u);  // the first counts
  BOOST_TEST(p.MatcherSets().error().message == "match[] must contain at least one non-empty matcher");
  BOOST_TEST(p.GetAll("match[]").size() == 2u);
}

BOOST_AUTO_TEST_CASE(times_and_durations) {
  BOOST_TEST(*api::ParseApiTime("1.0005") == 1001);  // to the nearest ms
  BOOST_TEST(*api::ParseApiTime("-1.5") == -1500);
  BOOST_TEST(!api::ParseApiTime("1e300"));
  BOOST_TEST(*api::ParseApiDuration("-5") == -5000);
  BOOST_TEST(*api::ParseApiDuration("0.0015") == 1);
  BOOST_TEST(*api::ParseApiDuration("1h30m") == 5'400'000);
  BOOST_TEST(!api::ParseApiDuration("9223372036.854775808"));  // 2^63 ns
  BOOST_TEST(*api::ParseApiDuration("9223372036") == 9'223'372'036'000);
}
