// Integer columns: 64-bit integers in few bits, the layer under values, times and
// histograms. The layout is in prom-chunk(5), section "Integer column". Internal
// to lib/chunk and its tests.
//
// A column is constant, or differences (of order 0, 1 or 2) that are scaled and
// bit-packed in blocks of 128, each with a width of its own and patches for the
// few values that do not fit. All arithmetic is modulo 2^64, so any input works.
// The count is not stored: who holds the column knows it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "chunk/kernels.h"

namespace prom::chunk {

enum class ColumnMode : std::uint8_t { kConstant, kFrame, kDelta, kDelta2 };

// Appends a column of 1..65535 values. `hint`, when given and not kConstant, is
// the mode to use without trying the others. Returns the mode that was used.
ColumnMode AppendIntColumn(std::span<const std::uint64_t> x, std::string* out, ColumnMode hint = ColumnMode::kConstant,
                           const Kernels& kernels = BestKernels());

// The bits of the differences of the first 64 values, about: enough to compare
// ways to turn the same doubles into integers.
std::uint64_t EstimateDeltaBits(std::span<const std::uint64_t> x, const Kernels& kernels = BestKernels());

// Reads a column front to back, one block at a time, without allocating.
// After Open succeeds nothing can fail and no read leaves [begin, end).
class IntColumnReader {
 public:
  // Parses the column at *p and checks every length in it; moves *p behind it.
  // False: not a column of `count` values within `end`; *p is then unspecified.
  [[nodiscard]] bool Open(const std::uint8_t** p, const std::uint8_t* end, std::size_t count, const Kernels& kernels = BestKernels());
  // Writes the next min(kBlockValues, values left) values to x, which has room
  // for kBlockValues, and returns their number; 0 at the end.
  std::size_t Next(std::uint64_t* x);
  // Passes over what Next would have returned; cheaper where sums allow it.
  void Skip();
  bool constant() const { return mode_ == ColumnMode::kConstant; }

 private:
  void NextResiduals(std::uint64_t* u, std::size_t n);
  static const std::uint8_t* BlockEnd(const std::uint8_t* p, const std::uint8_t* end, std::size_t n);

  const Kernels* kernels_ = nullptr;
  const std::uint8_t* p_ = nullptr;
  const std::uint8_t* end_ = nullptr;
  std::size_t left_ = 0;
  std::size_t unstored_ = 0;  // leading residuals that are zero and left out
  std::uint64_t base_ = 0, factor_ = 1;
  std::uint64_t value_ = 0, delta_ = 0;
  ColumnMode mode_ = ColumnMode::kConstant;
  std::uint8_t form_ = 0;
};

}  // namespace prom::chunk
