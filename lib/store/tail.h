// Tail: the newest samples of a data directory as a text stream or as JSON lines, in the
// order of time; following prints what is committed as it comes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "exposition/stream_sink.h"
#include "model/matcher.h"
#include "store/data_dir.h"

namespace prom::store {

struct TailOptions {
  Matchers matchers;
  std::uint64_t samples = 10;  // from the end, before following
  bool follow = false;
  // A line a sample instead of text: {"metric":{"__name__":"up"},"timestamp":1700000000000,"value":1}.
  // value: null is the staleness marker, "+Inf", "-Inf" and "NaN" are strings; in its place "histogram", as
  // prom-stream(5) spells it; "start_timestamp" when it is known.
  bool json = false;
  int poll_ms = 100;  // between looks at the committed sequence
  // Asked between looks; waits up to the given ms and returns false to stop.
  std::function<bool(int)> wait;
};

Result<void> Tail(DataDir& dir, const TailOptions& options, Clock& clock, const StreamWriteFn& write);

}  // namespace prom::store
