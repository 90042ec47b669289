#include "store/analyze.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "base/json.h"
#include "base/strings.h"
#include "base/time.h"
#include "store/head_format.h"
#include "store/tombstones.h"

namespace prom::store {
namespace {

constexpr std::size_t kPeriods = 24;

struct SeriesCost {
  std::uint64_t samples = 0;
  double bytes = 0;
  std::int64_t first_ms = kMaxTimeMs, last_ms = kMinTimeMs;
};

class Analyzer {
 public:
  Analyzer(Io& io, const std::string& data_dir, const DataDir::Parts& parts, const AnalyzeOptions& options) : io_(io), data_dir_(data_dir), parts_(parts), options_(options) {}

  Result<Analysis> Run() {
    for (const auto& block : parts_.blocks) {
      if (block.reader == nullptr) {
        out_.warnings.push_back(block.error);
        continue;
      }
      const double per_sample = block.entry.samples == 0 ? 0 : static_cast<double>(block.entry.bytes) / static_cast<double>(block.entry.samples);
      PROM_TRY(Part(*HideDeleted(block.reader, OfBlock(parts_.tombstones, block.entry.ulid)), per_sample));
    }
    for (const auto& epoch : parts_.epochs) {
      if (epoch.snapshot == nullptr) {
        out_.warnings.push_back(epoch.error);
        continue;
      }
      PROM_ASSIGN(const std::uint64_t samples, CountSamples(*epoch.snapshot));
      if (samples == 0) continue;
      PROM_ASSIGN(const std::uint64_t bytes, DirBytes(io_, EpochDir(data_dir_, epoch.entry.number)));
      PROM_TRY(Part(*HideDeleted(epoch.snapshot, OfEpoch(parts_.tombstones, epoch.entry.number)), static_cast<double>(bytes) / static_cast<double>(samples)));
    }
    Sum();
    Churn();
    return std::move(out_);
  }

 private:
  Result<void> Part(const Queryable& part, double bytes_per_sample) {
    const auto [oldest, newest] = part.TimeRange();
    const std::int64_t from = std::max(options_.min_ms, oldest), to = std::min(options_.max_ms, newest);
    if (from > to) return {};
    PROM_ASSIGN(const auto selection, part.Select(options_.matchers, from, to));
    SeriesColumns c;
    for (std::size_t i = 0; i < selection->size(); ++i) {
      PROM_TRY(selection->Read(i, from, to, &c));
      for (const std::string& w : c.warnings)
        if (out_.warnings.size() < 100) out_.warnings.push_back(w);
      const std::uint64_t n = c.t.size() + c.histograms.size();
      if (n == 0) continue;
      SeriesCost& cost = series_[selection->labels(i)];
      cost.samples += n;
      cost.bytes += bytes_per_sample * static_cast<double>(n) * Weight(c);
      if (!c.t.empty()) See(&cost, c.t.front(), c.t.back());
      if (!c.histograms.empty()) See(&cost, c.histograms.front().t_ms, c.histograms.back().t_ms);
    }
    return {};
  }

  static void See(SeriesCost* cost, std::int64_t first_ms, std::int64_t last_ms) {
    cost->first_ms = std::min(cost->first_ms, first_ms);
    cost->last_ms = std::max(cost->last_ms, last_ms);
  }

  // Samples that stay as they are take nearly nothing; a series' share of its block goes by how many of its
  // values change. Shares are scaled to the whole in Sum.
  static double Weight(const SeriesColumns& c) {
    std::size_t changes = 0;
    for (std::size_t i = 1; i < c.v.size(); ++i) changes += c.v[i] == c.v[i - 1] ? 0 : 1;
    const double n = static_cast<double>(c.t.size() + c.histograms.size());
    double buckets = 0;
    for (const auto& h : c.histograms) buckets += 4 + static_cast<double>(h.h->positive_buckets.size() + h.h->negative_buckets.size());
    return 0.05 + (static_cast<double>(changes) + buckets) / n;
  }

