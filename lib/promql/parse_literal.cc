#include "promql/parse_literal.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/number.h"
#include "base/strings.h"
#include "base/time.h"

namespace prom::promql {
namespace {

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

// Go's rule: an underscore stands between digits, or between a base prefix and a digit.
bool UnderscoresOk(std::string_view s) {
  char saw = '^';
  std::size_t i = 0;
  bool hex = false;
  if (s.size() >= 2 && s[0] == '0' && Lower(s[1]) == 'x') {
    i = 2;
    saw = '0';
    hex = true;
  }
  for (; i < s.size(); ++i) {
    const char c = Lower(s[i]);
    if ((c >= '0' && c <= '9') || (hex && c >= 'a' && c <= 'f')) {
      saw = '0';
    } else if (c == '_') {
      if (saw != '0') return false;
      saw = '_';
    } else {
      if (saw == '_') return false;
      saw = '!';
    }
  }
  return saw != '_';
}

// Digits with a point and an exponent: what can be out of range but is not wrong.
bool IsDecimal(std::string_view s) {
  const auto digits = [&] {
    const std::size_t n = std::min(s.find_first_not_of("0123456789"), s.size());
    s.remove_prefix(n);
    return n;
  };
  std::size_t mantissa = digits();
  if (s.starts_with('.')) {
    s.remove_prefix(1);
    mantissa += digits();
  }
  if (mantissa == 0) return false;
  if (s.starts_with('e') || s.starts_with('E')) {
    s.remove_prefix(1);
    if (s.starts_with('+') || s.starts_with('-')) s.remove_prefix(1);
    if (digits() == 0) return false;
  }
  return s.empty();
}

// strconv.ParseInt with base 0, for unsigned text. nullopt: not an integer of 64 bits.
std::optional<std::int64_t> ParseGoInt(std::string_view s) {
  int base = 10;
  if (s.size() >= 3 && s[0] == '0' && Lower(s[1]) == 'x') {
    base = 16;
    s.remove_prefix(2);
  } else if (s.size() >= 2 && s[0] == '0') {
    base = 8;
    s.remove_prefix(1);
  }
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), value, base);
  if (error != std::errc() || end != s.data() + s.size() || value < 0) return std::nullopt;
  return value;
}

}  // namespace

std::int32_t DecodeRune(std::string_view s, int* width) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(s[i])); };
  const std::uint32_t b0 = byte(0);
  *width = 1;
  if (b0 < 0x80) return static_cast<std::int32_t>(b0);
  const std::size_t length = b0 >= 0xf0 && b0 <= 0xf4 ? 4 : b0 >= 0xe0 && b0 < 0xf0 ? 3 : b0 >= 0xc2 && b0 < 0xe0 ? 2 : 0;
  if (length == 0 || s.size() < length) return kRuneError;
  std::uint32_t rune = b0 & (0x7fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return kRuneError;
    rune = rune << 6 | (byte(i) & 0x3f);
  }
  if ((length == 3 && rune < 0x800) || (length == 4 && rune < 0x10000) || rune > 0x10ffff || (rune >= 0xd800 && rune < 0xe000))
    return kRuneError;
  *width = static_cast<int>(length);
  return static_cast<std::int32_t>(rune);
}

void AppendRune(std::string* out, std::int32_t rune) {
  if (rune < 0 || rune > 0x10ffff || (rune >= 0xd800 && rune < 0xe000)) rune = kRuneError;
  const auto r = static_cast<std::uint32_t>(rune);
  const auto put = [&](std::uint32_t b) { out->push_back(static_cast<char>(b)); };
  if (r < 0x80) {
    put(r);
  } else if (r < 0x800) {
    put(0xc0 | r >> 6);
    put(0x80 | (r & 0x3f));
  } else if (r < 0x10000) {
    put(0xe0 | r >> 12);
    put(0x80 | (r >> 6 & 0x3f));
    put(0x80 | (r & 0x3f));
  } else {
    put(0xf0 | r >> 18);
    put(0x80 | (r >> 12 & 0x3f));
    put(0x80 | (r >> 6 & 0x3f));
    put(0x80 | (r & 0x3f));
  }
}

std::string QuoteRune(std::int32_t rune) {
  if (rune == '\'') return "'\\''";
  if (rune == '"') return "'\"'";
  std::string text;
  AppendRune(&text, rune);
  text = Quote(text);
  text.front() = text.back() = '\'';
  return text;
}

std::string DescribeRune(std::int32_t rune) {
  std::string out = StringPrintf("U+%04X", static_cast<unsigned>(rune));
  std::string text;
  AppendRune(&text, rune);
  // Printable is what quoting leaves alone, and the two characters that it escapes for its own sake.
  if (rune == '"' || rune == '\\' || Quote(text) == "\"" + text + "\"") out += " '" + text + "'";
  return out;
}

