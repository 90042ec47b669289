#include "store/dump.h"

#include <algorithm>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "exposition/stream_binary.h"
#include "exposition/stream_text.h"

namespace prom::store {
namespace {

constexpr std::uint64_t kBinaryBatch = 100'000;  // samples between two commits

class Dumper {
 public:
  Dumper(const Queryable& source, const DumpOptions& options, const StreamWriteFn& write, DumpSummary* summary)
      : source_(source), options_(options), text_(write), binary_(write), sink_(options.binary ? static_cast<StreamSink&>(binary_) : text_), summary_(summary) {}

  Result<void> Run() {
    PROM_ASSIGN(auto metadata, source_.ListMetadata());
    for (auto& [name, m] : metadata) metadata_.emplace(std::move(name), std::move(m));
    // A part that cannot be read costs the exemplars, not the samples of the others.
    auto exemplars = source_.Exemplars({options_.matchers}, options_.min_ms, options_.max_ms);
    if (!exemplars && exemplars.error().code != Errc::kCorrupt) return std::move(exemplars.error());
    if (!exemplars) Warn(exemplars.error().message + "; exemplars are left out");
    else for (auto& e : *exemplars) exemplars_.emplace(std::move(e.series), std::move(e.exemplars));
    PROM_ASSIGN(const auto selection, source_.Select(options_.matchers, options_.min_ms, options_.max_ms));
    SeriesColumns columns;
    for (std::size_t i = 0; i < selection->size(); ++i) {
      PROM_TRY(selection->Read(i, options_.min_ms, options_.max_ms, &columns));
      for (const std::string& w : columns.warnings) Warn(w);
      PROM_TRY(OneSeries(selection->labels(i), columns));
    }
    // Of metrics that have no samples here; of a part of the series they would be noise.
    if (options_.matchers.empty())
      for (const auto& [name, m] : metadata_)
        if (said_.insert(name).second) PROM_TRY(sink_.MetadataOf(name, m));
    if (options_.binary) return binary_.Commit(++sequence_);
    return text_.Flush();
  }

 private:
  void Warn(const std::string& w) {
    ++summary_->warnings;
    if (options_.on_warning && warned_.insert(w).second) options_.on_warning(w);
  }

  Result<void> OneSeries(const Labels& labels, const SeriesColumns& c) {
    const auto exemplars = exemplars_.find(labels);
    if (c.t.empty() && c.histograms.empty() && exemplars == exemplars_.end()) return {};
    if (const auto* metadata = FindMetadata(metadata_, labels.metric_name()); metadata != nullptr && said_.insert(metadata->first).second)
      PROM_TRY(sink_.MetadataOf(metadata->first, metadata->second));
    std::uint32_t id = 0;
    if (options_.binary) {
      id = next_id_++;
    } else {
      PROM_TRY(sink_.Reset());  // one series at a time: nothing to remember
    }
    PROM_TRY(sink_.DefineSeries(id, labels));
    ++summary_->series;
    std::size_t h = 0;
    const auto histograms_before = [&](std::int64_t t) -> Result<void> {
      for (; h < c.histograms.size() && c.histograms[h].t_ms < t; ++h)
        PROM_TRY(sink_.HistogramAt(id, c.histograms[h].t_ms, *c.histograms[h].h, h < c.histogram_st.size() ? c.histogram_st[h] : 0));
      return {};
    };
    for (std::size_t k = 0; k < c.t.size(); ++k) {
      if (h < c.histograms.size()) PROM_TRY(histograms_before(c.t[k]));
      PROM_TRY(sink_.Sample(id, c.t[k], c.v[k], c.st.empty() ? 0 : c.st[k]));
    }
    PROM_TRY(histograms_before(kMaxTimeMs));
    if (h < c.histograms.size()) PROM_TRY(sink_.HistogramAt(id, c.histograms[h].t_ms, *c.histograms[h].h, h < c.histogram_st.size() ? c.histogram_st[h] : 0));
    if (exemplars != exemplars_.end())
      for (const Exemplar& e : exemplars->second) PROM_TRY(sink_.ExemplarOf(id, e));
    summary_->samples += c.t.size() + c.histograms.size();
    if (options_.binary && summary_->samples - committed_ >= kBinaryBatch) {
      committed_ = summary_->samples;
      return binary_.Commit(++sequence_);
    }
    return {};
  }

  const Queryable& source_;
  const DumpOptions& options_;
  StreamTextWriter text_;
  StreamEncoder binary_;
  StreamSink& sink_;
  DumpSummary* summary_;
  MetadataMap metadata_;
  std::unordered_map<Labels, std::vector<Exemplar>> exemplars_;
  std::unordered_set<std::string> said_, warned_;
  std::uint32_t next_id_ = 0;
  std::uint64_t sequence_ = 0, committed_ = 0;
};

}  // namespace

const MetadataMap::value_type* FindMetadata(const MetadataMap& all, std::string_view series_name) {
  if (const auto it = all.find(series_name); it != all.end()) return &*it;
  for (const std::string_view suffix : {"_bucket", "_sum", "_count", "_total", "_created", "_info", "_gsum", "_gcount"}) {
    if (!series_name.ends_with(suffix)) continue;
    const auto it = all.find(series_name.substr(0, series_name.size() - suffix.size()));
    return it == all.end() ? nullptr : &*it;
  }
  return nullptr;
}

Result<void> Dump(const Queryable& source, const DumpOptions& options, const StreamWriteFn& write, DumpSummary* summary) {
  return Dumper(source, options, write, summary).Run();
}

}  // namespace prom::store
