// simdjson's DOM, which validates the whole text before anything is looked at; 64
// levels deep at most. A histogram comes as buckets with bounds: its schema is the one
// that has such bounds, or custom bounds.
#include "api/api_answer.h"

#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/number.h"
#include "base/strings.h"
#include "promql/histogram_wide.h"

namespace prom::api {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

constexpr std::size_t kMaxDepth = 64;

Error Shape(const std::string& what) { return Error{Errc::kCorrupt, "the answer is not as the Prometheus API has it: " + what}; }

// Leaves *out as it is when the value is absent or of another type.
template <typename T>
void Optional(const simdjson::simdjson_result<element>& value, T* out) {
  if (T found{}; value.get(found) == simdjson::SUCCESS) *out = found;
}

class Answer {
 public:
  // What stands in "data".
  Result<element> Parse(std::string_view json) {
    if (parser_.allocate(json.size(), kMaxDepth) != simdjson::SUCCESS) return Error{Errc::kLimit, "the answer is too large: " + std::to_string(json.size()) + " bytes"};
    const simdjson::padded_string padded(json);
    if (const auto code = parser_.parse(padded).get(root_); code != simdjson::SUCCESS)
      return Error{Errc::kCorrupt, std::string("the answer is no JSON: ") + simdjson::error_message(code)};
    std::string_view status;
    if (root_["status"].get(status) != simdjson::SUCCESS) return Shape("no \"status\"");
    if (status == "error") return Told();
    if (status != "success") return Shape("\"status\" is " + Quote(status.substr(0, 100)));
    element data;
    if (root_["data"].get(data) != simdjson::SUCCESS) return Shape("no \"data\"");
    return data;
  }

  std::vector<std::string> Strings(const char* key) const {
    std::vector<std::string> out;
    array items;
    if (root_[key].get(items) != simdjson::SUCCESS) return out;
    for (const element item : items)
      if (std::string_view s; item.get(s) == simdjson::SUCCESS) out.emplace_back(s);
    return out;
  }

 private:
  Error Told() const {
    std::string_view type, message;
    Optional(root_["errorType"], &type);
    Optional(root_["error"], &message);
    Errc code = Errc::kInternal;
    if (type == "bad_data" || type == "execution") code = Errc::kInvalid;
    else if (type == "timeout") code = Errc::kTimeout;
    else if (type == "canceled") code = Errc::kCanceled;
    else if (type == "unavailable") code = Errc::kUnavailable;
    return {code, message.empty() ? "the server reports an error of type " + Quote(type) : std::string(message)};
  }

  simdjson::dom::parser parser_;
  element root_;
};

Result<Labels> ReadLabels(element e) {
  object o;
  if (e.get(o) != simdjson::SUCCESS) return Shape("labels are no object");
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const auto& [name, value] : o) {
    std::string_view text;
    if (value.get(text) != simdjson::SUCCESS) return Shape("the value of label " + Quote(name) + " is no string");
    pairs.emplace_back(name, text);
  }
  return Labels::FromPairs(std::move(pairs));
}

Result<std::int64_t> ReadTime(element e) {
  double seconds = 0;
  if (e.get(seconds) != simdjson::SUCCESS || std::fabs(seconds) > 9.2e15) return Shape("a time is no number of seconds");
  return std::llround(seconds * 1000);
}

Result<double> ReadNumber(element e) {
  std::string_view text;
  if (e.get(text) == simdjson::SUCCESS)
    if (const auto v = ParseFloat(text)) return *v;
  return Shape("a value is no number in a string");
}

Result<array> ReadPair(element e) {
  array pair;
  if (e.get(pair) != simdjson::SUCCESS || pair.size() != 2) return Shape("a sample is no pair of time and value");
  return pair;
}

struct Bucket {
  int sides;  // 0 (lower, upper], 1 [lower, upper), 3 both: the zero bucket, or a lowest custom one
  double lower, upper, count;
};

