// Tail: the newest samples of a data directory as a text stream, in the order of
// time; following prints what is committed as it comes.
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
  int poll_ms = 100;  // between looks at the committed sequence
  // Asked between looks; waits up to the given ms and returns false to stop.
  std::function<bool(int)> wait;
};

Result<void> Tail(DataDir& dir, const TailOptions& options, Clock& clock, const StreamWriteFn& write);

}  // namespace prom::store
