// ModelStore: the simplest thing that is a Queryable, to check the store against:
// maps, and a look at every series for every question.
#pragma once

#include <bit>
#include <boost/test/unit_test.hpp>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/number.h"
#include "base/time.h"
#include "model/queryable.h"

namespace prom::store::testing {

struct ModelSample {
  double v = 0;
  std::int64_t st = 0;
  std::shared_ptr<const Histogram> h;
  bool Same(const ModelSample& o) const {
    if ((h == nullptr) != (o.h == nullptr) || st != o.st) return false;
    return h != nullptr ? *h == *o.h : std::bit_cast<std::uint64_t>(v) == std::bit_cast<std::uint64_t>(o.v);
  }
};
using ModelSeries = std::map<std::int64_t, ModelSample>;

class ModelStore : public Queryable {
 public:
  std::map<Labels, ModelSeries> series;
  std::map<std::string, Metadata> metadata;
  std::map<Labels, std::vector<Exemplar>> exemplars;

  static bool Matches(const Labels& labels, const Matchers& matchers) {
    for (const auto& m : matchers) {
      if (!m.Matches(labels.Get(m.name()))) return false;
    }
    return true;
  }

  Result<std::unique_ptr<Selection>> Select(const Matchers& matchers, std::int64_t, std::int64_t) const override {
    auto out = std::make_unique<ModelSelection>();
    for (const auto& [labels, samples] : series) {
      if (Matches(labels, matchers)) out->chosen.emplace_back(&labels, &samples);
    }
    return std::unique_ptr<Selection>(std::move(out));
  }
  Result<std::vector<std::string>> LabelNames(const Matchers& matchers, std::int64_t, std::int64_t) const override {
    std::set<std::string> out;
    for (const auto& [labels, samples] : series) {
      if (!Matches(labels, matchers)) continue;
      for (const Label& l : labels) out.insert(std::string(l.name));
    }
    return std::vector<std::string>(out.begin(), out.end());
  }
  Result<std::vector<std::string>> LabelValues(std::string_view name, const Matchers& matchers, std::int64_t, std::int64_t) const override {
    std::set<std::string> out;
    for (const auto& [labels, samples] : series) {
      if (Matches(labels, matchers) && labels.Has(name)) out.insert(std::string(labels.Get(name)));
    }
    return std::vector<std::string>(out.begin(), out.end());
  }
  Result<std::vector<std::pair<std::string, Metadata>>> ListMetadata() const override {
    return std::vector<std::pair<std::string, Metadata>>(metadata.begin(), metadata.end());
  }
  Result<std::vector<SeriesExemplars>> Exemplars(const std::vector<Matchers>& any_of, std::int64_t min_ms, std::int64_t max_ms) const override {
    std::vector<SeriesExemplars> out;
    for (const auto& [labels, list] : exemplars) {
      bool any = false;
      for (const auto& matchers : any_of) any = any || Matches(labels, matchers);
      SeriesExemplars one{labels, {}};
      for (const auto& e : list) {
        if (any && e.t_ms >= min_ms && e.t_ms <= max_ms) one.exemplars.push_back(e);
      }
      if (!one.exemplars.empty()) out.push_back(std::move(one));
    }
    return out;
  }
  std::pair<std::int64_t, std::int64_t> TimeRange() const override {
    std::pair<std::int64_t, std::int64_t> out{kMaxTimeMs, kMinTimeMs};
    for (const auto& [labels, samples] : series) {
      if (samples.empty()) continue;
      out.first = std::min(out.first, samples.begin()->first);
      out.second = std::max(out.second, samples.rbegin()->first);
    }
    return out;
  }

