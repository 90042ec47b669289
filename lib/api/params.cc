#include "api/params.h"

#include <cmath>

#include "base/number.h"
#include "base/strings.h"
#include "base/time.h"
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

Result<std::int64_t> RequestParams::Time(std::string_view name, std::optional<std::int64_t> fallback) const {
  const std::string_view text = Get(name);
  if (text.empty() && fallback) return *fallback;
  if (text == kMinTimeText) return kMinTimeMs / 1000 + 62135596801ll * 1000;
  if (text == kMaxTimeText) return kMaxTimeMs / 1000 - 62135596801ll * 1000;
  auto t = ParseTime(text);
  if (!t) return InvalidParameter(name, t.error().message);
  return *t;
}

Result<std::int64_t> RequestParams::DurationMs(std::string_view name) const {
  const std::string_view text = Get(name);
  if (const auto seconds = ParseFloat(text)) {
    const double ns = *seconds * 1e9;
    if (std::isnan(ns) || ns > 9.2233720368547758e18 || ns < -9.2233720368547758e18)
      return InvalidParameter(name, "cannot parse " + Quote(text) + " to a valid duration. It overflows int64");
    return static_cast<std::int64_t>(ns / 1e6);
  }
  if (auto d = ParseDuration(text)) return *d;
  return InvalidParameter(name, "cannot parse " + Quote(text) + " to a valid duration");
}

Result<std::size_t> RequestParams::Limit() const {
  const std::string_view text = Get("limit");
  if (text.empty()) return std::size_t{0};
  const auto n = ParseInt64(text);
  if (!n) return InvalidParameter("limit", "strconv.ParseInt: parsing " + Quote(text) + ": invalid syntax");
  if (*n < 0) return InvalidParameter("limit", "limit must be non-negative");
  return static_cast<std::size_t>(*n);
}

Result<std::vector<Matchers>> RequestParams::MatcherSets() const {
  std::vector<Matchers> out;
  for (std::string_view text : GetAll("match[]")) {
    auto matchers = promql::ParseMetricSelector(text);
    if (!matchers) return InvalidParameter("match[]", matchers.error().message);
    // A selector that matches everything would walk the whole store.
    if (promql::MatchesOnlyEmpty(*matchers)) return InvalidParameter("match[]", "match[] must contain at least one non-empty matcher");
    out.push_back(std::move(*matchers));
  }
  return out;
}

}  // namespace prom::api
