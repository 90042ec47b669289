// A StreamSink that writes down what it is told, with ids resolved to labels and rows
// to samples, so that streams of different forms can be compared; and a producer of
// random streams.
#pragma once

#include <bit>
#include <cstdio>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/number.h"
#include "exposition/stream_sink.h"

namespace prom::testing {

inline std::string BitsText(double v) {
  char text[24];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(std::bit_cast<std::uint64_t>(v)));
  return text;
}

inline std::string HistogramText(const Histogram& h) {
  std::string out = std::to_string(h.is_float) + " " + std::to_string(h.schema) + " " + std::to_string(static_cast<int>(h.reset_hint));
  for (const double v : {h.zero_threshold, h.zero_count, h.count, h.sum}) out += " " + BitsText(v);
  for (const auto* spans : {&h.positive_spans, &h.negative_spans}) {
    out += " [";
    for (const auto& s : *spans) out += std::to_string(s.offset) + "*" + std::to_string(s.length) + ",";
    out += "]";
  }
  for (const auto* values : {&h.positive_buckets, &h.negative_buckets, &h.custom_values}) {
    out += " [";
    for (const double v : *values) out += BitsText(v) + ",";
    out += "]";
  }
  return out;
}

class RecordingSink : public StreamSink {
 public:
  std::vector<std::string> log;
  std::size_t rows = 0, defined = 0, resets = 0;

  Result<void> DefineSeries(std::uint32_t id, const Labels& labels) override {
    if (id >= series_.size()) series_.resize(id + 1);
    series_[id] = labels.ToString();
    ++defined;
    return {};
  }
  Result<void> DefineLayout(std::uint32_t id, std::span<const std::uint32_t> series) override {
    if (id >= layouts_.size()) layouts_.resize(id + 1);
    layouts_[id].insert(layouts_[id].end(), series.begin(), series.end());
    return {};
  }
  Result<void> Reset() override {
    series_.clear();
    layouts_.clear();
    ++resets;
    return {};
  }
  Result<void> Row(std::uint32_t layout, std::int64_t t_ms, std::span<const double> values, std::span<const std::uint64_t> present) override {
    ++rows;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (!present.empty() && (present[i / 64] >> (i % 64) & 1) == 0) continue;
      PROM_TRY(Sample(layouts_.at(layout).at(i), t_ms, values[i]));
    }
    return {};
  }
  Result<void> Sample(std::uint32_t series, std::int64_t t_ms, double v, std::int64_t st_ms = 0) override {
    log.push_back("sample " + series_.at(series) + " " + std::to_string(t_ms) + " " + BitsText(v) + " " + std::to_string(st_ms));
    return {};
  }
  Result<void> HistogramAt(std::uint32_t series, std::int64_t t_ms, const Histogram& h, std::int64_t st_ms = 0) override {
    log.push_back("histogram " + series_.at(series) + " " + std::to_string(t_ms) + " " + HistogramText(h) + " " + std::to_string(st_ms));
    return {};
  }
  Result<void> ExemplarOf(std::uint32_t series, const Exemplar& e) override {
    log.push_back("exemplar " + series_.at(series) + " " + e.labels.ToString() + " " + BitsText(e.value) + (e.has_time ? " " + std::to_string(e.t_ms) : ""));
    return {};
  }
  Result<void> MetadataOf(std::string_view metric, const Metadata& m) override {
    log.push_back("metadata " + std::string(metric) + "|" + std::string(MetricTypeName(m.type)) + "|" + m.help + "|" + m.unit);
    return {};
  }
  Result<void> Commit(std::uint64_t sequence) override {
    log.push_back("commit " + std::to_string(sequence));
    return {};
  }

 private:
  std::vector<std::string> series_;
  std::vector<std::vector<std::uint32_t>> layouts_;
};

