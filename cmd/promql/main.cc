#include <CLI/CLI.hpp>

#include <cstdio>
#include <sys/ioctl.h>
#include <unistd.h>

#include "api/open_data.h"
#include "api/serve.h"
#include "base/log.h"
#include "base/number.h"
#include "base/strings.h"
#include "promql/output/render.h"
#include "promql/script_runner.h"

namespace {

using namespace prom;

constexpr const char* kUsage =
    "usage: promql -d DATA [flags] EXPR         evaluate an expression\n"
    "       promql -d DATA labels [MATCHER...]   label names\n"
    "       promql -d DATA values NAME [MATCHER...]\n"
    "       promql -d DATA series MATCHER...\n"
    "       promql test FILE...                  run PromQL test scripts\n"
    "       promql serve -d DATA [flags]         HTTP API\n"
    "\n"
    "  -d, --data DIR             data directory, of a running store or not (data)\n"
    "  -t, --time T               evaluate at T (now): Unix seconds, RFC 3339, -1h, now-5m\n"
    "      --start T --end T --step D   range query; end defaults to now\n"
    "  -o, --output FORM          table json csv tsv graph (table on a terminal, else tsv)\n"
    "      --lookback-delta D     how old a sample may be (5m)\n"
    "      --timeout D  --max-samples N   limits of a query (2m, 50000000)\n"
    "      --enable-feature NAMES promql-experimental-functions, promql-extended-range-selectors,\n"
    "                             promql-binop-fill-modifiers, promql-delayed-name-removal\n"
    "serve: --web.listen-address HOST:PORT (0.0.0.0:9090)  --web.enable-lifecycle  --run-dir DIR\n"
    "       --query.lookback-delta D  --query.timeout D  --query.max-samples N  --query.max-concurrency N\n"
    "       --log.level LEVEL  --log.format FORMAT\n"
    "  -h, --help  --version      an expression named like a command: promql -d DATA query labels\n"
    "\n"
    "  promql -d data 'sum by (mode) (rate(node_cpu_seconds_total[1m]))'\n"
    "  promql -d data -o graph --start=-15m --step=15s 'node_load1'\n"
    "  promql -d data values job up\n"
    "\n"
    "Exit codes: 0 done, 1 failed (test: a case failed), 2 bad usage or expression, 3 corrupt data.\n";

struct Options {
  std::string data = "data", time, start, end, step, output;
  std::string lookback = "5m", timeout = "2m";
  std::int64_t max_samples = 50'000'000, max_concurrency = 20;
  std::vector<std::string> features, args, listen;
  bool lifecycle = false;
  std::string run_dir;
};

int Fail(const Error& e) {
  std::fprintf(stderr, "promql: %s\n", e.message.c_str());
  return ExitCode(e.code);
}

int Print(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
    return Fail(ErrnoError("write", "standard output", errno));
  return 0;
}

Result<promql::EngineOptions> EngineOptions(const Options& o) {
  promql::EngineOptions out;
  auto lookback = ParseDuration(o.lookback), timeout = ParseDuration(o.timeout);
  if (!lookback) return lookback.error().Wrap("lookback delta: ");
  if (!timeout) return timeout.error().Wrap("timeout: ");
  out.lookback_ms = *lookback;
  out.timeout_ms = *timeout;
  out.max_samples = o.max_samples;
  for (const std::string& list : o.features) {
    for (std::string_view name : Split(list, ',')) {
      if (name == "promql-experimental-functions") out.parse.experimental_functions = true;
      else if (name == "promql-extended-range-selectors") out.parse.extended_ranges = true;
      else if (name == "promql-binop-fill-modifiers") out.parse.fill_modifiers = true;
      else if (name == "promql-delayed-name-removal") out.delayed_name_removal = true;
      else if (name == "use-start-timestamps") out.use_start_timestamps = true;
      else if (name == "type-and-unit-labels") out.type_and_unit_labels = true;
      else LogWarn("promql", "feature has no effect in promql", {{"name", name}});
    }
  }
  return out;
}

// The size of the terminal, or 80 columns.
promql::RenderOptions Screen() {
  promql::RenderOptions out;
  winsize size{};
  if (::isatty(STDOUT_FILENO) != 0) {
    out.fit = true;
    out.colour = std::getenv("NO_COLOR") == nullptr;
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20) {
      out.width = size.ws_col;
      out.height = std::clamp(size.ws_row / 2, 8, 24);
    }
  }
  return out;
}

Result<std::vector<Matchers>> ParseSelectors(const std::vector<std::string>& args, std::size_t from) {
  std::vector<Matchers> out;
  for (std::size_t i = from; i < args.size(); ++i) {
    auto m = promql::ParseMetricSelector(args[i]);
    if (!m) return m.error().Wrap(Quote(args[i]) + ": ");
    out.push_back(std::move(*m));
  }
  return out;
}

