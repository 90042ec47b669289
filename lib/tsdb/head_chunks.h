// chunks_head/: chunks of the head that Prometheus has moved out of its memory, in files
// of their own, each with its series' reference and times. Thread-safe after Open.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/io.h"
#include "model/queryable.h"
#include "tsdb/part.h"

namespace prom::tsdb {

class HeadChunks {
 public:
  // Finds all chunks and checks them. What lies behind damage is not used, as upstream
  // does it: the log still has those samples; *warnings tells. The directory may be absent.
  static Result<std::shared_ptr<const HeadChunks>> Open(Io& io, const std::string& dir, std::vector<std::string>* warnings);

  struct OfSeries {
    std::vector<ChunkMeta> in_order, out_of_order;  // ref: file << 32 | offset
  };
  const std::unordered_map<std::uint64_t, OfSeries>& by_series() const { return by_series_; }
  std::uint64_t last_ref() const { return last_ref_; }  // of the newest chunk; 0: none
  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t count() const { return count_; }

  // Appends the samples of a chunk; kCorrupt with file and offset.
  Result<void> Read(std::uint64_t ref, SeriesColumns* out) const;

 private:
  struct Segment {
    std::string path;
    Mapping map;
  };
  HeadChunks() = default;
  // Empty: read to its end. Else what is damaged.
  std::string Scan(std::uint64_t number, const Segment& segment, bool last);

  std::map<std::uint64_t, Segment> segments_;
  std::unordered_map<std::uint64_t, OfSeries> by_series_;
  std::uint64_t last_ref_ = 0, bytes_ = 0, count_ = 0;
};

}  // namespace prom::tsdb