// The schema whose bounds these are, if there is one.
bool FindSchema(const std::vector<Bucket>& buckets, std::int32_t* schema) {
  for (const Bucket& b : buckets) {
    const double low = std::min(std::fabs(b.lower), std::fabs(b.upper)), high = std::max(std::fabs(b.lower), std::fabs(b.upper));
    if (b.sides == 3) {
      if (b.lower != -b.upper) return false;
      continue;
    }
    if (!(low > 0) || !std::isfinite(high) || (b.lower < 0) != (b.upper < 0)) return false;
    const double found = -std::log2(std::log2(high / low));
    if (std::fabs(found - std::round(found)) > 1e-3 || found < -4.5 || found > 8.5) return false;
    if (*schema == Histogram::kCustomSchema) *schema = static_cast<std::int32_t>(std::lround(found));
    if (*schema != std::lround(found)) return false;
  }
  return *schema != Histogram::kCustomSchema;
}

void AddBucket(std::vector<Histogram::Span>* spans, std::vector<double>* counts, std::int64_t* next, std::int64_t index, double count) {
  const std::int64_t gap = index - *next;
  if (spans->empty() || gap > 0) spans->push_back({static_cast<std::int32_t>(gap), 0});
  ++spans->back().length;
  counts->push_back(count);
  *next = index + 1;
}

Result<std::shared_ptr<const Histogram>> ReadHistogram(element e) {
  auto out = std::make_shared<Histogram>();
  element count, sum;
  if (e["count"].get(count) != simdjson::SUCCESS || e["sum"].get(sum) != simdjson::SUCCESS) return Shape("a histogram without count or sum");
  PROM_ASSIGN(out->count, ReadNumber(count));
  PROM_ASSIGN(out->sum, ReadNumber(sum));
  std::vector<Bucket> buckets;
  if (array list; e["buckets"].get(list) == simdjson::SUCCESS) {
    for (const element item : list) {
      array fields;
      std::int64_t sides = 0;
      if (item.get(fields) != simdjson::SUCCESS || fields.size() != 4 || fields.at(0).get(sides) != simdjson::SUCCESS || sides < 0 || sides > 3) return Shape("a bucket is not [sides, lower, upper, count]");
      Bucket b{static_cast<int>(sides), 0, 0, 0};
      PROM_ASSIGN(b.lower, ReadNumber(fields.at(1).value_unsafe()));
      PROM_ASSIGN(b.upper, ReadNumber(fields.at(2).value_unsafe()));
      PROM_ASSIGN(b.count, ReadNumber(fields.at(3).value_unsafe()));
      buckets.push_back(b);
    }
  }
  if (buckets.empty()) return std::shared_ptr<const Histogram>(out);
  std::int32_t schema = Histogram::kCustomSchema;
  const bool only_zero = buckets.size() == 1 && buckets[0].sides == 3 && buckets[0].lower == -buckets[0].upper;
  if (only_zero || FindSchema(buckets, &schema)) {
    out->schema = only_zero ? 0 : schema;
    // Negative buckets come from the largest down to zero, and are kept the other way round.
    std::stable_sort(buckets.begin(), buckets.end(), [](const Bucket& a, const Bucket& b) { return std::fabs(a.upper + a.lower) < std::fabs(b.upper + b.lower); });
    std::int64_t next_positive = 0, next_negative = 0;
    for (const Bucket& b : buckets) {
      if (b.sides == 3) {
        out->zero_threshold = b.upper;
        out->zero_count = b.count;
        continue;
      }
      const bool negative = b.upper < 0 || b.lower < 0;
      const double bound = negative ? -b.lower : b.upper;
      const std::int64_t index = std::llround(std::ldexp(std::log2(bound), out->schema));
      auto& next = negative ? next_negative : next_positive;
      if (!(negative ? out->negative_spans : out->positive_spans).empty() && index < next) return Shape("buckets of a histogram overlap");
      AddBucket(negative ? &out->negative_spans : &out->positive_spans, negative ? &out->negative_buckets : &out->positive_buckets, &next, index, b.count);
    }
    return std::shared_ptr<const Histogram>(out);
  }
  out->schema = Histogram::kCustomSchema;
  std::set<double> bounds;
  for (const Bucket& b : buckets)
    for (const double v : {b.lower, b.upper})
      if (std::isfinite(v)) bounds.insert(v);
  // A lowest bucket that reaches down to -Inf has only its upper bound; one that begins elsewhere has a bucket before it.
  out->custom_values.assign(bounds.begin(), bounds.end());
  std::int64_t next = 0;
  for (const Bucket& b : buckets) {
    const auto index = std::lower_bound(out->custom_values.begin(), out->custom_values.end(), b.upper) - out->custom_values.begin();
    if (index < next || std::isnan(b.upper)) return Shape("buckets of a histogram overlap");
    AddBucket(&out->positive_spans, &out->positive_buckets, &next, index, b.count);
  }
  return std::shared_ptr<const Histogram>(out);
}

