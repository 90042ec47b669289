// Verify walks all of a data directory: every page of every index, every group,
// chunk and time column of every block, and the head. Read-only; the writer may run.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/io.h"
#include "base/result.h"

namespace prom::store {

struct Problem {
  std::string file;          // path
  std::uint64_t offset = 0;  // bytes
  std::string what;
  std::string series;        // or empty: all, or it cannot be told
  std::int64_t min_ms = 0, max_ms = -1;  // of the samples that are lost; min > max: none, or not known
  std::string ToString() const;          // one line: file: byte N: what; series, from, to
};

struct VerifyResult {
  std::vector<Problem> problems;
  bool more = false;  // the list was cut at kMaxProblems
  std::uint64_t blocks = 0, epochs = 0, series = 0, chunks = 0, samples = 0;  // looked at
};
inline constexpr std::size_t kMaxProblems = 10'000;

// An error only when there is no directory to look at, or it is of a newer format.
Result<VerifyResult> VerifyDataDir(Io& io, const std::string& dir);
// One block, blocks/<ulid>.
Result<VerifyResult> VerifyBlock(Io& io, const std::string& block_dir);

}  // namespace prom::store
