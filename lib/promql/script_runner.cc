#include "promql/script_runner.h"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <sstream>

#include <re2/re2.h>

#include "base/number.h"
#include "base/strings.h"
#include "base/time.h"
#include "promql/ast_walk.h"
#include "promql/engine.h"
#include "promql/exec/kernels.h"
#include "promql/histogram_math.h"
#include "promql/memory_store.h"
#include "promql/parse.h"
#include "promql/script_load.h"
#include "promql/series_notation.h"

namespace prom::promql {

namespace {

constexpr double kEpsilon = 1e-6;
constexpr std::int64_t kMaxSamples = 10'000;

EngineOptions TestOptions() {
  EngineOptions options;
  options.max_samples = kMaxSamples;
  options.timeout_ms = 100'000;
  options.delayed_name_removal = true;
  options.use_start_timestamps = true;
  options.parse.experimental_functions = true;
  options.parse.duration_expressions = true;
  options.parse.extended_ranges = true;
  options.parse.fill_modifiers = true;
  return options;
}

enum class Expect { kOrdered, kFail, kWarn, kNoWarn, kInfo, kNoInfo };
struct Expectation {
  Expect type = Expect::kFail;
  bool is_regex = false;
  std::string text;  // message or regex; an empty regex matches all
  bool Matches(const std::string& s) const { return is_regex ? text.empty() || re2::RE2::PartialMatch(s, text) : s == text; }
};

struct Eval {
  int line = 0;
  std::string expr;
  bool range = false;
  std::int64_t start_ms = 0, end_ms = 0, step_ms = 0;  // start = end: the time of an instant evaluation
  std::vector<Expectation> expectations;
  struct Series {
    int position = 0;
    std::vector<SeriesValue> values;
  };
  std::map<Labels, Series> series;
  std::optional<double> scalar;
  std::string string;
  bool matrix_expected = false;     // expect range vector: with the times below
  std::int64_t matrix_start_ms = 0, matrix_end_ms = 0, matrix_step_ms = 0;
  bool not_in_range_query = false;  // a string or range vector has no form there

