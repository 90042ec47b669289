// JSON lines as VictoriaMetrics' /api/v1/export writes and /api/v1/import reads them,
// some samples of one series a line:
//
//   {"metric":{"__name__":"up","job":"node"},"values":[1,0],"timestamps":[1700000000000,1700000015000]}
//
// A value is a number, "Infinity", "-Infinity", "NaN", another NaN as its bits
// ("0x7ff8000000000abc"), or null, the staleness marker. Times are ms.
#pragma once

#include <memory>

#include "exposition/stream_sink.h"
#include "transfer/record_reader.h"

namespace prom::transfer {

// `sink` must outlive the reader. A line may have up to 256 MiB.
std::unique_ptr<RecordReader> NewJsonLinesReader(StreamSink* sink, RefusedFn refused);

}  // namespace prom::transfer
