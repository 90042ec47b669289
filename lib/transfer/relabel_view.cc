// The series after relabelling lie in layers. Each layer has a label set once, and a
// MergedQueryable over them does what it does for blocks: later ones win. Most series
// stay alone under their labels, so that there is one layer.
#include "transfer/relabel_view.h"

#include <algorithm>
#include <map>

#include "store/merged.h"

namespace prom::transfer {
namespace {

// Metadata is by family, whose name series of histograms and counters have with one of these behind it.
constexpr std::string_view kSuffixes[] = {"", "_total", "_bucket", "_count", "_sum", "_created", "_info"};

// Samples of a series of the source in a closed range, under labels.
struct Entry {
  Labels labels;
  std::size_t index = 0;  // in the selection of the source
  std::int64_t min_ms = kMinTimeMs, max_ms = kMaxTimeMs;
  bool relabelled = false;
};

bool Fits(const Matchers& matchers, const Labels& labels) {
  return std::all_of(matchers.begin(), matchers.end(), [&](const Matcher& m) { return m.Matches(labels.Get(m.name())); });
}

class Layer : public Queryable, public std::enable_shared_from_this<Layer> {
 public:
  Layer(std::shared_ptr<const Selection> source, std::pair<std::int64_t, std::int64_t> range, std::shared_ptr<std::atomic<std::uint64_t>> samples_read)
      : source_(std::move(source)), range_(range), samples_read_(std::move(samples_read)) {}
  void Add(Entry entry) { entries_.push_back(std::move(entry)); }  // ascending by labels

