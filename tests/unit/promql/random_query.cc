#include "random_query.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <map>

#include "base/number.h"

namespace prom::promql::reference {

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

double OddFloat(std::mt19937_64& random, double usual) {
  switch (random() % 24) {
    case 0: return NormalNan();
    case 1: return kInf;
    case 2: return -kInf;
    case 3: return -0.0;
    case 4: return 0.0;
    case 5: return 1.7e308;
    case 6: return -1.6e308;
    case 7: return 5e-324;
    case 8: return std::bit_cast<double>(std::uint64_t{0x7ff8000000000123});  // a NaN with a payload
    default: return usual;
  }
}

std::shared_ptr<const Histogram> RandomHistogram(std::mt19937_64& random, bool custom, double* level) {
  auto h = std::make_shared<Histogram>();
  h->is_float = random() % 2 == 0;
  const double unit = h->is_float ? 0.5 : 1;
  if (random() % 12 == 0) *level = 0;
  *level += static_cast<double>(random() % 4) * unit;
  std::vector<double>& buckets = h->positive_buckets;
  const std::size_t n = 1 + random() % 4;
  for (std::size_t i = 0; i < n; ++i) buckets.push_back(*level + static_cast<double>(random() % 3) * unit);
  if (custom) {
    h->schema = Histogram::kCustomSchema;
    h->custom_values = random() % 4 == 0 ? std::vector<double>{0.1, 1, 5, 25} : std::vector<double>{0.1, 1, 10, 25};
    h->positive_spans = {{0, static_cast<std::uint32_t>(n)}};
  } else {
    h->schema = static_cast<std::int32_t>(random() % 3);
    h->zero_threshold = random() % 4 == 0 ? 0.5 : 0.001;
    h->zero_count = static_cast<double>(random() % 3) * unit;
    h->positive_spans = {{static_cast<std::int32_t>(random() % 5) - 2, static_cast<std::uint32_t>(n)}};
    if (random() % 3 == 0) {
      h->negative_spans = {{0, 1}, {1, 1}};
      h->negative_buckets = {*level, unit};
    }
  }
  h->count = h->zero_count;
  for (double b : h->positive_buckets) h->count += b;
  for (double b : h->negative_buckets) h->count += b;
  h->sum = h->count * 1.3 - static_cast<double>(random() % 7);
  static constexpr Histogram::ResetHint kHints[] = {Histogram::ResetHint::kUnknown, Histogram::ResetHint::kUnknown, Histogram::ResetHint::kUnknown,
                                                    Histogram::ResetHint::kNotReset, Histogram::ResetHint::kReset, Histogram::ResetHint::kGauge};
  h->reset_hint = kHints[random() % 6];
  return h;
}

std::shared_ptr<const Histogram> StaleHistogram() {
  auto h = std::make_shared<Histogram>();
  h->sum = StaleNan();
  return h;
}

enum class Kind { kCounter, kGauge, kHistogram, kCustomHistogram, kMixed, kBucket, kOne };

void AddSeries(std::mt19937_64& random, const Labels& labels, Kind kind, std::map<Labels, StoredSeries>* out) {
  StoredSeries s{labels, {}};
  static constexpr std::int64_t kIntervals[] = {10'000, 15'000, 30'000, 60'000};
  const std::int64_t interval = kIntervals[random() % 4];
  std::int64_t t = static_cast<std::int64_t>(random() % 3) * 5'000 + (random() % 2 == 0 ? static_cast<std::int64_t>(random() % 900) : 0);
  if (random() % 6 == 0) t += static_cast<std::int64_t>(random() % 1'200'000);
  std::int64_t end = 2'400'000;
  if (random() % 6 == 0) end = static_cast<std::int64_t>(random() % 2'400'000);
  double counter = static_cast<double>(random() % 50), level = static_cast<double>(random() % 10);
  const bool tame = random() % 2 == 0;  // without odd values
  for (; t < end; t += interval) {
    if (random() % 40 == 0) t += static_cast<std::int64_t>(1 + random() % 40) * interval;
    const bool stale = random() % 30 == 0;
    Value v;
    counter = random() % 25 == 0 ? static_cast<double>(random() % 4) : counter + static_cast<double>(random() % 100) / 7;
    switch (kind) {
      case Kind::kCounter: v.f = tame ? counter : random() % 10 == 0 ? OddFloat(random, counter) : counter; break;
      case Kind::kGauge: {
        const double usual = (static_cast<double>(random() % 2001) - 1000) / (random() % 2 == 0 ? 3 : 8);
        v.f = tame ? usual : OddFloat(random, usual);
        break;
      }
      case Kind::kBucket: v.f = static_cast<double>(random() % 20); break;
      case Kind::kOne: v.f = 1; break;
      case Kind::kHistogram: v.h = RandomHistogram(random, false, &level); break;
      case Kind::kCustomHistogram: v.h = RandomHistogram(random, true, &level); break;
      case Kind::kMixed:
        if (random() % 8 != 0) {
          v.h = RandomHistogram(random, random() % 5 == 0, &level);
        } else {
          v.f = counter;
        }
        break;
    }
    if (stale) v = v.h ? Value{0, StaleHistogram()} : Value{StaleNan(), nullptr};
    s.samples.emplace_back(t, v);
  }
  if (!s.samples.empty()) out->insert_or_assign(labels, std::move(s));
}

}  // namespace

