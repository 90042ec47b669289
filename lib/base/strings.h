// Small text helpers that the standard library of GCC 12 lacks.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace prom {

bool IsValidUtf8(std::string_view s);
// Each byte that is not part of valid UTF-8 becomes U+FFFD: how Go's regexp reads it.
std::string ToValidUtf8(std::string_view s);
std::vector<std::string_view> Split(std::string_view s, char separator);
std::string Join(const std::vector<std::string>& parts, std::string_view separator);
std::string_view TrimSpace(std::string_view s);
std::string ToLower(std::string_view s);  // ASCII
bool EqualIgnoreCase(std::string_view a, std::string_view b);  // ASCII

// A Go-quoted string with the quotes, as %q and strconv.Quote print it:
// \a \b \f \n \r \t \v \\ \" and \x.. for bytes that are not valid UTF-8.
std::string Quote(std::string_view s);
void AppendQuoted(std::string* out, std::string_view s);

// printf into a string.
[[gnu::format(printf, 1, 2)]] std::string StringPrintf(const char* format, ...);

// The text of an errno value, thread-safe: "No such file or directory".
std::string ErrnoText(int error);

}  // namespace prom
