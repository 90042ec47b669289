#include "reference_eval.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numbers>
#include <set>

#include <re2/re2.h>

#include "base/number.h"
#include "promql/ast_walk.h"
#include "promql/histogram_math.h"

namespace prom::promql::reference {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();
using HistogramPtr = std::shared_ptr<const Histogram>;

Error Invalid(std::string text) { return Error{Errc::kInvalid, std::move(text)}; }

const Expr& Inner(const Expr& e) { return e.kind == NodeKind::kParen ? Inner(*As<ParenExpr>(e).expr) : e; }

bool IsStale(const Value& v) { return IsStaleNan(v.h ? v.h->sum : v.f); }

// Go's math.Max and math.Min: an infinity wins over NaN, NaN over all else; 0 and -0 are told apart.
double GoMax(double a, double b) {
  if (a == kInf || b == kInf) return kInf;
  if (std::isnan(a) || std::isnan(b)) return kNaN;
  if (a == 0 && b == 0) return std::signbit(a) ? b : a;
  return std::max(a, b);
}
double GoMin(double a, double b) {
  if (a == -kInf || b == -kInf) return -kInf;
  if (std::isnan(a) || std::isnan(b)) return kNaN;
  if (a == 0 && b == 0) return std::signbit(a) ? a : b;
  return std::min(a, b);
}

Labels Only(const Labels& labels, const std::vector<std::string>& names) {
  LabelsBuilder b(labels);
  b.Keep(names);
  return b.Build();
}
Labels Without(const Labels& labels, const std::vector<std::string>& names) {
  LabelsBuilder b(labels);
  for (const std::string& name : names) b.Del(name);
  return b.Build();
}
Labels WithoutName(const Labels& labels) { return Without(labels, {"__name__", "__type__", "__unit__"}); }

double Arithmetic(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::kAdd: return a + b;
    case BinaryOp::kSub: return a - b;
    case BinaryOp::kMul: return a * b;
    case BinaryOp::kDiv: return a / b;
    case BinaryOp::kMod: return std::fmod(a, b);
    case BinaryOp::kPow: return std::pow(a, b);
    case BinaryOp::kAtan2: return std::atan2(a, b);
    default: return kNaN;
  }
}
bool Compares(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::kEq: return a == b;
    case BinaryOp::kNe: return a != b;
    case BinaryOp::kLt: return a < b;
    case BinaryOp::kLe: return a <= b;
    case BinaryOp::kGt: return a > b;
    default: return a >= b;
  }
}

// One element of an operation between a and b; nothing when the two do not go together. `kept`: a comparison holds.
std::optional<Value> Element(BinaryOp op, const Value& a, const Value& b, bool* kept) {
  *kept = true;
  if (!a.h && !b.h) {
    if (IsComparison(op)) {
      *kept = Compares(op, a.f, b.f);
      return a;
    }
    if (op == BinaryOp::kTrimUpper || op == BinaryOp::kTrimLower) return {};
    return Value{Arithmetic(op, a.f, b.f), nullptr};
  }
  auto histogram = [](std::shared_ptr<Histogram> h) { return std::optional<Value>(Value{0, CompactHistogram(std::move(h))}); };
  if (a.h && b.h) {
    if (op == BinaryOp::kEq || op == BinaryOp::kNe) {
      *kept = EqualHistograms(*a.h, *b.h) == (op == BinaryOp::kEq);
      return a;
    }
    if (op != BinaryOp::kAdd && op != BinaryOp::kSub) return {};
    auto sum = std::make_shared<Histogram>(*a.h);
    const HistogramNotes notes = op == BinaryOp::kAdd ? AddHistogram(sum.get(), *b.h) : SubtractHistogram(sum.get(), *b.h);
    if (notes.incompatible || notes.reset_collision) return {};
    if (op == BinaryOp::kSub) sum->reset_hint = Histogram::ResetHint::kGauge;
    return histogram(sum);
  }
  if (op == BinaryOp::kMul) return histogram(a.h ? MultiplyHistogram(*a.h, b.f) : MultiplyHistogram(*b.h, a.f));
  if (!a.h) return {};
  if (op == BinaryOp::kDiv) return histogram(DivideHistogram(*a.h, b.f));
  if (op == BinaryOp::kTrimUpper || op == BinaryOp::kTrimLower) return Value{0, TrimHistogram(*a.h, b.f, op == BinaryOp::kTrimUpper)};
  return {};
}

// Whether the name goes is decided by the sample that comes first.
std::size_t FirstStep(const Series& s) {
  std::size_t k = 0;
  while (k < s.at.size() && !s.at[k]) ++k;
  return k;
}

// Series of equal labels put into one, unless both have a sample at some step.
Result<Matrix> Unite(Matrix in) {
  Matrix out;
  std::map<Labels, std::size_t> known;
  bool clash = false;
  for (const Series& s : in) clash |= !known.emplace(s.labels, 0).second;
  if (!clash) return in;
  known.clear();
  for (Series& s : in) {
    if (s.empty()) continue;
    auto [it, fresh] = known.emplace(s.labels, out.size());
    if (fresh) {
      out.push_back(std::move(s));
      continue;
    }
    if (FirstStep(s) < FirstStep(out[it->second])) out[it->second].drop_name = s.drop_name;
    for (std::size_t k = 0; k < s.at.size(); ++k) {
      if (!s.at[k]) continue;
      if (out[it->second].at[k]) return SameLabelset();
      out[it->second].at[k] = s.at[k];
    }
  }
  return out;
}

