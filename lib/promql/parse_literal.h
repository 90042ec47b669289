// Characters, strings and numbers of PromQL as Go reads and shows them. Shared by
// the lexer, the parser and the series notation.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace prom::promql {

inline constexpr std::int32_t kRuneError = 0xfffd;

// The first character of `s`, which is not empty; kRuneError and width 1 when it is not valid UTF-8.
std::int32_t DecodeRune(std::string_view s, int* width);
void AppendRune(std::string* out, std::int32_t rune);
// %q: 'x', '\n', '\u00ad'; a negative or impossible rune is '\ufffd' itself.
std::string QuoteRune(std::int32_t rune);
// %#U: U+0063 'c'.
std::string DescribeRune(std::int32_t rune);
// 16, larger than any digit, when it is none.
std::uint32_t DigitValue(std::int32_t rune);

// The value of a string literal with its quotes: "..." and '...' with Go's escapes, `...` raw.
std::optional<std::string> Unquote(std::string_view literal);

// A number token: 5, 0x1f, 0755 (octal), 1_000, .5, 1e3, Inf, NaN. The error has
// Go's words: `strconv.ParseFloat: parsing "1e999": value out of range` (kLimit)
// or `...: invalid syntax` (kInvalid).
Result<double> ParseNumber(std::string_view text);

// A duration token such as 1h30m, in seconds; the error has the text of ParseDuration.
Result<double> ParseDurationSeconds(std::string_view text);

// Seconds to whole milliseconds by way of nanoseconds, as upstream does.
std::int64_t SecondsToMillis(double seconds);

}  // namespace prom::promql
