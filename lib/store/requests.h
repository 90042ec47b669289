// Requests: what other processes ask of the writer of a data directory, prom-data(5)
// "Requests": delete samples or take that back, exchange blocks, compact, repair. A line of
// JSON in, a line of JSON out.
//
// WriterAccess is for tools: it asks the running writer on DATA/control.sock, or is
// the writer itself while there is none.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/io.h"
#include "base/result.h"
#include "base/time.h"
#include "model/matcher.h"
#include "store/writer.h"

namespace prom::store {

// Answers one request. Thread-safe.
std::string HandleRequest(Writer& writer, std::string_view json);

struct CompactSummary {
  std::uint64_t blocks_before = 0, blocks_after = 0;
  std::uint64_t bytes_before = 0, bytes_after = 0;
};

// Not thread-safe.
class WriterAccess {
 public:
  struct Options {
    WriterOptions writer;              // when we become the writer
    std::int64_t wait_for_writer_ms = 2000;  // one that is just starting or ending
  };
  // kUnavailable: another process is the writer and takes no requests.
  static Result<std::unique_ptr<WriterAccess>> Open(Io& io, Clock& clock, const std::string& data_dir, Options options);
  ~WriterAccess();

  // Puts swap.add in force in place of swap.remove. kUnavailable: what was to be replaced has changed meanwhile.
  // *retention_ms: what the running writer keeps; 0 for ever.
  Result<void> ReplaceBlocks(const BlockSwap& swap, std::int64_t* retention_ms = nullptr);
  // The number to undo it by.
  Result<std::uint64_t> Delete(const std::vector<Matchers>& any_of, std::int64_t min_ms, std::int64_t max_ms);
  Result<void> Undelete(std::uint64_t id);
  // See Writer.
  Result<void> SetTombstonesAside(const std::string& file);
  // Makes blocks of what is in the head.
  Result<void> Flush();
  // Flush, deleted samples dropped for good, blocks merged.
  Result<CompactSummary> Compact();
  // Whether a running writer is asked.
  bool remote() const { return writer_ == nullptr; }
  // Ends being the writer.
  Result<void> Close();

 private:
  WriterAccess() = default;
  Result<std::string> Ask(const std::string& request);

  std::string socket_path_;
  std::unique_ptr<Writer> writer_;  // null: another process's, on socket_path_
};

}  // namespace prom::store
