// Exposition text with timestamps, Prometheus or OpenMetrics, and what prom-stream(5)
// adds to it. A sample without a time is refused: history has none to assume.
#pragma once

#include <memory>

#include "exposition/stream_sink.h"
#include "exposition/text_lexer.h"
#include "transfer/record_reader.h"

namespace prom::transfer {

// `sink` must outlive the reader.
std::unique_ptr<RecordReader> NewTextReader(StreamSink* sink, TextFormat format, RefusedFn refused);

}  // namespace prom::transfer
