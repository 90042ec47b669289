// Lines drawn with braille dots: 2 x 4 dots a character, with axes and a legend.
#pragma once

#include <string>

#include "promql/engine.h"
#include "promql/output/render.h"

namespace prom::promql {

// A matrix over time; histograms are left out.
std::string RenderGraph(const QueryResult& result, const RenderOptions& options);

// The newest values of a series as one of eight heights each: "▁▂▅█"; width characters at most.
std::string Sparkline(const std::vector<FloatSample>& samples, std::size_t width);

}  // namespace prom::promql