struct Bucket {
  double bound, count;
};

double ClassicQuantile(double q, std::vector<Bucket> in) {
  if (std::isnan(q)) return kNaN;
  if (q < 0) return -kInf;
  if (q > 1) return kInf;
  std::stable_sort(in.begin(), in.end(), [](const Bucket& a, const Bucket& b) { return a.bound < b.bound; });
  if (in.back().bound != kInf) return kNaN;
  std::vector<Bucket> b;
  for (const Bucket& one : in) {
    if (!b.empty() && b.back().bound == one.bound) {
      b.back().count += one.count;
    } else {
      b.push_back(one);
    }
  }
  // Counts may not fall; nearly equal ones are rounding.
  double before = b[0].count;
  for (std::size_t i = 1; i < b.size(); ++i) {
    const double now = b[i].count;
    bool same = now == before || (std::isnan(now) && std::isnan(before));
    if (!same) {
      const double sum = std::fabs(now) + std::fabs(before), diff = std::fabs(now - before);
      constexpr double kMinNormal = 2.2250738585072014e-308;
      same = now == 0 || before == 0 || sum < kMinNormal ? diff < 1e-12 * kMinNormal : diff / std::min(sum, std::numeric_limits<double>::max()) < 1e-12;
    }
    if (same || now < before) {
      b[i].count = before;
    } else {
      before = now;
    }
  }
  if (b.size() < 2 || b.back().count == 0) return kNaN;
  const double rank = q * b.back().count;
  std::size_t i = 0;
  while (i + 1 < b.size() && !(b[i].count >= rank)) ++i;
  if (i == b.size() - 1) return b[i - 1].bound;
  if (i == 0 && b[0].bound <= 0) return b[0].bound;
  if (i == 0) return 0 + (b[0].bound - 0) * (rank / b[0].count);
  return b[i - 1].bound + (b[i].bound - b[i - 1].bound) * ((rank - b[i - 1].count) / (b[i].count - b[i - 1].count));
}

class Evaluator {
 public:
  Evaluator(const Store& store, const Options& options, const Steps& query) : store_(store), options_(options), query_(query) {}

  Result<Matrix> Eval(const Expr& expr, const Steps& steps) {
    switch (expr.kind) {
      case NodeKind::kNumber: return Scalar(steps, [&](std::size_t) { return As<NumberLiteral>(expr).value; });
      case NodeKind::kParen: return Eval(*As<ParenExpr>(expr).expr, steps);
      case NodeKind::kSelector: return Select(As<VectorSelector>(expr), steps, false);
      case NodeKind::kAggregate: return Aggregate(As<AggregateExpr>(expr), steps);
      case NodeKind::kBinary: return Binary(As<BinaryExpr>(expr), steps);
      case NodeKind::kCall: return Call(As<CallExpr>(expr), steps);
      case NodeKind::kUnary: {
        const auto& unary = As<UnaryExpr>(expr);
        PROM_ASSIGN(Matrix m, Eval(*unary.expr, steps));
        if (!unary.negative) return m;
        DropNames(&m);
        for (Series& s : m) {
          for (auto& v : s.at) {
            if (v) v = v->h ? Value{0, MultiplyHistogram(*v->h, -1)} : Value{-v->f, nullptr};
          }
        }
        return Unite(std::move(m));
      }
      default: return Invalid("not evaluated by the reference");
    }
  }

  // The names that were to be removed at the end.
  Result<Matrix> Finish(Matrix m) {
    if (!options_.delayed_name_removal) return m;
    for (Series& s : m) {
      if (s.drop_name) s.labels = WithoutName(s.labels);
    }
    return Unite(std::move(m));
  }

 private:
  template <typename Fn>
  Matrix Scalar(const Steps& steps, Fn&& fn) {
    Series s;
    for (std::size_t k = 0; k < steps.count; ++k) s.at.push_back(Value{fn(k), nullptr});
    if (steps.count == 0) return {};
    return {s};
  }

  // The scalar argument at every step.
  Result<std::vector<double>> Numbers(const Expr& expr, const Steps& steps) {
    PROM_ASSIGN(const Matrix m, Eval(expr, steps));
    std::vector<double> out;
    for (std::size_t k = 0; k < steps.count; ++k) out.push_back(m[0].at[k]->f);
    return out;
  }

  void DropNames(Matrix* m) {
    for (Series& s : *m) {
      if (!options_.delayed_name_removal) s.labels = WithoutName(s.labels);
      s.drop_name = true;
    }
  }

  // Where a selector or subquery looks at step time t.
  std::int64_t At(const TimeModifiers& time, std::int64_t t) const {
    if (time.at == AtModifier::kTimestamp) t = time.at_ms;
    if (time.at == AtModifier::kStart) t = query_.start_ms;
    if (time.at == AtModifier::kEnd) t = query_.At(query_.count - 1);
    return t - time.offset_ms;
  }

  const re2::RE2& Regex(const std::string& text) {
    std::unique_ptr<re2::RE2>& slot = regexes_[text];
    if (!slot) slot = std::make_unique<re2::RE2>("(?s:" + text + ")");
    return *slot;
  }

  bool Matches(const VectorSelector& selector, const Labels& labels) {
    return std::all_of(selector.matchers.begin(), selector.matchers.end(), [&](const Matcher& m) {
      const std::string value(labels.Get(m.name()));
      if (m.type() == Matcher::Type::kEqual) return value == m.value();
      if (m.type() == Matcher::Type::kNotEqual) return value != m.value();
      const bool found = re2::RE2::FullMatch(value, Regex(m.value()));
      return found == (m.type() == Matcher::Type::kRegex);
    });
  }

