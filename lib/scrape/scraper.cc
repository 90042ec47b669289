#include "scrape/scraper.h"

#include <algorithm>
#include <bit>

#include "base/log.h"
#include "base/number.h"
#include "base/strings.h"
#include "exposition/content_type.h"

namespace prom::scrape {
namespace {

constexpr std::string_view kReportNames[] = {"up", "scrape_duration_seconds", "scrape_samples_scraped", "scrape_samples_post_metric_relabeling",
                                             "scrape_series_added", "scrape_timeout_seconds", "scrape_sample_limit", "scrape_body_size_bytes"};

// Generous limits that hold where the configuration sets none: one hostile page must not fill the store.
constexpr std::size_t kDefaultLabels = 256;
constexpr std::size_t kDefaultValueLength = 64 << 10;
// A sample with a time of its own may be this far ahead of the scrape.
constexpr std::int64_t kMaxAheadMs = 10 * 60 * 1000;

void SetBit(std::vector<std::uint64_t>* bits, std::size_t i) {
  if (i / 64 >= bits->size()) bits->resize(i / 64 + 1);
  (*bits)[i / 64] |= std::uint64_t{1} << (i % 64);
}
bool TestBit(const std::vector<std::uint64_t>& bits, std::size_t i) { return i / 64 < bits.size() && (bits[i / 64] >> (i % 64) & 1) != 0; }
std::uint64_t WordAt(const std::vector<std::uint64_t>& bits, std::size_t i) { return i < bits.size() ? bits[i] : 0; }

template <typename F>
void ForEachBit(std::span<const std::uint64_t> bits, F f) {
  for (std::size_t w = 0; w < bits.size(); ++w)
    for (std::uint64_t word = bits[w]; word != 0; word &= word - 1) f(w * 64 + static_cast<std::size_t>(std::countr_zero(word)));
}

PageOptions ParserOptions(const config::ScrapeConfig& config) {
  PageOptions out;
  out.honor_timestamps = config.honor_timestamps;
  out.track_timestamps_staleness = config.track_timestamps_staleness;
  return out;
}

}  // namespace

ScrapeMetrics::ScrapeMetrics(Metrics& m)
    : duplicates(m.AddCounter("prometheus_target_scrapes_sample_duplicate_timestamp_total", "Total number of samples rejected due to duplicate timestamps but different values.")),
      exceeded_sample_limit(m.AddCounter("prometheus_target_scrapes_exceeded_sample_limit_total", "Total number of scrapes that hit the sample limit and were rejected.")),
      exceeded_body_size_limit(m.AddCounter("prometheus_target_scrapes_exceeded_body_size_limit_total", "Total number of scrapes that hit the body size limit")),
      exceeded_label_limits(m.AddCounter("prometheus_target_scrape_pool_exceeded_label_limits_total", "Total number of times scrape pools hit the label limits, during sync or config reload.")),
      samples(m.AddCounter("promscrape_samples_total", "Samples scraped, after relabelling.")),
      out_of_bounds(m.AddCounter("prometheus_target_scrapes_sample_out_of_bounds_total", "Total number of samples rejected due to timestamp falling outside of the time bounds.")) {
  // What this version never does: native histograms and forgetting caches.
  m.AddCounter("prometheus_target_scrapes_exceeded_native_histogram_bucket_limit_total", "Total number of scrapes that hit the native histogram bucket limit and were rejected.");
  m.AddCounter("prometheus_target_scrapes_cache_flush_forced_total", "How many times a scrape cache was flushed due to getting big while scrapes are failing.");
}

Scraper::Scraper(std::shared_ptr<const config::ScrapeConfig> config, Target target, Output& output, ScrapeMetrics& metrics)
    : config_(std::move(config)), target_(std::move(target)), output_(output), metrics_(metrics), extra_metrics_(config_->extra_scrape_metrics.value_or(false)) {
  StartOver(0);
}

void Scraper::StartOver(std::uint64_t epoch) {
  epoch_ = epoch;
  parser_ = std::make_unique<PageParser>(ParserOptions(*config_));
  generation_ = 0;
  layout_defined_ = false;
  column_of_slot_.clear();
  series_ids_.clear();
  undefined_.clear();
  columns_.Clear();
  defined_columns_ = 0;
  slots_in_order_ = true;
  aliases_ = false;
  live_.clear();
  known_.clear();
  known_unborn_ = {};
  refused_.clear();
  timed_live_.clear();
  metadata_.clear();
  metadata_entries_ = 0;
  metadata_bytes_ = 0;
  for (std::size_t i = 0; i < report_columns(); ++i) {
    LabelsBuilder labels(target_.labels);
    labels.Set(kMetricName, kReportNames[i]);
    AddColumn(labels.Build());
  }
}

std::uint32_t Scraper::AddColumn(Labels labels) {
  // Labels that another slot has already (written in another order, or equal after
  // relabelling) share its column.
  const auto key = SeriesTable::MakeKey(labels.bytes());
  if (const std::uint32_t known = columns_.Find(key); known != SeriesTable::kNone) {
    aliases_ = true;
    return known;
  }
  const std::uint32_t column = columns_.Add(key);
  series_ids_.push_back(kNoSeries);
  undefined_.emplace_back(column, std::move(labels));
  return column;
}

// A clash of a scraped label with one of the target's: with honor_labels the scraped
// one wins; otherwise it becomes exported_<name>, as often as it takes to be free,
// shorter names first.
Labels Scraper::MergeTargetLabels(const Labels& raw) const {
  LabelsBuilder labels(raw);
  if (config_->honor_labels) {
    for (const Label l : target_.labels)
      if (!raw.Has(l.name)) labels.Set(l.name, l.value);
    return labels.Build();
  }
  std::vector<std::pair<std::string, std::string>> clashes;
  for (const Label l : target_.labels) {
    if (const std::string_view scraped = raw.Get(l.name); !scraped.empty()) clashes.emplace_back(l.name, scraped);
    labels.Set(l.name, l.value);
  }
  std::stable_sort(clashes.begin(), clashes.end(), [](const auto& a, const auto& b) { return a.first.size() < b.first.size(); });
  for (const auto& [name, value] : clashes) {
    std::string to = "exported_" + name;
    while (!labels.Get(to).empty()) to = "exported_" + to;
    labels.Set(to, value);
  }
  return labels.Build();
}

Result<void> Scraper::CheckLabelLimits(const Labels& labels) const {
  const auto name = [&] { return Quote(labels.metric_name()); };
  const std::size_t count = labels.size();
  const std::size_t max_labels = config_->label_limit > 0 ? config_->label_limit : kDefaultLabels;
  if (count > max_labels)
    return Error{Errc::kLimit, "label_limit exceeded (metric: " + name() + ", number of labels: " + std::to_string(count) + ", limit: " + std::to_string(max_labels) + ")"};
  const std::size_t max_value = config_->label_value_length_limit > 0 ? config_->label_value_length_limit : kDefaultValueLength;
  for (const Label l : labels) {
    if (config_->label_name_length_limit > 0 && l.name.size() > config_->label_name_length_limit)
      return Error{Errc::kLimit, "label_name_length_limit exceeded (metric: " + name() + ", label name: " + std::string(l.name) + ", length: " + std::to_string(l.name.size()) +
                                     ", limit: " + std::to_string(config_->label_name_length_limit) + ")"};
    if (l.value.size() > max_value)
      return Error{Errc::kLimit, "label_value_length_limit exceeded (metric: " + name() + ", label name: " + std::string(l.name) + ", value: " + Quote(l.value.substr(0, 100)) +
                                     ", length: " + std::to_string(l.value.size()) + ", limit: " + std::to_string(max_value) + ")"};
  }
  return {};
}

// A series as it is stored; nothing: dropped by metric_relabel_configs; an error fails the scrape.
Result<std::optional<Labels>> Scraper::Relabelled(const Labels& raw) const {
  Labels labels = MergeTargetLabels(raw);
  if (!config_->metric_relabel_rules.empty()) {
    LabelsBuilder builder(labels);
    if (!relabel::Process(config_->metric_relabel_rules, &builder)) return std::optional<Labels>();
    labels = builder.Build();
    if (labels.empty()) return std::optional<Labels>();
  }
  if (labels.metric_name().empty()) return Error{Errc::kLimit, "metric name is missing after relabelling of " + raw.ToSeries()};
  PROM_TRY(CheckLabelLimits(labels));
  return std::optional<Labels>(std::move(labels));
}

void Scraper::AddSlots(const PageParser::Page& page) {
  last_created_ = page.created.size();
  for (const PageParser::NewSlot& slot : page.created) {
    if (slot.slot >= column_of_slot_.size()) column_of_slot_.resize(slot.slot + 1, kDropped);
    auto labels = Relabelled(slot.labels);
    std::uint32_t column = kDropped;
    if (!labels) {
      column = kRefused;
      refused_[slot.slot] = labels.error().message;
    } else if (*labels) {
      const bool met = known_unborn_.size() != 0 && known_unborn_.Find(SeriesTable::MakeKey((*labels)->bytes())) != SeriesTable::kNone;
      column = AddColumn(std::move(**labels));
      if (met) SetBit(&known_, column);
    }
    column_of_slot_[slot.slot] = column;
    if (column != report_columns() + slot.slot) slots_in_order_ = false;
  }
}

// A new generation of slots: a new layout, with the series that live on.
void Scraper::Renumber(const PageParser::Page& page) {
  generation_ = page.generation;
  if (page.moved_from.empty()) return;
  std::unordered_map<std::uint32_t, std::string> refused;
  for (std::uint32_t i = 0; i < page.moved_from.size() && !refused_.empty(); ++i)
    if (auto it = refused_.find(page.moved_from[i]); it != refused_.end()) refused.emplace(i, std::move(it->second));
  refused_ = std::move(refused);
  const auto old_slots = std::move(column_of_slot_);
  const auto old_ids = std::move(series_ids_);
  const Bits old_live = std::move(live_), old_known = std::move(known_);
  std::vector<std::uint32_t> kept;  // new column -> old
  std::unordered_map<std::uint32_t, std::uint32_t> moved;  // old column -> new
  column_of_slot_.clear();
  series_ids_.clear();
  live_.clear();
  known_.clear();
  layout_defined_ = false;
  defined_columns_ = 0;
  const auto move = [&](std::uint32_t old_column) {
    const auto column = static_cast<std::uint32_t>(series_ids_.size());
    const auto [it, fresh] = moved.emplace(old_column, column);
    if (!fresh) return it->second;
    series_ids_.push_back(old_ids[old_column]);
    kept.push_back(old_column);
    if (TestBit(old_live, old_column)) SetBit(&live_, column);
    if (TestBit(old_known, old_column)) SetBit(&known_, column);
    return column;
  };
  for (std::uint32_t i = 0; i < report_columns(); ++i) move(i);
  bool in_order = true;
  for (const std::uint32_t from : page.moved_from) {
    const std::uint32_t old_column = from == PageParser::kNoSlot || from >= old_slots.size() ? kDropped : old_slots[from];
    column_of_slot_.push_back(old_column == kDropped || old_column == kRefused ? old_column : move(old_column));
    if (column_of_slot_.back() != report_columns() + column_of_slot_.size() - 1) in_order = false;
  }
  // A series that is live and was left behind gets its marker now: keep it a column.
  ForEachBit(old_live, [&](std::size_t old_column) { move(static_cast<std::uint32_t>(old_column)); });
  std::unordered_map<std::uint32_t, bool> timed;
  for (const auto& [column, on] : timed_live_)
    if (auto it = moved.find(column); it != moved.end()) timed.emplace(it->second, on);
  timed_live_ = std::move(timed);
  for (auto& [column, labels] : undefined_) column = move(column);
  std::sort(undefined_.begin(), undefined_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  columns_.Keep(kept);
  output_.Forget(static_cast<std::uint32_t>(old_ids.size() - std::min(old_ids.size(), series_ids_.size())));
  slots_in_order_ = in_order;
}

void Scraper::SetColumn(std::size_t column, double v) {
  if (row_.size() <= column) row_.resize(column + 1);
  row_[column] = v;
  SetBit(&present_, column);
}

void Scraper::FillRow(const PageParser::Page& page) {
  if (slots_in_order_ && !aliases_) {
    const std::size_t base = report_columns(), shift = base % 64;
    const std::size_t n = std::min(page.values.size(), series_ids_.size() - base);
    std::copy_n(page.values.begin(), n, row_.begin() + static_cast<std::ptrdiff_t>(base));
    for (std::size_t w = 0; w < page.present.size(); ++w) {
      if (w < present_.size()) present_[w] |= page.present[w] << shift;
      if (w + 1 < present_.size()) present_[w + 1] |= page.present[w] >> (64 - shift);
    }
    return;
  }
  ForEachBit(page.present, [&](std::size_t slot) {
    const std::uint32_t column = column_of_slot_[slot];
    if (column == kDropped || column == kRefused) return;
    if (aliases_ && TestBit(present_, column)) {
      // The first in the page counts; the same value twice is nothing to speak of.
      if (std::bit_cast<std::uint64_t>(row_[column]) != std::bit_cast<std::uint64_t>(page.values[slot])) metrics_.duplicates.Add();
      return;
    }
    SetColumn(column, page.values[slot]);
  });
}

Result<const PageParser::Page*> Scraper::ReadPage(const std::string& content_type, std::string* body, std::uint64_t body_bytes) {
  if (config_->body_size_limit_bytes > 0 && body_bytes >= static_cast<std::uint64_t>(config_->body_size_limit_bytes))
    return Error{Errc::kLimit, "body size limit exceeded"};
  std::string fallback;
  if (config_->fallback_scrape_protocol) {
    fallback = config::ScrapeProtocolMediaType(*config_->fallback_scrape_protocol);
    fallback = fallback.substr(0, fallback.find(';'));
  }
  PROM_ASSIGN(const FormatChoice choice, ChooseFormat(content_type, fallback));
  if (choice.format == ScrapeFormat::kProtobuf) return Error{Errc::kUnsupported, "target answered in the protobuf format, which was not asked for"};
  auto page = parser_->Parse(body, choice.format == ScrapeFormat::kOpenMetricsText ? TextFormat::kOpenMetrics : TextFormat::kPrometheus);
  if (!page) {
    parse_failed_ = true;
    const TextError& e = parser_->last_error();
    return Error{page.error().code, "line " + std::to_string(e.line) + ", column " + std::to_string(e.column) + ": " + page.error().message};
  }
  return *page;
}

// Goes over sample lines as upstream does, one after the other up to the first that fails
// the scrape. `unborn` are those of `slots` that have no column, since the page is refused.
Result<void> Scraper::CountLines(std::span<const std::uint32_t> slots, std::span<const PageParser::NewSlot> unborn, ScrapeReport* report) {
  constexpr std::size_t kMaxUnborn = 1u << 20;
  const std::size_t limit = config_->sample_limit;
  const std::uint32_t first_unborn = unborn.empty() ? kNoSeries : unborn.front().slot;
  struct Judged {
    bool done = false, dropped = false;
    SeriesTable::Key key{};
  };
  std::vector<Judged> judged(unborn.size());
  for (const std::uint32_t slot : slots) {
    ++report->samples;
    bool added = false;
    if (slot >= first_unborn) {
      Judged& one = judged[slot - first_unborn];
      if (!one.done) {
        PROM_ASSIGN(const auto labels, Relabelled(unborn[slot - first_unborn].labels));
        one = {true, !labels.has_value(), labels ? SeriesTable::MakeKey(labels->bytes()) : SeriesTable::Key{}};
      }
      if (one.dropped) continue;
      if (const std::uint32_t column = columns_.Find(one.key); column != SeriesTable::kNone) {
        added = !TestBit(known_, column);
        SetBit(&known_, column);
      } else {
        if (known_unborn_.size() >= kMaxUnborn) known_unborn_.Clear();
        added = known_unborn_.Find(one.key) == SeriesTable::kNone;
        if (added) known_unborn_.Add(one.key);
      }
    } else {
      const std::uint32_t column = column_of_slot_[slot];
      if (column == kDropped) continue;
      if (column == kRefused) {
        metrics_.exceeded_label_limits.Add();
        return Error{Errc::kLimit, refused_[slot]};
      }
      added = !TestBit(known_, column);
      SetBit(&known_, column);
    }
    report->added += added && (limit == 0 || report->post_relabel < limit);
    ++report->post_relabel;
  }
  return {};
}

Result<void> Scraper::CheckLimits(const PageParser::Page& page, ScrapeReport* report) {
  std::size_t left_out = 0, refused = 0;
  const auto look = [&](std::size_t slot) {
    left_out += column_of_slot_[slot] == kDropped;
    refused += column_of_slot_[slot] == kRefused;
  };
  if (!slots_in_order_) {
    ForEachBit(page.present, look);
    for (const auto& s : page.timed) look(s.slot);
  }
  report->samples = page.samples;
  report->post_relabel = page.samples - left_out;
  const bool over_limit = config_->sample_limit > 0 && report->post_relabel > config_->sample_limit;
  if (refused == 0 && !over_limit) return {};
  report->samples = report->post_relabel = 0;
  PROM_TRY(CountLines(parser_->LineSlots(), {}, report));
  metrics_.exceeded_sample_limit.Add();
  return Error{Errc::kLimit, "sample limit exceeded"};
}

// Series on the row, or with times of their own, that were not there before.
std::size_t Scraper::CountAdded(const PageParser::Page& page) const {
  std::size_t added = 0;
  for (std::size_t w = 0; w < present_.size(); ++w) added += static_cast<std::size_t>(std::popcount(present_[w] & ~WordAt(known_, w)));
  Bits seen;
  for (const auto& s : page.timed) {
    const std::uint32_t column = column_of_slot_[s.slot];
    if (column == kDropped || TestBit(known_, column) || TestBit(present_, column) || TestBit(seen, column)) continue;
    SetBit(&seen, column);
    ++added;
  }
  return added;
}

void Scraper::NoteMetadata(const PageParser::Page& page) {
  for (const PageParser::MetadataLine& line : page.metadata) {
    auto it = metadata_.find(line.metric);
    if (it == metadata_.end()) it = metadata_.emplace(std::string(line.metric), Metadata()).first;
    Metadata next = it->second;
    if (line.kind == TextParser::Entry::kType) next.type = line.type;
    if (line.kind == TextParser::Entry::kHelp) next.help = line.text();
    if (line.kind == TextParser::Entry::kUnit) next.unit = line.text();
    if (next == it->second) continue;
    metadata_entries_.store(metadata_.size(), std::memory_order_relaxed);
    metadata_bytes_.fetch_add(next.help.size() + next.unit.size() - it->second.help.size() - it->second.unit.size() + (it->second == Metadata() ? it->first.size() : 0), std::memory_order_relaxed);
    it->second = std::move(next);
    if (std::find(changed_metadata_.begin(), changed_metadata_.end(), it->first) == changed_metadata_.end()) changed_metadata_.push_back(it->first);
  }
}

// Report values, and stale markers for what was live and is not on the row.
void Scraper::FinishRow(const PageParser::Page* page, const ScrapeReport& report, std::uint64_t body_bytes) {
  const bool good = page != nullptr;
  const std::size_t words = present_.size();
  // A page without any text says nothing about what is still there.
  if (good && body_bytes > 0) {
    known_ = present_;
    for (const auto& s : page->timed)
      if (const std::uint32_t column = column_of_slot_[s.slot]; column != kDropped) SetBit(&known_, column);
    if (known_unborn_.size() != 0) known_unborn_ = {};
  }
  Bits now_live = good ? present_ : Bits();
  for (std::size_t w = 0; w < words; ++w) {
    for (std::uint64_t gone = WordAt(live_, w) & ~present_[w]; gone != 0; gone &= gone - 1) {
      const std::size_t column = w * 64 + static_cast<std::size_t>(std::countr_zero(gone));
      if (column < report_columns()) continue;
      row_[column] = StaleNan();
      present_[w] |= gone & -gone;
    }
  }
  live_ = std::move(now_live);
  // -1: over the limit; 0: no page at all.
  const bool too_big = report.error.find("body size limit exceeded") != std::string::npos;
  const double body_size = good ? static_cast<double>(body_bytes) : too_big ? -1 : 0;
  const double values[] = {good ? 1.0 : 0.0, report.duration_seconds, static_cast<double>(report.samples), static_cast<double>(report.post_relabel),
                           static_cast<double>(report.added), static_cast<double>(target_.timeout_ms) / 1000, static_cast<double>(config_->sample_limit), body_size};
  for (std::size_t i = 0; i < report_columns(); ++i) {
    SetColumn(i, values[i]);
    SetBit(&live_, i);
  }
}

Result<void> Scraper::Emit(Output::Turn& turn, const PageParser::Page* page, std::int64_t t_ms) {
  if (turn.epoch != epoch_) return Error{Errc::kUnavailable, "the stream was begun anew during the scrape"};
  StreamSink& sink = turn.sink;
  for (auto& [column, labels] : undefined_) {
    PROM_TRY(sink.DefineSeries(turn.next_series, labels));
    series_ids_[column] = turn.next_series++;
  }
  undefined_ = {};  // after a first page that is a lot
  if (!layout_defined_) {
    layout_ = turn.next_layout++;
    layout_defined_ = true;
  }
  if (defined_columns_ < series_ids_.size()) {
    PROM_TRY(sink.DefineLayout(layout_, std::span(series_ids_).subspan(defined_columns_)));
    defined_columns_ = series_ids_.size();
  }
  for (const std::string& metric : changed_metadata_) PROM_TRY(sink.MetadataOf(metric, metadata_.find(metric)->second));
  changed_metadata_.clear();
  PROM_TRY(sink.Row(layout_, t_ms, row_, present_));
  if (page == nullptr) return {};
  const auto id_of = [&](std::uint32_t slot) {
    const std::uint32_t column = column_of_slot_[slot];
    return column == kDropped || column == kRefused ? kNoSeries : series_ids_[column];
  };
  std::size_t too_new = 0;
  for (const auto& s : page->timed) {
    const std::uint32_t id = id_of(s.slot);
    if (id == kNoSeries) continue;
    if (s.t_ms > t_ms && s.t_ms - t_ms > kMaxAheadMs) {
      ++too_new;
      continue;
    }
    PROM_TRY(sink.Sample(id, s.t_ms, s.value));
  }
  if (too_new > 0) {
    metrics_.out_of_bounds.Add(static_cast<double>(too_new));
    LogWarn("scrape", "samples too far in the future", {{"target", target_.url}, {"num_dropped", too_new}});
  }
  for (const auto& e : page->exemplars) {
    const std::uint32_t id = id_of(e.slot);
    if (id == kNoSeries) continue;
    Exemplar exemplar = e.exemplar;
    if (!exemplar.has_time) exemplar.t_ms = t_ms;
    PROM_TRY(sink.ExemplarOf(id, exemplar));
  }
  return {};
}

ScrapeReport Scraper::Scrape(std::int64_t t_ms, double duration_seconds, const Result<void>& fetched, const std::string& content_type, std::string* body,
                             std::uint64_t body_bytes) {
  ScrapeReport report;
  report.t_ms = t_ms;
  report.duration_seconds = duration_seconds;
  auto epoch = output_.Epoch();
  if (!epoch) {
    report.error = epoch.error().message;
    return report;
  }
  if (*epoch != epoch_) StartOver(*epoch);

  const PageParser::Page* page = nullptr;
  parse_failed_ = false;
  Result<const PageParser::Page*> read = fetched ? ReadPage(content_type, body, body_bytes) : Result<const PageParser::Page*>(fetched.error());
  if (read) {
    page = *read;
    if (page->generation != generation_) Renumber(*page);
    AddSlots(*page);
    if (page->duplicates > 0) {
      metrics_.duplicates.Add(static_cast<double>(page->duplicates));
      LogWarn("scrape", "series that are on a page more than once: the first counts", {{"target", target_.url}, {"num_dropped", page->duplicates}});
    }
    if (auto done = CheckLimits(*page, &report); !done) {
      report.error = done.error().message;
      page = nullptr;
    } else {
      NoteMetadata(*page);
    }
  } else {
    report.error = read.error().message;
    if (read.error().code == Errc::kLimit) metrics_.exceeded_body_size_limit.Add();
    if (parse_failed_) {
      // A line before the one that cannot be read may be the first to fail the scrape.
      if (auto done = CountLines(parser_->refused_slots(), parser_->refused_created(), &report); !done) report.error = done.error().message;
    }
  }

  // The row is one for all targets of a thread.
  static thread_local std::vector<double> shared_row;
  row_.swap(shared_row);
  row_.resize(series_ids_.size());
  present_.assign((series_ids_.size() + 63) / 64, 0);
  if (page != nullptr) {
    FillRow(*page);
    report.added = CountAdded(*page);
    metrics_.samples.Add(static_cast<double>(report.post_relabel));
  } else {
    parser_->MarkAllAbsent();
  }
  FinishRow(page, report, body_bytes);

  auto sent = output_.Write([&](Output::Turn& turn) -> Result<void> {
    PROM_TRY(Emit(turn, page, t_ms));
    if (!config_->track_timestamps_staleness) return {};
    std::unordered_map<std::uint32_t, bool> now;
    if (page != nullptr)
      for (const auto& s : page->timed)
        if (const std::uint32_t c = column_of_slot_[s.slot]; c != kDropped && c != kRefused) now.emplace(c, true);
    for (const auto& [column, on] : timed_live_)
      if (now.count(column) == 0 && series_ids_[column] != kNoSeries) PROM_TRY(turn.sink.Sample(series_ids_[column], t_ms, StaleNan()));
    timed_live_ = std::move(now);
    return {};
  });
  if (!sent && report.error.empty()) report.error = sent.error().message;
  row_.swap(shared_row);
  present_ = {};
  return report;
}

Result<void> Scraper::End(std::int64_t t_ms) {
  auto epoch = output_.Epoch();
  if (!epoch || *epoch != epoch_ || !layout_defined_) return {};  // nothing of ours is in this stream
  row_.assign(series_ids_.size(), StaleNan());
  present_ = live_;
  present_.resize((series_ids_.size() + 63) / 64);
  live_.clear();
  output_.Forget(static_cast<std::uint32_t>(series_ids_.size()));
  return output_.Write([&](Output::Turn& turn) { return Emit(turn, nullptr, t_ms); });
}

}  // namespace prom::scrape
