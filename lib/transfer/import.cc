#include "transfer/import.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <vector>

#include "base/number.h"
#include "base/strings.h"
#include "tsdb/tsdb_dir.h"
#include "transfer/jsonl_reader.h"
#include "transfer/text_reader.h"

namespace prom::transfer {
namespace {

constexpr std::size_t kReadBytes = 256u << 10;
constexpr std::size_t kDetectBytes = 16u << 10;
constexpr double kMillisFrom = 1e11;

constexpr std::pair<std::string_view, ImportFormat> kNames[] = {{"auto", ImportFormat::kAuto},
                                                                {"prometheus", ImportFormat::kPrometheus},
                                                                {"openmetrics", ImportFormat::kOpenMetrics},
                                                                {"csv", ImportFormat::kCsv},
                                                                {"jsonl", ImportFormat::kJsonLines},
                                                                {"tsdb", ImportFormat::kTsdb}};

// At least `least` bytes, or less at the end of input. Asks meanwhile whether to stop.
Result<std::size_t> ReadSome(int fd, const std::string& name, const ImportOptions& options, std::size_t least, std::vector<char>* out) {
  std::size_t got = 0;
  while (got < least) {
    if (options.blocks.canceled && options.blocks.canceled()) return Error{Errc::kCanceled, "stopped: nothing was imported"};
    pollfd wait{fd, POLLIN, 0};
    if (::poll(&wait, 1, 200) == 0) continue;
    const ssize_t n = ::read(fd, out->data() + got, out->size() - got);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoError("read", name, errno);
    if (n == 0) break;
    got += static_cast<std::size_t>(n);
  }
  return got;
}

std::unique_ptr<RecordReader> NewReader(ImportFormat format, StreamSink* sink, const ImportOptions& options) {
  switch (format) {
    case ImportFormat::kCsv: return NewCsvReader(sink, options.csv, options.on_refused);
    case ImportFormat::kJsonLines: return NewJsonLinesReader(sink, options.on_refused);
    case ImportFormat::kOpenMetrics: return NewTextReader(sink, TextFormat::kOpenMetrics, options.on_refused);
    default: return NewTextReader(sink, TextFormat::kPrometheus, options.on_refused);
  }
}

}  // namespace

std::optional<ImportFormat> ParseImportFormat(std::string_view name) {
  for (const auto& [text, format] : kNames)
    if (text == name) return format;
  return std::nullopt;
}

std::string_view ImportFormatName(ImportFormat format) {
  for (const auto& [text, f] : kNames)
    if (f == format) return text;
  return "?";
}

ImportFormat DetectFormat(std::string_view beginning) {
  bool openmetrics = false;
  for (std::string_view rest = beginning; !rest.empty();) {
    const std::size_t newline = rest.find('\n');
    const bool whole = newline != std::string_view::npos;
    const std::string_view line = TrimSpace(rest.substr(0, newline));
    rest.remove_prefix(whole ? newline + 1 : rest.size());
    if (line.empty()) continue;
    if (line.starts_with("#@")) return ImportFormat::kPrometheus;
    if (line == "# EOF") return ImportFormat::kOpenMetrics;
    if (line.starts_with("# UNIT ")) openmetrics = true;
    if (line[0] == '#') continue;
    if (line.starts_with("{") && line.find("\"metric\"") != std::string_view::npos && line.find("\"metric\"") < 16) return ImportFormat::kJsonLines;
    // The header of our own CSV: no blank, and these two columns.
    const std::string header = "," + std::string(line) + ",";
    if (header.find(",timestamp,") != std::string::npos && header.find(",value,") != std::string::npos) return ImportFormat::kCsv;
    std::string_view sample = line.substr(0, line.find(" # "));  // an exemplar is OpenMetrics'
    if (sample.size() != line.size()) return ImportFormat::kOpenMetrics;
    const std::size_t blank = sample.rfind(' ');
    if (blank == std::string_view::npos || !whole) continue;
    const auto t = ParseFloat(sample.substr(blank + 1));
    // "x 5": a value alone says nothing.
    const bool has_time = sample.find(' ') != blank || (sample.find('{') != std::string_view::npos && sample.find("} ") != std::string_view::npos && sample.find("} ") + 1 != blank);
    if (!t || !has_time) continue;
    return std::abs(*t) < kMillisFrom ? ImportFormat::kOpenMetrics : ImportFormat::kPrometheus;
  }
  return openmetrics ? ImportFormat::kOpenMetrics : ImportFormat::kPrometheus;
}

Result<void> RunImport(Io& io, Clock& clock, int fd, const std::string& name, const ImportOptions& options, ImportSummary* summary) {
  PROM_ASSIGN(const auto blocks, BlockImport::Start(io, clock, options.blocks));
  std::vector<char> buffer(kReadBytes);
  PROM_ASSIGN(std::size_t got, ReadSome(fd, name, options, kDetectBytes, &buffer));
  std::string_view bytes(buffer.data(), got);
  if (bytes.starts_with("\xef\xbb\xbf")) bytes.remove_prefix(3);
  summary->format = options.format != ImportFormat::kAuto ? options.format : !options.csv.columns.empty() ? ImportFormat::kCsv : DetectFormat(bytes);
  const auto reader = NewReader(summary->format, blocks.get(), options);
  const auto count = [&] {
    summary->lines = reader->lines();
    summary->refused = reader->refused();
    if (options.on_progress) options.on_progress(summary->bytes, blocks->samples());
  };
  while (got > 0) {
    summary->bytes += got;
    auto done = reader->Feed(bytes);
    count();
    if (!done) return done;
    PROM_ASSIGN(got, ReadSome(fd, name, options, 1, &buffer));
    bytes = {buffer.data(), got};
  }
  auto done = reader->Finish();
  count();
  PROM_TRY(std::move(done));
  PROM_ASSIGN(summary->blocks, blocks->Finish());
  return {};
}

Result<void> ImportTsdb(Io& io, Clock& clock, const std::string& dir, const ImportOptions& options, ImportSummary* summary) {
  summary->format = ImportFormat::kTsdb;
  PROM_ASSIGN(const auto source, tsdb::TsdbDir::Open(io, dir));
  PROM_ASSIGN(const auto parts, source->OpenParts());
  PROM_ASSIGN(const auto snapshot, source->Snapshot());
  PROM_ASSIGN(const auto blocks, BlockImport::Start(io, clock, options.blocks));
  PROM_TRY(blocks->Copy(*snapshot, kMinTimeMs, kMaxTimeMs));
  PROM_ASSIGN(summary->blocks, blocks->Finish());
  auto& warnings = summary->blocks.warnings;
  warnings.insert(warnings.begin(), parts->warnings.begin(), parts->warnings.end());
  for (const auto& block : parts->blocks)
    if (!block.error.empty()) warnings.insert(warnings.begin(), block.error);
  return {};
}

}  // namespace prom::transfer
