// A StreamSink that keeps what it is told as text, one line a sample.
#pragma once

#include <bit>
#include <map>
#include <string>
#include <vector>

#include "base/number.h"
#include "exposition/stream_sink.h"

namespace prom::testing {

class CollectSink : public StreamSink {
 public:
  Result<void> DefineSeries(std::uint32_t id, const Labels& labels) override {
    series_[id] = labels.ToSeries();
    return {};
  }
  Result<void> DefineLayout(std::uint32_t id, std::span<const std::uint32_t> series) override {
    layouts_[id].insert(layouts_[id].end(), series.begin(), series.end());
    return {};
  }
  Result<void> Reset() override {
    series_.clear();
    layouts_.clear();
    return {};
  }
  Result<void> Row(std::uint32_t layout, std::int64_t t, std::span<const double> values, std::span<const std::uint64_t> present) override {
    const auto& columns = layouts_.at(layout);
    for (std::size_t i = 0; i < values.size(); ++i)
      if (present.empty() || (present[i / 64] >> (i % 64) & 1) != 0) Put(columns.at(i), t, values[i]);
    return {};
  }
  Result<void> Sample(std::uint32_t id, std::int64_t t, double v, std::int64_t) override {
    Put(id, t, v);
    return {};
  }
  Result<void> HistogramAt(std::uint32_t, std::int64_t, const Histogram&, std::int64_t) override { return {}; }
  Result<void> ExemplarOf(std::uint32_t id, const Exemplar& e) override {
    lines.push_back("exemplar " + series_.at(id) + " " + e.labels.ToString() + " " + FormatFloatF(e.value));
    return {};
  }
  Result<void> MetadataOf(std::string_view metric, const Metadata& m) override {
    metadata[std::string(metric)] = m;
    return {};
  }
  Result<void> Commit(std::uint64_t) override {
    ++commits;
    return fail_commit ? Error{Errc::kUnavailable, "gone"} : Result<void>();
  }

  // "series value" of the last row, without the report series unless asked; then forgets.
  std::map<std::string, std::string> Take(bool report = false) {
    std::map<std::string, std::string> out;
    for (const auto& [series, value] : values_)
      if (report || (!series.starts_with("up") && !series.starts_with("scrape_"))) out[series] = value;
    values_.clear();
    return out;
  }

  std::vector<std::string> lines;
  std::map<std::string, Metadata> metadata;
  int commits = 0;
  bool fail_commit = false;

 private:
  void Put(std::uint32_t id, std::int64_t t, double v) {
    values_[series_.at(id)] = IsStaleNan(v) ? "stale" : FormatFloatF(v);
    last_t = t;
  }
  std::map<std::uint32_t, std::string> series_;
  std::map<std::uint32_t, std::vector<std::uint32_t>> layouts_;
  std::map<std::string, std::string> values_;

 public:
  std::int64_t last_t = 0;
};

}  // namespace prom::testing