  Result<Matrix> Select(const VectorSelector& selector, const Steps& steps, bool timestamp) {
    Matrix out;
    for (const StoredSeries& stored : store_) {
      if (!Matches(selector, stored.labels)) continue;
      Series s{stored.labels, false, {}};
      for (std::size_t k = 0; k < steps.count; ++k) {
        const std::int64_t at = At(selector.time, steps.At(k));
        const std::pair<std::int64_t, Value>* newest = nullptr;
        for (const auto& sample : stored.samples) {
          if (sample.first <= at && sample.first > at - options_.lookback_ms) newest = &sample;
        }
        s.at.emplace_back();
        if (newest == nullptr || IsStale(newest->second)) continue;
        s.at.back() = timestamp ? Value{static_cast<double>(newest->first) / 1000, nullptr} : newest->second;
      }
      out.push_back(std::move(s));
    }
    return out;
  }

  struct RangeSeries {
    Labels labels;
    bool drop_name = false;
    std::vector<Window> at;
  };

  // The windows of a range selector or subquery, one a step.
  Result<std::vector<RangeSeries>> Windows(const Expr& range, const Steps& steps) {
    std::vector<RangeSeries> out;
    if (range.kind == NodeKind::kMatrix) {
      const auto& matrix = As<MatrixSelector>(range);
      for (const StoredSeries& stored : store_) {
        if (!Matches(*matrix.selector, stored.labels)) continue;
        out.push_back({stored.labels, false, Cut(stored.samples, matrix.selector->time, matrix.range_ms, steps)});
      }
      return out;
    }
    const auto& subquery = As<SubqueryExpr>(range);
    const std::int64_t step = subquery.step_ms != 0 ? subquery.step_ms : options_.subquery_step_ms;
    const std::int64_t after = At(subquery.time, steps.At(0)) - subquery.range_ms, end = At(subquery.time, steps.At(steps.count - 1));
    Steps inner{(after / step) * step, step, 0};
    if (inner.start_ms <= after) inner.start_ms += step;
    while (inner.At(inner.count) <= end) ++inner.count;
    if (inner.count == 0) return out;
    PROM_ASSIGN(const Matrix m, Eval(*subquery.expr, inner));
    for (const Series& s : m) {
      std::vector<std::pair<std::int64_t, Value>> samples;
      for (std::size_t k = 0; k < inner.count; ++k) {
        if (!s.at[k]) continue;
        Value v = *s.at[k];
        if (v.h && (v.h->reset_hint == Histogram::ResetHint::kReset || v.h->reset_hint == Histogram::ResetHint::kNotReset)) {
          auto copy = std::make_shared<Histogram>(*v.h);
          copy->reset_hint = Histogram::ResetHint::kUnknown;  // it was said of other neighbours
          v.h = copy;
        }
        samples.emplace_back(inner.At(k), v);
      }
      out.push_back({s.labels, s.drop_name, Cut(samples, subquery.time, subquery.range_ms, steps)});
    }
    return out;
  }

  std::vector<Window> Cut(const std::vector<std::pair<std::int64_t, Value>>& samples, const TimeModifiers& time, std::int64_t range_ms,
                          const Steps& steps) const {
    std::vector<Window> out;
    for (std::size_t k = 0; k < steps.count; ++k) {
      Window w;
      w.eval_ms = steps.At(k);
      w.end_ms = At(time, w.eval_ms);
      w.start_ms = w.end_ms - range_ms;
      w.range_ms = range_ms;
      for (const auto& [t, v] : samples) {
        if (t <= w.start_ms || t > w.end_ms || IsStale(v)) continue;
        if (v.h) {
          w.histograms.emplace_back(t, v.h);
        } else {
          w.floats.emplace_back(t, v.f);
        }
      }
      out.push_back(std::move(w));
    }
    return out;
  }

  Result<Matrix> RangeCall(const CallExpr& call, const Expr& range, const Steps& steps) {
    const std::string_view name = call.function->name;
    std::vector<std::vector<double>> arguments;
    for (const ExprPtr& arg : call.args) {
      if (arg->type() != ValueType::kScalar) continue;
      PROM_ASSIGN(std::vector<double> numbers, Numbers(*arg, steps));
      arguments.push_back(std::move(numbers));
    }
    PROM_ASSIGN(const std::vector<RangeSeries> in, Windows(range, steps));
    Matrix out;
    for (const RangeSeries& from : in) {
      const bool keeps = name == "last_over_time" || name == "first_over_time";
      Series s{from.labels, !keeps || from.drop_name, {}};
      if (s.drop_name && !options_.delayed_name_removal) s.labels = WithoutName(s.labels);
      for (std::size_t k = 0; k < steps.count; ++k) {
        std::vector<double> scalars;
        for (const auto& numbers : arguments) scalars.push_back(numbers[k]);
        s.at.push_back(RangeFunction(name == "absent_over_time" ? "present_over_time" : name, from.at[k], scalars));
      }
      out.push_back(std::move(s));
    }
    if (name == "absent_over_time") return Absent(out, range, steps);
    if (options_.delayed_name_removal) return out;
    std::set<Labels> seen;
    for (const Series& s : out) {
      if (!s.empty() && !seen.insert(s.labels).second) return SameLabelset();
    }
    return out;
  }

