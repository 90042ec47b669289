// Target: one address of a scrape job after relabelling.
//
// From discovered labels to a target, upstream's rules (reference: prometheus.md
// section 2): job, __address__, __scheme__, __metrics_path__, __param_<k>,
// __scrape_interval__ and __scrape_timeout__ are set before relabel_configs run;
// afterwards an empty address is an error, __meta_* go, instance defaults to the
// address, and other __* labels are not exported.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/config.h"
#include "discovery/discovery.h"
#include "model/labels.h"

namespace prom::scrape {

struct Target {
  Labels labels;      // as stored with its samples
  Labels discovered;  // before relabelling
  std::string url;
  std::string unix_socket;  // __unix_socket__, or empty
  std::int64_t interval_ms = 0, timeout_ms = 0;

  // Same labels and same URL: the same target, whatever was discovered.
  std::uint64_t Hash() const;
};

// Empty: dropped by relabelling; *discovered (may be null) gets the labels before it.
// kInvalid: what makes the target unusable.
Result<std::optional<Target>> MakeTarget(const config::ScrapeConfig& config, const Labels& target, const Labels& group, Labels* discovered);

struct TargetSet {
  std::vector<Target> active;   // each once
  std::vector<Labels> dropped;  // discovered labels of those that relabelling dropped
  std::vector<std::string> errors;
};
TargetSet MakeTargets(const config::ScrapeConfig& config, const std::vector<discovery::TargetGroup>& groups);

}  // namespace prom::scrape
