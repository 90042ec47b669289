#include "promql/script_load.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>

#include "base/number.h"
#include "base/strings.h"
#include "base/time.h"
#include "promql/histogram_math.h"
#include "promql/series_notation.h"

namespace prom::promql {

namespace {

using Hint = Histogram::ResetHint;

// A storage knows from how it cuts chunks which histograms continue the one
// before, and samples come out with that knowledge: not a reset when they do,
// unknown at the start of a chunk (upstream's iterators lose the reset there, its
// issue 15346), gauges as gauges. An explicit hint "reset" stays.
std::shared_ptr<const Histogram> WithStoredHint(const std::shared_ptr<const Histogram>& h, const Histogram* before) {
  if (h->reset_hint == Hint::kGauge || h->reset_hint == Hint::kReset || IsStaleNan(h->sum)) return h;
  Hint hint = Hint::kUnknown;
  if (before != nullptr && before->reset_hint != Hint::kGauge && !IsStaleNan(before->sum)) {
    Histogram plain = *h;
    plain.reset_hint = Hint::kUnknown;
    const bool same_layout = plain.schema == before->schema && plain.zero_threshold == before->zero_threshold && plain.custom_values == before->custom_values;
    if (same_layout && !DetectReset(plain, *before)) hint = Hint::kNotReset;
  }
  if (hint == h->reset_hint) return h;
  auto copy = std::make_shared<Histogram>(*h);
  copy->reset_hint = hint;
  return copy;
}

// The parts of a classic histogram at one time.
struct ClassicHistogram {
  std::map<double, double> buckets;  // le -> cumulative count
  std::optional<double> count;
  double sum = 0;

  Result<std::shared_ptr<const Histogram>> ToNative() const {
    constexpr double kInf = std::numeric_limits<double>::infinity();
    double last = 0;
    for (const auto& [le, n] : buckets) {
      if (n < 0) return Error{Errc::kInvalid, "bucket count must be non-negative: le=" + FormatFloatG(le) + ", count=" + FormatFloatG(n)};
      if (n < last) return Error{Errc::kInvalid, "count is not cumulative: " + FormatFloatG(n) + " < " + FormatFloatG(last)};
      last = n;
    }
    std::map<double, double> all = buckets;
    const double total = count ? *count : last;
    all.try_emplace(kInf, total);
    if (all.rbegin()->second != total) {
      return Error{Errc::kInvalid, "count mismatch: count=" + FormatFloatG(total) + " != le=+Inf count=" + FormatFloatG(all.rbegin()->second)};
    }
    auto h = std::make_shared<Histogram>();
    h->schema = Histogram::kCustomSchema;
    h->count = total;
    h->sum = sum;
    h->positive_spans = {{0, static_cast<std::uint32_t>(all.size())}};
    double before = 0;
    for (const auto& [le, n] : all) {
      h->positive_buckets.push_back(n - before);
      before = n;
      if (le != kInf) h->custom_values.push_back(le);
    }
    return CompactHistogram(std::move(h));
  }
};

}  // namespace

Result<void> LoadScriptBlock(std::span<const std::string> lines, MemoryStore* store, std::int64_t start_ms) {
  const std::string_view command = lines[0];
  const std::size_t space = command.find_first_of(" \t");
  const std::string_view word = command.substr(0, space);
  if (space == std::string_view::npos || (word != "load" && word != "load_with_nhcb")) {
    return Error{Errc::kInvalid, "invalid load command. (load[_with_nhcb] <step:duration>)"};
  }
  const std::string_view step_text = TrimSpace(command.substr(space));
  auto step = ParseDuration(step_text);
  if (!step) return Error{Errc::kInvalid, "invalid step definition " + Quote(step_text) + ": " + step.error().message};

  std::map<Labels, std::map<std::int64_t, ClassicHistogram>> classic;
  std::optional<std::pair<Labels, std::vector<SeriesValue>>> starts;
  auto fail = [&](std::size_t i, const std::string& what) { return Error{Errc::kInvalid, "line " + std::to_string(i + 1) + " of the block: " + what}; };
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const std::string_view line = lines[i];
    const std::size_t gap = line.find_first_of(" \t");
    if (gap != std::string_view::npos && line.substr(0, gap).ends_with("@st")) {
      if (starts) return fail(i, "@st line has no following sample line");
      auto name = ParseSeriesDescription(std::string(line.substr(0, gap - 3)) + " _");
      if (!name) return fail(i, name.error().message);
      auto values = ParseStartTimes(TrimSpace(line.substr(gap)));
      if (!values) return fail(i, values.error().message);
      starts.emplace(name->labels, std::move(*values));
      continue;
    }
    auto series = ParseSeriesDescription(line);
    if (!series) return fail(i, series.error().message);
    if (starts && starts->first != series->labels) return fail(i, "@st metric does not match the following sample line metric");
    if (starts && starts->second.size() != series->values.size()) {
      return fail(i, "@st line has " + std::to_string(starts->second.size()) + " values but sample line has " + std::to_string(series->values.size()));
    }
    const std::string_view name = series->labels.metric_name();
    const std::string_view suffix = name.ends_with("_bucket") ? "_bucket" : name.ends_with("_count") ? "_count" : name.ends_with("_sum") ? "_sum" : "";
    std::map<std::int64_t, ClassicHistogram>* parts = nullptr;
    std::optional<double> le;
    if (word == "load_with_nhcb" && !suffix.empty()) {
      le = ParseFloat(series->labels.Get("le"));
      if (suffix != "_bucket" || (le && !std::isnan(*le))) {
        LabelsBuilder base(series->labels);
        base.Set(kMetricName, name.substr(0, name.size() - suffix.size())).Del("le");
        parts = &classic[base.Build()];
      }
    }
    const Histogram* before = nullptr;
    std::shared_ptr<const Histogram> kept;
    for (std::size_t k = 0; k < series->values.size(); ++k) {
      const SeriesValue& value = series->values[k];
      if (value.omitted) continue;
      const std::int64_t t = start_ms + static_cast<std::int64_t>(k) * *step;
      const std::int64_t st = starts && !starts->second[k].omitted ? t + static_cast<std::int64_t>(starts->second[k].value) : 0;
      if (value.histogram) {
        kept = WithStoredHint(value.histogram, before);
        before = kept.get();
        store->Append(series->labels, t, kept, st);
        continue;
      }
      before = nullptr;
      store->Append(series->labels, t, value.value, st);
      if (parts == nullptr) continue;
      ClassicHistogram& h = (*parts)[t];
      if (suffix == "_bucket") h.buckets.try_emplace(*le, value.value);
      if (suffix == "_count") h.count = value.value;
      if (suffix == "_sum") h.sum = value.value;
    }
    starts.reset();
  }
  if (starts) return fail(lines.size() - 1, "@st line has no following sample line");
  for (const auto& [labels, times] : classic) {
    const Histogram* before = nullptr;
    std::shared_ptr<const Histogram> kept;
    for (const auto& [t, h] : times) {
      PROM_ASSIGN(std::shared_ptr<const Histogram> native, h.ToNative());
      kept = WithStoredHint(native, before);
      before = kept.get();
      store->Append(labels, t, kept);
    }
  }
  return {};
}

}  // namespace prom::promql
