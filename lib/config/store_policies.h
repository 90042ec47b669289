// The policy file of promstore(1): how long some series are kept. A file of ours, beside
// prometheus.yml and as strict:
//
//   retention_policies:
//     - matchers: ['{__name__=~"debug_.*"}', 'up{job="canary"}']
//       keep: 2d
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/matcher.h"

namespace prom::config {

struct StorePolicy {
  std::vector<Matchers> any_of;  // series that one of the lists fits
  std::int64_t keep_ms = 0;      // above 0
};

// How the text of a selector is read: PromQL's parser, which stands above this module.
using ParseSelectorFn = std::function<Result<Matchers>(std::string_view)>;

// kInvalid with file:line:column; kIo, kNotFound: the file cannot be read.
Result<std::vector<StorePolicy>> LoadStorePolicies(const std::string& path, const ParseSelectorFn& parse_selector);
Result<std::vector<StorePolicy>> ParseStorePolicies(std::string_view text, const std::string& name, const ParseSelectorFn& parse_selector);

}  // namespace prom::config
