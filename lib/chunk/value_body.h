// The part of a value chunk behind its count, which histogram chunks use for each
// of their columns. Internal to lib/chunk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "chunk/int_column.h"
#include "chunk/value_chunk.h"

namespace prom::chunk {

// The first byte of a body: prom-chunk(5), table "Forms".
inline constexpr std::uint8_t kBodyFormMask = 0x3f;
inline constexpr std::uint8_t kBodyPatchesBit = 0x40;
inline constexpr std::uint8_t kBodyNoResetsBit = 0x80;

inline constexpr std::uint8_t kFormDecimal = 0;           // + exponent 0..15
inline constexpr std::uint8_t kFormDecimalRuns = 16;      // + exponent 0..15
inline constexpr std::uint8_t kFormConstantDecimal = 32;  // + exponent 0..15
inline constexpr std::uint8_t kFormConstantRaw = 48;
inline constexpr std::uint8_t kFormOrdered = 49;
inline constexpr std::uint8_t kFormOrderedRuns = 50;
inline constexpr std::uint8_t kFormUlp = 51;              // + exponent / 3 - 1: 3, 6, 9
inline constexpr std::uint8_t kFormUlpRuns = 54;          // likewise
inline constexpr std::uint8_t kFormEnd = 57;

// Tags of patches.
enum PatchTag : std::uint8_t { kPatchStale, kPatchNan, kPatchRaw, kPatchNegativeZero };

void AppendValueBody(std::span<const double> values, std::string* out, EncoderHint* hint, const Kernels& kernels = BestKernels());

class ValueBodyReader {
 public:
  // Parses a body of `count` values at *p, checks its lengths, moves *p behind it.
  [[nodiscard]] bool Open(const std::uint8_t** p, const std::uint8_t* end, std::size_t count, const Kernels& kernels = BestKernels());
  // Writes values [first, first + n), which must lie in the body. Once per Open.
  // False: run lengths that do not add up.
  [[nodiscard]] bool Read(std::size_t first, std::size_t n, double* out);

  ValueKind kind() const { return kind_; }
  bool no_resets() const { return no_resets_; }
  bool all_equal() const { return kind_ == ValueKind::kConstant && !patched_; }
  double constant_value() const { return constant_; }

 private:
  bool OpenPatches(const std::uint8_t** p, const std::uint8_t* end);
  void ReadPatches(std::size_t first, std::size_t n, double* out) const;
  bool ReadRuns(std::size_t first, std::size_t n, double* out);
  void Convert(const std::uint64_t* x, const std::uint64_t* ulps, std::size_t n, double* out) const;

  const Kernels* kernels_ = nullptr;
  ValueKind kind_ = ValueKind::kConstant;
  bool no_resets_ = false, patched_ = false, runs_ = false;
  int exponent_ = 0;
  double constant_ = 0;
  std::size_t count_ = 0, run_count_ = 0;
  IntColumnReader lengths_, ints_, ulps_;
  const std::uint8_t* patches_ = nullptr;
  const std::uint8_t* end_ = nullptr;
};

}  // namespace prom::chunk
