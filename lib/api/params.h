// Parameters of API requests, read with upstream's rules and error texts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/matcher.h"
#include "net/http_server.h"

namespace prom::api {

class RequestParams {
 public:
  explicit RequestParams(net::Params params) : params_(std::move(params)) {}
  std::string_view Get(std::string_view name) const;  // the first; empty when absent
  std::vector<std::string_view> GetAll(std::string_view name) const;

  // Errors start with: invalid parameter "name":
  Result<std::int64_t> Time(std::string_view name) const;
  Result<std::int64_t> TimeOr(std::string_view name, std::int64_t fallback) const;  // when absent or empty
  Result<std::int64_t> DurationMs(std::string_view name) const;
  Result<std::size_t> Limit() const;  // 0: none
  // Of match[]; each holds a matcher that does not match the empty string. The error has no prefix.
  Result<std::vector<Matchers>> MatcherSets() const;

 private:
  net::Params params_;
};

// Float seconds or RFC 3339, also the two ends of time as upstream prints them, in ms.
Result<std::int64_t> ParseApiTime(std::string_view text);
// Float seconds or 5m, in ms, cut off below.
Result<std::int64_t> ParseApiDuration(std::string_view text);

// The name a "U__" form stands for: _<hex>_ is a character, __ an underscore (upstream's value
// escaping). What is not such a form stays as it is.
std::string UnescapeLabelName(std::string_view name);

// Upstream's minTime and maxTime: the range of requests that give none.
inline constexpr std::int64_t kApiMinTime = (kMinTimeMs / 1000 + 62135596801ll) * 1000;
inline constexpr std::int64_t kApiMaxTime = (kMaxTimeMs / 1000 - 62135596801ll) * 1000 + 999;

// "invalid parameter \"<name>\": <reason>"
Error InvalidParameter(std::string_view name, std::string_view reason);

}  // namespace prom::api
