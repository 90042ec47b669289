// The functions of PromQL 3.14: one line each, so that "what does it take?" is
// one look. What they compute is in functions/.
#include <string_view>
#include <unordered_map>

#include "promql/ast.h"

namespace prom::promql {
namespace {

constexpr ValueType S = ValueType::kScalar;
constexpr ValueType V = ValueType::kVector;
constexpr ValueType M = ValueType::kMatrix;
constexpr ValueType T = ValueType::kString;
constexpr bool kExperimental = true;

std::vector<FunctionSignature> MakeTable() {
  return {
      // Instant vector, element by element.
      {"abs", {V}, 0, V}, {"ceil", {V}, 0, V}, {"floor", {V}, 0, V}, {"exp", {V}, 0, V},
      {"ln", {V}, 0, V}, {"log2", {V}, 0, V}, {"log10", {V}, 0, V}, {"sqrt", {V}, 0, V},
      {"sgn", {V}, 0, V}, {"deg", {V}, 0, V}, {"rad", {V}, 0, V},
      {"acos", {V}, 0, V}, {"acosh", {V}, 0, V}, {"asin", {V}, 0, V}, {"asinh", {V}, 0, V},
      {"atan", {V}, 0, V}, {"atanh", {V}, 0, V}, {"cos", {V}, 0, V}, {"cosh", {V}, 0, V},
      {"sin", {V}, 0, V}, {"sinh", {V}, 0, V}, {"tan", {V}, 0, V}, {"tanh", {V}, 0, V},
      {"round", {V, S}, 1, V},
      {"clamp", {V, S, S}, 0, V}, {"clamp_min", {V, S}, 0, V}, {"clamp_max", {V, S}, 0, V},
      // Time and calendar (UTC).
      {"time", {}, 0, S},
      {"timestamp", {V}, 0, V},
      {"start_timestamp", {V}, 0, V, kExperimental},
      {"minute", {V}, 1, V}, {"hour", {V}, 1, V}, {"day_of_week", {V}, 1, V}, {"day_of_month", {V}, 1, V},
      {"day_of_year", {V}, 1, V}, {"days_in_month", {V}, 1, V}, {"month", {V}, 1, V}, {"year", {V}, 1, V},
      // Conversion and presence.
      {"scalar", {V}, 0, S}, {"vector", {S}, 0, V}, {"pi", {}, 0, S},
      {"absent", {V}, 0, V}, {"absent_over_time", {M}, 0, V},
      // Labels and order.
      {"label_replace", {V, T, T, T, T}, 0, V},
      {"label_join", {V, T, T, T}, -1, V},
      {"info", {V, V}, 1, V, kExperimental},
      {"sort", {V}, 0, V}, {"sort_desc", {V}, 0, V},
      {"sort_by_label", {V, T}, -1, V, kExperimental}, {"sort_by_label_desc", {V, T}, -1, V, kExperimental},
      // Range vector.
      {"rate", {M}, 0, V}, {"increase", {M}, 0, V}, {"delta", {M}, 0, V}, {"irate", {M}, 0, V}, {"idelta", {M}, 0, V},
      {"deriv", {M}, 0, V}, {"predict_linear", {M, S}, 0, V}, {"changes", {M}, 0, V}, {"resets", {M}, 0, V},
      {"double_exponential_smoothing", {M, S, S}, 0, V, kExperimental},
      {"avg_over_time", {M}, 0, V}, {"min_over_time", {M}, 0, V}, {"max_over_time", {M}, 0, V},
      {"sum_over_time", {M}, 0, V}, {"count_over_time", {M}, 0, V}, {"quantile_over_time", {S, M}, 0, V},
      {"stddev_over_time", {M}, 0, V}, {"stdvar_over_time", {M}, 0, V},
      {"first_over_time", {M}, 0, V}, {"last_over_time", {M}, 0, V}, {"present_over_time", {M}, 0, V},
      {"mad_over_time", {M}, 0, V, kExperimental},
      {"ts_of_min_over_time", {M}, 0, V, kExperimental}, {"ts_of_max_over_time", {M}, 0, V, kExperimental},
      {"ts_of_first_over_time", {M}, 0, V, kExperimental}, {"ts_of_last_over_time", {M}, 0, V, kExperimental},
      // Histograms.
      {"histogram_quantile", {S, V}, 0, V},
      {"histogram_quantiles", {V, T, S, S}, 9, V, kExperimental},
      {"histogram_fraction", {S, S, V}, 0, V},
      {"histogram_avg", {V}, 0, V}, {"histogram_count", {V}, 0, V}, {"histogram_sum", {V}, 0, V},
      {"histogram_stddev", {V}, 0, V}, {"histogram_stdvar", {V}, 0, V},
      // The query itself, in seconds.
      {"start", {}, 0, S, kExperimental}, {"end", {}, 0, S, kExperimental},
      {"step", {}, 0, S, kExperimental}, {"range", {}, 0, S, kExperimental},
      {"min_of", {S, S}, 0, S, kExperimental}, {"max_of", {S, S}, 0, S, kExperimental},
  };
}

}  // namespace

const std::vector<FunctionSignature>& AllFunctions() {
  static const std::vector<FunctionSignature> table = MakeTable();
  return table;
}

const FunctionSignature* FindFunction(std::string_view name) {
  static const auto index = [] {
    std::unordered_map<std::string_view, const FunctionSignature*> map;
    for (const auto& f : AllFunctions()) map.emplace(f.name, &f);
    return map;
  }();
  const auto it = index.find(name);
  return it == index.end() ? nullptr : it->second;
}

}  // namespace prom::promql
