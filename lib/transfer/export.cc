#include "transfer/export.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "base/strings.h"
#include "store/dump.h"
#include "tsdb/block_writer.h"

namespace prom::transfer {
namespace {

constexpr std::size_t kFlushBytes = 256u << 10;

constexpr std::pair<std::string_view, ExportFormat> kNames[] = {{"prometheus", ExportFormat::kPrometheus},
                                                                {"openmetrics", ExportFormat::kOpenMetrics},
                                                                {"jsonl", ExportFormat::kJsonLines},
                                                                {"csv", ExportFormat::kCsv},
                                                                {"tsdb", ExportFormat::kTsdb}};

class Exporter {
 public:
  Exporter(const Queryable& source, const ExportOptions& options, const StreamWriteFn& write, ExportSummary* summary)
      : source_(source), options_(options), write_(write), summary_(summary) {}

  Result<void> Run() {
    PROM_ASSIGN(auto printer, Printer());
    std::unordered_map<Labels, std::vector<Exemplar>> exemplars;
    auto found = source_.Exemplars({options_.matchers}, options_.min_ms, options_.max_ms);
    if (!found && found.error().code != Errc::kCorrupt) return std::move(found.error());
    if (!found) Warn(found.error().message + "; exemplars are left out");
    else for (auto& e : *found) exemplars.emplace(std::move(e.series), std::move(e.exemplars));
    PROM_ASSIGN(const auto selection, source_.Select(options_.matchers, options_.min_ms, options_.max_ms));
    SeriesColumns columns;
    std::string out;
    const std::vector<Exemplar> none;
    for (std::size_t i = 0; i < selection->size(); ++i) {
      if (options_.canceled && options_.canceled()) return Error{Errc::kCanceled, "stopped"};
      PROM_TRY(selection->Read(i, options_.min_ms, options_.max_ms, &columns));
      for (const std::string& w : columns.warnings) Warn(w);
      if (columns.t.empty() && columns.histograms.empty()) continue;
      const auto of = exemplars.find(selection->labels(i));
      printer->Series(&out, selection->labels(i), columns, of == exemplars.end() ? none : of->second);
      ++summary_->series;
      summary_->samples += columns.t.size();
      if (out.size() >= kFlushBytes) {
        PROM_TRY(write_(out));
        out.clear();
      }
      if (options_.on_progress) options_.on_progress(i + 1, selection->size(), summary_->samples);
    }
    summary_->samples -= summary_->stale_markers;
    printer->Finish(&out);
    return write_(out);
  }

 private:
  Result<std::unique_ptr<SeriesPrinter>> Printer() {
    if (options_.format == ExportFormat::kJsonLines) return NewJsonLinesPrinter(summary_);
    if (options_.format == ExportFormat::kCsv) {
      PROM_ASSIGN(auto names, source_.LabelNames(options_.matchers, options_.min_ms, options_.max_ms));
      return NewCsvPrinter(std::move(names), summary_);
    }
    PROM_ASSIGN(const auto metadata, source_.ListMetadata());
    return NewOpenMetricsPrinter(metadata, summary_);
  }

  void Warn(const std::string& w) {
    ++summary_->warnings;
    if (options_.on_warning && warned_.insert(w).second) options_.on_warning(w);
  }

  const Queryable& source_;
  const ExportOptions& options_;
  const StreamWriteFn& write_;
  ExportSummary* summary_;
  std::unordered_set<std::string> warned_;
};

Result<void> ExportTsdb(Io& io, const Queryable& source, const ExportOptions& options, ExportSummary* summary) {
  tsdb::WriteBlocksOptions write;
  write.matchers = options.matchers;
  const auto [oldest, newest] = source.TimeRange();
  if (oldest > newest) return {};
  PROM_ASSIGN(auto done, tsdb::WriteBlocks(io, source, std::max(options.min_ms, oldest), std::min(options.max_ms, newest), options.dir, write, [&](const tsdb::WriteBlocksProgress& p) {
    if (options.on_progress) options.on_progress(static_cast<std::uint64_t>(p.done_ms), static_cast<std::uint64_t>(p.total_ms), p.samples);
    return !(options.canceled && options.canceled());
  }));
  for (const auto& b : done.blocks) summary->series = std::max(summary->series, b.series);
  summary->samples = done.samples;
  summary->blocks = done.blocks.size();
  summary->start_timestamps = done.start_timestamps;
  summary->warnings = done.warnings.size();
  for (const std::string& w : done.warnings)
    if (options.on_warning) options.on_warning(w);
  PROM_ASSIGN(const auto exemplars, source.Exemplars({options.matchers}, options.min_ms, options.max_ms));
  for (const auto& e : exemplars) summary->exemplars += e.exemplars.size();
  return {};
}

}  // namespace

std::optional<ExportFormat> ParseExportFormat(std::string_view name) {
  for (const auto& [text, format] : kNames)
    if (text == name) return format;
  return std::nullopt;
}

Result<void> RunExport(Io& io, const Queryable& source, const ExportOptions& options, const StreamWriteFn& write, ExportSummary* summary) {
  if (options.format == ExportFormat::kTsdb) return ExportTsdb(io, source, options, summary);
  if (options.format != ExportFormat::kPrometheus) return Exporter(source, options, write, summary).Run();
  store::DumpOptions dump;
  dump.matchers = options.matchers;
  dump.min_ms = options.min_ms;
  dump.max_ms = options.max_ms;
  dump.on_warning = options.on_warning;
  store::DumpSummary s;
  PROM_TRY(store::Dump(source, dump, write, &s));
  summary->series = s.series;
  summary->samples = s.samples;
  summary->warnings = s.warnings;
  return {};
}

}  // namespace prom::transfer