  Matrix Absent(const Matrix& in, const Expr& arg, const Steps& steps) {
    Series s;
    const VectorSelector* selector = arg.kind == NodeKind::kSelector ? &As<VectorSelector>(arg) : nullptr;
    if (arg.kind == NodeKind::kMatrix) selector = As<MatrixSelector>(arg).selector.get();
    if (selector != nullptr) {
      // The first = on a label sets it; whatever comes after takes it away again.
      LabelsBuilder b;
      std::set<std::string> set_before;
      for (const Matcher& m : selector->matchers) {
        if (m.name() == "__name__") continue;
        const bool sets = m.type() == Matcher::Type::kEqual && set_before.insert(m.name()).second;
        b.Set(m.name(), sets ? m.value() : "");
      }
      s.labels = b.Build();
    }
    for (std::size_t k = 0; k < steps.count; ++k) {
      const bool any = std::any_of(in.begin(), in.end(), [&](const Series& one) { return one.at[k].has_value(); });
      s.at.push_back(any ? std::nullopt : std::optional<Value>(Value{1, nullptr}));
    }
    if (s.empty()) return {};
    return {s};
  }

  Result<Matrix> Call(const CallExpr& call, const Steps& steps) {
    const std::string_view name = call.function->name;
    if (name == "time") return Scalar(steps, [&](std::size_t k) { return static_cast<double>(steps.At(k)) / 1000; });
    if (name == "pi") return Scalar(steps, [&](std::size_t) { return std::numbers::pi; });
    for (const ExprPtr& arg : call.args) {
      if (arg->type() == ValueType::kMatrix) return RangeCall(call, Inner(*arg), steps);
    }
    if (name == "scalar") {
      PROM_ASSIGN(const Matrix m, Eval(*call.args[0], steps));
      return Scalar(steps, [&](std::size_t k) {
        std::vector<double> floats;
        for (const Series& s : m) {
          if (s.at[k] && !s.at[k]->h) floats.push_back(s.at[k]->f);
        }
        return floats.size() == 1 ? floats[0] : kNaN;
      });
    }
    if (name == "min_of" || name == "max_of") {
      PROM_ASSIGN(const std::vector<double> a, Numbers(*call.args[0], steps));
      PROM_ASSIGN(const std::vector<double> b, Numbers(*call.args[1], steps));
      return Scalar(steps, [&](std::size_t k) { return name == "min_of" ? GoMin(a[k], b[k]) : GoMax(a[k], b[k]); });
    }
    if (name == "vector") return Eval(*call.args[0], steps);
    if (call.args.empty()) {  // hour() and the like
      return Scalar(steps, [&](std::size_t k) {
        double out = 0;
        MathFunction(name, static_cast<double>(steps.At(k)) / 1000, &out);
        return out;
      });
    }
    if (name == "histogram_quantile") {
      PROM_ASSIGN(const std::vector<double> q, Numbers(*call.args[0], steps));
      PROM_ASSIGN(const Matrix m, Eval(*call.args[1], steps));
      return HistogramQuantiles(q, m, steps);
    }

    const Expr& first = Inner(*call.args[0]);
    Matrix m;
    if (name == "timestamp" && first.kind == NodeKind::kSelector) {
      PROM_ASSIGN(m, Select(As<VectorSelector>(first), steps, true));
      DropNames(&m);
      return Unite(std::move(m));
    }
    PROM_ASSIGN(m, Eval(first, steps));
    if (name == "absent") return Absent(m, first, steps);
    if (name == "label_replace" || name == "label_join") return LabelCall(call, std::move(m));
    if (name == "sort" || name == "sort_desc") return Sorted(std::move(m), name == "sort_desc", steps.count == 1 || SameAtEveryStep(first));

    std::vector<std::vector<double>> numbers;
    for (std::size_t i = 1; i < call.args.size(); ++i) {
      PROM_ASSIGN(std::vector<double> one, Numbers(*call.args[i], steps));
      numbers.push_back(std::move(one));
    }
    DropNames(&m);
    for (Series& s : m) {
      for (std::size_t k = 0; k < steps.count; ++k) {
        std::optional<Value>& v = s.at[k];
        if (!v) continue;
        if (name == "timestamp") {
          v = Value{static_cast<double>(steps.At(k)) / 1000, nullptr};
        } else if (name.starts_with("histogram_")) {
          if (!v->h) {
            v.reset();
            continue;
          }
          const Histogram& h = *v->h;
          const double f = name == "histogram_count" ? h.count
                           : name == "histogram_sum" ? h.sum
                           : name == "histogram_avg" ? h.sum / h.count
                           : name == "histogram_stdvar" ? HistogramVariance(h)
                                                        : std::sqrt(HistogramVariance(h));
          v = Value{f, nullptr};
        } else if (v->h) {
          v.reset();
        } else if (name == "clamp" || name == "clamp_min" || name == "clamp_max") {
          const double low = name == "clamp_max" ? -kInf : numbers[0][k];
          const double high = name == "clamp" ? numbers[1][k] : name == "clamp_max" ? numbers[0][k] : kInf;
          if (high < low) {
            v.reset();
          } else {
            v->f = GoMax(low, GoMin(high, v->f));
          }
        } else if (name == "round") {
          const double inverse = 1 / (numbers.empty() ? 1.0 : numbers[0][k]);
          v->f = std::floor(v->f * inverse + 0.5) / inverse;
        } else if (!MathFunction(name, v->f, &v->f)) {
          return Invalid("function unknown to the reference: " + std::string(name));
        }
      }
    }
    return Unite(std::move(m));
  }