void RandomStore(std::mt19937_64& random, Store* store, MemoryStore* memory) {
  std::map<Labels, StoredSeries> all;
  const std::size_t instances = 1 + random() % 3;
  for (const char* job : {"api", "db"}) {
    for (std::size_t i = 0; i < instances; ++i) {
      const std::string instance = std::string(1, static_cast<char>('a' + i));
      auto make = [&](std::string_view name, std::initializer_list<std::pair<std::string_view, std::string_view>> more) {
        LabelsBuilder b;
        b.Set("__name__", name).Set("job", job).Set("instance", instance);
        for (const auto& [n, v] : more) b.Set(n, v);
        return b.Build();
      };
      for (const char* mode : {"r", "w"}) AddSeries(random, make("c_total", {{"mode", mode}}), Kind::kCounter, &all);
      AddSeries(random, make("g", {}), Kind::kGauge, &all);
      AddSeries(random, make("k", {}), Kind::kGauge, &all);
      AddSeries(random, make("h", {}), Kind::kHistogram, &all);
      AddSeries(random, make("n", {}), Kind::kCustomHistogram, &all);
      AddSeries(random, make("mixed", {}), Kind::kMixed, &all);
      for (const char* le : {"0.1", "1", "+Inf"}) AddSeries(random, make("b_bucket", {{"le", le}}), Kind::kBucket, &all);
      AddSeries(random, make("ver", {{"v", random() % 2 == 0 ? "1.2" : "2.10"}}), Kind::kOne, &all);
    }
  }
  for (auto& [labels, s] : all) {
    for (const auto& [t, v] : s.samples) {
      if (v.h) {
        memory->Append(labels, t, v.h);
      } else {
        memory->Append(labels, t, v.f);
      }
    }
    store->push_back(std::move(s));
  }
}

std::string QueryGenerator::Query() { return OneIn(12) ? Scalar(3) : Vector(3); }

std::string QueryGenerator::Selector() {
  static constexpr const char* kNames[] = {"c_total", "c_total", "g", "g", "k", "h", "h", "n", "mixed", "b_bucket", "ver", "nothing"};
  static constexpr const char* kMatchers[] = {"job=\"api\"", "job!=\"api\"", "instance=~\"a|b\"", "instance!~\"b.*\"", "mode=\"r\"", "mode=\"\"", "job=~\".+\"",
                                              "instance=\"a\"", "le=\"1\"", "nolabel=\"\"", "v=~\"1[.].*\""};
  std::string out;
  std::vector<std::string> matchers;
  if (OneIn(8)) {
    static constexpr const char* kSets[] = {"__name__=~\"g|k\"", "__name__=~\"c_total|g\"", "__name__=~\"h|n\"", "job=\"db\"", "__name__=~\"g|h|mixed\""};
    matchers.push_back(Pick(kSets));
  } else {
    out = Pick(kNames);
  }
  while (OneIn(3)) matchers.push_back(Pick(kMatchers));
  if (!matchers.empty()) {
    out += "{";
    for (std::size_t i = 0; i < matchers.size(); ++i) out += (i == 0 ? "" : ",") + matchers[i];
    out += "}";
  }
  return out;
}

std::string QueryGenerator::Modifiers(bool) {
  static constexpr const char* kOffsets[] = {" offset 1m", " offset 5m", " offset -2m", " offset 7s", " offset 100ms", " offset 20m"};
  static constexpr const char* kAts[] = {" @ 600", " @ 1200.5", " @ start()", " @ end()", " @ 0", " @ -60"};
  std::string out;
  if (OneIn(6)) out += Pick(kOffsets);
  if (OneIn(10)) out += Pick(kAts);
  return out;
}

std::string QueryGenerator::Range(int depth) {
  static constexpr const char* kRanges[] = {"[1m]", "[2m]", "[5m]", "[5m]", "[10m]", "[90s]", "[15s]", "[29s]", "[1ms]", "[40m]"};
  static constexpr const char* kSubqueries[] = {"[5m:1m]", "[2m:15s]", "[3m:]", "[10m:37s]", "[1m:7s]", "[30s:1m]", "[5m:90s]"};
  if (depth > 0 && OneIn(4)) return "(" + Vector(depth - 1) + ")" + Pick(kSubqueries) + Modifiers(true);
  return Selector() + Pick(kRanges) + Modifiers(false);
}