// Every kind of call, in random order. Metadata changes with each call for a name, as
// the text form says each thing once.
inline void ProduceRandom(StreamSink* sink, unsigned seed, int calls) {
  std::mt19937_64 random(seed);
  const auto pick = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  const auto must = [](Result<void> done) {
    if (!done) throw std::runtime_error(done.error().message);
  };
  std::uint32_t series = 0, layouts = 0;
  std::vector<std::size_t> columns;
  const auto value = [&]() -> double {
    switch (pick(8)) {
      case 0: return StaleNan();
      case 1: return NormalNan();
      case 2: return std::bit_cast<double>(0x7ff8000000000000ull | (random() & 0x0007ffffffffffffull));  // NaN with a payload
      case 3: return std::bit_cast<double>(random());
      case 4: return -0.0;
      case 5: return static_cast<double>(pick(1000));
      default: return static_cast<double>(pick(100000)) / 1000;
    }
  };
  const auto time = [&]() -> std::int64_t { return pick(10) == 0 ? static_cast<std::int64_t>(random()) : 1'700'000'000'000 + static_cast<std::int64_t>(pick(100000)); };
  const auto text = [&] {
    static const char* kParts[] = {"a", "\\", "\"", "\n", " ", "{", "}", ",", "=", "ü", "é", "#", "x", "\t", "'", "0"};
    std::string out;
    for (std::size_t n = 1 + pick(6); n > 0; --n) out += kParts[pick(16)];
    return out;
  };
  std::uint64_t sequence = 0;
  std::uint64_t unique = 0;
  for (int i = 0; i < calls; ++i) {
    switch (pick(series < 5 ? 1 : 12)) {
      case 0: {
        LabelsBuilder b;
        if (pick(20) != 0) b.Set("__name__", pick(3) == 0 ? text() : "metric_" + std::to_string(series));
        b.Set("id", std::to_string(seed) + "-" + std::to_string(i));  // no two series alike
        for (std::size_t n = pick(3); n > 0; --n) b.Set(pick(2) == 0 ? text() : "l" + std::to_string(n), text());
        must(sink->DefineSeries(series++, b.Build()));
        break;
      }
      case 1: {
        std::vector<std::uint32_t> ids;
        for (std::size_t n = pick(90); n > 0; --n) ids.push_back(static_cast<std::uint32_t>(pick(series)));
        const std::size_t id = columns.empty() || pick(2) == 0 ? layouts++ : pick(layouts);
        if (id >= columns.size()) columns.resize(id + 1);
        columns[id] += ids.size();
        must(sink->DefineLayout(static_cast<std::uint32_t>(id), ids));
        break;
      }
      case 2:
      case 3:
        if (!columns.empty()) {
          const std::size_t id = pick(columns.size());
          std::vector<double> values(columns[id]);
          for (auto& v : values) v = value();
          std::vector<std::uint64_t> present((columns[id] + 63) / 64);
          for (auto& word : present) word = random();
          must(sink->Row(static_cast<std::uint32_t>(id), time(), values, pick(2) == 0 ? std::span<const std::uint64_t>() : present));
        }
        break;
      case 4: {
        Histogram h;
        h.is_float = pick(2) == 0;
        h.schema = pick(3) == 0 ? Histogram::kCustomSchema : static_cast<std::int32_t>(pick(13)) - 4;
        h.reset_hint = static_cast<Histogram::ResetHint>(pick(4));
        h.count = static_cast<double>(pick(1000));
        h.sum = value();
        h.positive_spans = {{static_cast<std::int32_t>(pick(3)), 2}, {1, 1}};
        h.positive_buckets = {1, 2.5, static_cast<double>(pick(9))};
        if (h.uses_custom_buckets()) {
          h.custom_values = {-1, 0, 0.5, 1, 2, 3, 4};
        } else {
          h.zero_threshold = 0.001;
          h.zero_count = static_cast<double>(pick(5));
          if (pick(2) == 0) {
            h.negative_spans = {{-3, 1}};
            h.negative_buckets = {7};
          }
        }
        must(sink->HistogramAt(static_cast<std::uint32_t>(pick(series)), time(), h, pick(2) == 0 ? 0 : time()));
        break;
      }
      case 5: {
        Exemplar e;
        e.labels = Labels({{"trace_id", text()}, {pick(4) == 0 ? text() : "span", text()}});
        e.value = value();
        e.has_time = pick(2) == 0;
        e.t_ms = e.has_time ? time() : 0;
        must(sink->ExemplarOf(static_cast<std::uint32_t>(pick(series)), e));
        break;
      }
      case 6: {
        Metadata m;
        m.type = static_cast<MetricType>(pick(8));
        m.help = "help " + std::to_string(++unique) + " " + text() + ".";
        m.unit = pick(2) == 0 ? "seconds" : "";
        must(sink->MetadataOf(pick(4) == 0 ? "na\"me " + std::to_string(pick(3)) : "metric_" + std::to_string(pick(5)), m));
        break;
      }
      case 7: must(sink->Commit(++sequence)); break;
      case 8:
        if (pick(20) == 0) {
          must(sink->Reset());
          series = layouts = 0;
          columns.clear();
        }
        break;
      default: must(sink->Sample(static_cast<std::uint32_t>(pick(series)), time(), value(), pick(3) == 0 ? time() : 0));
    }
  }
  must(sink->Commit(++sequence));
}

}  // namespace prom::testing