  static std::vector<Analysis::Row> Top(std::vector<Analysis::Row> rows, std::size_t top, std::uint64_t Analysis::Row::*key) {
    std::sort(rows.begin(), rows.end(), [&](const auto& a, const auto& b) { return a.*key != b.*key ? a.*key > b.*key : a.name < b.name; });
    if (rows.size() > top) rows.resize(top);
    return rows;
  }

  void Sum() {
    std::unordered_map<std::string, Analysis::Row> metrics, pairs;
    struct LabelValues {
      std::unordered_map<std::string, int> values;
      std::uint64_t series = 0, bytes = 0;
    };
    std::map<std::string, LabelValues, std::less<>> labels;
    double weighed = 0;
    for (const auto& block : parts_.blocks) out_.bytes += block.entry.bytes;
    for (const auto& epoch : parts_.epochs)
      if (auto bytes = DirBytes(io_, EpochDir(data_dir_, epoch.entry.number))) out_.bytes += *bytes;
    for (const auto& [l, cost] : series_) weighed += cost.bytes;
    // With a matcher or a range the whole is unknown, and shares stay as they are weighed.
    const bool all = options_.matchers.empty() && options_.min_ms == kMinTimeMs && options_.max_ms == kMaxTimeMs;
    const double scale = all && weighed > 0 ? static_cast<double>(out_.bytes) / weighed : 1;
    if (!all) out_.bytes = static_cast<std::uint64_t>(weighed);
    out_.min_ms = kMaxTimeMs;
    out_.max_ms = kMinTimeMs;
    std::vector<Analysis::Row> by_series;
    by_series.reserve(series_.size());
    for (const auto& [l, cost] : series_) {
      const auto bytes = static_cast<std::uint64_t>(cost.bytes * scale);
      out_.samples += cost.samples;
      out_.min_ms = std::min(out_.min_ms, cost.first_ms);
      out_.max_ms = std::max(out_.max_ms, cost.last_ms);
      const auto add = [&, &cost = cost](Analysis::Row* row) {
        ++row->series;
        row->samples += cost.samples;
        row->bytes += bytes;
      };
      add(&metrics[std::string(l.metric_name())]);
      for (const Label label : l) {
        add(&pairs[std::string(label.name) + "=" + std::string(label.value)]);
        LabelValues& values = labels[std::string(label.name)];
        ++values.series;
        if (values.values.emplace(label.value, 0).second) values.bytes += label.value.size();
      }
      by_series.push_back({l.ToSeries(), 1, cost.samples, bytes});
      if (by_series.size() > 4 * options_.top + 1000) by_series = Top(std::move(by_series), options_.top, &Analysis::Row::bytes);
    }
    out_.series = series_.size();
    out_.metrics = metrics.size();
    out_.label_names = labels.size();
    out_.label_pairs = pairs.size();
    const auto rows = [](std::unordered_map<std::string, Analysis::Row>* map) {
      std::vector<Analysis::Row> list;
      for (auto& [name, row] : *map) {
        row.name = name;
        list.push_back(row);
      }
      return list;
    };
    const auto metric_rows = rows(&metrics);
    out_.by_metric = Top(metric_rows, options_.top, &Analysis::Row::series);
    out_.metrics_by_bytes = Top(metric_rows, options_.top, &Analysis::Row::bytes);
    out_.by_pair = Top(rows(&pairs), options_.top, &Analysis::Row::series);
    out_.by_series = Top(std::move(by_series), options_.top, &Analysis::Row::bytes);
    for (const auto& [name, values] : labels) out_.by_label.push_back({name, values.values.size(), values.series, values.bytes});
    std::stable_sort(out_.by_label.begin(), out_.by_label.end(), [](const auto& a, const auto& b) { return a.values > b.values; });
    if (out_.by_label.size() > options_.top) out_.by_label.resize(options_.top);
  }