std::string QueryGenerator::RangeCall(int depth) {
  static constexpr const char* kFunctions[] = {
      "rate", "rate", "increase", "delta", "irate", "idelta", "sum_over_time", "avg_over_time", "min_over_time", "max_over_time", "count_over_time",
      "stddev_over_time", "stdvar_over_time", "last_over_time", "first_over_time", "present_over_time", "absent_over_time", "mad_over_time",
      "ts_of_min_over_time", "ts_of_max_over_time", "ts_of_first_over_time", "ts_of_last_over_time", "changes", "resets", "deriv"};
  switch (Below(14)) {
    case 0: return "quantile_over_time(" + Scalar(depth > 0 ? 1 : 0) + "," + Range(depth) + ")";
    case 1: return "predict_linear(" + Range(depth) + "," + Scalar(depth > 0 ? 1 : 0) + ")";
    case 2: return "double_exponential_smoothing(" + Range(depth) + ",0.3,0.7)";
    default: return std::string(Pick(kFunctions)) + "(" + Range(depth) + ")";
  }
}

std::string QueryGenerator::Grouping() {
  static constexpr const char* kGroupings[] = {"", "", " by (job)", " by (instance)", " by (job,mode)", " by ()", " without (instance)", " without (job,le)",
                                               " by (__name__)", " without ()", " by (le)", " by (job,le)"};
  return Pick(kGroupings);
}

std::string QueryGenerator::Aggregation(int depth) {
  static constexpr const char* kPlain[] = {"sum", "sum", "avg", "avg", "min", "max", "count", "group", "stddev", "stdvar"};
  static constexpr const char* kPicking[] = {"topk", "bottomk", "limitk"};
  static constexpr const char* kCounts[] = {"1", "2", "3", "0", "-1", "2.9", "100"};
  static constexpr const char* kRatios[] = {"0.5", "-0.5", "0", "1", "0.25", "-0.75", "3"};
  const std::string inner = Vector(depth - 1), grouping = Grouping();
  switch (Below(10)) {
    case 0: return "quantile" + grouping + " (" + Scalar(0) + "," + inner + ")";
    case 1: return "count_values" + grouping + " (\"val\"," + inner + ")";
    case 2: return "limit_ratio" + grouping + " (" + Pick(kRatios) + "," + inner + ")";
    case 3:
    case 4: return std::string(Pick(kPicking)) + grouping + " (" + Pick(kCounts) + "," + inner + ")";
    default: return std::string(Pick(kPlain)) + grouping + " (" + inner + ")";
  }
}

std::string QueryGenerator::Binary(int depth) {
  static constexpr const char* kArithmetic[] = {"+", "-", "*", "/", "%", "^", "atan2", "</", ">/"};
  static constexpr const char* kComparisons[] = {"==", "!=", "<", "<=", ">", ">="};
  static constexpr const char* kSets[] = {"and", "or", "unless"};
  static constexpr const char* kMatching[] = {"", "", "on (job,instance) ", "on (job) ", "ignoring (mode) ", "ignoring (le,v) ", "on () ", "ignoring (job) "};
  static constexpr const char* kGroups[] = {"group_left () ", "group_right () ", "group_left (v) ", "group_right (v) ", "group_left (mode) "};
  const bool comparison = OneIn(3);
  std::string op = comparison ? Pick(kComparisons) : Pick(kArithmetic);
  if (comparison && OneIn(3)) op += " bool";
  auto side = [&] { return "(" + Vector(depth - 1) + ")"; };
  switch (Below(8)) {
    case 7: {
      // Equal parts, which are evaluated once.
      const std::string one = OneIn(2) ? RangeCall(depth - 1) : Aggregation(depth - 1);
      return "(" + one + ") " + op + " " + Pick(kMatching) + "(" + one + ")";
    }
    case 0: return side() + " " + op + " " + Scalar(0);
    case 1: return Scalar(0) + " " + op + " " + side();
    case 2:
    case 3: {
      const std::string set = Pick(kSets);
      return side() + " " + set + " " + Pick(kMatching) + side();
    }
    case 4: return "(" + Selector() + ") " + op + " on (job,instance) group_left (v) ver";
    case 5: {
      // The same selector on both sides finds partners.
      const std::string one = Selector();
      return "(" + one + ") " + op + " " + Pick(kMatching) + "(" + one + ")";
    }
    default: {
      std::string matching = Pick(kMatching);
      if (!matching.empty() && OneIn(2)) matching += Pick(kGroups);
      return side() + " " + op + " " + matching + side();
    }
  }
}

