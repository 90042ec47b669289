// Head, 16 bytes: u32 kind, u32 count, u32 a, u32 b.
//   run     a = first rank, b = 0
//   bitmap  a = rank of bit 0 (a multiple of 64), b = number of u64 words; the words
//   packed  a = number of blocks, b = bytes of data; {u32 first rank, u32 offset in
//           the data} a block; data: a block is u8 width, then its ranks after the
//           first as differences minus one, `width` bits each, low bits first
#include "store/postings.h"

#include <algorithm>
#include <bit>

#include "base/bytes.h"

namespace prom::store {
namespace {

constexpr std::uint32_t kBlock = 128;

std::uint64_t PackedBytes(std::uint32_t values, unsigned width) { return (std::uint64_t{values} * width + 7) / 8; }

}  // namespace

void AppendPostings(std::span<const std::uint32_t> ranks, std::string* out) {
  out->resize((out->size() + 7) / 8 * 8);
  const auto count = static_cast<std::uint32_t>(ranks.size());
  const std::uint32_t first = ranks.front(), last = ranks.back();
  const auto head = [&](std::uint32_t kind, std::uint32_t a, std::uint32_t b) {
    AppendLe<std::uint32_t>(out, kind);
    AppendLe<std::uint32_t>(out, count);
    AppendLe<std::uint32_t>(out, a);
    AppendLe<std::uint32_t>(out, b);
  };
  if (last - first == count - 1) return head(1, first, 0);
  if ((last - first) / 32 < count) {
    const std::uint32_t base = first / 64 * 64;
    const std::uint32_t words = (last - base) / 64 + 1;
    head(2, base, words);
    const std::size_t start = out->size();
    out->resize(start + std::size_t{words} * 8);
    char* p = out->data() + start;
    for (const std::uint32_t r : ranks) p[(r - base) / 8] = static_cast<char>(p[(r - base) / 8] | 1 << (r % 8));
    return;
  }
  const std::uint32_t blocks = (count + kBlock - 1) / kBlock;
  std::string directory, data;
  for (std::uint32_t b = 0; b < blocks; ++b) {
    const auto block = ranks.subspan(std::size_t{b} * kBlock, std::min(kBlock, count - b * kBlock));
    AppendLe<std::uint32_t>(&directory, block[0]);
    AppendLe<std::uint32_t>(&directory, static_cast<std::uint32_t>(data.size()));
    std::uint32_t all = 0;
    for (std::size_t i = 1; i < block.size(); ++i) all |= block[i] - block[i - 1] - 1;
    const auto width = static_cast<unsigned>(std::bit_width(all));
    data.push_back(static_cast<char>(width));
    std::uint64_t pending = 0;
    unsigned bits = 0;
    for (std::size_t i = 1; i < block.size(); ++i) {
      pending |= std::uint64_t{block[i] - block[i - 1] - 1} << bits;
      for (bits += width; bits >= 8; bits -= 8, pending >>= 8) data.push_back(static_cast<char>(pending));
    }
    if (bits > 0) data.push_back(static_cast<char>(pending));
  }
  head(3, blocks, static_cast<std::uint32_t>(data.size()));
  *out += directory;
  *out += data;
}

Postings Postings::Single(std::uint32_t rank) { return Run(rank, 1); }

Postings Postings::Run(std::uint32_t first, std::uint32_t count) {
  Postings p;
  p.first_ = first;
  p.count_ = count;
  p.limit_ = first + count;
  return p;
}

std::uint64_t Postings::SizeOf(const char* head) {
  const auto a = LoadLe<std::uint32_t>(head + 8), b = LoadLe<std::uint32_t>(head + 12);
  switch (LoadLe<std::uint32_t>(head)) {
    case 1: return kHeadBytes;
    case 2: return kHeadBytes + std::uint64_t{b} * 8;
    case 3: return kHeadBytes + std::uint64_t{a} * 8 + b;
    default: return 0;
  }
}

bool Postings::Parse(std::string_view bytes, std::uint32_t limit) {
  const char* head = bytes.data();
  count_ = LoadLe<std::uint32_t>(head + 4);
  const auto a = LoadLe<std::uint32_t>(head + 8), b = LoadLe<std::uint32_t>(head + 12);
  limit_ = limit;
  body_ = bytes.substr(kHeadBytes);
  if (count_ == 0 || count_ > limit) return false;
  switch (LoadLe<std::uint32_t>(head)) {
    case 1:
      kind_ = Kind::kRun;
      first_ = a;
      return a <= limit - count_;
    case 2:
      kind_ = Kind::kBitmap;
      first_ = a;
      blocks_ = b;
      // The last word may reach over the limit, its bits may not.
      if (a % 64 != 0 || b == 0 || std::uint64_t{a} + std::uint64_t{b} * 64 > (std::uint64_t{limit} + 63) / 64 * 64) return false;
      return limit % 64 == 0 || a + std::uint64_t{b} * 64 < limit || LoadLe<std::uint64_t>(body_.data() + (std::size_t{b} - 1) * 8) >> (limit % 64) == 0;
    case 3:
      kind_ = Kind::kPacked;
      blocks_ = a;
      return a == (count_ + kBlock - 1) / kBlock;
    default: return false;
  }
}

std::uint32_t Postings::BlockFirst(std::uint32_t block) const { return LoadLe<std::uint32_t>(body_.data() + std::size_t{block} * 8); }

std::uint32_t Postings::Decode(std::uint32_t block, std::uint32_t* out) const {
  const std::uint32_t n = std::min(kBlock, count_ - block * kBlock);
  const std::string_view data = body_.substr(std::size_t{blocks_} * 8);
  const auto offset = LoadLe<std::uint32_t>(body_.data() + std::size_t{block} * 8 + 4);
  if (offset >= data.size()) return 0;
  const auto width = static_cast<std::uint8_t>(data[offset]);
  if (width > 32 || PackedBytes(n - 1, width) > data.size() - offset - 1) return 0;
  std::uint64_t rank = BlockFirst(block);
  out[0] = static_cast<std::uint32_t>(rank);
  const char* p = data.data() + offset + 1;
  const std::uint64_t mask = (std::uint64_t{1} << width) - 1;
  std::uint64_t bit = 0;
  // 127 differences of 32 bits and a first rank stay below 2^40: no overflow.
  for (std::uint32_t i = 1; i < n; ++i, bit += width) {
    rank += ((LoadLe<std::uint64_t>(p + bit / 8) >> (bit % 8)) & mask) + 1;
    out[i] = static_cast<std::uint32_t>(rank);
  }
  return rank < limit_ ? n : 0;
}

bool Postings::AppendTo(std::vector<std::uint32_t>* out) const {
  switch (kind_) {
    case Kind::kRun: {
      const std::size_t start = out->size();
      out->resize(start + count_);
      std::uint32_t* p = out->data() + start;
      for (std::uint32_t i = 0; i < count_; ++i) p[i] = first_ + i;
      return true;
    }
    case Kind::kBitmap:
      for (std::uint32_t w = 0; w < blocks_; ++w) {
        for (auto word = LoadLe<std::uint64_t>(body_.data() + std::size_t{w} * 8); word != 0; word &= word - 1) {
          out->push_back(first_ + w * 64 + static_cast<std::uint32_t>(std::countr_zero(word)));
        }
      }
      return true;
    case Kind::kPacked: {
      std::uint32_t block[kBlock];
      for (std::uint32_t b = 0; b < blocks_; ++b) {
        const std::uint32_t n = Decode(b, block);
        if (n == 0 || (!out->empty() && b > 0 && out->back() >= block[0])) return false;
        out->insert(out->end(), block, block + n);
      }
      return true;
    }
  }
  return false;
}

bool Postings::SetIn(std::uint64_t* bitmap) const {
  switch (kind_) {
    case Kind::kRun:
      for (std::uint64_t i = first_, end = std::uint64_t{first_} + count_; i < end;) {
        if (i % 64 == 0 && end - i >= 64) {
          bitmap[i / 64] = ~std::uint64_t{0};
          i += 64;
        } else {
          bitmap[i / 64] |= std::uint64_t{1} << (i % 64);
          ++i;
        }
      }
      return true;
    case Kind::kBitmap:
      for (std::uint32_t w = 0; w < blocks_; ++w) bitmap[first_ / 64 + w] |= LoadLe<std::uint64_t>(body_.data() + std::size_t{w} * 8);
      return true;
    case Kind::kPacked: {
      std::uint32_t block[kBlock];
      for (std::uint32_t b = 0; b < blocks_; ++b) {
        const std::uint32_t n = Decode(b, block);
        if (n == 0) return false;
        for (std::uint32_t i = 0; i < n; ++i) bitmap[block[i] / 64] |= std::uint64_t{1} << (block[i] % 64);
      }
      return true;
    }
  }
  return false;
}

bool Postings::Filter(std::vector<std::uint32_t>* ranks, bool keep) const {
  std::uint32_t* out = ranks->data();
  const std::uint32_t* in = ranks->data();
  const std::uint32_t* const end = in + ranks->size();
  switch (kind_) {
    case Kind::kRun:
      for (; in != end; ++in) {
        if ((*in - first_ < count_) == keep) *out++ = *in;  // unsigned: below first_ is far above count_
      }
      break;
    case Kind::kBitmap: {
      const std::uint64_t bits = std::uint64_t{blocks_} * 64;
      const auto* p = reinterpret_cast<const unsigned char*>(body_.data());
      for (; in != end; ++in) {
        const std::uint32_t i = *in - first_;
        const bool hit = *in >= first_ && i < bits && ((p[i / 8] >> (i % 8)) & 1) != 0;
        if (hit == keep) *out++ = *in;
      }
      break;
    }
    case Kind::kPacked: {
      std::uint32_t block[kBlock];
      std::uint32_t b = 0;
      while (in != end) {
        // The last block that begins at or before *in: gallop, then halve.
        std::uint32_t step = 1, low = b;
        while (low + step < blocks_ && BlockFirst(low + step) <= *in) {
          low += step;
          step *= 2;
        }
        std::uint32_t high = std::min(low + step, blocks_);
        while (high - low > 1) {
          const std::uint32_t middle = low + (high - low) / 2;
          (BlockFirst(middle) <= *in ? low : high) = middle;
        }
        b = low;
        const std::uint32_t n = Decode(b, block);
        if (n == 0) return false;
        const bool more = b + 1 < blocks_;
        const std::uint32_t next = more ? BlockFirst(b + 1) : 0;
        if (more && next <= block[n - 1]) return false;  // blocks out of order
        for (std::uint32_t i = 0; in != end && (!more || *in < next); ++in) {
          while (i < n && block[i] < *in) ++i;
          if ((i < n && block[i] == *in) == keep) *out++ = *in;
        }
      }
      break;
    }
  }
  ranks->resize(static_cast<std::size_t>(out - ranks->data()));
  return true;
}

}  // namespace prom::store
