#include "api/metrics_page.h"

#include <boost/test/unit_test.hpp>

using prom::api::MergeMetricPages;

BOOST_AUTO_TEST_CASE(families_sorted_and_whole) {
  const std::string got = MergeMetricPages({"# HELP b_total B.\n# TYPE b_total counter\nb_total{x=\"1\"} 1\n# HELP a A.\n# TYPE a gauge\na 2\n",
                                            "# HELP b_total Other words.\n# TYPE b_total counter\nb_total{x=\"2\"} 3\nb_total{x=\"1\"} 9\n"});
  // The first help text stays, and the first of two values of one series.
  BOOST_TEST(got ==
             "# HELP a A.\n# TYPE a gauge\na 2\n"
             "# HELP b_total B.\n# TYPE b_total counter\nb_total{x=\"1\"} 1\nb_total{x=\"2\"} 3\n");
}

BOOST_AUTO_TEST_CASE(process_metrics_of_the_whole) {
  const auto page = [](const char* cpu, const char* start, const char* fds, const char* max) {
    return std::string("# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total ") + cpu + "\n# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds " +
           start + "\n# TYPE process_open_fds gauge\nprocess_open_fds " + fds + "\n# TYPE process_max_fds gauge\nprocess_max_fds " + max + "\n";
  };
  const std::string got = MergeMetricPages({page("1.5", "1.7e+09", "7", "1024"), page("0.25", "1.700000001e+09", "5", "512"), page("0.25", "1.6e+09", "1", "4096")});
  BOOST_TEST(got.find("\nprocess_cpu_seconds_total 2\n") != std::string::npos, got);
  BOOST_TEST(got.find("\nprocess_start_time_seconds 1.700000001e+09\n") != std::string::npos, got);
  BOOST_TEST(got.find("\nprocess_open_fds 13\n") != std::string::npos, got);
  BOOST_TEST(got.find("\nprocess_max_fds 512\n") != std::string::npos, got);
}

BOOST_AUTO_TEST_CASE(histograms_stay_together) {
  const std::string page = "# HELP h H.\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n";
  BOOST_TEST(MergeMetricPages({page}) == page);
  // Label values may hold spaces and braces: the value is behind the last space.
  const std::string odd = "# TYPE m gauge\nm{path=\"/a b{}# HELP x\"} 1\n";
  BOOST_TEST(MergeMetricPages({odd, odd}) == odd);
}

BOOST_AUTO_TEST_CASE(samples_without_type_and_other_lines) {
  BOOST_TEST(MergeMetricPages({"# TYPE a gauge\na 1\nzz 2\n# a comment of many words\nyy{l=\"1\"} 3\n\n# EOF\nnonsense\n"}) == "# TYPE a gauge\na 1\nyy{l=\"1\"} 3\nzz 2\n");
  BOOST_TEST(MergeMetricPages({}) == "");
  BOOST_TEST(MergeMetricPages({"", "\n"}) == "");
}
