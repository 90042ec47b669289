#include <algorithm>
#include <set>

#include "base/time.h"
#include "tsdb/head.h"

namespace prom::tsdb {
namespace {

// What a ChunkMeta of the head means, in the top bits of its ref.
constexpr std::uint64_t kInFile = 0, kInMemory = std::uint64_t{1} << 62, kOutOfOrder = std::uint64_t{2} << 62, kKind = std::uint64_t{3} << 62;

// Remembers verdicts on values, of which the series of a head have few distinct ones.
class CachedMatcher {
 public:
  explicit CachedMatcher(const Matcher& m) : m_(m), plain_(m.type() == Matcher::Type::kEqual || m.type() == Matcher::Type::kNotEqual) {}
  bool Matches(const Labels& labels) {
    const std::string_view value = labels.Get(m_.name());
    if (plain_) return m_.Matches(value);
    const auto [it, added] = known_.try_emplace(value, false);
    if (added) it->second = m_.Matches(value);
    return it->second;
  }

 private:
  const Matcher& m_;
  const bool plain_;
  std::unordered_map<std::string_view, bool> known_;
};

}  // namespace

std::vector<std::uint32_t> HeadSnapshot::Match(const Matchers& matchers) const {
  std::vector<std::uint32_t> out;
  std::vector<CachedMatcher> others;
  const Matcher* name = nullptr;
  for (const Matcher& m : matchers) {
    if (name == nullptr && m.name() == kMetricName) {
      name = &m;
    } else {
      others.emplace_back(m);
    }
  }
  const auto look = [&](const std::vector<std::uint32_t>& candidates) {
    for (const std::uint32_t i : candidates) {
      const Labels& labels = *series_[i]->labels;
      if (std::all_of(others.begin(), others.end(), [&](CachedMatcher& m) { return m.Matches(labels); })) out.push_back(i);
    }
  };
  if (name != nullptr && name->type() == Matcher::Type::kEqual) {
    if (const auto it = by_metric_.find(name->value()); it != by_metric_.end()) look(it->second);
    return out;
  }
  for (const auto& [metric, candidates] : by_metric_)
    if (name == nullptr || name->Matches(metric)) look(candidates);
  return out;
}

Result<std::vector<PartSeries>> HeadSnapshot::SelectSeries(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const {
  std::vector<PartSeries> out;
  for (const std::uint32_t i : Match(matchers)) {
    const HeadSeries& s = *series_[i];
    PartSeries p;
    const auto add = [&](std::int64_t from, std::int64_t to, std::uint64_t ref) {
      if (from > to || from > max_ms || to < min_ms) return;
      if (std::any_of(s.deleted.begin(), s.deleted.end(), [&](const auto& d) { return d.first <= from && to <= d.second; })) return;
      p.chunks.push_back({from, to, ref});
    };
    for (const ChunkMeta& c : s.chunks) add(c.min_ms, c.max_ms, c.ref | kInFile);
    add(s.samples.min_ms, s.samples.max_ms, kInMemory);
    for (const ChunkMeta& c : s.out_of_order_chunks) add(c.min_ms, c.max_ms, c.ref | kInFile);
    add(s.out_of_order.min_ms, s.out_of_order.max_ms, kOutOfOrder);
    if (p.chunks.empty()) continue;
    p.labels = *s.labels;
    p.id = i;
    if (!s.deleted.empty()) p.deleted = &s.deleted;
    out.push_back(std::move(p));
  }
  std::sort(out.begin(), out.end(), [](const PartSeries& a, const PartSeries& b) { return a.labels < b.labels; });
  return out;
}

Result<std::vector<std::string>> HeadSnapshot::LabelNames(const Matchers& matchers) const {
  std::set<std::string, std::less<>> names;
  for (const std::uint32_t i : Match(matchers))
    for (const Label& l : *series_[i]->labels)
      if (!names.contains(l.name)) names.emplace(l.name);
  return std::vector<std::string>(names.begin(), names.end());
}

Result<std::vector<std::string>> HeadSnapshot::LabelValues(std::string_view name, const Matchers& matchers) const {
  std::set<std::string, std::less<>> values;
  for (const std::uint32_t i : Match(matchers)) {
    const std::string_view v = series_[i]->labels->Get(name);
    if (!v.empty() && !values.contains(v)) values.emplace(v);
  }
  return std::vector<std::string>(values.begin(), values.end());
}

void HeadSnapshot::ReadChunk(const PartSeries& series, const ChunkMeta& chunk, SeriesColumns* out) const {
  const std::uint64_t kind = chunk.ref & kKind;
  if (kind == kInFile) {
    auto done = chunks_->Read(chunk.ref, out);
    if (!done) {
      out->warnings.push_back(done.error().message + ": samples of " + series.labels.ToSeries() + " from " + FormatTimeRfc3339(chunk.min_ms) + " to " +
                              FormatTimeRfc3339(chunk.max_ms) + " are missing");
    }
    return;
  }
  const HeadSeries& s = *series_[series.id];
  const HeadColumns& c = kind == kInMemory ? s.samples : s.out_of_order;
  const std::size_t before = out->t_buffer.size(), h_before = out->histograms.size();
  out->t_buffer.insert(out->t_buffer.end(), c.t.begin(), c.t.end());
  out->v_buffer.insert(out->v_buffer.end(), c.v.begin(), c.v.end());
  if (!c.st.empty() || !out->st_buffer.empty()) {
    out->st_buffer.resize(before, 0);
    out->st_buffer.insert(out->st_buffer.end(), c.st.begin(), c.st.end());
    out->st_buffer.resize(out->t_buffer.size(), 0);
  }
  out->histograms.insert(out->histograms.end(), c.histograms.begin(), c.histograms.end());
  if (!c.histogram_st.empty() || !out->histogram_st.empty()) {
    out->histogram_st.resize(h_before, 0);
    out->histogram_st.insert(out->histogram_st.end(), c.histogram_st.begin(), c.histogram_st.end());
    out->histogram_st.resize(out->histograms.size(), 0);
  }
}

std::vector<std::pair<std::string, Metadata>> HeadSnapshot::ListMetadata() const {
  return std::vector<std::pair<std::string, Metadata>>(metadata_->begin(), metadata_->end());
}

std::vector<Queryable::SeriesExemplars> HeadSnapshot::Exemplars(const std::vector<Matchers>& any_of, std::int64_t min_ms, std::int64_t max_ms) const {
  std::set<std::uint32_t> chosen;
  for (const Matchers& m : any_of) {
    for (const std::uint32_t i : Match(m))
      if (!series_[i]->exemplars.empty()) chosen.insert(i);
  }
  std::vector<Queryable::SeriesExemplars> out;
  for (const std::uint32_t i : chosen) {
    Queryable::SeriesExemplars one{*series_[i]->labels, {}};
    for (const Exemplar& e : series_[i]->exemplars)
      if (e.t_ms >= min_ms && e.t_ms <= max_ms) one.exemplars.push_back(e);
    if (!one.exemplars.empty()) out.push_back(std::move(one));
  }
  return out;
}

}  // namespace prom::tsdb
