// promql without an expression: one after another from a terminal, with commands that
// begin with a backslash; the same from a pipe, without prompts.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <map>

#include "base/strings.h"
#include "base/time.h"
#include "command.h"
#include "line_editor.h"
#include "promql/complete.h"
#include "promql/output/render.h"
#include "terminal.h"

namespace prom::cli {
namespace {

constexpr std::string_view kHelp =
    "An expression is evaluated; it may go on over lines until its brackets are closed. Tab completes.\n"
    "  \\d [MATCHER]          metrics with type, series and help       \\d NAME   one metric and its labels\n"
    "  \\l [MATCHER]          label names          \\v LABEL [MATCHER]  values of a label\n"
    "  \\s MATCHER            series\n"
    "  \\range [-1h [END [STEP]]]   evaluate over a range from now on    \\now [TIME]  at one time again\n"
    "  \\o FORM               table json jsonl csv tsv prom graph\n"
    "  \\watch D EXPR         again every D until Ctrl-C\n"
    "  \\explain EXPR   \\analyze EXPR   \\check EXPR   \\fmt EXPR   \\stats on|off\n"
    "  \\help   \\q\n";

constexpr std::string_view kCommands[] = {"\\analyze", "\\check", "\\d", "\\explain", "\\fmt", "\\help", "\\l", "\\now", "\\o", "\\q", "\\range", "\\s", "\\stats", "\\v", "\\watch"};
constexpr std::string_view kForms[] = {"csv", "graph", "json", "jsonl", "prom", "table", "tsv"};

// Names for completion, kept for some seconds: the server may be far away.
class Names : public promql::CompletionNames {
 public:
  explicit Names(const Options& o) : options_(o) {}
  std::vector<std::string> Metrics() override { return Look("m", [](api::QuerySource& s) { return s.LabelValues(kMetricName, {}); }); }
  std::vector<std::string> LabelNames(std::string_view metric) override {
    return Look("n" + std::string(metric), [&](api::QuerySource& s) { return s.LabelNames(Of(metric)); });
  }
  std::vector<std::string> LabelValues(std::string_view label, std::string_view metric) override {
    return Look("v" + std::string(label) + '\0' + std::string(metric), [&](api::QuerySource& s) { return s.LabelValues(label, Of(metric)); });
  }

 private:
  static api::LookupRequest Of(std::string_view metric) {
    api::LookupRequest out;
    if (!metric.empty()) out.selectors.push_back("{__name__=" + Quote(metric) + "}");
    return out;
  }
  template <typename Get>
  std::vector<std::string> Look(const std::string& key, Get get) {
    constexpr std::int64_t kKeepMs = 10'000;
    const std::int64_t now = SystemClock().MonotonicNs() / 1'000'000;
    auto& entry = cache_[key];
    if (entry.at_ms != 0 && now - entry.at_ms < kKeepMs) return entry.names;
    if (cache_.size() > 1'000) cache_.clear();
    Options quick = options_;
    quick.timeout = "2s";
    std::vector<std::string> names;
    if (auto source = OpenSource(quick))
      if (auto found = get(**source)) names = std::move(*found);
    cache_[key] = {now, names};
    return names;
  }
  struct Entry {
    std::int64_t at_ms = 0;
    std::vector<std::string> names;
  };
  const Options& options_;
  std::map<std::string, Entry> cache_;
};

class Repl {
 public:
  explicit Repl(const Options& o)
      : options_(o), names_(options_), terminal_(::isatty(STDIN_FILENO) != 0), editor_(terminal_ ? HistoryFile() : "", [this](std::string_view text) { return Suggest(text); }) {}