  // Periods of a round length, at most kPeriods of them.
  void Churn() {
    if (out_.min_ms > out_.max_ms) return;
    constexpr std::int64_t kMinute = 60'000, kHour = 60 * kMinute, kDay = 24 * kHour;
    const double span = static_cast<double>(out_.max_ms) - static_cast<double>(out_.min_ms);
    if (span > 9e18 || out_.min_ms < kMinTimeMs + 728 * kDay) return;  // nothing that has periods
    std::int64_t period = kMinute;
    for (const std::int64_t p : {kMinute, 5 * kMinute, 15 * kMinute, kHour, 2 * kHour, 6 * kHour, 12 * kHour, kDay, 7 * kDay, 28 * kDay, 364 * kDay}) {
      period = p;
      if (span / static_cast<double>(p) < kPeriods) break;
    }
    while (span / static_cast<double>(period) >= kPeriods) period *= 2;
    const auto align = [&](std::int64_t t) { return t - ((t % period) + period) % period; };
    out_.period_ms = period;
    const std::int64_t start = align(out_.min_ms);
    out_.churn.resize(static_cast<std::size_t>((out_.max_ms - start) / period) + 1);
    for (std::size_t i = 0; i < out_.churn.size(); ++i) out_.churn[i].start_ms = start + static_cast<std::int64_t>(i) * period;
    for (const auto& [l, cost] : series_) {
      const auto first = static_cast<std::size_t>((cost.first_ms - start) / period), last = static_cast<std::size_t>((cost.last_ms - start) / period);
      ++out_.churn[first].appeared;
      if (last + 1 < out_.churn.size()) ++out_.churn[last + 1].disappeared;
      for (std::size_t i = first; i <= last; ++i) ++out_.churn[i].active;
    }
  }