  bool Has(Expect type) const {
    return std::any_of(expectations.begin(), expectations.end(), [type](const Expectation& e) { return e.type == type; });
  }
};

bool SameHistogram(const Histogram& want, const Histogram& got, bool compare_hint) {
  auto near = [](double a, double b) { return AlmostEqual(a, b, kEpsilon); };
  Histogram a = want, b = got;
  CompactInPlace(&a);
  CompactInPlace(&b);
  if (a.schema != b.schema || !near(a.count, b.count) || !near(a.sum, b.sum)) return false;
  if (a.uses_custom_buckets() && a.custom_values != b.custom_values) return false;
  if (a.zero_threshold != b.zero_threshold || !near(a.zero_count, b.zero_count)) return false;
  if (a.positive_spans != b.positive_spans || a.negative_spans != b.negative_spans) return false;
  auto all_near = [&](const std::vector<double>& x, const std::vector<double>& y) { return std::equal(x.begin(), x.end(), y.begin(), y.end(), near); };
  if (!all_near(a.positive_buckets, b.positive_buckets) || !all_near(a.negative_buckets, b.negative_buckets)) return false;
  return !compare_hint || want.reset_hint == got.reset_hint;
}

std::string ValueText(const SeriesValue& v) { return v.omitted ? "_" : v.histogram ? HistogramNotation(*v.histogram) : FormatFloatG(v.value); }

std::string SeriesText(const ResultSeries& s) {
  std::string out;
  for (const FloatSample& f : s.floats) out += (out.empty() ? "" : ", ") + FormatFloatG(f.v) + " @[" + std::to_string(f.t_ms) + "]";
  for (const HistogramSample& h : s.histograms) out += (out.empty() ? "" : ", ") + HistogramNotation(*h.h) + " @[" + std::to_string(h.t_ms) + "]";
  return "[" + out + "]";
}

// Each function below gives the reason for a failure, or nothing.
using Failure = std::optional<std::string>;

Failure CompareValue(const Labels& labels, const SeriesValue& want, const ResultSeries& got) {
  const bool got_histogram = !got.histograms.empty();
  if (static_cast<bool>(want.histogram) != got_histogram) return "expected " + ValueText(want) + " for " + labels.ToString() + " but got " + SeriesText(got);
  if (want.histogram) {
    if (SameHistogram(*want.histogram, *got.histograms[0].h, want.reset_hint_set)) return {};
  } else if (AlmostEqual(want.value, got.floats[0].v, kEpsilon)) {
    return {};
  }
  return "expected " + ValueText(want) + " for " + labels.ToString() + " but got " + SeriesText(got);
}

Failure CompareVector(const Eval& eval, const std::vector<ResultSeries>& got) {
  if (eval.scalar) return "expected a scalar, but got a vector";
  std::map<Labels, bool> seen;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const auto it = eval.series.find(got[i].labels);
    if (it == eval.series.end()) return "unexpected metric " + got[i].labels.ToString() + " in result, has value " + SeriesText(got[i]);
    if (eval.Has(Expect::kOrdered) && it->second.position != static_cast<int>(i) + 1) {
      return "expected metric " + got[i].labels.ToString() + " at position " + std::to_string(it->second.position) + " but was at " + std::to_string(i + 1);
    }
    if (Failure f = CompareValue(got[i].labels, it->second.values[0], got[i])) return f;
    seen[got[i].labels] = true;
  }
  for (const auto& [labels, series] : eval.series) {
    if (!seen.contains(labels)) return "expected metric " + labels.ToString() + " with " + ValueText(series.values[0]) + " not found";
  }
  return {};
}

Failure CompareMatrix(const Eval& eval, const std::vector<ResultSeries>& got) {
  if (eval.Has(Expect::kOrdered)) return "expected ordered result, but query returned a matrix";
  if (eval.scalar) return "expected a scalar, but got a matrix";
  const std::int64_t start = eval.matrix_expected ? eval.matrix_start_ms : eval.start_ms;
  const std::int64_t end = eval.matrix_expected ? eval.matrix_end_ms : eval.end_ms;
  const std::int64_t step = eval.matrix_expected ? eval.matrix_step_ms : eval.step_ms;
  for (std::size_t i = 1; i < got.size(); ++i) {
    if (got[i].labels < got[i - 1].labels) return "series of a matrix are not sorted: " + got[i].labels.ToString() + " comes after " + got[i - 1].labels.ToString();
  }
  std::map<Labels, bool> seen;
  for (const ResultSeries& s : got) {
    const auto it = eval.series.find(s.labels);
    if (it == eval.series.end()) return "unexpected metric " + s.labels.ToString() + " in result, has " + SeriesText(s);
    seen[s.labels] = true;
    std::size_t floats = 0, histograms = 0;
    const std::vector<SeriesValue>& values = it->second.values;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::int64_t t = start + static_cast<std::int64_t>(i) * step;
      if (t > end) return "expected " + std::to_string(values.size()) + " points for " + s.labels.ToString() + ", but the query's time range has fewer";
      if (values[i].omitted) continue;
      const std::string where = " at t=" + std::to_string(t) + " for " + s.labels.ToString() + ", result has " + SeriesText(s);
      if (values[i].histogram) {
        if (histograms >= s.histograms.size() || s.histograms[histograms].t_ms != t ||
            !SameHistogram(*values[i].histogram, *s.histograms[histograms].h, values[i].reset_hint_set)) {
          return "expected " + ValueText(values[i]) + where;
        }
        ++histograms;
      } else {
        if (floats >= s.floats.size() || s.floats[floats].t_ms != t || !AlmostEqual(values[i].value, s.floats[floats].v, kEpsilon)) {
          return "expected " + ValueText(values[i]) + where;
        }
        ++floats;
      }
    }
    if (floats != s.floats.size() || histograms != s.histograms.size()) {
      return "expected " + std::to_string(floats) + " floats and " + std::to_string(histograms) + " histograms for " + s.labels.ToString() + ", but got " + SeriesText(s);
    }
  }
  for (const auto& [labels, series] : eval.series) {
    if (!seen.contains(labels)) return "expected metric " + labels.ToString() + " not found";
  }
  return {};
}

Failure CompareResult(const Eval& eval, const QueryResult& got) {
  switch (got.type) {
    case ValueType::kMatrix: return CompareMatrix(eval, got.series);
    case ValueType::kVector: return CompareVector(eval, got.series);
    case ValueType::kScalar:
      if (!eval.scalar) return "expected a vector or matrix, but got scalar " + FormatFloatG(got.series[0].floats[0].v);
      if (!AlmostEqual(*eval.scalar, got.series[0].floats[0].v, kEpsilon)) {
        return "expected scalar " + FormatFloatG(*eval.scalar) + " but got " + FormatFloatG(got.series[0].floats[0].v);
      }
      return {};
    case ValueType::kString:
      if (eval.string != got.text) return "expected string " + Quote(eval.string) + " but got " + Quote(got.text);
      return {};
    case ValueType::kNone: break;
  }
  return "result without a type";
}

