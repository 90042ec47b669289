// RunExport: what `promstore export` does. A Queryable as text that other programs
// read, or as blocks of Prometheus's TSDB. Values keep their bits where a format can
// say them; what it has no words for is left out and counted.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/io.h"
#include "base/result.h"
#include "base/time.h"
#include "exposition/stream_sink.h"
#include "model/queryable.h"

namespace prom::transfer {

enum class ExportFormat { kPrometheus, kOpenMetrics, kJsonLines, kCsv, kTsdb };
std::optional<ExportFormat> ParseExportFormat(std::string_view name);

struct ExportOptions {
  ExportFormat format = ExportFormat::kPrometheus;
  Matchers matchers;  // empty: all series
  std::int64_t min_ms = kMinTimeMs, max_ms = kMaxTimeMs;
  std::string dir;    // kTsdb: where the blocks go
  std::function<void(std::string_view)> on_warning;  // damage: what is missing
  std::function<void(std::uint64_t done_series, std::uint64_t total_series, std::uint64_t samples)> on_progress;
  std::function<bool()> canceled;
};

struct ExportSummary {
  std::uint64_t series = 0, samples = 0;
  std::uint64_t warnings = 0;  // not zero: not all could be read
  std::uint64_t blocks = 0;    // kTsdb
  // What the format has no words for.
  std::uint64_t stale_markers = 0, histograms = 0, exemplars = 0, start_timestamps = 0;
  std::uint64_t nan_payloads = 0;  // written as the ordinary NaN
};

// `write` gets the text; it is not called for kTsdb.
Result<void> RunExport(Io& io, const Queryable& source, const ExportOptions& options, const StreamWriteFn& write, ExportSummary* summary);

// The text formats; each ends what it began in its Finish.
class SeriesPrinter {
 public:
  virtual ~SeriesPrinter() = default;
  virtual void Series(std::string* out, const Labels& labels, const SeriesColumns& columns, const std::vector<Exemplar>& exemplars) = 0;
  virtual void Finish(std::string*) {}
};
std::unique_ptr<SeriesPrinter> NewOpenMetricsPrinter(const std::vector<std::pair<std::string, Metadata>>& metadata, ExportSummary* summary);
std::unique_ptr<SeriesPrinter> NewJsonLinesPrinter(ExportSummary* summary);
// `names`: all labels there are, which are its columns.
std::unique_ptr<SeriesPrinter> NewCsvPrinter(std::vector<std::string> names, ExportSummary* summary);

}  // namespace prom::transfer
