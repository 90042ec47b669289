// Writes prom-stream(5), section "Text form".
#include <bit>
#include <charconv>
#include <cmath>

#include "base/number.h"
#include "exposition/stream_text.h"
#include "exposition/write_text.h"

namespace prom {
namespace {

constexpr std::size_t kMaxMetadata = 1u << 20;  // names remembered; beyond, lines are printed again

std::uint64_t Bits(double v) { return std::bit_cast<std::uint64_t>(v); }

void AppendHex(std::string* out, std::uint64_t bits) {
  char text[17];
  const auto size = static_cast<std::size_t>(std::to_chars(text, text + sizeof text, bits, 16).ptr - text);
  out->append("0x").append(16 - size, '0').append(text, size);
}

// A NaN that the word NaN does not stand for.
bool IsOddNan(double v) { return std::isnan(v) && Bits(v) != kNormalNanBits; }

// Text formats have no other word for unknown.
std::string_view TextTypeName(MetricType type) {
  switch (type) {
    case MetricType::kCounter:
    case MetricType::kGauge:
    case MetricType::kHistogram:
    case MetricType::kSummary: return MetricTypeName(type);
    default: return "untyped";
  }
}

void AppendList(std::string* out, std::string_view key, const std::vector<double>& values) {
  if (values.empty()) return;
  out->append(key);
  for (std::size_t i = 0; i < values.size(); ++i) {
    out->push_back(i == 0 ? ':' : ',');
    AppendStreamFloat(out, values[i]);
  }
}

void AppendSpans(std::string* out, std::string_view key, const std::vector<Histogram::Span>& spans) {
  if (spans.empty()) return;
  out->append(key);
  for (std::size_t i = 0; i < spans.size(); ++i) {
    out->push_back(i == 0 ? ':' : ',');
    AppendInt(out, spans[i].offset);
    out->push_back('*');
    AppendInt(out, spans[i].length);
  }
}

void AppendField(std::string* out, std::string_view key, double v) {
  if (Bits(v) == 0) return;
  out->append(key);
  AppendStreamFloat(out, v);
}

}  // namespace

void AppendStreamFloat(std::string* out, double v) {
  if (IsOddNan(v)) {
    AppendHex(out, Bits(v));
  } else {
    AppendFloat(out, v);
  }
}

void AppendHistogramText(std::string* out, const Histogram& h) {
  static constexpr std::string_view kHints[] = {"", " hint:reset", " hint:not_reset", " hint:gauge"};
  out->append(h.is_float ? "float schema:" : "int schema:");
  AppendInt(out, h.schema);
  out->append(kHints[static_cast<std::size_t>(h.reset_hint) & 3]);
  AppendField(out, " zero_threshold:", h.zero_threshold);
  AppendField(out, " zero_count:", h.zero_count);
  AppendField(out, " count:", h.count);
  AppendField(out, " sum:", h.sum);
  AppendSpans(out, " spans", h.positive_spans);
  AppendList(out, " buckets", h.positive_buckets);
  AppendSpans(out, " negative_spans", h.negative_spans);
  AppendList(out, " negative_buckets", h.negative_buckets);
  AppendList(out, " custom", h.custom_values);
}

void AppendSeriesText(std::string* out, const Labels& labels) {
  std::vector<LabelPair> pairs;
  std::string_view name;
  for (const Label label : labels) {
    if (label.name == kMetricName) {
      name = label.value;
    } else {
      pairs.emplace_back(label.name, label.value);
    }
  }
  AppendSeries(out, name, pairs);
}

Result<void> StreamTextWriter::CheckSeries(std::uint32_t id) const {
  if (id < series_.size() && !series_[id].empty()) return {};
  return Error{Errc::kInvalid, "series " + std::to_string(id) + " is not defined"};
}

Result<void> StreamTextWriter::DefineSeries(std::uint32_t id, const Labels& labels) {
  if (id >= series_.size()) series_.resize(id + 1);
  series_[id].clear();
  AppendSeriesText(&series_[id], labels);
  return {};
}

Result<void> StreamTextWriter::DefineLayout(std::uint32_t id, std::span<const std::uint32_t> series) {
  for (const std::uint32_t one : series) PROM_TRY(CheckSeries(one));
  if (id >= layouts_.size()) layouts_.resize(id + 1);
  layouts_[id].insert(layouts_[id].end(), series.begin(), series.end());
  return {};
}

Result<void> StreamTextWriter::Reset() {
  series_.clear();
  layouts_.clear();
  return {};
}

void StreamTextWriter::AppendSample(const std::string& series, std::string_view time, double v) {
  if (IsOddNan(v)) {
    if (IsStaleNan(v)) {
      out_.append("#@stale ").append(series);
    } else {
      out_.append("#@value ").append(series).push_back(' ');
      AppendHex(&out_, Bits(v));
    }
  } else {
    out_.append(series).push_back(' ');
    AppendFloat(&out_, v);
  }
  out_.append(time);
}

Result<void> StreamTextWriter::Row(std::uint32_t layout, std::int64_t t_ms, std::span<const double> values, std::span<const std::uint64_t> present) {
  if (layout >= layouts_.size() || values.size() > layouts_[layout].size()) {
    return Error{Errc::kInvalid, "row of " + std::to_string(values.size()) + " values for layout " + std::to_string(layout) + ", which has fewer columns"};
  }
  if (!present.empty() && present.size() * 64 < values.size()) return Error{Errc::kInvalid, "row with too few presence bits"};
  std::string time = " ";
  AppendInt(&time, t_ms);
  time.push_back('\n');
  const auto& columns = layouts_[layout];
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!present.empty() && (present[i / 64] >> (i % 64) & 1) == 0) continue;
    AppendSample(series_[columns[i]], time, values[i]);
    PROM_TRY(FlushIfLarge());
  }
  return {};
}

