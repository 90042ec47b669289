// The parts of a block's files that writer and reader share; prom-block(5) has the
// layout. Internal to lib/store.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace prom::store {

inline constexpr std::string_view kBlockChunksMagic = "PKBLCK";
inline constexpr std::uint32_t kBlockChunksVersion = 2;  // written; 1, which has groups of kValues1, is read
inline constexpr std::string_view kBlockIndexFile = "index", kBlockChunksFile = "chunks", kBlockMetaFile = "meta.json";

enum class BlockGroupKind : std::uint32_t { kValues1 = 1, kTimes = 2, kExemplars = 3, kMetadata = 4, kValues = 5 };

// A group in the chunks file: u32 magic, u32 crc32c of what follows, u32 size of the
// payload, u32 kind; the payload, as chunk::AppendGroup makes it.
inline constexpr std::uint32_t kBlockGroupMagic = 0x47424b50;  // "PKBG"
inline constexpr std::size_t kBlockGroupHead = 16;
inline constexpr std::size_t kMaxGroupRawBytes = 1u << 30;

// The directory, which is the index's extra section: this head, slices, groups.
struct BlockHead {
  std::uint32_t slices = 0, groups = 0, columns = 0, level = 1;
  std::int64_t min_ms = 0, max_ms = 0;
  std::uint64_t samples = 0, histogram_samples = 0, chunks = 0;
  // Groups are numbered: of values, by slice; then of times, exemplars, metadata.
  std::uint32_t first_times = 0, first_exemplars = 0, first_metadata = 0;
  std::string ulid;

  static constexpr std::size_t kBytes = 104;
  void AppendTo(std::string* out) const {
    for (const std::uint32_t v : {slices, groups, columns, level}) AppendLe(out, v);
    AppendLe(out, min_ms);
    AppendLe(out, max_ms);
    for (const std::uint64_t v : {samples, histogram_samples, chunks}) AppendLe(out, v);
    for (const std::uint32_t v : {first_times, first_exemplars, first_metadata, std::uint32_t{0}}) AppendLe(out, v);
    std::string name = ulid;
    name.resize(32, '\0');
    *out += name;
  }
  // From kBytes bytes. False: numbers that contradict each other.
  [[nodiscard]] bool Parse(std::string_view bytes) {
    ByteReader r(bytes);
    for (std::uint32_t* v : {&slices, &groups, &columns, &level}) *v = r.U32();
    min_ms = r.Le<std::int64_t>();
    max_ms = r.Le<std::int64_t>();
    for (std::uint64_t* v : {&samples, &histogram_samples, &chunks}) *v = r.U64();
    for (std::uint32_t* v : {&first_times, &first_exemplars, &first_metadata}) *v = r.U32();
    (void)r.U32();
    ulid = r.Bytes(26);
    return r.ok() && first_times <= first_exemplars && first_exemplars <= first_metadata && first_metadata <= groups;
  }
};

struct BlockSlice {
  std::int64_t min_ms = 0, max_ms = 0;  // of its samples
  std::uint32_t first_group = 0, groups = 0;
  static constexpr std::size_t kBytes = 24;
  void AppendTo(std::string* out) const {
    AppendLe(out, min_ms);
    AppendLe(out, max_ms);
    AppendLe(out, first_group);
    AppendLe(out, groups);
  }
  static BlockSlice Parse(const char* p) { return {LoadLe<std::int64_t>(p), LoadLe<std::int64_t>(p + 8), LoadLe<std::uint32_t>(p + 16), LoadLe<std::uint32_t>(p + 20)}; }
};

struct BlockGroup {
  std::uint64_t offset = 0;           // of its head in the chunks file
  std::uint32_t size = 0;             // of its payload
  std::uint32_t first = 0, last = 0;  // series numbers (values, exemplars) or columns (times) in it
  static constexpr std::size_t kBytes = 20;
  void AppendTo(std::string* out) const {
    AppendLe(out, offset);
    AppendLe(out, size);
    AppendLe(out, first);
    AppendLe(out, last);
  }
  static BlockGroup Parse(const char* p) { return {LoadLe<std::uint64_t>(p), LoadLe<std::uint32_t>(p + 8), LoadLe<std::uint32_t>(p + 12), LoadLe<std::uint32_t>(p + 16)}; }
};

}  // namespace prom::store