int PrintLines(std::vector<std::string> lines) {
  std::sort(lines.begin(), lines.end());
  lines.erase(std::unique(lines.begin(), lines.end()), lines.end());
  std::string out;
  for (const std::string& l : lines) out += l + '\n';
  return Print(out);
}

int RunTests(const Options& o) {
  if (o.args.size() < 2) return Fail({Errc::kInvalid, "test: want at least one FILE"});
  std::size_t passed = 0, failed = 0;
  for (std::size_t i = 1; i < o.args.size(); ++i) {
    auto result = promql::RunScriptFile(o.args[i]);
    if (!result) {
      std::fprintf(stderr, "promql: %s\n", result.error().message.c_str());
      ++failed;
      continue;
    }
    for (const auto& c : result->cases)
      if (!c.passed) std::printf("%s:%d: %s: %s\n", result->file.c_str(), c.line, c.text.c_str(), c.message.c_str());
    passed += result->passed;
    failed += result->failed;
  }
  std::printf("%zu passed, %zu failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}

int Serve(const Options& o, const promql::EngineOptions& engine) {
  if (o.args.size() > 1) return Fail({Errc::kInvalid, "serve takes no argument: " + o.args[1]});
  api::ServeOptions s;
  s.data_dir = o.data;
  s.run_dir = o.run_dir;
  if (!o.listen.empty()) s.server.listen_addresses = o.listen;
  s.server.enable_lifecycle = o.lifecycle;
  s.server.query.engine = engine;
  s.server.query.max_concurrency = o.max_concurrency;
  s.server.http.workers = static_cast<std::size_t>(o.max_concurrency) + 4;
  s.flags = {{"storage.tsdb.path", o.data}, {"web.listen-address", Join(s.server.listen_addresses, ",")}, {"query.lookback-delta", o.lookback},
             {"query.timeout", o.timeout}, {"query.max-samples", std::to_string(o.max_samples)}, {"query.max-concurrency", std::to_string(o.max_concurrency)},
             {"web.enable-lifecycle", o.lifecycle ? "true" : "false"}, {"enable-feature", Join(o.features, ",")}};
  if (auto done = api::Serve(std::move(s), SystemClock()); !done) return Fail(done.error());
  return 0;
}

Result<promql::QueryResult> Evaluate(const Options& o, const promql::Engine& engine, const Queryable& data, const std::string& expr, std::int64_t now) {
  promql::QueryControl control;
  if (o.start.empty() && o.end.empty() && o.step.empty()) {
    PROM_ASSIGN(const std::int64_t t, ParseTimeRelative(o.time.empty() ? "now" : o.time, now));
    return engine.Instant(data, expr, t, control);
  }
  if (!o.time.empty()) return Error{Errc::kInvalid, "--time does not go with --start, --end and --step"};
  if (o.start.empty()) return Error{Errc::kInvalid, "a range query needs --start (for example --start=-1h)"};
  PROM_ASSIGN(const std::int64_t start, ParseTimeRelative(o.start, now));
  PROM_ASSIGN(const std::int64_t end, ParseTimeRelative(o.end.empty() ? "now" : o.end, now));
  if (end < start) return Error{Errc::kInvalid, "--end lies before --start"};
  // Without a step: about one for each column of a graph.
  std::int64_t step = std::max<std::int64_t>((end - start) / 150, 1000);
  if (!o.step.empty()) {
    if (const auto seconds = ParseFloat(o.step)) {
      step = static_cast<std::int64_t>(*seconds * 1000);
    } else {
      auto d = ParseDuration(o.step);
      if (!d) return d.error().Wrap("--step: ");
      step = *d;
    }
    if (step <= 0) return Error{Errc::kInvalid, "--step must be positive"};
  }
  return engine.Range(data, expr, start, end, step, control);
}

int Query(const Options& o, const promql::EngineOptions& engine_options, const Queryable& data, const std::string& expr) {
  const bool graph_wanted = o.output == "graph";
  Options with_range = o;
  if (graph_wanted && o.start.empty() && o.time.empty()) with_range.start = "-1h";
  std::string form_name = o.output;
  if (form_name.empty()) form_name = ::isatty(STDOUT_FILENO) != 0 ? "table" : "tsv";
  auto form = promql::ParseOutputForm(form_name);
  if (!form) return Fail(form.error());
  const std::int64_t now = SystemClock().NowMs();
  auto result = Evaluate(with_range, promql::Engine(engine_options), data, expr, now);
  if (!result) return Fail(result.error());
  for (const std::string& w : result->warnings) std::fprintf(stderr, "promql: %s\n", w.c_str());
  for (const std::string& i : result->infos) std::fprintf(stderr, "promql: %s\n", i.c_str());
  auto text_or = promql::RenderResult(*result, *form, Screen());
  if (!text_or) return Fail(text_or.error());
  const std::string text = *text_or;
  if (const int code = Print(text); code != 0) return code;
  if (*form == promql::OutputForm::kGraph && text.empty() && !result->series.empty()) std::fprintf(stderr, "promql: nothing to draw: no finite value\n");
  const bool empty = result->series.empty() && (result->type == promql::ValueType::kVector || result->type == promql::ValueType::kMatrix);
  if (empty && ::isatty(STDERR_FILENO) != 0) {
    const auto [oldest, newest] = data.TimeRange();
    if (oldest > newest) {
      std::fprintf(stderr, "promql: no result; the data directory is empty\n");
    } else {
      std::fprintf(stderr, "promql: no result; data lies between %s and %s (see --time, --start)\n", FormatTimeRfc3339(oldest).c_str(), FormatTimeRfc3339(newest).c_str());
    }
  }
  return 0;
}

int Run(const Options& o) {
  const std::string command = o.args.empty() ? "" : o.args[0];
  auto engine = EngineOptions(o);
  if (!engine) return Fail(engine.error());
  if (command == "test") return RunTests(o);
  if (command == "serve") return Serve(o, *engine);
  if (command.empty()) {
    std::fprintf(stderr, "promql: want an expression (see --help)\n");
    return 2;
  }
  auto dir = api::OpenDataDir(o.data);
  if (!dir) return Fail(dir.error());
  auto snapshot = (*dir)->Snapshot();
  if (!snapshot) return Fail(snapshot.error());
  const Queryable& data = **snapshot;

  std::int64_t min = kMinTimeMs, max = kMaxTimeMs;
  const std::int64_t now = SystemClock().NowMs();
  const bool lookup = command == "labels" || command == "values" || command == "series";
  if (lookup && !o.start.empty()) {
    auto t = ParseTimeRelative(o.start, now);
    if (!t) return Fail(t.error());
    min = *t;
  }
  if (lookup && !o.end.empty()) {
    auto t = ParseTimeRelative(o.end, now);
    if (!t) return Fail(t.error());
    max = *t;
  }
  if (lookup) {
    const bool values = command == "values";
    if (values && o.args.size() < 2) return Fail({Errc::kInvalid, "values: want the NAME of a label"});
    auto sets = ParseSelectors(o.args, values ? 2 : 1);
    if (!sets) return Fail(sets.error());
    if (sets->empty()) {
      if (command == "series") return Fail({Errc::kInvalid, "series: want at least one MATCHER, such as up or '{job=\"node\"}'"});
      sets->emplace_back();
    }
    std::vector<std::string> lines;
    for (const Matchers& m : *sets) {
      if (command == "series") {
        auto selection = data.Select(m, min, max);
        if (!selection) return Fail(selection.error());
        for (std::size_t i = 0; i < (*selection)->size(); ++i) lines.push_back((*selection)->labels(i).ToSeries());
        continue;
      }
      auto found = values ? data.LabelValues(o.args[1], m, min, max) : data.LabelNames(m, min, max);
      if (!found) return Fail(found.error());
      lines.insert(lines.end(), found->begin(), found->end());
    }
    return PrintLines(std::move(lines));
  }
  const std::size_t at = command == "query" && o.args.size() > 1 ? 1 : 0;
  if (o.args.size() > at + 1) return Fail({Errc::kInvalid, "one expression at a time; quote it for the shell: " + Quote(o.args[at] + " " + o.args[at + 1] + "...")});
  return Query(o, *engine, data, o.args[at]);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"PromQL"};
  Options o;
  std::string log_level = "info", log_format = "logfmt";
  bool help = false, version = false;
  app.set_help_flag();
  app.add_flag("-h,--help", help);
  app.add_flag("--version", version);
  app.add_option("-d,--data,--storage.tsdb.path", o.data);
  app.add_option("-t,--time", o.time);
  app.add_option("--start", o.start);
  app.add_option("--end", o.end);
  app.add_option("--step", o.step);
  app.add_option("-o,--output", o.output);
  app.add_option("--lookback-delta,--query.lookback-delta", o.lookback);
  app.add_option("--timeout,--query.timeout", o.timeout);
  app.add_option("--max-samples,--query.max-samples", o.max_samples)->check(CLI::PositiveNumber);
  app.add_option("--query.max-concurrency", o.max_concurrency)->check(CLI::Range(1, 1000));
  app.add_option("--enable-feature", o.features)->allow_extra_args(false);
  app.add_option("--web.listen-address", o.listen)->allow_extra_args(false);
  app.add_flag("--web.enable-lifecycle", o.lifecycle);
  app.add_option("--run-dir", o.run_dir);
  app.add_option("--log.level", log_level);
  app.add_option("--log.format", log_format);
  app.add_option("args", o.args);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    std::fprintf(stderr, "promql: %s (see --help)\n", e.what());
    return 2;
  }
  if (help) return Print(kUsage);
  if (version) return Print("promql, version " + std::string(kPromkitVersion) + "\n");
  for (auto done : {SetLogLevel(log_level), SetLogFormat(log_format)})
    if (!done) return Fail(done.error());
  return Run(o);
}
