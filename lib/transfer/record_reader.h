// RecordReader: text from outside, record by record, into a StreamSink. Each format
// is one implementation; a record that breaks its rules takes no other with it.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "base/result.h"

namespace prom::transfer {

// A record that was refused: its first line, from 1, and why.
using RefusedFn = std::function<void(std::uint64_t line, std::string_view reason)>;

// Not thread-safe.
class RecordReader {
 public:
  virtual ~RecordReader() = default;
  // The next bytes, cut anywhere. An error is the sink's, or means that the whole
  // input is of no use.
  virtual Result<void> Feed(std::string_view bytes) = 0;
  virtual Result<void> Finish() = 0;
  virtual std::uint64_t lines() const = 0;
  virtual std::uint64_t refused() const = 0;
};

}  // namespace prom::transfer
