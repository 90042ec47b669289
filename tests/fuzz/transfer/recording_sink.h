// A StreamSink that writes down what it is given, and insists on the rules of ids.
#pragma once

#include <cstdlib>
#include <string>
#include <vector>

#include "base/number.h"
#include "exposition/stream_sink.h"

namespace transfer_fuzz {

class RecordingSink : public prom::StreamSink {
 public:
  std::string text;

  prom::Result<void> DefineSeries(std::uint32_t id, const prom::Labels& labels) override {
    if (id != series_.size()) std::abort();
    series_.push_back(labels.ToString());
    return {};
  }
  prom::Result<void> DefineLayout(std::uint32_t, std::span<const std::uint32_t>) override { std::abort(); }
  prom::Result<void> Reset() override {
    series_.clear();
    return {};
  }
  prom::Result<void> Row(std::uint32_t, std::int64_t, std::span<const double>, std::span<const std::uint64_t>) override { std::abort(); }
  prom::Result<void> Sample(std::uint32_t series, std::int64_t t_ms, double v, std::int64_t) override {
    if (series >= series_.size()) std::abort();
    text += series_[series] + " " + std::to_string(t_ms) + " " + prom::FormatFloatG(v) + "\n";
    return {};
  }
  prom::Result<void> HistogramAt(std::uint32_t, std::int64_t, const prom::Histogram&, std::int64_t) override { return {}; }
  prom::Result<void> ExemplarOf(std::uint32_t, const prom::Exemplar&) override { return {}; }
  prom::Result<void> MetadataOf(std::string_view, const prom::Metadata&) override { return {}; }
  prom::Result<void> Commit(std::uint64_t) override { return {}; }

 private:
  std::vector<std::string> series_;
};

}  // namespace transfer_fuzz
