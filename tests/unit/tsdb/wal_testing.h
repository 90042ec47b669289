// Writes of the files of a Prometheus head, for tests: log segments, records, head chunks.
#pragma once

#include <snappy.h>
#include <zstd.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/crc32c.h"
#include "model/labels.h"
#include "tsdb/big_endian.h"
#include "tsdb/chunk.h"

namespace prom::tsdb::testing {

enum class Pack { kNone, kSnappy, kZstd };

// A log segment: records cut into fragments that fit into pages of 32 KiB.
class Segment {
 public:
  Segment& Add(std::string record, Pack pack = Pack::kNone) {
    unsigned flag = 0;
    if (pack == Pack::kSnappy) {
      std::string packed;
      snappy::Compress(record.data(), record.size(), &packed);
      record = packed;
      flag = 8;
    } else if (pack == Pack::kZstd) {
      std::string packed(ZSTD_compressBound(record.size()), '\0');
      packed.resize(ZSTD_compress(packed.data(), packed.size(), record.data(), record.size(), 1));
      record = packed;
      flag = 16;
    }
    for (std::size_t at = 0;;) {
      std::size_t room = kPage - bytes_.size() % kPage;
      if (room <= kHeader) {
        bytes_.append(room, '\0');
        room = kPage;
      }
      const std::size_t take = std::min(record.size() - at, room - kHeader);
      const bool first = at == 0, last = at + take == record.size();
      const unsigned type = first && last ? 1 : first ? 2 : last ? 4 : 3;
      const std::string_view part = std::string_view(record).substr(at, take);
      bytes_.push_back(static_cast<char>(type | flag));
      bytes_.push_back(static_cast<char>(take >> 8));
      bytes_.push_back(static_cast<char>(take));
      AppendBe32(&bytes_, Crc32c(part));
      bytes_ += part;
      at += take;
      if (last) break;
    }
    return *this;
  }
  Segment& PadPage() {
    if (bytes_.size() % kPage != 0) bytes_.append(kPage - bytes_.size() % kPage, '\0');
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  static constexpr std::size_t kPage = 32 << 10, kHeader = 7;
  std::string bytes_;
};

inline void AppendLabels(std::string* out, const Labels& labels) {
  AppendVarint(out, labels.size());
  for (const Label& l : labels) {
    AppendLengthPrefixed(out, l.name);
    AppendLengthPrefixed(out, l.value);
  }
}

inline std::string SeriesRecord(const std::vector<std::pair<std::uint64_t, Labels>>& series) {
  std::string out(1, '\1');
  for (const auto& [ref, labels] : series) {
    AppendBe64(&out, ref);
    AppendLabels(&out, labels);
  }
  return out;
}

struct Sample {
  std::uint64_t ref;
  std::int64_t t;
  double v;
};
inline std::string SamplesRecord(const std::vector<Sample>& samples) {
  std::string out(1, '\2');
  AppendBe64(&out, samples[0].ref);
  AppendBe64(&out, static_cast<std::uint64_t>(samples[0].t));
  for (const Sample& s : samples) {
    AppendSignedVarint(&out, static_cast<std::int64_t>(s.ref - samples[0].ref));
    AppendSignedVarint(&out, s.t - samples[0].t);
    AppendBe64(&out, std::bit_cast<std::uint64_t>(s.v));
  }
  return out;
}

inline std::string TombstoneRecord(std::uint64_t ref, std::int64_t min, std::int64_t max) {
  std::string out(1, '\3');
  AppendBe64(&out, ref);
  AppendSignedVarint(&out, min);
  AppendSignedVarint(&out, max);
  return out;
}

inline std::string MarkerRecord(std::uint64_t ref, std::uint64_t chunk) {
  std::string out(1, '\5');
  AppendBe64(&out, ref);
  AppendBe64(&out, chunk);
  return out;
}

// A file of chunks_head/ with XOR chunks.
class HeadChunkFile {
 public:
  HeadChunkFile() {
    AppendBe32(&bytes_, 0x0130BC91);
    bytes_.append("\1\0\0\0", 4);
  }
  // Its offset.
  std::size_t Add(std::uint64_t ref, const std::vector<std::pair<std::int64_t, double>>& samples, bool out_of_order = false) {
    XorEncoder e;
    for (const auto& [t, v] : samples) e.Append(t, v);
    const std::size_t begin = bytes_.size();
    AppendBe64(&bytes_, ref);
    AppendBe64(&bytes_, static_cast<std::uint64_t>(samples.front().first));
    AppendBe64(&bytes_, static_cast<std::uint64_t>(samples.back().first));
    bytes_.push_back(static_cast<char>(out_of_order ? 0x81 : 1));
    AppendLengthPrefixed(&bytes_, e.Finish());
    AppendBe32(&bytes_, Crc32c(std::string_view(bytes_).substr(begin)));
    return begin;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

}  // namespace prom::tsdb::testing
