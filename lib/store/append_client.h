// AppendClient: what `promstore append` does. A stream from a file descriptor goes
// into a data directory: through the ingest socket of the process that writes it, or,
// when there is none, by becoming the writer.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/signals.h"
#include "base/time.h"
#include "store/writer.h"

namespace prom::store {

struct AppendOptions {
  std::string data_dir;
  std::vector<std::pair<std::string, std::string>> labels;  // set on every series
  WriterOptions writer;  // when we become the writer; fsync is kInterval or kNever
  bool sync = false;     // then: acknowledge only what is on disk (--fsync=always)
  int in_fd = 0;
  // Called with N when the first N lines are safe: of kill -9 of the writer, or with
  // `sync` of power loss. Of a binary stream: when its batch N is.
  std::function<void(std::uint64_t)> on_ack;
  // A line that cannot be read, from 1, and why.
  std::function<void(std::uint64_t, std::string_view)> on_refused_line;
  std::function<void(std::string_view)> on_warning;
  Signals* signals = nullptr;  // may be null; a stop ends the input
  std::int64_t wait_for_writer_ms = 2000;  // a writer that is just starting has no socket yet
};

struct AppendSummary {
  std::uint64_t lines = 0, refused_lines = 0;
  std::uint64_t accepted = 0;  // samples
  std::uint64_t refused = 0;   // samples refused by the store, whose kinds are
  bool kinds_known = false;    // only known to the writer itself
  std::uint64_t out_of_order = 0, duplicates = 0, too_old = 0;
};

// Until the end of input. kUnavailable: another process writes and takes nothing.
// *summary is filled in as far as it came, also on error.
Result<void> RunAppend(const AppendOptions& options, Clock& clock, AppendSummary* summary);

}  // namespace prom::store
