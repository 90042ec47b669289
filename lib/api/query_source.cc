#include "api/query_source.h"

#include <algorithm>
#include <iterator>
#include <map>

#include "api/open_data.h"
#include "base/strings.h"
#include "base/time.h"
#include "promql/parse.h"

namespace prom::api {
namespace {

class LocalSource : public QuerySource {
 public:
  LocalSource(std::shared_ptr<QueryableSource> dir, const promql::EngineOptions& options) : dir_(std::move(dir)), engine_(options) {}

  Result<void> Refresh() override {
    PROM_ASSIGN(data_, dir_->Snapshot());
    return {};
  }

  Result<promql::QueryResult> Query(std::string_view expr, const promql::QueryTimes& times, promql::QueryControl& control) override {
    if (times.range) return engine_.Range(*data_, expr, times.start_ms, times.end_ms, times.step_ms, control);
    return engine_.Instant(*data_, expr, times.start_ms, control);
  }

  Result<std::vector<std::string>> LabelNames(const LookupRequest& request) override {
    return Strings(request, [&](const Matchers& m) {
      return request.warnings == nullptr ? data_->LabelNames(m, request.min_ms, request.max_ms)
                                         : data_->ReadableLabelNames(m, request.min_ms, request.max_ms, request.warnings);
    });
  }
  Result<std::vector<std::string>> LabelValues(std::string_view name, const LookupRequest& request) override {
    return Strings(request, [&](const Matchers& m) {
      return request.warnings == nullptr ? data_->LabelValues(name, m, request.min_ms, request.max_ms)
                                         : data_->ReadableLabelValues(name, m, request.min_ms, request.max_ms, request.warnings);
    });
  }

  Result<std::vector<Labels>> Series(const LookupRequest& request) override {
    PROM_ASSIGN(const auto sets, Parse(request));
    std::vector<Labels> out;
    for (const Matchers& m : sets) {
      const auto selection = data_->Select(m, request.min_ms, request.max_ms);
      if (!selection && request.warnings != nullptr && selection.error().code == Errc::kCorrupt) {
        request.warnings->push_back(selection.error().message);
        continue;
      }
      if (!selection) return selection.error();
      for (std::size_t i = 0; i < (*selection)->size(); ++i) out.push_back((*selection)->labels(i));
      if (request.warnings == nullptr) continue;
      for (std::string& w : (*selection)->warnings()) request.warnings->push_back(std::move(w));
    }
    if (sets.size() > 1) {
      std::sort(out.begin(), out.end());
      out.erase(std::unique(out.begin(), out.end()), out.end());
    }
    return out;
  }

  Result<std::vector<MetricInfo>> Metrics(const LookupRequest& request) override {
    PROM_ASSIGN(const auto series, Series(request));
    PROM_ASSIGN(const auto metadata, ListMetadata());
    return CountMetrics(series, metadata);
  }

  Result<std::vector<std::pair<std::string, Metadata>>> ListMetadata() override { return data_->ListMetadata(); }

  std::string EmptyHint() override {
    const auto [oldest, newest] = data_->TimeRange();
    if (oldest > newest) return "the data directory is empty";
    return "data lies between " + FormatTimeRfc3339(oldest) + " and " + FormatTimeRfc3339(newest) + " (see --time, --start)";
  }

  const Queryable* local() const override { return data_.get(); }

 private:
  Result<std::vector<Matchers>> Parse(const LookupRequest& request) const {
    std::vector<Matchers> out;
    for (const std::string& s : request.selectors) {
      auto m = promql::ParseMetricSelector(s);
      if (!m) return m.error().Wrap(Quote(s) + ": ");
      out.push_back(std::move(*m));
    }
    if (out.empty()) out.emplace_back();
    return out;
  }

  template <typename Get>
  Result<std::vector<std::string>> Strings(const LookupRequest& request, Get get) const {
    PROM_ASSIGN(const auto sets, Parse(request));
    std::vector<std::string> out;
    for (const Matchers& m : sets) {
      PROM_ASSIGN(auto found, get(m));
      out.insert(out.end(), std::make_move_iterator(found.begin()), std::make_move_iterator(found.end()));
    }
    if (sets.size() > 1) {
      std::sort(out.begin(), out.end());
      out.erase(std::unique(out.begin(), out.end()), out.end());
    }
    return out;
  }

  std::shared_ptr<QueryableSource> dir_;
  promql::Engine engine_;
  std::shared_ptr<const Queryable> data_;
};

}  // namespace

Result<std::unique_ptr<QuerySource>> OpenLocalSource(const std::string& dir, const promql::EngineOptions& options) {
  PROM_ASSIGN(auto data, OpenDataDir(dir));
  auto source = std::make_unique<LocalSource>(std::move(data), options);
  PROM_TRY(source->Refresh());
  return std::unique_ptr<QuerySource>(std::move(source));
}

std::vector<MetricInfo> CountMetrics(const std::vector<Labels>& series, const std::vector<std::pair<std::string, Metadata>>& metadata) {
  std::map<std::string, std::size_t, std::less<>> counts;
  for (const Labels& l : series) {
    const std::string_view name = l.metric_name();
    if (const auto it = counts.find(name); it != counts.end()) ++it->second;
    else if (!name.empty()) counts.emplace(name, 1);
  }
  std::vector<MetricInfo> out;
  for (const auto& [name, n] : counts) {
    const Metadata* m = FindMetadata(metadata, name);
    out.push_back({name, m == nullptr ? Metadata() : *m, n});
  }
  return out;
}

const Metadata* FindMetadata(const std::vector<std::pair<std::string, Metadata>>& all, std::string_view series_name) {
  const auto find = [&](std::string_view name) -> const Metadata* {
    const auto it = std::lower_bound(all.begin(), all.end(), name, [](const auto& entry, std::string_view n) { return entry.first < n; });
    return it != all.end() && it->first == name ? &it->second : nullptr;
  };
  if (const Metadata* m = find(series_name)) return m;
  for (const std::string_view suffix : {"_total", "_bucket", "_sum", "_count", "_info", "_created"}) {
    if (series_name.ends_with(suffix))
      if (const Metadata* m = find(series_name.substr(0, series_name.size() - suffix.size()))) return m;
  }
  return nullptr;
}

}  // namespace prom::api
