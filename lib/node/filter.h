// Which devices, mount points, types or fields a collector reports: RE2
// expressions, searched anywhere in the name as upstream does.
//
// Names repeat from scrape to scrape, so verdicts are remembered; the memory is
// bounded. Not thread-safe.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.h"
#include "node/options.h"

namespace prom::node {

// One expression; the empty one matches nothing.
class NameMatcher {
 public:
  NameMatcher();
  ~NameMatcher();
  NameMatcher(NameMatcher&&) noexcept;
  NameMatcher& operator=(NameMatcher&&) noexcept;
  // kInvalid: not an expression; `flag` names it in the message.
  static Result<NameMatcher> Make(const std::string& expression, std::string_view flag);
  bool empty() const { return impl_ == nullptr; }
  bool Matches(std::string_view name);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

class DeviceFilter {
 public:
  DeviceFilter() = default;
  // `flag` is the common part of the pair: "collector.diskstats.device". An
  // exclusion that is only the default gives way to an inclusion; both given by
  // the user is kInvalid.
  static Result<DeviceFilter> Make(const FilterOptions& options, std::string_view flag);
  bool Ignored(std::string_view name) {
    return (!exclude_.empty() && exclude_.Matches(name)) || (!include_.empty() && !include_.Matches(name));
  }

 private:
  NameMatcher include_, exclude_;
};

}  // namespace prom::node