Failure CompareAnnotations(const Eval& eval, Expect type, Expect none, const char* word, const std::vector<std::string>& got) {
  const std::string found = got.empty() ? "none" : Join(got, "; ");
  if (eval.Has(none) && !got.empty()) return std::string("unexpected ") + word + " annotations: " + found;
  if (!eval.Has(type)) return {};
  for (const Expectation& e : eval.expectations) {
    if (e.type != type) continue;
    if (std::none_of(got.begin(), got.end(), [&](const std::string& s) { return e.Matches(s); })) {
      return std::string("expected ") + word + " annotation " + (e.text.empty() ? "" : "matching " + Quote(e.text) + " ") + "but found: " + found;
    }
  }
  for (const std::string& s : got) {
    if (std::none_of(eval.expectations.begin(), eval.expectations.end(), [&](const Expectation& e) { return e.type == type && e.Matches(s); })) {
      return std::string("unexpected ") + word + " annotation: " + s;
    }
  }
  return {};
}

// An error of a query against what the script expects; `done`: it was expected, nothing is left to compare.
Failure CompareError(const Eval& eval, const Error& error) {
  for (const Expectation& e : eval.expectations) {
    if (e.type != Expect::kFail) continue;
    if (!e.Matches(error.message)) return "expected error " + Quote(e.text) + ", but got: " + error.message;
    return {};
  }
  return "error: " + error.message;
}

bool DependsOnEvaluationTime(std::string_view name) {
  for (std::string_view unsafe : {"days_in_month", "day_of_month", "day_of_week", "day_of_year", "end", "hour", "minute", "month", "year",
                                  "predict_linear", "range", "start", "step", "time", "timestamp"}) {
    if (unsafe == name) return true;
  }
  return false;
}

// Puts "@ t" on all selectors, and on subqueries instead of what they hold. False when the result would depend on the evaluation time still.
bool PinSelectors(Expr& e, std::int64_t t_ms) {
  auto pin = [t_ms](TimeModifiers& time) {
    if (time.at == AtModifier::kTimestamp) return;
    time.at = AtModifier::kTimestamp;
    time.at_ms = t_ms;
  };
  switch (e.kind) {
    case NodeKind::kSelector: pin(As<VectorSelector>(e).time); return true;
    case NodeKind::kMatrix: pin(As<MatrixSelector>(e).selector->time); return true;
    case NodeKind::kSubquery: pin(As<SubqueryExpr>(e).time); return true;
    case NodeKind::kCall:
      if (DependsOnEvaluationTime(As<CallExpr>(e).function->name)) return false;
      break;
    default: break;
  }
  bool ok = true;
  ForEachChildSlot(e, [&](ExprPtr& child) { ok = PinSelectors(*child, t_ms) && ok; });
  return ok;
}

class Script {
 public:
  Script(std::string_view text, ScriptResult* result) : result_(result), engine_(TestOptions()) {
    for (std::string_view line : Split(text, '\n')) {
      line = TrimSpace(line);
      lines_.emplace_back(line.starts_with("#") ? std::string_view() : line);
    }
  }

