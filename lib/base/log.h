// Log lines on stderr, logfmt or JSON, with upstream's keys:
//   time=2026-01-02T15:04:05.000Z level=INFO source=scrape msg="..." key=value
// Thread-safe: one write(2) a line.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/result.h"

namespace prom {

enum class LogLevel { kDebug, kInfo, kWarn, kError };
enum class LogFormat { kLogfmt, kJson };

// Set once at start. Names as upstream's flags: debug info warn error; logfmt json.
Result<void> SetLogLevel(std::string_view name);
Result<void> SetLogFormat(std::string_view name);
bool LogEnabled(LogLevel level);

// A key and its value as text; numbers convert.
struct LogField {
  std::string_view key;
  std::string value;
  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const char* v) : key(k), value(v) {}
  LogField(std::string_view k, const std::string& v) : key(k), value(v) {}
  template <typename N>
    requires std::is_arithmetic_v<N>
  LogField(std::string_view k, N v) : key(k), value(std::to_string(v)) {}
};

void Log(LogLevel level, std::string_view component, std::string_view message, std::initializer_list<LogField> fields = {});
inline void LogInfo(std::string_view c, std::string_view m, std::initializer_list<LogField> f = {}) { Log(LogLevel::kInfo, c, m, f); }
inline void LogWarn(std::string_view c, std::string_view m, std::initializer_list<LogField> f = {}) { Log(LogLevel::kWarn, c, m, f); }
inline void LogError(std::string_view c, std::string_view m, std::initializer_list<LogField> f = {}) { Log(LogLevel::kError, c, m, f); }
inline void LogDebug(std::string_view c, std::string_view m, std::initializer_list<LogField> f = {}) {
  if (LogEnabled(LogLevel::kDebug)) Log(LogLevel::kDebug, c, m, f);
}

}  // namespace prom