  Result<Matrix> HistogramQuantiles(const std::vector<double>& q, const Matrix& m, const Steps& steps) {
    Matrix out;
    std::map<Labels, std::size_t> by_labels;
    auto add = [&](const Labels& labels, std::size_t k, double v) -> Result<void> {
      const Labels result = options_.delayed_name_removal ? labels : WithoutName(labels);
      auto [it, fresh] = by_labels.emplace(result, out.size());
      if (fresh) out.push_back({result, true, std::vector<std::optional<Value>>(steps.count)});
      std::optional<Value>& slot = out[it->second].at[k];
      if (slot) return SameLabelset();
      slot = Value{v, nullptr};
      return {};
    };
    for (std::size_t k = 0; k < steps.count; ++k) {
      std::vector<std::pair<Labels, std::vector<Bucket>>> classic;
      std::vector<std::pair<Labels, HistogramPtr>> native;
      for (const Series& s : m) {
        if (!s.at[k]) continue;
        if (s.at[k]->h) {
          native.emplace_back(s.labels, s.at[k]->h);
          continue;
        }
        const std::optional<double> bound = ParseFloat(s.labels.Get("le"));
        if (!bound) continue;
        const Labels group = Without(s.labels, {"le"});
        auto it = std::find_if(classic.begin(), classic.end(), [&](const auto& c) { return c.first == group; });
        if (it == classic.end()) it = classic.insert(classic.end(), {group, {}});
        it->second.push_back({*bound, s.at[k]->f});
      }
      for (auto& [labels, h] : native) {
        auto it = std::find_if(classic.begin(), classic.end(), [&](const auto& c) { return c.first == labels; });
        if (it == classic.end()) continue;
        classic.erase(it);  // both forms: neither counts
        h = nullptr;
      }
      for (const auto& [labels, h] : native) {
        HistogramNanNote note{};
        if (h) PROM_TRY(add(labels, k, HistogramQuantile(q[k], *h, &note)));
      }
      for (const auto& [labels, buckets] : classic) PROM_TRY(add(labels, k, ClassicQuantile(q[k], buckets)));
    }
    return out;
  }

  Result<Matrix> LabelCall(const CallExpr& call, Matrix m) {
    std::vector<std::string> text;
    for (std::size_t i = 1; i < call.args.size(); ++i) text.push_back(As<StringLiteral>(Inner(*call.args[i])).value);
    for (Series& s : m) {
      std::string value;
      if (call.function->name == "label_join") {
        for (std::size_t i = 2; i < text.size(); ++i) value += (i > 2 ? text[1] : "") + std::string(s.labels.Get(text[i]));
      } else {
        // Generated regexes have one group at most, and replacements name it as $1.
        std::string source(s.labels.Get(text[2])), group;
        const re2::RE2& regex = Regex(text[3]);
        const bool matched = regex.NumberOfCapturingGroups() > 0 ? re2::RE2::FullMatch(source, regex, &group) : re2::RE2::FullMatch(source, regex);
        if (!matched) continue;
        value = text[1];
        if (const std::size_t at = value.find("$1"); at != std::string::npos) value.replace(at, 2, group);
      }
      LabelsBuilder b(s.labels);
      b.Set(text[0], value);
      s.labels = b.Build();
      if (text[0] == "__name__") s.drop_name = false;
    }
    return Unite(std::move(m));
  }

  // Upstream evaluates such a part once, as an instant query of its own, where sort() has an effect.
  static bool SameAtEveryStep(const Expr& expr) {
    const auto all = [](const Expr& e) {
      bool same = true;
      ForEachChild(e, [&](const Expr& child) { same &= SameAtEveryStep(child); });
      return same;
    };
    if (expr.kind == NodeKind::kSelector) return As<VectorSelector>(expr).time.at != AtModifier::kNone;
    if (expr.kind == NodeKind::kSubquery) return As<SubqueryExpr>(expr).time.at != AtModifier::kNone;
    if (expr.kind == NodeKind::kAggregate) return SameAtEveryStep(*As<AggregateExpr>(expr).expr);  // the parameter does not count
    if (expr.kind != NodeKind::kCall) return all(expr);
    static const std::set<std::string_view> kOfTheStep = {"days_in_month", "day_of_month", "day_of_week", "day_of_year", "hour", "minute", "month", "year", "predict_linear", "time", "timestamp"};
    const auto& call = As<CallExpr>(expr);
    const bool of_sample = call.function->name == "timestamp" && Inner(*call.args[0]).kind == NodeKind::kSelector;
    return (of_sample || !kOfTheStep.contains(call.function->name)) && all(expr);
  }

  // `once`: there is one step, or all are the same.
  Matrix Sorted(Matrix m, bool descending, bool once) {
    for (Series& s : m) {
      for (auto& v : s.at) {
        if (v && v->h) v.reset();
      }
    }
    std::erase_if(m, [](const Series& s) { return s.empty(); });
    if (!once) return m;
    std::stable_sort(m.begin(), m.end(), [&](const Series& a, const Series& b) {
      const double x = a.at[0]->f, y = b.at[0]->f;
      if (std::isnan(x) || std::isnan(y)) return !std::isnan(x);
      return descending ? x > y : x < y;
    });
    return m;
  }

