#include "promql/bucket_use.h"

#include <boost/test/unit_test.hpp>
#include <cmath>

using namespace prom;
using namespace prom::promql;

namespace {

ResultSeries Bucket(const std::string& name, const std::string& le, std::vector<FloatSample> samples) {
  return {LabelsBuilder().Set("__name__", name).Set("job", "api").Set("le", le).Build(), std::move(samples), {}};
}

HistogramSample Native(std::int64_t t_ms, std::vector<double> counts) {
  auto h = std::make_shared<Histogram>();
  h->schema = 0;
  h->zero_threshold = 0.001;
  h->positive_spans = {{0, static_cast<std::uint32_t>(counts.size())}};
  for (const double c : counts) h->count += c;
  h->positive_buckets = std::move(counts);
  return {t_ms, std::move(h)};
}

}  // namespace

BOOST_AUTO_TEST_CASE(bucket_use_of_classic_histograms) {
  // Cumulative: at 10 s 0, 2, 2, 5 -> two of four hold something; at 20 s 1, 3, 4, 9 -> all.
  const std::vector<ResultSeries> matrix = {
      Bucket("x_bucket", "+Inf", {{10, 5}, {20, 9}, {30, 9}}),
      Bucket("x_bucket", "10", {{10, 2}, {20, 4}, {30, 4}}),
      Bucket("x_bucket", "0.5", {{10, 0}, {20, 1}, {30, 1}}),
      Bucket("x_bucket", "2", {{10, 2}, {20, 3}}),  // not at 30: that time does not count
      Bucket("x_bucket", "many", {{10, 7}}),        // no bound
      Bucket("x_count", "1", {{10, 7}}),            // not a bucket
      {LabelsBuilder().Set("__name__", "y_bucket").Build(), {{10, 7}}, {}},
  };
  const auto uses = CountBucketUse(matrix);
  BOOST_TEST_REQUIRE(uses.size() == 1u);
  BOOST_TEST(uses[0].series == "x_bucket{job=\"api\"}");
  BOOST_TEST(!uses[0].native);
  BOOST_TEST(uses[0].samples == 2u);
  BOOST_TEST(uses[0].least == 2u);
  BOOST_TEST(uses[0].most == 4u);
  BOOST_TEST(uses[0].average == 3.0);
  BOOST_TEST(uses[0].buckets == 4u);
}

BOOST_AUTO_TEST_CASE(bucket_use_of_native_histograms_and_all_together) {
  ResultSeries a{LabelsBuilder().Set("__name__", "b").Build(), {}, {Native(10, {1, 0, 2}), Native(20, {1, 1, 2, 3})}};
  ResultSeries b{LabelsBuilder().Set("__name__", "a").Build(), {}, {Native(10, {1})}};
  const auto uses = CountBucketUse({a, b, Bucket("c_bucket", "1", {{10, 1}})});
  BOOST_TEST_REQUIRE(uses.size() == 3u);
  BOOST_TEST(!uses[0].native);
  BOOST_TEST(uses[1].series == "a");
  BOOST_TEST(uses[2].series == "b");
  BOOST_TEST(uses[2].least == 2u);
  BOOST_TEST(uses[2].most == 4u);
  BOOST_TEST(uses[2].average == 3.0);
  BOOST_TEST(uses[2].buckets == 4u);
  const BucketUse native = Together(uses, true), classic = Together(uses, false);
  BOOST_TEST(native.samples == 2u);
  BOOST_TEST(native.least == 1u);
  BOOST_TEST(native.most == 4u);
  BOOST_TEST(native.average == 2.0);
  BOOST_TEST(native.buckets == 4u);
  BOOST_TEST(classic.samples == 1u);
  BOOST_TEST(classic.most == 1u);
  BOOST_TEST(Together({}, true).samples == 0u);
}
