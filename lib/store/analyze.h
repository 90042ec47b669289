// Analyze: where series and bytes of a store come from. It reads everything in the
// range once; a few hundred bytes a series in memory.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/io.h"
#include "base/result.h"
#include "model/matcher.h"
#include "store/data_dir.h"
#include "store/report.h"

namespace prom::store {

struct AnalyzeOptions {
  Matchers matchers;  // empty: all series
  std::int64_t min_ms = 0, max_ms = 0;
  std::size_t top = 20;  // rows of each list
};

struct Analysis {
  struct Row {
    std::string name;
    std::uint64_t series = 0, samples = 0;
    std::uint64_t bytes = 0;  // about: the share of samples, by how well their block packs them
  };
  struct LabelRow {
    std::string name;
    std::uint64_t values = 0;  // distinct
    std::uint64_t series = 0;  // that have it
    std::uint64_t bytes = 0;   // of the distinct values' text
  };
  struct ChurnRow {  // a period
    std::int64_t start_ms = 0;
    std::uint64_t active = 0;       // series with a sample in it
    std::uint64_t appeared = 0;     // for the first time in the range
    std::uint64_t disappeared = 0;  // had their last sample in the period before
  };
  std::int64_t min_ms = 0, max_ms = 0;  // of the samples seen; min > max: none
  std::uint64_t series = 0, samples = 0, bytes = 0;
  std::uint64_t metrics = 0, label_names = 0, label_pairs = 0;  // distinct
  std::vector<Row> by_metric, by_pair, by_series;  // metrics by series, pairs by series, series by bytes
  std::vector<Row> metrics_by_bytes;
  std::vector<LabelRow> by_label;  // by distinct values
  std::int64_t period_ms = 0;
  std::vector<ChurnRow> churn;     // oldest first
  std::vector<std::string> warnings;
};

// A series counts as active from its first to its last sample. Samples that two blocks have count twice.
Result<Analysis> Analyze(Io& io, const std::string& data_dir, const DataDir::Parts& parts, const AnalyzeOptions& options);
std::string PrintAnalysis(const Analysis& a, ReportForm form);

}  // namespace prom::store
