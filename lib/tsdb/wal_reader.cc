// Framing: pages of 32 KiB; in them fragments of type (with bits for the compression),
// length (2 bytes), CRC (4 bytes); a zero instead of a type fills the rest of a page.
#include "tsdb/wal_reader.h"

#include <snappy.h>
#include <zstd.h>

#include <algorithm>

#include "base/crc32c.h"
#include "tsdb/big_endian.h"

namespace prom::tsdb {
namespace {

constexpr std::uint64_t kPageBytes = 32 << 10, kHeaderBytes = 7;
enum Type { kPadding = 0, kFull = 1, kFirst = 2, kMiddle = 3, kLast = 4 };
enum Compression { kNone = 0, kSnappy = 1, kZstd = 2 };
// More is no record: upstream writes some thousand samples in one.
constexpr std::size_t kMaxRecordBytes = 256u << 20;

}  // namespace

SegmentReader::Status SegmentReader::Fail(Status status, std::uint64_t offset, std::string what) {
  error_ = std::move(what);
  error_offset_ = offset;
  return status;
}

SegmentReader::Status SegmentReader::Unpack(int compression, std::string_view packed, std::string_view* record) {
  if (compression == kNone) {
    *record = packed;
    return Status::kRecord;
  }
  if (compression == kSnappy) {
    std::size_t size = 0;
    // Snappy packs at most 64 bytes into 3.
    if (!snappy::GetUncompressedLength(packed.data(), packed.size(), &size) || size > packed.size() * 22 + 64 || size > kMaxRecordBytes)
      return Fail(Status::kBad, done_, "snappy: impossible length");
    unpacked_.resize(size);
    if (!snappy::RawUncompress(packed.data(), packed.size(), unpacked_.data())) return Fail(Status::kBad, done_, "snappy: damaged record");
    *record = unpacked_;
    return Status::kRecord;
  }
  ZSTD_DStream* const stream = ZSTD_createDStream();
  ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, 27);
  ZSTD_inBuffer in{packed.data(), packed.size(), 0};
  unpacked_.resize(std::max<std::size_t>(packed.size() * 4, 4096));
  ZSTD_outBuffer out{unpacked_.data(), unpacked_.size(), 0};
  std::size_t left = 1;
  bool good = true;
  while (good && left != 0) {
    left = ZSTD_decompressStream(stream, &out, &in);
    good = ZSTD_isError(left) == 0 && !(left != 0 && in.pos == in.size && out.pos < out.size);
    if (good && left != 0 && out.pos == out.size) {
      good = unpacked_.size() <= kMaxRecordBytes / 2;
      if (good) unpacked_.resize(unpacked_.size() * 2);
      out.dst = unpacked_.data();
      out.size = unpacked_.size();
    }
  }
  ZSTD_freeDStream(stream);
  if (!good) return Fail(Status::kBad, done_, "zstd: damaged record");
  *record = std::string_view(unpacked_).substr(0, out.pos);
  return Status::kRecord;
}

SegmentReader::Status SegmentReader::Next(std::string_view* record) {
  bool open = false;  // a record has begun
  int compression = kNone;
  joined_.clear();
  for (;;) {
    const std::uint64_t size = bytes_.size();
    if (at_ >= size) return open ? Fail(Status::kTorn, done_, "the last record is incomplete") : Status::kEnd;
    const std::uint64_t page_end = std::min(size, (at_ / kPageBytes + 1) * kPageBytes);
    const auto head = static_cast<std::uint8_t>(bytes_[at_]);
    const int type = head & 7;
    if (type == kPadding) {
      for (std::uint64_t i = at_; i < page_end; ++i)
        if (bytes_[i] != 0) return Fail(Status::kCorrupt, i, "a byte that is not zero in the padding of a page");
      at_ = page_end;
      if (!open) done_ = at_;
      continue;
    }
    const std::uint64_t whole_page_end = (at_ / kPageBytes + 1) * kPageBytes;
    if (at_ + kHeaderBytes > whole_page_end) return Fail(Status::kCorrupt, at_, "a record header crosses a page");
    if (at_ + kHeaderBytes > size) return Fail(Status::kTorn, at_, "the last record is incomplete");
    const std::uint64_t length = LoadBe16(bytes_.data() + at_ + 1);
    if (at_ + kHeaderBytes + length > whole_page_end) return Fail(Status::kCorrupt, at_, "a record of impossible size " + std::to_string(length));
    if (at_ + kHeaderBytes + length > size) return Fail(Status::kTorn, at_, "the last record is incomplete");
    const std::string_view data = bytes_.substr(at_ + kHeaderBytes, length);
    if (Crc32c(data) != LoadBe32(bytes_.data() + at_ + 3)) return Fail(Status::kCorrupt, at_, "wrong checksum");
    const bool begins = type == kFull || type == kFirst;
    if (type > kLast || begins == open) return Fail(Status::kCorrupt, at_, "fragments of records in the wrong order");
    compression = (head & 8) != 0 ? kSnappy : (head & 16) != 0 ? kZstd : kNone;
    at_ += kHeaderBytes + length;
    if (type == kFull) {
      const auto status = Unpack(compression, data, record);
      done_ = at_;
      return status;
    }
    open = true;
    if (joined_.size() + data.size() > kMaxRecordBytes) return Fail(Status::kCorrupt, at_, "a record of more than 256 MiB");
    joined_ += data;
    if (type == kLast) {
      const auto status = Unpack(compression, joined_, record);
      done_ = at_;
      return status;
    }
  }
}

}  // namespace prom::tsdb