Result<void> StreamTextWriter::Sample(std::uint32_t series, std::int64_t t_ms, double v, std::int64_t st_ms) {
  PROM_TRY(CheckSeries(series));
  std::string time = " ";
  AppendInt(&time, t_ms);
  if (st_ms != 0) {
    out_.append("#@start ").append(series_[series]).append(time).push_back(' ');
    AppendInt(&out_, st_ms);
    out_.push_back('\n');
  }
  time.push_back('\n');
  AppendSample(series_[series], time, v);
  return FlushIfLarge();
}

Result<void> StreamTextWriter::HistogramAt(std::uint32_t series, std::int64_t t_ms, const Histogram& h, std::int64_t st_ms) {
  PROM_TRY(CheckSeries(series));
  out_.append("#@histogram ").append(series_[series]).push_back(' ');
  AppendInt(&out_, t_ms);
  out_.push_back(' ');
  AppendHistogramText(&out_, h);
  if (st_ms != 0) {
    out_.append(" start:");
    AppendInt(&out_, st_ms);
  }
  out_.push_back('\n');
  return FlushIfLarge();
}

Result<void> StreamTextWriter::ExemplarOf(std::uint32_t series, const Exemplar& exemplar) {
  PROM_TRY(CheckSeries(series));
  out_.append("#@exemplar ").append(series_[series]).push_back(' ');
  std::vector<LabelPair> pairs;
  for (const Label label : exemplar.labels) pairs.emplace_back(label.name, label.value);
  std::string labels;
  AppendSeries(&labels, "", pairs);  // {"",a="b"}: a series without a name
  out_.push_back('{');
  out_.append(labels, pairs.empty() ? 3 : 4);
  out_.push_back(' ');
  AppendStreamFloat(&out_, exemplar.value);
  if (exemplar.has_time) {
    out_.push_back(' ');
    AppendInt(&out_, exemplar.t_ms);
  }
  out_.push_back('\n');
  return FlushIfLarge();
}

Result<void> StreamTextWriter::MetadataOf(std::string_view metric, const Metadata& metadata) {
  auto it = metadata_.find(metric);
  const bool is_new = it == metadata_.end();
  if (is_new) {
    if (metadata_.size() >= kMaxMetadata) metadata_.clear();
    it = metadata_.emplace(std::string(metric), Metadata()).first;
  }
  Metadata& known = it->second;
  const auto line = [&](std::string_view keyword) {
    out_.append(keyword);
    AppendMetricName(&out_, metric);
    out_.push_back(' ');
  };
  if (known.help != metadata.help) {
    line("# HELP ");
    AppendEscapedHelp(&out_, metadata.help);
    out_.push_back('\n');
  }
  if (is_new || known.type != metadata.type) {
    const auto type = TextTypeName(metadata.type);
    line("# TYPE ");
    out_.append(type).push_back('\n');
    if (type == "untyped" && metadata.type != MetricType::kUnknown) {
      line("#@type ");
      out_.append(MetricTypeName(metadata.type)).push_back('\n');
    }
  }
  if (known.unit != metadata.unit) {
    line("# UNIT ");
    AppendEscapedHelp(&out_, metadata.unit);
    out_.push_back('\n');
  }
  known = metadata;
  return FlushIfLarge();
}

Result<void> StreamTextWriter::Commit(std::uint64_t sequence) {
  out_.append("#@commit ");
  char text[24];
  out_.append(text, static_cast<std::size_t>(std::to_chars(text, text + sizeof text, sequence).ptr - text));
  out_.push_back('\n');
  return Flush();
}

Result<void> StreamTextWriter::Flush() {
  if (out_.empty()) return {};
  auto done = write_(out_);
  out_.clear();
  return done;
}

}  // namespace prom