Result<void> ReadFloat(element e, promql::ResultSeries* out) {
  PROM_ASSIGN(const array pair, ReadPair(e));
  FloatSample s;
  PROM_ASSIGN(s.t_ms, ReadTime(pair.at(0).value_unsafe()));
  PROM_ASSIGN(s.v, ReadNumber(pair.at(1).value_unsafe()));
  out->floats.push_back(s);
  return {};
}

Result<void> ReadHistogramSample(element e, promql::ResultSeries* out) {
  PROM_ASSIGN(const array pair, ReadPair(e));
  HistogramSample s;
  PROM_ASSIGN(s.t_ms, ReadTime(pair.at(0).value_unsafe()));
  PROM_ASSIGN(s.h, ReadHistogram(pair.at(1).value_unsafe()));
  out->histograms.push_back(std::move(s));
  return {};
}

Result<promql::ResultSeries> ReadSeries(element e, bool matrix) {
  promql::ResultSeries out;
  element metric, found;
  if (e["metric"].get(metric) != simdjson::SUCCESS) return Shape("a series without \"metric\"");
  PROM_ASSIGN(out.labels, ReadLabels(metric));
  if (!matrix) {
    if (e["value"].get(found) == simdjson::SUCCESS) PROM_TRY(ReadFloat(found, &out));
    else if (e["histogram"].get(found) == simdjson::SUCCESS) PROM_TRY(ReadHistogramSample(found, &out));
    else return Shape("a series without \"value\"");
    return out;
  }
  array list;
  if (e["values"].get(list) == simdjson::SUCCESS) {
    out.floats.reserve(list.size());
    for (const element s : list) PROM_TRY(ReadFloat(s, &out));
  }
  if (e["histograms"].get(list) == simdjson::SUCCESS)
    for (const element s : list) PROM_TRY(ReadHistogramSample(s, &out));
  const auto by_time = [](const auto& a, const auto& b) { return a.t_ms < b.t_ms; };
  if (!std::is_sorted(out.floats.begin(), out.floats.end(), by_time) || !std::is_sorted(out.histograms.begin(), out.histograms.end(), by_time)) return Shape("samples are not in order of time");
  return out;
}

void ReadStats(element data, promql::QueryStats* out) {
  const auto us = [&](const char* key) {
    double v = 0;
    return data["stats"]["timings"][key].get(v) == simdjson::SUCCESS && std::fabs(v) < 1e9 ? std::llround(v * 1e6) : 0;
  };
  out->prepare_us = us("queryPreparationTime");
  out->eval_us = us("innerEvalTime");
  Optional(data["stats"]["samples"]["totalQueryableSamples"], &out->samples_read);
  Optional(data["stats"]["samples"]["peakSamples"], &out->peak_samples);
}

}  // namespace