  Io& io_;
  const std::string& data_dir_;
  const DataDir::Parts& parts_;
  const AnalyzeOptions& options_;
  std::unordered_map<Labels, SeriesCost> series_;
  Analysis out_;
};

std::string Json(const Analysis& a) {
  std::string out;
  JsonWriter json(&out);
  json.BeginObject();
  if (a.min_ms <= a.max_ms) json.Field("min_time", a.min_ms).Field("max_time", a.max_ms);
  json.Field("series", a.series).Field("samples", a.samples).Field("bytes", a.bytes).Field("metrics", a.metrics).Field("label_names", a.label_names).Field("label_pairs", a.label_pairs);
  const auto rows = [&](const char* key, const char* what, const std::vector<Analysis::Row>& list) {
    json.Key(key).BeginArray();
    for (const auto& r : list) json.BeginObject().Field(what, r.name).Field("series", r.series).Field("samples", r.samples).Field("bytes", r.bytes).EndObject();
    json.EndArray();
  };
  rows("metrics_by_series", "metric", a.by_metric);
  rows("metrics_by_bytes", "metric", a.metrics_by_bytes);
  rows("pairs_by_series", "pair", a.by_pair);
  rows("series_by_bytes", "series", a.by_series);
  json.Key("labels_by_values").BeginArray();
  for (const auto& r : a.by_label) json.BeginObject().Field("label", r.name).Field("values", r.values).Field("series", r.series).Field("bytes", r.bytes).EndObject();
  json.EndArray().Field("period_ms", a.period_ms).Key("churn").BeginArray();
  for (const auto& r : a.churn) json.BeginObject().Field("start", r.start_ms).Field("active", r.active).Field("appeared", r.appeared).Field("disappeared", r.disappeared).EndObject();
  json.EndArray().Key("warnings").BeginArray();
  for (const std::string& w : a.warnings) json.String(w);
  json.EndArray().EndObject();
  return out + "\n";
}

}  // namespace

Result<Analysis> Analyze(Io& io, const std::string& data_dir, const DataDir::Parts& parts, const AnalyzeOptions& options) { return Analyzer(io, data_dir, parts, options).Run(); }

std::string PrintAnalysis(const Analysis& a, ReportForm form) {
  if (form == ReportForm::kJson) return Json(a);
  const bool table = form == ReportForm::kTable;
  std::string out;
  const auto bytes = [&](std::uint64_t n) { return table ? HumanBytes(n) : std::to_string(n); };
  // A list: title and columns, then rows. In a pipe each row begins with what list it is of.
  const auto print = [&](const char* list, const char* title, const std::vector<std::string>& head, const std::vector<std::vector<std::string>>& rows) {
    if (!table) {
      for (const auto& row : rows) out += std::string(list) + "\t" + Join(row, "\t") + "\n";
      return;
    }
    out += "\n" + std::string(title) + "\n";
    std::vector<std::size_t> widths;
    for (const std::string& h : head) widths.push_back(h.size());
    for (const auto& row : rows)
      for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    const auto line = [&](const std::vector<std::string>& row) {
      std::string text;
      for (std::size_t i = 0; i < row.size(); ++i) {
        const std::string pad(widths[i] - row[i].size(), ' ');
        text += i + 1 < row.size() ? pad + row[i] + "  " : row[i];  // names last, as they are long
      }
      out += text + "\n";
    };
    line(head);
    for (const auto& row : rows) line(row);
  };
  const auto of_rows = [&](const std::vector<Analysis::Row>& list) {
    std::vector<std::vector<std::string>> rows;
    for (const auto& r : list) rows.push_back({std::to_string(r.series), std::to_string(r.samples), bytes(r.bytes), r.name});
    return rows;
  };
  if (table) {
    out += StringPrintf("%llu series of %llu metrics, %llu samples, %s", static_cast<unsigned long long>(a.series), static_cast<unsigned long long>(a.metrics), static_cast<unsigned long long>(a.samples), HumanBytes(a.bytes).c_str());
    if (a.min_ms <= a.max_ms) out += ", " + FormatTimeRfc3339(a.min_ms) + " to " + FormatTimeRfc3339(a.max_ms);
    out += StringPrintf("\n%llu label names, %llu label pairs\n", static_cast<unsigned long long>(a.label_names), static_cast<unsigned long long>(a.label_pairs));
  } else {
    out += "total\t" + std::to_string(a.series) + "\t" + std::to_string(a.samples) + "\t" + std::to_string(a.bytes) + "\tseries, samples, bytes\n";
  }
  print("metric", "Metrics with most series", {"SERIES", "SAMPLES", "BYTES", "METRIC"}, of_rows(a.by_metric));
  print("metric_bytes", "Metrics with most bytes", {"SERIES", "SAMPLES", "BYTES", "METRIC"}, of_rows(a.metrics_by_bytes));
  std::vector<std::vector<std::string>> labels;
  for (const auto& r : a.by_label) labels.push_back({std::to_string(r.values), std::to_string(r.series), bytes(r.bytes), r.name});
  print("label", "Labels with most values", {"VALUES", "SERIES", "TEXT", "LABEL"}, labels);
  print("pair", "Label pairs with most series", {"SERIES", "SAMPLES", "BYTES", "PAIR"}, of_rows(a.by_pair));
  print("series", "Most expensive series", {"SERIES", "SAMPLES", "BYTES", "LABELS"}, of_rows(a.by_series));
  std::vector<std::vector<std::string>> churn;
  for (const auto& r : a.churn) churn.push_back({std::to_string(r.active), "+" + std::to_string(r.appeared), "-" + std::to_string(r.disappeared), FormatTimeRfc3339(r.start_ms)});
  print("churn", ("Series by time, periods of " + FormatDuration(a.period_ms)).c_str(), {"ACTIVE", "NEW", "GONE", "FROM"}, churn);
  return out;
}

}  // namespace prom::store
