// promql EXPR: one evaluation, or one after another with --watch.
#include <unistd.h>

#include <cstdio>

#include "base/strings.h"
#include "base/time.h"
#include "command.h"
#include "promql/output/render.h"
#include "promql/result_json.h"
#include "terminal.h"

namespace prom::cli {
namespace {

// What an evaluation says beside its result.
void PrintNotes(const promql::QueryResult& result, api::QuerySource& source, const promql::QueryTimes& times, const std::string& text, promql::OutputForm form) {
  for (const std::string& w : result.warnings) Warn(w);
  for (const std::string& i : result.infos) Warn(i);
  if (form == promql::OutputForm::kGraph && text.empty() && !result.series.empty()) {
    const bool instant = !times.range && result.type != promql::ValueType::kMatrix;
    Warn(instant ? "nothing to draw: a graph wants a range (--start=-1h)" : "nothing to draw: no finite value");
  }
  const bool empty = result.series.empty() && (result.type == promql::ValueType::kVector || result.type == promql::ValueType::kMatrix);
  if (empty && ::isatty(STDERR_FILENO) != 0) Warn("no result; " + source.EmptyHint());
}

std::string StatsText(const promql::QueryStats& s) {
  const auto ms = [](std::int64_t us) { return StringPrintf("%.3f ms", static_cast<double>(us) / 1000); };
  return "parsed in " + ms(s.parse_us) + ", planned in " + ms(s.prepare_us) + ", evaluated in " + ms(s.eval_us) + "; read " + std::to_string(s.samples_read) + " samples of " +
         std::to_string(s.series_read) + " series, held at most " + std::to_string(s.peak_samples);
}

struct Job {
  const Options& options;
  api::QuerySource& source;
  const std::string& expr;
  promql::OutputForm form;
};

// The text of one evaluation now. Relative times move with the clock.
Result<std::string> Evaluate(const Job& job, promql::QueryControl& control, const Screen& screen, bool notes) {
  PROM_ASSIGN(const auto times, promql::ResolveTimes(job.options.times, SystemClock().NowMs(), job.form == promql::OutputForm::kGraph));
  PROM_ASSIGN(auto result, job.source.Query(job.expr, times, control));
  PROM_ASSIGN(auto render, RenderOptionsOf(screen, job.options.colour));
  if (times.range) render.start_ms = times.start_ms, render.end_ms = times.end_ms;
  PROM_ASSIGN(std::string text, promql::RenderResult(result, job.form, render));
  if (job.options.stats && job.form == promql::OutputForm::kJson) {
    text.resize(text.size() - 2);  // "}\n"
    text += ",\"stats\":";
    promql::AppendStatsJson(&text, result.stats, 0, static_cast<double>(result.stats.parse_us + result.stats.prepare_us + result.stats.eval_us) / 1e6);
    text += "}\n";
  }
  if (notes) {
    PrintNotes(result, job.source, times, text, job.form);
    if (job.options.stats && job.form != promql::OutputForm::kJson) Warn(StatsText(result.stats));
  }
  return text;
}

// At most `lines` lines of it, each to its end cleared of what stood there before.
std::string OnScreen(const std::string& text, std::size_t lines) {
  std::string out;
  std::size_t n = 0;
  const auto all = Split(text, '\n');
  const std::size_t count = all.empty() ? 0 : all.size() - (all.back().empty() ? 1 : 0);
  for (; n < count; ++n) {
    if (n + 1 == lines && count > lines) {
      out += "... " + std::to_string(count - n) + " more lines\x1b[K\r\n";
      break;
    }
    out += std::string(all[n]) + "\x1b[K\r\n";
  }
  return out;
}

int Watch(const Job& job, std::int64_t every_ms) {
  SignalFlags signals;
  const bool in_place = ::isatty(STDOUT_FILENO) != 0;
  const std::string words = job.options.watch + ": " + job.expr;
  int code = 0;
  if (in_place) (void)Print("\x1b[?25l\x1b[2J", true);
  while (!SignalFlags::stop) {
    SignalFlags::resized = false;
    const std::int64_t due = SystemClock().MonotonicNs() / 1'000'000 + every_ms;
    const Screen screen = ScreenNow();
    Result<std::string> text = std::string();
    if (auto fresh = job.source.Refresh(); !fresh) {
      text = fresh.error();
    } else {
      promql::QueryControl control;
      Screen room = screen;
      room.lines -= 2;  // the head line and an empty one
      SignalFlags::cancel = &control.canceled;
      text = Evaluate(job, control, room, !in_place);
      SignalFlags::cancel = nullptr;
      if (SignalFlags::stop) break;
    }
    if (!text && text.error().code == Errc::kInvalid) {  // will not get better
      code = 2;
      if (in_place) (void)Print("\x1b[?25h\x1b[H\x1b[J", true);
      return Fail(text.error());
    }
    if (in_place) {
      const std::string when = FormatTimeRfc3339(SystemClock().NowMs() / 1000 * 1000);
      const std::string head = promql::CutText(promql::SafeText("every " + words), static_cast<std::size_t>(std::max(screen.columns - 22, 10))) + "  " + when;
      const bool drawn = job.form == promql::OutputForm::kTable || job.form == promql::OutputForm::kGraph;
      const std::string body = text ? (drawn ? *text : promql::SafeLines(*text)) : "promql: " + promql::SafeLines(text.error().message) + "\n";
      code = Print("\x1b[H" + head + "\x1b[K\r\n\x1b[K\r\n" + OnScreen(body, static_cast<std::size_t>(std::max(screen.lines - 3, 1))) + "\x1b[J", true);
    } else {
      code = text ? Print(*text) : 0;
      if (!text) Warn(text.error().message);
    }
    if (code != 0) break;
    for (std::int64_t left; !SignalFlags::stop && !SignalFlags::resized && (left = due - SystemClock().MonotonicNs() / 1'000'000) > 0;) SignalFlags::Sleep(left);
  }
  if (in_place) (void)Print("\x1b[?25h\r\n", true);
  return code;
}

}  // namespace

int RunQuery(const Options& o) {
  if (o.args.empty() && o.watch.empty()) return RunRepl(o);
  if (o.args.size() != 1) {
    return Fail({Errc::kInvalid, o.args.empty() ? "want an expression (see --help)" : "one expression at a time; quote it for the shell: " + Quote(o.args[0] + " " + o.args[1] + "...")});
  }
  const Screen screen = ScreenNow();
  auto form = promql::ParseOutputForm(!o.output.empty() ? o.output : screen.terminal ? "table" : "tsv");
  if (!form) return Fail(form.error());
  std::int64_t every_ms = 0;
  if (!o.watch.empty()) {
    auto every = ParseDuration(o.watch);
    if (!every || *every <= 0) return Fail({Errc::kInvalid, "--watch " + Quote(o.watch) + ": want a duration such as 5s"});
    every_ms = *every;
  }
  // Flags are judged before anything is opened.
  if (auto times = promql::ResolveTimes(o.times, SystemClock().NowMs(), *form == promql::OutputForm::kGraph); !times) return Fail(times.error());
  if (auto render = RenderOptionsOf(screen, o.colour); !render) return Fail(render.error());
  auto source = OpenSource(o);
  if (!source) return Fail(source.error());
  const Job job{o, **source, o.args[0], *form};
  if (every_ms > 0) return Watch(job, every_ms);
  promql::QueryControl control;
  SignalFlags::cancel = &control.canceled;
  auto text = Evaluate(job, control, screen, true);
  SignalFlags::cancel = nullptr;
  if (!text) return Fail(text.error());
  return Print(*text, *form == promql::OutputForm::kTable || *form == promql::OutputForm::kGraph);
}

}  // namespace prom::cli