  Result<Matrix> Aggregate(const AggregateExpr& expr, const Steps& steps) {
    std::vector<double> param(steps.count, 0);
    std::string label;
    if (expr.op == AggregateOp::kCountValues) {
      label = As<StringLiteral>(Inner(*expr.param)).value;
    } else if (expr.param) {
      PROM_ASSIGN(param, Numbers(*expr.param, steps));
    }
    PROM_ASSIGN(Matrix in, Eval(*expr.expr, steps));
    std::erase_if(in, [](const Series& s) { return s.empty(); });
    auto group_labels = [&](const Labels& labels) {
      if (!expr.without) return Only(labels, expr.grouping);
      std::vector<std::string> names = expr.grouping;
      names.emplace_back("__name__");
      return Without(labels, names);
    };
    std::vector<Labels> groups;
    std::vector<std::size_t> group_of;
    for (const Series& s : in) {
      const Labels labels = group_labels(s.labels);
      auto it = std::find(groups.begin(), groups.end(), labels);
      group_of.push_back(static_cast<std::size_t>(it - groups.begin()));
      if (it == groups.end()) groups.push_back(labels);
    }
    switch (expr.op) {
      case AggregateOp::kTopk:
      case AggregateOp::kBottomk:
      case AggregateOp::kLimitk:
      case AggregateOp::kLimitRatio: return Pick(expr.op, param, in, group_of, groups.size(), steps);
      case AggregateOp::kCountValues: return CountValues(expr, label, in, group_labels, steps);
      default: break;
    }
    Matrix out;
    for (std::size_t g = 0; g < groups.size(); ++g) {
      Series s{groups[g], false, {}};
      for (std::size_t k = 0; k < steps.count; ++k) {
        std::vector<double> floats;
        std::vector<HistogramPtr> histograms;
        for (std::size_t i = 0; i < in.size(); ++i) {
          if (group_of[i] != g || !in[i].at[k]) continue;
          s.drop_name |= in[i].drop_name;
          if (in[i].at[k]->h) {
            histograms.push_back(in[i].at[k]->h);
          } else {
            floats.push_back(in[i].at[k]->f);
          }
        }
        s.at.push_back(AggregateStep(expr.op, param[k], floats, histograms));
      }
      out.push_back(std::move(s));
    }
    return out;
  }

  static std::optional<Value> AggregateStep(AggregateOp op, double param, const std::vector<double>& floats, const std::vector<HistogramPtr>& histograms) {
    if (floats.empty() && histograms.empty()) return {};
    auto number = [](double f) { return std::optional<Value>(Value{f, nullptr}); };
    if (op == AggregateOp::kCount) return number(static_cast<double>(floats.size() + histograms.size()));
    if (op == AggregateOp::kGroup) return number(1);
    if (op == AggregateOp::kSum || op == AggregateOp::kAvg) {
      const bool average = op == AggregateOp::kAvg;
      if (!floats.empty() && !histograms.empty()) return {};
      if (!histograms.empty()) {
        HistogramAverage sum;
        for (const HistogramPtr& h : histograms) {
          if (sum.Add(*h, average).incompatible) return {};
        }
        return Value{0, average ? sum.Average() : sum.Sum()};
      }
      Kahan sum{floats[0], 0};
      if (average) {
        // The same steps as over time, over series.
        Window w;
        for (double f : floats) w.floats.emplace_back(0, f);
        return RangeFunction("avg_over_time", w, {});
      }
      for (std::size_t i = 1; i < floats.size(); ++i) sum.Add(floats[i]);
      return number(sum.sum + sum.c);
    }
    if (floats.empty()) return {};
    if (op == AggregateOp::kQuantile) return number(Quantile(param, floats));
    if (op == AggregateOp::kMin || op == AggregateOp::kMax) {
      double best = floats[0];
      for (double f : floats) {
        if ((op == AggregateOp::kMax ? best < f : best > f) || std::isnan(best)) best = f;
      }
      return number(best);
    }
    double count = 0, mean = 0, m2 = 0;
    for (double f : floats) {
      if (++count == 1) {
        mean = f;
        m2 = std::isnan(f) || std::isinf(f) ? kNaN : 0;
        continue;
      }
      const double delta = f - mean;
      mean += delta / count;
      m2 += delta * (f - mean);
    }
    return number(op == AggregateOp::kStddev ? std::sqrt(m2 / count) : m2 / count);
  }

  // topk, bottomk, limitk, limit_ratio.
  Result<Matrix> Pick(AggregateOp op, const std::vector<double>& param, const Matrix& in, const std::vector<std::size_t>& group_of, std::size_t groups,
                      const Steps& steps) {
    const bool ratio = op == AggregateOp::kLimitRatio;
    double low = kInf, high = -kInf;
    bool nan = false;
    for (double p : param) {
      nan |= std::isnan(p);
      low = std::min(low, p);
      high = std::max(high, p);
    }
    if (nan) low = high = kNaN;
    if (ratio) {
      if (low == 0 && high == 0) return Matrix{};
      if (nan) return Invalid("Ratio value is NaN");
    } else {
      if (high < 1) return Matrix{};
      if (nan) return Invalid("Parameter value is NaN");
      if (low <= -9223372036854775808.0) return Invalid("Scalar value " + FormatFloatG(low) + " underflows int64");
      if (high >= 9223372036854775808.0) return Invalid("Scalar value " + FormatFloatG(high) + " overflows int64");
    }
    Matrix out;
    std::map<std::size_t, std::size_t> output_of;
    auto keep = [&](std::size_t i, std::size_t k) {
      auto [it, fresh] = output_of.emplace(i, out.size());
      if (fresh) out.push_back({in[i].labels, in[i].drop_name, std::vector<std::optional<Value>>(steps.count)});
      out[it->second].at[k] = in[i].at[k];
    };
    if (ratio) {
      for (std::size_t i = 0; i < in.size(); ++i) {
        const double place = static_cast<double>(in[i].labels.Hash()) / 18446744073709551616.0;
        for (std::size_t k = 0; k < steps.count; ++k) {
          const double r = std::clamp(param[k], -1.0, 1.0);
          if (in[i].at[k] && (r >= 0 ? place < r : place >= 1 + r)) keep(i, k);
        }
      }
      return out;
    }
    for (std::size_t k = 0; k < steps.count; ++k) {
      for (std::size_t g = 0; g < groups; ++g) {
        std::vector<std::size_t> members;
        for (std::size_t i = 0; i < in.size(); ++i) {
          if (group_of[i] == g && in[i].at[k] && (op == AggregateOp::kLimitk || !in[i].at[k]->h)) members.push_back(i);
        }
        if (op != AggregateOp::kLimitk) {
          std::stable_sort(members.begin(), members.end(), [&](std::size_t a, std::size_t b) {
            const double x = in[a].at[k]->f, y = in[b].at[k]->f;
            if (std::isnan(x) || std::isnan(y)) return !std::isnan(x);
            return op == AggregateOp::kTopk ? x > y : x < y;
          });
        }
        for (std::size_t n = 0; n < members.size() && static_cast<double>(n) + 1 <= param[k]; ++n) keep(members[n], k);
      }
    }
    return out;
  }

