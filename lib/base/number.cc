#include "base/number.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/shortest.h"
#include "base/strings.h"

namespace prom {

double StaleNan() { return std::bit_cast<double>(kStaleNanBits); }
double NormalNan() { return std::bit_cast<double>(kNormalNanBits); }
bool IsStaleNan(double v) { return std::bit_cast<std::uint64_t>(v) == kStaleNanBits; }

std::optional<double> ParseFloat(std::string_view s) {
  bool negative = false;
  std::string_view rest = s;
  if (!rest.empty() && (rest[0] == '+' || rest[0] == '-')) {
    negative = rest[0] == '-';
    rest.remove_prefix(1);
  }
  if (rest.empty()) return std::nullopt;
  const char first = rest[0];
  if (first == 'i' || first == 'I') {
    if (!EqualIgnoreCase(rest, "inf") && !EqualIgnoreCase(rest, "infinity")) return std::nullopt;
    const double inf = std::numeric_limits<double>::infinity();
    return negative ? -inf : inf;
  }
  if (first == 'n' || first == 'N') {
    if (rest.size() != s.size() || !EqualIgnoreCase(rest, "nan")) return std::nullopt;  // no sign, as Go
    return NormalNan();
  }
  double v = 0;
  std::from_chars_result done{};
  if (rest.size() > 2 && rest[0] == '0' && (rest[1] == 'x' || rest[1] == 'X')) {
    // Go wants the p exponent of a hex float.
    if (rest.find_first_of("pP") == std::string_view::npos || rest[2] == '-') return std::nullopt;
    done = std::from_chars(rest.data() + 2, rest.data() + rest.size(), v, std::chars_format::hex);
  } else {
    if (first == '-') return std::nullopt;  // "--1": from_chars would take the second sign
    done = std::from_chars(rest.data(), rest.data() + rest.size(), v);
  }
  if (done.ptr != rest.data() + rest.size()) return std::nullopt;
  if (done.ec == std::errc::result_out_of_range) {
    // from_chars reports overflow and underflow alike; Go refuses only overflow.
    const std::string text(rest);
    v = std::strtod(text.c_str(), nullptr);
    if (std::isinf(v)) return std::nullopt;
  } else if (done.ec != std::errc{}) {
    return std::nullopt;
  }
  return negative ? -v : v;
}

namespace {
template <typename T>
std::optional<T> ParseInteger(std::string_view s) {
  if (s.size() > 1 && s[0] == '+') {
    s.remove_prefix(1);
    if (s[0] == '-') return std::nullopt;
  }
  T v{};
  const auto done = std::from_chars(s.data(), s.data() + s.size(), v);
  if (done.ec != std::errc{} || done.ptr != s.data() + s.size()) return std::nullopt;
  return v;
}

char* Put(char* out, std::string_view text) {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

// NaN and infinities; null when v is an ordinary number.
char* WriteSpecial(char* out, double v) {
  if (std::isnan(v)) return Put(out, "NaN");
  if (std::isinf(v)) return Put(out, v > 0 ? "+Inf" : "-Inf");
  return nullptr;
}

// Integers of moderate size are the most common values by far: no search for the shortest text.
char* WriteSmallInteger(char* out, double v) {
  if (!(v > -1e15 && v < 1e15)) return nullptr;
  const auto i = static_cast<std::int64_t>(v);
  if (static_cast<double>(i) != v || (i == 0 && std::signbit(v))) return nullptr;
  if (i < 0) *out++ = '-';
  return WriteDigits(out, static_cast<std::uint64_t>(i < 0 ? -i : i));
}

// Up to kDigits decimals, if that is the number: i / 10^k is rounded correctly, so a quotient
// equal to v means that the text reads back as v; and no two numbers of up to 15 digits are the
// same double, so there is no shorter text. Null when v is not of that kind. v > 0.
template <std::int64_t kScale, int kDigits>
char* WriteDecimals(char* out, double v) {
  const double scaled = v * kScale;
  const auto i = static_cast<std::int64_t>(scaled + 0.5);
  // Most numbers are refused by the first test, which is cheaper than a division.
  if (std::fabs(scaled - static_cast<double>(i)) > scaled * 0x1p-51 || static_cast<double>(i) / kScale != v || i >= 1'000'000'000'000'000) return nullptr;
  out = WriteDigits(out, static_cast<std::uint64_t>(i / kScale));
  const auto fraction = static_cast<std::uint32_t>(i % kScale);
  if (fraction == 0) return out;
  *out = '.';
  return WriteTrimmed(out + 1, fraction, kDigits);
}

char* WritePositive(char* out, double v) {
  // What has three decimals has six.
  if (v < 1e9) {
    if (char* end = WriteDecimals<1'000'000, 6>(out, v)) return end;
  } else if (v < 1e12) {
    if (char* end = WriteDecimals<1000, 3>(out, v)) return end;
  }
  const ShortestDecimal d = ToShortest(v);
  if (d.exponent >= 0) return std::fill_n(WriteDigits(out, d.digits), d.exponent, '0');
  if (v >= 1e-6 && v < 1e15) {
    // Whole numbers are doubles themselves, so none lies between v and its decimal.
    if (v < 1) return WritePadded(Put(out, "0."), d.digits, -d.exponent);
    const auto whole = static_cast<std::uint64_t>(v);
    out = WriteDigits(out, whole);
    *out++ = '.';
    return WritePadded(out, d.digits - whole * PowerOfTen(-d.exponent), -d.exponent);
  }
  char text[24];
  const int size = static_cast<int>(WriteDigits(text, d.digits) - text);
  const int before = size + d.exponent;  // digits before the point
  if (before <= 0) return Put(std::fill_n(Put(out, "0."), -before, '0'), {text, static_cast<std::size_t>(size)});
  out = Put(out, {text, static_cast<std::size_t>(before)});
  *out++ = '.';
  return Put(out, {text + before, static_cast<std::size_t>(size - before)});
}

char* WriteFixed(char* out, double v) {
  if (std::signbit(v)) *out++ = '-';
  return v == 0 ? Put(out, "0") : WritePositive(out, std::fabs(v));
}

// d.ddde±XX with at least two exponent digits: charconv writes it as Go does.
char* WriteExponent(char* out, double v) { return std::to_chars(out, out + kMaxFloatText, v, std::chars_format::scientific).ptr; }
}  // namespace

std::optional<std::int64_t> ParseInt64(std::string_view s) { return ParseInteger<std::int64_t>(s); }
std::optional<std::uint64_t> ParseUint64(std::string_view s) { return ParseInteger<std::uint64_t>(s); }

char* WriteFloatF(char* out, double v) {
  if (char* end = WriteSmallInteger(out, v)) return end;
  if (char* end = WriteSpecial(out, v)) return end;
  return WriteFixed(out, v);
}

char* WriteFloatG(char* out, double v) {
  // Go's 'g' with the shortest precision: exponent below 1e-4 and from 1e6 on.
  const double a = std::fabs(v);
  if (a < 1e6) {
    if (char* end = WriteSmallInteger(out, v)) return end;
  }
  if (char* end = WriteSpecial(out, v)) return end;
  if (a != 0 && (a < 1e-4 || a >= 1e6)) return WriteExponent(out, v);
  return WriteFixed(out, v);
}

char* WriteFloatJson(char* out, double v) {
  // What nearly all numbers are, with one look at each side.
  if (v >= 1e-6 && v < 1e15) {
    const auto i = static_cast<std::int64_t>(v);
    return static_cast<double>(i) == v ? WriteDigits(out, static_cast<std::uint64_t>(i)) : WritePositive(out, v);
  }
  if (char* end = WriteSmallInteger(out, v)) return end;
  if (char* end = WriteSpecial(out, v)) return end;
  const double a = std::fabs(v);
  if (a != 0 && (a < 1e-6 || a >= 1e21)) return WriteExponent(out, v);
  return WriteFixed(out, v);
}

namespace {
std::string ToText(char* (*write)(char*, double), double v) {
  char buffer[kMaxFloatText];
  return std::string(buffer, write(buffer, v));
}
}  // namespace

std::string FormatFloatF(double v) { return ToText(WriteFloatF, v); }
std::string FormatFloatG(double v) { return ToText(WriteFloatG, v); }
std::string FormatFloatJson(double v) { return ToText(WriteFloatJson, v); }

char* WriteMillisAsSeconds(char* out, std::int64_t ms) {
  std::uint64_t magnitude = static_cast<std::uint64_t>(ms);
  if (ms < 0) {
    *out++ = '-';
    magnitude = 0 - magnitude;
  }
  out = WriteDigits(out, magnitude / 1000);
  const auto fraction = static_cast<unsigned>(magnitude % 1000);
  if (fraction != 0) {
    *out++ = '.';
    *out++ = static_cast<char>('0' + fraction / 100);
    *out++ = static_cast<char>('0' + fraction / 10 % 10);
    *out++ = static_cast<char>('0' + fraction % 10);
  }
  return out;
}

}  // namespace prom
