// promql buckets: which buckets of histograms are worth their series.
#include "promql/bucket_use.h"

#include "base/json.h"
#include "base/strings.h"
#include "base/time.h"
#include "command.h"
#include "promql/output/render.h"
#include "promql/parse.h"
#include "terminal.h"

namespace prom::cli {
namespace {

constexpr std::int64_t kDefaultMs = 3'600'000;

// What all selectors find in the range, as one matrix.
Result<std::vector<promql::ResultSeries>> ReadMatrix(const Options& o, api::QuerySource& source) {
  const std::int64_t now_ms = SystemClock().NowMs();
  std::int64_t end_ms = now_ms;
  if (!o.times.end.empty()) {
    PROM_ASSIGN(end_ms, promql::ResolveTime("--end", o.times.end, now_ms));
  }
  std::int64_t start_ms = end_ms - kDefaultMs;
  if (!o.times.start.empty()) {
    PROM_ASSIGN(start_ms, promql::ResolveTime("--start", o.times.start, now_ms));
  }
  if (start_ms >= end_ms) return Error{Errc::kInvalid, "--start must be before --end"};
  std::vector<promql::ResultSeries> out;
  for (const std::string& selector : o.args) {
    if (auto parsed = promql::ParseMetricSelector(selector); !parsed) return Error{Errc::kInvalid, Quote(selector) + ": " + parsed.error().message};
    promql::QueryControl control;
    PROM_ASSIGN(auto found, source.Query(selector + "[" + std::to_string(end_ms - start_ms) + "ms]", {false, end_ms, end_ms, 0}, control));
    for (const std::string& w : found.warnings) Warn(w);
    out.insert(out.end(), std::make_move_iterator(found.series.begin()), std::make_move_iterator(found.series.end()));
  }
  return out;
}

std::string KindOf(const promql::BucketUse& use) { return use.native ? "native" : "classic"; }

std::vector<std::string> RowOf(const promql::BucketUse& use, const std::string& name) {
  return {name, KindOf(use), std::to_string(use.least), StringPrintf("%.3f", use.average), std::to_string(use.most), std::to_string(use.buckets)};
}

void AppendJson(std::string* out, const promql::BucketUse& use) {
  JsonWriter(out)
      .BeginObject()
      .Field("series", use.series)
      .Field("kind", KindOf(use))
      .Field("samples", std::uint64_t{use.samples})
      .Field("min", std::uint64_t{use.least})
      .Field("avg", use.average)
      .Field("max", std::uint64_t{use.most})
      .Field("buckets", std::uint64_t{use.buckets})
      .EndObject();
}

}  // namespace

int RunBuckets(const Options& o) {
  const Screen screen = ScreenNow();
  const std::string form = !o.output.empty() ? o.output : screen.terminal ? "table" : "tsv";
  if (form != "table" && form != "tsv" && form != "json") return Fail({Errc::kInvalid, "--output " + Quote(o.output) + ": here it is one of: table tsv json"});
  if (o.args.empty()) return Fail({Errc::kInvalid, "buckets: want at least one MATCHER, such as request_duration_seconds_bucket"});
  auto source = OpenSource(o);
  if (!source) return Fail(source.error());
  auto matrix = ReadMatrix(o, **source);
  if (!matrix) return Fail(matrix.error());
  const std::vector<promql::BucketUse> uses = promql::CountBucketUse(*matrix);
  if (form == "json") {
    std::string out = "[";
    for (std::size_t i = 0; i < uses.size(); ++i) {
      if (i > 0) out += ',';
      AppendJson(&out, uses[i]);
    }
    return Print(out + "]\n");
  }
  std::vector<std::vector<std::string>> rows = {{"HISTOGRAM", "KIND", "MIN", "AVG", "MAX", "BUCKETS"}};
  for (const promql::BucketUse& use : uses) rows.push_back(RowOf(use, use.series));
  if (form == "tsv") {
    std::string out = "histogram\tkind\tmin\tavg\tmax\tbuckets\n";
    for (std::size_t i = 1; i < rows.size(); ++i) {
      for (std::size_t c = 0; c < rows[i].size(); ++c) out += (c > 0 ? "\t" : "") + rows[i][c];
      out += '\n';
    }
    return Print(out);
  }
  if (uses.empty()) {
    Warn("no histogram; classic ones are series of NAME_bucket with a label le. " + (*source)->EmptyHint());
    return 0;
  }
  for (const bool native : {false, true})
    if (const promql::BucketUse all = promql::Together(uses, native); all.samples > 0) rows.push_back(RowOf(all, "all " + std::to_string(all.samples)));
  for (auto& row : rows) row[0] = promql::SafeText(row[0]);
  auto render = RenderOptionsOf(screen, o.colour);
  if (!render) return Fail(render.error());
  return Print(promql::RenderTable(rows, 2, 6, screen.terminal ? static_cast<std::size_t>(screen.columns) : 0, render->colour), true);
}

}  // namespace prom::cli
