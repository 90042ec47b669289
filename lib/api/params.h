// Parameters of API requests, read with upstream's rules and error texts.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/matcher.h"
#include "net/http_server.h"

namespace prom::api {

class RequestParams {
 public:
  explicit RequestParams(net::Params params) : params_(std::move(params)) {}
  std::string_view Get(std::string_view name) const;  // the first; empty when absent
  std::vector<std::string_view> GetAll(std::string_view name) const;

  // Each error reads: invalid parameter "name": reason.
  Result<std::int64_t> Time(std::string_view name, std::optional<std::int64_t> fallback) const;
  Result<std::int64_t> DurationMs(std::string_view name) const;  // float seconds or 5m
  Result<std::size_t> Limit() const;  // 0: none
  Result<std::vector<Matchers>> MatcherSets() const;  // of match[]

 private:
  net::Params params_;
};

// "invalid parameter \"<name>\": <reason>"
Error InvalidParameter(std::string_view name, std::string_view reason);

}  // namespace prom::api
