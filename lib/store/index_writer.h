// IndexWriter makes an index: label sets to one number each, prom-block(5) "Index".
// Blocks and the segments of a head's index are the same format.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "model/labels.h"

namespace prom::store {

class IndexWriter {
 public:
  IndexWriter();
  ~IndexWriter();
  IndexWriter(const IndexWriter&) = delete;
  IndexWriter& operator=(const IndexWriter&) = delete;

  // Label sets strictly ascending; else kInvalid. The n-th one has rank n. kLimit:
  // more than 2^31 series. `payload` is the caller's: small numbers take fewer bytes.
  Result<void> Add(const Labels& labels, std::uint64_t payload);
  // Bytes that travel in the index under its checksums.
  void SetExtra(std::string extra);
  std::uint32_t series_count() const;
  // The whole file. The writer is used up. Takes about 60 bytes a series beside the
  // result. kLimit: a section beyond 4 GiB.
  Result<std::string> Finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace prom::store