  Result<std::unique_ptr<Selection>> Select(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const override;
  Result<std::vector<std::string>> LabelNames(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const override {
    std::set<std::string> out;
    Visit(matchers, min_ms, max_ms, [&](const Entry& e) {
      for (const Label l : e.labels) out.emplace(l.name);
    });
    return std::vector<std::string>(out.begin(), out.end());
  }
  Result<std::vector<std::string>> LabelValues(std::string_view name, const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const override {
    std::set<std::string> out;
    Visit(matchers, min_ms, max_ms, [&](const Entry& e) {
      if (const auto value = e.labels.Get(name); !value.empty()) out.emplace(value);
    });
    return std::vector<std::string>(out.begin(), out.end());
  }
  std::pair<std::int64_t, std::int64_t> TimeRange() const override { return range_; }

  Result<void> Read(const Entry& e, std::int64_t min_ms, std::int64_t max_ms, SeriesColumns* out) const {
    const std::int64_t from = std::max(min_ms, e.min_ms), to = std::min(max_ms, e.max_ms);
    out->Clear();
    if (from > to) return {};
    PROM_TRY(source_->Read(e.index, from, to, out));
    if (from != min_ms || to != max_ms) out->time_column = 0;  // of another range than that of other series
    samples_read_->fetch_add(out->t.size() + out->histograms.size(), std::memory_order_relaxed);
    return {};
  }

 private:
  template <typename Visitor>
  void Visit(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms, Visitor visitor) const {
    for (const Entry& e : entries_) {
      if (e.min_ms > max_ms || e.max_ms < min_ms) continue;
      if (Fits(matchers, e.labels)) visitor(e);
    }
  }

  const std::shared_ptr<const Selection> source_;
  const std::pair<std::int64_t, std::int64_t> range_;
  const std::shared_ptr<std::atomic<std::uint64_t>> samples_read_;
  std::vector<Entry> entries_;
};

class LayerSelection : public Selection {
 public:
  LayerSelection(std::shared_ptr<const Layer> layer, std::vector<const Entry*> entries) : layer_(std::move(layer)), entries_(std::move(entries)) {}
  std::size_t size() const override { return entries_.size(); }
  const Labels& labels(std::size_t i) const override { return entries_[i]->labels; }
  Result<void> Read(std::size_t i, std::int64_t min_ms, std::int64_t max_ms, SeriesColumns* out) const override { return layer_->Read(*entries_[i], min_ms, max_ms, out); }

 private:
  std::shared_ptr<const Layer> layer_;
  std::vector<const Entry*> entries_;
};

Result<std::unique_ptr<Selection>> Layer::Select(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const {
  std::vector<const Entry*> found;
  Visit(matchers, min_ms, max_ms, [&](const Entry& e) { found.push_back(&e); });
  return std::unique_ptr<Selection>(new LayerSelection(shared_from_this(), std::move(found)));
}

}  // namespace

std::optional<Labels> Relabel(const RelabelJob& job, const Labels& labels) {
  if (!Fits(job.matchers, labels)) return labels;
  LabelsBuilder builder(labels);
  if (!relabel::Process(job.rules, &builder)) return std::nullopt;
  Labels out = builder.Build();
  if (out.empty()) return std::nullopt;
  return out;
}

Result<std::shared_ptr<const RelabelView>> RelabelView::Make(std::shared_ptr<const Queryable> source, const RelabelJob& job) {
  auto self = std::shared_ptr<RelabelView>(new RelabelView(std::move(source), job));
  const auto [oldest, newest] = self->source_->TimeRange();
  PROM_ASSIGN(std::unique_ptr<Selection> selected, self->source_->Select({}, kMinTimeMs, kMaxTimeMs));
  const std::shared_ptr<const Selection> all = std::move(selected);
  const bool touched = oldest <= job.max_ms && newest >= job.min_ms;
  std::vector<Entry> entries;
  for (std::size_t i = 0; i < all->size(); ++i) {
    const Labels& old = all->labels(i);
    auto changed = touched ? Relabel(job, old) : old;
    if (changed == old) {
      entries.push_back({old, i});
      continue;
    }
    self->changes_ = true;
    if (oldest < job.min_ms) entries.push_back({old, i, kMinTimeMs, job.min_ms - 1});
    if (newest > job.max_ms) entries.push_back({old, i, job.max_ms + 1, kMaxTimeMs});
    if (!changed) continue;
    if (old.metric_name() != changed->metric_name()) self->renames_.emplace(old.metric_name(), changed->metric_name());
    entries.push_back({std::move(*changed), i, job.min_ms, job.max_ms, true});
  }
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    const auto order = a.labels <=> b.labels;
    return order != 0 ? order < 0 : a.relabelled && !b.relabelled;
  });
  std::vector<std::shared_ptr<Layer>> layers;
  std::size_t layer = 0;
  const Labels* last = nullptr;
  for (Entry& e : entries) {
    layer = last != nullptr && *last == e.labels ? layer + 1 : 0;
    if (layer == 0 && (last == nullptr || last->metric_name() != e.labels.metric_name())) self->names_.emplace(e.labels.metric_name());
    last = &e.labels;
    if (layer == layers.size()) layers.push_back(std::make_shared<Layer>(all, self->source_->TimeRange(), self->samples_read_));
    layers[layer]->Add(e);
  }
  self->merged_ = std::make_unique<store::MergedQueryable>(std::vector<std::shared_ptr<const Queryable>>(layers.begin(), layers.end()));
  return std::shared_ptr<const RelabelView>(std::move(self));
}

Result<std::unique_ptr<Selection>> RelabelView::Select(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const {
  return merged_->Select(matchers, min_ms, max_ms);
}

Result<std::vector<std::string>> RelabelView::LabelNames(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const {
  return merged_->LabelNames(matchers, min_ms, max_ms);
}

Result<std::vector<std::string>> RelabelView::LabelValues(std::string_view name, const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const {
  return merged_->LabelValues(name, matchers, min_ms, max_ms);
}

Result<std::vector<std::pair<std::string, Metadata>>> RelabelView::ListMetadata() const {
  PROM_ASSIGN(auto list, source_->ListMetadata());
  std::map<std::string, Metadata> all(std::make_move_iterator(list.begin()), std::make_move_iterator(list.end()));
  std::set<std::string> unused;
  for (const auto& [from, to] : renames_) {
    for (const std::string_view suffix : kSuffixes) {
      if (!from.ends_with(suffix) || !to.ends_with(suffix) || to.size() == suffix.size()) continue;
      const std::string family = from.substr(0, from.size() - suffix.size());
      const auto it = all.find(family);
      if (it == all.end()) continue;
      all.try_emplace(to.substr(0, to.size() - suffix.size()), it->second);
      // And from nobody who still has the old name.
      const bool used = std::any_of(std::begin(kSuffixes), std::end(kSuffixes), [&](std::string_view other) { return names_.contains(family + std::string(other)); });
      if (!used) unused.insert(family);
    }
  }
  for (const std::string& family : unused) all.erase(family);
  return std::vector<std::pair<std::string, Metadata>>(all.begin(), all.end());
}

Result<std::vector<Queryable::SeriesExemplars>> RelabelView::Exemplars(const std::vector<Matchers>& any_of, std::int64_t min_ms, std::int64_t max_ms) const {
  PROM_ASSIGN(auto list, source_->Exemplars({Matchers{}}, min_ms, max_ms));
  std::map<Labels, std::vector<Exemplar>> all;
  for (SeriesExemplars& s : list) {
    const auto changed = Relabel(job_, s.series);
    for (Exemplar& e : s.exemplars) {
      const bool inside = e.t_ms >= job_.min_ms && e.t_ms <= job_.max_ms;
      if (inside && !changed) continue;
      all[inside ? *changed : s.series].push_back(std::move(e));
    }
  }
  std::vector<SeriesExemplars> out;
  for (auto& [labels, exemplars] : all) {
    const Labels& series = labels;  // as a structured binding it could not be captured
    if (std::none_of(any_of.begin(), any_of.end(), [&](const Matchers& matchers) { return Fits(matchers, series); })) continue;
    store::SortExemplars(&exemplars);
    out.push_back({labels, std::move(exemplars)});
  }
  return out;
}

}  // namespace prom::transfer
