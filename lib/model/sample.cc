#include "model/sample.h"

#include <iterator>

namespace prom {
namespace {
constexpr std::string_view kNames[] = {"unknown", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset"};
}

std::string_view MetricTypeName(MetricType type) { return kNames[static_cast<std::size_t>(type)]; }

MetricType ParseMetricType(std::string_view name) {
  for (std::size_t i = 0; i < std::size(kNames); ++i)
    if (kNames[i] == name) return static_cast<MetricType>(i);
  return MetricType::kUnknown;
}

}  // namespace prom