  void Run() {
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      if (lines_[i].empty()) continue;
      const std::string word = ToLower(lines_[i].substr(0, lines_[i].find_first_of(" \t")));
      const std::size_t first = i;
      Failure failure;
      if (word == "clear") {
        store_.Clear();
      } else if (word.starts_with("load")) {
        std::size_t end = i + 1;
        while (end < lines_.size() && !lines_[end].empty()) ++end;
        if (auto loaded = LoadScriptBlock(std::span(lines_).subspan(i, end - i), &store_); !loaded) failure = loaded.error().message;
        i = end - 1;
      } else if (word.starts_with("eval")) {
        Eval eval;
        failure = ParseEval(&i, &eval);
        if (!failure) {
          failure = eval.range ? RunRange(eval) : RunInstant(eval);
          Report(eval.line, lines_[first], std::move(failure));
          continue;
        }
      } else {
        failure = "invalid command " + Quote(lines_[i]);
      }
      if (failure) {
        // What cannot be read counts as failed, and the rest of its block is skipped.
        Report(static_cast<int>(first) + 1, lines_[first], std::move(failure));
        while (i + 1 < lines_.size() && !lines_[i + 1].empty()) ++i;
      }
    }
  }

 private:
  void Report(int line, const std::string& text, Failure failure) {
    ScriptCase& c = result_->cases.emplace_back();
    c.line = line;
    c.text = text;
    c.passed = !failure;
    if (failure) c.message = result_->file + ":" + std::to_string(line) + ": " + text + ": " + *failure;
    ++(c.passed ? result_->passed : result_->failed);
  }

  Failure ParseTimes(const std::string& from, const std::string& to, const std::string& step, std::int64_t out[3]) {
    const std::string* texts[3] = {&from, &to, &step};
    for (int n = 0; n < 3; ++n) {
      auto ms = ParseDuration(*texts[n]);
      if (!ms) return ms.error().message;
      out[n] = *ms;
    }
    if (out[1] < out[0]) return "end timestamp (" + to + ") is before start timestamp (" + from + ")";
    return {};
  }

  Failure ParseEval(std::size_t* i, Eval* eval) {
    static const re2::RE2 kInstant(R"(^eval(?:_(fail|warn|ordered|info))?\s+instant\s+(?:at\s+(.+?))?\s+(.+)$)");
    static const re2::RE2 kRange(R"(^eval(?:_(fail|warn|info))?\s+range\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+?)\s+(.+)$)");
    std::string mode, at, from, to, step;
    eval->line = static_cast<int>(*i) + 1;
    if (re2::RE2::FullMatch(lines_[*i], kInstant, &mode, &at, &eval->expr)) {
      auto ms = ParseDuration(at);
      if (!ms) return "invalid timestamp definition " + Quote(at) + ": " + ms.error().message;
      eval->start_ms = eval->end_ms = *ms;
    } else if (re2::RE2::FullMatch(lines_[*i], kRange, &mode, &from, &to, &step, &eval->expr)) {
      std::int64_t times[3];
      if (Failure f = ParseTimes(from, to, step, times)) return f;
      eval->range = true;
      eval->start_ms = times[0];
      eval->end_ms = times[1];
      eval->step_ms = times[2];
    } else {
      return std::string("invalid evaluation command");
    }
    Expectation any;
    any.is_regex = true;
    if (mode == "fail") any.type = Expect::kFail;
    if (mode == "warn") any.type = Expect::kWarn;
    if (mode == "info") any.type = Expect::kInfo;
    if (mode == "ordered") any.type = Expect::kOrdered;
    if (!mode.empty()) eval->expectations.push_back(any);

    int position = 0;
    while (*i + 1 < lines_.size() && !lines_[*i + 1].empty()) {
      const std::string& line = lines_[++*i];
      if (mode == "fail" && line.starts_with("expected_fail_message")) {
        eval->expectations[0] = {Expect::kFail, false, std::string(TrimSpace(std::string_view(line).substr(21)))};
        continue;
      }
      if (mode == "fail" && line.starts_with("expected_fail_regexp")) {
        eval->expectations[0] = {Expect::kFail, true, std::string(TrimSpace(std::string_view(line).substr(20)))};
        continue;
      }
      if (line == "expect" || line.starts_with("expect ")) {
        if (Failure f = ParseExpect(line, eval)) return f;
        continue;
      }
      if (auto number = ParseFloat(line)) {
        eval->scalar = *number;
        continue;
      }
      auto series = ParseSeriesDescription(line);
      if (!series) return "line " + std::to_string(*i + 1) + ": " + series.error().message;
      if (!eval->range && !eval->matrix_expected && series->values.size() > 1) {
        return std::string("expecting multiple values in instant evaluation not allowed");
      }
      if (series->values.empty()) return "line " + std::to_string(*i + 1) + ": no value";
      eval->series[series->labels] = {++position, std::move(series->values)};
    }
    return {};
  }

  Failure ParseExpect(const std::string& line, Eval* eval) {
    static const re2::RE2 kVector(R"(^expect range vector\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+)$)");
    static const re2::RE2 kExpect(R"(^expect\s+(ordered|fail|warn|no_warn|info|no_info)(?:\s+(regex|msg):(.+))?$)");
    std::string a, b, c;
    if (line.starts_with("expect range vector")) {
      if (!re2::RE2::FullMatch(line, kVector, &a, &b, &c)) return "invalid range vector definition " + Quote(line);
      std::int64_t times[3];
      if (Failure f = ParseTimes(a, b, c, times)) return f;
      eval->matrix_expected = eval->not_in_range_query = true;
      eval->matrix_start_ms = times[0];
      eval->matrix_end_ms = eval->start_ms = eval->end_ms = times[1];
      eval->matrix_step_ms = times[2];
      return {};
    }
    if (line.starts_with("expect string")) {
      auto text = UnquoteString(TrimSpace(std::string_view(line).substr(13)));
      if (!text) return "expected string literal not valid: " + text.error().message;
      eval->string = *text;
      eval->not_in_range_query = true;
      return {};
    }
    if (!re2::RE2::FullMatch(line, kExpect, &a, &b, &c)) return "invalid expect statement " + Quote(line);
    static const std::map<std::string, Expect> kTypes = {{"ordered", Expect::kOrdered}, {"fail", Expect::kFail}, {"warn", Expect::kWarn},
                                                         {"no_warn", Expect::kNoWarn},  {"info", Expect::kInfo}, {"no_info", Expect::kNoInfo}};
    Expectation e{kTypes.at(a), b != "msg", std::string(TrimSpace(c))};
    if (e.is_regex && !e.text.empty()) {
      re2::RE2::Options quiet;
      quiet.set_log_errors(false);
      if (!re2::RE2(e.text, quiet).ok()) return "invalid regex " + e.text;
    }
    eval->expectations.push_back(std::move(e));
    if ((eval->Has(Expect::kInfo) && eval->Has(Expect::kNoInfo)) || (eval->Has(Expect::kWarn) && eval->Has(Expect::kNoWarn))) {
      return std::string("invalid expect lines: an annotation and none of it");
    }
    return {};
  }

  Failure CheckAll(const Eval& eval, const QueryResult& got) {
    if (Failure f = CompareAnnotations(eval, Expect::kWarn, Expect::kNoWarn, "warn", got.warnings)) return f;
    if (Failure f = CompareAnnotations(eval, Expect::kInfo, Expect::kNoInfo, "info", got.infos)) return f;
    return CompareResult(eval, got);
  }

  Failure RunRange(const Eval& eval) {
    QueryControl control;
    auto got = engine_.Range(store_, eval.expr, eval.start_ms, eval.end_ms, eval.step_ms, control);
    if (!got) return CompareError(eval, got.error());
    if (eval.Has(Expect::kFail)) return std::string("expected an error but got none");
    return CheckAll(eval, *got);
  }

  Failure RunInstant(const Eval& eval) {
    auto parsed = ParseExpr(eval.expr, engine_.options().parse);
    if (!parsed) return CompareError(eval, parsed.error());
    if (Failure f = RunInstantAt(eval, **parsed, eval.start_ms)) return f;
    const ExprPtr pinned = Clone(**parsed);
    const std::int64_t t = eval.start_ms;
    if (!PinSelectors(*pinned, t)) return {};
    const std::vector<std::int64_t> times = t == 0 ? std::vector<std::int64_t>{-1000, 0, 1000} : std::vector<std::int64_t>{-10 * t, 0, t / 5, t, 10 * t};
    for (std::int64_t at : times) {
      if (Failure f = RunInstantAt(eval, *pinned, at)) return "with @ " + std::to_string(t) + " ms, evaluated at " + std::to_string(at) + " ms: " + *f;
    }
    return {};
  }

  Failure RunInstantAt(const Eval& eval, const Expr& expr, std::int64_t at_ms) {
    QueryControl control;
    auto got = engine_.InstantExpr(store_, expr, eval.expr, at_ms, control);
    if (!got) return CompareError(eval, got.error());
    if (eval.Has(Expect::kFail)) return std::string("expected an error but got none");
    if (Failure f = CheckAll(eval, *got)) return f;
    static const re2::RE2 kQueryFunctions(R"((start|end|range|step)\(\))");
    if (eval.not_in_range_query || re2::RE2::PartialMatch(eval.expr, kQueryFunctions)) return {};

    auto range = engine_.RangeExpr(store_, expr, eval.expr, at_ms - 60'000, at_ms + 60'000, 60'000, control);
    if (!range) return "in a range query: error: " + range.error().message;
    if (eval.Has(Expect::kOrdered)) return {};
    QueryResult middle;  // the step at `at_ms` alone
    middle.type = got->type;
    for (ResultSeries& s : range->series) {
      ResultSeries one;
      one.labels = s.labels;
      for (const FloatSample& f : s.floats) {
        if (f.t_ms == at_ms) one.floats.push_back(f);
      }
      for (const HistogramSample& h : s.histograms) {
        if (h.t_ms == at_ms) one.histograms.push_back(h);
      }
      if (!one.floats.empty() || !one.histograms.empty()) middle.series.push_back(std::move(one));
    }
    if (Failure f = CompareResult(eval, middle)) return "in a range query: " + *f;
    return {};
  }

  ScriptResult* result_;
  Engine engine_;
  MemoryStore store_;
  std::vector<std::string> lines_;
};

}  // namespace

ScriptResult RunScript(std::string_view text, std::string_view file) {
  ScriptResult result;
  result.file = std::string(file);
  Script(text, &result).Run();
  return result;
}

Result<ScriptResult> RunScriptFile(const std::string& path) {
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) return Error{errno == ENOENT ? Errc::kNotFound : Errc::kIo, path + ": " + ErrnoText(errno)};
  return RunScript(text.str(), path);
}

}  // namespace prom::promql