std::string QueryGenerator::Histograms(int depth) {
  static constexpr const char* kFunctions[] = {"histogram_count", "histogram_sum", "histogram_avg", "histogram_stddev", "histogram_stdvar"};
  static constexpr const char* kArguments[] = {"h", "n", "mixed", "rate(h[5m])", "increase(n[3m])", "sum(rate(mixed[5m]))", "sum by (job) (h)", "avg(n)",
                                               "delta(h[4m])", "irate(h[2m])", "avg_over_time(h[3m])", "sum_over_time(n[2m])", "last_over_time(mixed[5m])"};
  static constexpr const char* kClassic[] = {"b_bucket", "rate(b_bucket[5m])", "sum by (le) (b_bucket)", "sum by (job,le) (rate(b_bucket[3m]))", "b_bucket or h"};
  switch (Below(3)) {
    case 0: return std::string(Pick(kFunctions)) + "(" + Pick(kArguments) + ")";
    case 1: return "histogram_quantile(" + Scalar(0) + "," + Pick(kClassic) + ")";
    default: return "histogram_quantile(" + Scalar(depth > 0 ? 1 : 0) + "," + (OneIn(2) ? Pick(kArguments) : Vector(depth - 1)) + ")";
  }
}

std::string QueryGenerator::Vector(int depth) {
  static constexpr const char* kMath[] = {"abs", "ceil", "floor", "exp", "sqrt", "ln", "log2", "log10", "sin", "cos", "tan", "asin", "acos", "atan", "sinh",
                                          "cosh", "tanh", "asinh", "acosh", "atanh", "rad", "deg", "sgn", "timestamp", "absent", "round"};
  static constexpr const char* kDates[] = {"minute", "hour", "day_of_week", "day_of_month", "day_of_year", "days_in_month", "month", "year"};
  static constexpr const char* kLabelCalls[] = {
      "\"new\",\"x-$1\",\"job\",\"(.).*\"", "\"job\",\"\",\"instance\",\"a\"", "\"instance\",\"z\",\"\",\"\"", "\"__name__\",\"renamed\",\"mode\",\"r\"",
      "\"job\",\"$1\",\"instance\",\"(.*)\""};
  static constexpr const char* kJoins[] = {"\"new\",\"-\",\"job\",\"instance\"", "\"job\",\"\",\"mode\"", "\"__name__\",\"_\",\"job\""};
  if (depth <= 0) return OneIn(3) ? RangeCall(0) : Selector() + Modifiers(false);
  switch (Below(17)) {
    case 0:
    case 1: return Selector() + Modifiers(false);
    case 2:
    case 3:
    case 4: return RangeCall(depth);
    case 5:
    case 6:
    case 7: return Aggregation(depth);
    case 8:
    case 9:
    case 10: return Binary(depth);
    case 11: return std::string(Pick(kMath)) + "(" + Vector(depth - 1) + ")";
    case 12: return Histograms(depth);
    case 13:
      switch (Below(5)) {
        case 0: return "clamp(" + Vector(depth - 1) + "," + Scalar(0) + "," + Scalar(0) + ")";
        case 1: return "clamp_min(" + Vector(depth - 1) + "," + Scalar(0) + ")";
        case 2: return "clamp_max(" + Vector(depth - 1) + "," + Scalar(0) + ")";
        case 3: return "round(" + Vector(depth - 1) + "," + Scalar(0) + ")";
        default: return std::string(OneIn(2) ? "sort" : "sort_desc") + "(" + Vector(depth - 1) + ")";
      }
    case 14: return "label_replace(" + Vector(depth - 1) + "," + Pick(kLabelCalls) + ")";
    case 15:
      switch (Below(4)) {
        case 0: return "label_join(" + Vector(depth - 1) + "," + Pick(kJoins) + ")";
        case 1: return std::string(Pick(kDates)) + "()";
        case 2: return std::string(Pick(kDates)) + "(clamp(" + Vector(depth - 1) + ",-1e9,4e9))";
        default: return "vector(" + Scalar(depth - 1) + ")";
      }
    default: return "-(" + Vector(depth - 1) + ")";
  }
}

std::string QueryGenerator::Scalar(int depth) {
  static constexpr const char* kNumbers[] = {"0", "1", "2", "0.5", "0.9", "-1", "3.7", "1e3", "NaN", "Inf", "-Inf", "1.5", "0.25", "10", "60"};
  if (depth <= 0) return Pick(kNumbers);
  static constexpr const char* kOperators[] = {"+", "-", "*", "/", "%", "^", "atan2", "== bool", "< bool", ">= bool"};
  switch (Below(6)) {
    case 0: return "time()";
    case 1: return "scalar(" + Vector(depth - 1) + ")";
    case 2: return "(" + Scalar(depth - 1) + " " + Pick(kOperators) + " " + Scalar(depth - 1) + ")";
    case 3: return OneIn(2) ? "pi()" : "(-" + Scalar(depth - 1) + ")";
    default: return Pick(kNumbers);
  }
}

}  // namespace prom::promql::reference