Result<promql::QueryResult> ReadQueryAnswer(std::string_view json) {
  Answer answer;
  PROM_ASSIGN(const element data, answer.Parse(json));
  promql::QueryResult out;
  std::string_view type;
  element result;
  if (data["resultType"].get(type) != simdjson::SUCCESS || data["result"].get(result) != simdjson::SUCCESS) return Shape("no \"resultType\" or \"result\"");
  if (type == "scalar" || type == "string") {
    PROM_ASSIGN(const array pair, ReadPair(result));
    PROM_ASSIGN(out.t_ms, ReadTime(pair.at(0).value_unsafe()));
    out.type = type == "scalar" ? promql::ValueType::kScalar : promql::ValueType::kString;
    if (type == "scalar") {
      PROM_ASSIGN(const double v, ReadNumber(pair.at(1).value_unsafe()));
      out.series.push_back({{}, {{out.t_ms, v}}, {}});
    } else {
      std::string_view text;
      if (pair.at(1).get(text) != simdjson::SUCCESS) return Shape("a string is none");
      out.text = text;
    }
  } else if (type == "vector" || type == "matrix") {
    out.type = type == "vector" ? promql::ValueType::kVector : promql::ValueType::kMatrix;
    array list;
    if (result.get(list) != simdjson::SUCCESS) return Shape("\"result\" is no list");
    out.series.reserve(list.size());
    for (const element e : list) {
      PROM_ASSIGN(promql::ResultSeries s, ReadSeries(e, type == "matrix"));
      out.series.push_back(std::move(s));
    }
  } else {
    return Shape("a result of type " + Quote(type.substr(0, 100)));
  }
  out.warnings = answer.Strings("warnings");
  out.infos = answer.Strings("infos");
  ReadStats(data, &out.stats);
  out.stats.series_read = static_cast<std::int64_t>(out.series.size());
  return out;
}

Result<std::vector<std::string>> ReadStringsAnswer(std::string_view json, std::vector<std::string>* warnings) {
  Answer answer;
  PROM_ASSIGN(const element data, answer.Parse(json));
  if (warnings != nullptr) {
    for (std::string& w : answer.Strings("warnings")) warnings->push_back(std::move(w));
  }
  std::vector<std::string> out;
  if (data.is_null()) return out;  // what some servers say for nothing
  array list;
  if (data.get(list) != simdjson::SUCCESS) return Shape("\"data\" is no list");
  for (const element e : list) {
    std::string_view s;
    if (e.get(s) != simdjson::SUCCESS) return Shape("\"data\" holds something other than strings");
    out.emplace_back(s);
  }
  std::sort(out.begin(), out.end());
  return out;
}

Result<std::vector<Labels>> ReadSeriesAnswer(std::string_view json, std::vector<std::string>* warnings) {
  Answer answer;
  PROM_ASSIGN(const element data, answer.Parse(json));
  if (warnings != nullptr) {
    for (std::string& w : answer.Strings("warnings")) warnings->push_back(std::move(w));
  }
  std::vector<Labels> out;
  if (data.is_null()) return out;
  array list;
  if (data.get(list) != simdjson::SUCCESS) return Shape("\"data\" is no list");
  for (const element e : list) {
    PROM_ASSIGN(Labels l, ReadLabels(e));
    out.push_back(std::move(l));
  }
  std::sort(out.begin(), out.end());
  return out;
}

Result<std::vector<std::pair<std::string, Metadata>>> ReadMetadataAnswer(std::string_view json) {
  Answer answer;
  PROM_ASSIGN(const element data, answer.Parse(json));
  std::vector<std::pair<std::string, Metadata>> out;
  if (data.is_null()) return out;
  object o;
  if (data.get(o) != simdjson::SUCCESS) return Shape("\"data\" is no object");
  for (const auto& [name, entries] : o) {
    element first;
    if (entries.at(0).get(first) != simdjson::SUCCESS) continue;
    std::string_view type, help, unit;
    Optional(first["type"], &type);
    Optional(first["help"], &help);
    Optional(first["unit"], &unit);
    Metadata m;
    m.type = ParseMetricType(type);
    m.help = help;
    m.unit = unit;
    out.emplace_back(std::string(name), std::move(m));
  }
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  out.erase(std::unique(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.first == b.first; }), out.end());
  return out;
}

}  // namespace prom::api