 private:
  struct ModelSelection : public Selection {
    std::vector<std::pair<const Labels*, const ModelSeries*>> chosen;
    std::size_t size() const override { return chosen.size(); }
    const Labels& labels(std::size_t i) const override { return *chosen[i].first; }
    Result<void> Read(std::size_t i, std::int64_t min_ms, std::int64_t max_ms, SeriesColumns* out) const override {
      out->Clear();
      out->t_buffer.clear();
      out->v_buffer.clear();
      out->st_buffer.clear();
      const ModelSeries& all = *chosen[i].second;
      for (auto it = all.lower_bound(min_ms); it != all.end() && it->first <= max_ms; ++it) {
        if (it->second.h != nullptr) {
          out->histograms.push_back({it->first, it->second.h});
          out->histogram_st.push_back(it->second.st);
        } else {
          out->t_buffer.push_back(it->first);
          out->v_buffer.push_back(it->second.v);
          out->st_buffer.push_back(it->second.st);
        }
      }
      out->t = out->t_buffer;
      out->v = out->v_buffer;
      out->st = out->st_buffer;
      return {};
    }
  };
};

// The samples of one Read as the model has them.
inline ModelSeries ToModel(const SeriesColumns& c) {
  ModelSeries out;
  BOOST_REQUIRE(c.t.size() == c.v.size());
  BOOST_REQUIRE((c.st.empty() || c.st.size() == c.t.size()));
  for (std::size_t i = 0; i < c.t.size(); ++i) {
    BOOST_REQUIRE((i == 0 || c.t[i] > c.t[i - 1]));
    out[c.t[i]] = {c.v[i], c.st.empty() ? 0 : c.st[i], nullptr};
  }
  BOOST_REQUIRE((c.histogram_st.empty() || c.histogram_st.size() == c.histograms.size()));
  for (std::size_t i = 0; i < c.histograms.size(); ++i) {
    const auto& h = c.histograms[i];
    BOOST_REQUIRE(out.emplace(h.t_ms, ModelSample{0, c.histogram_st.empty() ? 0 : c.histogram_st[i], h.h}).second);
  }
  return out;
}

inline bool SameSamples(const ModelSeries& a, const ModelSeries& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](const auto& x, const auto& y) { return x.first == y.first && x.second.Same(y.second); });
}

inline ModelSeries Slice(const ModelSeries& s, std::int64_t min_ms, std::int64_t max_ms) { return {s.lower_bound(min_ms), s.upper_bound(max_ms)}; }

// Asks `got` all it can be asked about the range and compares. Series without
// samples in the range may or may not be listed.
inline void CheckSame(const ModelStore& want, const Queryable& got, const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) {
  auto selection = got.Select(matchers, min_ms, max_ms);
  BOOST_REQUIRE_MESSAGE(bool(selection), (selection ? "" : selection.error().message));
  std::map<Labels, ModelSeries> left;
  for (const auto& [labels, samples] : want.series) {
    auto slice = Slice(samples, min_ms, max_ms);
    if (!slice.empty() && ModelStore::Matches(labels, matchers)) left.emplace(labels, std::move(slice));
  }
  SeriesColumns columns;
  std::map<std::uint64_t, std::vector<std::int64_t>> by_id;
  for (std::size_t i = 0; i < (*selection)->size(); ++i) {
    const Labels& labels = (*selection)->labels(i);
    BOOST_REQUIRE((i == 0 || (*selection)->labels(i - 1) < labels));
    auto done = (*selection)->Read(i, min_ms, max_ms, &columns);
    BOOST_REQUIRE_MESSAGE(bool(done), (done ? "" : done.error().message));
    BOOST_REQUIRE_MESSAGE(columns.warnings.empty(), (columns.warnings.empty() ? "" : columns.warnings[0]));
    if (columns.time_column != 0) {
      const std::vector<std::int64_t> t(columns.t.begin(), columns.t.end());
      const auto [it, added] = by_id.emplace(columns.time_column, t);
      BOOST_REQUIRE(it->second == t);
    }
    for (std::size_t n = 0; columns.no_resets && n < columns.v.size(); ++n) BOOST_REQUIRE((columns.v[n] >= columns.v[n == 0 ? 0 : n - 1]));
    const auto samples = ToModel(columns);
    if (samples.empty()) continue;
    const auto it = left.find(labels);
    BOOST_REQUIRE_MESSAGE(it != left.end(), "not expected: " + labels.ToString());
    BOOST_REQUIRE_MESSAGE(SameSamples(it->second, samples), "samples differ: " + labels.ToString());
    left.erase(it);
  }
  BOOST_REQUIRE_MESSAGE(left.empty(), "missing: " + (left.empty() ? "" : left.begin()->first.ToString()));
}