  template <typename GroupLabels>
  Matrix CountValues(const AggregateExpr& expr, const std::string& label, const Matrix& in, GroupLabels&& group_labels, const Steps& steps) {
    Matrix out;
    for (std::size_t k = 0; k < steps.count; ++k) {
      for (const Series& s : in) {
        if (!s.at[k]) continue;
        const std::string text = s.at[k]->h ? HistogramText(*s.at[k]->h) : FormatFloatF(s.at[k]->f);
        LabelsBuilder b(s.labels);
        b.Set(label, text);
        Labels labels = group_labels(b.Build());
        if (!expr.without) labels = LabelsBuilder(labels).Set(label, text).Build();
        auto it = std::find_if(out.begin(), out.end(), [&](const Series& o) { return o.labels == labels; });
        if (it == out.end()) it = out.insert(out.end(), {labels, false, std::vector<std::optional<Value>>(steps.count)});
        it->at[k] = Value{it->at[k] ? it->at[k]->f + 1 : 1, nullptr};
      }
    }
    return out;
  }

  Result<Matrix> Binary(const BinaryExpr& expr, const Steps& steps) {
    PROM_ASSIGN(Matrix lhs, Eval(*expr.lhs, steps));
    PROM_ASSIGN(Matrix rhs, Eval(*expr.rhs, steps));
    const bool left_scalar = expr.lhs->type() == ValueType::kScalar, right_scalar = expr.rhs->type() == ValueType::kScalar;
    if (steps.count == 0) return Matrix{};
    if (left_scalar && right_scalar) {
      return Scalar(steps, [&](std::size_t k) {
        const double a = lhs[0].at[k]->f, b = rhs[0].at[k]->f;
        return IsComparison(expr.op) ? static_cast<double>(Compares(expr.op, a, b)) : Arithmetic(expr.op, a, b);
      });
    }
    if (left_scalar || right_scalar) return WithScalar(expr, right_scalar ? std::move(lhs) : std::move(rhs), right_scalar ? rhs[0] : lhs[0], left_scalar);
    return IsSetOperator(expr.op) ? Sets(expr, std::move(lhs), rhs, steps) : Matched(expr, lhs, rhs, steps);
  }

  Result<Matrix> WithScalar(const BinaryExpr& expr, Matrix m, const Series& scalar, bool swapped) {
    if (!IsComparison(expr.op) || expr.return_bool) {
      // Trims keep the metric what it is.
      if (expr.op != BinaryOp::kTrimLower && expr.op != BinaryOp::kTrimUpper) DropNames(&m);
    }
    for (Series& s : m) {
      for (std::size_t k = 0; k < s.at.size(); ++k) {
        if (!s.at[k]) continue;
        const Value vector = *s.at[k];
        bool kept = false;
        std::optional<Value> r = swapped ? Element(expr.op, *scalar.at[k], vector, &kept) : Element(expr.op, vector, *scalar.at[k], &kept);
        if (r && expr.return_bool) {
          r = Value{kept ? 1.0 : 0.0, nullptr};
        } else if (r && !kept) {
          r.reset();
        } else if (r && IsComparison(expr.op)) {
          r = vector;  // a filter gives the vector's value on whichever side it stands
        }
        s.at[k] = r;
      }
    }
    return Unite(std::move(m));
  }

  // What matching compares of a series.
  static Labels Signature(const VectorMatching& matching, const Labels& labels) {
    if (matching.on) return Only(labels, matching.labels);
    std::vector<std::string> names = matching.labels;
    names.emplace_back("__name__");
    return Without(labels, names);
  }

