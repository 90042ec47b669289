#include "promql/explain.h"

#include <boost/test/unit_test.hpp>

#include "../../testing.h"
#include "base/json.h"
#include "promql/memory_store.h"

using namespace prom;
using namespace prom::promql;

namespace {

std::size_t Nodes(const PlanNode& n) {
  std::size_t out = 1;
  for (const PlanNode& c : n.children) out += Nodes(c);
  return out;
}

const PlanNode* Find(const PlanNode& n, std::string_view text) {
  if (n.text.find(text) != std::string::npos) return &n;
  for (const PlanNode& c : n.children)
    if (const PlanNode* found = Find(c, text)) return found;
  return nullptr;
}

}  // namespace

BOOST_AUTO_TEST_CASE(plans) {
  QueryTimes times{true, 0, 600'000, 60'000};
  auto plan = ExplainQuery({}, "sum by (a) (rate(m_total[5m])) > 2", times);
  BOOST_TEST_REQUIRE(bool(plan));
  BOOST_TEST(!plan->cost);
  BOOST_TEST(Find(*plan, "sum by (a)") != nullptr);
  BOOST_TEST(Find(*plan, "rate over 300000 ms") != nullptr);
  const std::string text = RenderPlan(*plan, 0);
  BOOST_TEST(static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) == Nodes(*plan), text);
  // What has no operators.
  QueryTimes now{false, 0, 0, 0};
  BOOST_TEST(ExplainQuery({}, "\"text\"", now)->text == "literal string");
  BOOST_TEST(bool(ExplainQuery({}, "m_total[5m]", now)));
  BOOST_TEST(ExplainQuery({}, "m_total[5m]", times).error().code == Errc::kInvalid);
  BOOST_TEST(ExplainQuery({}, "m_total[", now).error().code == Errc::kInvalid);
}

// Two series of 11 samples at one minute; all of them lie in the query's range.
BOOST_AUTO_TEST_CASE(costs) {
  MemoryStore store;
  for (const char* a : {"x", "y"})
    for (int i = 0; i <= 10; ++i) store.Append(Labels{{"__name__", "m_total"}, {"a", a}}, i * 60'000, i);
  QueryControl control;
  QueryStats stats;
  auto plan = AnalyzeQuery({}, store, "sum(rate(m_total[5m])) * 2", {true, 300'000, 600'000, 60'000}, control, &stats);
  BOOST_TEST_REQUIRE(bool(plan));
  const PlanNode* rate = Find(*plan, "rate over");
  BOOST_TEST_REQUIRE(rate != nullptr);
  BOOST_TEST(stats.series_read == 2);
  BOOST_TEST_REQUIRE(bool(plan->cost));
  BOOST_TEST(plan->cost->series == 1);
  BOOST_TEST(plan->cost->samples == 6);  // a step each
  BOOST_TEST(plan->cost->read_samples == stats.samples_read);
  BOOST_TEST(plan->cost->bytes == 6 * 8 + 8);  // values and one word of bits
  BOOST_TEST(plan->cost->self_us <= plan->cost->total_us);
  std::string json;
  AppendPlanJson(&json, *plan);
  auto parsed = ParseJson(json);
  BOOST_TEST_REQUIRE(bool(parsed));
  BOOST_TEST(parsed->NumberOr("samples", 0) == 6);
}
