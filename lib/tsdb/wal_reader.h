// SegmentReader iterates over the records of one segment of Prometheus's write-ahead
// log (wal/, wbl/ and the segments of checkpoints), oldest first. Records never cross
// segments. Not thread-safe: one reader, one thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace prom::tsdb {

class SegmentReader {
 public:
  enum class Status {
    kRecord,
    kEnd,      // nothing more yet
    kTorn,     // the last record is there in part: being written, or lost in a crash
    kCorrupt,  // the rest of the segment cannot be trusted
    kBad,      // a sound record that cannot be unpacked; Next goes on behind it
  };
  // The segment's bytes so far; `offset` is where to begin, as offset() gave it.
  explicit SegmentReader(std::string_view bytes, std::uint64_t offset = 0) : bytes_(bytes), at_(offset), done_(offset) {}

  // kRecord: *record is unpacked and valid until the next call.
  Status Next(std::string_view* record);
  // First byte behind the last whole record.
  std::uint64_t offset() const { return done_; }
  // After kTorn, kCorrupt, kBad: what is wrong, and the offset of the fragment.
  const std::string& error() const { return error_; }
  std::uint64_t error_offset() const { return error_offset_; }

 private:
  Status Fail(Status status, std::uint64_t offset, std::string what);
  Status Unpack(int compression, std::string_view packed, std::string_view* record);

  std::string_view bytes_;
  std::uint64_t at_ = 0, done_ = 0, error_offset_ = 0;
  std::string joined_, unpacked_, error_;
};

}  // namespace prom::tsdb
