#include "promql/bucket_use.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "base/number.h"
#include "promql/histogram_math.h"

namespace prom::promql {
namespace {

void Note(BucketUse* use, std::size_t populated) {
  use->least = use->samples == 0 ? populated : std::min(use->least, populated);
  use->most = std::max(use->most, populated);
  ++use->samples;
  use->average += (static_cast<double>(populated) - use->average) / static_cast<double>(use->samples);
}

// The series of one classic histogram by upper bound.
using Classic = std::map<double, const std::vector<FloatSample>*>;

std::optional<BucketUse> UseOfClassic(const Classic& buckets) {
  BucketUse use;
  use.buckets = buckets.size();
  std::vector<std::size_t> at(buckets.size(), 0);
  for (const FloatSample& first : *buckets.begin()->second) {
    double below = 0;
    std::size_t populated = 0, b = 0;
    for (const auto& [bound, samples] : buckets) {
      std::size_t& i = at[b];
      while (i < samples->size() && (*samples)[i].t_ms < first.t_ms) ++i;
      if (i == samples->size() || (*samples)[i].t_ms != first.t_ms) break;
      populated += (*samples)[i].v != below ? 1 : 0;
      below = (*samples)[i].v;
      ++b;
    }
    if (b == buckets.size()) Note(&use, populated);
  }
  if (use.samples == 0) return std::nullopt;
  return use;
}

BucketUse UseOfNative(const std::vector<HistogramSample>& samples) {
  BucketUse use;
  use.native = true;
  std::set<std::pair<double, double>> seen;
  for (const HistogramSample& s : samples) {
    std::size_t populated = 0;
    for (const HistogramBucket& b : AllBuckets(*s.h)) {
      if (b.count == 0) continue;
      ++populated;
      seen.emplace(b.lower, b.upper);
    }
    Note(&use, populated);
  }
  use.buckets = seen.size();
  return use;
}

}  // namespace

std::vector<BucketUse> CountBucketUse(const std::vector<ResultSeries>& matrix) {
  std::map<std::string, Classic> classic;
  std::vector<BucketUse> out, native;
  for (const ResultSeries& s : matrix) {
    if (!s.histograms.empty()) {
      native.push_back(UseOfNative(s.histograms));
      native.back().series = s.labels.ToSeries();
    }
    const auto bound = ParseFloat(s.labels.Get("le"));
    if (s.floats.empty() || !bound || std::isnan(*bound) || !s.labels.metric_name().ends_with("_bucket")) continue;
    classic[LabelsBuilder(s.labels).Del("le").Build().ToSeries()][*bound] = &s.floats;
  }
  for (const auto& [series, buckets] : classic) {
    if (auto use = UseOfClassic(buckets)) {
      use->series = series;
      out.push_back(std::move(*use));
    }
  }
  std::sort(native.begin(), native.end(), [](const BucketUse& a, const BucketUse& b) { return a.series < b.series; });
  out.insert(out.end(), std::make_move_iterator(native.begin()), std::make_move_iterator(native.end()));
  return out;
}

BucketUse Together(const std::vector<BucketUse>& all, bool native) {
  BucketUse out;
  out.native = native;
  for (const BucketUse& use : all) {
    if (use.native != native) continue;
    out.least = out.samples == 0 ? use.least : std::min(out.least, use.least);
    out.most = std::max(out.most, use.most);
    out.buckets = std::max(out.buckets, use.buckets);
    ++out.samples;
    out.average += (use.average - out.average) / static_cast<double>(out.samples);
  }
  return out;
}

}  // namespace prom::promql
