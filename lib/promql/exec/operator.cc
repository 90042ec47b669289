#include "promql/exec/operator.h"

#include <algorithm>
#include <numeric>

#include "promql/exec/parallel.h"

namespace prom::promql {

const HistogramPtr* StepColumn::HistogramAtStep(std::size_t k) const {
  auto it = std::lower_bound(histograms.begin(), histograms.end(), k, [](const HistogramAt& a, std::size_t step) { return a.step < step; });
  return it != histograms.end() && it->step == k ? &it->h : nullptr;
}

std::size_t StepColumn::FirstStep() const {
  std::size_t first = histograms.empty() ? values.size() : histograms.front().step;
  for (std::size_t w = 0; w < present.size(); ++w) {
    if (present[w] == 0) continue;
    first = std::min(first, w * 64 + static_cast<std::size_t>(std::countr_zero(present[w])));
    break;
  }
  return first;
}

std::size_t StepColumn::HeldSize() const {
  std::size_t n = values.size();  // absent steps take their room too
  for (const HistogramAt& h : histograms) n += HistogramHeldSize(*h.h);
  return n;
}

std::vector<std::uint64_t> StepColumn::AnyPresent() const {
  std::vector<std::uint64_t> any = present;
  for (const HistogramAt& h : histograms) any[h.step / 64] |= std::uint64_t{1} << (h.step % 64);
  return any;
}

std::size_t HistogramHeldSize(const Histogram& h) {
  // Upstream's HPoint.size(): the fixed part, spans of 8 bytes, buckets and bounds of 8, in units of a float point.
  const std::size_t bytes = 168 + (h.positive_spans.size() + h.negative_spans.size() + h.positive_buckets.size() + h.negative_buckets.size() +
                                   h.custom_values.size()) * 8;
  return (bytes + 8) / 16;
}

Result<std::vector<StepColumn>> ReadAll(QueryContext& context, Operator& op, HeldSamples* held) {
  const std::size_t n = op.series().size();
  PROM_TRY(held->Add(context, n * op.grid().steps));
  std::vector<StepColumn> columns(n);
  const auto consume = [&](std::size_t i, StepColumn* column) -> Result<void> {
    if (!column->histograms.empty()) PROM_TRY(held->Add(context, column->HeldSize() - op.grid().steps));
    columns[i] = std::move(*column);
    return {};
  };
  PROM_TRY(ReadInOrder(context, op, consume));
  return columns;
}

Result<void> Operator::Prepare(QueryContext& context) {
  PROM_TRY(DoPrepare(context));
  return labels_held_.AddMemory(context, LabelBytes(series_));
}

std::size_t LabelBytes(const std::vector<SeriesMeta>& series) {
  std::size_t bytes = series.size() * sizeof(SeriesMeta);
  for (const SeriesMeta& meta : series) bytes += meta.labels.bytes().size();
  return bytes;
}

Result<void> MaterializedOperator::DoPrepare(QueryContext& context) { return Compute(context); }

Result<void> MaterializedOperator::Read(QueryContext&, std::size_t i, std::size_t, StepColumn* out) {
  *out = columns_[i];  // a copy: the same series may be read again, by another worker
  return {};
}

std::size_t OutputTable::Find(const Labels& labels, bool drop_name) {
  const auto [number, fresh] = by_labels_.Add(labels.bytes());
  if (fresh) {
    series_.push_back({labels, drop_name});
    columns_.emplace_back();
  }
  return number;
}

Result<void> OutputTable::Claim(QueryContext& context, std::size_t series, std::size_t step) {
  StepColumn& column = columns_[series];
  if (column.values.size() != steps_) {
    PROM_TRY(held_.Add(context, steps_));
    column.Reset(steps_);
  }
  // Steps come in ascending order, so a histogram of this step can only be the last one.
  if (column.Has(step) || (!column.histograms.empty() && column.histograms.back().step == step)) return DuplicateLabelset();
  return {};
}

Result<void> OutputTable::Add(QueryContext& context, std::size_t series, std::size_t step, double v) {
  PROM_TRY(Claim(context, series, step));
  columns_[series].Set(step, v);
  return {};
}

Result<void> OutputTable::Add(QueryContext& context, std::size_t series, std::size_t step, HistogramPtr h) {
  PROM_TRY(Claim(context, series, step));
  PROM_TRY(held_.Add(context, HistogramHeldSize(*h)));
  columns_[series].histograms.push_back({static_cast<std::uint32_t>(step), std::move(h)});
  return {};
}

void OutputTable::MoveTo(std::vector<SeriesMeta>* series, std::vector<StepColumn>* columns, const std::vector<std::size_t>* rank) {
  std::vector<std::size_t> order(series_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (rank != nullptr) std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return (*rank)[a] < (*rank)[b]; });
  for (const std::size_t i : order) {
    if (columns_[i].values.empty()) continue;
    series->push_back(std::move(series_[i]));
    columns->push_back(std::move(columns_[i]));
  }
}

Error DuplicateLabelset() { return Error{Errc::kInvalid, "vector cannot contain metrics with the same labelset"}; }

namespace {

template <typename Keep>
Labels Filter(const Labels& labels, Keep&& keep) {
  std::vector<Label> kept;
  kept.reserve(16);
  for (const Label label : labels) {
    if (keep(label.name)) kept.push_back(label);
  }
  return Labels::FromSorted(kept);
}

}  // namespace

Labels DropMetadataLabels(const Labels& labels) {
  return Filter(labels, [](std::string_view name) { return name != kMetricName && name != "__type__" && name != "__unit__"; });
}

Result<void> DropNames(QueryContext& context, std::vector<SeriesMeta>* series) {
  Pacer pacer(context);
  for (SeriesMeta& meta : *series) {
    if (!pacer.Spend(200)) return pacer.status();
    if (!context.options().delayed_name_removal) meta.labels = DropMetadataLabels(meta.labels);
    meta.drop_name = true;
  }
  return {};
}

Labels KeepLabels(const Labels& labels, const std::vector<std::string>& names) {
  return Filter(labels, [&](std::string_view name) { return std::binary_search(names.begin(), names.end(), name, std::less<>()); });
}

Labels RemoveLabels(const Labels& labels, const std::vector<std::string>& names) {
  return Filter(labels, [&](std::string_view name) { return !std::binary_search(names.begin(), names.end(), name, std::less<>()); });
}

}  // namespace prom::promql