  Result<Matrix> Sets(const BinaryExpr& expr, Matrix lhs, const Matrix& rhs, const Steps& steps) {
    auto at_step = [&](const Matrix& m, std::size_t k) {
      std::set<Labels> out;
      for (const Series& s : m) {
        if (s.at[k]) out.insert(Signature(*expr.matching, s.labels));
      }
      return out;
    };
    Matrix added = rhs;
    std::erase_if(lhs, [](const Series& s) { return s.empty(); });
    for (std::size_t k = 0; k < steps.count; ++k) {
      if (expr.op == BinaryOp::kOr) {
        const std::set<Labels> left = at_step(lhs, k);
        for (Series& s : added) {
          if (left.contains(Signature(*expr.matching, s.labels))) s.at[k].reset();
        }
        continue;
      }
      const std::set<Labels> right = at_step(rhs, k);
      for (Series& s : lhs) {
        if (right.contains(Signature(*expr.matching, s.labels)) != (expr.op == BinaryOp::kAnd)) s.at[k].reset();
      }
    }
    if (expr.op != BinaryOp::kOr) return lhs;
    for (Series& s : added) {
      if (s.empty()) continue;
      auto it = std::find_if(lhs.begin(), lhs.end(), [&](const Series& l) { return l.labels == s.labels; });
      if (it == lhs.end()) {
        lhs.push_back(std::move(s));
        continue;
      }
      if (FirstStep(s) < FirstStep(*it)) it->drop_name = s.drop_name;
      for (std::size_t k = 0; k < steps.count; ++k) {
        if (s.at[k]) it->at[k] = s.at[k];
      }
    }
    return lhs;
  }

  Result<Matrix> Matched(const BinaryExpr& expr, const Matrix& lhs, const Matrix& rhs, const Steps& steps) {
    const VectorMatching& matching = *expr.matching;
    const bool swapped = matching.card == Cardinality::kOneToMany, one_to_one = matching.card == Cardinality::kOneToOne;
    const Matrix &many = swapped ? rhs : lhs, &one = swapped ? lhs : rhs;
    Matrix out;
    std::vector<std::size_t> first_many;  // by which the output is ordered
    for (std::size_t k = 0; k < steps.count; ++k) {
      auto present = [&](const Series& s) { return s.at[k].has_value(); };
      if (std::none_of(many.begin(), many.end(), present) || std::none_of(one.begin(), one.end(), present)) continue;
      std::map<Labels, const Series*> partner;
      for (const Series& s : one) {
        if (!s.at[k]) continue;
        const Labels signature = Signature(matching, s.labels);
        auto [it, fresh] = partner.emplace(signature, &s);
        if (fresh) continue;
        std::string a = s.labels.ToString(), b = it->second->labels.ToString();
        if (b < a) std::swap(a, b);
        return Invalid("found duplicate series for the match group " + signature.ToString() + " on the " + (swapped ? "left" : "right") +
                       " hand-side of the operation: [" + a + ", " + b + "];many-to-many matching not allowed: matching labels must be unique on one side");
      }
      std::set<Labels> matched;
      std::map<Labels, std::set<Labels>> results;
      for (std::size_t i = 0; i < many.size(); ++i) {
        if (!many[i].at[k]) continue;
        const Labels signature = Signature(matching, many[i].labels);
        auto it = partner.find(signature);
        if (it == partner.end()) continue;
        const Series& other = *it->second;
        bool kept = false;
        const std::optional<Value> r =
            swapped ? Element(expr.op, *other.at[k], *many[i].at[k], &kept) : Element(expr.op, *many[i].at[k], *other.at[k], &kept);
        if (!r) continue;
        LabelsBuilder b(many[i].labels);
        const bool arithmetic = !IsComparison(expr.op) && expr.op != BinaryOp::kTrimLower && expr.op != BinaryOp::kTrimUpper;
        if (arithmetic || (expr.return_bool && !options_.delayed_name_removal)) b.Reset(WithoutName(many[i].labels));
        if (one_to_one && matching.on) b.Keep(matching.labels);
        if (one_to_one && !matching.on) {
          for (const std::string& name : matching.labels) b.Del(name);
        }
        for (const std::string& name : matching.include) b.Set(name, other.labels.Get(name));
        const Labels labels = b.Build();
        if (one_to_one && !matched.insert(signature).second) {
          return Invalid("multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)");
        }
        if (!one_to_one && !results[signature].insert(labels).second) {
          return Invalid("multiple matches for labels: grouping labels must ensure unique matches");
        }
        if (!kept && !expr.return_bool) continue;
        auto slot = std::find_if(out.begin(), out.end(), [&](const Series& s) { return s.labels == labels; });
        if (slot == out.end()) {
          first_many.push_back(i);
          slot = out.insert(out.end(), {labels, expr.return_bool, std::vector<std::optional<Value>>(steps.count)});
        }
        std::size_t& order = first_many[static_cast<std::size_t>(slot - out.begin())];
        order = std::min(order, i);
        if (slot->at[k]) return SameLabelset();
        slot->at[k] = expr.return_bool ? Value{kept ? 1.0 : 0.0, nullptr} : *r;
      }
    }
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < out.size(); ++i) order.push_back(i);
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return first_many[a] < first_many[b]; });
    Matrix sorted;
    for (std::size_t i : order) sorted.push_back(std::move(out[i]));
    return sorted;
  }

  const Store& store_;
  const Options& options_;
  const Steps query_;
  std::map<std::string, std::unique_ptr<re2::RE2>> regexes_;
};

}  // namespace

bool Series::empty() const {
  return std::none_of(at.begin(), at.end(), [](const std::optional<Value>& v) { return v.has_value(); });
}

Error SameLabelset() { return Error{Errc::kInvalid, "vector cannot contain metrics with the same labelset"}; }

Result<Matrix> Evaluate(const Store& store, const Options& options, const Expr& expr, const Steps& steps) {
  Evaluator evaluator(store, options, steps);
  PROM_ASSIGN(Matrix m, evaluator.Eval(expr, steps));
  return evaluator.Finish(std::move(m));
}

}  // namespace prom::promql::reference
