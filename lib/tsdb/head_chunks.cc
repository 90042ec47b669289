// Layout: tsdb/docs/format/head_chunks.md of upstream. The top bit of an encoding says
// that the chunk holds out-of-order samples.
#include "tsdb/head_chunks.h"

#include <algorithm>

#include "base/crc32c.h"
#include "tsdb/big_endian.h"
#include "tsdb/chunk.h"

namespace prom::tsdb {
namespace {

constexpr std::uint32_t kMagic = 0x0130BC91;
constexpr std::size_t kFileHeaderBytes = 8, kChunkHeaderBytes = 8 + 8 + 8 + 1;
constexpr std::uint8_t kOutOfOrder = 0x80;

bool IsNumber(std::string_view s) { return !s.empty() && s.size() <= 9 && s.find_first_not_of("0123456789") == s.npos; }

}  // namespace

Result<std::shared_ptr<const HeadChunks>> HeadChunks::Open(Io& io, const std::string& dir, std::vector<std::string>* warnings) {
  std::shared_ptr<HeadChunks> out(new HeadChunks());
  auto list = io.List(dir);
  if (!list) {
    if (list.error().code != Errc::kNotFound) return std::move(list.error());
    return std::shared_ptr<const HeadChunks>(std::move(out));
  }
  for (const DirEntry& e : *list) {
    if (e.is_dir || !IsNumber(e.name)) continue;
    Segment s{JoinPath(dir, e.name), {}};
    PROM_ASSIGN(auto file, io.Open(s.path, Io::Mode::kRead));
    PROM_ASSIGN(const std::uint64_t size, file->Size());
    if (size == 0) continue;
    PROM_ASSIGN(s.map, file->Map());
    out->bytes_ += s.map.size();
    out->segments_.emplace(std::stoull(e.name), std::move(s));
  }
  std::uint64_t before = 0;
  for (const auto& [number, segment] : out->segments_) {
    std::string damage;
    if (before != 0 && number != before + 1) damage = dir + ": file " + std::to_string(before + 1) + " is missing";
    if (damage.empty()) damage = out->Scan(number, segment, number == out->segments_.rbegin()->first);
    if (!damage.empty()) {
      warnings->push_back(damage + "; chunks from there on are read from the log instead");
      break;
    }
    before = number;
  }
  return std::shared_ptr<const HeadChunks>(std::move(out));
}

std::string HeadChunks::Scan(std::uint64_t number, const Segment& segment, bool last) {
  const std::string_view bytes = segment.map.bytes();
  const auto at = [&](std::size_t offset) { return segment.path + ": offset " + std::to_string(offset) + ": "; };
  if (bytes.size() < kFileHeaderBytes) return last ? "" : at(0) + "too short for head chunks";
  if (LoadBe32(bytes.data()) != kMagic) return at(0) + "not head chunks: wrong magic number";
  if (bytes[4] != 1) return at(4) + "head chunks of version " + std::to_string(static_cast<std::uint8_t>(bytes[4])) + "; this program reads 1";
  std::size_t offset = kFileHeaderBytes;
  while (offset < bytes.size()) {
    ByteReader r(bytes.substr(offset));
    const std::uint64_t series = Be64(r);
    ChunkMeta c;
    c.min_ms = static_cast<std::int64_t>(Be64(r));
    c.max_ms = static_cast<std::int64_t>(Be64(r));
    const std::uint8_t encoding = r.U8();
    const std::uint64_t size = r.Varint();
    const bool whole = r.ok() && size <= r.remaining() && r.remaining() - size >= 4;
    if (!whole || series == 0) {
      // Room that was not filled, or a chunk that is being written: the log has it.
      if (std::all_of(bytes.begin() + static_cast<std::ptrdiff_t>(offset), bytes.end(), [](char b) { return b == 0; })) return "";
      if (!whole && last) return "";
      return at(offset) + (whole ? "chunk of no series" : "chunk reaches beyond the end of the file");
    }
    (void)r.Bytes(static_cast<std::size_t>(size));
    const std::size_t body = r.offset();
    if (Crc32c(bytes.substr(offset, body)) != Be32(r)) return at(offset) + "chunk: wrong checksum";
    if (size < 2 || c.min_ms > c.max_ms) return at(offset) + "chunk: damaged header";
    c.ref = number << 32 | offset;
    auto& of = by_series_[series];
    ((encoding & kOutOfOrder) != 0 ? of.out_of_order : of.in_order).push_back(c);
    last_ref_ = c.ref;
    ++count_;
    offset += body + 4;
  }
  return "";
}

Result<void> HeadChunks::Read(std::uint64_t ref, SeriesColumns* out) const {
  const auto it = segments_.find(ref >> 32);
  const std::size_t offset = ref & 0xffffffff;
  if (it == segments_.end() || offset + kChunkHeaderBytes > it->second.map.size()) return Error{Errc::kCorrupt, "chunks_head: no chunk at " + std::to_string(ref)};
  const auto at = [&] { return it->second.path + ": offset " + std::to_string(offset) + ": chunk: "; };
  ByteReader r(it->second.map.bytes().substr(offset));
  const auto encoding = static_cast<std::uint8_t>(r.Bytes(kChunkHeaderBytes).back());
  const std::string_view data = r.LengthPrefixed();
  if (!r.ok()) return Error{Errc::kCorrupt, at() + "reaches beyond the end of the file"};
  if (auto done = DecodeChunk(encoding & static_cast<std::uint8_t>(~kOutOfOrder), data, out); !done) return done.error().Wrap(at());
  return {};
}

}  // namespace prom::tsdb
