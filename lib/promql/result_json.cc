// Written without JsonWriter: an answer may hold millions of numbers, and the
// budget is 40 ns for one.
#include "promql/result_json.h"

#include <cmath>
#include <cstring>
#include <span>

#include "base/json.h"
#include "base/number.h"
#include "promql/histogram_wide.h"

namespace prom::promql {

// Times as text, kept from series to series: most have the same ones.
class TimeTexts {
 public:
  // Writes the time of the i-th sample of a series.
  char* Write(char* out, std::size_t i, std::int64_t t_ms) {
    if (i < known_.size() && known_[i].t_ms == t_ms) {
      std::memcpy(out, known_[i].text, kRoom);
      return out + known_[i].size;
    }
    char* const end = WriteMillisAsSeconds(out, t_ms);
    if (i == known_.size() && static_cast<std::size_t>(end - out) <= kRoom) {
      Known& k = known_.emplace_back();
      k.t_ms = t_ms;
      k.size = static_cast<std::uint8_t>(end - out);
      std::memcpy(k.text, out, k.size);
    }
    return end;
  }

 private:
  static constexpr std::size_t kRoom = 15;
  struct Known {
    std::int64_t t_ms = 0;
    std::uint8_t size = 0;
    char text[kRoom] = {};
  };
  std::vector<Known> known_;
};

namespace {

// [seconds,"value"],[seconds,"value"]
void AppendSamples(std::string* out, std::span<const FloatSample> samples, TimeTexts* times) {
  constexpr std::size_t kMaxSample = kMaxFloatText + 48;
  char buffer[8192];  // many at a time: an append is dearer than the copy it makes
  char* p = buffer;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (static_cast<std::size_t>(buffer + sizeof buffer - p) < kMaxSample) {
      out->append(buffer, p);
      p = buffer;
    }
    if (i > 0) *p++ = ',';
    *p++ = '[';
    p = times->Write(p, i, samples[i].t_ms);
    *p++ = ',';
    *p++ = '"';
    p = WriteFloatJson(p, samples[i].v);
    *p++ = '"';
    *p++ = ']';
  }
  out->append(buffer, p);
}

void AppendQuotedFloat(std::string* out, double v) {
  char buffer[kMaxFloatText];
  out->push_back('"');
  out->append(buffer, WriteFloatJson(buffer, v));
  out->push_back('"');
}

// Boundaries: 0 open left, 1 open right, 2 both open, 3 both closed (upstream's codes).
void AppendBucket(std::string* out, bool* first, int boundaries, double lower, double upper, double count) {
  if (count == 0) return;
  if (!*first) out->push_back(',');
  *first = false;
  out->push_back('[');
  out->push_back(static_cast<char>('0' + boundaries));
  for (double v : {lower, upper, count}) {
    out->push_back(',');
    AppendQuotedFloat(out, v);
  }
  out->push_back(']');
}

void AppendHistogram(std::string* out, const Histogram& h) {
  *out += "{\"count\":";
  AppendQuotedFloat(out, h.count);
  *out += ",\"sum\":";
  AppendQuotedFloat(out, h.sum);
  std::string buckets;
  bool first = true;
  const auto bound = [&](std::int32_t index) { return BucketBound(index, h.schema, h.custom_values); };
  const auto negative = ExpandBuckets(h.negative_spans, h.negative_buckets);
  for (auto it = negative.rbegin(); it != negative.rend(); ++it) AppendBucket(&buckets, &first, 1, -bound(it->index), -bound(it->index - 1), it->v);
  AppendBucket(&buckets, &first, 3, -h.zero_threshold, h.zero_threshold, h.zero_count);
  for (const WideBucket& b : ExpandBuckets(h.positive_spans, h.positive_buckets)) {
    // The lowest custom bucket reaches down to -Inf, which upstream calls closed.
    const bool lowest = h.uses_custom_buckets() && b.index == 0;
    AppendBucket(&buckets, &first, lowest ? 3 : 0, bound(b.index - 1), bound(b.index), b.v);
  }
  if (!first) *out += ",\"buckets\":[" + buckets + "]";
  out->push_back('}');
}

void AppendHistogramSample(std::string* out, const HistogramSample& s) {
  char buffer[32];
  out->push_back('[');
  out->append(buffer, WriteMillisAsSeconds(buffer, s.t_ms));
  out->push_back(',');
  AppendHistogram(out, *s.h);
  out->push_back(']');
}

void AppendSeries(std::string* out, const ResultSeries& s, bool matrix, TimeTexts* times) {
  *out += "{\"metric\":";
  AppendLabelsJson(out, s.labels);
  if (!matrix && !s.floats.empty()) {
    *out += ",\"value\":";
    AppendSamples(out, std::span(s.floats).first(1), times);
  } else if (!matrix && !s.histograms.empty()) {
    *out += ",\"histogram\":";
    AppendHistogramSample(out, s.histograms[0]);
  }
  if (matrix && !s.floats.empty()) {
    *out += ",\"values\":[";
    AppendSamples(out, s.floats, times);
    out->push_back(']');
  }
  if (matrix && !s.histograms.empty()) {
    *out += ",\"histograms\":[";
    for (std::size_t i = 0; i < s.histograms.size(); ++i) {
      if (i > 0) out->push_back(',');
      AppendHistogramSample(out, s.histograms[i]);
    }
    out->push_back(']');
  }
  out->push_back('}');
}

}  // namespace