  int Run() {
    SignalFlags signals;
    int code = 0;
    bool any = false;
    if (terminal_ && !editor_.has_editing()) Warn("libedit2 is not installed: no history and no completion");
    if (terminal_) (void)Print("promql on " + (options_.url.empty() ? options_.data : options_.url) + "; \\help for help, \\q or Ctrl-D to quit\n");
    for (;;) {
      SignalFlags::stop = false;
      std::string line;
      const auto end = editor_.Read(terminal_ ? Prompt() : "", &line);
      if (end == LineEditor::End::kInterrupted) {
        if (!terminal_) return 1;
        pending_.clear();  // what was typed so far is dropped
        (void)Print("^C\n");
        continue;
      }
      if (end == LineEditor::End::kEof) {
        if (terminal_) (void)Print("\n");
        if (!TrimSpace(pending_).empty()) code = Take(std::exchange(pending_, {}));
        break;
      }
      const bool blank = TrimSpace(line).empty();
      pending_ += (pending_.empty() ? "" : "\n") + line;
      const std::string_view text = TrimSpace(pending_);
      if (text.empty()) {
        pending_.clear();
        continue;
      }
      // An empty line ends what does not end by itself.
      if (text[0] != '\\' && !blank && promql::WantsMore(text)) continue;
      const std::string whole(text);
      pending_.clear();
      editor_.AddHistory(whole);
      if (whole == "\\q" || whole == "\\quit" || whole == "exit" || whole == "quit") break;
      any = true;
      if (const int one = Take(whole); one != 0) code = one;
    }
    if (terminal_) return 0;
    if (!any && code == 0) return Fail({Errc::kInvalid, "want an expression (see --help)"});
    return code;
  }

 private:
  std::string Prompt() const {
    if (!pending_.empty()) return "   ...> ";
    const promql::TimeFlags& t = options_.times;
    return "promql" + (!t.start.empty() ? "[" + t.start + "]" : !t.time.empty() ? "@" + t.time : "") + "> ";
  }

  Suggestion Suggest(std::string_view text) {
    Suggestion out;
    if (pending_.empty() && text.starts_with('\\')) {
      const std::size_t space = text.find(' ');
      if (space == std::string_view::npos) {
        for (const std::string_view c : kCommands)
          if (c.starts_with(text)) out.words.emplace_back(std::string(c) + " ");
        return out;
      }
      const std::string_view command = text.substr(0, space), rest = text.substr(space + 1);
      out.start = space + 1;
      if (command == "\\o") {
        for (const std::string_view f : kForms)
          if (f.starts_with(rest)) out.words.emplace_back(f);
        return out;
      }
      if (command == "\\v" && rest.find(' ') == std::string_view::npos) {
        for (std::string& n : names_.LabelNames(""))
          if (n.starts_with(rest)) out.words.push_back(std::move(n));
        return out;
      }
    }
    const std::string before = pending_.empty() ? "" : pending_ + "\n";
    const promql::Completion found = promql::Complete(before + std::string(text), names_);
    if (found.start < before.size()) return out;
    return {found.start - before.size(), found.words};
  }

  // One expression or command; the exit code it would have alone.
  int Take(const std::string& text) {
    if (text[0] != '\\') return Evaluate(text);
    const std::size_t space = text.find_first_of(" \t\n");
    const std::string command = text.substr(1, space == std::string::npos ? space : space - 1);
    const std::string rest(space == std::string::npos ? std::string_view() : TrimSpace(std::string_view(text).substr(space)));
    std::vector<std::string> words;
    for (const std::string_view w : Split(rest, ' '))
      if (!w.empty()) words.emplace_back(w);
    const auto run = [&](int (*what)(const Options&), std::vector<std::string> args, std::string output = {}) {
      Options o = options_;
      o.args = std::move(args);
      o.output = std::move(output);
      if (what != RunExplain) o.times = {};
      return what(o);
    };
    const std::vector<std::string> whole = rest.empty() ? std::vector<std::string>() : std::vector<std::string>{rest};
    if (command == "help" || command == "h" || command == "?") return Print(kHelp);
    if (command == "d") return words.size() == 1 && rest.find('{') == std::string::npos ? Describe(rest) : run(RunMetrics, whole);
    if (command == "l") return run(RunLabels, whole);
    if (command == "s") return run(RunSeries, whole);
    if (command == "v") {
      if (words.empty()) return Fail({Errc::kInvalid, "\\v: want the name of a label"});
      const std::string matcher(TrimSpace(std::string_view(rest).substr(words[0].size())));
      return run(RunValues, matcher.empty() ? std::vector<std::string>{words[0]} : std::vector<std::string>{words[0], matcher});
    }
    if (command == "fmt") return run(RunFormat, whole);
    if (command == "check") {
      Options o = options_;
      o.args = whole;
      o.data_given = true;
      return RunCheck(o);
    }
    if (command == "explain" || command == "analyze") {
      Options o = options_;
      o.args = whole;
      o.output.clear();
      o.analyze = command == "analyze";
      return RunExplain(o);
    }
    if (command == "range" || command == "now") return SetTimes(command == "range", words);
    if (command == "o") {
      if (words.size() != 1) return Fail({Errc::kInvalid, "\\o: want one of table, json, jsonl, csv, tsv, prom, graph"});
      if (auto form = promql::ParseOutputForm(words[0]); !form) return Fail(form.error());
      options_.output = words[0];
      return 0;
    }
    if (command == "stats") {
      if (rest != "on" && rest != "off") return Fail({Errc::kInvalid, "\\stats: want on or off"});
      options_.stats = rest == "on";
      return 0;
    }
    if (command == "watch") {
      if (words.size() < 2) return Fail({Errc::kInvalid, "\\watch: want a duration and an expression: \\watch 5s up"});
      Options o = options_;
      o.watch = words[0];
      o.args = {std::string(TrimSpace(std::string_view(rest).substr(words[0].size())))};
      return RunQuery(o);
    }
    return Fail({Errc::kInvalid, "unknown command \\" + command + " (see \\help)"});
  }

