// Lines drawn with braille dots: 2 x 4 dots a character, with axes and a legend.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "promql/engine.h"
#include "promql/output/render.h"

namespace prom::promql {

// A matrix over time. Of many series those with the largest last values are drawn, and
// a line below says so; as do ones for values that are not finite and for histograms.
// Empty when there is nothing to draw.
std::string RenderGraph(const QueryResult& result, const RenderOptions& options);

// The values as one of eight heights each: "▁▂▅█"; width characters at most, each the mean
// of its share. With end > start the shares are of that time, and a blank is a gap; without,
// of the samples.
std::string Sparkline(const std::vector<FloatSample>& samples, std::size_t width, std::int64_t start_ms = 0, std::int64_t end_ms = 0);

}  // namespace prom::promql