void AppendLabelsJson(std::string* out, const Labels& labels) {
  // Most label sets are plain text: written into room for all of it. A label of at least four bytes gets four more.
  const std::size_t start = out->size();
  out->resize(start + 2 * labels.bytes().size() + 2);
  char* to = out->data() + start;
  *to++ = '{';
  for (const Label l : labels) {
    if ((to = WritePlainJsonString(to, l.name)) == nullptr) break;
    *to++ = ':';
    if ((to = WritePlainJsonString(to, l.value)) == nullptr) break;
    *to++ = ',';
  }
  if (to != nullptr) {
    if (!labels.empty()) --to;
    *to++ = '}';
    out->resize(static_cast<std::size_t>(to - out->data()));
    return;
  }
  out->resize(start);
  out->push_back('{');
  bool first = true;
  for (const Label l : labels) {
    if (!first) out->push_back(',');
    first = false;
    AppendJsonString(out, l.name);
    out->push_back(':');
    AppendJsonString(out, l.value);
  }
  out->push_back('}');
}

void AppendSeriesJson(std::string* out, const ResultSeries& s, bool matrix) {
  TimeTexts times;
  AppendSeries(out, s, matrix, &times);
}

namespace {

bool IsList(ValueType type) { return type == ValueType::kMatrix || type == ValueType::kVector || type == ValueType::kNone; }

void AppendListStart(std::string* out, ValueType type) { *out += type == ValueType::kMatrix ? "{\"resultType\":\"matrix\",\"result\":[" : "{\"resultType\":\"vector\",\"result\":["; }

// A scalar or a string, up to what follows "result".
void AppendSingle(std::string* out, const QueryResult& r) {
  char buffer[32];
  *out += r.type == ValueType::kScalar ? "{\"resultType\":\"scalar\",\"result\":[" : "{\"resultType\":\"string\",\"result\":[";
  out->append(buffer, WriteMillisAsSeconds(buffer, r.t_ms));
  out->push_back(',');
  // Upstream spells scalars, other than samples, never with an exponent.
  if (r.type == ValueType::kScalar) *out += '"' + FormatFloatF(r.series.empty() || r.series[0].floats.empty() ? NormalNan() : r.series[0].floats[0].v) + '"';
  else AppendJsonString(out, r.text);
  out->push_back(']');
}

}  // namespace

void AppendResultJson(std::string* out, const QueryResult& r) {
  if (!IsList(r.type)) {
    AppendSingle(out, r);
  } else {
    AppendListStart(out, r.type);
    TimeTexts times;
    for (std::size_t i = 0; i < r.series.size(); ++i) {
      if (i > 0) out->push_back(',');
      AppendSeries(out, r.series[i], r.type == ValueType::kMatrix, &times);
    }
    out->push_back(']');
  }
  out->push_back('}');
}

ResultJsonPieces::ResultJsonPieces(QueryResult result, std::string fields) : result_(std::move(result)), fields_(std::move(fields)) {}
ResultJsonPieces::ResultJsonPieces(ResultJsonPieces&&) noexcept = default;
ResultJsonPieces::~ResultJsonPieces() = default;

bool ResultJsonPieces::Append(std::string* out) {
  constexpr std::size_t kPiece = 256 << 10;
  if (!IsList(result_.type)) {
    AppendSingle(out, result_);
  } else {
    const std::size_t enough = out->size() + kPiece;
    if (next_ == 0) {
      AppendListStart(out, result_.type);
      times_ = std::make_unique<TimeTexts>();
    }
    for (; next_ < result_.series.size(); ++next_) {
      if (out->size() >= enough) return true;
      if (next_ > 0) out->push_back(',');
      ResultSeries& series = result_.series[next_];
      AppendSeries(out, series, result_.type == ValueType::kMatrix, times_.get());
      series = ResultSeries();
    }
    out->push_back(']');
  }
  *out += fields_;
  out->push_back('}');
  return false;
}

void AppendStatsJson(std::string* out, const QueryStats& s, double queue_seconds, double total_seconds) {
  JsonWriter json(out);
  const double eval = static_cast<double>(s.eval_us) / 1e6, prepare = static_cast<double>(s.prepare_us + s.parse_us) / 1e6;
  json.BeginObject().Key("timings").BeginObject();
  json.Field("evalTotalTime", eval + prepare).Field("resultSortTime", 0.0).Field("queryPreparationTime", prepare).Field("innerEvalTime", eval);
  json.Field("execQueueTime", queue_seconds).Field("execTotalTime", total_seconds).EndObject();
  json.Key("samples").BeginObject();
  json.Field("totalQueryableSamples", s.samples_read).Field("samplesRead", s.samples_read).Field("peakSamples", s.peak_samples).EndObject().EndObject();
}

}  // namespace prom::promql
