// IndexWriter makes an index: label sets to one number each, prom-block(5) "Index".
// Blocks and the segments of a head's index are the same format. Not thread-safe.
//
// Label sets come in any order. Their names and values are kept once each, a label set
// as a number a label, and put in order by these numbers: 4 bytes a label and about 12
// a series, 24 more a series while they are sorted.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/labels.h"

namespace prom::store {

class IndexWriter {
 public:
  IndexWriter();
  ~IndexWriter();
  IndexWriter(const IndexWriter&) = delete;
  IndexWriter& operator=(const IndexWriter&) = delete;

  // Bytes as Labels::bytes(); they are copied. `payload` is the caller's: small numbers
  // take fewer bytes. kInvalid: not a label set. kLimit: more than 2^31 series, or 2^32 labels.
  Result<void> Add(std::string_view label_bytes, std::uint32_t payload);
  Result<void> Add(const Labels& labels, std::uint32_t payload) { return Add(labels.bytes(), payload); }
  std::uint32_t series_count() const;

  // Puts the label sets in order; nothing may be added any more. The payloads in that
  // order. kInvalid: two are equal.
  Result<std::vector<std::uint32_t>> Sort();

  // Bytes of the file, one piece after the other.
  using Sink = std::function<Result<void>(std::string_view)>;
  // Writes the index of those series whose place in the order is set in `keep`; the
  // payload of each is its place less its rank. `extra` travels in the index under its
  // checksums. May be called again, for other series. kLimit: a section beyond 4 GiB.
  Result<void> Write(const std::vector<bool>& keep, std::string_view extra, const Sink& sink);
  // Of all series, with the payloads they were added with; sorts them first, if need be.
  Result<void> Write(std::string_view extra, const Sink& sink);
  Result<std::string> Finish(std::string_view extra = {});  // the same, into memory

 private:
  struct State;
  class File;
  Result<void> WriteSeries(const std::vector<bool>* keep, std::string_view extra, const Sink& sink);

  std::unique_ptr<State> state_;
};

}  // namespace prom::store
