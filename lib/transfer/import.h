// RunImport: what `promstore import` does. A file in one of several formats becomes
// blocks of a data directory (block_import.h).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/io.h"
#include "base/result.h"
#include "base/time.h"
#include "transfer/block_import.h"
#include "transfer/csv_reader.h"
#include "transfer/record_reader.h"

namespace prom::transfer {

enum class ImportFormat { kAuto, kPrometheus, kOpenMetrics, kCsv, kJsonLines, kTsdb };
std::optional<ImportFormat> ParseImportFormat(std::string_view name);
std::string_view ImportFormatName(ImportFormat format);

// By what the input begins with. Text is OpenMetrics when its times are seconds: below
// 10^11, which as milliseconds would be before 1973.
ImportFormat DetectFormat(std::string_view beginning);

struct ImportOptions {
  BlockImportOptions blocks;
  ImportFormat format = ImportFormat::kAuto;
  CsvOptions csv;
  RefusedFn on_refused;
  // Bytes read and samples taken; called now and then.
  std::function<void(std::uint64_t bytes, std::uint64_t samples)> on_progress;
};

struct ImportSummary {
  ImportFormat format = ImportFormat::kAuto;
  std::uint64_t bytes = 0, lines = 0, refused = 0;
  BlockImportSummary blocks;
};

// Until the end of input of `fd`, which is named `name` in messages.
Result<void> RunImport(Io& io, Clock& clock, int fd, const std::string& name, const ImportOptions& options, ImportSummary* summary);

// A data directory of Prometheus, or one of its blocks: blocks, head chunks and log.
// Prometheus may be running on it.
Result<void> ImportTsdb(Io& io, Clock& clock, const std::string& dir, const ImportOptions& options, ImportSummary* summary);

}  // namespace prom::transfer
