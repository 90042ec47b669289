#include "command.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "api/remote_source.h"
#include "base/io.h"
#include "base/log.h"
#include "base/strings.h"
#include "base/time.h"
#include "discovery/http_fetch.h"
#include "promql/output/text.h"

namespace prom::cli {

int Fail(const Error& e) {
  std::fprintf(stderr, "promql: %s\n", promql::SafeLines(e.message).c_str());
  return ExitCode(e.code);
}

void Warn(std::string_view message) { std::fprintf(stderr, "promql: %s\n", promql::SafeLines(message).c_str()); }

int Print(std::string_view text, bool drawn) {
  std::string safe;
  if (!drawn && ::isatty(STDOUT_FILENO) != 0) text = safe = promql::SafeLines(text);
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
    return Fail(ErrnoError("write", "standard output", errno));
  return 0;
}

Result<promql::EngineOptions> EngineOptionsOf(const Options& o) {
  promql::EngineOptions out;
  auto lookback = ParseDuration(o.lookback), timeout = ParseDuration(o.timeout);
  if (!lookback) return lookback.error().Wrap("lookback delta: ");
  if (!timeout) return timeout.error().Wrap("timeout: ");
  out.lookback_ms = *lookback;
  out.timeout_ms = *timeout;
  out.max_samples = o.max_samples;
  out.max_memory_bytes = static_cast<std::int64_t>(std::min<std::uint64_t>(o.max_memory, std::uint64_t{1} << 62));
  out.threads = o.threads;
  for (const std::string& list : o.features) {
    for (std::string_view name : Split(list, ',')) {
      if (name == "promql-experimental-functions") out.parse.experimental_functions = true;
      else if (name == "promql-extended-range-selectors") out.parse.extended_ranges = true;
      else if (name == "promql-binop-fill-modifiers") out.parse.fill_modifiers = true;
      else if (name == "promql-delayed-name-removal") out.delayed_name_removal = true;
      else if (name == "use-start-timestamps") out.use_start_timestamps = true;
      else if (name == "type-and-unit-labels") out.type_and_unit_labels = true;
      else LogWarn("promql", "feature has no effect in promql", {{"name", name}});
    }
  }
  return out;
}

Result<std::unique_ptr<api::QuerySource>> OpenSource(const Options& o) {
  PROM_ASSIGN(const auto engine, EngineOptionsOf(o));
  if (o.url.empty()) return api::OpenLocalSource(o.data, engine);
  api::RemoteOptions remote;
  remote.url = o.url;
  remote.timeout_ms = engine.timeout_ms;
  if (o.lookback_given) remote.lookback_ms = engine.lookback_ms;
  remote.stats = o.stats;
  if (!o.http_config.empty()) {
    PROM_ASSIGN(remote.http, discovery::LoadHttpClient(o.http_config));
  }
  return api::OpenRemoteSource(std::move(remote));
}

Result<api::LookupRequest> LookupOf(const Options& o, std::vector<std::string> selectors) {
  api::LookupRequest out;
  out.selectors = std::move(selectors);
  const std::int64_t now = SystemClock().NowMs();
  if (!o.times.start.empty()) {
    PROM_ASSIGN(out.min_ms, promql::ResolveTime("--start", o.times.start, now));
  }
  if (!o.times.end.empty()) {
    PROM_ASSIGN(out.max_ms, promql::ResolveTime("--end", o.times.end, now));
  }
  return out;
}

namespace {

Result<std::string> ReadStdin() {
  constexpr std::size_t kMost = 16u << 20;
  std::string out;
  char buffer[64 << 10];
  for (;;) {
    const ssize_t n = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoError("read", "standard input", errno);
    if (n == 0) return out;
    out.append(buffer, static_cast<std::size_t>(n));
    if (out.size() > kMost) return Error{Errc::kLimit, "standard input is longer than 16 MiB"};
  }
}

}  // namespace

Result<std::vector<Input>> ReadInputs(const Options& o, const char* command) {
  std::vector<Input> out;
  for (const std::string& a : o.args) {
    if (a == "-") {
      PROM_ASSIGN(std::string text, ReadStdin());
      out.push_back({"<stdin>", std::move(text)});
    } else {
      out.push_back({"", a});
    }
  }
  for (const std::string& f : o.files) {
    PROM_ASSIGN(std::string text, f == "-" ? ReadStdin() : ReadFile(SystemIo(), f, 16u << 20));
    out.push_back({f == "-" ? "<stdin>" : f, std::move(text)});
  }
  if (out.empty() && ::isatty(STDIN_FILENO) == 0) {
    PROM_ASSIGN(std::string text, ReadStdin());
    out.push_back({"<stdin>", std::move(text)});
  }
  if (out.empty()) return Error{Errc::kInvalid, std::string(command) + ": want an expression, --file FILE, or one on standard input"};
  return out;
}

}  // namespace prom::cli
