#include "api/params.h"

#include <cmath>

#include "base/number.h"
#include "base/strings.h"
#include "promql/parse.h"

namespace prom::api {
namespace {

// math.MinInt64/1000 + 62135596801 seconds and its counterpart, as upstream prints and accepts them.
constexpr std::string_view kMinTimeText = "-292273086-05-16T16:47:06Z";
constexpr std::string_view kMaxTimeText = "292277025-08-18T07:12:54.999999999Z";

}  // namespace

Error InvalidParameter(std::string_view name, std::string_view reason) {
  return {Errc::kInvalid, "invalid parameter " + Quote(name) + ": " + std::string(reason)};
}

std::string_view RequestParams::Get(std::string_view name) const {
  for (const auto& [key, value] : params_)
    if (key == name) return value;
  return {};
}

std::vector<std::string_view> RequestParams::GetAll(std::string_view name) const {
  std::vector<std::string_view> out;
  for (const auto& [key, value] : params_)
    if (key == name) out.push_back(value);
  return out;
}

Result<std::int64_t> ParseApiTime(std::string_view text) {
  if (text == kMinTimeText) return kApiMinTime;
  if (text == kMaxTimeText) return kApiMaxTime;
  return ParseTime(text);
}

Result<std::int64_t> ParseApiDuration(std::string_view text) {
  if (const auto seconds = ParseFloat(text)) {
    const double ns = *seconds * 1e9;
    if (std::isnan(ns) || ns >= 0x1p63 || ns < -0x1p63) return Error{Errc::kInvalid, "cannot parse " + Quote(text) + " to a valid duration. It overflows int64"};
    return static_cast<std::int64_t>(ns) / 1'000'000;
  }
  if (auto d = ParseDuration(text)) return *d;
  return Error{Errc::kInvalid, "cannot parse " + Quote(text) + " to a valid duration"};
}

Result<std::int64_t> RequestParams::Time(std::string_view name) const {
  auto t = ParseApiTime(Get(name));
  if (!t) return InvalidParameter(name, t.error().message);
  return *t;
}

Result<std::int64_t> RequestParams::TimeOr(std::string_view name, std::int64_t fallback) const {
  if (Get(name).empty()) return fallback;
  auto t = ParseApiTime(Get(name));
  if (!t) return InvalidParameter(name, "invalid time value for '" + std::string(name) + "': " + t.error().message);
  return *t;
}

Result<std::int64_t> RequestParams::DurationMs(std::string_view name) const {
  auto d = ParseApiDuration(Get(name));
  if (!d) return InvalidParameter(name, d.error().message);
  return *d;
}

Result<std::size_t> RequestParams::Limit() const {
  const std::string_view text = Get("limit");
  if (text.empty()) return std::size_t{0};
  const auto n = ParseInt64(text);
  if (!n) return InvalidParameter("limit", "strconv.Atoi: parsing " + Quote(text) + ": invalid syntax");
  if (*n < 0) return InvalidParameter("limit", "limit must be non-negative");
  return static_cast<std::size_t>(*n);
}

Result<std::vector<Matchers>> RequestParams::MatcherSets() const {
  std::vector<Matchers> out;
  for (std::string_view text : GetAll("match[]")) {
    auto matchers = promql::ParseMetricSelector(text);
    if (!matchers) return std::move(matchers.error());
    // A selector that matches everything would walk the whole store.
    if (promql::MatchesOnlyEmpty(*matchers)) return Error{Errc::kInvalid, "match[] must contain at least one non-empty matcher"};
    out.push_back(std::move(*matchers));
  }
  return out;
}

namespace {

int HexDigit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; }

void AppendUtf8(std::string* out, std::uint32_t cp) {
  const auto tail = [&](int shift) { out->push_back(static_cast<char>(0x80 | (cp >> shift & 63))); };
  if (cp < 0x80) {
    out->push_back(static_cast<char>(cp));
  } else if (cp < 0x800) {
    out->push_back(static_cast<char>(0xc0 | cp >> 6));
    tail(0);
  } else if (cp < 0x10000) {
    out->push_back(static_cast<char>(0xe0 | cp >> 12));
    tail(6), tail(0);
  } else {
    out->push_back(static_cast<char>(0xf0 | cp >> 18));
    tail(12), tail(6), tail(0);
  }
}

}  // namespace

std::string UnescapeLabelName(std::string_view name) {
  std::string as_is(name), out;
  if (!name.starts_with("U__")) return as_is;
  const std::string_view rest = name.substr(3);
  for (std::size_t i = 0; i < rest.size(); ++i) {
    if (rest[i] != '_') {
      out.push_back(rest[i]);
      continue;
    }
    if (++i == rest.size()) return as_is;
    if (rest[i] == '_') {
      out.push_back('_');
      continue;
    }
    const std::size_t end = rest.find('_', i);
    if (end == std::string_view::npos || end - i > 6) return as_is;
    std::uint32_t cp = 0;
    for (; i < end; ++i) {
      const int digit = HexDigit(rest[i]);
      if (digit < 0) return as_is;
      cp = cp * 16 + static_cast<std::uint32_t>(digit);
    }
    if (cp > 0x10ffff || (cp >= 0xd800 && cp < 0xe000)) return as_is;
    AppendUtf8(&out, cp);
  }
  return out;
}

}  // namespace prom::api
