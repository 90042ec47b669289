// Samples and what travels with them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "model/histogram.h"
#include "model/labels.h"

namespace prom {

struct FloatSample {
  std::int64_t t_ms = 0;
  double v = 0;
};

struct HistogramSample {
  std::int64_t t_ms = 0;
  std::shared_ptr<const Histogram> h;  // never null
};

struct Exemplar {
  Labels labels;
  double value = 0;
  std::int64_t t_ms = 0;
  bool has_time = false;
};

enum class MetricType : std::uint8_t { kUnknown, kCounter, kGauge, kHistogram, kGaugeHistogram, kSummary, kInfo, kStateSet };
std::string_view MetricTypeName(MetricType type);  // "counter"; kUnknown is "unknown"
MetricType ParseMetricType(std::string_view name);  // "untyped" and anything unknown: kUnknown

struct Metadata {
  MetricType type = MetricType::kUnknown;
  std::string help, unit;
  friend bool operator==(const Metadata&, const Metadata&) = default;
};

}  // namespace prom
