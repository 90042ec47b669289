// promql explain: the plan of a query, and with --analyze what its nodes cost.
#include "promql/explain.h"

#include "base/json.h"
#include "base/strings.h"
#include "base/time.h"
#include "command.h"
#include "terminal.h"

namespace prom::cli {

int RunExplain(const Options& o) {
  if (o.args.size() != 1) return Fail({Errc::kInvalid, "explain: want one expression"});
  const bool json = o.json || o.output == "json";
  if (!o.output.empty() && !json) return Fail({Errc::kInvalid, "--output " + Quote(o.output) + ": explain prints a tree, or json"});
  auto engine = EngineOptionsOf(o);
  if (!engine) return Fail(engine.error());
  auto times = promql::ResolveTimes(o.times, SystemClock().NowMs(), false);
  if (!times) return Fail(times.error());
  promql::QueryStats stats;
  Result<promql::PlanNode> plan = promql::PlanNode();
  if (o.analyze) {
    auto source = OpenSource(o);
    if (!source) return Fail(source.error());
    if ((*source)->local() == nullptr) return Fail({Errc::kInvalid, "explain --analyze reads a data directory (-d); a server does not tell its plans"});
    promql::QueryControl control;
    plan = promql::AnalyzeQuery(*engine, *(*source)->local(), o.args[0], *times, control, &stats);
  } else {
    plan = promql::ExplainQuery(*engine, o.args[0], *times);
  }
  if (!plan) return Fail(plan.error());
  if (json) {
    std::string out;
    promql::AppendPlanJson(&out, *plan);
    return Print(out + "\n");
  }
  const Screen screen = ScreenNow();
  std::string out = promql::RenderPlan(*plan, screen.terminal ? static_cast<std::size_t>(screen.columns) : 0);
  if (o.analyze) out += StringPrintf("%.3f ms; held at most %lld samples\n", static_cast<double>(stats.eval_us) / 1000, static_cast<long long>(stats.peak_samples));
  return Print(out, true);
}

}  // namespace prom::cli