std::uint32_t DigitValue(std::int32_t rune) {
  if (rune >= '0' && rune <= '9') return static_cast<std::uint32_t>(rune - '0');
  if (rune >= 'a' && rune <= 'f') return static_cast<std::uint32_t>(rune - 'a' + 10);
  if (rune >= 'A' && rune <= 'F') return static_cast<std::uint32_t>(rune - 'A' + 10);
  return 16;
}

std::optional<std::string> Unquote(std::string_view s) {
  if (s.size() < 2 || s.front() != s.back()) return std::nullopt;
  const char quote = s.front();
  s = s.substr(1, s.size() - 2);
  if (quote == '`') return s.find('`') == std::string_view::npos ? std::optional(std::string(s)) : std::nullopt;
  if ((quote != '"' && quote != '\'') || s.find('\n') != std::string_view::npos) return std::nullopt;

  std::string out;
  out.reserve(s.size());
  while (!s.empty()) {
    if (s[0] == quote) return std::nullopt;
    if (s[0] != '\\') {
      out.push_back(s[0]);
      s.remove_prefix(1);
      continue;
    }
    if (s.size() < 2) return std::nullopt;
    const char c = s[1];
    s.remove_prefix(2);
    std::size_t digits = 0;
    switch (c) {
      case 'a': out.push_back('\a'); continue;
      case 'b': out.push_back('\b'); continue;
      case 'f': out.push_back('\f'); continue;
      case 'n': out.push_back('\n'); continue;
      case 'r': out.push_back('\r'); continue;
      case 't': out.push_back('\t'); continue;
      case 'v': out.push_back('\v'); continue;
      case '\\': out.push_back('\\'); continue;
      case 'x': digits = 2; break;
      case 'u': digits = 4; break;
      case 'U': digits = 8; break;
      case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': {
        if (s.size() < 2) return std::nullopt;
        const std::uint32_t d1 = DigitValue(s[0]), d2 = DigitValue(s[1]);
        const std::uint32_t value = static_cast<std::uint32_t>(c - '0') << 6 | d1 << 3 | d2;
        if (d1 > 7 || d2 > 7 || value > 255) return std::nullopt;
        out.push_back(static_cast<char>(value));
        s.remove_prefix(2);
        continue;
      }
      default:
        if (c != quote) return std::nullopt;
        out.push_back(c);
        continue;
    }
    if (s.size() < digits) return std::nullopt;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      const std::uint32_t d = DigitValue(s[i]);
      if (d > 15) return std::nullopt;
      value = value << 4 | d;
    }
    s.remove_prefix(digits);
    if (c == 'x') {
      out.push_back(static_cast<char>(value));  // one byte, which need not be UTF-8
    } else {
      if (value > 0x10ffff) return std::nullopt;
      AppendRune(&out, static_cast<std::int32_t>(value));
    }
  }
  return out;
}

Result<double> ParseNumber(std::string_view text) {
  const auto failed = [&](Errc code, const char* why) {
    return Error{code, "strconv.ParseFloat: parsing " + Quote(text) + ": " + why};
  };
  std::string plain(text);
  if (text.find('_') != std::string_view::npos) {
    if (!UnderscoresOk(text)) return failed(Errc::kInvalid, "invalid syntax");
    std::erase(plain, '_');
  }
  if (const auto integer = ParseGoInt(plain)) return static_cast<double>(*integer);
  if (const auto value = ParseFloat(plain)) return *value;
  return IsDecimal(plain) ? failed(Errc::kLimit, "value out of range") : failed(Errc::kInvalid, "invalid syntax");
}

Result<double> ParseDurationSeconds(std::string_view text) {
  PROM_ASSIGN(const std::int64_t ms, ParseDuration(text));
  // Whole seconds and the rest apart, as Go's Duration.Seconds, so that the last bit agrees.
  return static_cast<double>(ms / 1000) + static_cast<double>(ms % 1000 * 1'000'000) / 1e9;
}

std::int64_t SecondsToMillis(double seconds) {
  const double ns = std::round(seconds * 1e9);
  if (std::isnan(ns)) return 0;
  if (ns >= static_cast<double>(std::numeric_limits<std::int64_t>::max())) return std::numeric_limits<std::int64_t>::max() / 1'000'000;
  if (ns <= static_cast<double>(std::numeric_limits<std::int64_t>::min())) return std::numeric_limits<std::int64_t>::min() / 1'000'000;
  return static_cast<std::int64_t>(ns) / 1'000'000;
}

}  // namespace prom::promql
