#include "base/log.h"

#include <atomic>
#include <unistd.h>

#include "base/json.h"
#include "base/strings.h"
#include "base/time.h"

namespace prom {
namespace {

std::atomic<LogLevel> g_level{LogLevel::kInfo};
std::atomic<LogFormat> g_format{LogFormat::kLogfmt};

constexpr std::string_view kNames[] = {"debug", "info", "warn", "error"};
constexpr std::string_view kUpper[] = {"DEBUG", "INFO", "WARN", "ERROR"};

void AppendLogfmt(std::string* out, std::string_view key, std::string_view value) {
  if (!out->empty()) out->push_back(' ');
  *out += key;
  out->push_back('=');
  bool plain = !value.empty();
  for (unsigned char c : value)
    if (c <= ' ' || c == '"' || c == '=' || c == 0x7f) plain = false;
  if (plain && IsValidUtf8(value)) {
    *out += value;
  } else {
    AppendQuoted(out, value);
  }
}

}  // namespace

Result<void> SetLogLevel(std::string_view name) {
  for (std::size_t i = 0; i < std::size(kNames); ++i) {
    if (EqualIgnoreCase(name, kNames[i])) {
      g_level = static_cast<LogLevel>(i);
      return {};
    }
  }
  return Error{Errc::kInvalid, "unrecognized log level " + std::string(name) + ", want debug, info, warn or error"};
}

Result<void> SetLogFormat(std::string_view name) {
  if (name == "logfmt") {
    g_format = LogFormat::kLogfmt;
  } else if (name == "json") {
    g_format = LogFormat::kJson;
  } else {
    return Error{Errc::kInvalid, "unrecognized log format " + std::string(name) + ", want logfmt or json"};
  }
  return {};
}

bool LogEnabled(LogLevel level) { return level >= g_level.load(std::memory_order_relaxed); }

void Log(LogLevel level, std::string_view component, std::string_view message, std::initializer_list<LogField> fields) {
  if (!LogEnabled(level)) return;
  std::string line;
  std::string time = FormatTimeRfc3339(SystemClock().NowMs());
  if (time.find('.') == std::string::npos) time.insert(time.size() - 1, ".000");
  const std::string_view name = kUpper[static_cast<std::size_t>(level)];
  if (g_format.load(std::memory_order_relaxed) == LogFormat::kJson) {
    JsonWriter json(&line);
    json.BeginObject().Field("time", time).Field("level", name).Field("source", component).Field("msg", message);
    for (const LogField& f : fields) json.Field(f.key, f.value);
    json.EndObject();
  } else {
    AppendLogfmt(&line, "time", time);
    AppendLogfmt(&line, "level", name);
    AppendLogfmt(&line, "source", component);
    AppendLogfmt(&line, "msg", message);
    for (const LogField& f : fields) AppendLogfmt(&line, f.key, f.value);
  }
  line.push_back('\n');
  // A full or closed stderr is nothing a log line can report.
  [[maybe_unused]] const ssize_t ignored = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace prom
