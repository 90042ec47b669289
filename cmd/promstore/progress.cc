#include "progress.h"

#include <algorithm>
#include <cstdio>

#include "base/strings.h"
#include "base/time.h"
#include "command.h"

Progress::Progress(std::string what, std::uint64_t total) : what_(std::move(what)), total_(total), terminal_(OnTerminal(2)) {}

Progress::~Progress() {
  if (width_ != 0) std::fprintf(stderr, "\r%*s\r", static_cast<int>(width_), "");
}

void Progress::Show(std::uint64_t done, const std::string& rest) {
  constexpr std::int64_t kEveryNs = 200'000'000;
  if (!terminal_) return;
  const std::int64_t now = prom::SystemClock().MonotonicNs();
  if (now < next_ns_) return;
  next_ns_ = now + kEveryNs;
  std::string line = what_;
  if (total_ != 0) line += prom::StringPrintf(" %3.0f%%", 100 * std::min(1.0, static_cast<double>(done) / static_cast<double>(total_)));
  if (!rest.empty()) line += "  " + rest;
  const std::size_t width = line.size();
  line.resize(std::max(width, width_), ' ');
  std::fprintf(stderr, "\r%s", line.c_str());
  std::fflush(stderr);
  width_ = width;
}
