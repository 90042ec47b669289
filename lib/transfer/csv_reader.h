// CsvReader: comma-separated values, RFC 4180, with a mapping of columns in the
// notation of VictoriaMetrics' /api/v1/import/csv:
//
//   COLUMN:time:FORMAT     FORMAT: unix_s, unix_ms, unix_us, unix_ns, rfc3339
//   COLUMN:label:NAME
//   COLUMN:metric:NAME     each is a sample of its own; an empty cell is none
//   COLUMN:value           the sample of the series that a label __name__ names
//
// separated by commas. COLUMN counts from 1, or is a name when there is a header.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "exposition/stream_sink.h"
#include "transfer/record_reader.h"

namespace prom::transfer {

enum class CsvTime { kUnixSeconds, kUnixMs, kUnixUs, kUnixNs, kRfc3339 };

struct CsvColumn {
  enum class Kind { kTime, kLabel, kMetric, kValue } kind = Kind::kValue;
  std::size_t number = 0;  // from 0; when `header` is empty
  std::string header;
  std::string name;        // of the label or metric
  CsvTime time = CsvTime::kUnixMs;
};

struct CsvOptions {
  std::vector<CsvColumn> columns;  // empty: as `promstore export` writes, which has a header
  bool header = false;             // the first record names the columns
  char separator = ',';
};

// kInvalid: not that notation, or no time, or nothing to store.
Result<std::vector<CsvColumn>> ParseCsvMapping(std::string_view text);

// `sink` must outlive the reader.
std::unique_ptr<RecordReader> NewCsvReader(StreamSink* sink, CsvOptions options, RefusedFn refused);

}  // namespace prom::transfer
