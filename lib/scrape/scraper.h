// Scraper: the pages of one target, turned into rows of a stream.
//
// One scrape is one row: the report series (up, scrape_duration_seconds, ...) first,
// then the target's series in page order. A series is looked at (labels merged,
// relabelled, limits checked) once, when its text is first seen; after that a scrape
// copies values. Series that were there and are not any more get a stale marker in the
// same row; so do all of them when a scrape fails.
//
// Not thread-safe: one scrape of a target at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/metrics.h"
#include "base/result.h"
#include "config/config.h"
#include "exposition/page_parser.h"
#include "exposition/series_table.h"
#include "scrape/output.h"
#include "scrape/target.h"

namespace prom::scrape {

// Counters of all scrapers of a process, under upstream's names.
struct ScrapeMetrics {
  explicit ScrapeMetrics(Metrics& metrics);
  Counter& duplicates;
  Counter& exceeded_sample_limit;
  Counter& exceeded_body_size_limit;
  Counter& exceeded_label_limits;
  Counter& samples;
  Counter& out_of_bounds;
};

// What became of one scrape; `error` is empty when it worked.
struct ScrapeReport {
  std::int64_t t_ms = 0;
  double duration_seconds = 0;
  std::string error;
  // As upstream counts them: of a page that is refused, what came before the reason.
  std::size_t samples = 0, post_relabel = 0, added = 0;
};

class Scraper {
 public:
  Scraper(std::shared_ptr<const config::ScrapeConfig> config, Target target, Output& output, ScrapeMetrics& metrics);

  const Target& target() const { return target_; }
  const config::ScrapeConfig& config() const { return *config_; }

  // One fetched page. `fetched` says whether the fetch itself worked; *body is swapped
  // for an old buffer. The report's error includes what parsing, limits or the output said.
  ScrapeReport Scrape(std::int64_t t_ms, double duration_seconds, const Result<void>& fetched, const std::string& content_type,
                      std::string* body, std::uint64_t body_bytes);
  // Whether the last page was like the one before: then the next one most likely costs little to take in.
  bool settled() const { return layout_defined_ && last_created_ < kFewCreated; }
  // Metadata of the target that is kept; from any thread.
  std::size_t metadata_entries() const { return metadata_entries_.load(std::memory_order_relaxed); }
  std::size_t metadata_bytes() const { return metadata_bytes_.load(std::memory_order_relaxed); }
  // The target is gone: stale markers for all it had.
  Result<void> End(std::int64_t t_ms);

 private:
  static constexpr std::uint32_t kDropped = 0xffffffffu;   // by metric_relabel_configs
  static constexpr std::size_t kFewCreated = 64;
  static constexpr std::uint32_t kNoSeries = 0xffffffffu;
  static constexpr std::uint32_t kRefused = 0xfffffffeu;   // breaks a label limit: fails the scrape
  using Bits = std::vector<std::uint64_t>;

  Result<const PageParser::Page*> ReadPage(const std::string& content_type, std::string* body, std::uint64_t body_bytes);
  Result<void> CheckLimits(const PageParser::Page& page, ScrapeReport* report);
  Result<void> CountLines(std::span<const std::uint32_t> slots, std::span<const PageParser::NewSlot> unborn, ScrapeReport* report);
  std::size_t CountAdded(const PageParser::Page& page) const;
  void AddSlots(const PageParser::Page& page);
  Result<std::optional<Labels>> Relabelled(const Labels& raw) const;
  std::uint32_t AddColumn(Labels labels);
  Labels MergeTargetLabels(const Labels& raw) const;
  Result<void> CheckLabelLimits(const Labels& labels) const;
  void Renumber(const PageParser::Page& page);
  void FillRow(const PageParser::Page& page);
  void FinishRow(const PageParser::Page* page, const ScrapeReport& report, std::uint64_t body_bytes);
  void SetColumn(std::size_t column, double v);
  void NoteMetadata(const PageParser::Page& page);
  Result<void> Emit(Output::Turn& turn, const PageParser::Page* page, std::int64_t t_ms);
  void StartOver(std::uint64_t epoch);
  std::size_t report_columns() const { return extra_metrics_ ? 8 : 5; }

  std::shared_ptr<const config::ScrapeConfig> config_;
  const Target target_;
  Output& output_;
  ScrapeMetrics& metrics_;
  const bool extra_metrics_;

  std::unique_ptr<PageParser> parser_;
  std::uint64_t generation_ = 0;
  std::uint64_t epoch_ = 0;
  bool layout_defined_ = false;
  std::uint32_t layout_ = 0;

  std::vector<std::uint32_t> column_of_slot_;  // or kDropped, kRefused
  bool slots_in_order_ = true;                 // column = report_columns() + slot throughout
  bool aliases_ = false;                       // two slots share a column
  std::vector<std::uint32_t> series_ids_;      // by column, of this epoch; kNoSeries until defined
  std::vector<std::pair<std::uint32_t, Labels>> undefined_;  // columns and labels to define, ascending
  std::size_t defined_columns_ = 0;            // of the layout, in the stream
  SeriesTable columns_;                        // by the labels as they are stored
  std::unordered_map<std::uint32_t, std::string> refused_;  // by slot: why
  bool parse_failed_ = false;     // the page was read as far as an error in it
  std::size_t last_created_ = 0;  // series that were new on the last page

  std::vector<double> row_;
  Bits present_;
  Bits live_;   // columns whose newest sample is a value
  // Columns that scrape_series_added does not count: on the last good page that had any text, or
  // on a bad one since; and series on bad pages that have no column yet.
  Bits known_;
  SeriesTable known_unborn_;
  std::unordered_map<std::uint32_t, bool> timed_live_;  // columns with times of their own, under track_timestamps_staleness
  std::map<std::string, Metadata, std::less<>> metadata_;
  std::vector<std::string> changed_metadata_;
  std::atomic<std::size_t> metadata_entries_{0}, metadata_bytes_{0};
};

}  // namespace prom::scrape