inline std::shared_ptr<const Histogram> RandomHistogram(std::mt19937& random, int n) {
  auto h = std::make_shared<Histogram>();
  h->is_float = random() % 3 == 0;
  h->schema = static_cast<std::int32_t>(random() % 4);
  h->zero_threshold = 1e-128;
  h->positive_spans = {{static_cast<std::int32_t>(random() % 3), 2}, {2, 1}};
  h->positive_buckets = {double(n), double(n + 5), double(random() % 100)};
  if (random() % 2 == 0) {
    h->negative_spans = {{0, 1}};
    h->negative_buckets = {double(n * 2)};
  }
  for (const double b : h->positive_buckets) h->count += b;
  for (const double b : h->negative_buckets) h->count += b;
  h->sum = random() % 10 == 0 ? StaleNan() : n * 0.1;
  return h;
}

// A store of some targets scraped at 15 s: constants, counters with resets, gauges of
// any bits, series that come late, go early or have gaps, histograms, and a mix of
// floats and histograms; some with start timestamps.
inline void Fill(std::mt19937& random, ModelStore* store, int targets, int metrics, std::int64_t start_ms, int scrapes, std::int64_t step_ms = 15'000) {
  for (int target = 0; target < targets; ++target) {
    std::vector<std::int64_t> times;
    for (int i = 0; i < scrapes; ++i) times.push_back(start_ms + target * 37 + i * step_ms + static_cast<std::int64_t>(random() % 5 == 0 ? random() % 3 : 0));
    for (int metric = 0; metric < metrics; ++metric) {
      const Labels labels{{"__name__", "metric_" + std::to_string(metric)}, {"instance", "host" + std::to_string(target)}, {"job", target % 2 == 0 ? "node" : "api"}};
      ModelSeries& s = store->series[labels];
      const int kind = metric % 10;
      double counter = static_cast<double>(random() % 1000);
      const bool starts = metric % 4 == 3;
      const std::size_t late = kind == 5 ? random() % times.size() : 0, early = kind == 6 ? random() % times.size() : times.size();
      for (std::size_t i = late; i < early; ++i) {
        if (kind == 7 && random() % 7 == 0) continue;
        ModelSample sample;
        if (starts) sample.st = start_ms - 1000 + static_cast<std::int64_t>(i / 100);
        switch (kind) {
          case 0: sample.v = 42; break;
          case 1: sample.v = counter += static_cast<double>(random() % 100); break;
          case 2: sample.v = std::bit_cast<double>(std::uint64_t{random()} << 32 | random()); break;
          case 3: sample.v = counter = random() % 200 == 0 ? 0 : counter + 0.25; break;
          case 4: sample.v = i + 1 == early ? StaleNan() : std::bit_cast<double>(kStaleNanBits + random() % 3); break;
          case 8: sample.h = RandomHistogram(random, static_cast<int>(i)); break;
          case 9:
            if (i % 50 < 25) sample.h = RandomHistogram(random, static_cast<int>(i));
            else sample.v = static_cast<double>(i);
            break;
          default: sample.v = static_cast<double>(random() % 10000) / 100;
        }
        s[times[i]] = sample;
      }
      if (s.empty()) store->series.erase(labels);
    }
  }
}

}  // namespace prom::store::testing
