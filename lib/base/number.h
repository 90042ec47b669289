// Numbers as text, the way Go reads and writes them (upstream's formats are Go's).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace prom {

// The bits of the staleness marker: the NaN that ends a series.
inline constexpr std::uint64_t kStaleNanBits = 0x7ff0000000000002ull;
// The NaN that ordinary arithmetic and parsing yield.
inline constexpr std::uint64_t kNormalNanBits = 0x7ff8000000000001ull;
double StaleNan();
double NormalNan();
bool IsStaleNan(double v);

// A float as strconv.ParseFloat(s, 64) takes it: decimal or 0x hex with p
// exponent, inf/infinity/nan in any case, an optional sign, underscores not
// allowed. The whole of `s` must be used. NaN has kNormalNanBits. Out of range
// (1e400) is nullopt, as upstream refuses it.
std::optional<double> ParseFloat(std::string_view s);
std::optional<std::int64_t> ParseInt64(std::string_view s);
std::optional<std::uint64_t> ParseUint64(std::string_view s);

// Shortest text that reads back to the same bits. Enough room for any double:
// kMaxFloatText bytes; returns the end of what was written.
inline constexpr int kMaxFloatText = 352;
// strconv 'f', -1: never an exponent. NaN, +Inf, -Inf.
char* WriteFloatF(char* out, double v);
std::string FormatFloatF(double v);
// strconv 'g', -1: exponent when |v| < 1e-4 or >= 1e6 ("1e-07", "1.5e+06"), as
// exposition pages of Go programs have it.
char* WriteFloatG(char* out, double v);
std::string FormatFloatG(double v);
// As the JSON of the HTTP API writes a sample value: exponent only if
// 0 < |v| < 1e-6 or |v| >= 1e21.
char* WriteFloatJson(char* out, double v);
std::string FormatFloatJson(double v);
// Milliseconds as seconds with up to three decimals: 1500 -> "1.500", 2000 -> "2".
char* WriteMillisAsSeconds(char* out, std::int64_t ms);

}  // namespace prom
