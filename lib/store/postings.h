// Postings: ascending lists of ranks in few bytes, prom-block(5) "Postings". A list
// is a run, a bitmap (where at least 1 in 32 of its span is in it), or blocks of 128
// bit-packed differences that can be skipped. Reading is safe on any bytes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace prom::store {

// Appends a list of at least one strictly ascending rank; pads *out to a multiple of 8 first.
void AppendPostings(std::span<const std::uint32_t> ranks, std::string* out);

// A view of a list; the bytes must outlive it and 8 more bytes must be readable behind them.
class Postings {
 public:
  Postings() = default;
  static Postings Single(std::uint32_t rank);
  static Postings Run(std::uint32_t first, std::uint32_t count);
  // Bytes a list takes by the 16 bytes at its start; 0: not a list.
  static std::uint64_t SizeOf(const char* head);
  static constexpr std::size_t kHeadBytes = 16;
  // `bytes` is SizeOf() long. False: not a list of ranks below `limit`.
  [[nodiscard]] bool Parse(std::string_view bytes, std::uint32_t limit);

  std::uint32_t count() const { return count_; }
  // False from these: damaged after all; the output is then unspecified.
  [[nodiscard]] bool AppendTo(std::vector<std::uint32_t>* out) const;
  // Sets bits of a bitmap of at least `limit` bits.
  [[nodiscard]] bool SetIn(std::uint64_t* bitmap) const;
  // Keeps those of the ascending *ranks that are in the list (or, keep = false, are not).
  [[nodiscard]] bool Filter(std::vector<std::uint32_t>* ranks, bool keep) const;

 private:
  enum class Kind : std::uint32_t { kRun = 1, kBitmap = 2, kPacked = 3 };
  // Decodes packed block `block` to out[128]; its number of ranks, 0: damaged.
  std::uint32_t Decode(std::uint32_t block, std::uint32_t* out) const;
  std::uint32_t BlockFirst(std::uint32_t block) const;

  Kind kind_ = Kind::kRun;
  std::uint32_t count_ = 0;
  std::uint32_t first_ = 0;  // run: first rank; bitmap: rank of bit 0
  std::uint32_t limit_ = 0;
  std::uint32_t blocks_ = 0;  // packed: blocks; bitmap: words
  std::string_view body_;     // behind the head
};

}  // namespace prom::store
