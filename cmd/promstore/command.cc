#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <tuple>

#include "base/io.h"
#include "base/number.h"
#include "base/strings.h"
#include "base/time.h"
#include "command.h"
#include "promql/parse.h"

int Fail(const prom::Error& e) {
  std::fprintf(stderr, "promstore: %s\n", e.message.c_str());
  return prom::ExitCode(e.code);
}

void Warn(std::string_view w) { std::fprintf(stderr, "promstore: warning: %.*s\n", static_cast<int>(w.size()), w.data()); }

prom::Result<void> WriteOut(std::string_view bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) != bytes.size()) return prom::ErrnoError("write", "standard output", errno);
  return {};
}

int Flush() {
  if (std::fflush(stdout) != 0) return Fail(prom::ErrnoError("write", "standard output", errno));
  return 0;
}

bool OnTerminal(int fd) { return ::isatty(fd) != 0; }

prom::Result<std::int64_t> DurationFlag(const char* name, const std::string& text) {
  auto ms = prom::ParseDuration(text);
  if (!ms) return ms.error().Wrap(std::string(name) + ": ");
  return *ms;
}

prom::Result<std::uint64_t> SizeFlag(const char* name, const std::string& text) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
  const auto number = prom::ParseFloat(text.substr(0, digits));
  const std::string unit = prom::ToLower(std::string_view(text).substr(digits));
  static constexpr std::string_view kUnits = "bkmgtpe";
  const auto step = unit.empty() ? 0 : kUnits.find(unit[0]);
  const bool good = unit.empty() || unit == "b" || (step != 0 && step != kUnits.npos && (unit.size() == 1 || unit.substr(1) == "b" || unit.substr(1) == "ib"));
  if (!number || !good) return prom::Error{prom::Errc::kInvalid, std::string(name) + ": not a size: " + prom::Quote(text)};
  double bytes = *number;
  for (std::size_t i = 0; i < step; ++i) bytes *= 1024;
  if (bytes >= 9.2e18) return prom::Error{prom::Errc::kInvalid, std::string(name) + ": too large: " + prom::Quote(text)};
  return static_cast<std::uint64_t>(bytes);
}

prom::Result<prom::Matchers> MatcherFlag(const std::string& text) {
  if (text.empty()) return prom::Matchers{};
  auto matchers = prom::promql::ParseMetricSelector(text);
  if (!matchers) return matchers.error().Wrap("matcher " + prom::Quote(text) + ": ");
  return matchers;
}

void TimeRangeFlags::Add(FlagSet& flags) {
  flags.Text("--start", &start);
  flags.Text("--end", &end);
}

prom::Result<void> TimeRangeFlags::Parse(std::int64_t* min_ms, std::int64_t* max_ms) const {
  const std::int64_t now = prom::SystemClock().NowMs();
  for (const auto& [text, name, out] : {std::tuple(&start, "--start", min_ms), std::tuple(&end, "--end", max_ms)}) {
    if (text->empty()) continue;
    auto t = prom::ParseTimeRelative(*text, now);
    if (!t) return t.error().Wrap(std::string(name) + ": ");
    *out = *t;
  }
  return {};
}

void WriterFlags::Add(FlagSet& flags) {
  flags.Text("--fsync", &fsync);
  flags.Text("--out-of-order-window", &window);
}

prom::Result<void> WriterFlags::Parse(prom::store::WriterOptions* writer, bool* sync) const {
  using prom::store::FsyncMode;
  PROM_ASSIGN(writer->head.out_of_order_window_ms, DurationFlag("--out-of-order-window", window));
  *sync = fsync == "always";
  // With `always` every acknowledgement waits for a sync of its own; the one at intervals
  // is for what nobody waits for.
  if (fsync == "never") {
    writer->fsync = FsyncMode::kNever;
  } else if (!*sync) {
    PROM_ASSIGN(writer->fsync_interval_ms, DurationFlag("--fsync", fsync));
    if (writer->fsync_interval_ms <= 0) return prom::Error{prom::Errc::kInvalid, "--fsync: want always, never or an interval above 0"};
  }
  return {};
}