  int Evaluate(const std::string& expr) {
    Options o = options_;
    o.args = {expr};
    return RunQuery(o);
  }

  // \d NAME: what is known of one metric, and its labels with how many values each has.
  int Describe(const std::string& name) {
    auto source = OpenSource(options_);
    if (!source) return Fail(source.error());
    api::LookupRequest request;
    request.selectors = {"{__name__=" + Quote(name) + "}"};
    auto found = (*source)->Metrics(request);
    if (!found) return Fail(found.error());
    if (found->empty()) return Fail({Errc::kNotFound, "no metric " + Quote(name)});
    auto labels = (*source)->LabelNames(request);
    if (!labels) return Fail(labels.error());
    const api::MetricInfo& m = (*found)[0];
    std::string out = m.name + "  " + std::string(MetricTypeName(m.metadata.type)) + (m.metadata.unit.empty() ? "" : ", in " + m.metadata.unit) + ", " + std::to_string(m.series) + " series\n";
    if (!m.metadata.help.empty()) out += m.metadata.help + "\n";
    for (const std::string& label : *labels) {
      if (label == kMetricName) continue;
      auto values = (*source)->LabelValues(label, request);
      if (!values) return Fail(values.error());
      std::string some;
      for (std::size_t i = 0; i < values->size() && i < 4; ++i) some += (i > 0 ? ", " : "") + (*values)[i];
      out += "  " + label + "  " + std::to_string(values->size()) + (values->size() == 1 ? " value: " : " values: ") + promql::CutText(promql::SafeText(some), 60) + (values->size() > 4 ? ", ..." : "") + "\n";
    }
    return Print(out);
  }

  int SetTimes(bool range, const std::vector<std::string>& words) {
    promql::TimeFlags times;
    if (range) {
      if (words.size() > 3) return Fail({Errc::kInvalid, "\\range: want at most a start, an end and a step"});
      times.start = words.empty() ? "-1h" : words[0];
      if (words.size() > 1) times.end = words[1];
      if (words.size() > 2) times.step = words[2];
    } else {
      if (words.size() > 1) return Fail({Errc::kInvalid, "\\now: want at most one time"});
      if (!words.empty()) times.time = words[0];
    }
    if (auto ok = promql::ResolveTimes(times, SystemClock().NowMs(), false); !ok) return Fail(ok.error());
    options_.times = times;
    return 0;
  }

  Options options_;
  Names names_;
  const bool terminal_;
  std::string pending_;  // lines of an expression that is not whole yet
  LineEditor editor_;
};

}  // namespace

int RunRepl(const Options& o) { return Repl(o).Run(); }

}  // namespace prom::cli
