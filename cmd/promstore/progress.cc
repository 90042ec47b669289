#include "progress.h"

#include <algorithm>
#include <cstdio>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/strings.h"
#include "base/time.h"
#include "command.h"

Progress::Progress(std::string what, std::uint64_t total) : what_(std::move(what)), total_(total), terminal_(OnTerminal(2)), start_ns_(prom::SystemClock().MonotonicNs()) {}

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
  const double share = total_ == 0 ? 0 : std::min(1.0, static_cast<double>(done) / static_cast<double>(total_));
  if (total_ != 0) line += prom::StringPrintf(" %3.0f%%", 100 * share);
  if (!rest.empty()) line += "  " + rest;
  // A guess is worth showing when some of the work is done.
  constexpr std::int64_t kGuessAfterNs = 2'000'000'000;
  if (const std::int64_t spent_ns = now - start_ns_; share > 0.02 && spent_ns > kGuessAfterNs) {
    const double left_s = static_cast<double>(spent_ns) / 1e9 * (1 - share) / share;
    line += "  " + prom::FormatDuration(static_cast<std::int64_t>(left_s + 1) * 1000) + " left";
  }
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1) line.resize(std::min<std::size_t>(line.size(), size.ws_col - 1u));
  const std::size_t width = line.size();
  line.resize(std::max(width, width_), ' ');
  std::fprintf(stderr, "\r%s", line.c_str());
  std::fflush(stderr);
  width_ = width;
}
